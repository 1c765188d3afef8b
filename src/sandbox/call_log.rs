//! What the stand-in has received: the calls, and the cases made of them.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::faults::Fault;

/// A case that was made.
#[derive(Debug)]
struct Case {
    id: Box<str>,
    map_id: Box<str>,
    firm: Option<Box<str>>,
    status: &'static str,
    received: Duration,
    payload: Box<RawValue>,
}

/// A call that came in; times are since the start of the stand-in.
#[derive(Debug)]
struct Call {
    method: Box<str>,
    /// Without the query, which may hold the key.
    path: Box<str>,
    started: Duration,
    received: Option<Duration>,
    ended: Option<Duration>,
    status: Option<u16>,
    fault: Option<Fault>,
    case: Option<usize>,
    body: Option<[u8; 32]>,
}

/// Names a call in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallId(usize);

/// Everything received, in order.
#[derive(Debug)]
pub(super) struct CallLog {
    start: Instant,
    ids: fastrand::Rng,
    cases: Vec<Case>,
    calls: Vec<Call>,
}

impl CallLog {
    pub(super) fn new(start: Instant, ids: fastrand::Rng) -> Self {
        Self {
            start,
            ids,
            cases: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Opens an entry when a call's head is here.
    pub(super) fn begin(&mut self, method: &str, path: &str) -> CallId {
        self.calls.push(Call {
            method: method.into(),
            path: path.into(),
            started: self.start.elapsed(),
            received: None,
            ended: None,
            status: None,
            fault: None,
            case: None,
            body: None,
        });
        CallId(self.calls.len() - 1)
    }

    /// Adds the body, once all of it is here, and what will go wrong.
    pub(super) fn received(&mut self, call_id: CallId, body: &[u8], fault: Option<Fault>) {
        let call = &mut self.calls[call_id.0];
        call.received = Some(self.start.elapsed());
        call.body = Some(Sha256::digest(body).into());
        call.fault = fault;
    }

    /// Makes a case and returns its id.
    pub(super) fn make(
        &mut self,
        call_id: CallId,
        map_id: &str,
        firm: Option<&str>,
        status: &'static str,
        payload: Box<RawValue>,
    ) -> &str {
        let mut id = [0; 12];
        self.ids.fill(&mut id);
        let index = self.cases.len();
        self.calls[call_id.0].case = Some(index);
        self.cases.push(Case {
            id: hex(&id).into(),
            map_id: map_id.into(),
            firm: firm.map(Into::into),
            status,
            received: self.start.elapsed(),
            payload,
        });
        &self.cases[index].id
    }

    /// The id of the case before the one made last.
    pub(super) fn id_before_last(&self) -> Option<&str> {
        let index = self.cases.len().checked_sub(2)?;
        Some(&self.cases[index].id)
    }

    /// Closes an entry. One that was never closed belongs to a caller who left.
    pub(super) fn end(&mut self, call_id: CallId, status: Option<u16>) {
        let call = &mut self.calls[call_id.0];
        call.ended = Some(self.start.elapsed());
        call.status = status;
    }

    /// All cases as a JSON array.
    pub(super) fn cases(&self) -> impl Serialize {
        List(self.cases.iter().zip(1..).map(|(case, order)| CaseView {
            order,
            id: &case.id,
            map_id: &case.map_id,
            partner_firm_id: case.firm.as_deref(),
            draft: case.firm.is_none(),
            status: case.status,
            received_ms: milliseconds(case.received),
            payload: &case.payload,
        }))
    }

    /// All calls as a JSON array.
    pub(super) fn calls(&self) -> impl Serialize {
        List(self.calls.iter().zip(1..).map(|(call, number)| {
            CallView {
                call: number,
                method: &call.method,
                path: &call.path,
                started_ms: milliseconds(call.started),
                received_ms: call.received.map(milliseconds),
                duration_ms: call
                    .ended
                    .map(|ended| milliseconds(ended.saturating_sub(call.started))),
                status: call.status,
                fault: call.fault.map(|fault| fault.to_string()),
                case_id: call.case.map(|index| &*self.cases[index].id),
                body_sha256: call.body.map(|hash| hex(&hash)),
            }
        }))
    }
}

#[derive(Serialize)]
struct CaseView<'a> {
    order: u64,
    id: &'a str,
    map_id: &'a str,
    partner_firm_id: Option<&'a str>,
    draft: bool,
    status: &'a str,
    received_ms: f64,
    payload: &'a RawValue,
}

#[derive(Serialize)]
struct CallView<'a> {
    call: u64,
    method: &'a str,
    path: &'a str,
    started_ms: f64,
    received_ms: Option<f64>,
    duration_ms: Option<f64>,
    status: Option<u16>,
    fault: Option<String>,
    case_id: Option<&'a str>,
    body_sha256: Option<String>,
}

/// A list that is written as it is made.
struct List<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// Milliseconds to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let pairs = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    pairs.collect()
}
