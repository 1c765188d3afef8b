//! One case as the files tell it, whether it comes from a run or the ledger.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{Key, State};

/// A case and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct CaseLine<'a> {
    /// What names it.
    pub key: &'a Key,
    /// The file that it came from, as it was named.
    pub file: &'a str,
    /// Its line there.
    pub line: u64,
    /// The handling firm; none is a draft.
    pub partner_firm: Option<&'a str>,
    /// Its state.
    pub state: State,
    /// The platform's id.
    pub case_id: Option<&'a str>,
    /// The latest attempt's HTTP status.
    pub status: Option<u16>,
    /// How often it was tried, where that is known.
    pub attempts: Option<u32>,
    /// Imported after a doubt: the platform may have it twice.
    pub possible_twin: bool,
    /// When its state last changed.
    pub at: Timestamp,
    /// What the latest answer or error said.
    pub message: Option<&'a str>,
    /// The raw record as JSON, where it is kept.
    pub raw: Option<&'a str>,
}

impl CaseLine<'_> {
    /// Why it was rejected.
    pub(super) fn reason(&self) -> String {
        match (self.status, self.message) {
            (Some(status), Some(message)) => format!("HTTP {status}: {message}"),
            (Some(status), None) => format!("HTTP {status}"),
            (None, Some(message)) => message.to_owned(),
            (None, None) => self.state.to_string(),
        }
    }
}

/// A moment in UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A key behind `key:`, which no spreadsheet takes for a number.
pub(super) fn key_cell(key: &Key) -> String {
    format!("key:{}", key.canonical())
}

/// The JSON of `export --json`.
pub fn export_json(case: &CaseLine<'_>) -> Value {
    json!({
        "schema": 1,
        "key": case.key.to_string(),
        "state": case.state.as_str(),
        "case_id": case.case_id,
        "file": case.file,
        "line": case.line,
        "partner_firm_id": case.partner_firm,
        "status": case.status,
        "attempts": case.attempts,
        "possible_twin": case.possible_twin,
        "updated_at": time(case.at),
        "message": case.message,
    })
}
