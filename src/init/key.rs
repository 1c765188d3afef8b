//! Proposes the key: the column, or the two columns, that identify a case.

use std::collections::HashSet;

use crate::mapping::names;
use crate::mapping::names::words;

use super::profile::{Column, InputProfile, KEY_ROWS, named};
use crate::model::count;

/// Columns that are tried as the second of a pair.
const MAX_SECOND: usize = 60;

/// A key column has so many times as many rows as faults.
const FAR_MORE: usize = 10;

/// The key columns, none where no proposal is good enough.
#[derive(Debug, Default)]
pub(crate) struct KeyProposal {
    pub(crate) columns: Vec<String>,
    /// Why, as comments of a config.
    pub(super) notes: Vec<String>,
}

/// Proposes a column with the header of a key, then one whose header says "id"
/// or "number", then a pair. What is proposed is filled in every row, and
/// different in each of the first [`KEY_ROWS`]; but a header of a key wins with
/// a few faults too, since another key would only hide them.
pub(crate) fn propose_key(profile: &InputProfile) -> KeyProposal {
    let rows = profile.rows;
    let (_, columns) = profile.partition();
    let candidates = named(&columns, names::KEY);
    let faults = |column: &Column| (rows - column.filled(), count_repeated(&[column], rows));
    let by_name = candidates.iter().find(|column| {
        let (empty, repeated) = faults(column);
        (empty + repeated) * FAR_MORE <= rows
    });
    let by_word = || {
        let mut others = columns.iter().filter(|column| says_id(&column.name));
        others.find(|column| rows > 0 && faults(column) == (0, 0))
    };
    if let Some(column) = by_name.or_else(by_word) {
        return single(column, rows, faults(column));
    }
    let is_filled = |column: &&&Column| rows > 0 && column.filled() == rows;
    let pairs = candidates.iter().filter(is_filled).flat_map(|first| {
        let others = columns.iter().filter(is_filled);
        let others = others.filter(|other| other.name != first.name);
        others.take(MAX_SECOND).map(|second| [*first, *second])
    });
    let pair = { pairs }.find(|pair| count_repeated(pair, rows) == 0);
    let reasons = candidates.iter().map(|column| {
        let reason = if is_filled(&column) {
            "has the same value in several rows"
        } else {
            "is empty in some rows"
        };
        format!("\"{}\" {reason}", column.name)
    });
    let decision = if pair.is_some() {
        "decide: do these two columns together identify a case?"
    } else {
        "decide: which column identifies a case? None is filled in and different in every row. \
         Several can be combined: key = [\"…\", \"…\"]"
    };
    let columns = pair.iter().flatten();
    KeyProposal {
        columns: columns.map(|column| column.name.clone()).collect(),
        notes: reasons.chain([decision.to_owned()]).collect(),
    }
}

fn single(column: &Column, rows: usize, (empty, repeated): (usize, usize)) -> KeyProposal {
    let counted_rows = count(rows as u64, "row");
    let mut notes = Vec::new();
    for (number, fault) in [
        (empty, "without a value"),
        (repeated, "with the value of an earlier row"),
    ] {
        if number > 0 {
            let faulty = count(number as u64, "row");
            notes.push(format!(
                "decide: {faulty} of {rows} {fault}; `caseload check` shows each, to be corrected in the file"
            ));
        }
    }
    if notes.is_empty() {
        notes.push(if rows > KEY_ROWS {
            format!("filled in every row ({counted_rows}), different in the first {KEY_ROWS}")
        } else {
            format!("filled in and different in every row ({counted_rows})")
        });
    }
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

/// How many of the rows that are compared have in these columns what an earlier
/// one has. A row without a value is none of them.
fn count_repeated(columns: &[&Column], rows: usize) -> usize {
    let mut seen = HashSet::new();
    let is_repeated = |row: &usize| {
        let hashes = columns.iter().map(|column| column.row_hashes.get(*row));
        let hashes: Vec<u64> = hashes.flatten().copied().collect();
        hashes.len() == columns.len() && !hashes.contains(&0) && !seen.insert(hashes)
    };
    (0..rows.min(KEY_ROWS)).filter(is_repeated).count()
}
