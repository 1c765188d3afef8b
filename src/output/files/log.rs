//! The log of runs: what happened and when, one JSON object a line, for whoever
//! finds out later why a run went as it did, and for log systems.
//!
//! It holds neither a case's values nor what a server wrote, which may quote
//! them; of a case its key, its place and its id.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::output_file::{OutputFile, OutputFileError, OutputOpener};
use crate::ledger::{RunId, RunStart};
use crate::model::{Answer, CaseData, Key, PauseReason, RunEvent, SettledAttempt, State};
use crate::output::terminal::check_report::file_name;
use crate::output::terminal::summary::{Summary, cause_and_remedy};
use crate::output::terminal::text::{redacted, rounded_seconds};

/// What is told of a run's start.
const STARTED: [&str; 9] = [
    "account", "map_id", "version", "user", "host", "pid", "ci_job", "plan", "files",
];

/// The log of one run, at the end of a file that may hold earlier ones.
#[derive(Debug)]
pub(crate) struct RunLog {
    file: OutputFile,
    run: Option<RunId>,
    inputs: Vec<String>,
    redact: bool,
}

impl RunLog {
    /// With the names of the run's inputs.
    pub(crate) fn open(
        opener: &mut OutputOpener,
        path: &Path,
        inputs: Vec<String>,
        redact: bool,
    ) -> Result<Self, OutputFileError> {
        Ok(Self {
            file: opener.open_log(path)?,
            run: None,
            inputs,
            redact,
        })
    }

    pub(crate) fn begin(&mut self, run: RunId, start: &RunStart, to_send: u64) {
        self.run = Some(run);
        let start = json!(start);
        let mut members = json!({ "to_send": to_send });
        // Not the command, which may name keys.
        for name in STARTED {
            members[name] = start[name].clone();
        }
        self.write("run_started", members);
    }

    pub(crate) fn add_event(&mut self, event: &RunEvent<'_>) {
        let (event, members) = match event {
            RunEvent::Settled(settled) => ("attempt", self.attempt(settled)),
            RunEvent::Skipped { case, state } => {
                ("skipped", self.case(case, *state, &Answer::default()))
            }
            RunEvent::Paused {
                wait,
                reason,
                message,
            } => {
                let (reason, error) = match reason {
                    PauseReason::Busy => ("rate_limited", None),
                    PauseReason::Unreachable => ("unreachable", *message),
                };
                let seconds = rounded_seconds(*wait);
                let members = json!({ "reason": reason, "error": error, "seconds": seconds });
                ("paused", members)
            }
            RunEvent::Resumed => ("resumed", json!({})),
            RunEvent::PaceChanged(interval) => {
                let members = json!({ "seconds": rounded_seconds(*interval) });
                ("pace_changed", members)
            }
            RunEvent::AskEcho => return,
            RunEvent::Stopping {
                reason, in_flight, ..
            } => {
                let members = json!({ "reason": cause_and_remedy(reason), "in_flight": in_flight });
                ("stopping", members)
            }
            RunEvent::SettleFailed {
                case,
                verdict,
                answer,
                error,
            } => {
                let mut members = self.case(case, Some(verdict.state()), answer);
                members["ledger_error"] = (*error).into();
                ("not_recorded", members)
            }
        };
        self.write(event, members);
    }

    /// Ends the run's part, and completes the file.
    pub(crate) fn end(mut self, summary: &Summary) -> Result<u64, OutputFileError> {
        let mut members = json!(summary.totals);
        members["account"] = summary.account.as_str().into();
        members["seconds"] = rounded_seconds(summary.elapsed).into();
        members["exit_code"] = summary.exit_code.into();
        self.write("run_ended", members);
        self.file.finish()
    }

    fn attempt(&self, settled: &SettledAttempt<'_>) -> Value {
        let answer = settled.answer;
        let differing = answer.echo_differs.iter().map(|differs| &*differs.field);
        let mut members = self.case(settled.case, Some(settled.state), answer);
        members["attempt"] = settled.attempts.into();
        members["will_retry"] = settled.will_retry.into();
        members["possible_twin"] = settled.possible_twin.into();
        members["differing_fields"] = differing.collect();
        members["same_id_as"] = settled.same_id_as.map(|key| self.shown(key)).into();
        members
    }

    fn case(&self, case: &CaseData, state: Option<State>, answer: &Answer) -> Value {
        // With a status the message is the server's.
        let error = answer.message.as_ref();
        let error = error.filter(|_| answer.status.is_none());
        json!({
            "key": self.shown(&case.key),
            "file": file_name(case.place, &self.inputs),
            "line": case.place.line,
            "row": case.place.row,
            "state": state,
            "status": answer.status,
            "case_id": answer.case_id,
            "error": error,
            "started_at": answer.took.map(|(at, _)| time(at)),
            "seconds": answer.took.map(|(_, took)| rounded_seconds(took)),
        })
    }

    fn shown(&self, key: &Key) -> String {
        redacted(&key.to_string(), self.redact).into_owned()
    }

    fn write(&mut self, event: &str, members: Value) {
        let mut line = json!({
            "schema": 1,
            "at": time(Timestamp::now()),
            "event": event,
            "run": self.run,
        });
        if let (Value::Object(line), Value::Object(members)) = (&mut line, members) {
            line.extend(members);
        }
        self.file.write_json(&line.to_string());
    }
}

/// UTC, to the millisecond.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Whether a line is one of a log.
pub(super) fn is_line(line: &[u8]) -> bool {
    let line: Value = serde_json::from_slice(line).unwrap_or_default();
    line["schema"] == 1 && line["event"].is_string()
}
