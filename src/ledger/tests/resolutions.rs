//! Resolving cases, and undoing it.

use super::*;

use ResolveAction::{Imported, NotImported, Removed, Undo};

fn resolve(
    test: &mut TestLedger,
    n: u64,
    action: ResolveAction,
    case_id: Option<&str>,
) -> ResolutionReport {
    let case = (key(n), case_id.map(str::to_owned));
    test.ledger
        .resolve(action, &[case], "paula", moment(30))
        .unwrap()
}

fn undo(test: &mut TestLedger, n: u64, at: Timestamp) -> ResolutionReport {
    test.ledger
        .resolve(Undo, &[(key(n), None)], "rui", at)
        .unwrap()
}

#[test]
fn each_action_is_for_some_states_and_leads_to_one() {
    use State::{InDoubt, NotSent, Rejected};
    let absent = [InDoubt, Rejected, NotSent, State::Removed];
    let actions = [
        (Imported, Some("typed"), &absent[..], State::Imported),
        (Imported, None, &[InDoubt], State::Imported),
        (NotImported, None, &[InDoubt], NotSent),
        (Removed, None, &[State::Imported], State::Removed),
    ];
    for (action, id, from, to) in actions {
        for &state in State::ALL {
            let mut test = TestLedger::new();
            test.bring(1, state);
            let before = test.row(1).unwrap();
            let report = resolve(&mut test, 1, action, id);
            if from.contains(&state) {
                assert_eq!((report.done, report.refused.len()), (1, 0));
                assert_eq!(test.row(1).unwrap().state, to);
                assert_eq!(test.row(1).unwrap().updated_at, moment(30));
            } else {
                assert_eq!(report.refused, [(key(1), Refusal::State(state))]);
                assert_eq!(test.row(1).unwrap(), before);
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
        let mut test = TestLedger::new();
        test.bring(1, from);
        let before = test.row(1).unwrap();
        resolve(&mut test, 1, action, id);
        let last = |test: &TestLedger| {
            let digest = key(1).digest();
            let last = test.ledger.reader().last_resolutions(&[digest]);
            last.unwrap().remove(&digest)
        };
        let kept = last(&test).unwrap();
        assert_eq!((kept.action, kept.case_id.as_deref()), (action, id));
        assert_eq!(
            (kept.marked_by.as_str(), kept.marked_at),
            ("paula", moment(30))
        );
        assert_eq!(kept.case_id_before, before.case_id);
        let report = undo(&mut test, 1, moment(50));
        assert_eq!(report.done, 1);
        assert_eq!(test.row(1).unwrap(), before);
        assert_eq!(last(&test), None);
        let again = undo(&mut test, 1, moment(60));
        assert_eq!(again.refused, [(key(1), Refusal::NothingToUndo)]);
    }
}

#[test]
fn resolutions_are_undone_last_first() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    resolve(&mut test, 1, Imported, Some("typed"));
    resolve(&mut test, 1, Removed, None);
    let mut states = Vec::new();
    for _ in 0..2 {
        undo(&mut test, 1, moment(50));
        let row = test.row(1).unwrap();
        states.push((row.state, row.case_id));
    }
    let typed = Some("typed".to_owned());
    assert_eq!(states, [(State::Imported, typed), (State::InDoubt, None)]);
}

#[test]
fn a_resolution_cannot_be_undone_after_another_attempt() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    resolve(&mut test, 1, NotImported, None);
    let claim = test.claim(version(1, 0), Some(State::NotSent)).unwrap();
    let settled = test.settle(&claim, Verdict::Imported, Some("a")).unwrap();
    // The user has said that there is no other.
    assert!(!settled.possible_twin);
    let report = undo(&mut test, 1, moment(50));
    assert_eq!(report.refused, [(key(1), Refusal::AttemptedSince)]);
    assert_eq!(test.row(1).unwrap().state, State::Imported);
}

#[test]
fn a_released_claim_leaves_the_resolution_as_it_was() {
    let mut test = TestLedger::new();
    test.bring(1, State::Removed);
    let claim = test.claim(version(1, 0), Some(State::Removed)).unwrap();
    test.release(&claim);
    assert_eq!(undo(&mut test, 1, moment(50)).done, 1);
    let row = test.row(1).unwrap();
    assert_eq!(
        (row.state, row.case_id.as_deref()),
        (State::Imported, Some("id-1"))
    );
}

#[test]
fn a_typed_id_that_another_case_has_is_refused() {
    let mut test = TestLedger::new();
    test.bring(1, State::Imported);
    test.bring(2, State::InDoubt);
    let report = resolve(&mut test, 2, Imported, Some("id-1"));
    assert_eq!(report.refused, [(key(2), Refusal::IdHeldBy(key(1)))]);
    assert_eq!(test.row(2).unwrap().state, State::InDoubt);
}

#[test]
fn a_case_entered_by_hand_is_added_and_undo_forgets_it() {
    let mut test = TestLedger::new();
    test.bring(1, State::Imported);
    let added = resolve(&mut test, 2, Imported, Some("id-2"));
    assert_eq!((added.done, added.refused.len()), (1, 0));
    let row = test.row(2).unwrap();
    assert_eq!(row.case_id.as_deref(), Some("id-2"));
    assert_eq!((row.file, row.run, row.attempts), (None, None, 0));
    let known = test.ledger.reader().lookups().find(&[key(2).digest()]);
    assert_eq!(known.unwrap()[0].unwrap().payload_digest, None);
    let twice = resolve(&mut test, 3, Imported, Some("id-2"));
    assert_eq!(twice.refused, [(key(3), Refusal::IdHeldBy(key(2)))]);
    resolve(&mut test, 2, Removed, None);
    undo(&mut test, 2, moment(50));
    assert_eq!(test.row(2).unwrap().state, State::Imported);
    undo(&mut test, 2, moment(50));
    assert_eq!(test.row(2), None);
    // Removed, and then sent: the attempts are kept.
    resolve(&mut test, 2, Imported, Some("id-2"));
    resolve(&mut test, 2, Removed, None);
    let claim = test.claim(version(2, 0), Some(State::Removed)).unwrap();
    test.settle(&claim, Verdict::Imported, Some("b")).unwrap();
    let report = undo(&mut test, 2, moment(60));
    assert_eq!(report.refused, [(key(2), Refusal::AttemptedSince)]);
}

#[test]
fn unknown_keys_are_reported_and_the_others_changed() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    let cases = [(key(9), None), (key(1), None)];
    let report = test
        .ledger
        .resolve(NotImported, &cases, "paula", moment(30))
        .unwrap();
    assert_eq!(report.done, 1);
    assert_eq!(report.refused, [(key(9), Refusal::UnknownKey)]);
}

#[test]
fn payloads_of_cases_marked_as_imported_are_dropped_when_the_next_run_begins() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    resolve(&mut test, 1, Imported, None);
    assert!(test.row(1).unwrap().raw_record.is_some());
    let test = test.reopen();
    assert_eq!(test.row(1).unwrap().raw_record, None);
}
