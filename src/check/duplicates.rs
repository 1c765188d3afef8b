//! What is kept of every record with a key, and the duplicates found by it: the
//! same key, the same content, similar keys, and the same person under two keys.
//!
//! Tables of 1,000,000 rows are sorted, not hashed: a sort goes through memory
//! in order. Only groups of equal hashes are looked at.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::person_match::{PersonRow, PersonTable};
use crate::model::{FileId, Foldings, Key, Place, is_surely_folded};

/// What a worker found out about one record that has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordRow {
    pub(super) place: Place,
    pub(super) key: u128,
    /// None for an invalid record.
    pub(super) content: Option<ContentHash>,
    /// Of the folded key, where folding makes a difference.
    pub(super) folded: Option<u64>,
    pub(super) person: Option<PersonRow>,
}

impl RecordRow {
    /// A row of a record, invalid so far, whose person has these lines.
    pub(super) fn new(place: Place, key: &str, person: &str) -> Self {
        Self {
            place,
            key: hash_of_key(key),
            content: None,
            folded: folded_key(key),
            person: PersonRow::new(person),
        }
    }
}

/// A hash of payload and firm without the key's fields. Its lowest bit says
/// whether there is any other field; it is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentHash(u64);

impl ContentHash {
    pub(super) fn new(content: &str, has_fields: bool) -> Self {
        let hash = FixedState::default().hash_one(content);
        Self((hash | 3) ^ u64::from(!has_fields))
    }
}

impl Exclusions {
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.conflicting.contains(&number) || self.repeated.contains(&number)
    }
}

/// A hash in the upper 96 bits and the record's number in the lower 32: sorting
/// brings equal hashes together.
type Hashed = u128;

fn hashed(hash: u64, number: u32) -> Hashed {
    Hashed::from(hash) << 64 | Hashed::from(number)
}

fn number_of(row: Hashed) -> u32 {
    row as u32
}

fn is_same_hash(a: &Hashed, b: &Hashed) -> bool {
    a >> 32 == b >> 32
}

/// Records that share something, by their numbers in the order of the input.
pub(super) type Group = Vec<u32>;

/// All groups of an input.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) same_key: Vec<Group>,
    /// All but the key is the same.
    pub(super) same_content: Vec<Group>,
    /// Keys that are one key when they are folded.
    pub(super) similar_keys: Vec<Group>,
    /// Probably one case under several keys.
    pub(super) same_person: Vec<Group>,
    /// The foldings that alone merge two of the keys.
    pub(super) merging: Foldings,
}

/// Valid cases and others that are not sent, because of others in the input.
#[derive(Debug, Default)]
pub(crate) struct Exclusions {
    /// Their key is also that of a different record, or of an invalid one:
    /// nobody knows which of them the case is.
    pub(crate) conflicting: HashSet<u32>,
    /// They repeat a case, or with `--strict` may do so.
    pub(crate) repeated: HashSet<u32>,
}

/// All records of the input that have a key, numbered in its order.
#[derive(Debug, Default)]
pub(super) struct RecordTable {
    /// The number of each file's first record.
    files: Vec<(u32, FileId)>,
    /// Line, row (0 is none) and index.
    places: Vec<[u32; 3]>,
    /// Of [`ContentHash`]; 0 for an invalid record.
    contents: Vec<u64>,
    /// In the order of the records, until groups are looked for.
    keys: Vec<Hashed>,
    folded: Vec<Hashed>,
    pub(super) people: PersonTable,
    /// The keys' texts, a line each, in pieces with the number of the first record.
    key_texts: Vec<(u32, Box<str>)>,
}

impl RecordTable {
    pub(super) fn len(&self) -> u32 {
        self.places.len() as u32
    }

    /// How many are valid cases.
    pub(super) fn valid(&self) -> u64 {
        let valid = self.contents.iter().filter(|&&content| content != 0);
        valid.count() as u64
    }

    /// Adds the next records with the texts of their keys, a line each; none past
    /// the largest number.
    pub(super) fn append(&mut self, rows: &[RecordRow], keys: &str) -> Option<()> {
        self.key_texts.push((self.len(), keys.into()));
        for row in rows {
            let number = u32::try_from(self.places.len()).ok()?;
            let file = row.place.file;
            if self.files.last().is_none_or(|(_, last)| *last != file) {
                self.files.push((number, file));
            }
            let fits = |position: u64| u32::try_from(position).unwrap_or(u32::MAX);
            // No row is 0.
            let in_sheet = row.place.row.unwrap_or_default();
            self.places
                .push([row.place.line, in_sheet, row.place.index].map(fits));
            self.contents.push(row.content.map_or(0, |hash| hash.0));
            let hash = row.key >> 32 << 32;
            self.keys.push(hash | Hashed::from(number));
            self.folded
                .extend(row.folded.map(|hash| hashed(hash, number)));
            self.people.add(number, row.person);
        }
        Some(())
    }

    pub(super) fn place(&self, number: u32) -> Place {
        let file = self.files.partition_point(|(first, _)| *first <= number) - 1;
        let [line, row, index] = self.places[number as usize];
        Place {
            file: self.files[file].1,
            line: line.into(),
            row: (row > 0).then_some(row.into()),
            index: index.into(),
        }
    }

    /// The number of the record at a place.
    pub(super) fn number_at(&self, place: Place) -> Option<u32> {
        let file = self
            .files
            .iter()
            .position(|(_, file)| *file == place.file)?;
        let first = self.files[file].0 as usize;
        let end = (self.files.get(file + 1)).map_or(self.places.len(), |(next, _)| *next as usize);
        let places = &self.places[first..end];
        let found = places.binary_search_by_key(&place.index, |[_, _, index]| u64::from(*index));
        found.ok().map(|position| (first + position) as u32)
    }

    pub(super) fn key(&self, number: u32) -> Option<Key> {
        let piece = self
            .key_texts
            .partition_point(|(first, _)| *first <= number)
            - 1;
        let (first, texts) = &self.key_texts[piece];
        let text = texts.lines().nth((number - first) as usize)?;
        (!text.is_empty()).then(|| Key::from_canonical(text))
    }

    pub(super) fn is_valid(&self, number: u32) -> bool {
        self.contents[number as usize] != 0
    }

    /// Whether the records of a group, which have one key, are valid and have
    /// one payload and firm.
    pub(super) fn are_equal(&self, group: &[u32]) -> bool {
        let content = |number: u32| self.contents[number as usize];
        let first = content(group[0]);
        first != 0 && group.iter().all(|&number| content(number) == first)
    }

    /// All groups, once all records are there.
    pub(super) fn groups(&mut self) -> Groups {
        let of_several_keys = |mut groups: Vec<Group>| {
            let key = |number: u32| self.keys[number as usize] >> 32;
            groups.retain(|group| group.iter().any(|&number| key(number) != key(group[0])));
            groups
        };
        let same_content = of_several_keys(self.same_content());
        let same_person = of_several_keys(self.people.groups());
        let same_key = groups(&mut self.keys);
        let mut similar_keys = self.similar_keys();
        let mut merging = Foldings::default();
        similar_keys.retain(|group| {
            // Most groups have one key only.
            if group.len() == 1 || same_key.binary_search(group).is_ok() {
                return false;
            }
            let keys = group.iter().filter_map(|&number| self.key(number));
            let keys: Vec<Key> = keys.collect();
            merging = merging | Foldings::that_merge(&keys);
            (keys.iter()).any(|key| key.is_similar(&keys[0], Foldings::ALL))
        });
        Groups {
            same_key,
            same_content,
            similar_keys,
            same_person,
            merging,
        }
    }

    /// Valid records with the same fields beside the key, and the same firm.
    fn same_content(&self) -> Vec<Group> {
        const HAS_FIELDS: u64 = 1;
        let contents = self.contents.iter().zip(0..);
        let mut contents: Vec<Hashed> = contents
            .filter(|(content, _)| **content & HAS_FIELDS != 0)
            .map(|(content, number)| hashed(*content, number))
            .collect();
        groups(&mut contents)
    }

    /// Looks into the sorted keys.
    fn similar_keys(&mut self) -> Vec<Group> {
        self.folded.sort_unstable();
        let mut found = Vec::new();
        for run in self.folded.chunk_by(is_same_hash) {
            let hash = run[0] >> 64;
            // A key that is its own folded form is among the keys only.
            let plain = self.keys.partition_point(|key| key >> 64 < hash);
            let plain = self.keys[plain..]
                .iter()
                .take_while(|key| **key >> 64 == hash);
            let equal = run.iter().chain(plain).copied();
            let mut group: Group = equal.map(number_of).collect();
            group.sort_unstable();
            group.dedup();
            found.push(group);
        }
        found.sort_unstable();
        found
    }

    /// What must not be sent: of equal cases all but the first, of different ones
    /// all, and all beside an invalid record. With `strict`, no possible duplicate
    /// is sent either.
    pub(super) fn exclude(&self, groups: &Groups, strict: bool) -> Exclusions {
        let (equal, different): (Vec<_>, Vec<_>) = groups
            .same_key
            .iter()
            .partition(|group| self.are_equal(group));
        let repeated = equal.into_iter().chain(&groups.same_content);
        let possible = groups.similar_keys.iter().chain(&groups.same_person);
        let possible = possible.filter(|_| strict).flatten();
        Exclusions {
            conflicting: different.into_iter().flatten().copied().collect(),
            repeated: (repeated
                .flat_map(|group| &group[1..])
                .chain(possible)
                .copied())
            .collect(),
        }
    }

    /// How many valid cases are left.
    pub(super) fn valid_beside(&self, excluded: &Exclusions) -> u64 {
        let all = excluded.conflicting.union(&excluded.repeated);
        self.valid() - all.filter(|number| self.is_valid(**number)).count() as u64
    }
}

/// Sorts a table; its runs of two and more equal hashes, in the order of the
/// input.
fn groups(table: &mut [Hashed]) -> Vec<Group> {
    table.sort_unstable();
    let runs = table.chunk_by(is_same_hash).filter(|run| run.len() > 1);
    let mut groups: Vec<Group> = runs
        .map(|run| run.iter().copied().map(number_of).collect())
        .collect();
    groups.sort_unstable();
    groups
}

/// The same in every thread. One half alone is too short to tell keys apart.
fn hash_of_key(key: &str) -> u128 {
    let [high, low] = [0, 1].map(|seed| FixedState::with_seed(seed).hash_one(key));
    u128::from(high) << 64 | u128::from(low)
}

/// A hash of the folded key, where it is another one. Compares with a plain
/// key's hash.
fn folded_key(key: &str) -> Option<u64> {
    if is_surely_folded(key) {
        return None;
    }
    let folded = Key::from_canonical(key).folded(Foldings::ALL);
    (folded != key).then(|| (hash_of_key(&folded) >> 64) as u64)
}

#[cfg(test)]
mod tests;
