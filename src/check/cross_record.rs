//! Problems that only the whole input shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::duplicates::{Groups, RecordTable};
use crate::mapping::{FieldSource, Rules, looks_confidential, names};
use crate::model::{Code, Columns, Place, Problem};

/// A firm is rare beside another that has so many times its cases.
const FAR_MORE: u64 = 20;
/// Keys of one group that are named.
const MOST_KEYS: usize = 5;
/// More firms than this are not compared with each other.
const MOST_FIRMS: usize = 2_000;

/// Records that share what only one of them should have.
pub(super) fn shared(records: &RecordTable, groups: &Groups, key: &[String]) -> Vec<Problem> {
    let duplicates = groups.same_key.iter().map(|group| {
        let (code, message) = describe_duplicates(records, group);
        problem_of_group(records, group, key, code, message)
    });
    let same = groups.same_content.iter().map(|group| {
        let message = format!(
            "{} rows with different keys have the same values otherwise",
            group.len()
        );
        problem_of_group(records, group, key, Code::SameContent, message)
            .with_hint("keep one of them; if they are two cases, import the others by themselves")
    });
    let similar = groups.similar_keys.iter().map(|group| {
        let message = "keys that differ only in letter case, punctuation, leading zeros, or the \
                       form of a number or date";
        problem_of_group(records, group, key, Code::SimilarKey, message.to_owned())
            .with_hint("if they are the same case, a spreadsheet may have changed one of the keys")
    });
    let people = groups.same_person.iter().map(|group| {
        let message = format!(
            "{} rows with different keys have the same name, and the same phone, e-mail or \
             incident date",
            group.len()
        );
        problem_of_group(records, group, key, Code::LikelyDuplicate, message)
    });
    duplicates
        .chain(same)
        .chain(similar)
        .chain(people)
        .collect()
}

fn describe_duplicates(records: &RecordTable, group: &[u32]) -> (Code, String) {
    let invalid = group.iter().filter(|&&number| !records.is_valid(number));
    let code = if records.are_equal(group) {
        Code::DuplicateRow
    } else {
        Code::DuplicateKey
    };
    let rest = match invalid.count() {
        _ if code == Code::DuplicateRow => " and the same values".to_owned(),
        0 => " but different values".to_owned(),
        1 => "; one of them also has errors of its own".to_owned(),
        invalid => format!("; {invalid} of them also have errors of their own"),
    };
    (
        code,
        format!("{} rows have the same key{rest}", group.len()),
    )
}

/// A problem of all rows of a group, with the keys of some.
fn problem_of_group(
    records: &RecordTable,
    group: &[u32],
    key: &[String],
    code: Code,
    message: String,
) -> Problem {
    let mut places: Vec<Place> = group.iter().map(|&number| records.place(number)).collect();
    places.sort_unstable();
    let mut problem = Problem::new(code, places[0], message);
    problem.also = places.split_off(1);
    let mut keys = BTreeSet::new();
    for &number in group {
        if keys.len() < MOST_KEYS {
            keys.extend(records.key(number).map(|key| key.to_string()));
        }
    }
    if !keys.is_empty() {
        problem.value = Some(Vec::from_iter(keys).join(", ").into());
    }
    if !key.is_empty() {
        problem.column = Some(key.join(", ").into());
    }
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
            let cases = match count {
                1 => "1 case goes".to_owned(),
                _ => format!("{count} cases go"),
            };
            let message = format!(
                "{cases} to this firm, and {more} to a firm whose name differs by one letter"
            );
            let problem = Problem::new(Code::RareFirm, Place::default(), message);
            Some(
                problem
                    .with_value(firm)
                    .with_hint(format!("did you mean {frequent:?}?")),
            )
        })
        .collect()
}

/// What the rules leave unchecked, reported once for the input.
pub(super) fn review_rules(rules: &Rules, names: &[Arc<Columns>]) -> Vec<Problem> {
    let options = rules.options();
    let has_rule = |name: &str| rules.fields().any(|rule| rule.target == name);
    let mut without_rule: Vec<&str> = Vec::new();
    for name in names.iter().flat_map(|columns| columns.names()) {
        if rules.sends(name) && !has_rule(name) && !without_rule.contains(&name) {
            without_rule.push(name);
        }
    }
    let problem = |code, message: &str| Problem::new(code, Place::default(), message);
    let is_case_type = |name: &str| names::position_among(names::CASE_TYPE, name).is_some();
    let by_rule = rules
        .fields()
        .filter(|rule| rule.choices.is_empty() && !matches!(rule.source, FieldSource::Constant(_)));
    let by_column = without_rule.iter().filter(|_| options.passthrough);
    let case_types: BTreeSet<&str> = by_rule
        .map(|rule| rule.target.as_str())
        .chain(by_column.copied())
        .filter(|name| is_case_type(name))
        .collect();
    let case_types = case_types.into_iter().map(|field| {
        problem(
            Code::UncheckedCaseType,
            "case types are not validated: no `choices` list is set",
        )
        .in_column(field)
        .with_hint(
            "Lexamica files a case type that is not on its list as \"Other\", without an error; \
             `caseload init` writes the values of your file as choices to review",
        )
    });
    let confidential = without_rule.iter().filter(|name| looks_confidential(name));
    let confidential = confidential.map(|name| {
        problem(
            Code::LooksConfidential,
            "the column looks confidential and would be sent, although no rule names it",
        )
        .in_column(name)
        .with_hint(
            "sent values can't be recalled: name the fields to send under [fields] in \
             caseload.toml (`caseload init` writes one), or remove the column",
        )
    });
    let key_is_sent = options.key.is_empty() || options.key.iter().any(|key| rules.sends(key));
    let key = (!key_is_sent).then(|| {
        problem(Code::KeyNotSent, "the key is not sent")
            .in_column(&options.key.join(", "))
            .with_hint("cases can't be found on the platform by their key; add a field for it")
    });
    case_types.chain(confidential).chain(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_firm_with_a_frequent_neighbor_is_reported() {
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
