//! `caseload resolve`: the user's word on cases.

mod action;
mod list;
mod typed;
mod walk;

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json;

use super::exit::Exit;
use super::ledgers::{self, user};
use super::lookup;
use crate::cli::settings::{ResolveAction, ResolveSettings};
use crate::ledger::{self, CaseFilter, CaseRow, Ledger, Refusal, Resolution, ResolutionReport};
use crate::model::{Key, State};
use crate::output::terminal::color;
use crate::output::terminal::streams::{
    OutputOptions, confirm, is_interactive, print_json, print_status,
};
use crate::output::terminal::text::{count, escaped, grouped, span};

/// Cases and refusals that are shown to people one by one.
const SHOWN: usize = 20;

/// A ledger that may be changed, with all that the words need.
struct Job<'a> {
    settings: &'a ResolveSettings,
    output: OutputOptions,
    ledger: Ledger,
    account: String,
}

/// Runs the command.
pub(super) fn run(settings: &ResolveSettings) -> Result<Exit> {
    let ResolveSettings { action, output, .. } = *settings;
    let asks = !settings.yes || action.is_none();
    if asks && !is_interactive() {
        match action {
            Some(_) => bail!("not a terminal: use --yes"),
            None => bail!(
                "there is no terminal to go through the cases on: say --imported, \
                 --not-imported, --removed or --undo, and of which cases"
            ),
        }
    }
    // The lock comes first: without it no list needs to be read.
    let ledger = ledgers::open_to_change(&settings.ledger, "resolve")?;
    let info = ledger.reader().info()?;
    ledgers::report_ledger(&info, output);
    let mut job = Job {
        settings,
        output,
        ledger,
        account: info.account,
    };
    match action {
        Some(action) => job.apply(action),
        None => walk::walk(&mut job),
    }
}

impl Job<'_> {
    /// One word on all that are selected.
    fn apply(&mut self, action: ResolveAction) -> Result<Exit> {
        let named = self.selected(action)?;
        if named.is_empty() {
            bail!(
                "nothing is selected: {}",
                match action {
                    ResolveAction::Imported | ResolveAction::NotImported =>
                        "none of these cases is in doubt",
                    ResolveAction::Removed => "none of these cases is imported",
                    ResolveAction::Undo => "there is no word on these cases to take back",
                }
            );
        }
        let rows = self.ledger.reader().select(&CaseFilter {
            keys: Some(named.iter().map(|(key, _)| key.clone()).collect()),
            ..CaseFilter::default()
        })?;
        let mut fitting = Vec::new();
        for case in &rows {
            if self.fits(action, case)? {
                fitting.push(case);
            }
        }
        if !fitting.is_empty() {
            self.show(action, &fitting, &named)?;
            let question = action.question(fitting.len() as u64);
            if !self.settings.yes && !confirm(&question)? {
                print_status("nothing was changed");
                return Ok(Exit::Stopped);
            }
        }
        let report = self.record(action, &named)?;
        Ok(self.finish(action, &named, &report))
    }

    fn record(
        &mut self,
        action: ResolveAction,
        named: &[(Key, Option<String>)],
    ) -> Result<ResolutionReport> {
        let (who, now) = (who(), Timestamp::now());
        let word = |case_id: &Option<String>| match action {
            ResolveAction::Imported => Some(Resolution::Imported {
                case_id: case_id.clone(),
            }),
            ResolveAction::NotImported => Some(Resolution::NotImported),
            ResolveAction::Removed => Some(Resolution::Removed),
            ResolveAction::Undo => None,
        };
        let words: Option<Vec<(Key, Resolution)>> = named
            .iter()
            .map(|(key, case_id)| Some((key.clone(), word(case_id)?)))
            .collect();
        if let Some(words) = words {
            return Ok(self.ledger.resolve(&words, &who, now)?);
        }
        let keys: Vec<Key> = named.iter().map(|(key, _)| key.clone()).collect();
        Ok(self.ledger.undo(&keys, &who, now)?)
    }

    /// The cases that are meant, each once, with the id that it is said to have.
    fn selected(&self, action: ResolveAction) -> Result<Vec<(Key, Option<String>)>> {
        let settings = self.settings;
        let reader = self.ledger.reader();
        let mut named = typed::Named::default();
        for text in &settings.keys {
            match action {
                ResolveAction::Imported => named.add(typed::key_and_id(text))?,
                _ => named.add((Key::from_typed(text), None))?,
            }
        }
        if let Some(path) = &settings.list {
            let mut listed = list::read(path)?;
            let with_id = listed.iter().filter(|(_, id)| id.is_some()).count();
            if action != ResolveAction::Imported {
                // A file has ids of all kinds of cases; only here they are news.
                for (_, id) in &mut listed {
                    *id = None;
                }
            } else if with_id > 0 && with_id < listed.len() {
                bail!(
                    "{} names case ids for {with_id} of {}: keep the rows of those cases only \
                     that are on the platform. Where they are and their ids are not known, list \
                     them apart",
                    path.display(),
                    count(listed.len() as u64, "case")
                );
            }
            for line in listed {
                named.add(line)?;
            }
        }
        let filter = settings.cases.filter(reader)?;
        if !named.is_empty() || settings.list.is_some() {
            if settings.cases.is_all() {
                return Ok(named.into_all());
            }
            let keys = named.keys();
            let left = reader.select(&CaseFilter {
                keys: Some(keys),
                ..filter
            })?;
            return Ok(named.into_those(left.into_iter().map(|case| case.key)));
        }
        if settings.cases.is_all() {
            bail!("of which cases? Name keys, or --list FILE, --run N, --file FILE or --state S");
        }
        let mut selected = Vec::new();
        for case in reader.select(&filter)? {
            if self.fits(action, &case)? {
                selected.push((case.key, None));
            }
        }
        Ok(selected)
    }

    /// Whether it can be said of a case; what can be taken back must be there.
    fn fits(&self, action: ResolveAction, case: &CaseRow) -> Result<bool> {
        Ok(match action {
            ResolveAction::Imported | ResolveAction::NotImported => case.state == State::InDoubt,
            ResolveAction::Removed => case.state == State::Imported,
            ResolveAction::Undo => {
                let words = self.ledger.reader().resolutions(&case.key)?;
                words.iter().any(|word| word.undone.is_none())
            }
        })
    }

    /// The cases that a word is about to change.
    fn show(
        &self,
        action: ResolveAction,
        cases: &[&CaseRow],
        named: &[(Key, Option<String>)],
    ) -> Result<()> {
        let output = self.output;
        if !output.quiet {
            for case in &cases[..cases.len().min(SHOWN)] {
                let row = self.ledger.reader().select(&CaseFilter {
                    keys: Some(vec![case.key.clone()]),
                    with_content: true,
                    ..CaseFilter::default()
                })?;
                for case in row {
                    let view = lookup::view(
                        self.ledger.reader(),
                        case,
                        self.settings.case_url.as_deref(),
                    )?;
                    let id = (named.iter())
                        .find(|(key, _)| *key == view.case.key)
                        .and_then(|(_, id)| id.as_deref())
                        .map(|id| format!("; on the platform as {}", escaped(id)));
                    print_status(&format!(
                        "  {}{}",
                        view.line(output),
                        id.unwrap_or_default()
                    ));
                }
            }
            if cases.len() > SHOWN {
                print_status(&format!(
                    "showing {SHOWN} of {}",
                    count(cases.len() as u64, "case")
                ));
            }
        }
        let young = (cases.iter()).filter(|case| self.is_young(case)).count() as u64;
        if action == ResolveAction::NotImported && young > 0 {
            print_status(&color::yellow(&self.young_warning(young)));
        }
        Ok(())
    }

    /// Whether a late answer may still make the case.
    fn is_young(&self, case: &CaseRow) -> bool {
        let age = Timestamp::now().duration_since(case.updated_at);
        case.state == State::InDoubt
            && Duration::try_from(age).unwrap_or_default() < self.settings.min_doubt_age
    }

    fn young_warning(&self, number: u64) -> String {
        format!(
            "{} in doubt for less than {}: the server may be at it still; look {} up again \
             after that time",
            match number {
                1 => "1 case is".to_owned(),
                number => format!("{} cases are", grouped(number)),
            },
            span(self.settings.min_doubt_age),
            if number == 1 { "it" } else { "them" },
        )
    }

    /// What became of it, to people and scripts.
    fn finish(
        &self,
        action: ResolveAction,
        named: &[(Key, Option<String>)],
        report: &ResolutionReport,
    ) -> Exit {
        let exit = if report.refused.is_empty() {
            Exit::Done
        } else {
            Exit::Unfinished
        };
        if self.output.json {
            let mut refused = report.refused.iter().peekable();
            for (key, case_id) in named {
                // They are refused in the order in which they were named.
                let refusal = refused.next_if(|(other, _)| other == key);
                self.print_case(action, key, case_id.as_deref(), refusal.map(|(_, why)| why));
            }
            self.print_closing(Some(action), report.done, report.refused.len() as u64, exit);
        } else {
            for (key, refusal) in &report.refused {
                print_status(&format!(
                    "{}: {}",
                    escaped(&key.to_string()),
                    escaped(&action.refused(refusal))
                ));
            }
        }
        if !report.refused.is_empty() {
            print_status(&color::red(&format!(
                "{} refused",
                count(report.refused.len() as u64, "case")
            )));
        }
        if !self.output.quiet && report.done > 0 {
            print_status(&action.done(report.done));
        }
        exit
    }

    fn print_case(
        &self,
        action: ResolveAction,
        key: &Key,
        id: Option<&str>,
        refusal: Option<&Refusal>,
    ) {
        let state = (self.ledger.reader())
            .select(&CaseFilter {
                keys: Some(vec![key.clone()]),
                ..CaseFilter::default()
            })
            .ok()
            .and_then(|mut cases| cases.pop())
            .map(|case| case.state.as_str());
        print_json(&json!({
            "schema": 1,
            "key": key.to_string(),
            "word": action.as_str(),
            "case_id": id,
            "done": refusal.is_none(),
            "refused": refusal.map(|refusal| action.refused(refusal)),
            "state": state,
        }));
    }

    fn print_closing(&self, action: Option<ResolveAction>, done: u64, refused: u64, exit: Exit) {
        print_json(&json!({
            "schema": 1,
            "command": "resolve",
            "account": self.account,
            "ledger": self.ledger.reader().path(),
            "word": action.map(ResolveAction::as_str),
            "done": done,
            "refused": refused,
            "exit_code": exit.code(),
        }));
    }
}

/// Whose word it is.
fn who() -> String {
    format!("{} on {}", user(), ledger::host_name())
}
