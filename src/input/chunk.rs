//! What goes from the reader to a parser: a number of consecutive records.

use std::ops::Range;

use crate::model::{CellKind, Problem};

use super::window::Position;

/// Some records of a file, not yet checked. Owns its bytes; hand it to any
/// [`Parser`](super::Parser) of the same reader.
#[derive(Debug)]
pub struct Chunk {
    pub(super) body: Body,
    /// Position of the first record among the file's.
    pub(super) index: u64,
    /// Why nothing after this chunk could be read.
    pub(super) lost: Option<Box<Problem>>,
}

impl Chunk {
    /// How many records it has, unreadable ones included.
    pub(crate) fn len(&self) -> usize {
        let rows = match &self.body {
            Body::Table(table) => table.rows.len(),
            Body::Json { rows, .. } => rows.len(),
        };
        rows + usize::from(self.lost.is_some())
    }
}

#[derive(Debug)]
pub(super) enum Body {
    Table(Table),
    /// JSON values in the bytes that begin at `position`.
    Json {
        bytes: Vec<u8>,
        rows: Vec<Range<usize>>,
        position: Position,
    },
}

/// Rows of a CSV file or a sheet: their cells one after the other.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) text: Vec<u8>,
    pub(super) cells: Vec<TableCell>,
    pub(super) rows: Vec<TableRow>,
}

/// Where a cell's text ends; it begins where the one before ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableCell {
    end: u32,
    pub(super) kind: CellKind,
}

/// Where a row's cells end, and its line.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableRow {
    cells_end: u32,
    pub(super) line: u64,
}

impl Table {
    pub(super) fn push_cell(&mut self, text: &[u8], kind: CellKind) {
        self.text.extend_from_slice(text);
        // A chunk is at most one record of the limited size beyond its own.
        let end = self.text.len() as u32;
        self.cells.push(TableCell { end, kind });
    }

    pub(super) fn end_row(&mut self, line: u64) {
        let cells_end = self.cells.len() as u32;
        self.rows.push(TableRow { cells_end, line });
    }

    /// About how many bytes it has.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.cells.len() * size_of::<TableCell>()
    }

    /// Each row with its cells.
    pub(super) fn rows(&self) -> impl Iterator<Item = (TableRow, TableCells<'_>)> {
        let mut first = 0;
        let mut start = 0;
        self.rows.iter().map(move |row| {
            let cells = &self.cells[first..row.cells_end as usize];
            first = row.cells_end as usize;
            let text_start = start;
            start = cells.last().map_or(start, |cell| cell.end as usize);
            let text = &self.text;
            let start = text_start;
            (*row, TableCells { text, cells, start })
        })
    }
}

/// The cells of one row, not yet known to be text.
#[derive(Clone)]
pub(super) struct TableCells<'a> {
    text: &'a [u8],
    cells: &'a [TableCell],
    start: usize,
}

impl<'a> Iterator for TableCells<'a> {
    type Item = (CellKind, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (cell, rest) = self.cells.split_first()?;
        let end = cell.end as usize;
        let bytes = &self.text[self.start..end];
        self.cells = rest;
        self.start = end;
        Some((cell.kind, bytes))
    }
}

impl ExactSizeIterator for TableCells<'_> {
    fn len(&self) -> usize {
        self.cells.len()
    }
}
