//! What the plan, `status` and `export` ask.

use super::*;

#[test]
fn lookups_answer_in_the_order_of_the_keys() {
    let mut test = TestLedger::new();
    for n in 1..=40 {
        test.bring(
            n,
            if n % 2 == 0 {
                State::Imported
            } else {
                State::Rejected
            },
        );
    }
    let reader = test.ledger.reader();
    let mut lookups = reader.lookups();
    // Searched for one by one; found in order; read as a range, with other keys
    // between them and after a gap; and in no order.
    let batches: [&[u64]; 6] = [
        &[9, 2, 99],
        &[1, 2, 3, 4, 5],
        &[6, 7, 77, 8, 2, 6],
        &[9, 12, 13, 14, 15, 16],
        &[17, 18, 19, 20, 21, 22],
        &[40, 30, 20, 99, 39, 30],
    ];
    for batch in batches {
        let keys: Vec<Digest> = batch.iter().map(|&n| key(n).digest()).collect();
        let found = lookups.find(&keys).unwrap();
        for (&n, known) in batch.iter().zip(found) {
            let state = known.map(|known| known.state);
            match n {
                41.. => assert_eq!(state, None),
                _ if n % 2 == 0 => assert_eq!(state, Some(State::Imported)),
                _ => assert_eq!(state, Some(State::Rejected)),
            }
            if let Some(known) = known {
                assert_eq!(known.payload_digest, Some(version(n, 0).payload_digest));
                assert_eq!(known.last_attempt_at, moment(20));
            }
        }
    }
}

#[test]
fn filters_narrow_and_keys_keep_their_order() {
    let mut test = TestLedger::new();
    test.bring(1, State::Rejected);
    test.bring(2, State::Imported);
    let first_run = test.run;
    let mut test = test.reopen();
    test.bring(3, State::InDoubt);
    let claim = test.claim(version(1, 1), Some(State::Rejected)).unwrap();
    test.settle(&claim, Verdict::Rejected, None).unwrap();
    let found = |filter: CaseFilter| -> Vec<Key> {
        let rows = test.ledger.reader().select(&filter).unwrap();
        rows.into_iter().map(|row| row.key).collect()
    };
    let all = CaseFilter::default;
    assert_eq!(found(all()), [key(1), key(2), key(3)]);
    let keys = Some(vec![key(3), key(9), key(1)]);
    assert_eq!(found(CaseFilter { keys, ..all() }), [key(3), key(1)]);
    // A case belongs to the run that tried it last.
    let run = Some(first_run);
    assert_eq!(found(CaseFilter { run, ..all() }), [key(2)]);
    let states = Some(vec![State::InDoubt, State::Imported]);
    assert_eq!(found(CaseFilter { states, ..all() }), [key(2), key(3)]);
    let keys = Some(vec![key(1), key(2)]);
    let states = Some(vec![State::Rejected]);
    assert_eq!(
        found(CaseFilter {
            keys,
            states,
            ..all()
        }),
        [key(1)]
    );
    let file = Some("other.csv".to_owned());
    assert_eq!(found(CaseFilter { file, ..all() }), []);
    let file = Some("cases.csv".to_owned());
    let filter = CaseFilter {
        file,
        run: Some(test.run),
        ..all()
    };
    assert_eq!(found(filter.clone()), [key(1), key(3)]);
    let counts = test.ledger.reader().counts(&filter).unwrap();
    assert_eq!(
        (
            counts.of(State::Rejected),
            counts.of(State::InDoubt),
            counts.total()
        ),
        (1, 1, 2)
    );
}

#[test]
fn cases_are_read_page_by_page() {
    let test = TestLedger::new();
    const NUMBER: u64 = 1_250;
    test.ledger
        .write(|conn| {
            for n in 0..NUMBER {
                let request = request(test.run, version(n, 0), None);
                let claim = claim::claim(conn, &request)?.unwrap();
                let answer = answer(422, None);
                claim::settle(conn, &claim, Verdict::Rejected, &answer, moment(20), false)?;
            }
            Ok(())
        })
        .unwrap();
    let all: Vec<Key> = (0..NUMBER).map(key).collect();
    let rejected = CaseFilter::in_states([State::Rejected]);
    let backwards: Vec<Key> = all.iter().rev().cloned().collect();
    let by_key = CaseFilter {
        keys: Some(backwards.clone()),
        ..CaseFilter::default()
    };
    let reader = test.ledger.reader();
    for (filter, expected) in [
        (CaseFilter::default(), &all),
        (rejected, &all),
        (by_key, &backwards),
    ] {
        let read: Vec<Key> = reader
            .cases(&filter)
            .map(|case| case.unwrap().key)
            .collect();
        assert!(read == *expected, "{} cases", read.len());
    }
}

#[test]
fn calls_are_counted_by_the_second_and_by_what_they_proved() {
    let mut test = TestLedger::new();
    test.bring(1, State::Rejected);
    test.bring(2, State::Imported);
    let first_run = test.run;
    let test = test.reopen();
    let claim = test.claim(version(1, 1), Some(State::Rejected)).unwrap();
    let calls = |filter: CaseFilter| -> Vec<(Option<Verdict>, u64)> {
        let calls = test.ledger.reader().calls(&filter).unwrap();
        assert!(calls.iter().all(|count| count.at == moment(10)));
        let mut calls: Vec<_> = calls
            .iter()
            .map(|count| (count.verdict, count.calls))
            .collect();
        calls.sort_by_key(|(verdict, _)| verdict.map(Verdict::state).map(State::as_str));
        calls
    };
    let in_flight = (None, 1);
    let settled = [(Some(Verdict::Imported), 1), (Some(Verdict::Rejected), 1)];
    assert_eq!(
        calls(CaseFilter::default()),
        [&[in_flight], &settled[..]].concat()
    );
    let of_run = |run| CaseFilter {
        run: Some(run),
        ..CaseFilter::default()
    };
    assert_eq!(calls(of_run(first_run)), settled);
    assert_eq!(calls(of_run(test.run)), [in_flight]);
    let imported = CaseFilter::in_states([State::Imported]);
    assert_eq!(calls(imported), settled[..1]);
    drop(claim);
}
