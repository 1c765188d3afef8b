//! What goes from the reader to a parser: text with the places of its records.

use crate::model::{CellKind, Problem};

use super::feed::{Feed, Position};

/// A run of whole records, cut out of a file and not yet looked into. Owns its
/// bytes; hand it to any [`Parser`](super::Parser) of the same reader.
#[derive(Debug)]
pub struct Chunk {
    pub(super) body: Body,
    /// Position of the first record among the file's.
    pub(super) index: u64,
    /// Why nothing behind this chunk could be read.
    pub(super) lost: Option<Box<Problem>>,
}

impl Chunk {
    /// Cuts these rows off a text, of which they take so many bytes; `index` is
    /// that of the first, and becomes that of the next.
    pub(super) fn cut(
        feed: &mut Feed,
        length: usize,
        rows: Vec<Row>,
        index: &mut u64,
        lost: Option<Problem>,
    ) -> Self {
        let first = *index;
        *index += rows.len() as u64;
        let (bytes, position) = feed.take(length);
        Self {
            body: Body::Text {
                bytes,
                rows,
                position,
            },
            index: first,
            lost: lost.map(Box::new),
        }
    }

    /// How many records it has, those that can't be read among them.
    pub fn len(&self) -> usize {
        let rows = match &self.body {
            Body::Text { rows, .. } => rows.len(),
            Body::Sheet { rows, .. } => rows.len(),
        };
        rows + usize::from(self.lost.is_some())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Records as their format brings them.
#[derive(Debug)]
pub(super) enum Body {
    /// CSV rows without their line ends, or JSON values.
    Text {
        bytes: Vec<u8>,
        rows: Vec<Row>,
        /// Where `bytes` begin.
        position: Position,
    },
    /// Rows of a workbook.
    Sheet {
        text: String,
        cells: Vec<SheetCell>,
        rows: Vec<SheetRow>,
    },
}

/// The bytes of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Row {
    pub(super) fn new(start: usize, end: usize) -> Self {
        // A chunk is at most a few records of the limited size.
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One filled cell of a workbook.
#[derive(Debug, Clone, Copy)]
pub(super) struct SheetCell {
    pub(super) column: u32,
    pub(super) kind: CellKind,
    pub(super) text: Row,
}

/// One row of a workbook: where its cells end, and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct SheetRow {
    pub(super) cells_end: u32,
    pub(super) line: u64,
}
