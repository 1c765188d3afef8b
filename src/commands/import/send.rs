//! The sending itself: the question, the ledger, the run, the summary.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::super::exit::Exit;
use super::super::interrupts::Interrupts;
use super::super::ledgers::{self, ImportLedger};
use super::files::NamedFiles;
use super::{Job, Planned, ask, files, finish};
use crate::api::{Address, CaseIdField, Client, ClientOptions};
use crate::cli::settings::Confirmation;
use crate::engine::scheduler::{Canary, EchoPolicy, RunSettings};
use crate::engine::{self, ImportRun, RunResult};
use crate::ledger::{self, Handle, Ledger, RunEnd, RunFile, RunStart};
use crate::model::{StopReason, Totals};
use crate::output::terminal::run::RunReport;
use crate::output::terminal::stops;
use crate::output::terminal::streams::{confirm, print_json, print_status};
use crate::output::terminal::summary::Summary;
use crate::sandbox;

/// Sends what the plan holds.
pub(super) fn send(
    job: &mut Job<'_>,
    mut planned: Planned,
    found: ImportLedger,
    interrupts: &Interrupts,
) -> Result<Exit> {
    let named = files::open_named(job, &planned)?;
    if planned.plan.planned.is_empty() {
        return nothing_to_send(job, planned, named);
    }
    let slot = planned.plan.planned[0].slot;
    let first = planned.plan.spooled.read(slot).context("the spool")?;
    if job.settings.confirmation == Confirmation::Ask {
        let asked = Instant::now();
        if !ask::ask(job, &planned, &found, &first)? {
            return Ok(declined(job, &planned));
        }
        // How long a person thinks is no part of how long it took.
        job.began += asked.elapsed();
    }
    let ledger = found.into_ledger(job.settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start the runtime")?;
    runtime.block_on(run(job, planned, named, ledger, interrupts))
}

/// Without a run too, what was left out stands in the files asked for.
fn nothing_to_send(job: &Job<'_>, mut planned: Planned, named: NamedFiles) -> Result<Exit> {
    let outputs = named.begin(job, None, &mut planned)?;
    let totals = planned.totals();
    let ended = RunResult {
        stop: None,
        failure: None,
        totals: Totals::default(),
    };
    let (summary, exit) = finish::run(job, totals, planned.name(), None, &ended, None);
    outputs.finish(&summary, job.settings.output);
    close(job, &summary);
    if !job.settings.output.json
        && !job.settings.output.quiet
        && totals.already_imported == totals.total
    {
        print_status("nothing to send: every record is imported already, as the ledger knows");
    }
    Ok(exit)
}

fn declined(job: &Job<'_>, planned: &Planned) -> Exit {
    let summary = Summary {
        totals: planned.totals(),
        plan: planned.name(),
        stopped: Some("declined; nothing was sent".to_owned()),
        exit_code: Exit::Stopped.code(),
        ..job.summary()
    };
    close(job, &summary);
    Exit::Stopped
}

fn close(job: &Job<'_>, summary: &Summary) {
    if job.settings.output.json {
        print_json(&summary.to_json());
    } else {
        summary.show();
    }
}

async fn run(
    job: &mut Job<'_>,
    mut planned: Planned,
    named: NamedFiles,
    ledger: Ledger,
    interrupts: &Interrupts,
) -> Result<Exit> {
    let (sandbox, address) = match &job.settings.destination.address {
        Some(address) => (None, address.clone()),
        None => {
            let sandbox = sandbox::start(sandbox::SandboxOptions::default()).await?;
            let map_id = &job.settings.destination.map_id;
            let address = Address::new(&sandbox.base_url(), None, map_id, None)?;
            (Some(sandbox), address.for_sandbox())
        }
    };
    let client = Client::new(
        address,
        job.settings.destination.contract.clone(),
        job.settings.public_key.clone(),
        ClientOptions {
            timeout: job.settings.timeout,
            ca_file: job.settings.ca_file.clone(),
            ..ClientOptions::default()
        },
    )?;
    let imported_ids = ledger.reader().info()?.imported_distinct_ids;
    let handle = ledger.start(ledger::LedgerOptions {
        keep_payloads: job.settings.keep_payloads,
    })?;
    let run_id = handle.begin_run(run_start(job, &planned)).await?;
    let outputs = named.begin(job, Some(run_id), &mut planned)?;
    let totals = planned.totals_without_sends();
    let name = planned.name();
    let settings = settings(job, &planned, imported_ids);
    let (mut outputs, mut report) = (
        outputs,
        RunReport::new(
            planned.plan.planned.len() as u64,
            planned.files.clone(),
            job.settings.output,
            job.settings.show_answers && !job.settings.output.json,
        ),
    );
    let import = ImportRun {
        resend_in_doubt: job.settings.resend_in_doubt.is_some(),
        planned: planned.plan.planned,
        spooled: planned.plan.spooled,
        client: Arc::new(client),
        ledger: handle.clone(),
        run: run_id,
        settings,
        interrupts: interrupts.run(),
        ask_echo: || confirm("Continue with the import?").unwrap_or(false),
    };
    let ended = engine::run_import(import, &mut |event| {
        report.event(&event);
        outputs.add_event(&event);
    })
    .await;
    report.progress().finish();
    let said = report.said().map(str::to_owned);
    let (mut summary, mut exit) =
        finish::run(job, totals, name, Some(run_id.0), &ended, said.as_deref());
    let closed = end_run(&handle, run_id, &summary, &ended).await;
    if let Err(error) = closed
        && ended.failure.is_none()
    {
        summary.stopped.get_or_insert(format!(
            "the end of the run could not be written to the ledger: {error}"
        ));
        if exit != Exit::Interrupted {
            exit = Exit::Stopped;
            summary.exit_code = exit.code();
        }
    }
    outputs.finish(&summary, job.settings.output);
    close(job, &summary);
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    Ok(exit)
}

async fn end_run(
    handle: &Handle,
    run: ledger::RunId,
    summary: &Summary,
    ended: &RunResult,
) -> Result<(), ledger::LedgerError> {
    let how = match &ended.stop {
        None => RunEnd::Finished,
        Some(StopReason::Interrupted) => RunEnd::Interrupted,
        Some(reason) => RunEnd::Stopped(stops::stopped(reason, stops::Situation::default())),
    };
    handle
        .end_run(run, summary.totals, how, Timestamp::now())
        .await?;
    handle.clone().close().await
}

fn settings(job: &Job<'_>, planned: &Planned, imported_ids: u8) -> RunSettings {
    let needed = match job.settings.destination.contract.case_id_field {
        CaseIdField::None => 1_u32.saturating_sub(u32::from(imported_ids)),
        _ => 2_u32.saturating_sub(u32::from(imported_ids)),
    };
    let echo = if job.settings.read.strict {
        EchoPolicy::Stop
    } else if job.settings.confirmation == Confirmation::Ask {
        EchoPolicy::Ask
    } else {
        EchoPolicy::Show
    };
    RunSettings {
        cases: planned.plan.planned.len(),
        in_flight: job.settings.in_flight,
        max_retries: job.settings.max_retries,
        max_wait: job.settings.max_wait,
        max_failures: job.settings.max_failures,
        pace: job.settings.pace,
        canary: Canary { needed, echo },
        seed: fastrand::u64(..),
    }
}

fn run_start(job: &Job<'_>, planned: &Planned) -> RunStart {
    let ci_job = ["GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_ID"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    RunStart {
        user: ledgers::user(),
        host: ledger::host_name(),
        ci_job,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // No secret is ever in argv: the key comes from a file or the environment.
        command: super::super::rerun_command::own(),
        account: job.settings.destination.account.to_string(),
        map_id: job.settings.destination.map_id.clone(),
        plan: planned.name(),
        files: planned
            .checked
            .files
            .iter()
            .map(|file| RunFile {
                name: file.name.clone(),
                sha256: file.sha256.clone(),
                records: file.records,
            })
            .collect(),
        at: Timestamp::now(),
    }
}
