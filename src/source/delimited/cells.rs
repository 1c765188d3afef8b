//! The cells of one row.

use memchr::memchr;

use crate::model::CellKind;

use super::super::parser::Span;
use super::closing_quote;

/// One cell as it stands in its row, quotes and all.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Field {
    pub(in crate::source) start: usize,
    pub(in crate::source) end: usize,
    /// The quote that closes it, where one opens it.
    close: Option<usize>,
}

fn field(row: &[u8], start: usize, delimiter: u8) -> Field {
    let close =
        (row.get(start) == Some(&b'"')).then(|| closing_quote(row, start).unwrap_or(row.len()));
    let from = close.map_or(start, |close| (close + 1).min(row.len()));
    let end = memchr(delimiter, &row[from..]).map_or(row.len(), |at| from + at);
    Field { start, end, close }
}

/// The cells of a row without its line end; there is always one.
pub(in crate::source) fn fields(row: &[u8], delimiter: u8) -> impl Iterator<Item = Field> {
    std::iter::successors(Some(field(row, 0, delimiter)), move |last| {
        (last.end < row.len()).then(|| field(row, last.end + 1, delimiter))
    })
}

/// Adds the cells of the row `text[range]` to `cells`: spans of `text`, or of
/// `own` where a cell's text has to be put together.
pub(in crate::source) fn split(
    text: &str,
    range: std::ops::Range<usize>,
    delimiter: u8,
    own: &mut String,
    cells: &mut Vec<Span>,
) {
    let base = range.start;
    for field in fields(&text.as_bytes()[range], delimiter) {
        let (start, end) = (base + field.start, base + field.end);
        cells.push(match field.close.map(|close| base + close) {
            None => Span::of_text(CellKind::Text, start, end),
            Some(close) => {
                let inside = &text[start + 1..close.max(start + 1)];
                if close + 1 >= end && memchr(b'"', inside.as_bytes()).is_none() {
                    Span::of_text(CellKind::Text, start + 1, start + 1 + inside.len())
                } else {
                    let from = own.len();
                    push_unquoted(inside, own);
                    own.push_str(text.get(close + 1..end).unwrap_or_default());
                    Span::of_own(CellKind::Text, from, own.len())
                }
            }
        });
    }
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
pub(in crate::source) fn multi_line_quote(row: &[u8], delimiter: u8) -> Option<(usize, usize)> {
    fields(row, delimiter).find_map(|field| {
        let close = field.close?.min(row.len());
        memchr::memchr2(b'\n', b'\r', &row[field.start..close]).map(|_| (field.start, close))
    })
}
