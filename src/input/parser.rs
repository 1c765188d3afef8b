//! Chunks to records: the part of reading that runs in a worker.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::model::{Cell, CellKind, Code, FileId, Place, Problem, Record};

use super::chunk::{Body, Chunk, Row, SheetCell, SheetRow};
use super::delimited;
use super::feed::{Position, line_breaks};
use super::grid::{Misfit, RawRow, place_cells, ragged, row_text};
use super::header::Header;
use super::item::{Item, Unread};
use super::json::Objects;
use super::span::Span;
use super::wrong::{Wrong, checked, invalid_text, json_problem};

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
    what: Range<usize>,
    json: Option<Span>,
    wrong: Option<Box<Wrong>>,
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
        let (columns, is_json) = match &self.kind {
            Kind::Grid { header, .. } => (&*header.columns, false),
            Kind::Json(objects) => (&objects.columns, true),
        };
        let mut row: Vec<Cell<'_>> = Vec::with_capacity(columns.len());
        for entry in entries.drain(..) {
            let range = entry.what;
            row.clear();
            if let Some(wrong) = entry.wrong {
                let Wrong {
                    problem,
                    text: whole,
                } = *wrong;
                row.extend(cells[range].iter().map(|span| span.cell(text, own)));
                let unread = Unread {
                    text: whole.text(text, own),
                    // With its wrong bytes replaced it could pass.
                    as_it_is: is_json && problem.code != Code::InvalidText,
                    row: (!is_json).then_some((columns, &*row)),
                };
                sink(Item::Problem(problem, unread));
                continue;
            }
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
                let grid = match &self.kind {
                    Kind::Grid { header, delimiter } => Some((&**header, *delimiter)),
                    Kind::Json(_) => None,
                };
                let problem = invalid_text(
                    self.encoding,
                    grid,
                    bytes,
                    range.clone(),
                    *at,
                    place,
                    position,
                );
                self.unread(text, range, problem)
            } else {
                let position_at = |at: usize| start.after(&bytes[..at]);
                let (entry, lines_inside) = self.read_row(text, range.clone(), place, &position_at);
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
        position_at: &dyn Fn(usize) -> Position,
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
                let mut wrong = None;
                if !header.plain || cells.len() - before != header.slots.len() {
                    raw.clear();
                    raw.extend(cells.drain(before..));
                    let row = RawRow {
                        cells: raw,
                        text,
                        own,
                    };
                    wrong = place_cells(header, row, cells, place).err().map(|misfit| {
                        let whole = Span::of_text(CellKind::Text, range.start, range.end);
                        Box::new(Wrong {
                            text: row_text(header, row, whole),
                            problem: match misfit {
                                Misfit::Ragged(found) => {
                                    let bytes = &text.as_bytes()[range];
                                    ragged(header, found, bytes, *delimiter, place)
                                }
                                Misfit::Problem(problem) => *problem,
                            },
                        })
                    });
                }
                let entry = Entry {
                    place,
                    what: before..cells.len(),
                    json: None,
                    wrong,
                };
                (entry, quoted)
            }
            Kind::Json(objects) => {
                let before = members.len();
                let entry = match objects.read(text, range.clone(), own, members) {
                    Ok(json) => Entry {
                        place,
                        what: before..members.len(),
                        json: Some(json),
                        wrong: None,
                    },
                    Err(trouble) => {
                        members.truncate(before);
                        let position = position_at(trouble.at);
                        Entry {
                            place,
                            what: 0..0,
                            json: None,
                            wrong: Some(Box::new(Wrong {
                                problem: json_problem(*trouble, place, position),
                                text: Span::of_text(CellKind::Text, range.start, range.end),
                            })),
                        }
                    }
                };
                (entry, true)
            }
        }
    }

    /// A record with bytes that are no text.
    fn unread(&mut self, text: &str, range: Range<usize>, problem: Problem) -> Entry {
        let Scratch {
            own, cells, raw, ..
        } = &mut self.scratch;
        let place = problem.place;
        let before = cells.len();
        let mut whole = Span::of_text(CellKind::Text, range.start, range.end);
        if let Kind::Grid { header, delimiter } = &self.kind {
            raw.clear();
            delimited::split(text, range, *delimiter, own, raw);
            let row = RawRow {
                cells: raw,
                text,
                own,
            };
            // Whatever else is wrong with the row, this is told first.
            let _ = place_cells(header, row, cells, place);
            whole = row_text(header, row, whole);
        }
        Entry {
            place,
            what: before..cells.len(),
            json: None,
            wrong: Some(Box::new(Wrong {
                problem,
                text: whole,
            })),
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
            let row = RawRow {
                cells: raw,
                text,
                own,
            };
            let before = cells.len();
            let misfit = place_cells(header, row, cells, place).err();
            let wrong = misfit.map(|misfit| {
                // Tabs, so that a spreadsheet takes it apart again.
                let texts: Vec<&str> = raw.iter().map(|span| span.text(text, own)).collect();
                let joined = texts.join("\t");
                let from = own.len();
                own.push_str(&joined);
                let whole = Span::of_own(CellKind::Text, from, own.len());
                let row = RawRow {
                    cells: raw,
                    text,
                    own,
                };
                Box::new(Wrong {
                    text: row_text(header, row, whole),
                    problem: match misfit {
                        Misfit::Problem(problem) => *problem,
                        // A sheet's rows have no width of their own.
                        Misfit::Ragged(found) => ragged(header, found, b"", b',', place),
                    },
                })
            });
            entries.push(Entry {
                place,
                what: before..cells.len(),
                json: None,
                wrong,
            });
        }
    }
}
