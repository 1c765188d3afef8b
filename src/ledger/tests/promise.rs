//! Random lives of a few cases, against a model of the promise.

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
    Die,
    Say {
        case: u64,
        word: u8,
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
        1 => Just(Step::Die),
        3 => (0..CASES, 0..3_u8, 0..4_u8)
            .prop_map(|(case, word, id)| Step::Say { case, word, id }),
        1 => (0..CASES).prop_map(|case| Step::Undo { case }),
    ]
}

/// What the promise says of one case.
#[derive(Debug, Clone, PartialEq)]
struct Life {
    state: State,
    case_id: Option<String>,
    possible_twin: bool,
    attempts: u32,
    line: u64,
    words: Vec<(State, Option<String>, u32)>,
}

type Model = Vec<Option<Life>>;

/// The id number 0 is none.
fn id(number: u8) -> Option<String> {
    (number > 0).then(|| format!("id-{number}"))
}

fn held(model: &Model, but: u64, id: Option<&String>) -> bool {
    id.is_some()
        && model.iter().enumerate().any(|(n, life)| {
            n as u64 != but
                && life.as_ref().is_some_and(|life| {
                    life.state == State::Imported && life.case_id.as_ref() == id
                })
        })
}

fn may_go(state: Option<State>, resend: bool) -> bool {
    match state {
        Some(State::Imported | State::Sending) => false,
        Some(State::InDoubt) => resend,
        _ => true,
    }
}

fn play(steps: Vec<Step>) {
    let mut desk = Desk::new();
    let mut model: Model = vec![None; CASES as usize];
    // Claims under way, with the case as it was before.
    let mut open: Vec<(u64, Claim, Option<Life>)> = Vec::new();
    for step in steps {
        match step {
            Step::Claim {
                case,
                resend,
                version: v,
            } => {
                let before = model[case as usize].clone();
                let state = before.as_ref().map(|life| life.state);
                let mut request = request(desk.run, version(case, v), state);
                request.resend_in_doubt = resend;
                let claimed = desk.claim_as(&request);
                assert_eq!(claimed.is_ok(), may_go(state, resend));
                if let Ok(claim) = claimed {
                    let mut life = before.clone().unwrap_or(Life {
                        state: State::Sending,
                        case_id: None,
                        possible_twin: false,
                        attempts: 0,
                        line: 0,
                        words: Vec::new(),
                    });
                    life.state = State::Sending;
                    life.case_id = None;
                    life.attempts += 1;
                    life.line = version(case, v).place.line;
                    model[case as usize] = Some(life);
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
                let doubted = before.is_some_and(|life| life.state == State::InDoubt);
                let life = model[case as usize].as_mut().unwrap();
                (life.state, life.case_id) = match verdict {
                    _ if exists => (State::Imported, returned.clone()),
                    Verdict::Rejected if !doubted => (State::Rejected, None),
                    Verdict::NotSent if !doubted => (State::NotSent, None),
                    _ => (State::InDoubt, None),
                };
                life.possible_twin |= exists && doubted;
                let settled = desk.settle(&claim, verdict, returned.as_deref()).unwrap();
                assert_eq!(settled.state, life.state);
                assert_eq!(
                    settled.same_id_as.is_some(),
                    verdict == Verdict::Imported && !exists
                );
            }
            Step::Release { which } if which < open.len() => {
                let (case, claim, before) = open.remove(which);
                assert!(desk.release(claim));
                model[case as usize] = before;
            }
            Step::Settle { .. } | Step::Release { .. } => {}
            Step::Die => {
                open.clear();
                desk = desk.reopen();
                let mut lost = 0;
                for life in model.iter_mut().flatten() {
                    if life.state == State::Sending {
                        life.state = State::InDoubt;
                        lost += 1;
                    }
                }
                assert_eq!(desk.ledger.recovered(), lost);
            }
            Step::Say {
                case,
                word,
                id: number,
            } => {
                let (word, from, to, new_id) = match word {
                    0 => {
                        let word = Resolution::Imported {
                            case_id: id(number),
                        };
                        (word, State::InDoubt, State::Imported, id(number))
                    }
                    1 => (
                        Resolution::NotImported,
                        State::InDoubt,
                        State::NotSent,
                        None,
                    ),
                    _ => (Resolution::Removed, State::Imported, State::Removed, None),
                };
                let report = desk
                    .ledger
                    .resolve(&[(key(case), word)], "paula", moment(30))
                    .unwrap();
                let free = !held(&model, case, new_id.as_ref());
                if let Some(life) = model[case as usize].as_mut()
                    && life.state == from
                    && free
                {
                    assert_eq!(report.done, 1);
                    life.words
                        .push((life.state, life.case_id.clone(), life.attempts));
                    (life.state, life.case_id) = (to, new_id);
                } else {
                    assert_eq!((report.done, report.refused.len()), (0, 1));
                }
            }
            Step::Undo { case } => {
                let report = desk.ledger.undo(&[key(case)], "paula", moment(40)).unwrap();
                let last = model[case as usize].as_ref().and_then(|life| {
                    life.words
                        .last()
                        .filter(|word| word.2 == life.attempts)
                        .cloned()
                });
                match last {
                    Some((state, former, _)) if !held(&model, case, former.as_ref()) => {
                        assert_eq!(report.done, 1);
                        let life = model[case as usize].as_mut().unwrap();
                        (life.state, life.case_id) = (state, former);
                        life.words.pop();
                    }
                    _ => assert_eq!((report.done, report.refused.len()), (0, 1)),
                }
            }
        }
        compare(&desk, &model);
    }
}

fn compare(desk: &Desk, model: &Model) {
    let keys: Vec<Digest> = (0..CASES).map(|n| key(n).digest()).collect();
    let known = desk.ledger.reader().lookups().find(&keys).unwrap();
    for (n, life) in (0..CASES).zip(model) {
        let row = desk.row(n);
        assert_eq!(
            known[n as usize].as_ref().map(|known| known.state),
            row.as_ref().map(|row| row.state)
        );
        let seen = row.as_ref().map(|row| Life {
            state: row.state,
            case_id: row.case_id.clone(),
            possible_twin: row.possible_twin,
            attempts: row.attempts,
            line: row.line,
            words: life
                .as_ref()
                .map(|life| life.words.clone())
                .unwrap_or_default(),
        });
        assert_eq!(&seen, life, "case {n}");
        let history = desk.ledger.reader().attempts(&key(n)).unwrap();
        assert_eq!(
            history.len() as u32,
            life.as_ref().map_or(0, |life| life.attempts)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_ledger_says_what_the_promise_says(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        play(steps);
    }
}
