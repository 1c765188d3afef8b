//! What is kept of every record with a key, and the duplicates found by it: the
//! same key, similar keys, and the same person with the same incident under two
//! keys.
//!
//! Tables of 1,000,000 rows are sorted, not hashed: a sort goes through memory
//! in order. Only groups of equal hashes are looked at.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};

use crate::mapping::names;
use crate::model::{Columns, ColumnsVersion, FileId, Key, Place, Record};

/// What a worker found out about one record that has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordRow {
    pub(super) place: Place,
    pub(super) key: u128,
    /// Where the key's text ends in the batch's; it begins after the one before.
    pub(super) key_end: u32,
    /// Of payload and firm; none for an invalid record.
    pub(super) payload: Option<u64>,
    /// Of the key with letter case and leading zeros folded away, where that
    /// makes a difference.
    pub(super) folded: Option<u64>,
    /// Of the person's name with phone and incident date, or with e-mail.
    pub(super) people: [Option<u64>; 2],
}

impl RecordRow {
    /// A row of a record, invalid so far, whose key's text was just added.
    pub(super) fn new(
        record: &Record<'_>,
        key: &str,
        key_end: usize,
        people: &mut PersonColumns,
    ) -> Self {
        Self {
            place: record.place,
            key: hash_of_key(key),
            key_end: key_end as u32,
            payload: None,
            folded: folded_key(key),
            people: people.hashes(record),
        }
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
    /// Line, row (0 is none) and index.
    places: Vec<[u32; 3]>,
    /// 0 for an invalid record.
    payloads: Vec<u64>,
    keys: Vec<Hashed>,
    folded: Vec<Hashed>,
    people: Vec<Hashed>,
    /// The keys' texts in pieces, each with the number of its first record. Keys
    /// of one piece mostly begin alike: its first line is what they share, and
    /// every other line the rest of one key.
    key_texts: Vec<(u32, Box<str>)>,
}

/// What every key's text ends with.
const KEY_END: &str = "\"]";

/// A piece of [`RecordTable::key_texts`]. A key's text has no line feeds.
fn shorten(rows: &[RecordRow], keys: &str) -> Box<str> {
    let mut start = 0;
    let texts = rows.iter().map(|row| {
        let text = &keys[start..row.key_end as usize];
        start = row.key_end as usize;
        text.strip_suffix(KEY_END).unwrap_or(text)
    });
    let texts: Vec<&str> = texts.collect();
    let first = texts.first().copied().unwrap_or_default();
    let shared = texts.iter().fold(first.len(), |shared, text| {
        let pairs = first[..shared].bytes().zip(text.bytes());
        first.floor_char_boundary(pairs.take_while(|(a, b)| a == b).count())
    });
    let mut piece = first[..shared].to_owned();
    for text in texts {
        piece.push('\n');
        piece.push_str(&text[shared..]);
    }
    piece.into()
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
        self.key_texts.push((self.len(), shorten(rows, keys)));
        for row in rows {
            let number = u32::try_from(self.places.len()).ok()?;
            let file = row.place.file;
            if self.files.last().is_none_or(|(_, last)| *last != file) {
                self.files.push((number, file));
            }
            let fits = |position: u64| u32::try_from(position).unwrap_or(u32::MAX);
            let Place {
                line,
                row: in_sheet,
                index,
                ..
            } = row.place;
            // No row is 0.
            let in_sheet = fits(in_sheet.unwrap_or_default());
            self.places.push([fits(line), in_sheet, fits(index)]);
            self.payloads
                .push(row.payload.map_or(0, |hash| hash.max(1)));
            let hash = row.key >> 32 << 32;
            self.keys.push(hash | Hashed::from(number));
            self.folded
                .extend(row.folded.map(|hash| hashed(hash, number)));
            let people = row.people.into_iter().flatten();
            self.people.extend(people.map(|hash| hashed(hash, number)));
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

    /// A record's key as people write it.
    pub(super) fn key(&self, number: u32) -> Option<String> {
        let piece = self
            .key_texts
            .partition_point(|(first, _)| *first <= number)
            - 1;
        let (first, texts) = &self.key_texts[piece];
        let mut lines = texts.split('\n');
        let text = lines.next()?.to_owned() + lines.nth((number - first) as usize)?;
        (!text.is_empty()).then(|| Key::from_canonical(&(text + KEY_END)).to_string())
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
        // Two records may agree in both hashes.
        let mut same_person = groups(&mut std::mem::take(&mut self.people));
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
        for run in self.folded.chunk_by(is_same_hash) {
            let hash = run[0] >> 64;
            // A key that is its own folded form is among the keys only.
            let plain = self.keys.partition_point(|key| key >> 64 < hash);
            let plain = self.keys[plain..].iter();
            let equal = run
                .iter()
                .chain(plain.take_while(|key| **key >> 64 == hash));
            let mut group: Group = equal.copied().map(number_of).collect();
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
            for (key, run) in (0..).zip(self.keys.chunk_by(is_same_hash)) {
                for &row in run {
                    keys[number_of(row) as usize] = key;
                }
            }
            let key = |number: u32| keys[number as usize];
            groups.retain(|group| group.iter().any(|&number| key(number) != key(group[0])));
        }
        groups
    }

    /// The valid cases that must not be sent: of equal cases all but the
    /// first, of different ones all, and all beside an invalid record. With `strict`,
    /// no possible duplicate is sent either.
    pub(super) fn exclude(&self, groups: &Groups, strict: bool) -> HashSet<u32> {
        let same_key = groups
            .same_key
            .iter()
            .map(|group| &group[usize::from(self.are_equal(group))..]);
        let possible = groups.similar_keys.iter().chain(&groups.same_person);
        let possible = possible.filter(|_| strict).map(Vec::as_slice);
        let numbers = same_key.chain(possible).flatten().copied();
        numbers.filter(|&number| self.is_valid(number)).collect()
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

/// A hash of the key in upper case and without leading zeros, where it is not
/// so already. Compares with a plain key's hash.
fn folded_key(key: &str) -> Option<u64> {
    let bytes = key.as_bytes();
    let plain = !bytes.iter().any(u8::is_ascii_lowercase)
        && key.is_ascii()
        && !bytes
            .windows(2)
            .any(|pair| pair[0] == b'"' && pair[1] == b'0');
    if plain {
        return None;
    }
    let parts = Key::from_canonical(key)
        .parts()
        .into_iter()
        .map(|part| part.to_uppercase().trim_start_matches('0').to_owned());
    let mut folded = String::new();
    Key::write_canonical("", parts, &mut folded);
    Some((hash_of_key(&folded) >> 64) as u64)
}

/// The columns of one file that identify the person of a case.
#[derive(Debug, Default)]
pub(super) struct PersonColumns {
    bound: ColumnsVersion,
    names: Vec<usize>,
    contacts: [Option<usize>; 2],
    date: Option<usize>,
}

impl PersonColumns {
    /// Hashes of name, date and phone, and of name, date and e-mail; none
    /// where one of them is not filled.
    fn hashes(&mut self, record: &Record<'_>) -> [Option<u64>; 2] {
        self.bind(record.columns);
        let date = self.date.map(|column| record.cell(column));
        let Some(date) = date.filter(|date| !date.is_blank()) else {
            return [None, None];
        };
        // The same key in every thread, so that hashes compare.
        let mut hasher = FixedState::default().build_hasher();
        let mut named = false;
        for &column in &self.names {
            named |= hash_letters(record.cell(column).text, &mut hasher);
        }
        if !named {
            return [None, None];
        }
        hash_letters(date.text, &mut hasher);
        self.contacts.map(|column| {
            let mut hasher = hasher.clone();
            // Both are in one table: no phone may pass for an e-mail.
            hasher.write_u8((column == self.contacts[0]).into());
            hash_letters(record.cell(column?).text, &mut hasher).then(|| hasher.finish())
        })
    }

    fn bind(&mut self, columns: &Columns) {
        let version = columns.version();
        if self.bound == version {
            return;
        }
        let folded: Vec<String> = columns.names().map(names::folded).collect();
        let find = |known: &str| {
            let mut known = known.split(' ');
            known.find_map(|name| folded.iter().position(|column| column == name))
        };
        let known = [names::FIRST_NAME, names::LAST_NAME, names::FULL_NAME];
        *self = Self {
            bound: version,
            names: known.into_iter().filter_map(find).collect(),
            contacts: [names::PHONE, names::EMAIL].map(find),
            date: find(names::INCIDENT_DATE),
        };
    }
}

/// Feeds letters and digits in lower case; false when there were none.
fn hash_letters(text: &str, hasher: &mut FoldHasher<'_>) -> bool {
    let mut any = false;
    let mut buffer = [0_u8; 64];
    let mut filled = 0;
    for byte in text
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
    {
        any = true;
        buffer[filled] = byte.to_ascii_lowercase();
        filled += 1;
        if filled == buffer.len() {
            hasher.write(&buffer);
            filled = 0;
        }
    }
    hasher.write(&buffer[..filled]);
    hasher.write_u8(0xff);
    any
}

#[cfg(test)]
mod tests;
