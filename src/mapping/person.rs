//! Which columns of a record tell person and incident, and what they say in a
//! form that can be compared.
//!
//! A field's columns are found by the type of the rule that reads them, by the
//! rule's target, or by their headers; the first that is filled counts.

use std::fmt::Write as _;
use std::sync::Arc;

use strum::VariantArray as _;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::model::{CellKind, Columns, ColumnsVersion, Record, date_of};

use super::columns::{ColumnPath, FoundValue};
use super::names;
use super::options::ValueType;
use super::rules::{CompiledSource, Rules};

/// Reads the persons of records, one after another.
#[derive(Debug)]
pub(crate) struct PersonReader {
    rules: Arc<Rules>,
    /// The columns that `sources` is for.
    columns: ColumnsVersion,
    /// Of each slot.
    sources: Vec<Vec<PersonSource>>,
    text: String,
}

/// Columns that may have a field's value; several where a template joins them.
#[derive(Debug)]
struct PersonSource {
    paths: Vec<ColumnPath>,
    /// The rule that reads them.
    rule: Option<usize>,
    /// The best source is the first.
    rank: usize,
}

/// What is looked for, by headers: the parts of a name, then the fields of a
/// person in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
enum Slot {
    FirstName,
    LastName,
    FullName,
    Phone,
    Email,
    IncidentDate,
    BirthDate,
    CaseType,
}

/// The rank of a source that only its rule's type speaks for.
const BY_TYPE: usize = 1_000;

impl Slot {
    /// Where a name stands among the names for this.
    fn rank(self, name: &str) -> Option<usize> {
        let headers = match self {
            Self::FirstName => names::FIRST_NAME,
            Self::LastName => names::LAST_NAME,
            Self::FullName => names::FULL_NAME,
            Self::Phone => names::PHONE,
            Self::Email => names::EMAIL,
            Self::IncidentDate => names::INCIDENT_DATE,
            Self::CaseType => names::CASE_TYPE,
            Self::BirthDate => return names::is_birth_date(name).then_some(0),
        };
        names::position_among(headers, name)
    }

    fn is_of_type(self, value_type: Option<ValueType>) -> bool {
        matches!(
            (self, value_type),
            (Self::Phone, Some(ValueType::Phone)) | (Self::Email, Some(ValueType::Email))
        )
    }
}

impl PersonReader {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            columns: ColumnsVersion::default(),
            sources: Vec::new(),
            text: String::new(),
        }
    }

    /// The record's person as the lines of [`crate::model::Person`]; empty where
    /// no field is filled.
    pub(crate) fn read(&mut self, record: &Record<'_>) -> &str {
        let version = record.columns.version();
        if self.columns != version {
            let slots = Slot::VARIANTS.iter();
            let sources = slots.map(|slot| sources(&self.rules, record.columns, *slot));
            self.sources = sources.collect();
            self.columns = version;
        }
        self.text.clear();
        self.push_name(record);
        for slot in &Slot::VARIANTS[3..] {
            self.text.push('\n');
            self.push_field(*slot, record);
        }
        if self.text.trim_start_matches('\n').is_empty() {
            self.text.clear();
        }
        &self.text
    }

    /// The words of the name in the order of the alphabet, so that "Last, First"
    /// is like "First Last".
    fn push_name(&mut self, record: &Record<'_>) {
        let mut letters = String::new();
        for slot in [Slot::FirstName, Slot::LastName, Slot::FullName] {
            if slot == Slot::FullName && !letters.is_empty() {
                break;
            }
            if let Some((_, name)) = filled(&self.sources[slot as usize], record) {
                push_letters(&name.text, &mut letters);
                letters.push(' ');
            }
        }
        let mut words: Vec<&str> = letters.split_ascii_whitespace().collect();
        words.sort_unstable();
        // Two rules may take their parts of one column.
        words.dedup();
        self.text.push_str(&words.join(" "));
    }

    fn push_field(&mut self, slot: Slot, record: &Record<'_>) {
        let Some((rule, value)) = filled(&self.sources[slot as usize], record) else {
            return;
        };
        let rule = rule.map(|rule| &self.rules.fields[rule]);
        let (text, out) = (&*value.text, &mut self.text);
        match slot {
            Slot::Phone => push_phone(text, out),
            Slot::Email => {
                if text.contains('@') {
                    out.extend(text.trim().chars().flat_map(char::to_lowercase));
                }
            }
            Slot::IncidentDate | Slot::BirthDate => {
                let by_rule = rule.and_then(|rule| rule.dates.day(value.cell()));
                match by_rule.or_else(|| date_of(text)) {
                    // Writing to a String can't fail.
                    Some(date) => drop(write!(out, "{date}")),
                    None => push_letters(text, out),
                }
            }
            _ => {
                let renamed = rule.and_then(|rule| rule.rename.get(text.trim()));
                push_letters(renamed.map_or(text, |renamed| renamed), out);
            }
        }
    }
}

fn sources(rules: &Rules, columns: &Columns, slot: Slot) -> Vec<PersonSource> {
    let mut sources = Vec::new();
    for (position, field) in rules.fields.iter().enumerate() {
        let by_target = slot.rank(&field.rule.target);
        let by_type = slot.is_of_type(field.rule.value_type);
        let by_type = by_type.then_some(BY_TYPE);
        let is_template = matches!(field.source, CompiledSource::Template(_));
        if is_template && by_target.is_none() {
            continue;
        }
        // A template's columns make one value together.
        let together = if is_template { field.columns.len() } else { 1 };
        for names in field.columns.chunks(together) {
            let rank = |column: &String| slot.rank(column).or(by_target).or(by_type);
            if let Some(rank) = names.iter().filter_map(rank).min() {
                let paths = names.iter().map(|name| ColumnPath::new(name, columns));
                sources.push(PersonSource {
                    paths: paths.collect(),
                    rule: Some(position),
                    rank,
                });
            }
        }
    }
    for column in columns.names() {
        if let Some(rank) = slot.rank(column)
            && !rules.is_named_by_rule(column)
        {
            sources.push(PersonSource {
                paths: vec![ColumnPath::new(column, columns)],
                rule: None,
                rank,
            });
        }
    }
    sources.sort_by_key(|source| source.rank);
    sources
}

/// The value of the first source that is filled, with the rule that reads it.
fn filled<'r>(
    sources: &[PersonSource],
    record: &Record<'r>,
) -> Option<(Option<usize>, FoundValue<'r>)> {
    sources.iter().find_map(|source| {
        let mut values = source.paths.iter().map(|path| path.find(record));
        let mut value = values.next()?;
        for next in values {
            let joined = value.text.to_mut();
            joined.push(' ');
            joined.push_str(&next.text);
        }
        let is_filled = value.kind != CellKind::Json && !value.text.trim().is_empty();
        is_filled.then_some((source.rule, value))
    })
}

/// Letters and digits in lower case, without accents, apostrophes and periods;
/// anything else separates words.
fn push_letters(text: &str, out: &mut String) {
    let mut push = |c: char| {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !matches!(c, '.' | '\'' | '’') {
            out.push(' ');
        }
    };
    if text.is_ascii() {
        text.chars().for_each(push);
    } else {
        let letters = text.nfkd().filter(|c| !is_combining_mark(*c));
        letters.for_each(&mut push);
    }
}

/// The digits before an extension, without the country code of North America.
fn push_phone(text: &str, out: &mut String) {
    let number = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = number.chars().take_while(|c| !c.is_alphabetic());
    let digits: String = digits.filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix('1').filter(|rest| rest.len() == 10);
    let digits = national.unwrap_or(&digits);
    // Too short for a number, or one that only fills the field.
    let is_number = digits.len() >= 7 && digits.bytes().any(|digit| digit != digits.as_bytes()[0]);
    if is_number {
        out.push_str(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{FieldRule, FieldSource, MappingOptions};
    use crate::model::{Cell, Person, Place, person_fields};

    fn read(options: MappingOptions, record: &[(&str, &str)]) -> [String; Person::FIELDS] {
        let columns = Columns::from_names(record.iter().map(|(name, _)| name));
        let cells: Vec<_> = record.iter().map(|(_, text)| Cell::text(text)).collect();
        let mut reader = PersonReader::new(Arc::new(Rules::compile(options).unwrap()));
        let lines = reader.read(&Record {
            place: Place::default(),
            columns: &columns,
            cells: &cells,
            json: None,
        });
        person_fields(lines).map(str::to_owned)
    }

    fn by_headers(record: &[(&str, &str)]) -> [String; Person::FIELDS] {
        read(MappingOptions::default(), record)
    }

    #[test]
    fn spellings_of_one_person_are_equal() {
        let expected = by_headers(&[
            ("First Name", "Renée"),
            ("Last Name", "O'Neil-Okafor Jr."),
            ("Mobile", "(702) 555-0101"),
            ("Email", "A@x.example"),
            ("Date of Loss", "1/5/2026"),
            ("DOB", "03/01/1981"),
            ("Case Type", "Dog Bite"),
        ]);
        assert_eq!(
            expected,
            [
                "jr okafor oneil renee",
                "7025550101",
                "a@x.example",
                "2026-01-05",
                "1981-03-01",
                "dog bite"
            ]
        );
        let same = by_headers(&[
            ("Client", "ONEIL OKAFOR JR, Rene\u{301}e"),
            ("cell", " "),
            ("Home", "+1 702.555.0101 ext. 12"),
            ("email_address", " a@X.example"),
            ("litify_pm__Incident_date__c", "2026-01-05T00:00:00Z"),
            ("Date of Birth", "1981-03-01"),
            ("matcode", "DOG-BITE"),
        ]);
        assert_eq!(same, expected);
    }

    #[test]
    fn rules_name_fields_by_type_and_target_and_read_their_dates() {
        let rule = |target: &str, from: &str, value_type| FieldRule {
            target: target.to_owned(),
            source: FieldSource::from_text(from),
            value_type,
            ..FieldRule::default()
        };
        let options = MappingOptions {
            fields: vec![
                rule("FullName", "{A} {B}", None),
                rule("Contact", "C", Some(ValueType::Phone)),
                FieldRule {
                    formats: vec!["%d.%m.%Y".to_owned()],
                    ..rule("IncidentDate", "D", Some(ValueType::Date))
                },
                FieldRule {
                    rename: vec![("MVA".to_owned(), "Motor Vehicle".to_owned())],
                    ..rule("CaseType", "E", None)
                },
            ],
            ..MappingOptions::default()
        };
        let record = [
            ("A", "Ann"),
            ("B", "Lee"),
            ("C", "7025550101"),
            ("D", "02.01.2026"),
            ("E", "MVA"),
        ];
        assert_eq!(
            read(options, &record),
            [
                "ann lee",
                "7025550101",
                "",
                "2026-01-02",
                "",
                "motor vehicle"
            ]
        );
    }

    #[test]
    fn what_only_fills_a_field_is_nothing() {
        let record = [("Phone", "000-000-0000"), ("Email", "n/a"), ("Client", "-")];
        assert_eq!(by_headers(&record), [""; Person::FIELDS]);
    }
}
