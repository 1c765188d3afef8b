//! The user's resolution, and taking it back.

use super::*;

fn resolve(desk: &mut Desk, n: u64, resolution: Resolution) -> ResolutionReport {
    desk.ledger
        .resolve(&[(key(n), resolution)], "paula", moment(30))
        .unwrap()
}

fn imported(case_id: Option<&str>) -> Resolution {
    Resolution::Imported {
        case_id: case_id.map(str::to_owned),
    }
}

#[test]
fn each_word_is_for_one_state_and_leads_to_one() {
    let words = [
        (imported(Some("typed")), State::InDoubt, State::Imported),
        (Resolution::NotImported, State::InDoubt, State::NotSent),
        (Resolution::Removed, State::Imported, State::Removed),
    ];
    for (resolution, from, to) in words {
        for state in State::ALL {
            let mut desk = Desk::new();
            desk.bring(1, state);
            let before = desk.row(1).unwrap();
            let report = resolve(&mut desk, 1, resolution.clone());
            if state == from {
                assert_eq!((report.done, report.refused.len()), (1, 0));
                assert_eq!(desk.row(1).unwrap().state, to);
                assert_eq!(desk.row(1).unwrap().updated_at, moment(30));
            } else {
                assert_eq!(report.refused, [(key(1), Refusal::State(state))]);
                assert_eq!(desk.row(1).unwrap(), before);
            }
        }
    }
}

#[test]
fn a_word_is_kept_and_taken_back_whole() {
    let words = [
        (imported(Some("typed")), State::InDoubt),
        (imported(None), State::InDoubt),
        (Resolution::NotImported, State::InDoubt),
        (Resolution::Removed, State::Imported),
    ];
    for (resolution, from) in words {
        let mut desk = Desk::new();
        desk.bring(1, from);
        let before = desk.row(1).unwrap();
        resolve(&mut desk, 1, resolution.clone());
        let report = desk.ledger.undo(&[key(1)], "rui", moment(50)).unwrap();
        assert_eq!(report.done, 1);
        assert_eq!(desk.row(1).unwrap(), before);
        let kept = desk.ledger.reader().resolutions(&key(1)).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].resolution, resolution);
        assert_eq!(
            (kept[0].marked_by.as_str(), kept[0].marked_at),
            ("paula", moment(30))
        );
        assert_eq!(kept[0].state_before, from);
        assert_eq!(kept[0].undone, Some(("rui".to_owned(), moment(50))));
        let again = desk.ledger.undo(&[key(1)], "rui", moment(60)).unwrap();
        assert_eq!(again.refused, [(key(1), Refusal::NothingToUndo)]);
    }
}

#[test]
fn words_are_taken_back_last_first() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, imported(Some("typed")));
    resolve(&mut desk, 1, Resolution::Removed);
    let mut states = Vec::new();
    for _ in 0..2 {
        desk.ledger.undo(&[key(1)], "paula", moment(50)).unwrap();
        let row = desk.row(1).unwrap();
        states.push((row.state, row.case_id));
    }
    let typed = Some("typed".to_owned());
    assert_eq!(states, [(State::Imported, typed), (State::InDoubt, None)]);
}

#[test]
fn a_word_is_not_taken_back_once_the_case_was_tried() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, Resolution::NotImported);
    let claim = desk.claim(version(1, 0), Some(State::NotSent)).unwrap();
    let settled = desk.settle(&claim, Verdict::Imported, Some("a")).unwrap();
    // The user said that there is no other.
    assert!(!settled.possible_twin);
    let report = desk.ledger.undo(&[key(1)], "paula", moment(50)).unwrap();
    assert_eq!(report.refused, [(key(1), Refusal::AttemptedSince)]);
    assert_eq!(desk.row(1).unwrap().state, State::Imported);
}

#[test]
fn a_claim_released_leaves_the_word_as_it_was() {
    let mut desk = Desk::new();
    desk.bring(1, State::Removed);
    let claim = desk.claim(version(1, 0), Some(State::Removed)).unwrap();
    desk.release(claim);
    assert_eq!(
        desk.ledger
            .undo(&[key(1)], "paula", moment(50))
            .unwrap()
            .done,
        1
    );
    let row = desk.row(1).unwrap();
    assert_eq!(
        (row.state, row.case_id.as_deref()),
        (State::Imported, Some("id-1"))
    );
}

#[test]
fn a_typed_id_that_another_case_has_is_refused() {
    let mut desk = Desk::new();
    desk.bring(1, State::Imported);
    desk.bring(2, State::InDoubt);
    let report = resolve(&mut desk, 2, imported(Some("id-1")));
    assert_eq!(report.refused, [(key(2), Refusal::IdHeldBy(key(1)))]);
    assert_eq!(desk.row(2).unwrap().state, State::InDoubt);
}

#[test]
fn unknown_keys_are_told_and_the_others_changed() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    let words = [
        (key(9), Resolution::NotImported),
        (key(1), Resolution::NotImported),
    ];
    let report = desk.ledger.resolve(&words, "paula", moment(30)).unwrap();
    assert_eq!(report.done, 1);
    assert_eq!(report.refused, [(key(9), Refusal::Unknown)]);
}

#[test]
fn what_a_word_called_imported_is_dropped_when_the_next_run_begins() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, imported(None));
    assert!(desk.row(1).unwrap().raw.is_some());
    let desk = desk.reopen();
    assert_eq!(desk.row(1).unwrap().raw, None);
}
