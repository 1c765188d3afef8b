//! What an attempt proved: the outcome table, as a plain function.

use std::time::Duration;

use serde_json::Value;

use super::contract::{CaseIdField, Contract};
use crate::model::{Answer, NextStep, Outcome, Verdict};

/// What was seen of one attempt.
#[derive(Debug)]
pub(super) enum Seen<'a> {
    /// The gate was shut in time: not a byte went out.
    NothingWritten {
        /// Why it came to nothing.
        cause: Cause,
        /// For people.
        message: String,
    },
    /// The gate was open, and no whole head came back.
    NoAnswer {
        /// For people.
        message: String,
    },
    /// A whole head came back.
    Answered {
        /// The HTTP status.
        status: u16,
        /// Whether the header was there at all.
        has_retry_after: bool,
        /// What it asked for, when it could be read.
        retry_after: Option<Duration>,
        /// The body; none when it broke off.
        body: Option<&'a str>,
    },
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// DNS, connecting, TLS, or a time-out before the first byte: may pass.
    Unreachable,
    /// A certificate that is not trusted, or a proxy that refuses: won't pass.
    Refused,
}

/// The message that people see is cut here, at a character's border.
const MAX_MESSAGE: usize = 500;
/// The body that is kept for who must look at it.
const MAX_BODY: usize = 64 * 1024;

/// Says what was proved, by the contract.
pub(super) fn classify(seen: Seen<'_>, sent: &Value, contract: &Contract) -> Outcome {
    match seen {
        Seen::NothingWritten { cause, message } => Outcome {
            verdict: Verdict::NotSent,
            next_step: match cause {
                Cause::Unreachable => NextStep::Unreachable,
                Cause::Refused => NextStep::Stop,
            },
            answer: Answer {
                message: Some(cut(&message, MAX_MESSAGE).into()),
                ..Answer::default()
            },
        },
        Seen::NoAnswer { message } => Outcome {
            verdict: Verdict::InDoubt,
            next_step: NextStep::Next,
            answer: Answer {
                message: Some(cut(&message, MAX_MESSAGE).into()),
                ..Answer::default()
            },
        },
        Seen::Answered {
            status,
            has_retry_after,
            retry_after,
            body,
        } => {
            let answer = Answer {
                status: Some(status),
                case_id: None,
                message: body
                    .and_then(Contract::message)
                    .map(|message| cut(&message, MAX_MESSAGE).into()),
                body: body.map(|body| cut(body, MAX_BODY).into()),
                echo_differs: Vec::new(),
            };
            if (200..300).contains(&status) {
                success(answer, body, sent, contract)
            } else {
                Outcome {
                    verdict: if contract.not_sent.contains(status, has_retry_after) {
                        Verdict::NotSent
                    } else if contract.rejected.contains(status, has_retry_after) {
                        Verdict::Rejected
                    } else {
                        Verdict::InDoubt
                    },
                    next_step: next_step(status, has_retry_after, retry_after),
                    answer,
                }
            }
        }
    }
}

fn success(mut answer: Answer, body: Option<&str>, sent: &Value, contract: &Contract) -> Outcome {
    let json = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
    answer.message = None;
    if let Some(json) = &json {
        answer.case_id = contract.case_id(json, sent);
        answer.echo_differs = Contract::echo_differs(json, sent, answer.case_id.as_deref());
    }
    let needs_no_id = contract.case_id_field == CaseIdField::None && body.is_some();
    let verdict = if answer.case_id.is_some() || needs_no_id {
        Verdict::Imported
    } else {
        answer.message = Some(
            match (body, json) {
                (None, _) => "the answer says that it was accepted, but broke off",
                (_, None) => "the answer says that it was accepted, but is no JSON",
                (_, Some(_)) => "the answer says that it was accepted, but holds no case id",
            }
            .into(),
        );
        Verdict::InDoubt
    };
    Outcome {
        verdict,
        next_step: NextStep::Next,
        answer,
    }
}

/// What the run does is fixed, whatever the lists say of the state.
fn next_step(status: u16, has_retry_after: bool, retry_after: Option<Duration>) -> NextStep {
    match status {
        300..=399 | 401 | 407 => NextStep::Stop,
        429 => NextStep::Busy { retry_after },
        _ if has_retry_after => NextStep::Busy { retry_after },
        403 | 404 => NextStep::Forbidden,
        _ => NextStep::Next,
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::StatusList;
    use serde_json::json;

    fn answered(status: u16, retry_after: Option<u64>, body: Option<&str>) -> Outcome {
        classify(
            Seen::Answered {
                status,
                has_retry_after: retry_after.is_some(),
                retry_after: retry_after.map(Duration::from_secs),
                body,
            },
            &json!({"id": "L-1", "a": "1"}),
            &Contract::default(),
        )
    }

    #[test]
    fn every_status_proves_what_the_table_says() {
        use NextStep::{Forbidden, Next, Stop};
        use Verdict::{InDoubt, NotSent, Rejected};
        for (status, verdict, next_step) in [
            (300, InDoubt, Stop),
            (301, NotSent, Stop),
            (302, InDoubt, Stop),
            (303, InDoubt, Stop),
            (304, InDoubt, Stop),
            (307, NotSent, Stop),
            (308, NotSent, Stop),
            (400, Rejected, Next),
            (401, NotSent, Stop),
            (403, Rejected, Forbidden),
            (404, Rejected, Forbidden),
            (405, Rejected, Next),
            (407, NotSent, Stop),
            (408, InDoubt, Next),
            (409, InDoubt, Next),
            (413, Rejected, Next),
            (418, Rejected, Next),
            (422, Rejected, Next),
            (425, InDoubt, Next),
            (429, NotSent, NextStep::Busy { retry_after: None }),
            (500, InDoubt, Next),
            (501, InDoubt, Next),
            (502, InDoubt, Next),
            (503, InDoubt, Next),
            (504, InDoubt, Next),
            (599, InDoubt, Next),
            (101, InDoubt, Next),
        ] {
            let outcome = answered(status, None, Some("{}"));
            assert_eq!(
                (outcome.verdict, outcome.next_step),
                (verdict, next_step),
                "{status}"
            );
            let cut_off = answered(status, None, None);
            assert_eq!(cut_off.verdict, verdict, "{status}, body cut off");
        }
    }

    #[test]
    fn a_retry_after_pauses_whatever_came_with_it() {
        let outcome = answered(503, Some(7), None);
        assert_eq!(outcome.verdict, Verdict::NotSent);
        let seven = NextStep::Busy {
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(outcome.next_step, seven);
        let outcome = answered(500, Some(7), None);
        assert_eq!(
            (outcome.verdict, outcome.next_step),
            (Verdict::InDoubt, seven)
        );
        let emptied = Contract {
            not_sent: StatusList::parse(Vec::<&str>::new()).unwrap(),
            ..Contract::default()
        };
        let seen = Seen::Answered {
            status: 429,
            has_retry_after: false,
            retry_after: None,
            body: None,
        };
        let outcome = classify(seen, &json!({}), &emptied);
        assert_eq!(
            (outcome.verdict, outcome.next_step),
            (Verdict::InDoubt, NextStep::Busy { retry_after: None })
        );
    }

    #[test]
    fn a_success_needs_an_id() {
        let outcome = answered(201, None, Some(r#"{"_id":"c1","a":"2"}"#));
        assert_eq!(outcome.verdict, Verdict::Imported);
        assert_eq!(outcome.answer.case_id.as_deref(), Some("c1"));
        assert_eq!(outcome.answer.echo_differs, ["a".into()] as [Box<str>; 1]);
        for body in [
            None,
            Some(""),
            Some("<html>ok</html>"),
            Some(r#"{"success":false}"#),
            Some(r#"{"id":"L-1"}"#),
            Some(r#"{"_id":"c1""#),
        ] {
            let outcome = answered(200, None, body);
            assert_eq!(outcome.verdict, Verdict::InDoubt, "{body:?}");
            assert!(outcome.answer.message.is_some());
        }
    }

    #[test]
    fn without_ids_a_whole_answer_is_enough() {
        let contract = Contract {
            case_id_field: CaseIdField::None,
            ..Contract::default()
        };
        for (body, verdict) in [(Some(""), Verdict::Imported), (None, Verdict::InDoubt)] {
            let seen = Seen::Answered {
                status: 204,
                has_retry_after: false,
                retry_after: None,
                body,
            };
            assert_eq!(classify(seen, &json!({}), &contract).verdict, verdict);
        }
    }

    #[test]
    fn only_the_gate_proves_what_was_not_sent() {
        let written = classify(
            Seen::NoAnswer {
                message: "reset".into(),
            },
            &json!({}),
            &Contract::default(),
        );
        assert_eq!(
            (written.verdict, written.next_step),
            (Verdict::InDoubt, NextStep::Next)
        );
        for (cause, next_step) in [
            (Cause::Unreachable, NextStep::Unreachable),
            (Cause::Refused, NextStep::Stop),
        ] {
            let seen = Seen::NothingWritten {
                cause,
                message: "é".repeat(400),
            };
            let outcome = classify(seen, &json!({}), &Contract::default());
            assert_eq!(
                (outcome.verdict, outcome.next_step),
                (Verdict::NotSent, next_step)
            );
            assert!(outcome.answer.message.unwrap().len() <= MAX_MESSAGE);
        }
    }
}
