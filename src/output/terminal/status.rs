//! What a ledger knows: whose it is, how many cases, the last runs, what waits
//! for the user.

mod case;
mod json;

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use case::{CaseView, link};

use super::color;
use super::text::{count, escaped, grouped, span};
use crate::ledger::{LastUsed, LedgerInfo, LockHolder, RunEnd, RunRow};
use crate::model::{State, StateCounts, Totals};

/// Runs that are shown to people.
pub const RUNS_SHOWN: usize = 5;

/// A command that goes on, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// As a shell takes it.
    pub command: String,
    /// What it does, as a fragment.
    pub what: &'static str,
}

/// A ledger at one moment.
#[derive(Debug)]
pub struct LedgerView<'a> {
    /// The ledger as a whole.
    pub info: &'a LedgerInfo,
    /// The latest runs, the latest first.
    pub runs: &'a [RunRow],
    /// Who holds it now: `Some(None)` is somebody without a name.
    pub holder: Option<Option<LockHolder>>,
    /// The cases of a selection, when one was asked for.
    pub selected: Option<&'a StateCounts>,
    /// How to go on.
    pub next: &'a [Next],
}

impl LedgerView<'_> {
    /// Account, ledger, counts and runs, for people.
    pub fn head(&self) -> String {
        let info = self.info;
        let mut text = String::new();
        let mut line = |title: &str, words: &str| {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{} {words}", color::bold(&format!("{title:8}")));
        };
        line("account", &escaped(&info.account));
        line("ledger", &escaped(&info.path.display().to_string()));
        line(
            "",
            &color::dim(&format!(
                "id {}, made {}",
                escaped(&info.id),
                time(info.created_at)
            )),
        );
        if let Some(home) = &info.moved_from {
            line("", &color::yellow(&moved(home)));
        }
        line(
            "now",
            &match &self.holder {
                None => "nobody works with it".to_owned(),
                Some(holder) => color::yellow(&self::holder(holder.as_ref())),
            },
        );
        line("cases", &grouped(info.counts.total()));
        text.push_str(&counts(&info.counts));
        if !self.runs.is_empty() {
            let shown = &self.runs[..self.runs.len().min(RUNS_SHOWN)];
            let _ = writeln!(
                text,
                "{} {}",
                color::bold("runs    "),
                match (self.runs.len(), self.runs[0].id.0) {
                    (1, 1) => "1".to_owned(),
                    (_, last) => format!("{}, the latest first", grouped(last.unsigned_abs())),
                }
            );
            for run in shown {
                text.push_str(&self::run(run));
            }
        }
        if let Some(selected) = self.selected {
            let _ = writeln!(
                text,
                "{} {}",
                color::bold("selected"),
                count(selected.total(), "case")
            );
            text.push_str(&counts(selected));
        }
        text
    }

    /// How to go on, for people.
    pub fn tail(&self) -> String {
        let mut text = String::new();
        if self.holder.is_some() {
            let _ = writeln!(
                text,
                "a run is going on: what is under way is settled by it; look again when it has ended"
            );
        }
        for next in self.next {
            let what = color::dim(&format!("# {}", next.what));
            let _ = writeln!(text, "next: {}  {what}", escaped(&next.command));
        }
        text
    }
}

/// Where a moved or copied ledger was used last.
pub fn moved(home: &LastUsed) -> String {
    format!(
        "this ledger was last used as {} on {}: if both files are still in use, each knows only half of \
         what was imported",
        escaped(&home.path),
        escaped(&home.host)
    )
}

fn holder(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => format!(
            "{} is running: {} on {}, process {}, since {}",
            escaped(&holder.command),
            escaped(&holder.user),
            escaped(&holder.host),
            holder.pid,
            time(holder.since)
        ),
        None => "another process holds it".to_owned(),
    }
}

fn counts(counts: &StateCounts) -> String {
    let mut text = String::new();
    for (state, meaning) in [
        (State::Sending, "under way now"),
        (State::Imported, "imported"),
        (
            State::InDoubt,
            "in doubt: may or may not exist; each waits for you",
        ),
        (
            State::Rejected,
            "rejected by the server: mend them and import again",
        ),
        (
            State::NotSent,
            "not sent: nothing was made; the next import sends them",
        ),
        (
            State::Removed,
            "removed on the platform; the next import sends them",
        ),
    ] {
        let number = counts.of(state);
        if number > 0 {
            let mut meaning = meaning.to_owned();
            if state == State::InDoubt {
                meaning = color::yellow(&meaning);
            }
            let _ = writeln!(text, "  {:>9} {meaning}", grouped(number));
        }
    }
    if counts.possible_twins > 0 {
        let _ = writeln!(
            text,
            "  {:>9} {}",
            grouped(counts.possible_twins),
            color::yellow(
                "imported after a doubt (possible twins): the platform may have two of each"
            )
        );
    }
    text
}

fn run(run: &RunRow) -> String {
    let start = &run.start;
    let ci = start
        .ci_job
        .as_ref()
        .map(|job| format!(", CI job {}", escaped(job)))
        .unwrap_or_default();
    let end = match &run.end {
        None => color::yellow("going on"),
        Some(RunEnd::Finished) => "finished".to_owned(),
        Some(end @ RunEnd::Interrupted) => color::yellow(&end.to_string()),
        Some(RunEnd::Unexpected) => color::yellow("broke off without a word"),
        Some(RunEnd::Stopped(reason)) => color::red(&format!("stopped: {}", escaped(reason))),
    };
    let lasted = run
        .ended_at
        .and_then(|end| std::time::Duration::try_from(end.duration_since(start.at)).ok())
        .map(|lasted| format!(" after {}", span(lasted)))
        .unwrap_or_default();
    let counts = run.counts.as_ref().map(run_counts).unwrap_or_default();
    format!(
        "  {:>9} {}, {} on {}{ci}: {end}{lasted}{counts}\n            {}\n",
        run.id,
        time(start.at),
        escaped(&start.user),
        escaped(&start.host),
        color::dim(&escaped(&start.command)),
    )
}

/// `; 20 of 25 imported, 5 rejected`
fn run_counts(counts: &Totals) -> String {
    let mut text = format!(
        "; {} of {} imported",
        grouped(counts.imported),
        grouped(counts.total)
    );
    for (number, word) in [
        (counts.already_imported, "imported before"),
        (counts.changed, "changed"),
        (counts.rejected, "rejected"),
        (counts.not_sent, "not sent"),
        (counts.in_doubt, "in doubt"),
        (counts.problems, "left out for problems"),
        (counts.untried, "not tried"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {} {word}", grouped(number));
        }
    }
    text
}

/// A moment as the clock on the wall showed it, so that it can be found on the
/// platform.
pub fn time(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}
