//! Which records are duplicates, or may be.

use super::*;
use crate::model::Cell;

fn row(line: u64, key: &str, payload: Option<u64>) -> RecordRow {
    RecordRow {
        place: Place {
            file: FileId(0),
            line,
            row: Some(line - 1),
            index: line - 2,
        },
        key: hash_of_key(key),
        key_end: 0,
        payload,
        folded: Some((hash_of_key(&key.to_uppercase()) >> 64) as u64)
            .filter(|_| key != key.to_uppercase()),
        people: [Some(7), None],
    }
}

fn table(rows: &[(&str, Option<u64>)]) -> RecordTable {
    let mut table = RecordTable::default();
    for (line, (key, payload)) in (2..).zip(rows) {
        let canonical = format!("[{key:?}]");
        let row = RecordRow {
            key_end: canonical.len() as u32,
            ..row(line, key, *payload)
        };
        table.append(&[row], &canonical).unwrap();
    }
    table
}

fn valid(rows: &[(&str, u64)]) -> RecordTable {
    let rows: Vec<_> = rows
        .iter()
        .map(|(key, payload)| (*key, Some(*payload)))
        .collect();
    table(&rows)
}

#[test]
fn equal_rows_exclude_all_but_the_first_and_different_rows_all() {
    let mut all = valid(&[("A", 1), ("B", 2), ("A", 1), ("B", 3), ("C", 4), ("A", 1)]);
    let groups = all.groups();
    assert_eq!(groups.same_key, [vec![0, 2, 5], vec![1, 3]]);
    let excluded = all.exclude(&groups, false);
    let out: Vec<u32> = (0..6)
        .filter(|&number| excluded.contains(&number))
        .collect();
    assert_eq!(out, [1, 2, 3, 5]);
    assert_eq!((all.place(5).line, all.place(5).row), (7, Some(6)));
    assert_eq!(all.place(5).index, 5);
    assert_eq!(all.key(5).as_deref(), Some("A"));
    assert_eq!(all.key(0).as_deref(), Some("A"));
}

#[test]
fn no_duplicate_of_an_invalid_record_is_sent() {
    let mut all = table(&[("A", None), ("A", Some(1)), ("A", Some(1)), ("B", None)]);
    assert_eq!(all.valid(), 2);
    let groups = all.groups();
    assert_eq!(groups.same_key, [vec![0, 1, 2]]);
    assert!(!all.are_equal(&groups.same_key[0]));
    assert_eq!(all.exclude(&groups, false).len(), 2);
    assert_eq!(groups.same_person, [vec![0, 1, 2, 3]]);
}

#[test]
fn places_are_kept_for_each_file() {
    let mut all = table(&[("A", Some(1))]);
    let mut second = row(9, "B", Some(1));
    second.place.file = FileId(4);
    all.append(&[second], "").unwrap();
    assert_eq!(all.place(0).file, FileId(0));
    assert_eq!(all.place(1), second.place);
    assert_eq!(all.key(1), None);
}

#[test]
fn every_key_is_named_by_its_own_text() {
    let keys: Vec<String> = (0..200)
        .map(|number| match number % 7 {
            0 => format!("{}-{number}", "é".repeat(150)),
            1 => "L-1".to_owned(),
            _ => format!("L-{number:06}"),
        })
        .collect();
    let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), Some(1))).collect();
    let all = table(&rows);
    for (number, key) in (0..).zip(&keys) {
        assert_eq!(all.key(number).as_ref(), Some(key));
    }
}

#[test]
fn similar_keys_are_those_that_fold_to_one() {
    let mut all = valid(&[("A1", 1), ("a1", 2), ("b", 3), ("B2", 4), ("A1", 1)]);
    assert_eq!(all.groups().similar_keys, [vec![0, 1, 4]]);
}

#[test]
fn one_person_under_several_keys_is_a_group() {
    let mut all = valid(&[("A", 1), ("A", 1)]);
    assert!(
        all.groups().same_person.is_empty(),
        "one key is a duplicate key"
    );
    let mut all = valid(&[("A", 1), ("B", 1)]);
    assert_eq!(all.groups().same_person, [vec![0, 1]]);
}

#[test]
fn keys_that_begin_alike_are_shown_in_full() {
    let keys = ["L-0é1", "L-0è2", "L-0é 1", "L-0é"];
    let mut all = RecordTable::default();
    let (mut rows, mut texts) = (Vec::new(), String::new());
    for (line, key) in (2..).zip(keys) {
        Key::write_canonical("", [key], &mut texts);
        rows.push(RecordRow {
            key_end: texts.len() as u32,
            ..row(line, key, Some(line))
        });
    }
    all.append(&rows, &texts).unwrap();
    let shown: Vec<String> = (0..4).filter_map(|number| all.key(number)).collect();
    assert_eq!(shown, keys.map(str::to_owned));
}

#[test]
fn keys_fold_to_what_a_plain_key_is() {
    let hash = |key: &str| (hash_of_key(key) >> 64) as u64;
    assert_eq!(folded_key(r#"["A17"]"#), None);
    assert_eq!(folded_key(r#"["a17"]"#), Some(hash(r#"["A17"]"#)));
    assert_eq!(folded_key(r#"["0017"]"#), Some(hash(r#"["17"]"#)));
}

fn hashes(cells: [&str; 5]) -> [Option<u64>; 2] {
    let columns =
        Columns::from_names(["First Name", "last_name", "Cell", "E-Mail", "Date of Loss"]);
    let cells: Vec<Cell<'_>> = cells.into_iter().map(Cell::text).collect();
    PersonColumns::default().hashes(&Record {
        place: Place::default(),
        columns: &columns,
        cells: &cells,
        json: None,
    })
}

#[test]
fn spelling_makes_no_difference_but_content_does() {
    let one = hashes(["Ann", "O'Neil", "(702) 555-0101", "a@x.example", "1/2/26"]);
    let same = hashes(["ANN", "ONeil", "702-555-0101", "A@x.example", "1/2/26"]);
    let other = hashes(["Ann", "O'Neil", "702-555-0102", "", "1/2/26"]);
    assert_eq!(one, same);
    assert_ne!(one[0], other[0]);
    assert_eq!(other[1], None, "an empty e-mail matches nobody");
    assert_eq!(hashes(["", "", "7025550101", "", "1/2/26"]), [None, None]);
    assert_eq!(hashes(["Ann", "Lee", "7025550101", "", ""]), [None, None]);
}
