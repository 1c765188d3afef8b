//! What an attempt proved: the outcome table, as a plain function.

use std::time::Duration;

use serde_json::Value;

use super::contract::{CaseIdField, Contract};
use super::key::Secret;
use crate::model::{Answer, Key, NextStep, Outcome, Verdict};

/// What was seen of an attempt.
#[derive(Debug)]
pub(super) enum Exchange {
    /// The gate was shut in time: not one byte was written.
    NothingWritten {
        error: String,
        /// A retry can't help: an untrusted certificate, a proxy that refuses.
        permanent: bool,
    },
    /// The gate was open, and no complete response head came back.
    NoResponse {
        error: String,
    },
    Response(Response),
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) has_retry_after: bool,
    /// The wait, when `Retry-After` could be read.
    pub(super) retry_after: Option<Duration>,
    /// None when it was cut off, or can't be decompressed.
    pub(super) body: Option<String>,
}

/// The request that an exchange belongs to.
pub(super) struct Sent<'a> {
    pub(super) key: &'a Key,
    pub(super) body: &'a Value,
    pub(super) contract: &'a Contract,
    /// Never shown, whatever quotes them.
    pub(super) secrets: &'a [Secret],
}

impl Sent<'_> {
    fn shown(&self, text: &str, longest: usize) -> Box<str> {
        shown(self.secrets, text, longest)
    }
}

/// A text that may be shown: redacted before it is cut, so that no part of a
/// secret is left at its end.
pub(super) fn shown(secrets: &[Secret], text: &str, longest: usize) -> Box<str> {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| {
        secret.redact(&text).into_owned()
    });
    text[..text.floor_char_boundary(longest)].into()
}

/// Messages are cut here.
const MAX_MESSAGE: usize = 500;
/// The body that is kept, for a case in doubt, is cut here.
const MAX_BODY: usize = 64 * 1024;

pub(super) fn classify(exchange: &Exchange, sent: &Sent<'_>) -> Outcome {
    let response = match exchange {
        Exchange::NothingWritten { error, permanent } => {
            let next_step = if *permanent {
                NextStep::Stop
            } else {
                NextStep::Unreachable
            };
            let error = sent.shown(error, MAX_MESSAGE);
            return Outcome::without_answer(Verdict::NotSent, next_step, &error);
        }
        Exchange::NoResponse { error } => {
            let error = sent.shown(error, MAX_MESSAGE);
            return Outcome::without_answer(Verdict::InDoubt, NextStep::Next, &error);
        }
        Exchange::Response(response) => response,
    };
    let (status, has_retry_after) = (response.status, response.has_retry_after);
    let body = response.body.as_deref();
    let message = body.and_then(Contract::message);
    let answer = Answer {
        status: Some(status),
        message: message.map(|message| sent.shown(&message, MAX_MESSAGE)),
        body: body.map(|body| sent.shown(body, MAX_BODY)),
        ..Answer::default()
    };
    if (200..300).contains(&status) {
        return success(answer, body, sent);
    }
    let verdict = if sent.contract.not_sent.contains(status, has_retry_after) {
        Verdict::NotSent
    } else if sent.contract.rejected.contains(status, has_retry_after) {
        Verdict::Rejected
    } else {
        Verdict::InDoubt
    };
    // What the run does is fixed, whatever the lists say of the case.
    let next_step = match status {
        300..=399 | 401 | 407 => NextStep::Stop,
        _ if status == 429 || has_retry_after => NextStep::Busy {
            retry_after: response.retry_after,
        },
        403 | 404 => NextStep::Forbidden,
        _ => NextStep::Next,
    };
    Outcome {
        verdict,
        next_step,
        answer,
    }
}

fn success(mut answer: Answer, body: Option<&str>, sent: &Sent<'_>) -> Outcome {
    let Some(body) = body else {
        let cut_off = "the server accepted the case, but its response was cut off";
        return in_doubt(answer, NextStep::Next, cut_off);
    };
    let no_id_needed = sent.contract.case_id_field == CaseIdField::None;
    let is_empty = body.trim().is_empty();
    let Ok(json) = serde_json::from_str::<Value>(if is_empty { "{}" } else { body }) else {
        let page = "the server accepted the request, but its response is a web page or plain \
                    text, not JSON";
        return in_doubt(answer, NextStep::Stop, page);
    };
    if Contract::says_failed(&json, sent.body) {
        let message = answer.message.take().unwrap_or_default();
        let failed = format!("status 2xx, but the response says that the call failed: {message}");
        return in_doubt(answer, NextStep::SaysFailed, &failed);
    }
    let id = sent.contract.case_id(&json, sent.body, sent.key);
    answer.echo_differs = Contract::echo_differs(&json, sent.body, id.as_deref());
    answer.case_id = id.map(|id| sent.shown(&id, id.len()));
    if answer.case_id.is_none() && !(no_id_needed && json.is_object()) {
        let no_id = "the server accepted the case, but its response has no case id";
        return in_doubt(answer, NextStep::Next, no_id);
    }
    answer.message = None;
    Outcome {
        verdict: Verdict::Imported,
        next_step: NextStep::Next,
        answer,
    }
}

fn in_doubt(mut answer: Answer, next_step: NextStep, message: &str) -> Outcome {
    answer.message = Some(message.into());
    Outcome {
        verdict: Verdict::InDoubt,
        next_step,
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::StatusList;
    use serde_json::json;

    fn answered(status: u16, retry_after: Option<u64>, body: Option<&str>) -> Outcome {
        let seen = Exchange::Response(Response {
            status,
            has_retry_after: retry_after.is_some(),
            retry_after: retry_after.map(Duration::from_secs),
            body: body.map(str::to_owned),
        });
        classified(&seen, &Contract::default())
    }

    fn classified(seen: &Exchange, contract: &Contract) -> Outcome {
        let sent = Sent {
            key: &Key::new(["L-1"]),
            body: &json!({"id": "L-1", "a": "1", "status": "failed"}),
            contract,
            secrets: &[],
        };
        classify(seen, &sent)
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
    fn a_retry_after_pauses_at_any_status() {
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
        let seen = Exchange::Response(Response {
            status: 429,
            has_retry_after: false,
            retry_after: None,
            body: None,
        });
        let outcome = classified(&seen, &emptied);
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
        assert_eq!(&*outcome.answer.echo_differs[0].field, "a");
        // The caller's own field came back as it was sent.
        let own = answered(201, None, Some(r#"{"_id":"c1","status":"failed"}"#));
        assert_eq!(own.verdict, Verdict::Imported);
        use NextStep::{Next, SaysFailed, Stop};
        for (body, next_step) in [
            (None, Next),
            (Some(""), Next),
            (Some(r#"{"id":"L-1"}"#), Next),
            (Some(r#"{"_id":"L-1"}"#), Next),
            (Some("[]"), Next),
            (Some("<html>ok</html>"), Stop),
            (Some("OK"), Stop),
            (Some(r#"{"_id":"c1""#), Stop),
            (Some(r#"{"success":false}"#), SaysFailed),
            (Some(r#"{"success":false,"_id":"c1"}"#), SaysFailed),
            (Some(r#"{"status":"Error","_id":"c1"}"#), SaysFailed),
            (Some(r#"{"errors":["no"],"_id":"c1"}"#), SaysFailed),
        ] {
            let outcome = answered(200, None, body);
            assert_eq!(
                (outcome.verdict, outcome.next_step),
                (Verdict::InDoubt, next_step),
                "{body:?}"
            );
            assert!(outcome.answer.message.is_some());
        }
    }

    #[test]
    fn without_ids_an_object_or_nothing_is_enough() {
        let contract = Contract {
            case_id_field: CaseIdField::None,
            ..Contract::default()
        };
        for (body, verdict) in [
            (Some(""), Verdict::Imported),
            (Some(r#"{"a":"1","errors":[]}"#), Verdict::Imported),
            (Some(r#"{"ok":false}"#), Verdict::InDoubt),
            (Some("<html>Sign in</html>"), Verdict::InDoubt),
            (Some("[]"), Verdict::InDoubt),
            (None, Verdict::InDoubt),
        ] {
            let seen = Exchange::Response(Response {
                status: 204,
                has_retry_after: false,
                retry_after: None,
                body: body.map(str::to_owned),
            });
            assert_eq!(classified(&seen, &contract).verdict, verdict, "{body:?}");
        }
    }

    #[test]
    fn only_the_gate_proves_that_nothing_was_sent() {
        let written = classified(
            &Exchange::NoResponse {
                error: "reset".into(),
            },
            &Contract::default(),
        );
        assert_eq!(
            (written.verdict, written.next_step),
            (Verdict::InDoubt, NextStep::Next)
        );
        for (permanent, next_step) in [(false, NextStep::Unreachable), (true, NextStep::Stop)] {
            let seen = Exchange::NothingWritten {
                error: "é".repeat(400),
                permanent,
            };
            let outcome = classified(&seen, &Contract::default());
            assert_eq!(
                (outcome.verdict, outcome.next_step),
                (Verdict::NotSent, next_step)
            );
            assert!(outcome.answer.message.unwrap().len() <= MAX_MESSAGE);
        }
    }
}
