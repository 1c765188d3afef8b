//! A dry run: what would be sent, and what only the server can tell.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::exit::Exit;
use super::super::ledgers::ImportLedger;
use super::super::rerun_command::{self, AFTER_DRY_RUN};
use super::{CheckedPlan, Import, review};
use crate::cli::settings::ImportSettings;
use crate::engine::PlanAction;
use crate::model::CaseData;
use crate::output::terminal::check_report::file_name;
use crate::output::terminal::streams::{is_interactive, print_json, print_result};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{count, grouped, span};

pub(super) fn report(
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
            review::describe(settings, &plan, ledger, &first, print_result)?;
        }
        show(settings, &plan, &summary);
    }
    Ok(Exit::Done)
}

fn show(settings: &ImportSettings, plan: &CheckedPlan, summary: &Summary) {
    print_result(&format!(
        "\n{} of {} would be sent, in at least {}",
        grouped(plan.to_send()),
        count(summary.totals.total, "record"),
        span(review::shortest(settings, plan.to_send()))
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

/// The same import without the dry run, if that works as it is.
fn next_command(
    settings: &ImportSettings,
    plan: &CheckedPlan,
    ledger: &ImportLedger,
) -> Option<String> {
    if plan.to_send() == 0 {
        return None;
    }
    let rerun = |more: &str| rerun_command::command(&rerun_command::own(), AFTER_DRY_RUN, more);
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
                // Whether another ledger is meant is for a person to decide.
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
        key: case.key.to_string(),
        partner_firm_id: case.partner_firm.as_deref(),
        payload: RawValue::from_string(review::body(settings, case)?)?,
        action: action.as_str(),
    })
}
