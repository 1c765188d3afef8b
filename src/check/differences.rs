//! In which fields rows with one key differ: read once more, and only where
//! there are such rows.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::Options;
use super::rows::{Group, Rows};
use crate::mapping::Mapper;
use crate::model::{FileId, Place};
use crate::source::{Item, Reader};

/// Groups beyond this are told without their fields: nobody reads so many,
/// and their payloads would fill the memory.
const MOST_GROUPS: usize = 1_000;

/// The fields in which the rows of each group differ, by the group's position.
/// A group is missing where that can't be known any more.
pub(super) fn find(
    options: &Options,
    readers: Vec<Reader>,
    rows: &Rows,
    groups: &[Group],
) -> HashMap<usize, BTreeSet<String>> {
    let mut wanted: HashMap<Place, usize> = HashMap::new();
    let mut files: BTreeSet<FileId> = BTreeSet::new();
    for (position, group) in groups.iter().enumerate().take(MOST_GROUPS) {
        let differ = group
            .iter()
            .any(|&number| !rows.same_payload(group[0], number));
        for &number in group.iter().filter(|_| differ) {
            let place = rows.place(number);
            files.insert(place.file);
            wanted.insert(place, position);
        }
    }
    let mut found: HashMap<usize, Vec<Value>> = HashMap::new();
    for (file, reader) in (0..).map(FileId).zip(readers) {
        // What can't be read a second time is told without its fields.
        if files.contains(&file)
            && let Ok(reader) = reader.reopen()
        {
            collect(options, reader, &wanted, &mut found);
        }
    }
    found
        .into_iter()
        .map(|(position, payloads)| (position, differing(&payloads)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect()
}

fn collect(
    options: &Options,
    mut reader: Reader,
    wanted: &HashMap<Place, usize>,
    found: &mut HashMap<usize, Vec<Value>>,
) {
    let mut parser = reader.parser();
    let mut mapper = Mapper::new(Arc::clone(&options.rules));
    while let Ok(Some(chunk)) = reader.next_chunk() {
        parser.parse(&chunk, &mut |item| {
            let Item::Record(record) = item else {
                return;
            };
            let Some(&group) = wanted.get(&record.place) else {
                return;
            };
            let Some(mapped) = mapper.map(&record, &mut Vec::new()) else {
                return;
            };
            if let Ok(Value::Object(mut payload)) = serde_json::from_str(mapped.payload) {
                // Told as the field by which the firm is told everywhere.
                payload.insert("partnerFirmId".to_owned(), mapped.firm.into());
                found.entry(group).or_default().push(payload.into());
            }
        });
    }
}

fn differing(payloads: &[Value]) -> BTreeSet<String> {
    let names: BTreeSet<&String> = payloads
        .iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys)
        .collect();
    names
        .into_iter()
        .filter(|name| {
            let mut values = payloads.iter().map(|payload| payload.get(name.as_str()));
            let first = values.next();
            values.any(|value| Some(value) != first)
        })
        .cloned()
        .collect()
}
