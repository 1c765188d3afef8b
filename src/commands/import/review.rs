//! What a person reviews before anything is sent: a dry run, or the question.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Exit;
use super::super::ledgers::{ImportLedger, listed};
use super::super::rerun_command::{self, Rerun};
use super::{CheckedPlan, Import};
use crate::cli::settings::ImportSettings;
use crate::engine::PlanAction;
use crate::model::{CaseData, State};
use crate::output::terminal::check_report::file_name;
use crate::output::terminal::color;
use crate::output::terminal::streams::{
    confirm, is_interactive, print_json, print_result, print_status,
};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{
    count, escaped, escaped_lines, escaped_path, grouped, pretty_json, redacted_json, span,
};

/// Firms are listed up to here.
const MOST_FIRMS: usize = 12;

/// Shows what would be sent, and asks. False is no.
pub(super) fn ask(
    import: &mut Import<'_>,
    plan: &mut CheckedPlan,
    ledger: &ImportLedger,
) -> Result<bool> {
    let asked = Instant::now();
    let settings = import.settings;
    if let Some(first) = plan.first()? {
        describe(settings, plan, ledger, &first, print_status)?;
    }
    let cases = count(plan.to_send(), "case");
    let yes = confirm(&format!(
        "Send {cases} to {}?",
        settings.destination.account
    ))?;
    // The time that a person takes to answer is not the import's.
    import.began += asked.elapsed();
    Ok(yes)
}

/// Shows what would be sent, and the command that sends it.
pub(super) fn dry_run(
    import: &Import<'_>,
    mut plan: CheckedPlan,
    ledger: &ImportLedger,
) -> Result<Exit> {
    let settings = import.settings;
    let summary = Summary {
        totals: plan.totals(),
        plan: plan.name(),
        to_send: Some(plan.to_send()),
        next: Vec::from_iter(next_command(settings, &plan, ledger)),
        ..import.summary()
    };
    if settings.output.json {
        for (slot, action) in std::mem::take(&mut plan.plan.all) {
            let case = plan.plan.spooled.read(slot).context("the spool")?;
            print_json(&request(settings, &plan, &case, action)?);
        }
        print_json(&summary.to_json());
    } else {
        if let Some(first) = plan.first()? {
            describe(settings, &plan, ledger, &first, print_result)?;
        }
        show_counts(settings, &plan, &summary);
    }
    Ok(Exit::Done)
}

fn show_counts(settings: &ImportSettings, plan: &CheckedPlan, summary: &Summary) {
    print_result(&format!(
        "\n{} of {} would be sent, in at least {}",
        grouped(plan.to_send()),
        count(summary.totals.total, "record"),
        span(shortest(settings, plan.to_send()))
    ));
    for (number, text) in [
        (plan.plan.count(PlanAction::Skip), "already imported"),
        (
            plan.plan.count(PlanAction::Changed),
            "already imported, and changed since",
        ),
        (
            plan.plan.count(PlanAction::InDoubt),
            "in doubt: check in Lexamica, then run `caseload resolve`",
        ),
        (summary.totals.problems, "skipped (validation errors)"),
        (plan.plan.beyond_limit.sum(), "beyond --limit"),
    ] {
        if number > 0 {
            print_result(&format!("  {:>7} {text}", grouped(number)));
        }
    }
    print_result(
        "not checked, since only the server knows: whether the map id and the firm ids exist, \
         and whether the case types are on the platform's list",
    );
    if !plan.has_key {
        print_result("no key column: which cases are already imported can't be checked");
    }
    if let Some(name) = &summary.plan {
        print_result(&format!("plan: {name}"));
    }
    for next in &summary.next {
        print_result(&format!("next: {next}"));
    }
}

/// The command that sends this plan, if it works unchanged.
fn next_command(
    settings: &ImportSettings,
    plan: &CheckedPlan,
    ledger: &ImportLedger,
) -> Option<String> {
    if plan.to_send() == 0 {
        return None;
    }
    let rerun =
        |more: &str| rerun_command::command(&rerun_command::own(), Rerun::AfterDryRun, more);
    let is_test_run = settings.ledger.is_sandbox();
    let plan = match plan.name() {
        Some(plan) => format!(" --plan {plan}"),
        // A test run needs no key columns.
        None if is_test_run => String::new(),
        None => return None,
    };
    match ledger {
        ImportLedger::Missing { others, .. } if !is_test_run => {
            if others.is_empty() || settings.ledger.path.is_some() {
                rerun(&format!("{plan} --new-ledger"))
            } else {
                // Only a person can decide whether one of the others is the right one.
                is_interactive().then(|| rerun("")).flatten()
            }
        }
        _ => rerun(&plan),
    }
}

/// A case as it would go out.
#[derive(Serialize)]
struct Request<'a> {
    schema: u32,
    file: &'a str,
    line: u64,
    row: Option<u64>,
    key: String,
    partner_firm_id: Option<&'a str>,
    /// The body's own text: a `Value` would lose the digits of long numbers.
    payload: Box<RawValue>,
    action: &'static str,
}

fn request<'a>(
    settings: &ImportSettings,
    plan: &'a CheckedPlan,
    case: &'a CaseData,
    action: PlanAction,
) -> Result<Request<'a>> {
    Ok(Request {
        schema: 1,
        file: file_name(case.place, &plan.files),
        line: case.place.line,
        row: case.place.row,
        key: case.key.to_string(),
        partner_firm_id: case.partner_firm.as_deref(),
        payload: RawValue::from_string(body(settings, case)?)?,
        action: action.as_str(),
    })
}

/// Shows what would be sent.
fn describe(
    settings: &ImportSettings,
    plan: &CheckedPlan,
    ledger: &ImportLedger,
    first: &CaseData,
    print: fn(&str),
) -> Result<()> {
    let line = |name: &str, text: &str| print(&format!("{}{text}", color::bold(name)));
    print("");
    line("account  ", settings.destination.account.as_str());
    line("map      ", &settings.destination.map_id);
    let path = escaped_path(&settings.ledger_path);
    let known = match ledger.reader() {
        Some(reader) => format!("with {}", count(reader.info()?.counts.total(), "case")),
        None => color::yellow("new: every case will be sent"),
    };
    line("ledger   ", &format!("{path}, {known}"));
    if let ImportLedger::Missing { others, .. } = ledger
        && !others.is_empty()
    {
        print(&color::yellow(&format!(
            "         other ledgers of this host:{}",
            listed(others)
        )));
    }
    let default_firm = match plan.checked.default_firm {
        0 => String::new(),
        number => format!(
            "; --partner-firm-id applies to {} of the input",
            count(number, "record")
        ),
    };
    let to_send = count(plan.to_send(), "case");
    line("firms    ", &format!("{to_send}{default_firm}"));
    firms(settings, plan, print);
    let config = match &settings.read.config.path {
        Some(path) => escaped_path(path),
        None => "none: every column is sent under its own name".to_owned(),
    };
    line("config   ", &config);
    let time = span(shortest(settings, plan.to_send()));
    line("time     ", &format!("at least {time}"));
    let place = format!(
        "{}:{}, case {}",
        escaped(file_name(first.place, &plan.files)),
        first.place.line,
        escaped(&first.key.to_string())
    );
    line("first    ", &place);
    print(&escaped_lines(&pretty_json(&body(settings, first)?)));
    Ok(())
}

fn firms(settings: &ImportSettings, plan: &CheckedPlan, print: fn(&str)) {
    let line = |cases: u64, text: &str| format!("  {:>7} {text}", grouped(cases));
    let mut firms: Vec<_> = plan.plan.firms.iter().collect();
    firms.sort_by_key(|(firm, cases)| (Reverse(**cases), (*firm).clone()));
    let names = &settings.read.rules.options().partner_firms;
    for (firm, cases) in firms.iter().take(MOST_FIRMS) {
        let name = (names.iter())
            .find(|(_, id)| **id == ***firm)
            .map(|(name, _)| format!("  {}", escaped(name)))
            .unwrap_or_default();
        print(&line(**cases, &format!("to {}{name}", escaped(firm))));
    }
    if firms.len() > MOST_FIRMS {
        let more = count((firms.len() - MOST_FIRMS) as u64, "more firm");
        print(&format!("          … and {more}"));
    }
    let states = plan.plan.planned.iter().map(|planned| planned.state);
    let doubts = states
        .filter(|state| *state == Some(State::InDoubt))
        .count() as u64;
    if doubts > 0 {
        print(&color::red(&line(
            doubts,
            "in doubt, sent once more: this can create second cases",
        )));
    }
    if plan.plan.drafts > 0 {
        print(&color::yellow(&line(
            plan.plan.drafts,
            "without a firm, as drafts",
        )));
    }
}

/// The time that the pace alone takes.
fn shortest(settings: &ImportSettings, cases: u64) -> Duration {
    let gaps = u32::try_from(cases.saturating_sub(1)).unwrap_or(u32::MAX);
    settings.pace.pace.lower.saturating_mul(gaps)
}

/// The body exactly as it would go out, or its shape.
fn body(settings: &ImportSettings, case: &CaseData) -> Result<String> {
    let contract = &settings.destination.contract;
    let body = contract.body(&case.payload, case.partner_firm.as_deref());
    if settings.output.redact {
        return Ok(redacted_json(&serde_json::from_str(&body)?).to_string());
    }
    Ok(body)
}
