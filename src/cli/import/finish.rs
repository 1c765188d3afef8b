//! The ends of an import: problems, a dry run, a run.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::exit::Exit;
use super::super::settings;
use super::ask;
use super::{Job, Planned};
use crate::import::{Action, Ended};
use crate::ledger::RunCounts;
use crate::mapping::Rules;
use crate::model::{CaseData, State, StopReason};
use crate::report::screen::{print_json, say};
use crate::report::summary::Summary;
use crate::report::text::{count, escaped, grouped, redacted_json, span};

/// Counts a case by its state.
pub(super) fn add_state(totals: &mut RunCounts, state: Option<State>, number: u64) {
    match state {
        Some(State::Imported) => totals.imported += number,
        Some(State::Rejected) => totals.rejected += number,
        Some(State::NotSent) => totals.not_sent += number,
        Some(State::InDoubt | State::Sending) => totals.in_doubt += number,
        Some(State::Removed) | None => totals.untried += number,
    }
}

/// Problems: nothing is sent.
pub(super) fn problems(job: &Job<'_>, planned: &Planned) -> Exit {
    let mut summary = Summary {
        totals: planned.totals(),
        exit_code: Exit::Problems.code(),
        ..job.summary()
    };
    if job.args.dry_run {
        summary.to_send = Some(0);
    }
    if job.style.json {
        print_json(&summary.to_json());
        return Exit::Problems;
    }
    let found = planned.checked.errors + planned.same_content;
    say(&format!(
        "\n{} {} in {}; nothing was sent",
        job.style.red("stopped:"),
        count(found, "problem"),
        count(planned.checked.total, "record")
    ));
    if planned.checked.unskippable > 0 {
        say(
            "a header or a file that can't be read to its end concerns every record: mend it first",
        );
    } else {
        say("mend the rows and run the same command again; --skip-invalid sends the good ones");
    }
    Exit::Problems
}

/// A dry run: what would be sent, and what it can't know.
pub(super) fn dry_run(job: &Job<'_>, mut planned: Planned, rules: &Arc<Rules>) -> Result<Exit> {
    let to_send = planned.to_send();
    let summary = Summary {
        totals: planned.totals(),
        plan: planned.name(),
        to_send: Some(to_send),
        next: next_after_dry_run(job, &planned),
        ..job.summary()
    };
    if job.style.json {
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
        let found = super::account::open(job.args, &job.destination, job.style)?;
        ask::describe(job, &planned, &found, &case)?;
    }
    let totals = &summary.totals;
    say(&format!(
        "\n{} of {} would be sent, in at least {}",
        grouped(to_send),
        count(totals.total, "record"),
        span(ask::shortest(job, to_send))
    ));
    for (number, text) in [
        (planned.plan.count(Action::Skip), "are imported already"),
        (
            planned.plan.count(Action::Changed),
            "are imported, and the rows have changed since",
        ),
        (
            planned.plan.count(Action::Hold),
            "are in doubt and wait for `caseload resolve`",
        ),
        (totals.problems, "are left out for problems"),
        (
            planned.plan.beyond_limit.values().sum(),
            "are beyond --limit",
        ),
    ] {
        if number > 0 {
            say(&format!("  {:>7} {text}", grouped(number)));
        }
    }
    say(
        "not known before the server answers: whether map id and firm ids exist, and whether \
         the case types are on the platform's list",
    );
    if rules.options().key.is_empty() {
        say("without a key column it can't be known which cases are imported already");
    }
    if let Some(plan) = &summary.plan {
        say(&format!("plan: {plan}"));
    }
    for next in &summary.next {
        say(&format!("next: {next}"));
    }
    Ok(Exit::Done)
}

fn next_after_dry_run(job: &Job<'_>, planned: &Planned) -> Vec<String> {
    match planned.name() {
        Some(plan) if planned.to_send() > 0 => {
            vec![format!("{} --plan {plan}", command(job))]
        }
        _ => Vec::new(),
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
    action: Action,
) -> Result<Request<'a>> {
    let mut body = job
        .destination
        .contract
        .body(&case.payload, case.partner_firm.as_deref());
    if job.style.redact {
        body = redacted_json(&serde_json::from_str(&body)?).to_string();
    }
    Ok(Request {
        schema: 1,
        file: crate::report::problems::file_name(case.place, &planned.files),
        line: case.place.line,
        key: case.key.to_string(),
        partner_firm_id: case.partner_firm.as_deref(),
        payload: RawValue::from_string(body)?,
        action: action.as_str(),
    })
}

/// A run: where every record ended, the exit code, the next command.
pub(super) fn run(
    job: &Job<'_>,
    planned_totals: &RunCounts,
    plan: Option<String>,
    run: Option<i64>,
    ended: &Ended,
    said: Option<&str>,
) -> (Summary, Exit) {
    let mut totals = RunCounts {
        total: planned_totals.total,
        already_imported: planned_totals.already_imported,
        changed: planned_totals.changed,
        problems: planned_totals.problems,
        ..*planned_totals
    };
    totals.drafts = ended.drafts;
    for (state, number) in &ended.states {
        add_state(&mut totals, *state, *number);
    }
    let exit = exit(job, &totals, ended.stop.as_ref());
    let situation = crate::report::stops::Situation {
        short_path: job
            .destination
            .address
            .as_ref()
            .is_some_and(crate::api::Address::is_short),
        said,
    };
    let stopped = ended.stop.as_ref().map(|reason| {
        let mut words = crate::report::stops::stopped(reason, situation);
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
    if job.style.redact {
        crate::report::text::value(text, true)
    } else {
        escaped(text)
    }
}

fn exit(job: &Job<'_>, totals: &RunCounts, stop: Option<&StopReason>) -> Exit {
    let limited = job.args.limit.is_some();
    let unfinished = totals.rejected + totals.not_sent + totals.problems > 0
        || (totals.untried > 0 && !limited)
        || (totals.changed > 0 && job.args.read.strict);
    match stop {
        Some(StopReason::Interrupted) => Exit::Interrupted,
        Some(_) => Exit::Stopped,
        None if totals.in_doubt > 0 => Exit::InDoubt,
        None if unfinished => Exit::Unfinished,
        None => Exit::Done,
    }
}

/// The exact commands that go on.
fn next(job: &Job<'_>, totals: &RunCounts, exit: Exit) -> Vec<String> {
    let mut next = Vec::new();
    let ledger = if job.destination.ledger_named || job.destination.is_sandbox() {
        format!(
            " --ledger {}",
            super::shown_path(&job.destination.ledger_path)
        )
    } else {
        String::new()
    };
    if totals.in_doubt > 0 {
        next.push(format!("caseload status{ledger}"));
        next.push(format!("caseload resolve{ledger}"));
    }
    let left = totals.untried + totals.not_sent + totals.rejected > 0;
    if left && exit != Exit::Done {
        next.push(command(job));
    }
    next
}

/// The same import once more.
fn command(job: &Job<'_>) -> String {
    let sandbox = if job.destination.is_sandbox() {
        " --sandbox"
    } else {
        ""
    };
    format!("caseload import {}{sandbox}{}", files(job), flags(job))
}

/// Flags without which the next command would mean another account or input.
fn flags(job: &Job<'_>) -> String {
    let args = job.args;
    let mut flags = String::new();
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a String can't fail.
            let _ = write!(flags, " {flag} {}", super::super::quoted(&value));
        }
    };
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let profile = job.profile.as_ref().map(|profile| &profile.path);
    let named = profile.filter(|path| path.as_path() != std::path::Path::new(settings::PROFILE));
    add("--profile", path(&named.cloned()));
    if !job.destination.is_sandbox() {
        add("--base-url", args.account.base_url.clone());
        add("--org-id", args.account.org_id.clone());
        add("--map-id", args.map_id.clone());
        add("--ledger", path(&args.account.ledger));
        add("--ledger-id", args.ledger_id.clone());
        add("--public-key-file", path(&args.public_key_file));
        add("--ca-file", path(&args.ca_file));
    }
    let read = &args.read;
    add("--format", read.format.map(|format| format.to_string()));
    let delimiter = read.delimiter.map(|delimiter| match delimiter {
        b'\t' => "tab".to_owned(),
        delimiter => char::from(delimiter).to_string(),
    });
    add("--delimiter", delimiter);
    add("--encoding", read.encoding.clone());
    add("--sheet", read.sheet.clone());
    add("--records", read.records.clone());
    for column in &read.key_column {
        add("--key-column", Some(column.clone()));
    }
    add("--partner-firm-column", read.partner_firm_column.clone());
    add("--partner-firm-id", read.partner_firm_id.clone());
    for (set, flag) in [
        (read.allow_drafts, " --allow-drafts"),
        (read.strict, " --strict"),
        (args.allow_same_content, " --allow-same-content"),
        (args.skip_invalid, " --skip-invalid"),
        (args.yes, " --yes"),
    ] {
        if set {
            flags.push_str(flag);
        }
    }
    flags
}

fn files(job: &Job<'_>) -> String {
    job.args
        .files
        .iter()
        .map(|file| super::shown_path(file))
        .collect::<Vec<_>>()
        .join(" ")
}
