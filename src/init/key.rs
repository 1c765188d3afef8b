//! Proposes the key: the column, or the two columns, that identify a case.

use std::collections::HashSet;

use crate::mapping::names;
use crate::mapping::names::words;

use super::profile::{Column, InputProfile, KEY_ROWS, named};
use crate::model::count;

/// Columns that are tried as the second of a pair.
const MAX_SECOND: usize = 60;

/// The key columns, none where no proposal is good enough.
#[derive(Debug, Default)]
pub(crate) struct KeyProposal {
    pub(crate) columns: Vec<String>,
    /// Why, as comments of a config.
    pub(super) notes: Vec<String>,
}

/// Proposes a column with the header of a key, then one whose header says "id"
/// or "number", then a pair. What is proposed is filled in every row, and
/// different in each of the first [`KEY_ROWS`].
pub(crate) fn propose_key(profile: &InputProfile) -> KeyProposal {
    let rows = profile.rows;
    let (_, columns) = profile.partition();
    let is_filled = |column: &Column| rows > 0 && column.filled() == rows;
    let is_key = |column: &&&Column| is_filled(column) && are_distinct(&[column], rows);
    let candidates = named(&columns, names::KEY);
    let by_name = candidates.iter().find(is_key);
    let by_word = || {
        columns
            .iter()
            .filter(|column| says_id(&column.name))
            .find(is_key)
    };
    if let Some(column) = by_name.or_else(by_word) {
        return single(column, rows);
    }
    let pair = candidates
        .iter()
        .filter(|column| is_filled(column))
        .find_map(|first| {
            let others = columns
                .iter()
                .filter(|other| other.name != first.name && is_filled(other));
            let mut fits = others
                .take(MAX_SECOND)
                .filter(|second| are_distinct(&[first, second], rows));
            fits.next()
                .map(|second| vec![first.name.clone(), second.name.clone()])
        });
    let mut notes: Vec<String> = candidates
        .iter()
        .map(|column| {
            let reason = if is_filled(column) {
                "has the same value in several rows"
            } else {
                "is empty in some rows"
            };
            format!("\"{}\" {reason}", column.name)
        })
        .collect();
    notes.push(if pair.is_some() {
        "decide: do these two columns together identify a case?".to_owned()
    } else {
        "decide: which column identifies a case? None is filled in and different in every row. \
         Several can be combined: key = [\"…\", \"…\"]"
            .to_owned()
    });
    KeyProposal {
        columns: pair.unwrap_or_default(),
        notes,
    }
}

fn single(column: &Column, rows: usize) -> KeyProposal {
    let counted_rows = count(rows as u64, "row");
    let mut notes = vec![if rows > KEY_ROWS {
        format!("filled in every row ({counted_rows}), different in the first {KEY_ROWS}")
    } else {
        format!("filled in and different in every row ({counted_rows})")
    }];
    if column.rounded > 0 {
        notes.push(format!(
            "decide: a spreadsheet has rounded {} (4.41E+11); export this column as text",
            count(column.rounded as u64, "value")
        ));
    }
    KeyProposal {
        columns: vec![column.name.clone()],
        notes,
    }
}

fn says_id(header: &str) -> bool {
    let mut words = words(header).into_iter();
    words.any(|word| ["id", "no", "number", "num", "reference"].contains(&word.as_str()))
}

/// Whether no two of the rows that are compared have the same in all columns.
fn are_distinct(columns: &[&Column], rows: usize) -> bool {
    let hash = |column: &&Column, row| column.row_hashes.get(row).copied().unwrap_or(0);
    let mut seen = HashSet::new();
    (0..rows.min(KEY_ROWS)).all(|row| {
        let hashes: Vec<u64> = columns.iter().map(|column| hash(column, row)).collect();
        seen.insert(hashes)
    })
}
