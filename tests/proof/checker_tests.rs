//! The checker can fail: each breach, made by hand, is found, and found alone.

use super::*;

struct Story {
    book: Book,
    rows: Rows,
    resend: Vec<bool>,
    stage: Stage,
}

fn sent(run: usize, proof: Proof, told: Option<&str>) -> Sent {
    Sent {
        key: "a".to_owned(),
        run,
        proof,
        told: told.map(str::to_owned),
        met: "by hand".to_owned(),
    }
}

fn attempt(before: Option<&str>, outcome: &str) -> Attempt {
    Attempt {
        before: before.map(str::to_owned),
        outcome: Some(outcome.to_owned()),
        resend: before == Some("in_doubt"),
        started_at: 1,
        ended_at: Some(1),
    }
}

/// A case that was refused as "too many requests", sent again, and imported.
fn good() -> Story {
    let row = Row {
        state: "imported".to_owned(),
        case_id: Some("c1".to_owned()),
        possible_twin: false,
        attempts: vec![
            attempt(None, "not_sent"),
            attempt(Some("not_sent"), "imported"),
        ],
    };
    Story {
        book: Book {
            sent: vec![
                sent(0, Proof::NothingMade, None),
                sent(0, Proof::None, Some("c1")),
            ],
            made: vec!["a".to_owned()],
        },
        rows: Rows::from([("a".to_owned(), row)]),
        resend: vec![false, false],
        stage: Stage::Done,
    }
}

impl Story {
    fn row(&mut self) -> &mut Row {
        self.rows.get_mut("a").unwrap()
    }

    fn breaches(&self) -> Vec<What> {
        let truth = Truth {
            keys: &["a".to_owned()],
            book: &self.book,
            rows: &self.rows,
            resend: &self.resend,
            stage: self.stage,
        };
        let breaches = truth.breaches();
        for breach in &breaches {
            assert!(truth.explain(breach).contains(&breach.key));
        }
        breaches.into_iter().map(|breach| breach.what).collect()
    }
}

/// The breaches of the good story after a change for the worse.
fn after(change: impl FnOnce(&mut Story)) -> Vec<What> {
    let mut story = good();
    change(&mut story);
    story.breaches()
}

#[test]
fn a_good_story_has_no_breach() {
    assert_eq!(good().breaches(), []);
}

#[test]
fn a_doubled_request_is_found() {
    let doubled = after(|story| {
        story.book.sent[0].proof = Proof::None;
        story.row().attempts[0].outcome = Some("not_sent".to_owned());
    });
    assert_eq!(doubled, [What::SentAgain]);
    let below_the_ledger = after(|story| {
        story.book.sent.push(sent(0, Proof::None, Some("c2")));
        story.book.made.push("a".to_owned());
    });
    let expected = [
        What::SentAgain,
        What::Doubled,
        What::Unrecorded,
        What::HiddenTwin,
    ];
    assert_eq!(below_the_ledger, expected);
}

#[test]
fn a_lost_record_is_found() {
    let lost = after(|story| {
        story.rows.clear();
        story.book = Book::default();
    });
    assert_eq!(lost, [What::Lost]);
    let untried = after(|story| {
        story.rows.clear();
        story.book = Book::default();
        story.stage = Stage::Ended;
    });
    assert_eq!(untried, []);
    let under_way = |stage| {
        after(|story| {
            story.row().state = "sending".to_owned();
            story.stage = stage;
        })
    };
    assert_eq!(under_way(Stage::Ended), [What::Lost]);
    assert_eq!(under_way(Stage::Crashed), []);
    let unknown = after(|story| story.rows.clear());
    assert_eq!(unknown, [What::Lost, What::Unrecorded, What::Denied]);
}

#[test]
fn a_false_word_of_the_ledger_is_found() {
    assert_eq!(after(|story| story.book.made.clear()), [What::NotThere]);
    let other_id = after(|story| story.row().case_id = Some("c9".to_owned()));
    assert_eq!(other_id, [What::WrongId]);
    let denied = after(|story| story.row().state = "rejected".to_owned());
    assert_eq!(denied, [What::Denied, What::Unproved]);
    let unproved = after(|story| {
        story.row().state = "not_sent".to_owned();
        story.book.made.clear();
    });
    assert_eq!(unproved, [What::Unproved]);
    let shared = after(|story| {
        let row = story.rows["a"].clone();
        story.rows.insert("b".to_owned(), row);
        story.book.made.push("b".to_owned());
        let mut sent = sent(0, Proof::None, Some("c1"));
        sent.key = "b".to_owned();
        story.book.sent.push(sent);
    });
    assert_eq!(shared, [What::SharedId]);
}

#[test]
fn a_forbidden_attempt_is_found() {
    for (before, outcome) in [
        (Some("imported"), "imported"),
        (Some("in_doubt"), "not_sent"),
        (None, "not_sent"),
    ] {
        let bad = after(|story| {
            story.row().attempts[1].before = before.map(str::to_owned);
            story.row().attempts[0].outcome = Some(outcome.to_owned());
        });
        assert_eq!(bad, [What::BadAttempt], "{before:?} after {outcome}");
    }
    let overlapping = after(|story| story.row().attempts[0].ended_at = Some(2));
    assert_eq!(overlapping, [What::BadAttempt]);
}

/// The user's word lets one more request out, in a later run, and no second.
#[test]
fn the_users_word_is_taken_for_one_request_a_run() {
    let resent = |run, twin| {
        after(|story| {
            story.resend = vec![false, true];
            story.book.sent[0].proof = Proof::None;
            story.book.sent[1].run = run;
            story.book.made.push("a".to_owned());
            let row = story.row();
            row.possible_twin = twin;
            row.attempts = vec![
                attempt(None, "in_doubt"),
                attempt(Some("in_doubt"), "imported"),
            ];
        })
    };
    assert_eq!(resent(1, true), []);
    assert_eq!(resent(0, true), [What::SentAgain]);
    assert_eq!(resent(1, false), [What::HiddenTwin]);
}
