//! `caseload status`: what the ledger knows, and what needs attention.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::json;

use super::rerun_command::{self, Rerun};
use super::{Exit, print_closing};
use super::{cases, ledgers};
use crate::cli::args::StatusArgs;
use crate::cli::settings::LedgerSettings;
use crate::ledger::{self, CaseFilter, LedgerError, LedgerInfo, LedgerReader, LockStatus, RunRow};
use crate::model::{Format, Key, State, StateCounts};
use crate::output::terminal::life::LivesView;
use crate::output::terminal::status::{CaseView, LedgerView, RUNS_SHOWN, runs_table};
use crate::output::terminal::streams::{OutputOptions, print_json, print_result};
use crate::output::terminal::text::{count, escaped};
use crate::webhooks::{Lives, STALE_AFTER, timeline};

/// Selected cases that are shown to people with all that is known of each.
const CASES_SHOWN: usize = 20;
/// Runs that are listed to people.
const RUNS_LISTED: usize = 20;
/// Cases that need attention, one a line: the whole fits a screen.
const LINES_SHOWN: usize = 6;

/// Runs the command.
pub(super) fn run(settings: &LedgerSettings, args: &StatusArgs) -> Result<Exit> {
    let output = settings.output;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    let runs = reader.runs(usize::MAX)?;
    if args.runs {
        return Ok(show_runs(&info, &runs, output));
    }
    let lock = reader.lock_status()?;
    let next = match lock {
        LockStatus::Free => next_commands(&reader, &info, &runs, &settings.ledger.flags)?,
        _ => Vec::new(),
    };
    let fields = settings.event_fields();
    let lives = Lives::read(&reader, &fields)?;
    let stale_after = args.stale.unwrap_or(STALE_AFTER);
    let stale = stale(&reader, &lives, stale_after)?;
    let lives = LivesView {
        lives: &lives,
        drafts: reader.drafts()?,
        stale: stale.len() as u64,
        stale_after: &days(stale_after),
    };
    let mut events = Vec::new();
    let mut keys = args.stale.map(|_| stale);
    if let Some(typed) = &args.case {
        let key = known_key(settings, &reader, typed)?;
        events = timeline(&reader, &fields, &key)?;
        keys = Some(vec![key]);
    }
    let listed = ListedCases::find(settings, &reader, &info, keys)?;
    let case_url = settings.config.platform.case_url.as_deref();
    let pages = listed.filters.iter().flat_map(|one| reader.pages(one));
    let views = pages.map(|page| cases::views(&reader, page?, case_url));
    let cases = views.flat_map(ledger::each).map(|view| {
        let events = events.clone();
        Ok(CaseView { events, ..view? })
    });
    let view = LedgerView {
        info: &info,
        runs: &runs[..runs.len().min(RUNS_SHOWN)],
        lock,
        selected: listed.selected.as_ref(),
        lives,
        next: &next,
    };
    if output.json {
        print_json(&view.to_json(output.redact));
        for case in cases {
            print_json(&case?.to_json(output.redact));
        }
        return Ok(exit_code(args.check, &info.counts));
    }
    let mut text = view.head();
    if !output.quiet || listed.selected.is_some() {
        text.push_str(&cases_text(cases, &listed, settings)?);
    }
    text.push_str(&view.tail(output.redact));
    print_result(text.trim_end_matches('\n'));
    Ok(exit_code(args.check, &info.counts))
}

/// `status --runs`.
fn show_runs(info: &LedgerInfo, runs: &[RunRow], output: OutputOptions) -> Exit {
    if !output.json {
        print_result(&runs_table(runs, RUNS_LISTED));
        return Exit::Done;
    }
    for run in runs {
        let mut json = json!(run);
        json["schema"] = 1.into();
        print_json(&json);
    }
    let members = json!({ "account": info.account, "ledger_id": info.id, "total": runs.len() });
    print_closing("status", Exit::Done, members);
    Exit::Done
}

/// The cases that are shown one by one.
struct ListedCases {
    filters: Vec<CaseFilter>,
    total: u64,
    /// Their states, when they were asked for.
    selected: Option<StateCounts>,
}

impl ListedCases {
    /// Those that are asked for, or else those that need attention.
    fn find(
        settings: &LedgerSettings,
        reader: &LedgerReader,
        info: &LedgerInfo,
        keys: Option<Vec<Key>>,
    ) -> Result<Self> {
        let is_selection = keys.is_some() || !settings.cases.is_all();
        let filter = CaseFilter {
            keys,
            ..settings.cases.filter(reader)?
        };
        let (mut filters, total, selected) = if is_selection {
            let counts = reader.counts(&filter)?;
            (vec![filter], counts.total(), Some(counts))
        } else {
            let (filters, total) = needing_attention(reader, info)?;
            (filters, total, None)
        };
        for filter in &mut filters {
            filter.with_content = true;
        }
        Ok(Self {
            filters,
            total,
            selected,
        })
    }
}

/// The key of a case that the ledger knows.
fn known_key(settings: &LedgerSettings, reader: &LedgerReader, typed: &str) -> Result<Key> {
    let found = settings.cases.typed_keys(reader).find(typed)?;
    found.with_context(|| format!("no case of the ledger has the key {}", escaped(typed)))
}

/// The imported cases without news for so long, since their import or since the
/// last event. Nobody waits for news of a settled one.
fn stale(reader: &LedgerReader, lives: &Lives, after: Duration) -> Result<Vec<Key>, LedgerError> {
    let until = Timestamp::now() - after;
    let mut stale = Vec::new();
    for case in reader.cases(&CaseFilter::in_states([State::Imported])) {
        let case = case?;
        if lives.is_stale(&case, until) {
            stale.push(case.key);
        }
    }
    Ok(stale)
}

/// `90 days`, or hours where it is not as long.
fn days(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    if hours.is_multiple_of(24) {
        count(hours / 24, "day")
    } else {
        count(hours, "hour")
    }
}

fn exit_code(check: bool, counts: &StateCounts) -> Exit {
    use State::{InDoubt, NotSent, Rejected, Sending};
    let open = [InDoubt, Sending, Rejected, NotSent];
    let needs_attention = open.iter().any(|state| counts.of(*state) > 0);
    if check && (needs_attention || counts.possible_twins > 0) {
        Exit::Unfinished
    } else {
        Exit::Done
    }
}

/// Selected cases in full, or those that need attention one a line.
fn cases_text(
    cases: impl Iterator<Item = Result<CaseView, LedgerError>>,
    listed: &ListedCases,
    settings: &LedgerSettings,
) -> Result<String, LedgerError> {
    let (total, is_selection) = (listed.total, listed.selected.is_some());
    let most = if is_selection {
        CASES_SHOWN
    } else {
        LINES_SHOWN
    };
    let shown: Vec<CaseView> = cases.take(most).collect::<Result<_, _>>()?;
    let now = Timestamp::now();
    let mut text = String::new();
    // Writing to a String can't fail.
    for case in &shown {
        let _ = if is_selection {
            let case = case.text(settings.output, settings.output.verbose, now);
            writeln!(text, "\n{case}")
        } else {
            writeln!(text, "  {}", case.line(settings.output))
        };
    }
    if is_selection && !shown.is_empty() {
        text.push('\n');
    }
    if shown.len() as u64 != total {
        let _ = writeln!(text, "showing {} of {}", shown.len(), count(total, "case"));
    }
    Ok(text)
}

/// The cases in doubt, the possible twins among the others, and how many there
/// are.
fn needing_attention(
    reader: &LedgerReader,
    info: &LedgerInfo,
) -> Result<(Vec<CaseFilter>, u64), LedgerError> {
    let mut filters = vec![CaseFilter::in_states([State::InDoubt])];
    let mut total = info.counts.of(State::InDoubt);
    if info.counts.possible_twins > 0 {
        let others = State::ALL.iter().copied();
        let others: Vec<_> = others.filter(|state| *state != State::InDoubt).collect();
        let twins = CaseFilter {
            possible_twin: true,
            ..CaseFilter::in_states(others)
        };
        total += reader.counts(&twins)?.total();
        filters.push(twins);
    }
    Ok((filters, total))
}

fn next_commands(
    reader: &LedgerReader,
    info: &LedgerInfo,
    runs: &[RunRow],
    flags: &str,
) -> Result<Vec<(String, &'static str)>, LedgerError> {
    let mut next = Vec::new();
    let mut add = |command: String, purpose| next.push((command, purpose));
    let in_doubt = info.counts.of(State::InDoubt);
    if in_doubt > CASES_SHOWN as u64 {
        add(
            format!(
                "caseload export --in-doubt {}{flags}",
                unused_name("in-doubt", ".csv")
            ),
            "all cases in doubt as a spreadsheet",
        );
    }
    if in_doubt > 0 {
        add(
            format!("caseload resolve{flags}"),
            "record what became of the cases in doubt, after checking in Lexamica",
        );
    }
    if info.counts.of(State::Rejected) > 0 {
        let rejects = rejects_name(reader)?;
        add(
            format!("caseload export --rejects {rejects}{flags}"),
            "fix the rows in it, then import it",
        );
    }
    for command in commands_to_repeat(reader, runs)? {
        add(command, "send what is not imported yet");
    }
    Ok(next)
}

/// A file for the rejects, or a folder where they come from several files.
fn rejects_name(reader: &LedgerReader) -> Result<String, LedgerError> {
    let rejected = reader.cases(&CaseFilter::in_states([State::Rejected]));
    let files: HashSet<String> = rejected
        .filter_map(|case| case.map(|case| case.file).transpose())
        .collect::<Result<_, LedgerError>>()?;
    let is_json = |file: &String| Format::from_name(file).is_some_and(Format::is_json);
    let ending = match files.len() {
        1 if files.iter().all(is_json) => ".ndjson",
        1 => ".csv",
        _ => "",
    };
    Ok(unused_name("rejects", ending))
}

/// A name for a new file: `rejects.csv`, `rejects-2.csv`, …
fn unused_name(stem: &str, ending: &str) -> String {
    let mut name = format!("{stem}{ending}");
    let mut number = 1_u32;
    while std::fs::symlink_metadata(&name).is_ok() {
        number += 1;
        name = format!("{stem}-{number}{ending}");
    }
    name
}

/// The commands of runs whose cases were not sent or not attempted, the latest
/// first.
fn commands_to_repeat(reader: &LedgerReader, runs: &[RunRow]) -> Result<Vec<String>, LedgerError> {
    let not_sent = CaseFilter::in_states([State::NotSent, State::Removed]);
    let unsent: HashSet<_> = reader
        .cases(&not_sent)
        .filter_map(|case| case.map(|case| case.run).transpose())
        .collect::<Result<_, LedgerError>>()?;
    let mut commands = Vec::new();
    for (position, run) in runs.iter().enumerate() {
        // A run that ended unexpectedly has no counts.
        let unfinished = position == 0 && run.counts.is_none_or(|counts| counts.untried > 0);
        if (unfinished || unsent.contains(&run.id))
            && !run.start.command.is_empty()
            && let Some(command) = rerun_command::command(&run.start.command, Rerun::Later, "")
            && !commands.contains(&command)
        {
            commands.push(command);
        }
    }
    Ok(commands)
}
