//! CSV and TSV, read by the `csv` crate: a quote opens only at the start of a
//! cell, two quotes inside are one, what follows a closing quote is plain text,
//! and LF, CR and CRLF each end a row.
//!
//! What the crate does not do is done around it: the delimiter is detected, rows
//! without any content are skipped, as Excel leaves them after a table, lines
//! are counted by all three line ends, a row has a size limit, and a quote that
//! is never closed is noticed.

use std::io::{self, Read};

use memchr::memchr_iter;

use crate::model::{CellKind, Code, FileId, Place, Problem};

use super::bytes::Bytes;
use super::chunk::{Body, Chunk, Table};
use super::header::Header;
use super::{InputErrorKind, Limits};

/// In the order of preference where two fit equally well.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to detect the delimiter.
const SAMPLE_ROWS: usize = 50;
/// How much the `csv` crate reads at once.
const READ_AHEAD: usize = 64 << 10;
/// Follows the file's last byte. Neither text nor a delimiter, so that it comes
/// out as the only cell of the last row, unless a quote is still open.
const END: &[u8] = b"\n\xFF\xFE\xFD\xFC\xFB\xFA";

/// The first line as it was read, whatever it is: cells and line.
type HeaderRow = (Vec<String>, u64);

/// Reads the rows of a delimited text.
pub(super) struct RowReader {
    csv: csv::Reader<Source>,
    record: csv::ByteRecord,
    pub(super) delimiter: u8,
    limits: Limits,
    file: FileId,
    index: u64,
    lines: LineCounter,
    done: bool,
}

/// A text as the `csv` crate reads it: what was read since the last record is
/// kept, to count its lines and its size.
struct Source {
    text: Bytes,
    kept: Vec<u8>,
    /// Offset of the first byte in `kept`.
    offset: u64,
    limit: usize,
    ended: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("a row is too large")]
struct RowTooLarge;

impl Source {
    /// Forgets what comes before an offset, and returns its position in what is
    /// kept. Now and then only: it moves what was read ahead.
    fn pass(&mut self, offset: u64) -> usize {
        let mut passed = self.position(offset);
        if passed > READ_AHEAD {
            self.kept.drain(..passed);
            self.offset += passed as u64;
            passed = 0;
        }
        passed
    }

    /// The position of an offset in what is kept, to which the end mark does
    /// not belong.
    fn position(&self, offset: u64) -> usize {
        ((offset - self.offset) as usize).min(self.kept.len())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.kept.len() > self.limit + READ_AHEAD {
            return Err(io::Error::other(RowTooLarge));
        }
        let count = self.text.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..count]);
        if count > 0 || self.ended || buffer.len() < END.len() {
            return Ok(count);
        }
        self.ended = true;
        buffer[..END.len()].copy_from_slice(END);
        Ok(END.len())
    }
}

/// Counts lines that end with LF, CR or CRLF.
#[derive(Debug, Clone, Copy)]
struct LineCounter {
    line: u64,
    after_cr: bool,
}

impl LineCounter {
    fn pass(&mut self, text: &[u8]) {
        if self.after_cr && text.first() == Some(&b'\n') {
            // It was counted with its CR.
            self.line -= 1;
        }
        self.line += line_breaks(text);
        self.after_cr = text.last().map_or(self.after_cr, |last| *last == b'\r');
    }
}

/// How many lines end in these bytes, with LF, CR or CRLF.
pub(super) fn line_breaks(text: &[u8]) -> u64 {
    let feeds = memchr_iter(b'\n', text).count();
    let returns = memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n'));
    (feeds + returns.count()) as u64
}

/// What comes next.
enum Next {
    /// A row, in the reader's record, that begins in this line.
    Row(u64),
    /// A quote that is still open at the end of the file.
    OpenQuote(u64),
    TooLarge(u64),
    End,
}

fn reader<R: Read>(text: R, delimiter: u8) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(READ_AHEAD)
        .from_reader(text)
}

fn is_blank(record: &csv::ByteRecord) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    record.iter().all(|cell| cell.iter().all(is_space))
}

impl RowReader {
    /// A reader of the rows after the header, and the header row. `sample` is
    /// the text's beginning, or all of it.
    pub(super) fn open(
        mut text: Bytes,
        sample: &str,
        delimiter: Option<u8>,
        file: FileId,
        limits: &Limits,
        encoding: &'static str,
    ) -> Result<(Self, HeaderRow), InputErrorKind> {
        let declared = declared_delimiter(sample.as_bytes());
        let mut line = 1;
        if let Some((_, length)) = declared {
            let mut skipped = (&mut text).take(length as u64);
            io::copy(&mut skipped, &mut io::sink()).map_err(InputErrorKind::from_io)?;
            line = 2;
        }
        let delimiter = delimiter
            .or(declared.map(|(delimiter, _)| delimiter))
            .unwrap_or_else(|| detect_delimiter(sample));
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r' | b' ' | 0) {
            return Err(InputErrorKind::BadDelimiter(delimiter));
        }
        let source = Source {
            text,
            kept: Vec::new(),
            offset: 0,
            limit: limits.record,
            ended: false,
        };
        let mut rows = Self {
            csv: reader(source, delimiter),
            record: csv::ByteRecord::new(),
            delimiter,
            limits: limits.clone(),
            file,
            index: 0,
            lines: LineCounter {
                line,
                after_cr: false,
            },
            done: false,
        };
        let header = rows.header(encoding)?;
        Ok((rows, header))
    }

    fn header(&mut self, encoding: &'static str) -> Result<HeaderRow, InputErrorKind> {
        let limit = self.limits.record;
        let line = match self.next()? {
            Next::Row(line) => line,
            Next::OpenQuote(line) => {
                let line = self.quote_line(line);
                return Err(InputErrorKind::HeaderQuote { line });
            }
            Next::TooLarge(line) => return Err(InputErrorKind::TooLarge { line, limit }),
            Next::End => return Err(InputErrorKind::Empty),
        };
        let text = |cell: &[u8]| String::from_utf8(cell.to_vec());
        let cells: Result<Vec<_>, _> = self.record.iter().map(text).collect();
        let cells = cells.map_err(|_| InputErrorKind::HeaderText { line, encoding })?;
        Ok((cells, line))
    }

    /// Reads on to the next row that is not blank.
    fn next(&mut self) -> Result<Next, InputErrorKind> {
        loop {
            let start = self.csv.position().byte();
            let source = self.csv.get_mut();
            source.limit = self.limits.record + source.pass(start);
            let found = match self.csv.read_byte_record(&mut self.record) {
                Ok(found) => found,
                Err(error) => match error.into_kind() {
                    csv::ErrorKind::Io(error) => match error.downcast::<RowTooLarge>() {
                        Ok(_) => {
                            self.pass_blank_lines(start, u64::MAX);
                            return Ok(Next::TooLarge(self.lines.line));
                        }
                        Err(error) => return Err(InputErrorKind::from_io(error)),
                    },
                    kind => return Err(InputErrorKind::Io(io::Error::other(format!("{kind:?}")))),
                },
            };
            if !found {
                return Ok(Next::End);
            }
            let end = self.csv.position().byte();
            let (line, size) = self.pass_blank_lines(start, end);
            if size > self.limits.record {
                return Ok(Next::TooLarge(line));
            }
            let last = self.record.iter().next_back().unwrap_or_default();
            if last.ends_with(&END[1..]) && self.csv.get_ref().ended {
                if self.record.len() == 1 && last.len() == END.len() - 1 {
                    return Ok(Next::End);
                }
                return Ok(Next::OpenQuote(line));
            }
            if !is_blank(&self.record) {
                return Ok(Next::Row(line));
            }
        }
    }

    /// Passes the text of a row; the line in which it begins, after blank
    /// lines, and its size.
    fn pass_blank_lines(&mut self, start: u64, end: u64) -> (u64, usize) {
        let source = self.csv.get_ref();
        let row = &source.kept[source.position(start)..source.position(end)];
        let is_break = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
        let (blank, row) = row.split_at(row.iter().take_while(is_break).count());
        self.lines.pass(blank);
        let line = self.lines.line;
        if end != u64::MAX {
            self.lines.pass(row);
        }
        (line, row.len())
    }

    /// The line of the quote that opens the last cell of a row.
    fn quote_line(&self, line: u64) -> u64 {
        let before = self.record.len() - 1;
        line + self
            .record
            .iter()
            .take(before)
            .map(line_breaks)
            .sum::<u64>()
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self, header: &Header) -> Result<Option<Chunk>, InputErrorKind> {
        let mut table = Table::default();
        let mut lost = None;
        while !self.done && (table.rows.is_empty() || table.size() < self.limits.chunk) {
            let next = self.next()?;
            let place = |line| Place {
                file: self.file,
                line,
                index: self.index + table.rows.len() as u64,
            };
            match next {
                Next::Row(line) => {
                    for cell in &self.record {
                        table.push_cell(cell, CellKind::Text);
                    }
                    table.end_row(line);
                    continue;
                }
                Next::End => {}
                Next::TooLarge(line) => lost = Some(self.too_large(place(line))),
                Next::OpenQuote(line) => lost = Some(self.unclosed(place(line), header)),
            }
            self.done = true;
        }
        if table.rows.is_empty() && lost.is_none() {
            return Ok(None);
        }
        let index = self.index;
        self.index += table.rows.len() as u64;
        Ok(Some(Chunk {
            body: Body::Table(table),
            index,
            lost: lost.map(Box::new),
        }))
    }

    fn too_large(&self, place: Place) -> Problem {
        let message = format!(
            "row larger than the limit of {} bytes; nothing after line {} was read",
            self.limits.record, place.line
        );
        Problem::new(Code::TooLarge, place, message).with_hint(format!(
            "a quote opened in line {} or soon after may never be closed: close it, or write two \
             quotes for one inside a cell",
            place.line
        ))
    }

    fn unclosed(&self, place: Place, header: &Header) -> Problem {
        let message = format!(
            "the quote opened in line {} is never closed, so the rest of the file is one cell",
            self.quote_line(place.line)
        );
        let problem = Problem::new(Code::UnclosedQuote, place, message)
            .with_hint("close the quote; a quote inside a cell is written as two");
        match header.name(self.record.len() - 1) {
            Some(column) => problem.in_column(column),
            None => problem,
        }
    }
}

/// The delimiter that a first line `sep=;` declares, as Excel writes it, and
/// that line's length.
fn declared_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\n', b'\r', text)?;
    let line = &text[..end];
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    let (name, delimiter) = line.split_last_chunk::<1>()?;
    let next = end
        + if text[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
    name.eq_ignore_ascii_case(b"sep=")
        .then_some((delimiter[0], next))
}

/// The delimiter that gives the header more than one cell and most of the first
/// rows as many as the header; a comma when none does.
fn detect_delimiter(sample: &str) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let mut widths = Vec::new();
        for record in reader(sample.as_bytes(), delimiter)
            .into_byte_records()
            .flatten()
        {
            if !is_blank(&record) {
                widths.push(record.len());
            }
            if widths.len() > SAMPLE_ROWS {
                break;
            }
        }
        // The last row may be cut off.
        if widths.len() > 2 {
            widths.pop();
        }
        let Some((&width, rows)) = widths.split_first().filter(|(width, _)| **width > 1) else {
            continue;
        };
        let alike = rows.iter().filter(|count| **count == width).count();
        // In thousandths, so that a delimiter that fits some rows weighs less.
        let share = (alike * 1000).checked_div(rows.len()).unwrap_or(1000);
        if (share, width) > best.1 {
            best = (delimiter, (share, width));
        }
    }
    best.0
}
