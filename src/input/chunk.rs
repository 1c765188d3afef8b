//! What goes from the reader to a parser: a number of consecutive records.

use std::ops::Range;

use crate::model::{Cell, CellKind, Problem};

use super::window::Position;

/// Some records of a file, not yet checked. Owns its bytes; hand it to any
/// [`Parser`](super::Parser) of the same reader.
#[derive(Debug)]
pub struct Chunk {
    pub(super) body: ChunkBody,
    /// Position of the first record among the file's, which the reader sets,
    /// like the file and the position of `lost`.
    pub(super) index: u64,
    /// Why nothing after this chunk could be read.
    pub(super) lost: Option<Problem>,
}

impl Chunk {
    /// None of nothing.
    pub(super) fn new(body: ChunkBody, lost: Option<Problem>) -> Option<Self> {
        let chunk = Self {
            body,
            index: 0,
            lost,
        };
        (chunk.len() > 0).then_some(chunk)
    }

    /// How many records it has, unreadable ones included.
    pub(crate) fn len(&self) -> usize {
        let rows = match &self.body {
            ChunkBody::Table(table) => table.rows.len(),
            ChunkBody::Json(values) => values.rows.len(),
        };
        rows + usize::from(self.lost.is_some())
    }
}

#[derive(Debug)]
pub(super) enum ChunkBody {
    Table(Table),
    Json(Values),
}

/// JSON values in the bytes that begin at `start` of the file.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<Range<usize>>,
    pub(super) start: Position,
}

/// Rows of a CSV file or a sheet: their cells one after the other.
#[derive(Debug, Default)]
pub(super) struct Table {
    text: Vec<u8>,
    /// Where each cell's text ends in its row's; it begins where the one before
    /// ends.
    cells: Vec<(u32, CellKind)>,
    /// Where the text of the next row begins.
    row_start: usize,
    /// Where each row's cells end, its line, and its number in a spreadsheet.
    pub(super) rows: Vec<(u32, u64, u64)>,
    /// What is wrong with rows, at most one for each, in their order.
    pub(super) flaws: Vec<Flaw>,
}

/// Why a row can't be taken as it was read.
#[derive(Debug)]
pub(super) struct Flaw {
    /// The row, by its position in the table.
    pub(super) row: usize,
    /// The cell, by its position in the row.
    pub(super) cell: usize,
    /// Without its place, which the parser knows.
    pub(super) problem: Problem,
    /// The cell and the row as they are in the file, if they were read as
    /// something else.
    pub(super) raw: Option<(String, String)>,
}

impl Table {
    pub(super) fn push_cell(&mut self, text: &[u8], kind: CellKind) {
        self.text.extend_from_slice(text);
        // A chunk is at most one record of the limited size beyond its own.
        let end = self.text.len() - self.row_start;
        self.cells.push((end as u32, kind));
    }

    pub(super) fn end_row(&mut self, line: u64, row: u64) {
        self.rows.push((self.cells.len() as u32, line, row));
        self.row_start = self.text.len();
    }

    /// Adds a row of cells that end at these places in its text.
    pub(super) fn push_record(&mut self, text: &[u8], ends: &[usize], line: u64, row: u64) {
        let length = ends.last().copied().unwrap_or_default();
        self.text.extend_from_slice(&text[..length]);
        let cells = ends.iter().map(|end| (*end as u32, CellKind::Text));
        self.cells.extend(cells);
        self.end_row(line, row);
    }

    /// About how many bytes it has.
    pub(super) fn size(&self) -> usize {
        self.text.len() + size_of_val(&*self.cells)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        let (mut first, mut start) = (0, 0);
        self.rows.iter().map(move |&(end, line, row)| {
            let cells = &self.cells[first..end as usize];
            let length = cells.last().map_or(0, |(end, _)| *end as usize);
            let bytes = &self.text[start..start + length];
            (first, start) = (end as usize, start + length);
            TableRow {
                line,
                row,
                bytes,
                cells,
            }
        })
    }
}

/// A row whose bytes may not be text.
pub(super) struct TableRow<'a> {
    pub(super) line: u64,
    /// As a spreadsheet counts it, from 1.
    pub(super) row: u64,
    bytes: &'a [u8],
    cells: &'a [(u32, CellKind)],
}

impl<'a> TableRow<'a> {
    fn ranges(&self) -> impl Iterator<Item = (CellKind, Range<usize>)> + use<'a> {
        let mut start = 0;
        self.cells.iter().map(move |&(end, kind)| {
            let range = start..end as usize;
            start = range.end;
            (kind, range)
        })
    }

    /// Each cell's bytes.
    pub(super) fn cells(&self) -> impl Iterator<Item = (CellKind, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.ranges()
            .map(move |(kind, range)| (kind, &bytes[range]))
    }

    /// Fills `row` with the cells, or returns false if one of them is not text.
    pub(super) fn read_text(&self, row: &mut Vec<Cell<'a>>) -> bool {
        row.clear();
        // At once for all cells, then whether none of them splits a character.
        let Ok(text) = std::str::from_utf8(self.bytes) else {
            return false;
        };
        for (kind, range) in self.ranges() {
            let Some(text) = text.get(range) else {
                return false;
            };
            let text = without_guard(text);
            row.push(Cell { kind, text });
        }
        true
    }
}

/// `00123` for `="00123"`: exports write an id so to keep a spreadsheet from
/// taking it for a number, and the spreadsheet shows what is between the quotes.
pub(super) fn without_guard(text: &str) -> &str {
    let inner = text
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}
