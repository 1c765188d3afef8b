//! `caseload resolve`: records what became of cases.

mod interactive;
mod messages;
mod named_cases;

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json;

use self::named_cases::{NamedCase, NamedCases};
use super::Exit;
use super::cases;
use super::ledgers::{self, user};
use crate::cli::args::ResolveOptions;
use crate::cli::settings::LedgerSettings;
use crate::ledger::{
    self, CaseFilter, CaseRow, Ledger, LedgerError, Refusal, ResolutionReport, ResolveAction,
};
use crate::model::{Key, State};
use crate::output::terminal::color;
use crate::output::terminal::streams::{confirm, is_interactive, print_json, print_status};
use crate::output::terminal::text::{count, escaped, span};

/// Cases that are shown to people one by one.
const CASES_SHOWN: u64 = 20;

/// An open ledger, and what to do with it.
struct ResolveJob<'a> {
    settings: &'a LedgerSettings,
    options: &'a ResolveOptions,
    ledger: Ledger,
    account: String,
}

/// Runs the command.
pub(super) fn run(settings: &LedgerSettings, options: &ResolveOptions) -> Result<Exit> {
    if !is_interactive() {
        match options.action() {
            None => bail!(
                "not a terminal: use --imported, --not-imported, --removed or --undo, and name \
                 the cases"
            ),
            Some(_) if !options.yes => bail!("not a terminal: use --yes"),
            Some(_) => {}
        }
    }
    // The lock comes first: without it no list needs to be read.
    let (ledger, info) = ledgers::open_to_change(&settings.ledger, "resolve")?;
    ledgers::report_ledger(&info, settings.output);
    let mut job = ResolveJob {
        settings,
        options,
        ledger,
        account: info.account,
    };
    match options.action() {
        Some(action) => job.apply(action),
        None => interactive::run(&mut job),
    }
}

impl ResolveJob<'_> {
    /// One action on all selected cases.
    fn apply(&mut self, action: ResolveAction) -> Result<Exit> {
        let cases = self.selected(action)?;
        if cases.is_empty() {
            bail!("no cases selected: {}", messages::none_selected(action));
        }
        if !self.confirm(action, &cases)? {
            print_status("nothing was changed");
            return Ok(Exit::Stopped);
        }
        let report = self.record(action, &cases)?;
        Ok(self.finish(action, &cases, &report))
    }

    fn record(
        &mut self,
        action: ResolveAction,
        cases: &[NamedCase],
    ) -> Result<ResolutionReport, LedgerError> {
        let who = format!("{} on {}", user(), ledger::host_name());
        self.ledger.resolve(action, cases, &who, Timestamp::now())
    }

    /// The cases named by keys and lists. Case ids count only for
    /// [`ResolveAction::Imported`].
    fn named(&self, action: Option<ResolveAction>) -> Result<NamedCases> {
        let imported = action == Some(ResolveAction::Imported);
        let mut named = NamedCases::default();
        for text in self.options.keys() {
            named.add(if imported {
                named_cases::parse_key_and_id(text)
            } else {
                (Key::from_typed(text), None)
            })?;
        }
        let Some(path) = &self.options.list else {
            return Ok(named);
        };
        let listed = named_cases::read_list(path)?;
        let with_id = listed.iter().filter(|(_, id)| id.is_some()).count();
        if imported && with_id > 0 && with_id < listed.len() {
            bail!(
                "{} has case ids for {with_id} of {}: keep only the rows of cases that are on the \
                 platform, and put cases whose ids are unknown into a list of their own",
                path.display(),
                count(listed.len() as u64, "case")
            );
        }
        for (key, id) in listed {
            named.add((key, id.filter(|_| imported)))?;
        }
        Ok(named)
    }

    /// The ledger's filter for the flags and these names.
    fn filter(&self, named: &NamedCases) -> Result<CaseFilter> {
        let mut filter = self.settings.cases.filter(self.ledger.reader())?;
        if !named.is_empty() || self.options.list.is_some() {
            filter.keys = Some(named.keys());
        }
        Ok(filter)
    }

    /// The selected cases, each once. Named ones that the action is not for are
    /// among them, so that they are reported.
    fn selected(&self, action: ResolveAction) -> Result<Vec<NamedCase>> {
        let named = self.named(Some(action))?;
        let filter = self.filter(&named)?;
        let reader = self.ledger.reader();
        let all = self.settings.cases.is_all();
        if filter.keys.is_some() {
            let mut named = named.into_vec();
            if !all {
                let mut selected = reader.select(&filter)?.into_iter().peekable();
                // Both are in the order in which they were named.
                named.retain(|(key, _)| selected.next_if(|case| case.key == *key).is_some());
            }
            return Ok(named);
        }
        if all {
            bail!("which cases? Use keys, --list FILE, --run N, --file FILE or --state STATE");
        }
        let mut selected = Vec::new();
        for case in reader.cases(&filter) {
            let case = case?;
            if self.is_for(action, &case)? {
                selected.push((case.key, None));
            }
        }
        Ok(selected)
    }

    fn is_for(&self, action: ResolveAction, case: &CaseRow) -> Result<bool, LedgerError> {
        Ok(match action {
            ResolveAction::Imported | ResolveAction::NotImported => case.state == State::InDoubt,
            ResolveAction::Removed => case.state == State::Imported,
            ResolveAction::Undo => {
                let last = self.ledger.reader().last_resolution(&case.key)?;
                last.is_some()
            }
        })
    }

    /// Shows the cases that would change, and asks.
    fn confirm(&self, action: ResolveAction, cases: &[NamedCase]) -> Result<bool> {
        let reader = self.ledger.reader();
        let filter = CaseFilter {
            keys: Some(cases.iter().map(|(key, _)| key.clone()).collect()),
            ..CaseFilter::default()
        };
        let (mut number, mut young) = (0, 0);
        for case in reader.cases(&filter) {
            let case = case?;
            if !self.is_for(action, &case)? {
                continue;
            }
            number += 1;
            young += u64::from(self.is_young(&case));
            if number <= CASES_SHOWN && !self.settings.output.quiet {
                self.show(&case.key, cases)?;
            }
        }
        if number > CASES_SHOWN && !self.settings.output.quiet {
            let all = count(number, "case");
            print_status(&format!("showing {CASES_SHOWN} of {all}"));
        }
        if action == ResolveAction::NotImported && young > 0 {
            print_status(&color::yellow(&self.young_warning(young)));
        }
        // Without any there is nothing to confirm: all will be refused.
        Ok(number == 0 || self.options.yes || confirm(&messages::question(action, number))?)
    }

    fn show(&self, key: &Key, cases: &[NamedCase]) -> Result<()> {
        let reader = self.ledger.reader();
        let Some(case) = reader.case(key)? else {
            return Ok(());
        };
        let view = cases::view(reader, case, self.settings.case_url.as_deref())?;
        let named = cases.iter().find(|(named, _)| named == key);
        let id = named
            .and_then(|(_, id)| id.as_deref())
            .map(|id| format!("; imported as {}", escaped(id)))
            .unwrap_or_default();
        print_status(&format!("  {}{id}", view.line(self.settings.output)));
        Ok(())
    }

    /// Whether the server may still create the case.
    fn is_young(&self, case: &CaseRow) -> bool {
        let age = Timestamp::now().duration_since(case.updated_at);
        case.state == State::InDoubt
            && Duration::try_from(age).unwrap_or_default() < self.options.min_doubt_age
    }

    fn young_warning(&self, number: u64) -> String {
        messages::young_warning(number, &span(self.options.min_doubt_age))
    }

    fn finish(
        &self,
        action: ResolveAction,
        cases: &[NamedCase],
        report: &ResolutionReport,
    ) -> Exit {
        let refused = report.refused.len() as u64;
        let exit = if refused == 0 {
            Exit::Done
        } else {
            Exit::Unfinished
        };
        if self.settings.output.json {
            let mut refusals = report.refused.iter().peekable();
            for (key, case_id) in cases {
                // They are refused in the order in which they were named.
                let refusal = refusals.next_if(|(other, _)| other == key);
                let reason = refusal.map(|(_, reason)| reason);
                self.print_case(action, key, case_id.as_deref(), reason);
            }
            self.print_closing(Some(action), report.done, refused, exit);
        } else {
            for (key, refusal) in &report.refused {
                let reason = messages::refused(action, refusal);
                let key = escaped(&key.to_string());
                print_status(&format!("{key}: {}", escaped(&reason)));
            }
        }
        if refused > 0 {
            let cases = count(refused, "case");
            print_status(&color::red(&format!("{cases} not changed")));
        }
        if !self.settings.output.quiet && report.done > 0 {
            print_status(&messages::done(action, report.done));
        }
        exit
    }

    fn print_case(
        &self,
        action: ResolveAction,
        key: &Key,
        case_id: Option<&str>,
        refusal: Option<&Refusal>,
    ) {
        let case = self.ledger.reader().case(key).ok().flatten();
        print_json(&json!({
            "schema": 1,
            "key": key.to_string(),
            "action": action.as_str(),
            "case_id": case_id,
            "done": refusal.is_none(),
            "refused": refusal.map(|refusal| messages::refused(action, refusal)),
            "state": case.map(|case| case.state.as_str()),
        }));
    }

    fn print_closing(&self, action: Option<ResolveAction>, done: u64, refused: u64, exit: Exit) {
        print_json(&json!({
            "schema": 1,
            "command": "resolve",
            "account": self.account,
            "ledger": self.ledger.reader().path(),
            "action": action.map(ResolveAction::as_str),
            "done": done,
            "refused": refused,
            "exit_code": exit.code(),
        }));
    }
}
