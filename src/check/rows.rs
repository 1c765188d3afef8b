//! What is kept of every valid case, and the duplicates found by it.
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

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a worker tells of one valid case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) key: Digest,
    pub(super) payload: u64,
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

/// Cases that share something, by their numbers in the input's order.
pub(super) type Group = Vec<u32>;

/// All valid cases of the input.
#[derive(Debug, Default)]
pub(super) struct Rows {
    places: Vec<u64>,
    indexes: Indexes,
    payloads: Vec<u64>,
    keys: Vec<Keyed>,
    folded: Vec<Hashed>,
    people: [Vec<Hashed>; 2],
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
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds the next case; none past the largest number.
    pub(super) fn push(&mut self, row: &Row) -> Option<u32> {
        let number = u32::try_from(self.places.len())
            .ok()
            .filter(|&number| number != u32::MAX)?;
        self.places
            .push(u64::from(row.place.file.0) << 48 | row.place.line);
        self.indexes.push(number, row.place.index);
        self.payloads.push(row.payload);
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

    /// Where a case stands.
    pub(super) fn place(&self, number: u32) -> Place {
        let packed = self.places[number as usize];
        Place {
            file: FileId((packed >> 48) as u16),
            line: packed & ((1 << 48) - 1),
            index: self.indexes.get(number),
        }
    }

    /// Whether two cases have one payload and firm.
    pub(super) fn same_payload(&self, one: u32, other: u32) -> bool {
        self.payloads[one as usize] == self.payloads[other as usize]
    }

    /// Groups of cases with one key.
    pub(super) fn same_keys(&mut self) -> Vec<Group> {
        self.keys.sort_unstable();
        groups(
            &self.keys,
            |a, b| (a.high, a.low) == (b.high, b.low),
            |row| row.number,
        )
    }

    /// Groups of cases whose keys differ in letter case or leading zeros only.
    /// To be asked behind [`Self::same_keys`], which sorts the keys.
    pub(super) fn similar_keys(&mut self) -> Vec<Group> {
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
    pub(super) fn same_people(&mut self) -> Vec<Group> {
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
        let runs = self
            .keys
            .chunk_by(|a, b| (a.high, a.low) == (b.high, b.low));
        for (rank, run) in (0..).zip(runs) {
            for key in run {
                distinct[key.number as usize] = rank;
            }
        }
        distinct
    }

    /// Keeps the groups that are of more than one key.
    fn of_several_keys(&self, mut groups: Vec<Group>) -> Vec<Group> {
        if !groups.is_empty() {
            let keys = self.distinct_keys();
            let key = |number: u32| keys[number as usize];
            groups.retain(|group| group.iter().any(|&number| key(number) != key(group[0])));
        }
        groups
    }

    /// Leaves out the cases of duplicate groups: of equal rows the first may
    /// go, of different rows none.
    pub(super) fn exclude(&self, groups: &[Group]) -> Excluded {
        let mut excluded = HashSet::new();
        for group in groups {
            let equal = group
                .iter()
                .all(|&number| self.same_payload(group[0], number));
            excluded.extend(group.iter().skip(usize::from(equal)));
        }
        Excluded(excluded)
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
mod tests {
    use super::*;

    fn row(line: u64, key: &str, payload: u64) -> Row {
        Row {
            place: Place {
                file: FileId(0),
                line,
                index: line - 2,
            },
            key: Digest::of(key.as_bytes()),
            payload,
            folded: Some(Digest::of(key.to_uppercase().as_bytes()).short())
                .filter(|_| key != key.to_uppercase()),
            person: [Some(7), None],
        }
    }

    fn rows(rows: &[(&str, u64)]) -> Rows {
        let mut all = Rows::default();
        for (line, (key, payload)) in (2..).zip(rows) {
            all.push(&row(line, key, *payload)).unwrap();
        }
        all
    }

    #[test]
    fn equal_rows_leave_the_first_and_different_rows_none() {
        let mut all = rows(&[("A", 1), ("B", 2), ("A", 1), ("B", 3), ("C", 4), ("A", 1)]);
        let groups = all.same_keys();
        assert_eq!(groups, [vec![0, 2, 5], vec![1, 3]]);
        let excluded = all.exclude(&groups);
        let out: Vec<u32> = (0..6).filter(|&number| excluded.contains(number)).collect();
        assert_eq!(out, [1, 2, 3, 5]);
        assert_eq!(all.place(5).line, 7);
        assert_eq!(all.place(5).index, 5);
    }

    #[test]
    fn similar_keys_are_those_that_fold_to_one() {
        let mut all = rows(&[("A1", 1), ("a1", 2), ("b", 3), ("B2", 4), ("A1", 1)]);
        all.same_keys();
        assert_eq!(all.similar_keys(), [vec![0, 1, 4]]);
    }

    #[test]
    fn one_person_under_several_keys_is_a_group() {
        let mut all = rows(&[("A", 1), ("A", 1)]);
        all.same_keys();
        assert!(all.same_people().is_empty(), "one key is a duplicate key");
        let mut all = rows(&[("A", 1), ("B", 1)]);
        all.same_keys();
        assert_eq!(all.same_people(), [vec![0, 1]]);
    }
}
