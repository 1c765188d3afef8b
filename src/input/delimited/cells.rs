//! The cells of one row.

use memchr::memchr;

use crate::model::CellKind;

use super::super::span::Span;
use super::closing_quote;

/// One cell as it stands in its row, quotes and all.
#[derive(Debug, Clone, Copy)]
pub(in crate::input) struct Field {
    pub(in crate::input) start: usize,
    pub(in crate::input) end: usize,
    /// The quote that closes it, where one opens it.
    close: Option<usize>,
}

#[inline]
fn field(row: &[u8], start: usize, delimiter: u8) -> Field {
    let close =
        (row.get(start) == Some(&b'"')).then(|| closing_quote(row, start).unwrap_or(row.len()));
    let from = close.map_or(start, |close| (close + 1).min(row.len()));
    let end = find(row, from, delimiter);
    Field { start, end, close }
}

/// The first `byte` at or behind `at`, or the length. Most cells are a few bytes
/// long, where eight at once beat a search that has to be set up.
#[inline]
fn find(row: &[u8], mut at: usize, byte: u8) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const NEAR: usize = 64;
    let near = row.len().min(at + NEAR);
    while let Some(word) = row.get(at..at + 8)
        && at < near
    {
        let mut array = [0; 8];
        array.copy_from_slice(word);
        let differs = u64::from_le_bytes(array) ^ (ONES * u64::from(byte));
        // The lowest high bit marks the first byte that does not differ.
        let marks = differs.wrapping_sub(ONES) & !differs & (ONES * 0x80);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    memchr(byte, &row[at..]).map_or(row.len(), |found| at + found)
}

/// The cells of a row without its line end; there is always one.
pub(in crate::input) fn fields(row: &[u8], delimiter: u8) -> impl Iterator<Item = Field> {
    std::iter::successors(Some(field(row, 0, delimiter)), move |last| {
        (last.end < row.len()).then(|| field(row, last.end + 1, delimiter))
    })
}

/// Adds the cells of the row `text[range]` to `cells`: spans of `text`, or of
/// `own` where a cell's text has to be put together. Says whether any is quoted.
pub(in crate::input) fn split(
    text: &str,
    range: std::ops::Range<usize>,
    delimiter: u8,
    own: &mut String,
    cells: &mut Vec<Span>,
) -> bool {
    let row = &text.as_bytes()[..range.end];
    let mut quoted = false;
    let mut start = range.start;
    loop {
        let end;
        if row.get(start) == Some(&b'"') {
            quoted = true;
            let field = field(row, start, delimiter);
            end = field.end;
            cells.push(unquoted(text, field, own));
        } else {
            end = find(row, start, delimiter);
            cells.push(Span::of_text(CellKind::Text, start, end));
        }
        if end == row.len() {
            return quoted;
        }
        start = end + 1;
    }
}

/// A quoted cell without its quotes.
fn unquoted(text: &str, field: Field, own: &mut String) -> Span {
    let open = field.start + 1;
    let close = field.close.unwrap_or(field.end).max(open);
    let inside = &text[open..close];
    if close + 1 >= field.end && memchr(b'"', inside.as_bytes()).is_none() {
        return Span::of_text(CellKind::Text, open, close);
    }
    let from = own.len();
    push_unquoted(inside, own);
    own.push_str(text.get(close + 1..field.end).unwrap_or_default());
    Span::of_own(CellKind::Text, from, own.len())
}

fn push_unquoted(mut inside: &str, out: &mut String) {
    while let Some(quote) = memchr(b'"', inside.as_bytes()) {
        out.push_str(&inside[..=quote]);
        // The second of the two.
        inside = inside.get(quote + 2..).unwrap_or_default();
    }
    out.push_str(inside);
}

/// The cells of a row as texts of their own.
pub(super) fn owned(row: &str, delimiter: u8) -> Vec<String> {
    let (mut own, mut cells) = (String::new(), Vec::new());
    split(row, 0..row.len(), delimiter, &mut own, &mut cells);
    cells
        .iter()
        .map(|span| span.text(row, &own).to_owned())
        .collect()
}

/// The first quoted cell of a row that goes over several lines: where it opens
/// and where it closes.
pub(in crate::input) fn multi_line_quote(row: &[u8], delimiter: u8) -> Option<(usize, usize)> {
    fields(row, delimiter).find_map(|field| {
        let close = field.close?.min(row.len());
        memchr::memchr2(b'\n', b'\r', &row[field.start..close]).map(|_| (field.start, close))
    })
}
