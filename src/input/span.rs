//! Where the text of a cell is, before anything may borrow from it.

use crate::model::{Cell, CellKind};

use super::chunk::Row;

/// A piece of a chunk's text, or of the parser's own, and what it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
    kind: CellKind,
    own: bool,
}

impl Span {
    /// No cell.
    pub(super) const ABSENT: Self = Self {
        start: 0,
        end: 0,
        kind: CellKind::Absent,
        own: false,
    };

    pub(super) fn of_text(kind: CellKind, start: usize, end: usize) -> Self {
        let Row { start, end } = Row::new(start, end);
        Self {
            start,
            end,
            kind,
            own: false,
        }
    }

    pub(super) fn of_own(kind: CellKind, start: usize, end: usize) -> Self {
        Self {
            own: true,
            ..Self::of_text(kind, start, end)
        }
    }

    #[inline]
    pub(super) fn text<'a>(&self, text: &'a str, own: &'a str) -> &'a str {
        &(if self.own { own } else { text })[self.start as usize..self.end as usize]
    }

    /// Without its first byte.
    pub(super) fn trim_first(&mut self) {
        self.start += 1;
    }

    #[inline]
    pub(super) fn cell<'a>(&self, text: &'a str, own: &'a str) -> Cell<'a> {
        Cell {
            kind: self.kind,
            text: self.text(text, own),
        }
    }
}
