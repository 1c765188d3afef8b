//! Records of one input that are probably one case: the same name, and the same
//! phone, e-mail or incident date.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use foldhash::{HashMap, HashSet};

use super::duplicates::Group;
use crate::model::{PersonField, person_fields};

/// A phone, an e-mail or a date that more names than this share is an office's,
/// or a day on which much happens: it tells nobody.
pub(crate) const MOST_NAMES: usize = 5;

/// More records of one name and contact are not compared one by one.
const MOST_COMPARED: usize = 64;

/// What is kept of a record's person: hashes, 0 where a field is not filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonRow {
    name: u64,
    number: u32,
    /// In the order of [`PersonField::CONTACTS`].
    contacts: [u32; 3],
    birth_date: u16,
    case_type: u16,
}

/// A phone, an e-mail or an incident date: which of them, and its hash.
pub(crate) type Contact = (PersonField, u32);

/// The same in every thread. 0 for an empty text.
fn hash(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    FixedState::default().hash_one(text).max(1)
}

pub(crate) fn contact(field: PersonField, text: &str) -> Contact {
    (field, shortened(text))
}

fn shortened(text: &str) -> u32 {
    (hash(text) as u32).max(u32::from(!text.is_empty()))
}

impl PersonRow {
    /// Of a person's lines; none without a name.
    pub(super) fn new(lines: &str) -> Option<Self> {
        let [name, phone, email, incident_date, birth_date, case_type] = person_fields(lines);
        let short = |text: &str| (shortened(text) as u16).max(u16::from(!text.is_empty()));
        (!name.is_empty()).then(|| Self {
            name: hash(name),
            number: 0,
            contacts: [phone, email, incident_date].map(shortened),
            birth_date: short(birth_date),
            case_type: short(case_type),
        })
    }

    /// Whether a field that two cases of one person may share differs.
    fn is_cleared_by(&self, other: &Self) -> bool {
        let differ = |one: u32, other: u32| one != 0 && other != 0 && one != other;
        differ(self.contacts[2], other.contacts[2])
            || differ(self.birth_date.into(), other.birth_date.into())
            || differ(self.case_type.into(), other.case_type.into())
    }
}

/// The persons of an input.
#[derive(Debug, Default)]
pub(super) struct PersonTable {
    rows: Vec<PersonRow>,
}

impl PersonTable {
    pub(super) fn add(&mut self, number: u32, person: Option<PersonRow>) {
        self.rows
            .extend(person.map(|person| PersonRow { number, ..person }));
    }

    /// Whether any record has what persons are compared by.
    pub(super) fn is_comparable(&self) -> bool {
        self.rows.iter().any(|row| row.contacts != [0; 3])
    }

    /// The records that are probably one case.
    pub(super) fn groups(&mut self) -> Vec<Group> {
        self.rows.sort_unstable_by_key(|row| (row.name, row.number));
        let mut found: Vec<(Contact, Group)> = Vec::new();
        for namesakes in self.rows.chunk_by(|a, b| a.name == b.name) {
            if namesakes.len() > 1 {
                for (position, field) in PersonField::CONTACTS.into_iter().enumerate() {
                    let mut by_contact: HashMap<u32, Vec<&PersonRow>> = HashMap::default();
                    for row in namesakes.iter().filter(|row| row.contacts[position] != 0) {
                        by_contact
                            .entry(row.contacts[position])
                            .or_default()
                            .push(row);
                    }
                    let groups = by_contact
                        .into_iter()
                        .map(|(hash, rows)| ((field, hash), alike(&rows)));
                    found.extend(groups.filter(|(_, group)| group.len() > 1));
                }
            }
        }
        let contacts = found.iter().map(|(contact, _)| *contact).collect();
        let names = self.names_sharing(&contacts);
        found.retain(|(contact, _)| names[contact] <= MOST_NAMES);
        let mut groups: Vec<Group> = found.into_iter().map(|(_, group)| group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// How many names have each of these contacts; at most one more than
    /// matters.
    pub(super) fn names_sharing(&self, contacts: &HashSet<Contact>) -> HashMap<Contact, usize> {
        let mut names: HashMap<Contact, Vec<u64>> = contacts
            .iter()
            .map(|contact| (*contact, Vec::new()))
            .collect();
        if names.is_empty() {
            return HashMap::default();
        }
        for row in &self.rows {
            for contact in PersonField::CONTACTS.into_iter().zip(row.contacts) {
                if let Some(names) = names.get_mut(&contact)
                    && names.len() <= MOST_NAMES
                    && !names.contains(&row.name)
                {
                    names.push(row.name);
                }
            }
        }
        names
            .into_iter()
            .map(|(contact, names)| (contact, names.len()))
            .collect()
    }
}

/// The records of one name and contact that another one of them may repeat.
fn alike(rows: &[&PersonRow]) -> Group {
    let has_twin = |row: &&&PersonRow| {
        let mut others = rows.iter().filter(|other| other.number != row.number);
        rows.len() > MOST_COMPARED || others.any(|other| !row.is_cleared_by(other))
    };
    rows.iter().filter(has_twin).map(|row| row.number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(people: &[&str]) -> Vec<Group> {
        let mut table = PersonTable::default();
        for (number, person) in (0..).zip(people) {
            table.add(number, PersonRow::new(&person.replace('|', "\n")));
        }
        table.groups()
    }

    #[test]
    fn one_name_with_one_contact_is_one_person() {
        assert_eq!(groups(&["ann|702", "bob|702", "ann|702"]), [vec![0, 2]]);
        assert_eq!(groups(&["ann||a@x", "ann|702|a@x"]), [vec![0, 1]]);
        assert_eq!(
            groups(&["ann|||2026-01-05", "ann|||2026-01-05"]),
            [vec![0, 1]]
        );
        for other in [
            &["ann|702", "ann|703"][..],
            &["lee|702", "jr lee|702"],
            &["|702", "|702"],
            &["ann|702||2026-01-05", "ann|702||2026-02-05"],
            &["ann|702|||1980-01-01", "ann|702|||1981-01-01"],
            &["ann|702||||dog bite", "ann|702||||mva"],
        ] {
            assert_eq!(groups(other), [] as [Group; 0], "{other:?}");
        }
        let filled_once = ["ann|702||2026-01-05|1980-01-01|mva", "ann|702"];
        assert_eq!(groups(&filled_once), [vec![0, 1]]);
    }

    #[test]
    fn a_contact_of_more_than_five_names_tells_nobody() {
        let mut people = vec!["a|702", "a|702", "b|702", "c|702", "d|702", "e|702"];
        assert_eq!(groups(&people), [vec![0, 1]]);
        people.push("f|702");
        assert_eq!(groups(&people), [] as [Group; 0]);
    }
}
