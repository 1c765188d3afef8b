//! Random histories of a few cases, against a model of the promise.

use proptest::prelude::*;

use super::*;

const CASES: u64 = 3;

#[derive(Debug, Clone)]
enum Step {
    Claim {
        case: u64,
        resend: bool,
        version: u64,
    },
    Settle {
        which: usize,
        verdict: Verdict,
        id: u8,
    },
    Release {
        which: usize,
    },
    Crash,
    Resolve {
        case: u64,
        action: u8,
        id: u8,
    },
    Undo {
        case: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Imported),
        1 => Just(Verdict::Rejected),
        1 => Just(Verdict::NotSent),
        2 => Just(Verdict::InDoubt),
    ];
    prop_oneof![
        5 => (0..CASES, any::<bool>(), 0..3_u64)
            .prop_map(|(case, resend, version)| Step::Claim { case, resend, version }),
        5 => (0..3_usize, verdict, 0..4_u8)
            .prop_map(|(which, verdict, id)| Step::Settle { which, verdict, id }),
        1 => (0..3_usize).prop_map(|which| Step::Release { which }),
        1 => Just(Step::Crash),
        3 => (0..CASES, 0..3_u8, 0..4_u8)
            .prop_map(|(case, action, id)| Step::Resolve { case, action, id }),
        1 => (0..CASES).prop_map(|case| Step::Undo { case }),
    ]
}

/// What the promise says about one case.
#[derive(Debug, Clone, PartialEq)]
struct History {
    state: State,
    case_id: Option<String>,
    possible_twin: bool,
    attempts: u32,
    line: u64,
    /// The state before, the id before, and the attempts. The first has no state
    /// when it added the case.
    resolutions: Vec<(Option<State>, Option<String>, u32)>,
}

type Model = Vec<Option<History>>;

/// The id number 0 is none.
fn id(number: u8) -> Option<String> {
    (number > 0).then(|| format!("id-{number}"))
}

fn held(model: &Model, but: u64, id: Option<&String>) -> bool {
    id.is_some()
        && model.iter().enumerate().any(|(n, history)| {
            n as u64 != but
                && history.as_ref().is_some_and(|history| {
                    history.state == State::Imported && history.case_id.as_ref() == id
                })
        })
}

fn may_send(state: Option<State>, resend: bool) -> bool {
    match state {
        Some(State::Imported | State::Sending) => false,
        Some(State::InDoubt) => resend,
        _ => true,
    }
}

fn play(steps: Vec<Step>) {
    let mut test = TestLedger::new();
    let mut model: Model = vec![None; CASES as usize];
    // Open claims, with the case as it was before.
    let mut open: Vec<(u64, Claim, Option<History>)> = Vec::new();
    for step in steps {
        match step {
            Step::Claim {
                case,
                resend,
                version: v,
            } => {
                let before = model[case as usize].clone();
                let state = before.as_ref().map(|history| history.state);
                let mut request = request(test.run, version(case, v), state);
                request.resend_in_doubt = resend;
                let claimed = test.claim_as(&request);
                assert_eq!(claimed.is_ok(), may_send(state, resend));
                if let Ok(claim) = claimed {
                    let mut history = before.clone().unwrap_or(History {
                        state: State::Sending,
                        case_id: None,
                        possible_twin: false,
                        attempts: 0,
                        line: 0,
                        resolutions: Vec::new(),
                    });
                    history.state = State::Sending;
                    history.case_id = None;
                    history.attempts += 1;
                    history.line = version(case, v).place.line;
                    model[case as usize] = Some(history);
                    open.push((case, claim, before));
                }
            }
            Step::Settle {
                which,
                verdict,
                id: number,
            } if which < open.len() => {
                let (case, claim, before) = open.remove(which);
                let returned = id(number).filter(|_| verdict == Verdict::Imported);
                let exists = verdict == Verdict::Imported && !held(&model, case, returned.as_ref());
                let doubted = before.is_some_and(|history| history.state == State::InDoubt);
                let history = model[case as usize].as_mut().unwrap();
                (history.state, history.case_id) = match verdict {
                    _ if exists => (State::Imported, returned.clone()),
                    Verdict::Rejected if !doubted => (State::Rejected, None),
                    Verdict::NotSent if !doubted => (State::NotSent, None),
                    _ => (State::InDoubt, None),
                };
                history.possible_twin |= exists && doubted;
                let settled = test.settle(&claim, verdict, returned.as_deref()).unwrap();
                assert_eq!(settled.state, history.state);
                assert_eq!(
                    settled.same_id_as.is_some(),
                    verdict == Verdict::Imported && !exists
                );
            }
            Step::Release { which } if which < open.len() => {
                let (case, claim, before) = open.remove(which);
                assert!(test.release(&claim));
                model[case as usize] = before;
            }
            Step::Settle { .. } | Step::Release { .. } => {}
            Step::Crash => {
                open.clear();
                test = test.reopen();
                let mut lost = 0;
                for history in model.iter_mut().flatten() {
                    if history.state == State::Sending {
                        history.state = State::InDoubt;
                        lost += 1;
                    }
                }
                assert_eq!(test.ledger.recovered(), lost);
            }
            Step::Resolve {
                case,
                action,
                id: number,
            } => {
                use State::{Imported, InDoubt, NotSent, Rejected, Removed};
                let (action, from, to, new_id) = match (action, id(number)) {
                    (0, None) => (ResolveAction::Imported, &[InDoubt][..], Imported, None),
                    (0, id) => {
                        let absent = &[InDoubt, Rejected, NotSent, Removed][..];
                        (ResolveAction::Imported, absent, Imported, id)
                    }
                    (1, _) => (ResolveAction::NotImported, &[InDoubt][..], NotSent, None),
                    _ => (ResolveAction::Removed, &[Imported][..], Removed, None),
                };
                let cases = [(key(case), new_id.clone())];
                let report = test
                    .ledger
                    .resolve(action, &cases, "paula", moment(30))
                    .unwrap();
                let free = !held(&model, case, new_id.as_ref());
                let adds = model[case as usize].is_none() && action == ResolveAction::Imported;
                if adds && free {
                    assert_eq!(report.done, 1);
                    model[case as usize] = Some(History {
                        state: to,
                        case_id: new_id,
                        possible_twin: false,
                        attempts: 0,
                        line: 0,
                        resolutions: vec![(None, None, 0)],
                    });
                } else if let Some(history) = model[case as usize].as_mut()
                    && from.contains(&history.state)
                    && free
                {
                    assert_eq!(report.done, 1);
                    history.resolutions.push((
                        Some(history.state),
                        history.case_id.clone(),
                        history.attempts,
                    ));
                    (history.state, history.case_id) = (to, new_id);
                } else {
                    assert_eq!((report.done, report.refused.len()), (0, 1));
                }
            }
            Step::Undo { case } => {
                let cases = [(key(case), None)];
                let report = test
                    .ledger
                    .resolve(ResolveAction::Undo, &cases, "paula", moment(40))
                    .unwrap();
                let last = model[case as usize].as_ref().and_then(|history| {
                    history
                        .resolutions
                        .last()
                        .filter(|resolution| resolution.2 == history.attempts)
                        .cloned()
                });
                match last {
                    Some((None, ..)) => {
                        assert_eq!(report.done, 1);
                        model[case as usize] = None;
                    }
                    Some((Some(state), former, _)) if !held(&model, case, former.as_ref()) => {
                        assert_eq!(report.done, 1);
                        let history = model[case as usize].as_mut().unwrap();
                        (history.state, history.case_id) = (state, former);
                        history.resolutions.pop();
                    }
                    _ => assert_eq!((report.done, report.refused.len()), (0, 1)),
                }
            }
        }
        compare(&test, &model);
    }
}

fn compare(test: &TestLedger, model: &Model) {
    let keys: Vec<Digest> = (0..CASES).map(|n| key(n).digest()).collect();
    let known = test.ledger.reader().lookups().find(&keys).unwrap();
    for (n, history) in (0..CASES).zip(model) {
        let row = test.row(n);
        assert_eq!(
            known[n as usize].as_ref().map(|known| known.state),
            row.as_ref().map(|row| row.state)
        );
        let seen = row.as_ref().map(|row| History {
            state: row.state,
            case_id: row.case_id.clone(),
            possible_twin: row.possible_twin,
            attempts: row.attempts,
            line: row.line,
            resolutions: history
                .as_ref()
                .map(|history| history.resolutions.clone())
                .unwrap_or_default(),
        });
        assert_eq!(&seen, history, "case {n}");
        let attempts = test.attempts(n);
        assert_eq!(
            attempts.len() as u32,
            history.as_ref().map_or(0, |history| history.attempts)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_keeps_the_promise_whatever_happens(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        play(steps);
    }
}
