//! CSV and TSV, read by `csv-core`: a quote opens only at the start of a cell,
//! two quotes inside are one, and LF, CR and CRLF each end a row.
//!
//! What the crate does not do is done around it: delimiter and header are found,
//! rows without any content are skipped, as Excel leaves them after a table,
//! lines are counted by all three line ends, a row has a size limit, and a quote
//! that is never closed or stands in the wrong place is noticed.

use std::io::{self, Cursor, Read as _};
use std::sync::Arc;

use csv_core::ReadRecordResult;
use memchr::{memchr_iter, memchr2, memchr2_iter, memchr3, memrchr};

use crate::model::{Code, Place, Problem};

use super::bytes::Bytes;
use super::chunk::{Chunk, ChunkBody, Flaw, Table};
use super::header::{Header, SampleRow, check_row, header_below_title};
use super::parser::lossy;
use super::window::Window;
use super::{InputErrorKind, Limits, ReadOptions};

/// In the order of preference where two fit equally well.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to detect the delimiter.
const SAMPLE_ROWS: usize = 50;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads the rows of a delimited text.
pub(super) struct RowReader {
    window: Window,
    csv: csv_core::Reader,
    delimiter: u8,
    /// None until it was read.
    pub(super) header: Option<Arc<Header>>,
    limits: Limits,
    /// The row's text begins the window, and is so long.
    length: usize,
    /// What its cells say, where each of them ends there, and how many it has.
    /// Both grow as `csv-core` needs them.
    text: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    /// In which line it begins.
    line: u64,
    /// Its number in a spreadsheet, where a cell with line breaks is one row.
    row: u64,
    /// Whether CR is the last that was passed, which LF may follow.
    after_cr: bool,
    done: bool,
}

/// How many lines end in these bytes, with LF, CR or CRLF.
pub(super) fn line_breaks(text: &[u8]) -> u64 {
    let is_break = |at: &usize| text[*at] == b'\n' || text.get(at + 1) != Some(&b'\n');
    memchr2_iter(b'\n', b'\r', text).filter(is_break).count() as u64
}

impl RowReader {
    fn new(text: Bytes, delimiter: u8, limits: &Limits, line: u64) -> Self {
        Self {
            window: Window::new(text, limits.chunk),
            csv: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            header: None,
            limits: limits.clone(),
            length: 0,
            text: vec![0; 1 << 10],
            ends: vec![0; 1 << 6],
            cells: 0,
            line,
            row: 0,
            after_cr: false,
            done: false,
        }
    }

    fn of_sample(sample: &[u8], delimiter: u8) -> Self {
        let text = Box::new(Cursor::new(sample.to_vec()));
        Self::new(text, delimiter, &Limits::default(), 1)
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
        let mut rest = sample.trim_start_matches(BYTE_ORDER_MARK);
        let declared = declared_delimiter(rest.as_bytes());
        let mut line = 1;
        if let Some((_, length)) = declared {
            (line, rest) = (2, &rest[length..]);
        }
        let passed = (sample.len() - rest.len()) as u64;
        io::copy(&mut (&mut text).take(passed), &mut io::sink())?;
        let sample = rest;
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
        let row = found.then_some(rows.row);
        let sample = sample_rows(sample, delimiter, None);
        check_row(row, options.header_row, &sample)?;
        let line = rows.line;
        let text = |cell: &[u8]| String::from_utf8(cell.to_vec());
        let cells: Result<Vec<_>, _> = rows.cells().map(text).collect();
        let cells = cells.map_err(|_| InputErrorKind::HeaderText { line, encoding })?;
        if let Some(flaw) = rows.misplaced_quote(0) {
            let problem = flaw.problem.message;
            return Err(InputErrorKind::HeaderQuote { line, problem });
        }
        let place = rows.place();
        let (header, problems) = Header::new(&cells, place, &options.limits, Some(delimiter))?;
        rows.header = Some(Arc::new(header));
        Ok((rows, problems))
    }

    /// The row's cells.
    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends[..self.cells].iter().map(move |end| {
            let cell = &self.text[start..*end];
            start = *end;
            cell
        })
    }

    /// The row as it is in the file.
    fn raw(&self) -> &[u8] {
        &self.window.ahead()[..self.length]
    }

    /// Reads on to the next row that is not blank; false at the end. Among its
    /// errors are a row that is too large and a quote that is never closed.
    fn read_row(&mut self) -> Result<bool, InputErrorKind> {
        loop {
            self.pass(self.length);
            let is_complete = self.read_record()?;
            self.pass_line_breaks();
            self.row += 1;
            if !is_complete && self.length == 0 {
                return Ok(false);
            }
            let (line, limit) = (self.line, self.limits.record);
            if self.length > limit {
                return Err(InputErrorKind::TooLarge { line, limit });
            }
            if !is_complete {
                // The quote opens the cell after those that are complete.
                let line = line + self.cells().map(line_breaks).sum::<u64>();
                return Err(InputErrorKind::UnclosedQuote { line });
            }
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
            if !self.cells().all(|cell| cell.iter().all(is_space)) {
                return Ok(true);
            }
        }
    }

    /// Reads a record; false if the text ends before it does, or has no more.
    fn read_record(&mut self) -> Result<bool, InputErrorKind> {
        (self.length, self.cells) = (0, 0);
        let mut filled = 0;
        loop {
            if self.length == self.window.ahead().len() && !self.window.ended() {
                self.pass_line_breaks();
                if self.length > self.limits.record {
                    return Ok(true);
                }
                self.window.more()?;
            }
            let ahead = &self.window.ahead()[self.length..];
            let is_end = ahead.is_empty();
            let (result, read, written, ended) = self.csv.read_record(
                // A line break ends the last row, unless a quote is still open.
                if is_end { b"\n" } else { ahead },
                &mut self.text[filled..],
                &mut self.ends[self.cells..],
            );
            self.length += if is_end { 0 } else { read };
            filled += written;
            self.cells += ended;
            match result {
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                _ if is_end => return Ok(false),
                _ => {}
            }
        }
    }

    /// Passes the line breaks before the row, each of which is a row too.
    fn pass_line_breaks(&mut self) {
        let is_break = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
        let breaks = self.raw().iter().take_while(is_break).count();
        self.length -= breaks;
        self.row += self.pass(breaks);
    }

    /// Passes the first bytes; how many lines end in them.
    fn pass(&mut self, length: usize) -> u64 {
        let text = &self.window.ahead()[..length];
        // LF after CR was counted with it.
        let counted = self.after_cr && text.first() == Some(&b'\n');
        let lines = line_breaks(text) - u64::from(counted);
        self.after_cr = text.last().map_or(self.after_cr, |last| *last == b'\r');
        self.line += lines;
        self.window.skip(length);
        lines
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let mut table = Table::default();
        let mut lost = None;
        while !self.done && (table.rows.is_empty() || table.size() < self.limits.chunk) {
            match self.read_row() {
                Ok(true) => {
                    table.flaws.extend(self.misplaced_quote(table.rows.len()));
                    let ends = &self.ends[..self.cells];
                    table.push_record(&self.text, ends, self.line, self.row);
                }
                Ok(false) => self.done = true,
                Err(error) => {
                    lost = Some(self.lost(error)?);
                    self.done = true;
                }
            }
        }
        Ok(Chunk::new(ChunkBody::Table(table), lost))
    }

    /// The first of the row's cells whose quotes `csv-core` takes otherwise than
    /// whoever wrote them.
    fn misplaced_quote(&self, number: usize) -> Option<Flaw> {
        let row = self.raw();
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
        let mut before = Self::of_sample(&row[..start], self.delimiter);
        let _ = before.read_record();
        let row = row.trim_ascii_end();
        // After the closing quote, as `csv-core` reads on.
        let after = closed.unwrap_or(start);
        let length = memchr3(self.delimiter, b'\r', b'\n', &row[after..]);
        let end = length.map_or(row.len(), |length| after + length);
        Some(Flaw {
            row: number,
            cell: before.cells.saturating_sub(1),
            problem: Problem::new(Code::MisplacedQuote, Place::default(), message).with_hint(hint),
            raw: Some((lossy(&row[start..end]), lossy(row))),
        })
    }

    fn place(&self) -> Place {
        Place {
            line: self.line,
            row: Some(self.row),
            ..Place::default()
        }
    }

    /// The problem that hides the rest of the file, unless it is an error of the
    /// whole file.
    fn lost(&self, error: InputErrorKind) -> Result<Problem, InputErrorKind> {
        let place = self.place();
        match error {
            InputErrorKind::TooLarge { line, limit } => {
                let message = format!(
                    "row larger than the limit of {limit} bytes; nothing after line {line} was read"
                );
                Ok(Problem::new(Code::TooLarge, place, message).with_hint(format!(
                    "a quote opened in line {line} or soon after may never be closed: close it, \
                     or write two quotes for one inside a cell"
                )))
            }
            InputErrorKind::UnclosedQuote { line } => {
                let message = format!(
                    "the quote opened in line {line} is never closed, so the rest of the file is \
                     one cell"
                );
                let mut problem = Problem::new(Code::UnclosedQuote, place, message)
                    .with_hint("close the quote; a quote inside a cell is written as two");
                let column = self.header.as_ref();
                let column = column.and_then(|header| header.name(self.cells));
                problem.column = column.map(Box::from);
                Ok(problem)
            }
            other => Err(other),
        }
    }
}

/// The delimiter that a first line `sep=;` declares, as Excel writes it, and
/// that line's length.
fn declared_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr2(b'\n', b'\r', text)?;
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
                if before.is_empty() || before == BYTE_ORDER_MARK.as_bytes() {
                    return Some((start, None));
                }
            }
        }
    }
    None
}

/// The first rows of a text, from a row on.
fn sample_rows(sample: &str, delimiter: u8, first: Option<u64>) -> Vec<SampleRow> {
    let mut rows = RowReader::of_sample(sample.as_bytes(), delimiter);
    let mut found: Vec<SampleRow> = Vec::new();
    while found.len() <= SAMPLE_ROWS && rows.read_row().is_ok_and(|is_row| is_row) {
        if first.is_none_or(|first| rows.row >= first) {
            found.push((rows.row, rows.cells().map(lossy).collect()));
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
