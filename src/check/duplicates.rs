//! What is kept of every record with a key, and the duplicates found by it.
//!
//! Tables of 1,000,000 rows are sorted, not hashed: a sort goes through memory
//! in order. Only groups of equal hashes are looked at.

use std::collections::HashSet;

use crate::model::{Digest, FileId, Key, Place};

/// Valid cases that must not be sent, by their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excluded(HashSet<u32>);

impl Excluded {
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a worker found out about one record that has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordRow {
    pub(super) place: Place,
    pub(super) key: Digest,
    /// Where the key's text ends in the batch's; it begins after the one before.
    pub(super) key_end: u32,
    /// Of payload and firm; none for an invalid record.
    pub(super) payload: Option<u64>,
    /// Of the key with letter case and leading zeros folded away, where that
    /// makes a difference.
    pub(super) folded: Option<u64>,
    /// Of the person's name with phone and incident date, or with e-mail.
    pub(super) person: [Option<u64>; 2],
}

/// A hash and the record's number, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hashed<const N: usize> {
    hash: [u32; N],
    number: u32,
}

impl Hashed<2> {
    fn new(hash: u64, number: u32) -> Self {
        Self {
            hash: halves(hash),
            number,
        }
    }
}

fn halves(hash: u64) -> [u32; 2] {
    [(hash >> 32) as u32, hash as u32]
}

/// Records that share something, by their numbers in the order of the input.
pub(super) type Group = Vec<u32>;

/// All groups of an input.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) same_key: Vec<Group>,
    /// Keys that differ in letter case or leading zeros only.
    pub(super) similar_keys: Vec<Group>,
    /// One person and incident under several keys.
    pub(super) same_person: Vec<Group>,
}

/// All records of the input that have a key, numbered in its order.
#[derive(Debug, Default)]
pub(super) struct RecordTable {
    /// The number of each file's first record.
    files: Vec<(u32, FileId)>,
    /// Line and index.
    places: Vec<(u32, u32)>,
    /// 0 for an invalid record.
    payloads: Vec<u64>,
    keys: Vec<Hashed<3>>,
    folded: Vec<Hashed<2>>,
    people: [Vec<Hashed<2>>; 2],
    key_texts: KeyTexts,
}

/// The texts of keys. Most keys begin like the one before, so only what differs
/// is kept: how many bytes are the same, the others, and [`KeyTexts::END`].
#[derive(Debug, Default)]
struct KeyTexts {
    bytes: Vec<u8>,
    /// Where each block of keys begins; its first is complete.
    blocks: Vec<usize>,
    last: Vec<u8>,
    count: usize,
}

impl KeyTexts {
    /// Not part of any text.
    const END: u8 = 0xFF;
    const BLOCK: usize = 64;

    fn push(&mut self, text: &[u8]) {
        if self.count.is_multiple_of(Self::BLOCK) {
            self.blocks.push(self.bytes.len());
            self.last.clear();
        }
        self.count += 1;
        let pairs = self.last.iter().zip(text);
        let same = pairs.take_while(|(a, b)| a == b).count().min(255);
        self.bytes.push(same as u8);
        self.bytes.extend_from_slice(&text[same..]);
        self.bytes.push(Self::END);
        self.last.clear();
        self.last.extend_from_slice(text);
    }

    fn get(&self, number: usize) -> String {
        let mut rest = &self.bytes[self.blocks[number / Self::BLOCK]..];
        let mut text = Vec::new();
        for _ in 0..=number % Self::BLOCK {
            let end = 1 + memchr::memchr(Self::END, &rest[1..]).unwrap_or(rest.len() - 1);
            text.truncate(rest[0].into());
            text.extend_from_slice(&rest[1..end]);
            rest = &rest[(end + 1).min(rest.len())..];
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

impl RecordTable {
    pub(super) fn len(&self) -> u32 {
        self.places.len() as u32
    }

    /// How many are valid cases.
    pub(super) fn valid(&self) -> u64 {
        self.payloads
            .iter()
            .filter(|&&payload| payload != 0)
            .count() as u64
    }

    /// Adds the next records with the texts of their keys; none past the
    /// largest number.
    pub(super) fn append(&mut self, rows: &[RecordRow], keys: &str) -> Option<()> {
        let mut key_start = 0;
        for row in rows {
            let number = u32::try_from(self.places.len()).ok()?;
            if self
                .files
                .last()
                .is_none_or(|(_, file)| *file != row.place.file)
            {
                self.files.push((number, row.place.file));
            }
            let fits = |position: u64| u32::try_from(position).unwrap_or(u32::MAX);
            self.places
                .push((fits(row.place.line), fits(row.place.index)));
            self.payloads
                .push(row.payload.map_or(0, |hash| hash.max(1)));
            let key_end = row.key_end as usize;
            self.key_texts.push(&keys.as_bytes()[key_start..key_end]);
            key_start = key_end;
            let key = row.key.0;
            let low = u32::from_be_bytes([key[8], key[9], key[10], key[11]]);
            let [high, middle] = halves(row.key.short());
            self.keys.push(Hashed {
                hash: [high, middle, low],
                number,
            });
            self.folded
                .extend(row.folded.map(|hash| Hashed::new(hash, number)));
            for (people, person) in self.people.iter_mut().zip(row.person) {
                people.extend(person.map(|hash| Hashed::new(hash, number)));
            }
        }
        Some(())
    }

    pub(super) fn place(&self, number: u32) -> Place {
        let file = self.files.partition_point(|(first, _)| *first <= number) - 1;
        let (line, index) = self.places[number as usize];
        Place {
            file: self.files[file].1,
            line: line.into(),
            index: index.into(),
        }
    }

    /// A record's key as people write it.
    pub(super) fn key(&self, number: u32) -> Option<String> {
        let text = self.key_texts.get(number as usize);
        (!text.is_empty()).then(|| Key::from_canonical(&text).to_string())
    }

    pub(super) fn is_valid(&self, number: u32) -> bool {
        self.payloads[number as usize] != 0
    }

    /// Whether the records of a group are valid and have one payload and firm.
    pub(super) fn are_equal(&self, group: &[u32]) -> bool {
        let payload = |number: u32| self.payloads[number as usize];
        let first = payload(group[0]);
        first != 0 && group.iter().all(|&number| payload(number) == first)
    }

    /// All groups, once all records are there.
    pub(super) fn groups(&mut self) -> Groups {
        let same_key = groups(&mut self.keys);
        // These look into the sorted keys.
        let similar_keys = self.similar_keys();
        let mut same_person = Vec::new();
        for mut people in std::mem::take(&mut self.people) {
            same_person.extend(groups(&mut people));
        }
        same_person.sort_unstable();
        same_person.dedup();
        Groups {
            same_key,
            similar_keys: self.of_several_keys(similar_keys),
            same_person: self.of_several_keys(same_person),
        }
    }

    fn similar_keys(&mut self) -> Vec<Group> {
        self.folded.sort_unstable();
        let mut found = Vec::new();
        for run in self.folded.chunk_by(|a, b| a.hash == b.hash) {
            let hash = run[0].hash;
            let mut group: Group = run.iter().map(|row| row.number).collect();
            // A key that is its own folded form is among the keys only.
            let plain = self.keys.partition_point(|key| key.hash[..2] < hash[..]);
            let equal = self.keys[plain..]
                .iter()
                .take_while(|key| key.hash[..2] == hash);
            group.extend(equal.map(|key| key.number));
            group.sort_unstable();
            group.dedup();
            found.push(group);
        }
        found.sort_unstable();
        found
    }

    /// Keeps the groups that have more than one key.
    fn of_several_keys(&self, mut groups: Vec<Group>) -> Vec<Group> {
        if !groups.is_empty() {
            // Keys are sorted away from their numbers; this leads back.
            let mut keys = vec![0_u32; self.keys.len()];
            for (key, run) in (0..).zip(self.keys.chunk_by(|a, b| a.hash == b.hash)) {
                for row in run {
                    keys[row.number as usize] = key;
                }
            }
            let key = |number: u32| keys[number as usize];
            groups.retain(|group| group.iter().any(|&number| key(number) != key(group[0])));
        }
        groups
    }

    /// Leaves out duplicates: of equal cases the first may be sent, of
    /// different ones none, and none beside an invalid record. With `strict`,
    /// no possible duplicate is sent either.
    pub(super) fn exclude(&self, groups: &Groups, strict: bool) -> Excluded {
        let same_key = groups
            .same_key
            .iter()
            .map(|group| &group[usize::from(self.are_equal(group))..]);
        let possible = groups.similar_keys.iter().chain(&groups.same_person);
        let possible = possible.filter(|_| strict).map(Vec::as_slice);
        let numbers = same_key.chain(possible).flatten().copied();
        Excluded(numbers.filter(|&number| self.is_valid(number)).collect())
    }
}

/// Sorts a table; its runs of two and more equal hashes, in the order of the
/// input.
fn groups<const N: usize>(table: &mut [Hashed<N>]) -> Vec<Group> {
    table.sort_unstable();
    let mut groups: Vec<Group> = table
        .chunk_by(|a, b| a.hash == b.hash)
        .filter(|run| run.len() > 1)
        .map(|run| run.iter().map(|row| row.number).collect())
        .collect();
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests;
