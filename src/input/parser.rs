//! Chunks to records: the part of reading that runs in a worker.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::model::reserved::TEXT;
use crate::model::{Cell, CellKind, Code, FileId, Place, Problem, Record};

use super::chunk::{Chunk, ChunkBody, Flaw, Table, TableRow, Values};
use super::delimited::line_breaks;
use super::header::Header;
use super::json::{Member, Objects};

/// What a parser finds, in the order of the file.
#[derive(Debug)]
pub enum Item<'a> {
    Record(Record<'a>),
    /// A record that can't be read, and what there is of it, so that a person can
    /// fix it: as the text of a JSON object, like the raw text of any record. Has
    /// the cells by column, and the whole row in `caseload_text`; while that is
    /// filled, the record can't be imported. JSON that can't pass for a record
    /// stays unchanged. It counts as one.
    Problem(Problem, String),
    /// A record that can't be read and hides the rest of the file, which is
    /// unknown: skipping this record would skip more. It counts as one, and is
    /// the last item of its file.
    Lost(Problem),
}

type Each<'e> = &'e mut dyn FnMut(Item<'_>);

/// Makes records of chunks. One for each worker and file; every parser knows
/// only the columns of the JSON records that it has seen itself.
#[derive(Debug)]
pub struct Parser {
    pub(crate) file: FileId,
    pub(super) encoding: &'static str,
    /// Of a table; JSON has none.
    pub(super) header: Option<Arc<Header>>,
    pub(super) objects: Objects,
}

impl Parser {
    /// Reads a chunk: calls `each` with its items in the order of the file.
    pub fn parse(&mut self, chunk: &Chunk, each: &mut dyn FnMut(Item<'_>)) {
        match (&chunk.body, &self.header) {
            (ChunkBody::Table(table), Some(header)) => {
                self.parse_table(header, table, chunk.index, each);
            }
            (ChunkBody::Json(values), _) => self.parse_values(values, chunk.index, each),
            // A reader's parser fits its chunks.
            (ChunkBody::Table(_), None) => {}
        }
        if let Some(problem) = &chunk.lost {
            each(Item::Lost(problem.clone()));
        }
    }

    fn parse_table(&self, header: &Header, table: &Table, index: u64, each: Each<'_>) {
        let mut row = Vec::new();
        let mut flaws = table.flaws.iter().peekable();
        for (number, table_row) in table.rows().enumerate() {
            let index = index + number as u64;
            let place = Place {
                file: self.file,
                line: table_row.line,
                row: Some(table_row.row),
                index,
            };
            let flaw = flaws.next_if(|flaw| flaw.row == number);
            if !table_row.read_text(&mut row) {
                let flaw = self.invalid_cell(&table_row, number, place);
                report_row(header, &table_row, &flaw, place, each);
                continue;
            }
            if let Some(flaw) = flaw {
                report_row(header, &table_row, flaw, place, each);
                continue;
            }
            if let Some(problem) = header.repeated(&row, place) {
                each(Item::Problem(problem, raw_row(header, &row, &[], None)));
                continue;
            }
            let unescaped;
            let mut arranged = Vec::new();
            let mut cells = &row;
            if !header.fits(&row) {
                unescaped = header.unescaped(&row);
                header.arrange(&row, &unescaped, &mut arranged);
                if let Some(problem) = header.problem(&row, place) {
                    let raw = raw_row(header, &row, &arranged, None);
                    each(Item::Problem(problem, raw));
                    continue;
                }
                cells = &arranged;
            }
            each(Item::Record(Record {
                place,
                columns: &header.columns,
                cells,
                json: None,
            }));
        }
    }

    /// What is wrong with a row of which a cell is not text.
    #[cold]
    fn invalid_cell(&self, row: &TableRow<'_>, number: usize, place: Place) -> Flaw {
        let mut line = place.line;
        let is_invalid = |(_, bytes): (_, &[u8])| {
            let text = std::str::from_utf8(bytes);
            let valid = text.map_or_else(|error| error.valid_up_to(), str::len);
            line += line_breaks(&bytes[..valid]);
            text.is_err()
        };
        Flaw {
            row: number,
            cell: row.cells().position(is_invalid).unwrap_or_default(),
            problem: self.invalid_text(place, format_args!("line {line}")),
            raw: None,
        }
    }

    fn invalid_text(&self, place: Place, position: impl fmt::Display) -> Problem {
        let message = format!("{position}: not valid {} text", self.encoding);
        Problem::new(Code::InvalidText, place, message).with_hint(if self.encoding == "UTF-8" {
            "name the file's encoding, for example --encoding windows-1252, or save it as UTF-8"
        } else {
            "name the file's real encoding with --encoding, or save it as UTF-8"
        })
    }

    fn parse_values(&mut self, values: &Values, index: u64, each: Each<'_>) {
        let mut line = values.start.line;
        let mut counted = 0;
        let mut members = Vec::new();
        for (index, row) in (index..).zip(&values.rows) {
            let before = &values.bytes[counted..row.start];
            line += memchr::memchr_iter(b'\n', before).count() as u64;
            counted = row.start;
            let place = Place {
                file: self.file,
                line,
                row: None,
                index,
            };
            members.clear();
            self.parse_value(values, row, place, &mut members, each);
        }
    }

    fn parse_value<'v>(
        &mut self,
        values: &'v Values,
        row: &Range<usize>,
        place: Place,
        members: &mut Vec<Member<'v>>,
        each: Each<'_>,
    ) {
        let position = |at: usize| values.start.after(&values.bytes[..row.start + at]);
        let bytes = &values.bytes[row.clone()];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let problem = self.invalid_text(place, position(error.valid_up_to()));
                // With its invalid bytes replaced it could pass for a record.
                let raw = raw_record([], &lossy(bytes));
                return each(Item::Problem(problem, raw));
            }
        };
        match self.objects.read(text, members) {
            Ok(json) => {
                let columns = &self.objects.columns;
                let mut cells = Vec::with_capacity(columns.len());
                for Member { column, kind, text } in members.iter() {
                    if *column >= cells.len() {
                        cells.resize(*column + 1, Cell::default());
                    }
                    cells[*column] = Cell { kind: *kind, text };
                }
                each(Item::Record(Record {
                    place,
                    columns,
                    cells: &cells,
                    json: Some(&json),
                }));
            }
            Err(error) => {
                let message = format!("{}: {}", position(error.at), error.message);
                let mut problem = Problem::new(error.code, place, message);
                problem.column = error.column;
                each(Item::Problem(problem, text.to_owned()));
            }
        }
    }
}

/// Reports a row that can't be read because of one of its cells.
#[cold]
fn report_row(header: &Header, row: &TableRow<'_>, flaw: &Flaw, place: Place, each: Each<'_>) {
    let cells = row.cells().map(|(kind, bytes)| (kind, lossy(bytes)));
    let mut texts: Vec<_> = cells.collect();
    if let (Some((cell, _)), Some((_, text))) = (&flaw.raw, texts.get_mut(flaw.cell)) {
        text.clone_from(cell);
    }
    let cells = texts.iter().map(|(kind, text)| Cell { kind: *kind, text });
    let row: Vec<Cell<'_>> = cells.collect();
    let mut problem = flaw.problem.clone();
    problem.place = place;
    problem.value = row.get(flaw.cell).map(|cell| cell.text.into());
    problem.column = header.name(flaw.cell).map(Box::from);
    let unescaped = header.unescaped(&row);
    let mut cells = Vec::new();
    header.arrange(&row, &unescaped, &mut cells);
    let text = flaw.raw.as_ref().map(|(_, row)| row.as_str());
    each(Item::Problem(problem, raw_row(header, &row, &cells, text)));
}

/// A row as a JSON object, with the cells of its columns. `text` is the row's
/// text, where its cells do not tell it.
fn raw_row(header: &Header, row: &[Cell<'_>], arranged: &[Cell<'_>], text: Option<&str>) -> String {
    let text = match header.saved_text(row).or(text) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(row_text(row, header.delimiter)),
    };
    let cells = header.columns.names().zip(arranged);
    let cells = cells.filter(|(_, cell)| cell.kind != CellKind::Absent);
    raw_record(cells.map(|(name, cell)| (name, cell.text)), &text)
}

fn raw_record<'a>(cells: impl IntoIterator<Item = (&'a str, &'a str)>, text: &'a str) -> String {
    let members = cells.into_iter().chain([(TEXT, text)]);
    let members: serde_json::Map<_, _> = members
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect();
    serde_json::Value::Object(members).to_string()
}

/// The text of a row, in a form that can be read back.
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
pub(super) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for piece in bytes.utf8_chunks() {
        text.push_str(piece.valid());
        text.extend(piece.invalid().iter().map(|_| '?'));
    }
    text
}
