//! Problems that only the whole input shows, in words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::rows::{Group, Rows};
use crate::mapping::{Rules, fold, looks_confidential};
use crate::model::{Code, Columns, Place, Problem};

/// A firm is rare beside another when that one has so many times its cases.
const FAR_MORE: u64 = 20;
/// Firms beyond this are not compared with each other.
const MOST_FIRMS: usize = 2_000;

/// Rows that share a key.
pub(super) fn duplicates(
    rows: &Rows,
    groups: &[Group],
    differences: &HashMap<usize, BTreeSet<String>>,
) -> Vec<Problem> {
    groups
        .iter()
        .enumerate()
        .map(|(position, group)| {
            let equal = group
                .iter()
                .all(|&number| rows.same_payload(group[0], number));
            let count = group.len();
            let (code, message) = if equal {
                let message = format!("{count} rows share one key, and are the same in all else");
                (Code::DuplicateRow, message)
            } else {
                let fields = differences.get(&position).map_or_else(
                    || "they differ".to_owned(),
                    |fields| {
                        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                        format!("they differ in {}", fields.join(", "))
                    },
                );
                let message = format!("{count} rows share one key; {fields}");
                (Code::DuplicateKey, message)
            };
            at(rows, group, code, message)
        })
        .collect()
}

/// Keys that a person would take for one.
pub(super) fn similar_keys(rows: &mut Rows) -> Vec<Problem> {
    let groups = rows.similar_keys();
    groups
        .iter()
        .map(|group| {
            let message = format!(
                "{} keys differ in letter case or leading zeros only",
                group.len()
            );
            at(rows, group, Code::SimilarKeys, message)
                .with_hint("if they name one case, a spreadsheet has changed one of them")
        })
        .collect()
}

/// One person and incident under several keys.
pub(super) fn likely_duplicates(rows: &mut Rows) -> Vec<Problem> {
    let groups = rows.same_people();
    groups
        .iter()
        .map(|group| {
            let message = format!(
                "{} rows with different keys have one name and incident date, and one phone or e-mail",
                group.len()
            );
            at(rows, group, Code::LikelyDuplicate, message)
        })
        .collect()
}

fn at(rows: &Rows, group: &[u32], code: Code, message: String) -> Problem {
    let places: Vec<Place> = group.iter().map(|&number| rows.place(number)).collect();
    let mut problem = Problem::new(code, places[0], message);
    problem.also = places[1..].to_vec();
    problem
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
                    format!("{count} of the cases go to a firm that differs by one letter from one with {more}"),
                )
                .with_value(firm)
                .with_hint(format!("is it {frequent:?}?")),
            )
        })
        .collect()
}

/// What the rules leave open, told once.
pub(super) fn unguarded(rules: &Rules, columns: &[Arc<Columns>]) -> Vec<Problem> {
    const CASE_TYPES: [&str; 7] = [
        "casetype",
        "leadcasetype",
        "matcode",
        "practicearea",
        "projecttype",
        "casesubtype",
        "litifypmcasetypec",
    ];
    let mut problems = Vec::new();
    let mut unchecked: Vec<String> = rules
        .options()
        .fields
        .iter()
        .filter(|rule| rule.choices.is_empty() && CASE_TYPES.contains(&&*fold(&rule.target)))
        .filter(|rule| !matches!(rule.source, crate::mapping::Source::Constant(_)))
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
                && CASE_TYPES.contains(&&*fold(name))
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
