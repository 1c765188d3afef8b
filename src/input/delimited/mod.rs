//! CSV and TSV: where rows end, what delimits their cells, and the cells.
//!
//! The rules are those of the `csv` crate: a quote opens only at the start of a
//! cell, two quotes inside are one, what follows a closing quote is plain text,
//! and LF, CR and CRLF each end a row. Rows with nothing in any cell are
//! skipped, as Excel leaves them behind a table.

mod cells;
mod detect;

use std::io;

use memchr::{memchr, memchr3};

use crate::model::{Code, FileId, Place, Problem};

use super::chunk::{Chunk, Row};
use super::feed::Feed;
use super::header::Header;
use super::{InputErrorKind, Limits};

pub(super) use cells::{fields, multi_line_quote, split};
pub(super) use detect::delimiter;

/// Finds the rows of a delimited text.
pub(super) struct Splitter {
    feed: Feed,
    pub(super) delimiter: u8,
    limits: Limits,
    file: FileId,
    index: u64,
    done: bool,
}

/// Where a row ends.
enum End {
    /// With the line end at `row`, behind which the next row begins at `next`.
    At { row: usize, next: usize },
    /// Behind what was read so far; a quote is open since `quote`.
    Beyond { quote: Option<usize> },
}

/// Finds the end of the row that begins at `start`.
fn row_end(bytes: &[u8], start: usize, delimiter: u8, ended: bool) -> End {
    let mut at = start;
    loop {
        let Some(found) = memchr3(b'"', b'\n', b'\r', &bytes[at..]) else {
            return if ended {
                End::At {
                    row: bytes.len(),
                    next: bytes.len(),
                }
            } else {
                End::Beyond { quote: None }
            };
        };
        let found = at + found;
        match bytes[found] {
            b'\n' => {
                return End::At {
                    row: found,
                    next: found + 1,
                };
            }
            b'\r' => match bytes.get(found + 1) {
                Some(b'\n') => {
                    return End::At {
                        row: found,
                        next: found + 2,
                    };
                }
                // The LF of a CRLF may be yet to come.
                None if !ended => return End::Beyond { quote: None },
                _ => {
                    return End::At {
                        row: found,
                        next: found + 1,
                    };
                }
            },
            // What stands in front of it is outside of quotes: `at` is.
            _ if found == start || bytes[found - 1] == delimiter => {
                match closing_quote(bytes, found) {
                    Some(close) if close + 1 < bytes.len() || ended => at = close + 1,
                    _ => return End::Beyond { quote: Some(found) },
                }
            }
            _ => at = found + 1,
        }
    }
}

/// The quote that closes the one at `open`.
pub(super) fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let quote = at + memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// Whether a row has nothing in any cell.
fn is_blank(row: &[u8], delimiter: u8) -> bool {
    let mut at = 0;
    while let Some(&byte) = row.get(at) {
        if byte == b'"' {
            let starts = at == 0 || row[at - 1] == delimiter;
            let closes = row.get(at + 1) == Some(&b'"');
            let ends = row.get(at + 2).is_none_or(|next| *next == delimiter);
            if !(starts && closes && ends) {
                return false;
            }
            at += 2;
        } else if byte == delimiter || byte == b' ' || byte == b'\t' {
            at += 1;
        } else {
            return false;
        }
    }
    true
}

impl Splitter {
    /// A splitter behind the header, with the header's cells and line.
    pub(super) fn open(
        mut feed: Feed,
        delimiter: Option<u8>,
        file: FileId,
        limits: &Limits,
        encoding: &'static str,
    ) -> Result<(Self, Vec<String>, u64), InputErrorKind> {
        // A block to detect in; the first line is enough when all is said.
        let window = if delimiter.is_none() { 64 << 10 } else { 64 };
        while !feed.ended() && feed.bytes().len() < window {
            feed.more().map_err(InputErrorKind::from_io)?;
        }
        let declared = detect::declared(feed.bytes());
        if let Some((_, length)) = declared {
            feed.skip(length);
        }
        let delimiter = delimiter
            .or(declared.map(|(delimiter, _)| delimiter))
            .unwrap_or_else(|| self::delimiter(feed.bytes(), feed.ended()));
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r' | b' ' | 0) {
            return Err(InputErrorKind::BadDelimiter(delimiter));
        }
        let mut splitter = Self {
            feed,
            delimiter,
            limits: limits.clone(),
            file,
            index: 0,
            done: false,
        };
        let (cells, line) = splitter.header(encoding)?;
        Ok((splitter, cells, line))
    }

    fn header(&mut self, encoding: &'static str) -> Result<(Vec<String>, u64), InputErrorKind> {
        let mut start = 0;
        loop {
            let bytes = self.feed.bytes();
            match row_end(bytes, start, self.delimiter, self.feed.ended()) {
                End::At { row, next } if is_blank(&bytes[start..row], self.delimiter) => {
                    if next == bytes.len() && self.feed.ended() {
                        return Err(InputErrorKind::Empty);
                    }
                    start = next;
                }
                End::At { row, next } => {
                    let line = self.feed.position_at(start).line;
                    if row - start > self.limits.record {
                        return Err(InputErrorKind::TooLarge {
                            line,
                            limit: self.limits.record,
                        });
                    }
                    let text = std::str::from_utf8(&bytes[start..row])
                        .map_err(|_| InputErrorKind::HeaderText { line, encoding })?;
                    let cells = cells::owned(text, self.delimiter);
                    self.feed.skip(next);
                    return Ok((cells, line));
                }
                End::Beyond { quote } => {
                    let line_of = |at: usize| self.feed.position_at(at).line;
                    if bytes.len() - start > self.limits.record {
                        return Err(InputErrorKind::TooLarge {
                            line: line_of(start),
                            limit: self.limits.record,
                        });
                    }
                    if self.feed.ended() {
                        let line = line_of(quote.unwrap_or(start));
                        return Err(InputErrorKind::HeaderQuote { line });
                    }
                    self.feed.more().map_err(InputErrorKind::from_io)?;
                }
            }
        }
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self, header: &Header) -> io::Result<Option<Chunk>> {
        let mut rows = Vec::new();
        let mut start = 0;
        let mut lost = None;
        while !self.done {
            let bytes = self.feed.bytes();
            let ended = self.feed.ended();
            if start == bytes.len() {
                // A chunk is full when what was read is cut up.
                self.done = ended;
                if ended || !rows.is_empty() {
                    break;
                }
                self.feed.skip(start);
                start = 0;
                self.feed.more()?;
                continue;
            }
            match row_end(bytes, start, self.delimiter, ended) {
                End::At { row, .. } if row - start > self.limits.record => {
                    lost = Some(self.too_large(start, rows.len()));
                }
                End::At { row, next } => {
                    if !is_blank(&bytes[start..row], self.delimiter) {
                        rows.push(Row::new(start, row));
                    }
                    start = next;
                }
                End::Beyond { .. } if bytes.len() - start > self.limits.record => {
                    lost = Some(self.too_large(start, rows.len()));
                }
                End::Beyond { quote } if ended => {
                    lost = Some(self.unclosed(start, quote.unwrap_or(start), header, rows.len()));
                }
                End::Beyond { .. } if rows.is_empty() => {
                    self.feed.skip(start);
                    start = 0;
                    self.feed.more()?;
                }
                End::Beyond { .. } => break,
            }
            self.done |= lost.is_some();
        }
        if rows.is_empty() && lost.is_none() {
            return Ok(None);
        }
        let (feed, index) = (&mut self.feed, &mut self.index);
        Ok(Some(Chunk::cut(feed, start, rows, index, lost)))
    }

    fn place(&self, start: usize, before: usize) -> Place {
        Place {
            file: self.file,
            line: self.feed.position_at(start).line,
            index: self.index + before as u64,
        }
    }

    /// The row at `start`, of which more was read than the limit.
    fn too_large(&self, start: usize, before: usize) -> Problem {
        let within = &self.feed.bytes()[..=start + self.limits.record];
        let quote = match row_end(within, start, self.delimiter, false) {
            End::Beyond { quote } => quote,
            End::At { .. } => None,
        };
        let place = self.place(start, before);
        let problem = Problem::new(
            Code::TooLarge,
            place,
            format!(
                "a row is larger than the {} bytes that are read; nothing behind line {} was read",
                self.limits.record, place.line
            ),
        );
        match quote {
            Some(quote) => problem.with_hint(format!(
                "the quote opened in line {} may never be closed: close it, or write two quotes for one inside a cell",
                self.feed.position_at(quote).line
            )),
            None => problem,
        }
    }

    fn unclosed(&self, start: usize, quote: usize, header: &Header, before: usize) -> Problem {
        let opened = self.feed.position_at(quote).line;
        let row = &self.feed.bytes()[start..];
        let column = fields(row, self.delimiter)
            .position(|field| field.end > quote - start)
            .and_then(|raw| header.name(raw));
        let problem = Problem::new(
            Code::UnclosedQuote,
            self.place(start, before),
            format!("the quote opened in line {opened} is never closed, so the rest of the file is one cell"),
        )
        .with_hint("close the quote; a quote inside a cell is written as two");
        match column {
            Some(column) => problem.in_column(column),
            None => problem,
        }
    }
}
