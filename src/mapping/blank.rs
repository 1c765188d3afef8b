//! Blank or not, and white space around a value: the same answers as the
//! standard library's, with a quick way for the letters that nearly all values
//! begin and end with.

use crate::model::{Cell, CellKind};

/// Whether there is nothing in a cell, as [`Cell::is_blank`].
#[inline]
pub(super) fn is_blank(cell: Cell<'_>) -> bool {
    match cell.kind {
        CellKind::Absent | CellKind::Null => true,
        _ => match cell.text.as_bytes().first() {
            None => true,
            Some(first) if first.is_ascii_graphic() => false,
            Some(_) => cell.text.trim().is_empty(),
        },
    }
}

/// The text without white space around it, as [`str::trim`].
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_quick_way_gives_the_same_answers(text in "[ \ta\u{a0}é]{0,4}") {
            prop_assert_eq!(trimmed(&text), text.trim());
            prop_assert_eq!(is_blank(Cell::text(&text)), Cell::text(&text).is_blank());
        }
    }
}
