//! Chunks to records: the part of reading that runs in a worker.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::model::{Cell, CellKind, Code, FileId, Place, Problem, Record};

use super::chunk::{Body, Chunk, Row, SheetCell, SheetRow};
use super::delimited;
use super::feed::{Position, line_breaks};
use super::grid::{Misfit, place_cells, ragged};
use super::header::Header;
use super::json::{Objects, Trouble};
use super::span::Span;

/// What a parser finds, in the order of the file.
#[derive(Debug)]
pub enum Item<'a> {
    /// A record.
    Record(Record<'a>),
    /// A record that can't be read; it counts as one.
    Problem(Problem),
    /// A record that can't be read, and so nothing behind it: the rest of the
    /// file is unknown, and leaving this record out would leave out more. It
    /// counts as one, and is the last item of its file.
    Lost(Problem),
}

/// Makes records of chunks. One for each worker and file; every parser knows
/// the columns of the JSON records that it has seen itself.
#[derive(Debug)]
pub struct Parser {
    file: FileId,
    encoding: &'static str,
    kind: Kind,
    scratch: Scratch,
}

#[derive(Debug)]
enum Kind {
    Grid { header: Arc<Header>, delimiter: u8 },
    Json(Objects),
}

/// Reused from chunk to chunk.
#[derive(Debug, Default)]
struct Scratch {
    /// Texts that had to be put together.
    own: String,
    /// Cells by column position, record after record.
    cells: Vec<Span>,
    /// Cells with their columns, record after record.
    members: Vec<(u32, Span)>,
    /// A row's cells as they were read.
    raw: Vec<Span>,
    entries: Vec<Entry>,
}

/// A record of the chunk under way.
#[derive(Debug)]
struct Entry {
    place: Place,
    /// Which cells or members it has.
    what: Result<Range<usize>, Box<Problem>>,
    json: Option<Span>,
}

impl Parser {
    pub(super) fn of_grid(
        file: FileId,
        encoding: &'static str,
        header: Arc<Header>,
        delimiter: u8,
    ) -> Self {
        let kind = Kind::Grid { header, delimiter };
        Self {
            file,
            encoding,
            kind,
            scratch: Scratch::default(),
        }
    }

    pub(super) fn of_json(file: FileId, encoding: &'static str, columns: usize) -> Self {
        Self {
            file,
            encoding,
            kind: Kind::Json(Objects::new(columns)),
            scratch: Scratch::default(),
        }
    }

    /// Reads a chunk; `sink` gets its items in the file's order.
    pub fn parse(&mut self, chunk: &Chunk, sink: &mut dyn FnMut(Item<'_>)) {
        // Two passes: what the parser puts together itself must stand still
        // before cells can borrow from it.
        self.scratch.own.clear();
        self.scratch.cells.clear();
        self.scratch.members.clear();
        self.scratch.entries.clear();
        let text = match &chunk.body {
            Body::Text {
                bytes,
                rows,
                position,
            } => {
                let (text, invalid) = checked(bytes);
                self.read_text(chunk.index, &text, bytes, rows, *position, &invalid);
                text
            }
            Body::Sheet { text, cells, rows } => {
                self.read_sheet(chunk.index, text, cells, rows);
                Cow::Borrowed(text.as_str())
            }
        };
        self.tell(&text, sink);
        if let Some(problem) = &chunk.lost {
            sink(Item::Lost((**problem).clone()));
        }
    }

    fn tell(&mut self, text: &str, sink: &mut dyn FnMut(Item<'_>)) {
        let Scratch {
            own,
            cells,
            members,
            entries,
            ..
        } = &mut self.scratch;
        let own = own.as_str();
        let columns = match &self.kind {
            Kind::Grid { header, .. } => &*header.columns,
            Kind::Json(objects) => &objects.columns,
        };
        let mut row: Vec<Cell<'_>> = Vec::with_capacity(columns.len());
        for entry in entries.drain(..) {
            let range = match entry.what {
                Ok(range) => range,
                Err(problem) => {
                    sink(Item::Problem(*problem));
                    continue;
                }
            };
            row.clear();
            if entry.json.is_none() {
                row.extend(cells[range].iter().map(|span| span.cell(text, own)));
            } else {
                for (column, span) in &members[range] {
                    let column = *column as usize;
                    let cell = span.cell(text, own);
                    if column == row.len() {
                        row.push(cell);
                        continue;
                    }
                    if column > row.len() {
                        row.resize(column + 1, Cell::default());
                    }
                    row[column] = cell;
                }
            }
            sink(Item::Record(Record {
                place: entry.place,
                columns,
                cells: &row,
                json: entry.json.map(|span| span.text(text, own)),
            }));
        }
    }

    fn read_text(
        &mut self,
        index: u64,
        text: &str,
        bytes: &[u8],
        rows: &[Row],
        start: Position,
        invalid: &[usize],
    ) {
        let mut line = start.line;
        let mut counted = 0;
        let has_cr = memchr::memchr(b'\r', bytes).is_some();
        for (number, row) in rows.iter().enumerate() {
            let range = row.range();
            // Neither a row nor its end begins between the bytes of a CRLF.
            line += line_breaks(&bytes[counted..range.start], has_cr);
            counted = range.start;
            let place = Place {
                file: self.file,
                line,
                index: index + number as u64,
            };
            let first_invalid = invalid.partition_point(|at| *at < range.start);
            let entry = if let Some(at) = invalid.get(first_invalid).filter(|at| **at < range.end) {
                let position = start.after(&bytes[..*at]);
                Entry {
                    place,
                    what: Err(Box::new(
                        self.invalid_text(bytes, range, *at, place, position),
                    )),
                    json: None,
                }
            } else {
                let (entry, lines_inside) = self.read_row(text, range.clone(), place, start);
                if !lines_inside {
                    counted = range.end;
                }
                entry
            };
            self.scratch.entries.push(entry);
        }
    }

    /// Reads one record; also whether there may be line breaks in it.
    fn read_row(
        &mut self,
        text: &str,
        range: Range<usize>,
        place: Place,
        chunk_start: Position,
    ) -> (Entry, bool) {
        let Scratch {
            own,
            cells,
            members,
            raw,
            ..
        } = &mut self.scratch;
        match &mut self.kind {
            Kind::Grid { header, delimiter } => {
                let before = cells.len();
                let quoted = delimited::split(text, range.clone(), *delimiter, own, cells);
                let what = if header.plain && cells.len() - before == header.slots.len() {
                    Ok(before..cells.len())
                } else {
                    raw.clear();
                    raw.extend(cells.drain(before..));
                    place_cells(header, raw, text, own, cells, place).map_err(|trouble| {
                        Box::new(match trouble {
                            Misfit::Ragged(found) => {
                                ragged(header, found, &text.as_bytes()[range], *delimiter, place)
                            }
                            Misfit::Problem(problem) => *problem,
                        })
                    })
                };
                let entry = Entry {
                    place,
                    what,
                    json: None,
                };
                (entry, quoted)
            }
            Kind::Json(objects) => {
                let before = members.len();
                let entry = match objects.read(text, range, own, members) {
                    Ok(json) => Entry {
                        place,
                        what: Ok(before..members.len()),
                        json: Some(json),
                    },
                    Err(trouble) => {
                        members.truncate(before);
                        let position = chunk_start.after(&text.as_bytes()[..trouble.at]);
                        Entry {
                            place,
                            what: Err(Box::new(json_problem(*trouble, place, position))),
                            json: None,
                        }
                    }
                };
                (entry, true)
            }
        }
    }

    fn read_sheet(&mut self, index: u64, text: &str, filled: &[SheetCell], rows: &[SheetRow]) {
        let Kind::Grid { header, .. } = &self.kind else {
            return;
        };
        let Scratch {
            own,
            cells,
            raw,
            entries,
            ..
        } = &mut self.scratch;
        let mut first = 0;
        for (number, row) in rows.iter().enumerate() {
            let place = Place {
                file: self.file,
                line: row.line,
                index: index + number as u64,
            };
            let last = row.cells_end as usize;
            raw.clear();
            raw.resize(header.slots.len(), Span::of_text(CellKind::Text, 0, 0));
            for cell in &filled[first..last] {
                let column = cell.column as usize;
                if column >= raw.len() {
                    raw.resize(column + 1, Span::of_text(CellKind::Text, 0, 0));
                }
                let range = cell.text.range();
                raw[column] = Span::of_text(cell.kind, range.start, range.end);
            }
            first = last;
            let what = place_cells(header, raw, text, own, cells, place).map_err(|misfit| {
                Box::new(match misfit {
                    Misfit::Problem(problem) => *problem,
                    // A sheet's rows have no width of their own.
                    Misfit::Ragged(found) => ragged(header, found, b"", b',', place),
                })
            });
            entries.push(Entry {
                place,
                what,
                json: None,
            });
        }
    }

    fn invalid_text(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        at: usize,
        place: Place,
        position: Position,
    ) -> Problem {
        let mut problem = Problem::new(
            Code::InvalidText,
            place,
            format!(
                "line {}, column {}: a byte that is no text in {}",
                position.line, position.column, self.encoding
            ),
        )
        .with_hint(if self.encoding == "UTF-8" {
            "name the file's encoding, for example --encoding windows-1252, or save it as UTF-8"
        } else {
            "name the file's real encoding with --encoding, or save it as UTF-8"
        });
        if let Kind::Grid { header, delimiter } = &self.kind {
            let row = &bytes[range.clone()];
            let found = delimited::fields(row, *delimiter)
                .enumerate()
                .find(|(_, field)| field.end > at - range.start);
            if let Some((raw, field)) = found {
                problem =
                    problem.with_value(&String::from_utf8_lossy(&row[field.start..field.end]));
                if let Some(name) = header.name(raw) {
                    problem = problem.in_column(name);
                }
            }
        }
        problem
    }
}

/// The bytes as text of the same length, and where they are none.
fn checked(bytes: &[u8]) -> (Cow<'_, str>, Vec<usize>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut text = String::with_capacity(bytes.len());
    let mut invalid = Vec::new();
    for piece in bytes.utf8_chunks() {
        text.push_str(piece.valid());
        if !piece.invalid().is_empty() {
            invalid.push(text.len());
            // Records with such bytes are told and never looked into; the
            // others keep their places.
            text.extend(piece.invalid().iter().map(|_| '?'));
        }
    }
    (Cow::Owned(text), invalid)
}

fn json_problem(trouble: Trouble, place: Place, position: Position) -> Problem {
    let mut problem = Problem::new(
        trouble.code,
        place,
        format!(
            "line {}, column {}: {}",
            position.line, position.column, trouble.what
        ),
    );
    problem.column = trouble.column;
    problem
}
