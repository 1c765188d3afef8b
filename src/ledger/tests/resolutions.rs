//! Resolving cases, and undoing it.

use super::*;

use ResolveAction::{Imported, NotImported, Removed, Undo};

fn resolve(
    desk: &mut Desk,
    n: u64,
    action: ResolveAction,
    case_id: Option<&str>,
) -> ResolutionReport {
    let case = (key(n), case_id.map(str::to_owned));
    desk.ledger
        .resolve(action, &[case], "paula", moment(30))
        .unwrap()
}

fn undo(desk: &mut Desk, n: u64, at: Timestamp) -> ResolutionReport {
    desk.ledger
        .resolve(Undo, &[(key(n), None)], "rui", at)
        .unwrap()
}

#[test]
fn each_action_is_for_one_state_and_leads_to_one() {
    let actions = [
        (Imported, Some("typed"), State::InDoubt, State::Imported),
        (NotImported, None, State::InDoubt, State::NotSent),
        (Removed, None, State::Imported, State::Removed),
    ];
    for (action, id, from, to) in actions {
        for state in State::ALL {
            let mut desk = Desk::new();
            desk.bring(1, state);
            let before = desk.row(1).unwrap();
            let report = resolve(&mut desk, 1, action, id);
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
fn a_resolution_is_kept_and_can_be_undone() {
    let actions = [
        (Imported, Some("typed"), State::InDoubt),
        (Imported, None, State::InDoubt),
        (NotImported, None, State::InDoubt),
        (Removed, None, State::Imported),
    ];
    for (action, id, from) in actions {
        let mut desk = Desk::new();
        desk.bring(1, from);
        let before = desk.row(1).unwrap();
        resolve(&mut desk, 1, action, id);
        let last = |desk: &Desk| desk.ledger.reader().last_resolution(&key(1)).unwrap();
        let kept = last(&desk).unwrap();
        assert_eq!((kept.action, kept.case_id.as_deref()), (action, id));
        assert_eq!(
            (kept.marked_by.as_str(), kept.marked_at),
            ("paula", moment(30))
        );
        assert_eq!(kept.case_id_before, before.case_id);
        let report = undo(&mut desk, 1, moment(50));
        assert_eq!(report.done, 1);
        assert_eq!(desk.row(1).unwrap(), before);
        assert_eq!(last(&desk), None);
        let again = undo(&mut desk, 1, moment(60));
        assert_eq!(again.refused, [(key(1), Refusal::NothingToUndo)]);
    }
}

#[test]
fn resolutions_are_undone_last_first() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, Imported, Some("typed"));
    resolve(&mut desk, 1, Removed, None);
    let mut states = Vec::new();
    for _ in 0..2 {
        undo(&mut desk, 1, moment(50));
        let row = desk.row(1).unwrap();
        states.push((row.state, row.case_id));
    }
    let typed = Some("typed".to_owned());
    assert_eq!(states, [(State::Imported, typed), (State::InDoubt, None)]);
}

#[test]
fn a_resolution_cannot_be_undone_after_another_attempt() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, NotImported, None);
    let claim = desk.claim(version(1, 0), Some(State::NotSent)).unwrap();
    let settled = desk.settle(&claim, Verdict::Imported, Some("a")).unwrap();
    // The user has said that there is no other.
    assert!(!settled.possible_twin);
    let report = undo(&mut desk, 1, moment(50));
    assert_eq!(report.refused, [(key(1), Refusal::AttemptedSince)]);
    assert_eq!(desk.row(1).unwrap().state, State::Imported);
}

#[test]
fn a_released_claim_leaves_the_resolution_as_it_was() {
    let mut desk = Desk::new();
    desk.bring(1, State::Removed);
    let claim = desk.claim(version(1, 0), Some(State::Removed)).unwrap();
    desk.release(claim);
    assert_eq!(undo(&mut desk, 1, moment(50)).done, 1);
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
    let report = resolve(&mut desk, 2, Imported, Some("id-1"));
    assert_eq!(report.refused, [(key(2), Refusal::IdHeldBy(key(1)))]);
    assert_eq!(desk.row(2).unwrap().state, State::InDoubt);
}

#[test]
fn unknown_keys_are_reported_and_the_others_changed() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    let cases = [(key(9), None), (key(1), None)];
    let report = desk
        .ledger
        .resolve(NotImported, &cases, "paula", moment(30))
        .unwrap();
    assert_eq!(report.done, 1);
    assert_eq!(report.refused, [(key(9), Refusal::UnknownKey)]);
}

#[test]
fn payloads_of_cases_marked_as_imported_are_dropped_when_the_next_run_begins() {
    let mut desk = Desk::new();
    desk.bring(1, State::InDoubt);
    resolve(&mut desk, 1, Imported, None);
    assert!(desk.row(1).unwrap().raw.is_some());
    let desk = desk.reopen();
    assert_eq!(desk.row(1).unwrap().raw, None);
}
