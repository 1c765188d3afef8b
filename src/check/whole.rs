//! Problems that only the whole input shows, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::again::Told;
use super::rows::{Groups, Rows};
use crate::mapping::{Rules, headers, looks_confidential};
use crate::model::{Code, Columns, Place, Problem};

/// A firm is rare beside another when that one has so many times its cases.
const FAR_MORE: u64 = 20;
/// Keys of one group that are told.
const MOST_KEYS: usize = 5;
/// Firms beyond this are not compared with each other.
const MOST_FIRMS: usize = 2_000;

/// Records that share what only one of them should have.
pub(super) fn shared(rows: &Rows, groups: &Groups, told: &Told, key: &[String]) -> Vec<Problem> {
    let shared = Shared { rows, told, key };
    let duplicates = groups.same_key.iter().enumerate();
    let similar = groups.similar_keys.iter();
    let people = groups.same_person.iter();
    duplicates
        .map(|(position, group)| shared.duplicates(position, group))
        .chain(similar.map(|group| shared.similar_keys(group)))
        .chain(people.map(|group| shared.likely_duplicates(group)))
        .collect()
}

struct Shared<'a> {
    rows: &'a Rows,
    told: &'a Told,
    key: &'a [String],
}

impl Shared<'_> {
    /// Rows of one key.
    fn duplicates(&self, position: usize, group: &[u32]) -> Problem {
        let count = group.len();
        let broken = group.iter().filter(|&&row| !Rows::is_valid(row)).count();
        let (code, mut message) = if self.rows.are_equal(group) {
            let message = format!("{count} rows share one case, and are the same in all else");
            (Code::DuplicateRow, message)
        } else if let Some(fields) = self.told.fields(position) {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let message = format!(
                "{count} rows share one case; they differ in {}",
                fields.join(", ")
            );
            (Code::DuplicateKey, message)
        } else if broken > 0 {
            (Code::DuplicateKey, format!("{count} rows share one case"))
        } else {
            let message = format!("{count} rows share one case, and are not the same");
            (Code::DuplicateKey, message)
        };
        match broken {
            0 => {}
            1 => message.push_str("; one of them has errors of its own"),
            _ => {
                // Writing to a String can't fail.
                let _ = write!(message, "; {broken} of them have errors of their own");
            }
        }
        self.problem(group, code, message, &group[..1])
    }

    /// Keys that a person would take for one.
    fn similar_keys(&self, group: &[u32]) -> Problem {
        let message = "keys that differ in letter case or leading zeros only".to_owned();
        self.problem(group, Code::SimilarKeys, message, group)
            .with_hint("if they name one case, a spreadsheet has changed one of them")
    }

    /// One person and incident under several keys.
    fn likely_duplicates(&self, group: &[u32]) -> Problem {
        let message = format!(
            "{} rows with different keys have one name and incident date, and one phone or e-mail",
            group.len()
        );
        self.problem(group, Code::LikelyDuplicate, message, group)
    }

    /// A problem of all rows of a group, with the keys of some.
    fn problem(&self, group: &[u32], code: Code, message: String, keys: &[u32]) -> Problem {
        let mut places: Vec<Place> = group.iter().map(|&row| self.rows.place(row)).collect();
        places.sort_unstable();
        let mut problem = Problem::new(code, places[0], message);
        problem.also = places.split_off(1);
        let keys: BTreeSet<&str> = keys
            .iter()
            .filter_map(|&row| self.told.key(row))
            .take(MOST_KEYS)
            .collect();
        if !keys.is_empty() {
            problem.value = Some(Vec::from_iter(keys).join(", ").into());
        }
        if !self.key.is_empty() {
            problem.column = Some(self.key.join(", ").into());
        }
        problem
    }
}

/// A firm one letter away from one that has far more cases.
pub(super) fn rare_firms(firms: &BTreeMap<Box<str>, u64>) -> Vec<Problem> {
    if firms.len() > MOST_FIRMS {
        return Vec::new();
    }
    let mut by_count: Vec<(&str, u64)> = firms
        .iter()
        .map(|(firm, &count)| (&**firm, count))
        .collect();
    by_count.sort_unstable_by_key(|&(firm, count)| (std::cmp::Reverse(count), firm));
    by_count
        .iter()
        .filter_map(|&(firm, count)| {
            let (frequent, more) = by_count
                .iter()
                .take_while(|(_, more)| *more >= count * FAR_MORE)
                .find(|(other, _)| strsim::osa_distance(firm, other) == 1)?;
            Some(
                Problem::new(
                    Code::RareFirm,
                    Place::default(),
                    format!(
                        "{}, and it differs by one letter from one with {more}",
                        if count == 1 {
                            "one case goes to this firm".to_owned()
                        } else {
                            format!("{count} cases go to this firm")
                        }
                    ),
                )
                .with_value(firm)
                .with_hint(format!("is it {frequent:?}?")),
            )
        })
        .collect()
}

/// What the rules leave open, told once.
pub(super) fn unguarded(rules: &Rules, columns: &[Arc<Columns>]) -> Vec<Problem> {
    let is_case_type = |name: &str| headers::CASE_TYPE.contains(&&*headers::folded(name));
    let mut problems = Vec::new();
    let mut unchecked: Vec<String> = rules
        .options()
        .fields
        .iter()
        .filter(|rule| rule.choices.is_empty() && is_case_type(&rule.target))
        .filter(|rule| !matches!(rule.source, crate::mapping::FieldSource::Constant(_)))
        .map(|rule| rule.target.clone())
        .collect();
    for columns in columns {
        for name in columns.names() {
            let by_rule = rules
                .options()
                .fields
                .iter()
                .any(|rule| rule.target == name);
            if !by_rule
                && rules.options().passthrough
                && rules.sends(name)
                && is_case_type(name)
                && !unchecked.iter().any(|known| known == name)
            {
                unchecked.push(name.to_owned());
            }
        }
    }
    for field in unchecked {
        problems.push(
            Problem::new(
                Code::UncheckedCaseType,
                Place::default(),
                "no list of choices guards this field",
            )
            .in_column(&field)
            .with_hint(
                "a case type that does not match the platform's list exactly is accepted and \
                 goes nowhere; `caseload init` writes the values of your file as choices to check",
            ),
        );
    }
    let mut confidential: Vec<&str> = Vec::new();
    for name in columns.iter().flat_map(|columns| columns.names()) {
        let by_rule = rules
            .options()
            .fields
            .iter()
            .any(|rule| rule.target == name);
        if rules.sends(name)
            && !by_rule
            && looks_confidential(name)
            && !confidential.contains(&name)
        {
            confidential.push(name);
            problems.push(
                Problem::new(
                    Code::LooksConfidential,
                    Place::default(),
                    "a column that looks confidential is about to be sent, and no rule names it",
                )
                .in_column(name)
                .with_hint(
                    "what was sent can't be called back: name the fields to send under [fields] \
                     in caseload.toml (`caseload init` writes one), or take the column out",
                ),
            );
        }
    }
    let sent = |key: &String| rules.sends(key);
    if !rules.options().key.is_empty() && !rules.options().key.iter().any(sent) {
        problems.push(
            Problem::new(
                Code::KeyNotSent,
                Place::default(),
                "the key is not part of what is sent",
            )
            .in_column(&rules.options().key.join(", "))
            .with_hint("nobody will find a case on the platform by it; add a field for it"),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_neighbour_of_a_frequent_firm_is_told() {
        let firms = [("firm_123", 400), ("firm_132", 2), ("firm_9", 1)]
            .map(|(firm, count)| (Box::from(firm), count))
            .into();
        let found = rare_firms(&firms);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].value.as_deref(), Some("firm_132"));
        let even = [("firm_123", 30), ("firm_124", 2)]
            .map(|(firm, count)| (Box::from(firm), count))
            .into();
        assert!(rare_firms(&even).is_empty(), "15 times is not far more");
    }
}
