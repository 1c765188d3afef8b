//! What the columns of an input hold: for the table that `check` prints, and
//! for the guesses of `init`.

use std::hash::BuildHasher as _;

use foldhash::HashMap;
use foldhash::fast::FixedState;
use indexmap::IndexMap;

use crate::mapping::looks_confidential;
use crate::model::{ColumnSummary, ColumnsVersion, Record};

/// Distinct values are kept up to here.
const MAX_DISTINCT: usize = 1_000;
/// Values that are shown of a column.
const SAMPLES: usize = 4;
/// A value is kept up to this many bytes; a case summary may be much longer.
const MAX_TEXT: usize = 200;

/// A record's place among all: its file and its index there.
type Ordinal = (u16, u64);

/// The values of one column.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnProfile {
    /// Values that are not blank.
    pub(crate) filled: u64,
    /// By hash; only the first few once there are too many.
    values: HashMap<u64, Value>,
    has_more: bool,
}

#[derive(Debug, Clone)]
struct Value {
    count: u64,
    first: Ordinal,
    text: Box<str>,
}

impl ColumnProfile {
    /// Counts a value that is not blank.
    pub(crate) fn add(&mut self, first: Ordinal, text: &str) {
        self.filled += 1;
        if self.has_more {
            return;
        }
        let text = text.trim();
        let hash = hash_of(text);
        if let Some(value) = self.values.get_mut(&hash) {
            value.count += 1;
            return;
        }
        let value = Value {
            count: 1,
            first,
            text: text[..text.floor_char_boundary(MAX_TEXT)].into(),
        };
        self.values.insert(hash, value);
        self.limit();
    }

    /// Adds what another worker counted.
    fn merge(&mut self, other: Self) {
        self.filled += other.filled;
        self.has_more |= other.has_more;
        for (hash, theirs) in other.values {
            let ours = self.values.entry(hash).or_insert_with(|| Value {
                count: 0,
                ..theirs.clone()
            });
            ours.count += theirs.count;
            ours.first = ours.first.min(theirs.first);
        }
        self.limit();
    }

    fn limit(&mut self) {
        self.has_more |= self.values.len() > MAX_DISTINCT;
        if self.has_more && self.values.len() > SAMPLES {
            let mut firsts: Vec<Ordinal> = self.values.values().map(|value| value.first).collect();
            firsts.sort_unstable();
            let last = firsts[SAMPLES - 1];
            self.values.retain(|_, value| value.first <= last);
        }
    }

    /// The distinct values, the most frequent first; none where there are more
    /// than this many, or where one is longer than this many bytes.
    pub(crate) fn values(&self, most: usize, longest: usize) -> Option<Vec<&str>> {
        let is_long = |value: &Value| value.text.len() > longest;
        if self.has_more || self.values.len() > most || self.values.values().any(is_long) {
            return None;
        }
        let mut values: Vec<&Value> = self.values.values().collect();
        values.sort_by(|a, b| b.count.cmp(&a.count).then(a.text.cmp(&b.text)));
        Some(values.into_iter().map(|value| &*value.text).collect())
    }

    fn summary(self, column: Box<str>) -> ColumnSummary {
        let distinct = if self.has_more {
            MAX_DISTINCT
        } else {
            self.values.len()
        };
        let mut values: Vec<Value> = self.values.into_values().collect();
        values.sort_by_key(|value| value.first);
        values.truncate(SAMPLES);
        ColumnSummary {
            confidential: looks_confidential(&column),
            column,
            filled: self.filled,
            distinct,
            more_distinct: self.has_more,
            samples: values.into_iter().map(|value| value.text).collect(),
        }
    }
}

/// A hash by which equal values are found, within one process.
pub(crate) fn hash_of(text: &str) -> u64 {
    FixedState::default().hash_one(text.as_bytes())
}

/// All columns in the order in which they appeared, as one worker saw them.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnProfiles {
    columns: IndexMap<Box<str>, ColumnProfile>,
    /// The state of the file's columns that `slots` belongs to.
    bound: ColumnsVersion,
    /// Where each column of the file is in `columns`.
    slots: Vec<usize>,
}

impl ColumnProfiles {
    pub(super) fn add(&mut self, record: &Record<'_>) {
        let version = record.columns.version();
        if self.bound != version {
            self.bound = version;
            let slots = record.columns.names().map(|name| {
                let entry = self.columns.entry(name.into());
                let slot = entry.index();
                entry.or_default();
                slot
            });
            self.slots = slots.collect();
        }
        let ordinal = (record.place.file.0, record.place.index);
        for (&slot, cell) in self.slots.iter().zip(record.cells) {
            if !cell.is_blank() {
                self.columns[slot].add(ordinal, cell.text);
            }
        }
    }

    /// Adds what another worker counted.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, theirs) in other.columns {
            self.columns.entry(name).or_default().merge(theirs);
        }
    }

    pub(super) fn summaries(self) -> Vec<ColumnSummary> {
        let columns = self.columns.into_iter();
        columns.map(|(name, column)| column.summary(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, Columns, FileId, Place};

    fn add(profiles: &mut ColumnProfiles, columns: &Columns, index: u64, cells: &[&str]) {
        let cells: Vec<Cell<'_>> = cells.iter().copied().map(Cell::text).collect();
        profiles.add(&Record {
            place: Place {
                file: FileId(0),
                line: index + 2,
                row: None,
                index,
            },
            columns,
            cells: &cells,
            json: None,
        });
    }

    #[test]
    fn two_workers_find_what_one_would() {
        let columns = Columns::from_names(["State", "Id"]);
        let mut alone = ColumnProfiles::default();
        let mut pair = [ColumnProfiles::default(), ColumnProfiles::default()];
        for index in 0..3_000_u64 {
            let id = index.to_string();
            let state = ["NV", "", "CA", " NV"][(index % 4) as usize];
            add(&mut alone, &columns, index, &[state, &id]);
            let worker = (index / 7 % 2) as usize;
            add(&mut pair[worker], &columns, index, &[state, &id]);
        }
        let [mut one, other] = pair;
        one.merge(other);
        assert_eq!(one.columns[0].values(2, 2).unwrap(), ["NV", "CA"]);
        assert_eq!(one.columns[0].values(1, 2), None);
        assert_eq!(one.columns[0].values(2, 1), None);
        let joined = one.summaries();
        assert_eq!(joined, alone.summaries());
        assert_eq!((joined[0].filled, joined[0].distinct), (2_250, 2));
        assert_eq!((joined[1].distinct, joined[1].more_distinct), (1_000, true));
        assert_eq!(joined[1].samples, ["0", "1", "2", "3"].map(Box::from));
    }
}
