//! The checker finds each violation, and nothing else.

use super::*;

struct History {
    log: ServerLog,
    rows: Rows,
    resend: Vec<bool>,
    stage: Stage,
}

fn sent(run: usize, proof: Proof, case_id: Option<&str>) -> Sent {
    Sent {
        key: "a".to_owned(),
        run,
        proof,
        case_id: case_id.map(str::to_owned),
        reply: "by hand".to_owned(),
    }
}

fn attempt(before: Option<&str>, outcome: &str) -> Attempt {
    Attempt {
        key: "a".to_owned(),
        before: before.map(str::to_owned),
        outcome: Some(outcome.to_owned()),
        resend: before == Some("in_doubt"),
        started_at: 1,
        ended_at: Some(1),
    }
}

/// A case that was answered 429, sent again, and imported.
fn good() -> History {
    let row = Row {
        state: "imported".to_owned(),
        case_id: Some("c1".to_owned()),
        possible_twin: false,
        attempts: vec![
            attempt(None, "not_sent"),
            attempt(Some("not_sent"), "imported"),
        ],
    };
    History {
        log: ServerLog {
            sent: vec![
                sent(0, Proof::NotCreated, None),
                sent(0, Proof::None, Some("c1")),
            ],
            created: vec!["a".to_owned()],
        },
        rows: Rows::from([("a".to_owned(), row)]),
        resend: vec![false, false],
        stage: Stage::Done,
    }
}

impl History {
    fn row(&mut self) -> &mut Row {
        self.rows.get_mut("a").unwrap()
    }

    fn violations(&self) -> Vec<Rule> {
        let evidence = Evidence {
            keys: &["a".to_owned()],
            log: &self.log,
            rows: &self.rows,
            resend: &self.resend,
            stage: self.stage,
        };
        let violations = evidence.violations();
        for violation in &violations {
            assert!(evidence.explain(violation).contains(&violation.key));
        }
        violations
            .into_iter()
            .map(|violation| violation.rule)
            .collect()
    }
}

/// The violations of the good history after a change.
fn after(change: impl FnOnce(&mut History)) -> Vec<Rule> {
    let mut history = good();
    change(&mut history);
    history.violations()
}

#[test]
fn a_good_history_has_no_violation() {
    assert_eq!(good().violations(), []);
}

#[test]
fn a_request_sent_twice_is_found() {
    let twice = after(|history| {
        history.log.sent[0].proof = Proof::None;
        history.row().attempts[0].outcome = Some("not_sent".to_owned());
    });
    assert_eq!(twice, [Rule::Resent]);
    let unrecorded = after(|history| {
        history.log.sent.push(sent(0, Proof::None, Some("c2")));
        history.log.created.push("a".to_owned());
    });
    let expected = [
        Rule::Resent,
        Rule::Duplicated,
        Rule::Unrecorded,
        Rule::UnmarkedTwin,
    ];
    assert_eq!(unrecorded, expected);
}

#[test]
fn a_lost_record_is_found() {
    let lost = after(|history| {
        history.rows.clear();
        history.log = ServerLog::default();
    });
    assert_eq!(lost, [Rule::Lost]);
    let untried = after(|history| {
        history.rows.clear();
        history.log = ServerLog::default();
        history.stage = Stage::Ended;
    });
    assert_eq!(untried, []);
    let in_flight = |stage| {
        after(|history| {
            history.row().state = "sending".to_owned();
            history.stage = stage;
        })
    };
    assert_eq!(in_flight(Stage::Ended), [Rule::Lost]);
    assert_eq!(in_flight(Stage::Crashed), []);
    let unknown = after(|history| history.rows.clear());
    assert_eq!(unknown, [Rule::Lost, Rule::Unrecorded, Rule::Denied]);
}

#[test]
fn a_wrong_state_in_the_ledger_is_found() {
    assert_eq!(
        after(|history| history.log.created.clear()),
        [Rule::Missing]
    );
    let other_id = after(|history| history.row().case_id = Some("c9".to_owned()));
    assert_eq!(other_id, [Rule::WrongId]);
    let denied = after(|history| history.row().state = "rejected".to_owned());
    assert_eq!(denied, [Rule::Denied, Rule::Unproved]);
    let unproved = after(|history| {
        history.row().state = "not_sent".to_owned();
        history.log.created.clear();
    });
    assert_eq!(unproved, [Rule::Unproved]);
    let shared = after(|history| {
        let row = history.rows["a"].clone();
        history.rows.insert("b".to_owned(), row);
        history.log.created.push("b".to_owned());
        let mut sent = sent(0, Proof::None, Some("c1"));
        sent.key = "b".to_owned();
        history.log.sent.push(sent);
    });
    assert_eq!(shared, [Rule::SharedId]);
}

#[test]
fn an_attempt_that_was_not_allowed_is_found() {
    for (before, outcome) in [
        (Some("imported"), "imported"),
        (Some("in_doubt"), "not_sent"),
        (None, "not_sent"),
    ] {
        let bad = after(|history| {
            history.row().attempts[1].before = before.map(str::to_owned);
            history.row().attempts[0].outcome = Some(outcome.to_owned());
        });
        assert_eq!(bad, [Rule::BadAttempt], "{before:?} after {outcome}");
    }
    let overlapping = after(|history| history.row().attempts[0].ended_at = Some(2));
    assert_eq!(overlapping, [Rule::BadAttempt]);
}

/// A permission allows one more request, in a later run.
#[test]
fn a_permission_to_resend_is_for_one_request_per_run() {
    let resent = |run, twin| {
        after(|history| {
            history.resend = vec![false, true];
            history.log.sent[0].proof = Proof::None;
            history.log.sent[1].run = run;
            history.log.created.push("a".to_owned());
            let row = history.row();
            row.possible_twin = twin;
            row.attempts = vec![
                attempt(None, "in_doubt"),
                attempt(Some("in_doubt"), "imported"),
            ];
        })
    };
    assert_eq!(resent(1, true), []);
    assert_eq!(resent(0, true), [Rule::Resent]);
    assert_eq!(resent(1, false), [Rule::UnmarkedTwin]);
}
