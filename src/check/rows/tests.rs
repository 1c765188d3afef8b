//! Which records are one case, or may be.

use super::*;

fn row(line: u64, key: &str, payload: u64) -> Row {
    Row {
        place: Place {
            file: FileId(0),
            line,
            index: line - 2,
        },
        key: Digest::of(key.as_bytes()),
        payload: Some(payload),
        folded: Some(Digest::of(key.to_uppercase().as_bytes()).short())
            .filter(|_| key != key.to_uppercase()),
        person: [Some(7), None],
    }
}

fn rows(rows: &[(&str, u64)]) -> Rows {
    let mut all = Rows::default();
    for (line, (key, payload)) in (2..).zip(rows) {
        all.push(&row(line, key, *payload)).unwrap();
    }
    all
}

#[test]
fn equal_rows_leave_the_first_and_different_rows_none() {
    let mut all = rows(&[("A", 1), ("B", 2), ("A", 1), ("B", 3), ("C", 4), ("A", 1)]);
    let groups = all.groups();
    assert_eq!(groups.same_key, [vec![0, 2, 5], vec![1, 3]]);
    let excluded = all.exclude(&groups, false);
    let out: Vec<u32> = (0..6).filter(|&number| excluded.contains(number)).collect();
    assert_eq!(out, [1, 2, 3, 5]);
    assert_eq!(all.place(5).line, 7);
    assert_eq!(all.place(5).index, 5);
}

#[test]
fn beside_a_record_that_is_no_case_none_may_go() {
    let mut all = Rows::default();
    for (line, payload) in [(2, None), (3, Some(1)), (4, Some(1)), (5, None)] {
        let key = if line < 5 { "A" } else { "B" };
        let row = Row {
            payload,
            ..row(line, key, 0)
        };
        all.push(&row).unwrap();
    }
    assert_eq!(all.valid(), 2);
    let groups = all.groups();
    assert_eq!(groups.same_key, [vec![0, 1, INVALID]]);
    assert_eq!(all.place(INVALID).line, 2);
    assert!(!all.are_equal(&groups.same_key[0]));
    assert_eq!(all.exclude(&groups, false).len(), 2);
    assert_eq!(groups.same_person, [vec![0, 1, INVALID, INVALID + 1]]);
}

#[test]
fn similar_keys_are_those_that_fold_to_one() {
    let mut all = rows(&[("A1", 1), ("a1", 2), ("b", 3), ("B2", 4), ("A1", 1)]);
    all.same_keys();
    assert_eq!(all.similar_keys(), [vec![0, 1, 4]]);
}

#[test]
fn one_person_under_several_keys_is_a_group() {
    let mut all = rows(&[("A", 1), ("A", 1)]);
    all.same_keys();
    assert!(all.same_people().is_empty(), "one key is a duplicate key");
    let mut all = rows(&[("A", 1), ("B", 1)]);
    all.same_keys();
    assert_eq!(all.same_people(), [vec![0, 1]]);
}
