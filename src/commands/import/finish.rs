//! The ends of an import: problems, a dry run, a run.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::exit::Exit;
use super::super::ledgers::ImportLedger;
use super::super::rerun_command;
use super::{Job, Planned, ask};
use crate::cli::settings::Confirmation;
use crate::engine::{PlanAction, RunResult};
use crate::mapping::Rules;
use crate::model::{CaseData, StopReason, Totals};
use crate::output::terminal::color;
use crate::output::terminal::streams::{is_interactive, print_json, print_status};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{count, escaped, grouped, redacted_json, span};

/// Problems: nothing is sent.
pub(super) fn problems(job: &Job<'_>, planned: &Planned) -> Exit {
    let mut summary = Summary {
        totals: planned.totals(),
        exit_code: Exit::Problems.code(),
        ..job.summary()
    };
    if job.settings.dry_run {
        summary.to_send = Some(0);
    }
    if job.settings.output.json {
        print_json(&summary.to_json());
        return Exit::Problems;
    }
    let found = planned.checked.errors + planned.plan.same_content;
    print_status(&format!(
        "\n{} {} in {}; nothing was sent",
        color::red("stopped:"),
        count(found, "problem"),
        count(planned.checked.total, "record")
    ));
    if planned.checked.unskippable > 0 {
        print_status(
            "a header or a file that can't be read to its end concerns every record: mend it first",
        );
    } else {
        print_status(
            "mend the rows and run the same command again; --skip-invalid sends the good ones",
        );
    }
    Exit::Problems
}

/// A dry run: what would be sent, and what it can't know.
pub(super) fn dry_run(
    job: &Job<'_>,
    mut planned: Planned,
    found: &ImportLedger,
    rules: &Rules,
) -> Result<Exit> {
    let to_send = planned.to_send();
    let summary = Summary {
        totals: planned.totals(),
        plan: planned.name(),
        to_send: Some(to_send),
        next: Vec::from_iter(next_after_dry_run(job, &planned, found)),
        ..job.summary()
    };
    if job.settings.output.json {
        let all = std::mem::take(&mut planned.plan.all);
        for (slot, action) in all {
            let case = planned.plan.spooled.read(slot).context("the spool")?;
            print_json(&request(job, &planned, &case, action)?);
        }
        print_json(&summary.to_json());
        return Ok(Exit::Done);
    }
    let first = planned.plan.planned.first().map(|planned| planned.slot);
    if let Some(slot) = first {
        let case = planned.plan.spooled.read(slot).context("the spool")?;
        ask::describe(job, &planned, found, &case)?;
    }
    let totals = &summary.totals;
    print_status(&format!(
        "\n{} of {} would be sent, in at least {}",
        grouped(to_send),
        count(totals.total, "record"),
        span(ask::shortest(job, to_send))
    ));
    for (number, text) in [
        (planned.plan.count(PlanAction::Skip), "are imported already"),
        (
            planned.plan.count(PlanAction::Changed),
            "are imported, and the rows have changed since",
        ),
        (
            planned.plan.count(PlanAction::Hold),
            "are in doubt and wait for `caseload resolve`",
        ),
        (totals.problems, "are left out for problems"),
        (planned.plan.beyond_limit.sum(), "are beyond --limit"),
    ] {
        if number > 0 {
            print_status(&format!("  {:>7} {text}", grouped(number)));
        }
    }
    print_status(
        "not known before the server answers: whether map id and firm ids exist, and whether \
         the case types are on the platform's list",
    );
    if rules.options().key.is_empty() {
        print_status("without a key column it can't be known which cases are imported already");
    }
    if let Some(plan) = &summary.plan {
        print_status(&format!("plan: {plan}"));
    }
    for next in &summary.next {
        print_status(&format!("next: {next}"));
    }
    Ok(Exit::Done)
}

/// The same import without the dry run, as it works when it is given.
fn next_after_dry_run(job: &Job<'_>, planned: &Planned, found: &ImportLedger) -> Option<String> {
    if planned.to_send() == 0 {
        return None;
    }
    let again = |more: &str| {
        rerun_command::command(&rerun_command::own(), rerun_command::AFTER_DRY_RUN, more)
    };
    let plan = match planned.name() {
        Some(plan) => format!(" --plan {plan}"),
        // A rehearsal goes without a key.
        None if job.settings.ledger.is_sandbox() => String::new(),
        None => return None,
    };
    match found {
        ImportLedger::Missing { others, .. } if !job.settings.ledger.is_sandbox() => {
            if others.is_empty() || job.settings.ledger.path.is_some() {
                again(&format!("{plan} --new-ledger"))
            } else {
                // Whether a further ledger is meant is for a person to say.
                is_interactive().then(|| again("")).flatten()
            }
        }
        _ => again(&plan),
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
    /// The body as it stands: a `Value` would lose the order of its members
    /// and the digits of long numbers.
    payload: Box<RawValue>,
    action: &'static str,
}

fn request<'a>(
    job: &Job<'_>,
    planned: &'a Planned,
    case: &'a CaseData,
    action: PlanAction,
) -> Result<Request<'a>> {
    let mut body = job
        .settings
        .destination
        .contract
        .body(&case.payload, case.partner_firm.as_deref());
    if job.settings.output.redact {
        body = redacted_json(&serde_json::from_str(&body)?).to_string();
    }
    Ok(Request {
        schema: 1,
        file: crate::output::terminal::problems::file_name(case.place, &planned.files),
        line: case.place.line,
        key: case.key.to_string(),
        partner_firm_id: case.partner_firm.as_deref(),
        payload: RawValue::from_string(body)?,
        action: action.as_str(),
    })
}

/// A run: where every record ended, the exit code, the next command.
pub(crate) fn run(
    job: &Job<'_>,
    mut totals: Totals,
    plan: Option<String>,
    run: Option<i64>,
    ended: &RunResult,
    said: Option<&str>,
) -> (Summary, Exit) {
    totals += ended.totals;
    let exit = exit(job, &totals, ended.stop.as_ref());
    let situation = crate::output::terminal::stops::Situation {
        short_path: job
            .settings
            .destination
            .address
            .as_ref()
            .is_none_or(crate::api::Address::is_short),
        said,
    };
    let stopped = ended.stop.as_ref().map(|reason| {
        let mut words = crate::output::terminal::stops::stopped(reason, situation);
        if let Some(failure) = &ended.failure {
            words = format!("{failure}; {words}");
        } else if let Some(said) = said
            && !matches!(reason, StopReason::Interrupted)
        {
            words = format!("{words} It said: {}", quoted(job, said));
        }
        words
    });
    let summary = Summary {
        run,
        totals,
        plan,
        stopped,
        next: next(job, &totals, exit),
        exit_code: exit.code(),
        ..job.summary()
    };
    (summary, exit)
}

fn quoted(job: &Job<'_>, text: &str) -> String {
    if job.settings.output.redact {
        crate::output::terminal::text::value(text, true)
    } else {
        escaped(text)
    }
}

fn exit(job: &Job<'_>, totals: &Totals, stop: Option<&StopReason>) -> Exit {
    let limited = job.settings.limit.is_some();
    let unfinished = totals.rejected + totals.not_sent + totals.problems > 0
        || (totals.untried > 0 && !limited)
        || (totals.changed > 0 && job.settings.read.strict);
    match stop {
        Some(StopReason::Interrupted) => Exit::Interrupted,
        Some(_) => Exit::Stopped,
        None if totals.in_doubt > 0 => Exit::InDoubt,
        None if unfinished => Exit::Unfinished,
        None => Exit::Done,
    }
}

/// The exact commands that go on.
fn next(job: &Job<'_>, totals: &Totals, exit: Exit) -> Vec<String> {
    let mut next = Vec::new();
    if totals.in_doubt > 0 {
        next.push(format!("caseload status{}", job.settings.ledger.flags));
        next.push(format!("caseload resolve{}", job.settings.ledger.flags));
    }
    let left = totals.untried + totals.not_sent + totals.rejected > 0;
    let answered = !matches!(job.settings.confirmation, Confirmation::Plan(_)) || is_interactive();
    if left && (exit != Exit::Done || answered) {
        let mut once = rerun_command::AFTER_RUN.to_vec();
        if exit == Exit::Done {
            // The few that were tried went well.
            once.extend(["--limit", "--plan"]);
        }
        next.extend(rerun_command::command(&rerun_command::own(), &once, ""));
    }
    next
}
