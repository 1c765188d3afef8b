//! What a ledger knows: its account, how many cases, the last runs, what needs
//! attention; and of one case all that a person needs to find it on the
//! platform.

use std::fmt::Write as _;
use std::iter::repeat;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check_report::TABLE_WIDTH;
use super::color;
use super::life::{LivesView, event_json, timeline_text};
use super::streams::OutputOptions;
use super::summary::other_counts;
use super::text::{
    MAX_BODY_SHOWN, count, cut, escaped, escaped_or_redacted, escaped_path, grouped, redacted,
    response, span, titled,
};
use crate::ledger::{
    AttemptRow, CaseRow, LedgerInfo, LockStatus, MissingAttempts, ResolutionRow, ResolveAction,
    RunEnd, RunRow,
};
use crate::model::{State, StateCounts, Totals, terminal_width};
use crate::output::files::case_json;
use crate::webhooks::Event;

pub(crate) use crate::model::local_time as time;

/// Runs that are shown to people.
pub(crate) const RUNS_SHOWN: usize = 3;

/// A ledger at one moment.
#[derive(Debug)]
pub(crate) struct LedgerView<'a> {
    pub(crate) info: &'a LedgerInfo,
    /// Newest first.
    pub(crate) runs: &'a [RunRow],
    pub(crate) lock: LockStatus,
    /// The cases of a selection, when one was asked for.
    pub(crate) selected: Option<&'a StateCounts>,
    /// What became of the imported cases.
    pub(crate) lives: LivesView<'a>,
    /// The commands to run next, as a shell takes them, and what each does.
    pub(crate) next: &'a [(String, &'static str)],
}

impl LedgerView<'_> {
    /// Account, ledger and runs, for people.
    pub(crate) fn head(&self) -> String {
        let info = self.info;
        let mut text = String::new();
        let mut line = |title: &str, value: &str| text += &(titled(title, value) + "\n");
        line("account", &escaped(&info.account));
        line("ledger", &escaped_path(&info.path));
        // The day, so that the line fits.
        let created = time(info.created_at);
        let day = created.split(' ').next().unwrap_or_default();
        let id = format!("id {}, created {day}", escaped(&info.id));
        line("", &color::dim(&id));
        if let Some(path) = &info.moved_from {
            line("", &color::yellow(&moved_warning(path)));
        }
        if let Some(missing) = &info.missing {
            line("", &color::yellow(&older_copy(missing)));
        }
        let running = match &self.lock {
            LockStatus::Free => None,
            LockStatus::Held => Some("in use by a run that has sent nothing yet".to_owned()),
            LockStatus::HeldBy(run) => Some(format!("running: {}", escaped(&run.to_string()))),
        };
        if let Some(running) = running {
            line("now", &color::yellow(&running));
        }
        for (title, run) in ["runs"].into_iter().chain(repeat("")).zip(self.runs) {
            line(title, &run_line(run));
        }
        text
    }

    /// The counts, and the next commands, for people.
    pub(crate) fn tail(&self, redact: bool) -> String {
        let mut text = String::new();
        let selected = self.selected.map(|counts| ("selected", counts));
        for (title, counts) in selected.into_iter().chain([("cases", &self.info.counts)]) {
            text += &titled(title, &grouped(counts.total()));
            text.push('\n');
            text += &counts_lines(counts);
        }
        text += &self.lives.text(redact);
        if self.lock != LockStatus::Free {
            text.push_str(
                "a run is in progress and will settle the cases in flight; check again when it \
                 has ended\n",
            );
        }
        for (command, purpose) in self.next {
            let purpose = color::dim(&format!("# {purpose}"));
            // Writing to a String can't fail.
            let _ = writeln!(text, "next: {}  {purpose}", escaped(command));
        }
        text
    }

    /// The ledger as one document.
    pub(crate) fn to_json(&self, redact: bool) -> Value {
        let info = self.info;
        let commands = self.next.iter().map(|(command, _)| command);
        json!({
            "schema": 1,
            "command": "status",
            "account": info.account,
            "ledger": info.path.display().to_string(),
            "ledger_id": info.id,
            "created_at": info.created_at,
            "moved_from": info.moved_from,
            "missing": info.missing,
            "cases": counts_json(&info.counts),
            "lives": self.lives.to_json(redact),
            "selected": self.selected.map(counts_json),
            "running": self.lock,
            "is_running": self.lock != LockStatus::Free,
            "runs": self.runs,
            "next": commands.collect::<Vec<_>>(),
        })
    }
}

/// What to know of a ledger that was moved or copied.
pub(crate) fn moved_warning(path: &Path) -> String {
    format!(
        "this ledger was last used as {} on this machine: if both files are still in use, each \
         knows only some of the imported cases",
        escaped_path(path)
    )
}

/// What to know of a ledger that is an older copy.
pub(crate) fn older_copy(missing: &MissingAttempts) -> String {
    let known_until = match missing.known_until {
        Some(at) => format!("ends at {}", time(at)),
        None => "knows no case".to_owned(),
    };
    format!(
        "an older copy of the ledger, or the other of two copies: it {known_until}, and at least \
         {} later, up to {} at {}, would be sent again; restore the latest ledger",
        count(missing.at_least, "attempt"),
        missing.attempt,
        time(missing.at)
    )
}

fn counts_lines(counts: &StateCounts) -> String {
    use State::{Imported, InDoubt, NotSent, Rejected, Removed, Sending};
    let states = [Sending, Imported, InDoubt, Rejected, NotSent, Removed].map(|state| {
        let meaning = match state {
            Sending => "in flight",
            Imported => "imported",
            InDoubt => "in doubt: may or may not exist on the platform",
            Rejected => "rejected by the server: fix them and import again",
            NotSent => "not sent, no case was created: the next import sends them",
            Removed => "removed on the platform: the next import sends them",
        };
        (counts.of(state), meaning, state == InDoubt)
    });
    let twins = "imported after being in doubt: the platform may have them twice";
    let mut text = String::new();
    let twins = (counts.possible_twins, twins, true);
    for (number, meaning, needs_attention) in states.into_iter().chain([twins]) {
        let meaning = if needs_attention {
            color::yellow(meaning)
        } else {
            meaning.to_owned()
        };
        if number > 0 {
            // Writing to a String can't fail.
            let _ = writeln!(text, "  {:>9} {meaning}", grouped(number));
        }
    }
    text
}

pub(crate) fn counts_json(counts: &StateCounts) -> Value {
    let mut json = json!({
        "total": counts.total(),
        "possible_twins": counts.possible_twins,
    });
    for &state in State::ALL {
        json[state.as_str()] = counts.of(state).into();
    }
    json
}

/// `3  2026-11-23 19:40:12 CET, root: finished after 4.2 s; 2 of 5 imported`
fn run_line(run: &RunRow) -> String {
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
    let totals = run.counts.as_ref().map(|totals| {
        let (imported, total) = (grouped(totals.imported), grouped(totals.total));
        format!("; {imported} of {total} imported{}", other_counts(totals))
    });
    format!(
        "{}  {}, {}{ci}: {end}{}",
        run.id,
        time(start.at),
        escaped(&start.user),
        totals.unwrap_or_default(),
    )
}

/// A run's counts on a line, and below it who ran it, with which files, and why it
/// stopped.
pub(crate) fn runs_table(runs: &[RunRow], most: usize) -> String {
    let width = terminal_width().unwrap_or(TABLE_WIDTH);
    let titles = ["records", "imported", "rejected", "not sent", "in doubt"];
    let cells = |cells: [String; 5]| cells.map(|cell| format!(" {cell:>8}")).concat();
    let head = cells(titles.map(str::to_owned));
    let mut table = color::dim(&format!(" run  {:16}{head}  ended", "started"));
    for run in runs.iter().take(most) {
        let counts = run
            .counts
            .as_ref()
            .map_or([const { String::new() }; 5], |counts| {
                let Totals {
                    total,
                    imported,
                    rejected,
                    not_sent,
                    in_doubt,
                    ..
                } = *counts;
                [total, imported, rejected, not_sent, in_doubt].map(grouped)
            });
        let start = &run.start;
        let started: String = time(start.at).chars().take(16).collect();
        let (how, why) = match &run.end {
            None => (color::yellow("in progress"), ""),
            Some(RunEnd::Stopped(why)) => (color::red("stopped"), why.as_str()),
            Some(RunEnd::Unexpected) => (color::yellow("unexpected"), ""),
            Some(end) => (end.to_string(), ""),
        };
        // Writing to a String can't fail.
        let _ = write!(table, "\n{:>4}  {started}{}  {how}", run.id, cells(counts));
        let ci_job = start.ci_job.as_ref().map(|job| format!(", CI job {job}"));
        let by = format!(
            "{} on {}{}",
            start.user,
            start.host,
            ci_job.unwrap_or_default()
        );
        let files = start.files.iter().map(|file| file.name.as_str());
        let files = files.collect::<Vec<_>>().join(", ");
        for line in [&by, &files, why]
            .into_iter()
            .filter(|line| !line.is_empty())
        {
            let _ = write!(
                table,
                "\n      {}",
                cut(&escaped(line), width.saturating_sub(6))
            );
        }
    }
    if runs.len() > most {
        let _ = write!(
            table,
            "\nshowing {most} of {}",
            count(runs.len() as u64, "run")
        );
    }
    table
}

/// The last attempts are shown one by one.
const ATTEMPTS_SHOWN: usize = 4;

/// A case, what was attempted, and what users recorded about it.
#[derive(Debug)]
pub(crate) struct CaseView {
    /// With its content, where the answer is to be shown.
    pub(crate) case: CaseRow,
    /// The first one first.
    pub(crate) attempts: Vec<AttemptRow>,
    /// The last one that was not undone.
    pub(crate) resolution: Option<ResolutionRow>,
    /// The client, as far as the record names one: each text with its title.
    pub(crate) person: Vec<(&'static str, String)>,
    /// `[platform] case_url`.
    pub(crate) case_url: Option<String>,
    /// What happened since, where that was asked for.
    pub(crate) events: Vec<Event>,
}

/// The title of the client's name.
pub(crate) const PERSON: &str = "person";

impl CaseView {
    /// The platform's id, or the one that came back without being a proof.
    pub(crate) fn id(&self) -> Option<&str> {
        match self.case.state {
            State::Imported => self.case.case_id.as_deref(),
            State::InDoubt | State::Sending => {
                let mut latest_first = self.attempts.iter().rev();
                latest_first.find_map(|attempt| attempt.case_id.as_deref())
            }
            State::Rejected | State::NotSent | State::Removed => None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        let mut rows = self.person.iter();
        rows.find_map(|(title, name)| (*title == PERSON).then_some(name.as_str()))
    }

    fn link(&self) -> Option<String> {
        Some(case_link(self.case_url.as_deref()?, self.id()?))
    }

    /// Several lines for people, without a line break at the end.
    pub(crate) fn text(&self, output: OutputOptions, verbose: bool, now: Timestamp) -> String {
        let case = &self.case;
        let mut text = color::bold(&escaped_or_redacted(&case.key.to_string(), output.redact));
        // Writing to a String can't fail.
        let _ = write!(text, "  {}", self.state_text(now));
        let mut line = |title: &str, value: &str| {
            let _ = write!(text, "\n    {title:10} {value}");
        };
        for (title, text) in &self.person {
            line(title, &escaped_or_redacted(text, output.redact));
        }
        let firm = case.partner_firm_id.as_deref();
        line("firm", &firm.map_or("none, a draft".to_owned(), escaped));
        line("record", &self.origin());
        let skipped = self.attempts.len().saturating_sub(ATTEMPTS_SHOWN);
        if skipped > 0 {
            let earlier = count(skipped as u64, "earlier attempt");
            line("", &format!("{earlier} not shown"));
        }
        for attempt in &self.attempts[skipped..] {
            let AttemptRow { run, map_id, .. } = attempt;
            let sent = time(attempt.started_at);
            line(
                "sent",
                &format!("{sent}, run {run}, map {}", escaped(map_id)),
            );
            line("response", &response_of(attempt, case.state, output.redact));
        }
        if let Some(id) = self.id() {
            let doubt = match case.state {
                State::Imported => "",
                _ => " (returned by the server; not proof that the case exists)",
            };
            line("case id", &format!("{}{doubt}", escaped(id)));
        }
        if let Some(link) = self.link() {
            line("link", &escaped(&link));
        }
        if case.possible_twin {
            let twin = "imported after being in doubt: the platform may have it twice";
            line("duplicate", &color::yellow(twin));
        }
        if let Some(resolution) = &self.resolution {
            line("resolution", &resolution_text(resolution));
        }
        if verbose
            && let Some(answer) = &case.answer
            && case.message.as_ref() != Some(answer)
        {
            let body = cut(answer, MAX_BODY_SHOWN);
            line("body", &escaped_or_redacted(&body, output.redact));
        }
        text += &timeline_text(&self.events, output.redact);
        text
    }

    /// One line for people, in a list to confirm.
    pub(crate) fn line(&self, output: OutputOptions) -> String {
        let case = &self.case;
        let mut text = escaped_or_redacted(&case.key.to_string(), output.redact);
        // Writing to a String can't fail.
        if let Some(person) = self.name() {
            let _ = write!(text, ", {}", escaped_or_redacted(person, output.redact));
        }
        let _ = write!(
            text,
            ", {}, {} since {}",
            self.origin(),
            case.state.label(),
            time(case.updated_at)
        );
        if let Some(id) = &case.case_id {
            let _ = write!(text, ", {}", escaped(id));
        }
        if let Some(resolution) = &self.resolution {
            let _ = write!(text, "; {}", resolution_text(resolution));
        }
        text
    }

    /// What `export` writes of the case, and what a person needs to find it.
    pub(crate) fn to_json(&self, redact: bool) -> Value {
        let shown = |text| redacted(text, redact);
        let case = &self.case;
        let mut json = case_json(case, None, redact);
        json["person"] = self.name().map(shown).into();
        json["run"] = case.run.map(|run| run.0).into();
        json["url"] = self.link().into();
        json["answer"] = case.answer.as_deref().map(shown).into();
        json["history"] = (self.attempts.iter())
            .map(|attempt| {
                let mut json = json!(attempt);
                json["message"] = attempt.message.as_deref().map(shown).into();
                json
            })
            .collect();
        json["resolution"] = json!(self.resolution);
        if !self.events.is_empty() {
            let events = self.events.iter();
            json["events"] = events
                .map(|event| event_json(event, None, |text| redacted(text, redact)))
                .collect();
        }
        json
    }

    fn origin(&self) -> String {
        match (&self.case.file, self.case.forgotten_at) {
            (Some(file), _) => format!("{}:{}", escaped(file), self.case.line),
            (None, Some(at)) => format!("forgotten {}", time(at)),
            (None, None) => "added by `caseload resolve`".to_owned(),
        }
    }

    fn state_text(&self, now: Timestamp) -> String {
        let case = &self.case;
        let age = Duration::try_from(now.duration_since(case.updated_at)).unwrap_or_default();
        match case.state {
            State::InDoubt => color::yellow(&format!("in doubt for {}", span(age))),
            State::Rejected => color::red(case.state.label()),
            other => other.label().to_owned(),
        }
    }
}

/// The address of a case on the platform. Its id came from a server: nothing
/// in it may lead elsewhere.
pub(crate) fn case_link(case_url: &str, id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    case_url.replace("{case_id}", &id.replace('+', "%20"))
}

fn response_of(attempt: &AttemptRow, state: State, redact: bool) -> String {
    let message = attempt.message.as_deref();
    let message = message.map(|message| escaped_or_redacted(message, redact));
    match response(attempt.status, message.as_deref()) {
        Some(response) if attempt.status.is_some() => response,
        Some(error) => format!("none: {error}"),
        None if attempt.ended_at.is_some() => "none".to_owned(),
        None if state == State::Sending => "none yet".to_owned(),
        None => "unknown: the run ended before a response was recorded".to_owned(),
    }
}

/// `imported as c1, marked by root on box, 2026-11-23 19:40:12 UTC`
fn resolution_text(resolution: &ResolutionRow) -> String {
    let (what, id) = match resolution.action {
        ResolveAction::Imported => ("imported as", &resolution.case_id),
        ResolveAction::Removed => ("removed on the platform, was", &resolution.case_id_before),
        ResolveAction::NotImported | ResolveAction::Undo => ("not imported", &None),
    };
    let what = match id {
        Some(id) => format!("{what} {}", escaped(id)),
        None => resolution.action.as_str().replace('_', " "),
    };
    format!(
        "{what}, marked by {}, {}",
        escaped(&resolution.marked_by),
        time(resolution.marked_at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_within_its_part_of_a_link() {
        let url = "https://app.example.com/cases/{case_id}?view=1";
        assert_eq!(
            case_link(url, "c-1_a"),
            "https://app.example.com/cases/c-1_a?view=1"
        );
        assert_eq!(
            case_link(url, "../x?y #z"),
            "https://app.example.com/cases/..%2Fx%3Fy%20%23z?view=1"
        );
    }
}
