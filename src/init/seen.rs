//! What a column holds, as far as it was seen. Memory is bounded: row hashes up
//! to a number of rows, values up to a number of different ones.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::mapping::{email_of, looks_like_ssn, phone_of, state_of};
use crate::model::{Cell, CellKind};

use super::dates_seen::{DatesSeen, Readings};

/// Rows whose values are compared to find a key.
pub(super) const ROWS: usize = 10_000;

/// Different values that are kept of a column.
const VALUES: usize = 200;

/// A value longer than this is prose.
const LONGEST: usize = 100;

/// One column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) filled: usize,
    /// A hash a row, 0 where it is blank; for the first rows.
    pub(super) hashes: Vec<u64>,
    values: HashMap<String, usize>,
    has_more_values: bool,
    pub(super) dates: Readings,
    pub(super) states: usize,
    pub(super) phones: usize,
    pub(super) emails: usize,
    pub(super) ssns: usize,
    /// "Last, First".
    pub(super) turned_names: usize,
    /// Numbers that a spreadsheet has rounded, such as `4.41E+11`.
    pub(super) rounded: usize,
}

impl Column {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filled: 0,
            hashes: Vec::new(),
            values: HashMap::new(),
            has_more_values: false,
            dates: Readings::default(),
            states: 0,
            phones: 0,
            emails: 0,
            ssns: 0,
            turned_names: 0,
            rounded: 0,
        }
    }

    /// Looks at the value of a row, counted from 0.
    pub(super) fn see(&mut self, row: usize, cell: Cell<'_>, dates: &DatesSeen) {
        if cell.is_blank() || cell.kind == CellKind::Json {
            return;
        }
        let text = cell.text.trim();
        self.filled += 1;
        if row < ROWS {
            self.hashes.resize(row + 1, 0);
            self.hashes[row] = hash_of(text);
        }
        if text.len() > LONGEST {
            self.has_more_values = true;
            return;
        }
        if let Some(count) = self.values.get_mut(text) {
            *count += 1;
        } else if self.values.len() < VALUES {
            self.values.insert(text.to_owned(), 1);
        } else {
            self.has_more_values = true;
        }
        match cell.kind {
            CellKind::Date => self.dates.cells += 1,
            CellKind::DateTime => {
                self.dates.cells += 1;
                self.dates.with_time += usize::from(!text.ends_with("T00:00:00"));
            }
            _ => dates.see(text, &mut self.dates),
        }
        self.states += usize::from(state_of(text).is_some());
        self.phones += usize::from(phone_of(text).is_some());
        self.emails += usize::from(email_of(text).is_some());
        self.ssns += usize::from(looks_like_ssn(text));
        self.rounded += usize::from(is_rounded(text));
        self.turned_names += usize::from(text.split_once(',').is_some_and(|(last, first)| {
            !first.contains(',') && !last.trim().is_empty() && !first.trim().is_empty()
        }));
    }

    /// Whether nearly all that is filled is of a kind.
    pub(super) fn is_mostly(&self, count: usize) -> bool {
        count > 0 && count * 10 >= self.filled * 8
    }

    /// The different values, the most frequent first, where there are at most
    /// this many.
    pub(super) fn values(&self, most: usize) -> Option<Vec<String>> {
        if self.has_more_values || self.values.len() > most {
            return None;
        }
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
        Some(values.into_iter().map(|(value, _)| value.clone()).collect())
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    // 0 is for blank.
    hasher.finish().max(1)
}

fn is_rounded(text: &str) -> bool {
    text.split_once("E+").is_some_and(|(digits, exponent)| {
        digits.parse::<f64>().is_ok() && exponent.parse::<u8>().is_ok()
    })
}
