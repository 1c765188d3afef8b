//! Chunks to records: the part of reading that runs in a worker.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::model::{Cell, Code, FileId, Place, Problem, Record};

use super::chunk::{Body, Chunk, Table, TableCells};
use super::delimited::line_breaks;
use super::header::Header;
use super::item::{Item, Unread};
use super::json::{JsonError, Member, Objects};
use super::window::Position;

/// Makes records of chunks. One for each worker and file; every parser knows
/// only the columns of the JSON records that it has seen itself.
#[derive(Debug)]
pub struct Parser {
    file: FileId,
    encoding: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Table { header: Arc<Header>, delimiter: u8 },
    Json(Objects),
}

impl Parser {
    pub(super) fn of_table(
        file: FileId,
        encoding: &'static str,
        header: Arc<Header>,
        delimiter: u8,
    ) -> Self {
        let kind = Kind::Table { header, delimiter };
        Self {
            file,
            encoding,
            kind,
        }
    }

    pub(super) fn of_json(file: FileId, encoding: &'static str, columns: usize) -> Self {
        Self {
            file,
            encoding,
            kind: Kind::Json(Objects::new(columns)),
        }
    }

    /// Reads a chunk: calls `each` with its items in the order of the file.
    pub fn parse(&mut self, chunk: &Chunk, each: &mut dyn FnMut(Item<'_>)) {
        let (file, encoding) = (self.file, self.encoding);
        match (&mut self.kind, &chunk.body) {
            (Kind::Table { header, delimiter }, Body::Table(table)) => {
                let rows = TableParser {
                    header,
                    delimiter: *delimiter,
                    encoding,
                };
                rows.parse(file, chunk.index, table, each);
            }
            (
                Kind::Json(objects),
                Body::Json {
                    bytes,
                    rows,
                    position,
                },
            ) => {
                let mut line = position.line;
                let mut counted = 0;
                let mut members = Vec::new();
                for (index, row) in (chunk.index..).zip(rows) {
                    line += memchr::memchr_iter(b'\n', &bytes[counted..row.start]).count() as u64;
                    counted = row.start;
                    let place = Place { file, line, index };
                    let found = Found {
                        encoding,
                        bytes,
                        row,
                        start: *position,
                        place,
                    };
                    members.clear();
                    found.parse(objects, &mut members, each);
                }
            }
            // A reader's parser fits its chunks.
            _ => {}
        }
        if let Some(problem) = &chunk.lost {
            each(Item::Lost((**problem).clone()));
        }
    }
}

struct TableParser<'p> {
    header: &'p Header,
    delimiter: u8,
    encoding: &'static str,
}

impl TableParser<'_> {
    fn parse(&self, file: FileId, index: u64, table: &Table, each: &mut dyn FnMut(Item<'_>)) {
        let columns = &*self.header.columns;
        let (mut row, mut cells) = (Vec::new(), Vec::new());
        for (index, (table_row, table_cells)) in (index..).zip(table.rows()) {
            let line = table_row.line;
            let place = Place { file, line, index };
            row.clear();
            for (kind, bytes) in table_cells.clone() {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    break;
                };
                row.push(Cell { kind, text });
            }
            if row.len() < table_cells.len() {
                self.report_invalid_text(table_cells, row.len(), place, each);
                continue;
            }
            let (cells, fitted) = if self.header.fits(&row) {
                (&row, Ok(()))
            } else {
                let fitted = self.header.arrange(&row, &mut cells, place, self.delimiter);
                (&cells, fitted)
            };
            each(match fitted {
                Ok(()) => Item::Record(Record {
                    place,
                    columns,
                    cells,
                    json: None,
                }),
                Err(problem) => Item::Problem(*problem, self.unread(&row, cells)),
            });
        }
    }

    fn unread<'a>(&'a self, row: &[Cell<'a>], cells: &'a [Cell<'a>]) -> Unread<'a> {
        let text = self
            .header
            .saved_text(row)
            .map_or_else(|| Cow::Owned(row_text(row, self.delimiter)), Cow::Borrowed);
        Unread {
            text,
            as_is: false,
            row: Some((&self.header.columns, cells)),
        }
    }

    /// A row with bytes that are not text, for the first time at `position`.
    #[cold]
    fn report_invalid_text(
        &self,
        cells: TableCells<'_>,
        position: usize,
        place: Place,
        each: &mut dyn FnMut(Item<'_>),
    ) {
        let mut texts = Vec::new();
        let mut line = place.line;
        for (at, (kind, bytes)) in cells.enumerate() {
            let valid = match std::str::from_utf8(bytes) {
                Err(error) if at == position => error.valid_up_to(),
                _ => bytes.len(),
            };
            if at <= position {
                line += line_breaks(&bytes[..valid]);
            }
            texts.push((kind, lossy(bytes)));
        }
        let row: Vec<Cell<'_>> = texts
            .iter()
            .map(|(kind, text)| Cell { kind: *kind, text })
            .collect();
        let message = format!("line {line}: not valid {} text", self.encoding);
        let mut problem = invalid_text(self.encoding, place, message);
        problem = problem.with_value(row[position].text);
        if let Some(name) = self.header.name(position) {
            problem = problem.in_column(name);
        }
        let mut cells = Vec::new();
        // Whatever else is wrong with the row, this is reported first.
        let _ = self.header.arrange(&row, &mut cells, place, self.delimiter);
        each(Item::Problem(problem, self.unread(&row, &cells)));
    }
}

/// The text of a row, as it can be read again.
fn row_text(row: &[Cell<'_>], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    // Writing to memory can't fail, and cells of text make a row of text.
    let _ = writer.write_record(row.iter().map(|cell| cell.text));
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
}

/// Bytes as text, with `?` for what is not.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for piece in bytes.utf8_chunks() {
        text.push_str(piece.valid());
        text.extend(piece.invalid().iter().map(|_| '?'));
    }
    text
}

fn invalid_text(encoding: &str, place: Place, message: String) -> Problem {
    Problem::new(Code::InvalidText, place, message).with_hint(if encoding == "UTF-8" {
        "name the file's encoding, for example --encoding windows-1252, or save it as UTF-8"
    } else {
        "name the file's real encoding with --encoding, or save it as UTF-8"
    })
}

/// A JSON value of a chunk.
struct Found<'b> {
    encoding: &'static str,
    /// Of the chunk, which begins at `start`.
    bytes: &'b [u8],
    row: &'b Range<usize>,
    start: Position,
    place: Place,
}

impl<'b> Found<'b> {
    fn parse(
        &self,
        objects: &mut Objects,
        members: &mut Vec<Member<'b>>,
        each: &mut dyn FnMut(Item<'_>),
    ) {
        let bytes = &self.bytes[self.row.clone()];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let position = self.position(error.valid_up_to());
                let message = format!("{position}: not valid {} text", self.encoding);
                let unread = Unread {
                    text: lossy(bytes).into(),
                    // With its invalid bytes replaced it could pass.
                    as_is: false,
                    row: None,
                };
                let problem = invalid_text(self.encoding, self.place, message);
                return each(Item::Problem(problem, unread));
            }
        };
        match objects.read(text, members) {
            Ok(json) => {
                let columns = &objects.columns;
                let mut cells = Vec::with_capacity(columns.len());
                for Member { column, kind, text } in members.iter() {
                    if *column >= cells.len() {
                        cells.resize(*column + 1, Cell::default());
                    }
                    cells[*column] = Cell { kind: *kind, text };
                }
                each(Item::Record(Record {
                    place: self.place,
                    columns,
                    cells: &cells,
                    json: Some(&json),
                }));
            }
            Err(error) => {
                let position = self.position(error.at);
                let JsonError {
                    code,
                    message,
                    column,
                    ..
                } = *error;
                let message = format!("{position}: {message}");
                let mut problem = Problem::new(code, self.place, message);
                problem.column = column;
                let unread = Unread {
                    text: text.into(),
                    as_is: true,
                    row: None,
                };
                each(Item::Problem(problem, unread));
            }
        }
    }

    /// The place of a byte of the value, for a message.
    #[cold]
    fn position(&self, at: usize) -> String {
        let position = self.start.after(&self.bytes[..self.row.start + at]);
        format!("line {}, column {}", position.line, position.column)
    }
}
