//! What a person reviews before anything is sent: a dry run, or the question.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Exit;
use super::super::ledgers::{ImportLedger, listed};
use super::super::rerun_command::{self, Rerun};
use super::CheckedPlan;
use crate::cli::settings::ImportSettings;
use crate::engine::PlanAction;
use crate::model::{CaseData, State};
use crate::output::terminal::check_report::{file_name, place_text};
use crate::output::terminal::color;
use crate::output::terminal::status::time;
use crate::output::terminal::streams::{
    confirm, is_interactive, print_json, print_result, print_status, prompt,
};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{
    count, cut, escaped, escaped_lines, escaped_list, escaped_or_redacted, escaped_path, grouped,
    pretty_json, redacted, redacted_json, span, titled,
};

/// Firms are listed up to here.
const MOST_FIRMS: usize = 5;

/// Lines and characters of the first payload above a question: what matters
/// stands below it, on the same screen.
const PAYLOAD_LINES: usize = 12;
const PAYLOAD_WIDTH: usize = 77;

/// Shows what would be sent, and asks. False is no.
pub(super) fn ask(plan: &mut CheckedPlan<'_>, ledger: &ImportLedger) -> Result<bool> {
    let asked = Instant::now();
    show(plan, ledger, print_status)?;
    let cases = count(plan.to_send(), "case");
    let account = &plan.import.settings.destination.account;
    let yes = match ledger {
        ImportLedger::Missing { others, .. } if !others.is_empty() => {
            let number = plan.to_send().to_string();
            let question = format!(
                "To send {cases} to {account} with a new ledger, type the number of cases, \
                 {number}:"
            );
            prompt(&question)?.is_some_and(|answer| answer.replace(',', "") == number)
        }
        _ => confirm(&format!("Send {cases} to {account}?"))?,
    };
    // The time that a person takes to answer is not the import's.
    plan.import.began += asked.elapsed();
    Ok(yes)
}

/// Shows what would be sent, and the command that sends it.
pub(super) fn dry_run(mut plan: CheckedPlan<'_>, ledger: &ImportLedger) -> Result<Exit> {
    let totals = plan.totals();
    let exit = match totals.held + totals.problems {
        0 => Exit::Done,
        _ => Exit::Unfinished,
    };
    let summary = Summary {
        totals,
        exit_code: exit.code(),
        plan: plan.name(),
        to_send: Some(plan.to_send()),
        next: Vec::from_iter(next_command(&plan, ledger)),
        ..plan.import.summary()
    };
    let settings = plan.import.settings;
    if settings.output.json {
        let files = settings.read.file_names();
        for (slot, action) in std::mem::take(&mut plan.plan.all) {
            let case = plan.plan.spooled.read(slot).context("the spool")?;
            print_json(&request(settings, &files, &case, action)?);
        }
        print_json(&summary.to_json());
        return Ok(exit);
    }
    show(&mut plan, ledger, print_result)?;
    print_result(
        "not checked, since only the server knows: whether the map id and the firm ids exist, \
         and whether the case types are on the platform's list",
    );
    if !plan.has_key() {
        print_result("no key column: which cases are already imported can't be checked");
    }
    if let Some(name) = &summary.plan {
        print_result(&format!("plan: {name}"));
    }
    for next in &summary.next {
        print_result(&format!("next: {next}"));
    }
    Ok(exit)
}

/// Shows the first case, where the cases go and how, and how many.
fn show(plan: &mut CheckedPlan<'_>, ledger: &ImportLedger, print: fn(&str)) -> Result<()> {
    let settings = plan.import.settings;
    let line = |title: &str, text: &str| print(&titled(title, text));
    if let Some(first) = plan.first()? {
        let place = place_text(first.place, &settings.read.file_names());
        let key = escaped_or_redacted(&first.key.to_string(), settings.output.redact);
        print("");
        line("first", &format!("{place}, case {key}"));
        let payload = pretty_json(&body(settings, &first)?);
        print(&if settings.args.sending.dry_run {
            escaped_lines(&payload)
        } else {
            beginning(&payload)
        });
    }
    let destination = &settings.destination;
    print("");
    line("account", &escaped(destination.account.as_str()));
    if let Some(address) = &destination.address {
        line("url", &escaped(address.url().as_str()));
    }
    line("map", &map_text(&destination.map_id, ledger)?);
    let config = match &settings.read.config.path {
        Some(path) => escaped_path(path),
        None => "none: every column is sent under its own name".to_owned(),
    };
    line("config", &config);
    line("ledger", &escaped_path(settings.ledger_location.path()));
    let mut title = "firms";
    for firm in firms(plan) {
        line(title, &firm);
        title = "";
    }
    show_counts(plan, ledger, print);
    Ok(())
}

/// The beginning of a text of several lines.
fn beginning(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| cut(&escaped(line), PAYLOAD_WIDTH).into_owned());
    let mut shown: Vec<String> = lines.take(PAYLOAD_LINES).collect();
    let more = text.lines().count().saturating_sub(PAYLOAD_LINES);
    if more > 0 {
        let more = count(more as u64, "line");
        shown.push(format!("… and {more} more; --dry-run shows all"));
    }
    shown.join("\n")
}

/// How many cases are sent and why the others are not, and whether the ledger
/// is the right one.
fn show_counts(plan: &CheckedPlan<'_>, ledger: &ImportLedger, print: fn(&str)) {
    let settings = plan.import.settings;
    let totals = plan.totals();
    let verb = if settings.args.sending.dry_run {
        "would be sent"
    } else {
        "to send"
    };
    print(&format!(
        "\n{} of {} {verb}, in at least {}",
        grouped(plan.to_send()),
        count(totals.total, "record"),
        span(shortest(settings, plan.to_send()))
    ));
    let states = plan.plan.planned.iter().map(|planned| planned.state);
    let resent = states.filter(|state| *state == Some(State::InDoubt));
    let counts = [
        (
            resent.count() as u64,
            "of them in doubt, sent once more: this can create second cases",
        ),
        (
            plan.plan.unchanged_rejects(),
            "of them rejected before, and unchanged since",
        ),
        (plan.plan.drafts, "of them without a firm, as drafts"),
        (plan.plan.others.already_imported, "already imported"),
        (
            plan.plan.others.changed,
            "already imported, and changed since",
        ),
        (
            plan.plan.others.in_doubt,
            "in doubt: check in Lexamica, then run `caseload resolve`",
        ),
        (
            totals.held,
            "held as possible duplicates: decide about each",
        ),
        (totals.problems, "skipped (validation errors)"),
        (plan.plan.beyond_limit.sum(), "beyond --limit"),
    ];
    for (position, (number, text)) in counts.into_iter().enumerate() {
        let line = format!("  {:>7} {text}", grouped(number));
        match (number, position) {
            (0, _) => {}
            (_, 0) => print(&color::red(&line)),
            (_, 2) => print(&color::yellow(&line)),
            _ => print(&line),
        }
    }
    if ledger.reader().is_some() && !plan.checked.compares_people {
        print(
            "persons can't be compared: no record has a name with a phone, an e-mail or an \
             incident date",
        );
    }
    print(&ledger_text(ledger));
}

/// Whether the ledger is new, or what it knows.
fn ledger_text(ledger: &ImportLedger) -> String {
    let Some(info) = ledger.info() else {
        let mut text = color::yellow("the ledger is new: it knows no imported case");
        if let ImportLedger::Missing { others, .. } = ledger
            && !others.is_empty()
        {
            let others = format!("; other ledgers exist:{}", listed(others));
            text.push_str(&color::yellow(&others));
        }
        return text;
    };
    let cases = count(info.counts.total(), "case");
    match info.last_run_at {
        _ if info.counts.total() == 0 => {
            color::yellow("the ledger is empty: it knows no imported case")
        }
        Some(at) => format!("the ledger has {cases}; its last import began {}", time(at)),
        None => format!("the ledger has {cases}, all added by `caseload resolve`"),
    }
}

/// The command that sends this plan, if it works unchanged.
fn next_command(plan: &CheckedPlan<'_>, ledger: &ImportLedger) -> Option<String> {
    if plan.to_send() == 0 {
        return None;
    }
    let rerun =
        |more: &str| rerun_command::command(&rerun_command::own(), Rerun::AfterDryRun, more);
    let is_test_run = plan.import.settings.ledger.is_sandbox();
    let plan = match plan.name() {
        Some(plan) => format!(" --plan {plan}"),
        // A test run needs no key columns.
        None if is_test_run => String::new(),
        None => return None,
    };
    match ledger {
        ImportLedger::Missing { others, .. } if !is_test_run => {
            if others.is_empty() {
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
    action: PlanAction,
}

fn request<'a>(
    settings: &ImportSettings,
    files: &'a [String],
    case: &'a CaseData,
    action: PlanAction,
) -> Result<Request<'a>> {
    Ok(Request {
        schema: 1,
        file: file_name(case.place, files),
        line: case.place.line,
        row: case.place.row,
        key: redacted(&case.key.to_string(), settings.output.redact).into_owned(),
        partner_firm_id: case.partner_firm.as_deref(),
        payload: RawValue::from_string(body(settings, case)?)?,
        action,
    })
}

/// The map, and the others that earlier runs used.
fn map_text(map_id: &str, ledger: &ImportLedger) -> Result<String> {
    let runs = match ledger.reader() {
        Some(reader) => reader.runs(usize::MAX)?,
        None => Vec::new(),
    };
    let others = runs.iter().map(|run| run.start.map_id.as_str());
    let others: BTreeSet<&str> = others.filter(|other| *other != map_id).collect();
    let mut text = escaped(map_id);
    if !others.is_empty() {
        let others = format!("; earlier runs used {}", escaped_list(others));
        text.push_str(&color::yellow(&others));
    }
    Ok(text)
}

/// The largest firms with their cases, and the rest as one line.
fn firms(plan: &CheckedPlan<'_>) -> Vec<String> {
    let mut firms: Vec<_> = plan.plan.firms.iter().collect();
    firms.sort_by_key(|(firm, cases)| (Reverse(**cases), (*firm).clone()));
    let rules = &plan.import.settings.read.check.rules;
    let names = &rules.options().partner_firms;
    let largest = firms.iter().take(MOST_FIRMS).map(|(firm, cases)| {
        let name = (names.iter())
            .find(|(_, id)| **id == ***firm)
            .map(|(name, _)| format!("  {}", escaped(name)))
            .unwrap_or_default();
        format!("{} to {}{name}", grouped(**cases), escaped(firm))
    });
    let mut lines: Vec<String> = largest.collect();
    if let Some(rest) = firms.get(MOST_FIRMS..).filter(|rest| !rest.is_empty()) {
        let cases: u64 = rest.iter().map(|(_, cases)| **cases).sum();
        let firms = count(rest.len() as u64, "more firm");
        lines.push(format!("{} to {firms}", grouped(cases)));
    }
    if plan.checked.default_firm > 0 {
        let records = count(plan.checked.default_firm, "record");
        lines.push(format!(
            "the default, --partner-firm-id, for {records} of the input"
        ));
    }
    lines
}

/// The time that the pace alone takes.
fn shortest(settings: &ImportSettings, cases: u64) -> Duration {
    let gaps = u32::try_from(cases.saturating_sub(1)).unwrap_or(u32::MAX);
    settings.args.pace.pace.lower.saturating_mul(gaps)
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
