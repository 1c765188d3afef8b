//! Cases that another key may stand for.

use rusqlite::params;

use super::*;
use crate::ledger::database::Row;
use crate::model::{Foldings, PersonField};

/// A case with a key and a person, `|` between the fields.
fn case(key: &str, person: &str) -> CaseData {
    CaseData {
        key: Key::new([key]),
        payload_digest: Digest::of(key.as_bytes()),
        content_digest: None,
        record_digest: Digest::of(key.as_bytes()),
        person: Person::from_lines(&person.replace('|', "\n")),
        ..(*version(1, 0)).clone()
    }
}

fn ledger(cases: &[CaseData]) -> TestLedger {
    let test = TestLedger::new();
    for case in cases {
        let claim = test.claim(Arc::new(case.clone()), None).unwrap();
        test.settle(&claim, Verdict::Imported, Some(&case.key.to_string()));
    }
    test
}

#[test]
fn same_content_is_that_of_a_case_imported_or_in_doubt() {
    for &state in State::ALL {
        let mut test = TestLedger::new();
        assert!(test.ledger.reader().look_alikes().unwrap().is_none());
        test.bring(1, state);
        let reader = test.ledger.reader();
        let look_alikes = reader.look_alikes().unwrap().unwrap();
        let exists = matches!(state, State::Imported | State::InDoubt | State::Sending);
        let known = version(1, 0);
        let other = case("other", "");
        for same in [
            CaseData {
                record_digest: known.record_digest,
                ..other.clone()
            },
            CaseData {
                content_digest: known.content_digest,
                ..other.clone()
            },
            CaseData {
                payload_digest: known.payload_digest,
                ..other.clone()
            },
        ] {
            let found = look_alikes.same_content(&same).unwrap();
            assert_eq!(found.is_some(), exists, "{state:?}");
            if let Some(no) = found {
                let found = look_alikes.case(no).unwrap();
                assert_eq!((found.key, found.state), (key(1), state));
                assert_eq!(found.file.as_deref(), Some("cases.csv"));
            }
        }
        assert_eq!(look_alikes.same_content(&other).unwrap(), None);
        assert_eq!(look_alikes.same_content(&known).unwrap(), None, "itself");
    }
}

#[test]
fn similar_keys_are_found_and_foldings_that_merge_two_known_keys() {
    let test = ledger(&[
        case("L-1", ""),
        case("00123", ""),
        case("x", ""),
        case("X", ""),
    ]);
    let reader = test.ledger.reader();
    let look_alikes = reader.look_alikes().unwrap().unwrap();
    let similar = |text: &str| look_alikes.similar_keys(&Key::new([text])).unwrap();
    assert_eq!(similar("l_1"), [1]);
    assert_eq!(similar("123"), [2]);
    assert_eq!(similar("00123"), [] as [i64; 0], "itself");
    assert_eq!(similar("124"), [] as [i64; 0]);
    let foldings = Foldings::ALL.without(look_alikes.merging_foldings("").unwrap());
    let is_similar =
        |one: &str, other: &str| Key::new([one]).is_similar(&Key::new([other]), foldings);
    assert!(!is_similar("l-1", "L-1"), "x and X are two cases");
    assert!(is_similar("123", "00123"));
}

#[test]
fn persons_are_compared_by_salted_hashes_that_stay() {
    let ann = "ann lee|7025550101|a@x|2026-01-05|1980-01-01|mva";
    let test = ledger(&[case("1", ann)]);
    assert_eq!(test.row(1), None, "the content was dropped");
    let reader = test.ledger.reader();
    let look_alikes = reader.look_alikes().unwrap().unwrap();
    let same = |person: &str| look_alikes.same_person(&case("2", person)).unwrap();
    let (phone, date) = (PersonField::Phone, PersonField::IncidentDate);
    assert_eq!(same("ann lee|7025550101"), [(phone, 1)]);
    assert_eq!(
        same("ann lee|7025550101||2026-01-05"),
        [(phone, 1), (date, 1)]
    );
    for other in [
        "bob lee|7025550101",
        "ann lee|7025550102",
        "ann lee",
        "|7025550101",
        "ann lee|7025550101||2026-02-05",
        "ann lee|7025550101|||1981-01-01",
        "ann lee|7025550101||||dog bite",
    ] {
        assert_eq!(same(other), [], "{other}");
    }
    let is_other = |person: &str| {
        look_alikes
            .other_person(&case("1", person))
            .unwrap()
            .is_some()
    };
    assert!(is_other("carla diaz|7025550199"));
    assert!(is_other("carla diaz"));
    assert!(!is_other("ann smith|7025550101|b@x"));
    assert!(!is_other("ann lee|7025550199"));
    assert!(!is_other("|7025550199"));
    let names = |person| {
        look_alikes
            .names_sharing(phone, &Person::from_lines(person), 6)
            .unwrap()
    };
    assert_eq!(names("\n7025550101"), 1);
    assert_eq!(names("\n7025550109"), 0);
    let (one, other) = (ledger(&[case("1", ann)]), ledger(&[case("1", ann)]));
    let hash = |test: &TestLedger| {
        let sql = "SELECT name FROM cases";
        test.ledger
            .reader()
            .read(|db| db.value::<i64>(sql, params![]))
            .unwrap()
    };
    assert_ne!(
        hash(&one),
        hash(&other),
        "each ledger has a salt of its own"
    );
}

#[test]
fn a_released_claim_gives_the_person_back() {
    let ann = case("1", "ann lee|7025550101");
    let mut test = ledger(std::slice::from_ref(&ann));
    let row = |test: &TestLedger| {
        let sql = "SELECT name, phone FROM cases";
        let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        let reader = test.ledger.reader();
        reader.read(|db| db.one(sql, params![], read)).unwrap()
    };
    let before = row(&test);
    test.ledger
        .resolve(
            ResolveAction::Removed,
            &[(ann.key, None)],
            "paula",
            moment(30),
        )
        .unwrap();
    let bob = Arc::new(case("1", "bob lee|7025550102"));
    let claim = test.claim(bob, Some(State::Removed)).unwrap();
    assert_ne!(row(&test), before);
    assert!(test.release(&claim));
    assert_eq!(row(&test), before);
}
