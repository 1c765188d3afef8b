//! What the sandbox has received: the calls, and the cases created by them.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::contract::NewCase;

/// A case as `/__sandbox/cases` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Case {
    order: usize,
    id: String,
    map_id: String,
    partner_firm_id: Option<String>,
    draft: bool,
    received_ms: f64,
    payload: Box<RawValue>,
}

/// A call as `/__sandbox/calls` shows it. Times are since the start of the
/// sandbox.
#[derive(Debug, Default, Serialize)]
pub(super) struct Call {
    #[serde(rename = "call")]
    number: usize,
    method: String,
    /// Without the query, which may contain the key.
    path: String,
    started_ms: f64,
    received_ms: Option<f64>,
    duration_ms: Option<f64>,
    /// None where the connection was closed instead.
    status: Option<u16>,
    fault: Option<String>,
    case_id: Option<String>,
    body_sha256: Option<String>,
}

/// Names a call in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallId(usize);

#[derive(Debug)]
pub(super) struct CallLog {
    start: Instant,
    id_rng: fastrand::Rng,
    pub(super) cases: Vec<Case>,
    pub(super) calls: Vec<Call>,
}

impl CallLog {
    pub(super) fn new(id_rng: fastrand::Rng) -> Self {
        Self {
            start: Instant::now(),
            id_rng,
            cases: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Milliseconds since the start, to the microsecond.
    fn now(&self) -> f64 {
        self.start.elapsed().as_micros() as f64 / 1000.0
    }

    /// Logs a call when its head has arrived.
    pub(super) fn begin(&mut self, method: &str, path: &str) -> CallId {
        self.calls.push(Call {
            number: self.calls.len() + 1,
            method: method.to_owned(),
            path: path.to_owned(),
            started_ms: self.now(),
            ..Call::default()
        });
        CallId(self.calls.len() - 1)
    }

    /// Adds the complete body, and the fault that the call meets.
    pub(super) fn received(&mut self, id: CallId, body: &[u8], fault: Option<&str>) {
        let now = self.now();
        let mut hash = String::new();
        for byte in Sha256::digest(body) {
            // Writing to a String can't fail.
            let _ = write!(hash, "{byte:02x}");
        }
        let call = &mut self.calls[id.0];
        call.received_ms = Some(now);
        call.body_sha256 = Some(hash);
        call.fault = fault.map(str::to_owned);
    }

    pub(super) fn new_id(&mut self) -> String {
        format!("{:024x}", self.id_rng.u128(..) >> 32)
    }

    /// Creates a case and returns its id.
    pub(super) fn create(&mut self, id: CallId, case_id: String, draft: &NewCase) -> String {
        self.calls[id.0].case_id = Some(case_id.clone());
        self.cases.push(Case {
            order: self.cases.len() + 1,
            id: case_id.clone(),
            map_id: draft.map_id.clone(),
            partner_firm_id: draft.firm.clone(),
            draft: draft.firm.is_none(),
            received_ms: self.now(),
            payload: draft.payload.clone(),
        });
        case_id
    }

    /// The id of the case created before the last one.
    pub(super) fn id_before_last(&self) -> Option<String> {
        let index = self.cases.len().checked_sub(2)?;
        Some(self.cases[index].id.clone())
    }

    /// A call that never ends is one whose caller left.
    pub(super) fn end(&mut self, id: CallId, status: Option<u16>) {
        let now = self.now();
        let call = &mut self.calls[id.0];
        call.duration_ms = Some(now - call.started_ms);
        call.status = status;
    }
}
