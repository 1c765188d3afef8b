//! What each column looks like, so that a person sees a wrong one at a glance.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault};

use foldhash::fast::FixedState;

use crate::mapping::looks_confidential;
use crate::model::{ColumnSummary, Columns, Record};

/// Distinct values are counted up to here.
const MOST_DISTINCT: usize = 1_000;
/// Values that are shown of a column.
const SAMPLES: usize = 4;
/// A sample is cut here when it is kept; a summary may be much longer.
const LONGEST_SAMPLE: usize = 200;

/// One column, as one worker saw it.
#[derive(Debug, Clone, Default)]
struct ColumnProfile {
    filled: u64,
    distinct: HashSet<u64, BuildHasherDefault<Unhashed>>,
    more: bool,
    last: u64,
    /// With the record's place among all, so that workers can be joined.
    samples: Vec<((u16, u64), Box<str>)>,
}

/// The values are hashes already.
#[derive(Debug, Clone, Default)]
struct Unhashed(u64);

impl std::hash::Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// All columns, as one worker saw them.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnProfiles {
    columns: Met,
    bound: Option<(u64, usize)>,
    /// Where the columns of the file at hand stand in `seen`.
    slots: Vec<usize>,
    hasher: FixedState,
}

/// Names in the order in which they were met, with what was seen of each.
#[derive(Debug, Clone, Default)]
struct Met {
    names: Vec<Box<str>>,
    seen: Vec<ColumnProfile>,
}

impl Met {
    fn slot(&mut self, name: &str) -> usize {
        if let Some(slot) = self.names.iter().position(|known| **known == *name) {
            return slot;
        }
        self.names.push(name.into());
        self.seen.push(ColumnProfile::default());
        self.names.len() - 1
    }
}

impl ColumnProfiles {
    pub(super) fn observe(&mut self, record: &Record<'_>) {
        self.bind(record.columns);
        let ordinal = (record.place.file.0, record.place.index);
        for (&slot, cell) in self.slots.iter().zip(record.cells) {
            if cell.is_blank() {
                continue;
            }
            let seen = &mut self.columns.seen[slot];
            seen.filled += 1;
            if seen.more {
                continue;
            }
            let hash = self.hasher.hash_one(cell.text.as_bytes());
            if hash == seen.last || !seen.distinct.insert(hash) {
                seen.last = hash;
                continue;
            }
            seen.last = hash;
            if seen.samples.len() < SAMPLES {
                seen.samples.push((ordinal, cut(cell.text).into()));
            }
            if seen.distinct.len() > MOST_DISTINCT {
                seen.more = true;
                seen.distinct = HashSet::default();
            }
        }
    }

    fn bind(&mut self, columns: &Columns) {
        let state = Some((columns.id(), columns.len()));
        if self.bound != state {
            self.bound = state;
            self.slots = columns
                .names()
                .map(|name| self.columns.slot(name))
                .collect();
        }
    }

    /// Joins what another worker saw.
    pub(super) fn merge(&mut self, other: Self) {
        self.bound = None;
        for (name, theirs) in other.columns.names.iter().zip(other.columns.seen) {
            let slot = self.columns.slot(name);
            let ours = &mut self.columns.seen[slot];
            ours.filled += theirs.filled;
            ours.more |= theirs.more;
            ours.distinct.extend(theirs.distinct);
            ours.samples.extend(theirs.samples);
        }
    }

    pub(super) fn summaries(self) -> Vec<ColumnSummary> {
        self.columns
            .names
            .into_iter()
            .zip(self.columns.seen)
            .map(|(column, mut seen)| {
                seen.samples.sort();
                let mut samples: Vec<Box<str>> = Vec::new();
                for (_, sample) in seen.samples {
                    if samples.len() < SAMPLES && !samples.contains(&sample) {
                        samples.push(sample);
                    }
                }
                let more = seen.more || seen.distinct.len() > MOST_DISTINCT;
                ColumnSummary {
                    confidential: looks_confidential(&column),
                    column,
                    filled: seen.filled,
                    distinct: if more {
                        MOST_DISTINCT
                    } else {
                        seen.distinct.len()
                    },
                    more_distinct: more,
                    samples,
                }
            })
            .collect()
    }
}

fn cut(text: &str) -> &str {
    let text = text.trim();
    &text[..text.floor_char_boundary(LONGEST_SAMPLE)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, FileId, Place};

    fn see(fields: &mut ColumnProfiles, columns: &Columns, index: u64, cells: &[&str]) {
        let cells: Vec<Cell<'_>> = cells.iter().copied().map(Cell::text).collect();
        fields.observe(&Record {
            place: Place {
                file: FileId(0),
                line: index + 2,
                index,
            },
            columns,
            cells: &cells,
            json: None,
        });
    }

    #[test]
    fn two_workers_see_what_one_would() {
        let columns = Columns::from_names(["State", "Id"]);
        let mut alone = ColumnProfiles::default();
        let mut pair = [ColumnProfiles::default(), ColumnProfiles::default()];
        for index in 0..3_000_u64 {
            let id = index.to_string();
            let state = ["NV", "", "CA", "NV"][(index % 4) as usize];
            see(&mut alone, &columns, index, &[state, &id]);
            let worker = (index / 7 % 2) as usize;
            see(&mut pair[worker], &columns, index, &[state, &id]);
        }
        let [mut one, other] = pair;
        one.merge(other);
        let joined = one.summaries();
        assert_eq!(joined, alone.summaries());
        assert_eq!((joined[0].filled, joined[0].distinct), (2_250, 2));
        assert_eq!((joined[1].distinct, joined[1].more_distinct), (1_000, true));
        assert_eq!(joined[1].samples, ["0", "1", "2", "3"].map(Box::from));
    }
}
