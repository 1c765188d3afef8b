//! CSV and TSV, read by the `csv` crate: a quote opens only at the start of a
//! cell, two quotes inside are one, and LF, CR and CRLF each end a row.
//!
//! What the crate does not do is done around it: delimiter and header are found,
//! rows without any content are skipped, as Excel leaves them after a table,
//! lines are counted by all three line ends, a row has a size limit, and a quote
//! that is never closed or stands in the wrong place is noticed.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use memchr::{memchr_iter, memchr2_iter, memchr3, memrchr};

use crate::model::{Code, Place, Problem};

use super::bytes::Bytes;
use super::chunk::{Chunk, ChunkBody, Flaw, Table};
use super::header::{Header, SampleRow, header_below_title, refuse_title};
use super::parser::lossy;
use super::{InputErrorKind, Limits, ReadOptions};

/// In the order of preference where two fit equally well.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to detect the delimiter.
const SAMPLE_ROWS: usize = 50;
/// How much the `csv` crate reads at once.
const READ_AHEAD: usize = 64 << 10;
/// Follows the file's last byte. Neither text nor a delimiter, so that it comes
/// out as the only cell of the last row, unless a quote is still open.
const END: &[u8] = b"\n\xFF\xFE\xFD\xFC\xFB\xFA";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the rows of a delimited text.
pub(super) struct RowReader {
    csv: csv::Reader<Source>,
    record: csv::ByteRecord,
    delimiter: u8,
    /// None until it was read.
    pub(super) header: Option<Arc<Header>>,
    limits: Limits,
    /// Where the record begins in the text, and in which line.
    row_start: u64,
    row_line: u64,
    /// Its number in a spreadsheet, where a cell with line breaks is one row.
    row: u64,
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
    /// Where the last quote ends that was read.
    quotes_end: u64,
    ended: bool,
}

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
            let (line, limit) = (0, self.limit);
            return Err(InputErrorKind::TooLarge { line, limit }.into());
        }
        let count = self.text.read(buffer)?;
        if let Some(at) = memrchr(b'"', &buffer[..count]) {
            self.quotes_end = self.offset + (self.kept.len() + at + 1) as u64;
        }
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
    let is_break = |at: &usize| text[*at] == b'\n' || text.get(at + 1) != Some(&b'\n');
    memchr2_iter(b'\n', b'\r', text).filter(is_break).count() as u64
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
    fn new(text: Bytes, delimiter: u8, limits: &Limits, line: u64) -> Self {
        let source = Source {
            text,
            kept: Vec::new(),
            offset: 0,
            limit: limits.record,
            quotes_end: 0,
            ended: false,
        };
        Self {
            csv: reader(source, delimiter),
            record: csv::ByteRecord::new(),
            delimiter,
            header: None,
            limits: limits.clone(),
            row_start: 0,
            row_line: line,
            row: 0,
            lines: LineCounter {
                line,
                after_cr: false,
            },
            done: false,
        }
    }

    /// A reader of the rows after the header, and what is wrong with the
    /// header. `sample` is the text's beginning, or all of it.
    pub(super) fn open(
        mut text: Bytes,
        sample: &str,
        delimiter: Option<u8>,
        options: &ReadOptions,
        encoding: &'static str,
    ) -> Result<(Self, Vec<Problem>), InputErrorKind> {
        let declared = declared_delimiter(sample.as_bytes());
        let (mut line, mut sample) = (1, sample);
        if let Some((_, length)) = declared {
            io::copy(&mut (&mut text).take(length as u64), &mut io::sink())?;
            (line, sample) = (2, &sample[length..]);
        }
        let delimiter = delimiter
            .or(declared.map(|(delimiter, _)| delimiter))
            .unwrap_or_else(|| detect_delimiter(sample, options.header_row));
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r' | b' ' | 0) {
            return Err(InputErrorKind::BadDelimiter(delimiter));
        }
        let mut rows = Self::new(text, delimiter, &options.limits, line);
        let mut found = rows.read_row()?;
        while found && options.header_row.is_some_and(|row| rows.row < row) {
            found = rows.read_row()?;
        }
        match options.header_row {
            Some(row) if !found || rows.row != row => return Err(InputErrorKind::NoSuchRow(row)),
            None if !found => return Err(InputErrorKind::Empty),
            None => refuse_title(&sample_rows(sample, delimiter, None))?,
            Some(_) => {}
        }
        let line = rows.row_line;
        let text = |cell: &[u8]| String::from_utf8(cell.to_vec());
        let cells: Result<Vec<_>, _> = rows.record.iter().map(text).collect();
        let cells = cells.map_err(|_| InputErrorKind::HeaderText { line, encoding })?;
        if let Some(flaw) = rows.misplaced_quote(0) {
            let problem = flaw.message;
            return Err(InputErrorKind::HeaderQuote { line, problem });
        }
        let place = (line, rows.row);
        let (header, problems) = Header::new(&cells, place, &options.limits, Some(delimiter))?;
        rows.header = Some(Arc::new(header));
        Ok((rows, problems))
    }

    /// Reads on to the next row that is not blank; false at the end. Among its
    /// errors are a row that is too large and a quote that is never closed.
    fn read_row(&mut self) -> Result<bool, InputErrorKind> {
        let limit = self.limits.record;
        loop {
            let start = self.csv.position().byte();
            let source = self.csv.get_mut();
            source.limit = limit + source.pass(start);
            let read = self.csv.read_byte_record(&mut self.record);
            let read = read.map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => InputErrorKind::from(error),
                kind => InputErrorKind::Io(io::Error::other(format!("{kind:?}"))),
            });
            let end = match read {
                Ok(false) => return Ok(false),
                Ok(true) => self.csv.position().byte(),
                Err(InputErrorKind::TooLarge { .. }) => u64::MAX,
                Err(error) => return Err(error),
            };
            let size = self.pass_row(start, end);
            let line = self.row_line;
            if end == u64::MAX || size > limit {
                return Err(InputErrorKind::TooLarge { line, limit });
            }
            let last = self.record.iter().next_back().unwrap_or_default();
            if last.ends_with(&END[1..]) && self.csv.get_ref().ended {
                if self.record.len() == 1 && last.len() == END.len() - 1 {
                    return Ok(false);
                }
                // The quote opens the last cell.
                let before = self.record.iter().take(self.record.len() - 1);
                let line = line + before.map(line_breaks).sum::<u64>();
                return Err(InputErrorKind::UnclosedQuote { line });
            }
            if !is_blank(&self.record) {
                return Ok(true);
            }
        }
    }

    /// Passes the text of a row, with blank lines before it; its size.
    fn pass_row(&mut self, start: u64, end: u64) -> usize {
        let source = self.csv.get_ref();
        let row = &source.kept[source.position(start)..source.position(end)];
        let is_break = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
        let before = self.lines.line;
        let (blank, row) = row.split_at(row.iter().take_while(is_break).count());
        self.lines.pass(blank);
        self.row_line = self.lines.line;
        self.row += self.row_line - before + 1;
        self.row_start = start + blank.len() as u64;
        self.lines.pass(row);
        row.len()
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let mut table = Table::default();
        let mut lost = None;
        while !self.done && (table.rows.is_empty() || table.size() < self.limits.chunk) {
            match self.read_row() {
                Ok(true) => {
                    table.flaws.extend(self.misplaced_quote(table.rows.len()));
                    table.push_record(&self.record, self.row_line, self.row);
                }
                Ok(false) => self.done = true,
                Err(InputErrorKind::TooLarge { .. }) => lost = Some(self.too_large()),
                Err(InputErrorKind::UnclosedQuote { line }) => {
                    lost = Some(self.unclosed(line));
                }
                Err(error) => return Err(error),
            }
            self.done |= lost.is_some();
        }
        if table.rows.is_empty() && lost.is_none() {
            return Ok(None);
        }
        Ok(Some(Chunk::new(ChunkBody::Table(table), lost)))
    }

    /// The first of the row's cells whose quotes the `csv` crate takes otherwise
    /// than whoever wrote them.
    fn misplaced_quote(&self, number: usize) -> Option<Flaw> {
        let source = self.csv.get_ref();
        // Most files have none.
        if source.quotes_end <= self.row_start {
            return None;
        }
        let end = source.position(self.csv.position().byte());
        let mut row = &source.kept[source.position(self.row_start)..end];
        if self.row_start == 0 {
            // The `csv` crate passes a second byte order mark of a file.
            row = row.strip_prefix(BYTE_ORDER_MARK).unwrap_or(row);
        }
        let (start, closed) = find_misplaced_quote(row, self.delimiter)?;
        let (message, hint) = if closed.is_some() {
            (
                "text after a closing quote",
                "write a quote inside a quoted cell as two, as in \"Ann \"\"Bud\"\" Lee\"; \\\" does not escape one",
            )
        } else {
            (
                "white space before an opening quote, which makes the quotes part of the value",
                "remove the space before the quote, or quote the whole cell and write each quote in it as two",
            )
        };
        let before = reader(&row[..start], self.delimiter)
            .into_byte_records()
            .next();
        let before = before.and_then(Result::ok).unwrap_or_default();
        let row = row.trim_ascii_end();
        // After the closing quote, as the `csv` crate reads on.
        let after = closed.unwrap_or(start);
        let length = memchr3(self.delimiter, b'\r', b'\n', &row[after..]);
        let end = length.map_or(row.len(), |length| after + length);
        Some(Flaw {
            row: number,
            cell: before.len().saturating_sub(1),
            code: Code::MisplacedQuote,
            message: message.to_owned(),
            hint,
            raw: Some((lossy(&row[start..end]), lossy(row))),
        })
    }

    fn place(&self) -> Place {
        Place {
            line: self.row_line,
            row: Some(self.row),
            ..Place::default()
        }
    }

    fn too_large(&self) -> Problem {
        let (line, limit) = (self.row_line, self.limits.record);
        let message = format!(
            "row larger than the limit of {limit} bytes; nothing after line {line} was read"
        );
        Problem::new(Code::TooLarge, self.place(), message).with_hint(format!(
            "a quote opened in line {line} or soon after may never be closed: close it, or write \
             two quotes for one inside a cell"
        ))
    }

    fn unclosed(&self, line: u64) -> Problem {
        let message = format!(
            "the quote opened in line {line} is never closed, so the rest of the file is one cell"
        );
        let mut problem = Problem::new(Code::UnclosedQuote, self.place(), message)
            .with_hint("close the quote; a quote inside a cell is written as two");
        let column = self.header.as_ref();
        let column = column.and_then(|header| header.name(self.record.len() - 1));
        problem.column = column.map(Box::from);
        problem
    }
}

/// The delimiter that a first line `sep=;` declares, as Excel writes it, and
/// that line's length.
fn declared_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\n', b'\r', text)?;
    let line = &text[..end];
    let quoted = line.strip_prefix(b"\"");
    let line = quoted
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    let (name, [delimiter]) = line.split_last_chunk()?;
    let line_end = 1 + usize::from(text[end..].starts_with(b"\r\n"));
    let is_declared = name.eq_ignore_ascii_case(b"sep=");
    is_declared.then_some((*delimiter, end + line_end))
}

/// Where the first cell begins whose quotes are misplaced, and where it closed,
/// if text follows its closing quote; else white space, or a byte order mark,
/// precedes its opening one.
fn find_misplaced_quote(row: &[u8], delimiter: u8) -> Option<(usize, Option<usize>)> {
    let mut quotes = memchr_iter(b'"', row);
    let mut open = None;
    while let Some(at) = quotes.next() {
        let is_end = |byte: &u8| *byte == delimiter || matches!(byte, b'\r' | b'\n');
        match (open, row.get(at + 1)) {
            (Some(_), Some(b'"')) => {
                quotes.next();
            }
            (Some(start), Some(byte)) if !is_end(byte) => return Some((start, Some(at + 1))),
            (Some(_), _) => open = None,
            (None, _) if at == 0 || row[at - 1] == delimiter => open = Some(at),
            (None, _) => {
                let start = memrchr(delimiter, &row[..at]).map_or(0, |before| before + 1);
                let before = row[start..at].trim_ascii();
                if before.is_empty() || before == BYTE_ORDER_MARK {
                    return Some((start, None));
                }
            }
        }
    }
    None
}

/// The first rows of a text, from a row on.
fn sample_rows(sample: &str, delimiter: u8, first: Option<u64>) -> Vec<SampleRow> {
    let text = Box::new(Cursor::new(sample.as_bytes().to_vec()));
    let mut rows = RowReader::new(text, delimiter, &Limits::default(), 1);
    let mut found: Vec<SampleRow> = Vec::new();
    while found.len() <= SAMPLE_ROWS && rows.read_row().is_ok_and(|is_row| is_row) {
        if first.is_none_or(|first| rows.row >= first) {
            found.push((rows.row, rows.record.iter().map(lossy).collect()));
        }
    }
    // The last may be cut off.
    if found.len() > 2 {
        found.pop();
    }
    found
}

/// The delimiter that gives the header more than one cell and most of the first
/// rows as many as the header; a comma when none does.
fn detect_delimiter(sample: &str, header_row: Option<u64>) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let rows = sample_rows(sample, delimiter, header_row);
        let widths: Vec<usize> = rows.iter().map(|(_, cells)| cells.len()).collect();
        let score = match widths.split_first() {
            Some((&width, rows)) if width > 1 => {
                let alike = rows.iter().filter(|count| **count == width).count();
                // In thousandths, so that a delimiter that fits some rows weighs less.
                let share = (alike * 1000).checked_div(rows.len()).unwrap_or(1000);
                (share, width)
            }
            // The header may be below a title.
            _ => (
                0,
                header_below_title(&rows).map_or(0, |(_, cells)| cells.len()),
            ),
        };
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}
