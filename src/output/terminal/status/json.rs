//! The JSON forms of a ledger and its cases.

use serde_json::{Value, json};

use super::{CaseView, LedgerView, Next};
use crate::ledger::{Resolution, RunRow};
use crate::model::{State, StateCounts};
use crate::output::files::case_json;
use crate::output::terminal::text::shape;

impl LedgerView<'_> {
    /// The ledger as one document.
    pub fn to_json(&self) -> Value {
        let info = self.info;
        json!({
            "schema": 1,
            "command": "status",
            "account": info.account,
            "ledger": info.path,
            "ledger_id": info.id,
            "ledger_schema": info.schema,
            "created_at": info.created_at.to_string(),
            "moved_from": info.moved_from.as_ref().map(|home| json!({
                "host": home.host,
                "path": home.path,
            })),
            "cases": counts(&info.counts),
            "selected": self.selected.map(counts),
            "running": self.holder.as_ref().map(|holder| json!(holder)),
            "is_running": self.holder.is_some(),
            "runs": self.runs.iter().map(run).collect::<Vec<_>>(),
            "next": self.next.iter().map(|Next { command, .. }| command).collect::<Vec<_>>(),
        })
    }
}

fn counts(counts: &StateCounts) -> Value {
    let mut json = json!({
        "total": counts.total(),
        "possible_twins": counts.possible_twins,
    });
    for state in State::ALL {
        json[state.as_str()] = counts.of(state).into();
    }
    json
}

fn run(run: &RunRow) -> Value {
    let start = &run.start;
    json!({
        "run": run.id.0,
        "started_at": start.at.to_string(),
        "ended_at": run.ended_at.map(|at| at.to_string()),
        "ended": run.end.as_ref().map(ToString::to_string),
        "user": start.user,
        "host": start.host,
        "ci_job": start.ci_job,
        "version": start.version,
        "command": start.command,
        "account": start.account,
        "map_id": start.map_id,
        "plan": start.plan,
        "files": start.files.iter().map(|file| json!({
            "name": file.name,
            "sha256": file.sha256,
            "records": file.records,
        })).collect::<Vec<_>>(),
        "counts": run.counts,
    })
}

impl CaseView {
    /// The case as one document: what `export` says of it, and what a person
    /// needs to look it up.
    pub fn to_json(&self, redact: bool) -> Value {
        let shown = |text: &str| {
            if redact { shape(text) } else { text.to_owned() }
        };
        let mut json = case_json(&self.case);
        json["message"] = self.case.message.as_deref().map(shown).into();
        json["person"] = self.person.as_deref().map(shown).into();
        json["run"] = self.case.run.0.into();
        json["url"] = self.link().into();
        json["answer"] = self.case.answer.as_deref().map(shown).into();
        json["tries"] = self
            .attempts
            .iter()
            .map(|attempt| {
                json!({
                    "run": attempt.run.0,
                    "map_id": attempt.map_id,
                    "started_at": attempt.started_at.to_string(),
                    "ended_at": attempt.ended_at.map(|at| at.to_string()),
                    "status": attempt.status,
                    "case_id": attempt.case_id,
                    "message": attempt.message.as_deref().map(shown),
                })
            })
            .collect();
        json["resolution"] = self
            .resolution
            .as_ref()
            .map(|resolution| {
                json!({
                    "resolution": match &resolution.resolution {
                        Resolution::Imported { .. } => "imported",
                        Resolution::NotImported => "not_imported",
                        Resolution::Removed => "removed",
                    },
                    "marked_by": resolution.marked_by,
                    "marked_at": resolution.marked_at.to_string(),
                })
            })
            .into();
        json
    }
}
