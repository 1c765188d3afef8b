//! Cells of a row under the columns of a header, for CSV and sheets alike.

use crate::model::{Code, Place, Problem};

use super::delimited;
use super::feed::Position;
use super::header::{Header, Slot};
use super::span::Span;
use crate::model::reserved::{ESCAPED, TEXT};

/// Why the cells of a row don't go under the header.
pub(super) enum Misfit {
    Ragged(usize),
    Problem(Box<Problem>),
}

/// A row's cells and their texts.
#[derive(Clone, Copy)]
pub(super) struct RawRow<'a> {
    pub(super) cells: &'a [Span],
    pub(super) text: &'a str,
    pub(super) own: &'a str,
}

impl RawRow<'_> {
    fn is_filled(&self, span: &Span) -> bool {
        !span.text(self.text, self.own).trim().is_empty()
    }

    /// The cell of a raw column that caseload has added, where it is filled.
    fn added(&self, column: Option<usize>) -> Option<&Span> {
        let span = self.cells.get(column?)?;
        self.is_filled(span).then_some(span)
    }
}

/// Puts a row's cells where their columns are, as far as they go: they are
/// there too where something is wrong with the row.
pub(super) fn place_cells(
    header: &Header,
    row: RawRow<'_>,
    cells: &mut Vec<Span>,
    place: Place,
) -> Result<(), Misfit> {
    let before = cells.len();
    let columns = (header.slots.iter().enumerate()).filter(|(_, slot)| slot.is_column());
    cells.extend(columns.map(|(raw, _)| row.cells.get(raw).copied().unwrap_or(Span::ABSENT)));
    let unguarded = unguard(header, row, &mut cells[before..], place);
    fits(header, row, place)?;
    unguarded?;
    match row.added(header.text) {
        Some(_) => Err(Misfit::Problem(Box::new(not_mended(place)))),
        None => Ok(()),
    }
}

/// Whether each cell has a column.
fn fits(header: &Header, row: RawRow<'_>, place: Place) -> Result<(), Misfit> {
    let mut behind = row.cells.iter().skip(header.width);
    if row.cells.len() < header.slots.len() || behind.any(|span| row.is_filled(span)) {
        return Err(Misfit::Ragged(row.cells.len()));
    }
    for (number, span) in row.cells.iter().enumerate() {
        let nameless = header
            .slots
            .get(number)
            .is_none_or(|slot| *slot == Slot::Unnamed);
        if nameless && row.is_filled(span) {
            let value = span.text(row.text, row.own);
            return Err(Misfit::Problem(Box::new(
                header.nameless(number, value, place),
            )));
        }
    }
    Ok(())
}

/// Takes off the apostrophes that guard cells against being formulas.
fn unguard(
    header: &Header,
    row: RawRow<'_>,
    cells: &mut [Span],
    place: Place,
) -> Result<(), Misfit> {
    let Some(list) = row.added(header.escaped) else {
        return Ok(());
    };
    let list = list.text(row.text, row.own);
    let Some(positions) = header.escaped_positions(list) else {
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
        let span = &mut cells[position];
        if span.text(row.text, row.own).starts_with('\'') {
            span.trim_first();
        }
    }
    Ok(())
}

fn not_mended(place: Place) -> Problem {
    Problem::new(
        Code::NotFixed,
        place,
        "the row could not be read before, and was not mended since",
    )
    .in_column(TEXT)
    .with_hint(format!(
        "compare the row's cells with the text in {TEXT}, put them right, and empty that cell"
    ))
}

/// The text of a row: what it already brings along of an earlier reading, or
/// its own.
pub(super) fn row_text(header: &Header, row: RawRow<'_>, whole: Span) -> Span {
    row.added(header.text).copied().unwrap_or(whole)
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
