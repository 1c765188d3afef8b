//! What delimits the cells, when nobody says it.

use super::{End, fields, is_blank, row_end};

/// In the order of preference where two fit alike.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
const ROWS: usize = 50;

/// The delimiter that a first line `sep=;` declares, as Excel writes it, and
/// that line's length.
pub(super) fn declared(bytes: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\n', b'\r', bytes)?;
    let next = end
        + if bytes[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
    let mut line = &bytes[..end];
    if let [b'"', inside @ .., b'"'] = line {
        line = inside;
    }
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            Some((*delimiter, next))
        }
        _ => None,
    }
}

/// The candidate that gives the header more than one cell and most of the first
/// rows as many as the header; a comma when none does.
pub(in crate::input) fn delimiter(bytes: &[u8], ended: bool) -> u8 {
    let mut best = (b',', (0, 0));
    for candidate in CANDIDATES {
        let counts = cell_counts(bytes, candidate, ended);
        let Some((&width, rows)) = counts.split_first() else {
            continue;
        };
        if width < 2 {
            continue;
        }
        let alike = rows.iter().filter(|count| **count == width).count();
        // In thousandths, so that rows of a half-fitting candidate weigh less.
        let share = if rows.is_empty() {
            1000
        } else {
            alike * 1000 / rows.len()
        };
        if (share, width) > best.1 {
            best = (candidate, (share, width));
        }
    }
    best.0
}

fn cell_counts(bytes: &[u8], delimiter: u8, ended: bool) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut start = 0;
    while counts.len() < ROWS && start < bytes.len() {
        let End::At { row, next } = row_end(bytes, start, delimiter, ended) else {
            break;
        };
        let row = &bytes[start..row];
        if !is_blank(row, delimiter) {
            counts.push(fields(row, delimiter).count());
        }
        start = next;
    }
    counts
}
