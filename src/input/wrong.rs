//! What is told of a record that can't be read.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::{Code, Place, Problem};

use super::delimited;
use super::feed::Position;
use super::header::Header;
use super::json::Trouble;
use super::span::Span;

/// What is wrong with a record, and its text. Boxed, so that what is right
/// stays small.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: Problem,
    pub(super) text: Span,
}

/// A record with a byte at `at` that is no text; in a row its cell is told.
pub(super) fn invalid_text(
    encoding: &str,
    grid: Option<(&Header, u8)>,
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
            position.line, position.column, encoding
        ),
    )
    .with_hint(if encoding == "UTF-8" {
        "name the file's encoding, for example --encoding windows-1252, or save it as UTF-8"
    } else {
        "name the file's real encoding with --encoding, or save it as UTF-8"
    });
    if let Some((header, delimiter)) = grid {
        let row = &bytes[range.clone()];
        let found = delimited::fields(row, delimiter)
            .enumerate()
            .find(|(_, field)| field.end > at - range.start);
        if let Some((raw, field)) = found {
            problem = problem.with_value(&String::from_utf8_lossy(&row[field.start..field.end]));
            if let Some(name) = header.name(raw) {
                problem = problem.in_column(name);
            }
        }
    }
    problem
}

/// The bytes as text of the same length, and where they are none.
pub(super) fn checked(bytes: &[u8]) -> (Cow<'_, str>, Vec<usize>) {
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

/// What the walk through a record found, at its place in the file.
pub(super) fn json_problem(trouble: Trouble, place: Place, position: Position) -> Problem {
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
