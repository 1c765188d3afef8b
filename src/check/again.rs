//! Keys of records that share something, and the fields in which rows with one
//! key differ: read once more, and only where there are such records.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::CheckOptions;
use super::rows::{Groups, Rows};
use crate::input::{Item, Reader};
use crate::mapping::Mapper;
use crate::model::{FileId, Key, Place};

/// Records beyond this are told by their place alone: nobody reads so many,
/// and they would fill the memory.
const MOST_RECORDS: usize = 100_000;

/// What a second reading has shown. Something is missing where a file can't be
/// read twice.
#[derive(Debug, Default)]
pub(super) struct Told {
    keys: HashMap<u32, Box<str>>,
    compared: HashMap<usize, Compared>,
}

impl Told {
    /// A record's key, as people write it.
    pub(super) fn key(&self, number: u32) -> Option<&str> {
        self.keys.get(&number).map(|key| &**key)
    }

    /// The fields in which the cases of a group of duplicates differ, by its
    /// position among them; none where that isn't known.
    pub(super) fn fields(&self, duplicates: usize) -> Option<&BTreeSet<String>> {
        self.compared
            .get(&duplicates)
            .map(|compared| &compared.fields)
            .filter(|fields| !fields.is_empty())
    }
}

/// The first case of a group, and where the others are not like it.
#[derive(Debug)]
struct Compared {
    first: Map<String, Value>,
    fields: BTreeSet<String>,
}

impl Compared {
    fn add(&mut self, other: &Map<String, Value>) {
        for name in self.first.keys().chain(other.keys()) {
            if self.first.get(name) != other.get(name) {
                self.fields.insert(name.clone());
            }
        }
    }
}

/// A record to look at again.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    number: u32,
    /// The group of duplicates whose payloads are compared.
    compare: Option<usize>,
}

/// Reads the records of all groups again.
pub(super) fn read(
    options: &CheckOptions,
    readers: Vec<Reader>,
    rows: &Rows,
    groups: &Groups,
) -> Told {
    let wanted = wanted(rows, groups);
    let files: BTreeSet<FileId> = wanted.keys().map(|place| place.file).collect();
    let mut told = Told::default();
    for (file, reader) in (0..).map(FileId).zip(readers) {
        if files.contains(&file)
            && let Ok(reader) = reader.reopen()
        {
            read_file(options, reader, &wanted, &mut told);
        }
    }
    told
}

fn wanted(rows: &Rows, groups: &Groups) -> HashMap<Place, Wanted> {
    let duplicates = groups.same_key.iter().enumerate().flat_map(|(at, group)| {
        let compare = Some(at).filter(|_| !rows.are_equal(group));
        group.iter().map(move |&number| (number, compare))
    });
    let others = groups.similar_keys.iter().chain(&groups.same_person);
    let others = others.flatten().map(|&number| (number, None));
    let mut wanted = HashMap::new();
    for (number, compare) in duplicates.chain(others).take(MOST_RECORDS) {
        wanted
            .entry(rows.place(number))
            .or_insert(Wanted { number, compare });
    }
    wanted
}

fn read_file(
    options: &CheckOptions,
    mut reader: Reader,
    wanted: &HashMap<Place, Wanted>,
    told: &mut Told,
) {
    let mut parser = reader.parser();
    let mut mapper = Mapper::new(Arc::clone(&options.rules));
    while let Ok(Some(chunk)) = reader.next_chunk() {
        parser.parse(&chunk, &mut |item| {
            let Item::Record(record) = item else {
                return;
            };
            let Some(&Wanted { number, compare }) = wanted.get(&record.place) else {
                return;
            };
            let mapped = mapper.map(&record, &mut Vec::new());
            if let (Some(group), Some(mapped)) = (compare, &mapped)
                && let Ok(Value::Object(mut payload)) = serde_json::from_str(mapped.payload)
            {
                // Told as the field by which the firm is told everywhere.
                payload.insert("partnerFirmId".to_owned(), mapped.firm.into());
                if let Some(compared) = told.compared.get_mut(&group) {
                    compared.add(&payload);
                } else {
                    let first = Compared {
                        first: payload,
                        fields: BTreeSet::new(),
                    };
                    told.compared.insert(group, first);
                }
            }
            if let Some(key) = mapper.key() {
                let key = Key::from_canonical(key).to_string();
                told.keys.insert(number, key.into());
            }
        });
    }
}
