//! Claim, settle and release: every state before, every verdict.

use super::*;

#[test]
fn every_verdict_leads_to_the_promised_state() {
    use State as S;
    use Verdict as V;
    // Before, what the attempt proved, and after: the state, a possible twin.
    let table = [
        (None, V::Imported, (S::Imported, false)),
        (None, V::Rejected, (S::Rejected, false)),
        (None, V::NotSent, (S::NotSent, false)),
        (None, V::InDoubt, (S::InDoubt, false)),
        (Some(S::Rejected), V::Imported, (S::Imported, false)),
        (Some(S::Rejected), V::Rejected, (S::Rejected, false)),
        (Some(S::Rejected), V::NotSent, (S::NotSent, false)),
        (Some(S::Rejected), V::InDoubt, (S::InDoubt, false)),
        (Some(S::NotSent), V::Imported, (S::Imported, false)),
        (Some(S::NotSent), V::Rejected, (S::Rejected, false)),
        (Some(S::NotSent), V::NotSent, (S::NotSent, false)),
        (Some(S::NotSent), V::InDoubt, (S::InDoubt, false)),
        (Some(S::Removed), V::Imported, (S::Imported, false)),
        (Some(S::Removed), V::Rejected, (S::Rejected, false)),
        (Some(S::Removed), V::NotSent, (S::NotSent, false)),
        (Some(S::Removed), V::InDoubt, (S::InDoubt, false)),
        // Only a proof that it exists ends a doubt.
        (Some(S::InDoubt), V::Imported, (S::Imported, true)),
        (Some(S::InDoubt), V::Rejected, (S::InDoubt, false)),
        (Some(S::InDoubt), V::NotSent, (S::InDoubt, false)),
        (Some(S::InDoubt), V::InDoubt, (S::InDoubt, false)),
    ];
    for (before, verdict, (state, possible_twin)) in table {
        let mut test = TestLedger::new();
        if let Some(before) = before {
            test.bring(1, before);
        }
        let claim = test.claim(version(1, 1), before).unwrap();
        assert_eq!(test.row(1).unwrap().state, S::Sending);
        let id = (verdict == V::Imported).then_some("new-id");
        let settled = test.settle(&claim, verdict, id).unwrap();
        let reported = (settled.state, settled.possible_twin);
        assert_eq!(reported, (state, possible_twin), "{before:?} {verdict:?}");
        let row = test.row(1).unwrap();
        assert_eq!(
            (row.state, row.possible_twin),
            reported,
            "{before:?} {verdict:?}"
        );
        assert_eq!(row.case_id.as_deref(), id, "{before:?} {verdict:?}");
        assert_eq!(row.attempts, if before.is_some() { 2 } else { 1 });
        assert_eq!((row.line, row.status), (103, Some(200)));
        // What was sent stays while it is not known to exist, and no longer.
        let kept = (state != S::Imported).then(|| version(1, 1).payload.to_string());
        assert_eq!(row.payload, kept, "{before:?} {verdict:?}");
        let history = test.attempts(1);
        let latest = history.last().unwrap();
        assert_eq!(
            (latest.state_before, latest.verdict),
            (before, Some(verdict))
        );
        assert_eq!(latest.map_id, "map_1");
    }
}

#[test]
fn imported_cases_and_cases_in_flight_are_never_claimed() {
    for state in [State::Imported, State::Sending] {
        let mut test = TestLedger::new();
        test.bring(1, state);
        let before = test.row(1);
        assert_eq!(
            test.claim(version(1, 1), Some(state)).unwrap_err(),
            Some(state)
        );
        assert_eq!(test.row(1), before);
    }
}

#[test]
fn a_case_in_doubt_is_claimed_only_on_request() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    let mut request = request(test.run, version(1, 0), Some(State::InDoubt));
    request.resend_in_doubt = false;
    assert_eq!(test.claim_as(&request).unwrap_err(), Some(State::InDoubt));
    request.resend_in_doubt = true;
    assert!(test.claim_as(&request).unwrap().after_doubt());
}

#[test]
fn a_claim_is_refused_when_the_state_has_changed_since_the_plan() {
    let mut test = TestLedger::new();
    test.bring(1, State::Rejected);
    for expected in [None, Some(State::NotSent), Some(State::Removed)] {
        let refused = test.claim(version(1, 0), expected).unwrap_err();
        assert_eq!(refused, Some(State::Rejected));
    }
    assert_eq!(
        test.claim(version(2, 0), Some(State::NotSent)).unwrap_err(),
        None
    );
    assert_eq!(test.row(2), None);
}

#[test]
fn a_released_case_is_as_if_never_claimed() {
    let test = TestLedger::new();
    let claim = test.claim(version(1, 0), None).unwrap();
    assert!(test.release(&claim));
    assert_eq!(test.row(1), None);
    let left: i64 = test
        .ledger
        .reader
        .db
        .conn()
        .query_row(
            "SELECT (SELECT count(*) FROM cases) + (SELECT count(*) FROM contents)
                  + (SELECT count(*) FROM attempts)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);

    for state in [
        State::Rejected,
        State::NotSent,
        State::InDoubt,
        State::Removed,
    ] {
        let mut test = TestLedger::new();
        test.bring(1, state);
        let before = test.row(1).unwrap();
        let history = test.attempts(1);
        let known = test
            .ledger
            .reader()
            .lookups()
            .find(&[key(1).digest()])
            .unwrap();
        let claim = test.claim(version(1, 1), Some(state)).unwrap();
        assert!(test.release(&claim));
        assert_eq!(test.row(1).unwrap(), before);
        assert_eq!(test.attempts(1), history);
        assert_eq!(
            test.ledger
                .reader()
                .lookups()
                .find(&[key(1).digest()])
                .unwrap(),
            known
        );
    }
}

#[test]
fn a_case_id_that_another_key_holds_leaves_a_doubt() {
    let test = TestLedger::new();
    let first = test.claim(version(1, 0), None).unwrap();
    let second = test.claim(version(2, 0), None).unwrap();
    test.settle(&first, Verdict::Imported, Some("same"))
        .unwrap();
    let settled = test
        .settle(&second, Verdict::Imported, Some("same"))
        .unwrap();
    assert_eq!(settled.state, State::InDoubt);
    assert_eq!(settled.same_id_as, Some(key(1)));
    let row = test.row(2).unwrap();
    assert_eq!((row.state, row.case_id), (State::InDoubt, None));
    assert_eq!(
        row.message.as_deref(),
        Some("its case id is already held by 00001")
    );
    assert_eq!(row.answer.as_deref(), Some("body 200"));
    let history = test.attempts(2);
    assert_eq!(history[0].case_id.as_deref(), Some("same"));
    assert_eq!(
        test.ledger.reader().info().unwrap().imported_distinct_ids,
        1
    );
}

#[test]
fn a_removed_case_no_longer_holds_its_id() {
    let mut test = TestLedger::new();
    test.bring(1, State::Removed);
    let claim = test.claim(version(2, 0), None).unwrap();
    let settled = test
        .settle(&claim, Verdict::Imported, Some("id-1"))
        .unwrap();
    assert_eq!((settled.state, settled.same_id_as), (State::Imported, None));
    // And it can't be undone: two cases would have the same id.
    let case = (key(1), None);
    let report = test
        .ledger
        .resolve(ResolveAction::Undo, &[case], "paula", moment(40))
        .unwrap();
    assert_eq!(report.refused, [(key(1), Refusal::IdHeldBy(key(2)))]);
}

#[test]
fn imports_without_ids_do_not_conflict() {
    let test = TestLedger::new();
    for n in 1..=2 {
        let claim = test.claim(version(n, 0), None).unwrap();
        let settled = test.settle(&claim, Verdict::Imported, None).unwrap();
        assert_eq!(settled.state, State::Imported);
    }
    assert_eq!(
        test.ledger.reader().info().unwrap().imported_distinct_ids,
        0
    );
}

#[test]
fn an_attempt_is_settled_once() {
    let test = TestLedger::new();
    let claim = test.claim(version(1, 0), None).unwrap();
    test.settle(&claim, Verdict::Rejected, None).unwrap();
    assert_eq!(test.settle(&claim, Verdict::Imported, Some("x")), None);
    assert_eq!(test.row(1).unwrap().state, State::Rejected);
    assert!(!test.release(&claim));
    assert_eq!(test.row(1).unwrap().state, State::Rejected);
}

#[test]
fn a_later_rejection_does_not_replace_the_answer_that_left_a_doubt() {
    let test = TestLedger::new();
    let body = |text: &str| Answer {
        body: Some(text.into()),
        ..Answer::default()
    };
    for (expected, verdict, text) in [
        (None, Verdict::InDoubt, "gateway time-out"),
        (Some(State::InDoubt), Verdict::Rejected, "no such firm"),
    ] {
        let claim = test.claim(version(1, 0), expected).unwrap();
        test.ledger
            .write(|conn| claim::settle(conn, &claim, verdict, &body(text), moment(20), false))
            .unwrap();
    }
    assert_eq!(
        test.row(1).unwrap().answer.as_deref(),
        Some("gateway time-out")
    );
}

#[test]
fn keep_payloads_keeps_payloads() {
    let test = TestLedger::new();
    let claim = test.claim(version(1, 0), None).unwrap();
    let keep_payloads = true;
    let answer = answer(201, Some("a"));
    test.ledger
        .write(|conn| {
            claim::settle(
                conn,
                &claim,
                Verdict::Imported,
                &answer,
                moment(20),
                keep_payloads,
            )
        })
        .unwrap();
    assert_eq!(
        test.row(1).unwrap().payload.as_deref(),
        Some(&*version(1, 0).payload)
    );
}
