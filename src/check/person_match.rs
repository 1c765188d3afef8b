//! Records of one input that are probably one case: the same name, and the same
//! phone, e-mail or incident date.

use foldhash::{HashMap, HashSet};

use super::column_profile::hash_of;
use super::duplicates::Group;
use crate::model::{Person, PersonField, person_fields};

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
    /// All but the name, in their order: first [`PersonField::CONTACTS`].
    fields: [u32; Person::FIELDS - 1],
}

/// A phone, an e-mail or an incident date: which of them, and its hash.
pub(crate) type Contact = (PersonField, u32);

pub(crate) fn contact(field: PersonField, text: &str) -> Contact {
    (field, hash(text))
}

/// Hashes of the names that have a contact.
pub(crate) type SharedContacts = HashMap<Contact, Vec<u64>>;

/// The same in every thread. 0 for an empty text.
fn hash(text: &str) -> u32 {
    match text {
        "" => 0,
        _ => (hash_of(text) as u32).max(1),
    }
}

impl PersonRow {
    /// Of a person's lines; none without a name.
    pub(super) fn new(lines: &str) -> Option<Self> {
        let [name, fields @ ..] = person_fields(lines);
        (!name.is_empty()).then(|| Self {
            name: hash_of(name),
            number: 0,
            fields: fields.map(hash),
        })
    }

    /// Whether a field that two cases of one person may share differs: the
    /// incident date or one after it.
    fn is_cleared_by(&self, other: &Self) -> bool {
        let mut pairs = self.fields.iter().zip(&other.fields).skip(2);
        pairs.any(|(one, other)| *one != 0 && *other != 0 && one != other)
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
        self.rows.iter().any(|row| row.fields[..3] != [0; 3])
    }

    /// The records that are probably one case.
    pub(super) fn groups(&mut self) -> Vec<Group> {
        self.rows.sort_unstable_by_key(|row| row.name);
        let mut found: Vec<(Contact, Group)> = Vec::new();
        let namesakes = self.rows.chunk_by_mut(|a, b| a.name == b.name);
        for namesakes in namesakes.filter(|rows| rows.len() > 1) {
            for (position, field) in PersonField::CONTACTS.into_iter().enumerate() {
                let contact = |row: &PersonRow| row.fields[position];
                namesakes.sort_unstable_by_key(|row| (contact(row), row.number));
                let groups = namesakes.chunk_by(|a, b| contact(a) == contact(b));
                let groups = groups.map(|rows| ((field, contact(&rows[0])), rows));
                let groups = groups.filter(|((_, hash), rows)| *hash != 0 && rows.len() > 1);
                let alike = groups.map(|(contact, rows)| (contact, alike(rows)));
                found.extend(alike.filter(|(_, group)| group.len() > 1));
            }
        }
        let contacts = found.iter().map(|(contact, _)| *contact).collect();
        let names = self.names_sharing(&contacts);
        found.retain(|(contact, _)| names[contact].len() <= MOST_NAMES);
        let mut groups: Vec<Group> = found.into_iter().map(|(_, group)| group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The names that have each of these contacts; at most one more than matters.
    pub(super) fn names_sharing(&self, contacts: &HashSet<Contact>) -> SharedContacts {
        let contacts = contacts.iter().map(|contact| (*contact, Vec::new()));
        let mut shared: SharedContacts = contacts.collect();
        for row in &self.rows {
            for contact in PersonField::CONTACTS.into_iter().zip(row.fields) {
                if let Some(names) = shared.get_mut(&contact)
                    && names.len() <= MOST_NAMES
                    && !names.contains(&row.name)
                {
                    names.push(row.name);
                }
            }
        }
        shared
    }
}

/// The records of one name and contact that another one of them may repeat.
fn alike(rows: &[PersonRow]) -> Group {
    let has_twin = |row: &&PersonRow| {
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
