//! What a ledger knows: its account, how many cases, the last runs, what needs
//! attention.

mod case;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

pub(crate) use case::{CaseView, case_link};

use super::color;
use super::text::{count, escaped, grouped, span};
use crate::ledger::{LastUsed, LedgerInfo, LockStatus, RunEnd, RunRow};
use crate::model::{State, StateCounts, Totals};

/// Runs that are shown to people.
pub(crate) const RUNS_SHOWN: usize = 5;

/// A command to run next, and what it does.
#[derive(Debug)]
pub(crate) struct NextCommand {
    /// As a shell takes it.
    pub(crate) command: String,
    pub(crate) purpose: &'static str,
}

/// A ledger at one moment.
#[derive(Debug)]
pub(crate) struct LedgerView<'a> {
    pub(crate) info: &'a LedgerInfo,
    /// Newest first.
    pub(crate) runs: &'a [RunRow],
    pub(crate) lock: LockStatus,
    /// The cases of a selection, when one was asked for.
    pub(crate) selected: Option<StateCounts>,
    pub(crate) next: &'a [NextCommand],
}

impl LedgerView<'_> {
    /// Account, ledger, counts and runs, for people.
    pub(crate) fn head(&self) -> String {
        let info = self.info;
        let mut text = String::new();
        let mut line = |title: &str, value: &str| {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{} {value}", color::bold(&format!("{title:8}")));
        };
        line("account", &escaped(&info.account));
        line("ledger", &escaped(&info.path.display().to_string()));
        let id = format!(
            "id {}, created {}",
            escaped(&info.id),
            time(info.created_at)
        );
        line("", &color::dim(&id));
        if let Some(last_used) = &info.moved_from {
            line("", &color::yellow(&moved_warning(last_used)));
        }
        line(
            "now",
            &match lock_text(&self.lock) {
                None => "not in use".to_owned(),
                Some(text) => color::yellow(&text),
            },
        );
        line("cases", &grouped(info.counts.total()));
        text.push_str(&counts_lines(&info.counts));
        if let Some(latest) = self.runs.first() {
            let number = match (self.runs.len(), latest.id.0) {
                (1, 1) => "1".to_owned(),
                (_, last) => format!("{}, newest first", grouped(last.unsigned_abs())),
            };
            let _ = writeln!(text, "{} {number}", color::bold("runs    "));
            for run in self.runs {
                text.push_str(&run_lines(run));
            }
        }
        if let Some(selected) = &self.selected {
            let number = count(selected.total(), "case");
            let _ = writeln!(text, "{} {number}", color::bold("selected"));
            text.push_str(&counts_lines(selected));
        }
        text
    }

    /// The next commands, for people.
    pub(crate) fn tail(&self) -> String {
        let mut text = String::new();
        if self.lock != LockStatus::Free {
            text.push_str(
                "a run is in progress and will settle the cases in flight; check again when it \
                 has ended\n",
            );
        }
        for next in self.next {
            let purpose = color::dim(&format!("# {}", next.purpose));
            // Writing to a String can't fail.
            let _ = writeln!(text, "next: {}  {purpose}", escaped(&next.command));
        }
        text
    }

    /// The ledger as one document.
    pub(crate) fn to_json(&self) -> Value {
        let info = self.info;
        let commands = self.next.iter().map(|next| &next.command);
        json!({
            "schema": 1,
            "command": "status",
            "account": info.account,
            "ledger": info.path,
            "ledger_id": info.id,
            "ledger_schema": info.schema,
            "created_at": info.created_at,
            "moved_from": info.moved_from,
            "cases": counts_json(&info.counts),
            "selected": self.selected.as_ref().map(counts_json),
            "running": self.lock,
            "is_running": self.lock != LockStatus::Free,
            "runs": self.runs,
            "next": commands.collect::<Vec<_>>(),
        })
    }
}

/// What to know of a ledger that was moved or copied.
pub(crate) fn moved_warning(last_used: &LastUsed) -> String {
    format!(
        "this ledger was last used as {} on {}: if both files are still in use, each \
         knows only some of the imported cases",
        escaped(&last_used.path),
        escaped(&last_used.host)
    )
}

fn lock_text(lock: &LockStatus) -> Option<String> {
    match lock {
        LockStatus::Free => None,
        LockStatus::Held => Some("in use by another process".to_owned()),
        LockStatus::HeldBy(holder) => Some(format!(
            "running: {}, by {} on {}, process {}, since {}",
            escaped(&holder.command),
            escaped(&holder.user),
            escaped(&holder.host),
            holder.pid,
            time(holder.since)
        )),
    }
}

fn counts_lines(counts: &StateCounts) -> String {
    let numbers = [
        (State::Sending, "in flight"),
        (State::Imported, "imported"),
        (
            State::InDoubt,
            "in doubt: may or may not exist on the platform",
        ),
        (
            State::Rejected,
            "rejected by the server: fix them and import again",
        ),
        (
            State::NotSent,
            "not sent, no case was created: the next import sends them",
        ),
        (
            State::Removed,
            "removed on the platform: the next import sends them",
        ),
    ]
    .map(|(state, meaning)| (counts.of(state), meaning, state == State::InDoubt));
    let twins = "imported after being in doubt: the platform may have two of each";
    let mut text = String::new();
    for (number, meaning, needs_attention) in
        (numbers.into_iter()).chain([(counts.possible_twins, twins, true)])
    {
        if number > 0 {
            let mut meaning = meaning.to_owned();
            if needs_attention {
                meaning = color::yellow(&meaning);
            }
            // Writing to a String can't fail.
            let _ = writeln!(text, "  {:>9} {meaning}", grouped(number));
        }
    }
    text
}

fn counts_json(counts: &StateCounts) -> Value {
    let mut json = json!({
        "total": counts.total(),
        "possible_twins": counts.possible_twins,
    });
    for &state in State::ALL {
        json[state.as_str()] = counts.of(state).into();
    }
    json
}

fn run_lines(run: &RunRow) -> String {
    let start = &run.start;
    let ci = start
        .ci_job
        .as_ref()
        .map(|job| format!(", CI job {}", escaped(job)))
        .unwrap_or_default();
    let end = match &run.end {
        None => color::yellow("in progress"),
        Some(end @ RunEnd::Finished) => end.to_string(),
        Some(end @ RunEnd::Stopped(_)) => color::red(&escaped(&end.to_string())),
        Some(end) => color::yellow(&end.to_string()),
    };
    let duration = run
        .ended_at
        .and_then(|end| Duration::try_from(end.duration_since(start.at)).ok())
        .map(|duration| format!(" after {}", span(duration)))
        .unwrap_or_default();
    let totals = run.counts.as_ref().map(totals_text).unwrap_or_default();
    format!(
        "  {:>9} {}, {} on {}{ci}: {end}{duration}{totals}\n            {}\n",
        run.id,
        time(start.at),
        escaped(&start.user),
        escaped(&start.host),
        color::dim(&escaped(&start.command)),
    )
}

/// `; 20 of 25 imported, 5 rejected`
fn totals_text(totals: &Totals) -> String {
    let mut text = format!(
        "; {} of {} imported",
        grouped(totals.imported),
        grouped(totals.total)
    );
    for (number, meaning) in [
        (totals.already_imported, "already imported"),
        (totals.changed, "changed since import"),
        (totals.rejected, "rejected"),
        (totals.not_sent, "not sent"),
        (totals.in_doubt, "in doubt"),
        (totals.problems, "skipped (validation errors)"),
        (totals.untried, "not attempted"),
    ] {
        if number > 0 {
            // Writing to a String can't fail.
            let _ = write!(text, ", {} {meaning}", grouped(number));
        }
    }
    text
}

/// In local time, as the platform shows it.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}
