//! What is kept of every record with a key, and the duplicates found by it.
//!
//! Tables of 1,000,000 rows are sorted, not hashed: a sort goes through memory
//! in order. Only groups of equal hashes are looked at.

use std::collections::HashSet;

use crate::model::{Digest, FileId, Place};

/// Valid cases that may not go out, by their number among the valid.
#[derive(Debug, Clone, Default)]
pub struct Excluded(HashSet<u32>);

impl Excluded {
    /// Whether the case of this number stays behind.
    pub fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Leaves out the valid cases of a group.
    pub(super) fn leave_out(&mut self, group: &[u32]) {
        let valid = group
            .iter()
            .copied()
            .filter(|&number| Rows::is_valid(number));
        self.0.extend(valid);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a worker tells of one record that has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) key: Digest,
    /// Of payload and firm; none for a record that is no case.
    pub(super) payload: Option<u64>,
    /// Of the key with letter case and leading zeros folded away, where that
    /// makes a difference.
    pub(super) folded: Option<u64>,
    /// Of the person's name with phone and incident date, or with e-mail.
    pub(super) person: [Option<u64>; 2],
}

/// 96 bits of a key's digest and the case's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed {
    high: u64,
    low: u32,
    number: u32,
}

/// A 64-bit hash and the case's number, in 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hashed {
    high: u32,
    low: u32,
    number: u32,
}

impl Hashed {
    fn new(hash: u64, number: u32) -> Self {
        Self {
            high: (hash >> 32) as u32,
            low: hash as u32,
            number,
        }
    }
}

/// Records that share something, by their numbers in the input's order.
pub(super) type Group = Vec<u32>;

/// All groups of an input.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Of one key.
    pub(super) same_key: Vec<Group>,
    /// Of keys that differ in letter case or leading zeros only.
    pub(super) similar_keys: Vec<Group>,
    /// Of one person and incident under several keys.
    pub(super) same_person: Vec<Group>,
}

/// Numbers from here on are of records that are no cases: valid cases count
/// among themselves.
const INVALID: u32 = 1 << 31;

/// All records of the input that have a key.
#[derive(Debug, Default)]
pub(super) struct Rows {
    valid: Places,
    invalid: Places,
    /// Of the valid ones.
    payloads: Vec<u64>,
    keys: Vec<Keyed>,
    folded: Vec<Hashed>,
    people: [Vec<Hashed>; 2],
}

/// Where records stand, by their number.
#[derive(Debug, Default)]
struct Places {
    lines: Vec<u64>,
    indexes: Indexes,
}

impl Places {
    /// Adds the next record; none past the largest number.
    fn push(&mut self, place: Place) -> Option<u32> {
        let number = u32::try_from(self.lines.len())
            .ok()
            .filter(|&number| number < INVALID)?;
        self.lines.push(u64::from(place.file.0) << 48 | place.line);
        self.indexes.push(number, place.index);
        Some(number)
    }

    fn get(&self, number: u32) -> Place {
        let packed = self.lines[number as usize];
        Place {
            file: FileId((packed >> 48) as u16),
            line: packed & ((1 << 48) - 1),
            index: self.indexes.get(number),
        }
    }
}

/// Positions among a file's records, kept apart from lines because several
/// JSON records can stand in one line. Most files have one record a position,
/// so only the gaps are kept.
#[derive(Debug, Default)]
struct Indexes(Vec<(u32, u64)>);

impl Indexes {
    fn push(&mut self, number: u32, index: u64) {
        let expected = self
            .0
            .last()
            .map(|&(from, first)| first + u64::from(number - from));
        if expected != Some(index) {
            self.0.push((number, index));
        }
    }

    fn get(&self, number: u32) -> u64 {
        let behind = self.0.partition_point(|&(from, _)| from <= number);
        behind
            .checked_sub(1)
            .map_or(0, |at| self.0[at].1 + u64::from(number - self.0[at].0))
    }
}

impl Rows {
    /// How many are valid cases.
    pub(super) fn valid(&self) -> usize {
        self.payloads.len()
    }

    /// Adds the next record; none past the largest number.
    pub(super) fn push(&mut self, row: &Row) -> Option<u32> {
        let number = if let Some(payload) = row.payload {
            let number = self.valid.push(row.place)?;
            self.payloads.push(payload);
            number
        } else {
            self.invalid.push(row.place)? | INVALID
        };
        let key = row.key.0;
        self.keys.push(Keyed {
            high: row.key.short(),
            low: u32::from_be_bytes([key[8], key[9], key[10], key[11]]),
            number,
        });
        if let Some(folded) = row.folded {
            self.folded.push(Hashed::new(folded, number));
        }
        for (people, person) in self.people.iter_mut().zip(row.person) {
            people.extend(person.map(|hash| Hashed::new(hash, number)));
        }
        Some(number)
    }

    /// Where a record stands.
    pub(super) fn place(&self, number: u32) -> Place {
        if number < INVALID {
            self.valid.get(number)
        } else {
            self.invalid.get(number - INVALID)
        }
    }

    /// Whether a record is a valid case.
    pub(super) fn is_valid(number: u32) -> bool {
        number < INVALID
    }

    /// Whether the records of a group are valid and have one payload and firm.
    pub(super) fn are_equal(&self, group: &[u32]) -> bool {
        let payload = |number: &u32| self.payloads.get(*number as usize);
        group
            .iter()
            .all(|number| payload(number).is_some() && payload(number) == payload(&group[0]))
    }

    /// All groups. To be asked once.
    pub(super) fn groups(&mut self) -> Groups {
        // In this order: the other two look into the sorted keys.
        Groups {
            same_key: self.same_keys(),
            similar_keys: self.similar_keys(),
            same_person: self.same_people(),
        }
    }

    /// Groups of cases with one key.
    fn same_keys(&mut self) -> Vec<Group> {
        self.keys.sort_unstable();
        groups(
            &self.keys,
            |a, b| (a.high, a.low) == (b.high, b.low),
            |row| row.number,
        )
    }

    /// Groups of cases whose keys differ in letter case or leading zeros only.
    /// To be asked behind [`Self::same_keys`], which sorts the keys.
    fn similar_keys(&mut self) -> Vec<Group> {
        self.folded.sort_unstable();
        let mut found = Vec::new();
        for run in self
            .folded
            .chunk_by(|a, b| (a.high, a.low) == (b.high, b.low))
        {
            let hash = u64::from(run[0].high) << 32 | u64::from(run[0].low);
            let mut group: Group = run.iter().map(|row| row.number).collect();
            // A key that is its own folded form stands among the keys only.
            let plain = self.keys.partition_point(|key| key.high < hash);
            group.extend(
                self.keys[plain..]
                    .iter()
                    .take_while(|key| key.high == hash)
                    .map(|key| key.number),
            );
            group.sort_unstable();
            group.dedup();
            found.push(group);
        }
        found.sort_unstable();
        self.of_several_keys(found)
    }

    /// Groups of cases of one person and incident under several keys.
    fn same_people(&mut self) -> Vec<Group> {
        let mut found = Vec::new();
        for mut people in std::mem::take(&mut self.people) {
            people.sort_unstable();
            let same = |a: &Hashed, b: &Hashed| (a.high, a.low) == (b.high, b.low);
            found.extend(groups(&people, same, |row| row.number));
        }
        found.sort_unstable();
        found.dedup();
        self.of_several_keys(found)
    }

    /// Which of the distinct keys each case has, by the case's number. Keys
    /// are sorted away from their numbers, so this leads back.
    fn distinct_keys(&self) -> Vec<u32> {
        let mut distinct = vec![0; self.keys.len()];
        let valid = self.valid();
        let runs = self
            .keys
            .chunk_by(|a, b| (a.high, a.low) == (b.high, b.low));
        for (rank, run) in (0..).zip(runs) {
            for key in run {
                distinct[Self::dense(key.number, valid)] = rank;
            }
        }
        distinct
    }

    /// A place in a table of all records, the valid ones first.
    fn dense(number: u32, valid: usize) -> usize {
        if number < INVALID {
            number as usize
        } else {
            valid + (number - INVALID) as usize
        }
    }

    /// Keeps the groups that are of more than one key.
    fn of_several_keys(&self, mut groups: Vec<Group>) -> Vec<Group> {
        if !groups.is_empty() {
            let keys = self.distinct_keys();
            let key = |number: u32| keys[Self::dense(number, self.valid())];
            groups.retain(|group| group.iter().any(|&number| key(number) != key(group[0])));
        }
        groups
    }

    /// Leaves out duplicates: of equal cases the first may go, of different
    /// ones none, and none beside a record that is no case. If `strict`, none
    /// that is under suspicion goes either.
    pub(super) fn exclude(&self, groups: &Groups, strict: bool) -> Excluded {
        let mut excluded = Excluded::default();
        for group in &groups.same_key {
            excluded.leave_out(&group[usize::from(self.are_equal(group))..]);
        }
        if strict {
            for group in groups.similar_keys.iter().chain(&groups.same_person) {
                excluded.leave_out(group);
            }
        }
        excluded
    }
}

/// Runs of two and more equal rows of a sorted table, in the input's order.
fn groups<T>(
    sorted: &[T],
    same: impl Fn(&T, &T) -> bool,
    number: impl Fn(&T) -> u32,
) -> Vec<Group> {
    let mut groups: Vec<Group> = sorted
        .chunk_by(|a, b| same(a, b))
        .filter(|run| run.len() > 1)
        .map(|run| {
            let mut group: Group = run.iter().map(&number).collect();
            group.sort_unstable();
            group
        })
        .collect();
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests;
