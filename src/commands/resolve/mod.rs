//! `caseload resolve`: records what became of cases.

mod interactive;
mod named_cases;

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use serde_json::json;

use self::named_cases::{ListedCase, NamedCase, NamedCases};
use super::{Exit, cases, ledgers, print_closing};
use crate::cli::args::ResolveArgs;
use crate::cli::settings::LedgerSettings;
use crate::ledger::{
    self, CaseFilter, CaseRow, Ledger, LedgerError, Refusal, ResolutionReport, ResolveAction,
};
use crate::model::{Key, State, reserved, user_name};
use crate::output::terminal::color;
use crate::output::terminal::streams::{
    confirm, is_interactive, print_json, print_status, print_warning,
};
use crate::output::terminal::text::{count, escaped, escaped_list, grouped, span};

/// Cases that are shown to people one by one.
const CASES_SHOWN: u64 = 20;

/// An open ledger, and what to do with it.
struct ResolveJob<'a> {
    settings: &'a LedgerSettings,
    args: &'a ResolveArgs,
    ledger: Ledger,
    account: String,
    /// The rows of `--list`.
    listed: Vec<ListedCase>,
}

/// Cases, each of which the action is meant for.
type Resolutions = (ResolveAction, Vec<NamedCase>);

/// Runs the command.
pub(super) fn run(settings: &LedgerSettings, args: &ResolveArgs) -> Result<Exit> {
    let accepted = args.accept_older_ledger.as_ref();
    let (ledger, info) = ledgers::open_to_resolve(&settings.ledger, accepted)?;
    ledgers::report_ledger(&info, settings.output);
    let listed = match &args.list {
        Some(list) => named_cases::read_list(list, &settings.cases.typed_keys(ledger.reader()))?,
        None => Vec::new(),
    };
    let mut job = ResolveJob {
        settings,
        args,
        ledger,
        account: info.account,
        listed,
    };
    let decided = job.listed.iter().filter(|case| case.decision.is_some());
    match (args.action(), decided.count()) {
        (None, 0) if is_interactive() => interactive::run(&mut job),
        (None, 0) => bail!(
            "not a terminal: use --imported, --not-imported, --removed or --undo, and name the \
             cases; or fill in the column {} of an exported file, for --list",
            reserved::DECISION
        ),
        _ if !is_interactive() && !args.yes => bail!("not a terminal: use --yes"),
        (None, decided) => job.apply_decisions(decided),
        (Some(action), 0) => {
            let cases = job.selected(action)?;
            job.apply(&[(action, cases)])
        }
        (Some(_), _) => bail!(
            "the list has decisions of its own, in the column {}: use it without --imported, \
             --not-imported, --removed and --undo",
            reserved::DECISION
        ),
    }
}

impl ResolveJob<'_> {
    /// What the user has written into the list.
    fn apply_decisions(&mut self, decided: usize) -> Result<Exit> {
        ensure!(
            self.args.keys.is_empty() && self.settings.cases.is_all_of_source(),
            "a list with decisions names its cases itself: use it alone"
        );
        let others = self.listed.len() - decided;
        if others > 0 {
            print_status(&format!(
                "{} without a decision: skipped",
                count(others as u64, "row")
            ));
        }
        let mut resolutions = Vec::new();
        for action in [ResolveAction::Imported, ResolveAction::NotImported] {
            let imported = action == ResolveAction::Imported;
            let mut named = NamedCases::new();
            for case in (self.listed.iter()).filter(|case| case.decision == Some(action)) {
                let id = case.case_id.clone().filter(|_| imported);
                named_cases::add(&mut named, (case.key.clone(), id))?;
            }
            if !named.is_empty() {
                resolutions.push((action, Vec::from_iter(named)));
            }
        }
        self.apply(&resolutions)
    }

    /// Shows the cases, asks, and records what became of them.
    fn apply(&mut self, resolutions: &[Resolutions]) -> Result<Exit> {
        for (action, cases) in resolutions {
            let why = none_selected(*action);
            ensure!(!cases.is_empty(), "no cases selected: {why}");
            if !self.confirm(*action, cases)? {
                print_status("nothing was changed");
                return Ok(Exit::Stopped);
            }
        }
        let (mut done, mut refused) = (0, 0);
        for (action, cases) in resolutions {
            let report = self.record(*action, cases)?;
            self.report(*action, cases, &report);
            done += report.done;
            refused += report.refused.len() as u64;
        }
        let exit = match refused {
            0 => Exit::Done,
            _ => Exit::Unfinished,
        };
        if self.settings.output.json {
            let action = match resolutions {
                [(action, _)] => Some(*action),
                _ => None,
            };
            self.print_closing(action, done, refused, exit);
        }
        Ok(exit)
    }

    fn record(
        &mut self,
        action: ResolveAction,
        cases: &[NamedCase],
    ) -> Result<ResolutionReport, LedgerError> {
        let who = format!("{} on {}", user_name(), ledger::host_name());
        self.ledger.resolve(action, cases, &who, Timestamp::now())
    }

    /// The cases named by keys and lists. Case ids count only for
    /// [`ResolveAction::Imported`].
    fn named(&self, action: Option<ResolveAction>) -> Result<NamedCases> {
        let imported = action == Some(ResolveAction::Imported);
        let mut named = NamedCases::new();
        let keys = self.settings.cases.typed_keys(self.ledger.reader());
        for text in self.args.keys() {
            let (typed, id) = if imported {
                named_cases::split_id(text, |text| Ok(keys.find(text)?.is_some()))?
            } else {
                (text.as_str(), None)
            };
            named_cases::add(&mut named, (keys.read(typed)?, id))?;
        }
        let is_absent = |case: &&ListedCase| imported && case.is_absent();
        let (absent, listed): (Vec<_>, Vec<_>) = self.listed.iter().partition(is_absent);
        if !absent.is_empty() {
            print_status(&format!(
                "{} of cases that are not on the platform: skipped",
                count(absent.len() as u64, "row")
            ));
        }
        let has_id = |case: &&&ListedCase| case.case_id.is_some();
        let is_unclear = |case: &&&ListedCase| !has_id(case) && case.state != Some(State::Imported);
        let with_id = listed.iter().filter(has_id).count();
        let unclear = listed.iter().filter(is_unclear).count();
        ensure!(
            !imported || with_id == 0 || unclear == 0,
            "the list has case ids for {with_id} of {}: keep only the rows of cases that are on \
             the platform, and put cases whose ids are unknown into a list of their own",
            count((with_id + unclear) as u64, "case")
        );
        for case in listed {
            let id = case.case_id.clone().filter(|_| imported);
            named_cases::add(&mut named, (case.key.clone(), id))?;
        }
        Ok(named)
    }

    /// The ledger's filter for the flags and these names.
    fn filter(&self, named: &NamedCases) -> Result<CaseFilter> {
        let mut filter = self.settings.cases.filter(self.ledger.reader())?;
        if !named.is_empty() || self.args.list.is_some() {
            filter.keys = Some(named.keys().cloned().collect());
        }
        Ok(filter)
    }

    /// The selected cases, each once. Named ones that the action is not for are
    /// among them, so that they are reported.
    fn selected(&self, action: ResolveAction) -> Result<Vec<NamedCase>> {
        let mut named = self.named(Some(action))?;
        let filter = self.filter(&named)?;
        let are_named = filter.keys.is_some();
        if self.settings.cases.is_all_of_source() {
            ensure!(
                are_named,
                "which cases? Use keys, --list FILE, --run N, --file FILE or --state STATE"
            );
            return Ok(named.into_iter().collect());
        }
        let mut selected = Vec::new();
        for case in self.ledger.reader().cases(&filter) {
            let case = case?;
            if are_named || self.is_for(action, &case, None)? {
                let case_id = named.swap_remove(&case.key).flatten();
                selected.push((case.key, case_id));
            }
        }
        Ok(selected)
    }

    fn is_for(
        &self,
        action: ResolveAction,
        case: &CaseRow,
        case_id: Option<&str>,
    ) -> Result<bool, LedgerError> {
        Ok(match action {
            ResolveAction::Undo => {
                let reader = self.ledger.reader();
                !reader.last_resolutions(&[case.key.digest()])?.is_empty()
            }
            _ => action.state_after(case.state, case_id.is_some()).is_some(),
        })
    }

    /// Shows the cases that would change, and asks.
    fn confirm(&self, action: ResolveAction, cases: &[NamedCase]) -> Result<bool> {
        let (reader, output) = (self.ledger.reader(), self.settings.output);
        let case_url = self.settings.config.platform.case_url.as_deref();
        let (mut number, mut added, mut young) = (0, 0, 0);
        for (key, case_id) in cases {
            let line = match reader.case(key)? {
                Some(case) if self.is_for(action, &case, case_id.as_deref())? => {
                    young += u64::from(self.is_young(&case));
                    cases::views(reader, vec![case], case_url)?[0].line(output)
                }
                None if action == ResolveAction::Imported => {
                    added += 1;
                    let lists = reader.key_columns(key.source())?;
                    let columns = lists.last().filter(|list| list.len() > 1);
                    let columns = columns.map(|list| format!(" ({})", escaped_list(list)));
                    format!(
                        "{}{}, unknown so far: added",
                        escaped(&key.to_string()),
                        columns.unwrap_or_default()
                    )
                }
                _ => continue,
            };
            number += 1;
            if number <= CASES_SHOWN && !output.quiet {
                let id = case_id.as_deref().map(escaped);
                let id = id.map(|id| format!("; imported as {id}"));
                print_status(&format!("  {line}{}", id.unwrap_or_default()));
            }
        }
        if number > CASES_SHOWN && !output.quiet {
            let all = count(number, "case");
            print_status(&format!("showing {CASES_SHOWN} of {all}"));
        }
        if action == ResolveAction::NotImported && young > 0 {
            self.warn_young(young);
        }
        if added > 0 {
            print_warning(&format!(
                "the ledger does not know {} of {}: they are added as imported, and no import \
                 sends them",
                grouped(added),
                count(number, "case")
            ));
        }
        // Without any there is nothing to confirm: all will be refused.
        Ok(number == 0 || self.args.yes || confirm(&question(action, number))?)
    }

    /// Whether the server may still create the case.
    fn is_young(&self, case: &CaseRow) -> bool {
        let age = Timestamp::now().duration_since(case.updated_at);
        case.state == State::InDoubt
            && Duration::try_from(age).unwrap_or_default() < self.args.min_doubt_age
    }

    fn warn_young(&self, number: u64) {
        print_warning(&format!(
            "{} {} been in doubt for less than {}: the server may still be processing; check again \
             after that time",
            count(number, "case"),
            if number == 1 { "has" } else { "have" },
            span(self.args.min_doubt_age)
        ));
    }

    /// Reports what became of the cases of one action.
    fn report(&self, action: ResolveAction, cases: &[NamedCase], report: &ResolutionReport) {
        if self.settings.output.json {
            let mut refusals = report.refused.iter().peekable();
            for (key, case_id) in cases {
                // They are refused in the order in which they were named.
                let refusal = refusals.next_if(|(other, _)| other == key);
                let reason = refusal.map(|(_, reason)| reason);
                self.print_case(action, key, case_id.as_deref(), reason);
            }
        } else {
            for (key, refusal) in &report.refused {
                let reason = refusal_text(action, refusal);
                let key = escaped(&key.to_string());
                print_status(&format!("{key}: {}", escaped(&reason)));
            }
        }
        if !report.refused.is_empty() {
            let cases = count(report.refused.len() as u64, "case");
            print_status(&color::red(&format!("{cases} not changed")));
        }
        if !self.settings.output.quiet && report.done > 0 {
            print_status(&done(action, report.done));
        }
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
            "action": action,
            "case_id": case_id,
            "done": refusal.is_none(),
            "refused": refusal.map(|refusal| refusal_text(action, refusal)),
            "state": case.map(|case| case.state),
        }));
    }

    fn print_closing(&self, action: Option<ResolveAction>, done: u64, refused: u64, exit: Exit) {
        let members = json!({
            "account": self.account,
            "ledger": self.ledger.reader().path().display().to_string(),
            "action": action,
            "done": done,
            "refused": refused,
        });
        print_closing("resolve", exit, members);
    }
}

fn question(action: ResolveAction, number: u64) -> String {
    let cases = count(number, "case");
    match action {
        ResolveAction::Imported => {
            format!("Mark {cases} as imported? The next import will not send them again.")
        }
        ResolveAction::NotImported => {
            format!(
                "Mark {cases} as not imported? The next import sends them, and creates duplicates \
                 of those that are on the platform after all."
            )
        }
        ResolveAction::Removed => {
            format!("Mark {cases} as removed from the platform? The next import sends them again.")
        }
        ResolveAction::Undo => format!("Undo the last resolution of {cases}?"),
    }
}

fn done(action: ResolveAction, number: u64) -> String {
    let cases = count(number, "case");
    match action {
        ResolveAction::Imported => format!("{cases} marked as imported"),
        ResolveAction::NotImported => {
            format!("{cases} marked as not imported; the next import sends them")
        }
        ResolveAction::Removed => format!("{cases} marked as removed; the next import sends them"),
        ResolveAction::Undo => format!("undid the last resolution of {cases}"),
    }
}

/// Why a selection has no case for the action.
const fn none_selected(action: ResolveAction) -> &'static str {
    match action {
        ResolveAction::Imported | ResolveAction::NotImported => "none of these cases is in doubt",
        ResolveAction::Removed => "none of these cases is imported",
        ResolveAction::Undo => "none of these cases has a resolution to undo",
    }
}

/// Why a case was not changed, with what to do instead.
fn refusal_text(action: ResolveAction, refusal: &Refusal) -> String {
    use ResolveAction::{Imported, NotImported, Removed};
    let hint = match (action, refusal) {
        (Imported, Refusal::State(State::Imported)) => "nothing to do",
        (NotImported, Refusal::State(State::Imported)) => {
            "if it was deleted on the platform, use --removed"
        }
        (Imported, Refusal::State(State::Sending)) => "wait until the run has ended",
        (Imported, Refusal::State(_)) => {
            "the next import sends it; if it was entered by hand, name its case id: KEY=CASE_ID"
        }
        (NotImported, Refusal::State(_)) => {
            "only cases in doubt can be marked; the next import sends this one"
        }
        (Removed, Refusal::State(State::InDoubt)) => "use --not-imported for cases in doubt",
        (Removed, Refusal::State(_)) => "--removed is only for imported cases",
        (_, Refusal::IdHeldBy(_)) => "check both cases on the platform",
        _ => return refusal.to_string(),
    };
    format!("{refusal}; {hint}")
}
