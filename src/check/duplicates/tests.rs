//! Which records are duplicates, or may be.

use super::*;

/// A row of one person's; the same content has the same number.
fn row(line: u64, key: &str, content: Option<u64>) -> RecordRow {
    let place = Place {
        file: FileId(0),
        line,
        row: Some(line - 1),
        index: line - 2,
    };
    let content = content.map(|content| ContentHash::new(&content.to_string(), true));
    RecordRow {
        content,
        ..RecordRow::new(place, &format!("[{key:?}]"), "ann\n7025550101")
    }
}

fn table(rows: &[(&str, Option<u64>)]) -> RecordTable {
    let mut table = RecordTable::default();
    for (line, (key, content)) in (2..).zip(rows) {
        let canonical = format!("[{key:?}]");
        table
            .append(&[row(line, key, *content)], &canonical)
            .unwrap();
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
    assert_eq!(excluded.conflicting, HashSet::from([1, 3]));
    assert_eq!(excluded.repeated, HashSet::from([2, 5]));
    assert_eq!(all.valid_beside(&excluded), 2);
    assert_eq!((all.place(5).line, all.place(5).row), (7, Some(6)));
    assert_eq!(all.place(5).index, 5);
    assert_eq!(all.number_at(all.place(5)), Some(5));
    assert_eq!(all.key(5), Some(Key::new(["A"])));
    assert_eq!(all.key(0), Some(Key::new(["A"])));
}

#[test]
fn no_duplicate_of_an_invalid_record_is_sent() {
    let mut all = table(&[("A", None), ("A", Some(1)), ("A", Some(1)), ("B", None)]);
    assert_eq!(all.valid(), 2);
    let groups = all.groups();
    assert_eq!(groups.same_key, [vec![0, 1, 2]]);
    assert!(!all.are_equal(&groups.same_key[0]));
    let excluded = all.exclude(&groups, false);
    assert_eq!(excluded.conflicting, HashSet::from([0, 1, 2]));
    assert_eq!(all.valid_beside(&excluded), 0);
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
    assert_eq!(all.number_at(second.place), Some(1));
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
        assert_eq!(all.key(number), Some(Key::new([key])));
    }
}

#[test]
fn similar_keys_are_those_that_fold_to_one() {
    let mut all = valid(&[("A1", 1), ("a1", 2), ("b", 3), ("B2", 4), ("A1", 1)]);
    let groups = all.groups();
    assert_eq!(groups.similar_keys, [vec![0, 1, 4]]);
    let merged =
        Key::new(["a"]).is_similar(&Key::new(["A"]), Foldings::ALL.without(groups.merging));
    assert!(!merged, "two of the keys differ by letter case alone");
    let mut ids = valid(&[("003Ab00000aBcD1", 1), ("003Ab00000abcD1", 2)]);
    let groups = ids.groups();
    assert!(groups.similar_keys.is_empty(), "ids of Salesforce");
    assert_ne!(groups.merging, Foldings::default());
}

#[test]
fn one_content_under_several_keys_is_a_group() {
    let mut all = valid(&[("A", 1), ("B", 2), ("C", 1), ("D", 1), ("E", 3), ("E", 3)]);
    let groups = all.groups();
    assert_eq!(groups.same_content, [vec![0, 2, 3]]);
    let excluded = all.exclude(&groups, false);
    assert_eq!(excluded.repeated, HashSet::from([2, 3, 5]));
    let no_fields = ContentHash::new("@firm_1", false);
    let mut all = RecordTable::default();
    for line in [2, 3] {
        let row = row(line, if line == 2 { "A" } else { "B" }, None);
        let row = RecordRow {
            content: Some(no_fields),
            ..row
        };
        all.append(&[row], "").unwrap();
    }
    assert_eq!(all.valid(), 2);
    assert!(all.groups().same_content.is_empty(), "only keys are sent");
}

#[test]
fn one_person_under_several_keys_is_a_group() {
    let mut all = valid(&[("A", 1), ("A", 1)]);
    assert!(
        all.groups().same_person.is_empty(),
        "one key is a duplicate key"
    );
    let mut all = valid(&[("A", 1), ("B", 2)]);
    assert_eq!(all.groups().same_person, [vec![0, 1]]);
}

#[test]
fn keys_that_begin_alike_are_shown_in_full() {
    let keys = ["L-0é1", "L-0è2", "L-0é 1", "L-0é"];
    let mut all = RecordTable::default();
    let (mut rows, mut texts) = (Vec::new(), String::new());
    for (line, key) in (2..).zip(keys) {
        Key::write_canonical("", [key], &mut texts);
        texts.push('\n');
        rows.push(row(line, key, Some(line)));
    }
    all.append(&rows, &texts).unwrap();
    let found: Vec<Key> = (0..4).filter_map(|number| all.key(number)).collect();
    assert_eq!(found, keys.map(|key| Key::new([key])));
}

#[test]
fn keys_fold_to_what_a_plain_key_is() {
    let hash = |key: &str| (hash_of_key(key) >> 64) as u64;
    assert_eq!(folded_key(r#"["A17"]"#), None);
    assert_eq!(folded_key(r#"["a17"]"#), Some(hash(r#"["A17"]"#)));
    assert_eq!(folded_key(r#"["0017"]"#), Some(hash(r#"["17"]"#)));
}
