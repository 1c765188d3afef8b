//! `caseload import`: check every row, then post each case once.

mod ask;
mod files;
mod findings;
mod finish;
mod plan_reporter;
mod planning;
mod send;

use std::time::Instant;

use anyhow::{Result, bail};

use self::planning::{Planned, check_options, check_plan, plan};
use super::exit::Exit;
use super::interrupts::Interrupts;
use super::ledgers::{self, ImportLedger};
use super::rerun_command;
use crate::check::{self, Checked};
use crate::cli::settings::{self, Confirmation, ImportSettings};
use crate::cli::shell_word;
use crate::input::Input;
use crate::mapping::MappingOptions;
use crate::output::terminal::color;
use crate::output::terminal::streams::{is_interactive, print_json, print_status};
use crate::output::terminal::summary::Summary;

/// An import that has begun.
struct Job<'a> {
    settings: &'a ImportSettings,
    began: Instant,
}

impl Job<'_> {
    fn summary(&self) -> Summary {
        Summary {
            account: self.settings.destination.account.to_string(),
            elapsed: self.began.elapsed(),
            ..Summary::default()
        }
    }
}

/// Runs the command.
pub(super) fn run(settings: &ImportSettings) -> Result<Exit> {
    let mut job = Job {
        settings,
        began: Instant::now(),
    };
    if let Some(warning) = &settings.warning {
        print_status(&color::yellow(warning));
    }
    if settings.fresh && !settings.dry_run {
        ledgers::forget_test_runs(settings.output)?;
    }
    let interrupts = catch_interrupts(&job)?;
    if settings.needs_key_columns() {
        return propose_key(&job);
    }
    let rules = settings.read.rules()?;
    let ledger = ledgers::open_for_import(settings)?;
    if settings.creates_ledger_only() {
        return create_ledger_only(&job, ledger);
    }
    let planned = plan(&job, &rules, &ledger)?;
    if planned.blocked(settings) {
        return Ok(finish::problems(&job, &planned));
    }
    if settings.dry_run {
        return finish::dry_run(&job, planned, &ledger, &rules);
    }
    if let Confirmation::Plan(approved) = &settings.confirmation {
        check_plan(approved, &planned)?;
    }
    send::send(&mut job, planned, ledger, &interrupts)
}

/// An interrupt before anything was sent still ends with a summary.
fn catch_interrupts(job: &Job<'_>) -> Result<Interrupts> {
    let mut summary = job.summary();
    let output = job.settings.output;
    let began = job.began;
    Interrupts::catch(move || {
        summary.elapsed = began.elapsed();
        summary.stopped = Some("interrupted before anything was sent".to_owned());
        summary.exit_code = Exit::Interrupted.code();
        if output.json {
            print_json(&summary.to_json());
        } else {
            // A question's line is not closed by an answer.
            let line = if is_interactive() { "\n" } else { "" };
            print_status(&format!("{line}interrupted before anything was sent"));
        }
    })
}

/// Sending needs a key; says which column could be one.
fn propose_key(job: &Job<'_>) -> Result<Exit> {
    let mapping = &job.settings.read.mapping;
    let look = |key: &[String], fields: bool| -> Result<Checked> {
        let rules = settings::rules(MappingOptions {
            key: key.to_vec(),
            ..mapping.clone()
        })?;
        let explained = |error| job.settings.read.check_error(error);
        let mut check =
            check::check(check_options(job, &rules, false, fields)).map_err(explained)?;
        for batch in &mut check {
            batch.map_err(explained)?;
        }
        Ok(check.finish())
    };
    let checked = look(&[], true)?;
    // Standard input can't be read a second time.
    let once = job.settings.read.inputs.contains(&Input::Stdin);
    let proposal = match super::key::propose(&checked, |columns| {
        once || look(columns, false)
            .is_ok_and(|keyed| keyed.excluded.is_empty() && keyed.errors <= checked.errors)
    }) {
        columns if columns.is_empty() => {
            "no column and no pair of columns is filled and distinct in every row; \
             add a column with an id of your own"
                .to_owned()
        }
        columns => {
            let flags: Vec<String> = columns
                .iter()
                .map(|column| format!("--key-column {}", shell_word(column)))
                .collect();
            format!("this looks like one: {}", flags.join(" "))
        }
    };
    bail!(
        "no key: a key column tells one case from another, so that none is sent twice; {proposal}"
    )
}

/// In a CI job a ledger is created in a run of its own, which sends nothing.
fn create_ledger_only(job: &Job<'_>, ledger: ImportLedger) -> Result<Exit> {
    let ledger = ledger.into_ledger(job.settings)?;
    let info = ledger.reader().info()?;
    let named = format!(" --ledger-id {}", info.id);
    let next = rerun_command::command(&rerun_command::own(), rerun_command::AFTER_RUN, &named);
    if job.settings.output.json {
        print_json(&serde_json::json!({
            "schema": 1,
            "command": "import",
            "new_ledger": info.id,
            "path": info.path,
            "account": info.account,
            "next": Vec::from_iter(next),
            "exit_code": 0,
        }));
    } else {
        print_status(&format!(
            "created ledger {} at {}; nothing was sent.\nKeep the file, and name it in the jobs that \
             send: CASELOAD_LEDGER_ID={}",
            info.id,
            info.path.display(),
            info.id
        ));
        if let Some(next) = next {
            print_status(&format!("next: {next}"));
        }
    }
    Ok(Exit::Done)
}
