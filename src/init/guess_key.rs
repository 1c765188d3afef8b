//! Which column, or which two, tell one case from another.

use std::collections::HashSet;

use super::seen::{Column, ROWS};
use crate::mapping::headers;

/// What was found.
pub(super) struct KeyGuess {
    pub(super) columns: Vec<String>,
    pub(super) comments: Vec<String>,
}

/// Partners that are tried for a pair.
const PARTNERS: usize = 60;

/// Guesses by header among what is filled and distinct; then a column whose
/// header says "id" or "number"; then a pair.
pub(super) fn guess(columns: &[&Column], rows: usize) -> KeyGuess {
    let looked_at = rows.min(ROWS);
    let is_key = |column: &Column| column.filled == rows && is_distinct(&[column], looked_at);
    let candidates: Vec<&Column> = headers::KEY
        .iter()
        .flat_map(|name| {
            columns
                .iter()
                .filter(move |column| headers::folded(&column.name) == *name)
        })
        .copied()
        .collect();
    let mut comments = Vec::new();
    let by_header = candidates.iter().find(|column| is_key(column));
    let by_word = || {
        let says_id = |column: &Column| {
            let words = crate::mapping::words(&column.name);
            let is = |word: &String| {
                matches!(word.as_str(), "id" | "no" | "number" | "num" | "reference")
            };
            words.iter().any(is)
        };
        columns
            .iter()
            .find(|column| says_id(column) && is_key(column))
    };
    if rows > 0
        && let Some(column) = by_header.or_else(by_word)
    {
        comments.push(format!(
            "filled and distinct in the {} looked at",
            counted(looked_at, "row")
        ));
        if column.rounded > 0 {
            comments.push(format!(
                "decide: {} of it look rounded by a spreadsheet (4.41E+11); export the column as text",
                counted(column.rounded, "value")
            ));
        }
        return KeyGuess {
            columns: vec![column.name.clone()],
            comments,
        };
    }
    for candidate in &candidates {
        let fault = if candidate.filled == rows {
            "is not distinct"
        } else {
            "is not always filled"
        };
        comments.push(format!("\"{}\" {fault}", candidate.name));
    }
    let pair = candidates
        .iter()
        .filter(|column| column.filled == rows && rows > 0)
        .find_map(|one| {
            let others = columns
                .iter()
                .filter(|other| other.name != one.name)
                .take(PARTNERS);
            let mut fits = others.filter(|other| is_distinct(&[one, other], looked_at));
            fits.next()
                .map(|other| vec![one.name.clone(), other.name.clone()])
        });
    let advice = if pair.is_some() {
        "decide: are these two together what tells one case from another?"
    } else {
        "decide: no column is filled and distinct; sending needs one, or several, that tell one case from another"
    };
    comments.push(advice.to_owned());
    KeyGuess {
        columns: pair.unwrap_or_default(),
        comments,
    }
}

/// Whether no two rows have the same in all of the columns.
fn is_distinct(columns: &[&Column], rows: usize) -> bool {
    let hash = |column: &&Column, row: usize| column.hashes.get(row).copied().unwrap_or(0);
    let mut seen = HashSet::with_capacity(rows);
    (0..rows).all(|row| {
        let parts: (u64, u64) = match columns {
            [one] => (hash(one, row), 0),
            [one, other, ..] => (hash(one, row), hash(other, row)),
            [] => (0, 0),
        };
        seen.insert(parts)
    })
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
