//! Proposes a key: a column, or a pair, that is filled and distinct.

use crate::check::Checked;
use crate::mapping::fold;
use crate::model::ColumnSummary;

/// Folded names that keys have, the better ones first.
const USUAL: [&str; 14] = [
    "leadid",
    "caseid",
    "caseno",
    "casenumber",
    "casenum",
    "matterid",
    "projectnumber",
    "projectexternalid",
    "customnumber",
    "id",
    "reference",
    "clientreference",
    "number",
    "docketnumber",
];
/// Each look is one more reading of the input.
const MOST_LOOKS: usize = 8;

/// The first candidate of which `is_distinct` says that it tells every record
/// from every other; nothing when there is none.
pub(super) fn propose(checked: &Checked, is_distinct: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut filled: Vec<&ColumnSummary> = checked
        .columns
        .iter()
        .filter(|field| field.filled == checked.total && checked.total > 0)
        .collect();
    filled.sort_by_key(|field| {
        let name = fold(&field.column);
        let usual = USUAL.iter().position(|usual| *usual == name);
        (
            usual.unwrap_or(USUAL.len()),
            std::cmp::Reverse((field.more_distinct, field.distinct)),
        )
    });
    let could_be_alone =
        |field: &&&ColumnSummary| field.more_distinct || field.distinct as u64 == checked.total;
    let name = |field: &ColumnSummary| field.column.to_string();
    let alone = filled
        .iter()
        .filter(could_be_alone)
        .map(|field| vec![name(field)]);
    let pairs = filled.iter().enumerate().flat_map(|(position, one)| {
        filled[position + 1..]
            .iter()
            .map(|other| vec![name(one), name(other)])
    });
    alone
        .take(MOST_LOOKS)
        .chain(pairs.take(MOST_LOOKS))
        .find(|columns| is_distinct(columns))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(columns: &[(&str, u64, usize)]) -> Checked {
        Checked {
            total: 10,
            columns: columns
                .iter()
                .map(|&(column, filled, distinct)| ColumnSummary {
                    column: column.into(),
                    filled,
                    distinct,
                    ..ColumnSummary::default()
                })
                .collect(),
            ..Checked::default()
        }
    }

    #[test]
    fn a_usual_name_comes_before_a_distinct_summary() {
        let checked = checked(&[("Summary", 10, 10), ("State", 10, 3), ("Lead ID", 10, 10)]);
        assert_eq!(propose(&checked, |_| true), ["Lead ID"]);
        let without = propose(&checked, |columns| columns[0] != "Lead ID");
        assert_eq!(without, ["Summary"]);
    }

    #[test]
    fn a_pair_is_proposed_where_no_column_is_enough() {
        let checked = checked(&[("Case", 10, 6), ("Party", 10, 7), ("Phone", 9, 9)]);
        assert_eq!(propose(&checked, |_| true), ["Party", "Case"]);
        assert!(propose(&checked, |_| false).is_empty());
    }
}
