//! `caseload status`: what the ledger knows, and what waits for the user.

use std::fmt::Write as _;

use anyhow::Result;
use jiff::Timestamp;

use super::exit::Exit;
use super::{ledgers, lookup, rerun_command};
use crate::cli::settings::StatusSettings;
use crate::ledger::{
    CaseFilter, CaseRow, LedgerError, LedgerInfo, LedgerLock, LedgerReader, RunRow,
};
use crate::model::{Format, State};
use crate::output::terminal::status::{LedgerView, Next, RUNS_SHOWN};
use crate::output::terminal::streams::{OutputOptions, print_json, print_result};
use crate::output::terminal::text::count;

/// Cases that are shown to people one by one.
const CASES_SHOWN: usize = 20;

/// Runs the command.
pub(super) fn run(settings: &StatusSettings) -> Result<Exit> {
    let output = settings.output;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    let runs = reader.runs(usize::MAX)?;
    let holder = LedgerLock::holder(&info.path)?;
    let next = if holder.is_none() {
        next(&reader, &info, &runs, &settings.ledger.flags)?
    } else {
        Vec::new()
    };
    let filter = settings.cases.filter(&reader)?;
    let selected = (!settings.cases.is_all())
        .then(|| reader.counts(&filter))
        .transpose()?;
    let view = LedgerView {
        info: &info,
        runs: &runs[..runs.len().min(RUNS_SHOWN)],
        holder,
        selected: selected.as_ref(),
        next: &next,
    };
    let cases = Cases {
        reader: &reader,
        case_url: settings.case_url.as_deref(),
        filter: selected.is_some().then_some(filter),
        info: &info,
    };
    if output.json {
        print_json(&view.to_json());
        cases.each(|case| {
            print_json(
                &lookup::view(&reader, case, settings.case_url.as_deref())?.to_json(output.redact),
            );
            Ok(Go::On)
        })?;
    } else {
        let mut text = view.head();
        if !output.quiet || selected.is_some() {
            cases.show(&mut text, output, settings.verbose)?;
        }
        text.push_str(&view.tail());
        print_result(text.trim_end_matches('\n'));
    }
    Ok(Exit::Done)
}

/// Whether another case is wanted.
enum Go {
    On,
    Enough,
}

/// Why no further case is handed out.
enum End {
    Enough,
    Failed(anyhow::Error),
}

impl From<LedgerError> for End {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error.into())
    }
}

/// The cases that are told one by one: those asked for, else those that wait
/// for a person to look them up.
struct Cases<'a> {
    reader: &'a LedgerReader,
    case_url: Option<&'a str>,
    filter: Option<CaseFilter>,
    info: &'a LedgerInfo,
}

impl Cases<'_> {
    fn each(&self, mut take: impl FnMut(CaseRow) -> Result<Go>) -> Result<()> {
        let with_content = |filter: &CaseFilter| CaseFilter {
            with_content: true,
            ..filter.clone()
        };
        if let Some(filter) = &self.filter {
            return self.hand_out(&with_content(filter), &mut take);
        }
        let doubts = CaseFilter {
            states: Some(vec![State::InDoubt]),
            ..CaseFilter::default()
        };
        self.hand_out(&with_content(&doubts), &mut take)?;
        if self.info.counts.possible_twins > 0 {
            self.hand_out(&with_content(&twins()), &mut take)?;
        }
        Ok(())
    }

    fn hand_out(
        &self,
        filter: &CaseFilter,
        take: &mut impl FnMut(CaseRow) -> Result<Go>,
    ) -> Result<()> {
        let ended = self.reader.cases(filter, |case| match take(case) {
            Ok(Go::On) => Ok(()),
            Ok(Go::Enough) => Err(End::Enough),
            Err(error) => Err(End::Failed(error)),
        });
        match ended {
            Ok(()) | Err(End::Enough) => Ok(()),
            Err(End::Failed(error)) => Err(error),
        }
    }

    /// How many there are to tell.
    fn total(&self) -> Result<u64> {
        if let Some(filter) = &self.filter {
            return Ok(self.reader.counts(filter)?.total());
        }
        let counts = &self.info.counts;
        let twins = match counts.possible_twins {
            0 => 0,
            _ => self.reader.counts(&twins())?.total(),
        };
        Ok(counts.of(State::InDoubt) + twins)
    }

    fn show(&self, text: &mut String, output: OutputOptions, verbose: bool) -> Result<()> {
        let now = Timestamp::now();
        let mut shown = 0;
        self.each(|case| {
            let view = lookup::view(self.reader, case, self.case_url)?;
            // Writing to a String can't fail.
            let _ = writeln!(text, "\n{}", view.text(output, verbose, now));
            shown += 1;
            Ok(if shown == CASES_SHOWN {
                Go::Enough
            } else {
                Go::On
            })
        })?;
        if shown > 0 {
            text.push('\n');
        }
        let total = self.total()?;
        if shown as u64 != total {
            let _ = writeln!(text, "showing {shown} of {}", count(total, "case"));
        }
        Ok(())
    }
}

/// Possible twins; those in doubt again are told among the doubts.
fn twins() -> CaseFilter {
    let states = State::ALL.into_iter();
    CaseFilter {
        states: Some(states.filter(|state| *state != State::InDoubt).collect()),
        possible_twin: true,
        ..CaseFilter::default()
    }
}

/// The commands that go on.
fn next(
    reader: &LedgerReader,
    info: &LedgerInfo,
    runs: &[RunRow],
    flags: &str,
) -> Result<Vec<Next>> {
    let counts = info.counts;
    let mut next = Vec::new();
    let mut add = |command: String, what| next.push(Next { command, what });
    if counts.of(State::InDoubt) > 0 {
        if counts.of(State::InDoubt) > CASES_SHOWN as u64 {
            add(
                format!(
                    "caseload export --in-doubt {}{flags}",
                    unused_name("in-doubt", ".csv")
                ),
                "all cases in doubt as a spreadsheet",
            );
        }
        add(
            format!("caseload resolve{flags}"),
            "go through the cases in doubt once you have looked them up",
        );
    }
    if counts.of(State::Rejected) > 0 {
        let rejects = rejects_name(reader)?;
        add(
            format!("caseload export --rejects {rejects}{flags}"),
            "mend the rows there, then import them as before",
        );
    }
    for command in commands_to_repeat(reader, runs)? {
        add(command, "sends what is not imported yet");
    }
    Ok(next)
}

/// A file for the rejects, or a folder where they come from several files.
fn rejects_name(reader: &LedgerReader) -> Result<String> {
    let mut files: Vec<String> = Vec::new();
    let rejected = CaseFilter {
        states: Some(vec![State::Rejected]),
        ..CaseFilter::default()
    };
    reader.cases(&rejected, |case| {
        if !files.contains(&case.file) {
            files.push(case.file);
        }
        Ok::<_, LedgerError>(())
    })?;
    let is_json = |file: &String| Format::from_name(file).is_some_and(Format::is_json);
    let ending = match files.as_slice() {
        [file] if is_json(file) => ".ndjson",
        [_] => ".csv",
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

/// The runs whose cases were not sent or not reached, as commands to give
/// again, the latest first.
fn commands_to_repeat(reader: &LedgerReader, runs: &[RunRow]) -> Result<Vec<String>> {
    let mut unsent = Vec::new();
    let not_sent = CaseFilter {
        states: Some(vec![State::NotSent, State::Removed]),
        ..CaseFilter::default()
    };
    reader.cases(&not_sent, |case| {
        if !unsent.contains(&case.run) {
            unsent.push(case.run);
        }
        Ok::<_, LedgerError>(())
    })?;
    let mut commands = Vec::new();
    for (position, run) in runs.iter().enumerate() {
        // A run that broke off has no counts.
        let left_off = position == 0 && run.counts.is_none_or(|counts| counts.untried > 0);
        if (left_off || unsent.contains(&run.id))
            && let Some(command) =
                rerun_command::command(&run.start.command, rerun_command::LATER, "")
            && !commands.contains(&command)
        {
            commands.push(command);
        }
    }
    Ok(commands)
}
