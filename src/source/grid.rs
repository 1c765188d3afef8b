//! Cells of a row under the columns of a header, for CSV and sheets alike.

use std::ops::Range;

use crate::model::{Code, Place, Problem};

use super::delimited;
use super::feed::Position;
use super::header::{ESCAPED, Header, Slot};
use super::span::Span;

/// Why the cells of a row don't go under the header.
pub(super) enum Misfit {
    Ragged(usize),
    Problem(Box<Problem>),
}

/// Puts a row's cells where their columns are.
pub(super) fn place_cells(
    header: &Header,
    raw: &[Span],
    text: &str,
    own: &str,
    cells: &mut Vec<Span>,
    place: Place,
) -> Result<Range<usize>, Misfit> {
    let filled = |span: &Span| !span.text(text, own).trim().is_empty();
    let too_wide = raw.iter().skip(header.width).any(filled);
    if raw.len() < header.slots.len() || too_wide {
        return Err(Misfit::Ragged(raw.len()));
    }
    for (number, span) in raw.iter().enumerate() {
        let nameless = header
            .slots
            .get(number)
            .is_none_or(|slot| *slot == Slot::Unnamed);
        if nameless && filled(span) {
            let value = span.text(text, own);
            return Err(Misfit::Problem(Box::new(
                header.nameless(number, value, place),
            )));
        }
    }
    let before = cells.len();
    cells.extend(
        raw.iter()
            .zip(&header.slots)
            .filter(|(_, slot)| matches!(slot, Slot::Column(_)))
            .map(|(span, _)| *span),
    );
    if let Some(list) = header.escaped.map(|column| &raw[column])
        && filled(list)
    {
        let list = list.text(text, own);
        let Some(positions) = header.escaped_positions(list) else {
            cells.truncate(before);
            let problem = Problem::new(
                Code::BadCaseloadKey,
                place,
                "the list of cells that were guarded against formulas is damaged",
            )
            .in_column(ESCAPED)
            .with_value(list)
            .with_hint("restore it, or empty it and remove the leading ' from the row's cells");
            return Err(Misfit::Problem(Box::new(problem)));
        };
        for position in positions {
            let span = &mut cells[before + position];
            if span.text(text, own).starts_with('\'') {
                span.trim_first();
            }
        }
    }
    Ok(before..cells.len())
}

pub(super) fn ragged(
    header: &Header,
    found: usize,
    row: &[u8],
    delimiter: u8,
    place: Place,
) -> Problem {
    let expected = header.slots.len();
    let cells = if found == 1 { "cell" } else { "cells" };
    let problem = Problem::new(
        Code::RaggedRow,
        place,
        format!("found {found} {cells}, the header has {expected} columns"),
    );
    let line_of = |at: usize| place.line + Position::START.after(&row[..at]).line - 1;
    if let Some((open, close)) = delimited::multi_line_quote(row, delimiter) {
        return problem.with_hint(format!(
            "a quote opened in line {} closes in line {}: if it was not meant to hold them all, mend the quotes there",
            line_of(open),
            line_of(close)
        ));
    }
    let delimiter = match delimiter {
        b'\t' => "tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    };
    problem.with_hint(if found > expected {
        format!("put a cell in quotes that has a {delimiter} in it")
    } else {
        format!("put a cell in quotes that has a line break or a {delimiter} in it, and keep the delimiters of empty cells")
    })
}
