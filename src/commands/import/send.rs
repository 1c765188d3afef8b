//! The run itself: server, ledger and files are opened, the engine sends, and
//! the end is written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::Exit;
use super::super::interrupts::Interrupts;
use super::super::rerun_command;
use super::files::{self, NamedFiles};
use super::{CheckedPlan, Import};
use crate::api::{Address, CaseIdField, Client, ClientOptions, Secret};
use crate::cli::settings::{ImportSettings, environment};
use crate::engine::scheduler::{Canary, EchoPolicy, RunSettings};
use crate::engine::{self, ImportRun, RunResult};
use crate::ledger::{self, Handle, Ledger, LedgerError, RunEnd, RunFile, RunId, RunStart};
use crate::model::{StopReason, user_name};
use crate::output::files::UnsavedFile;
use crate::output::terminal::run_report::RunReport;
use crate::output::terminal::streams::{confirm, print_error, print_warning};
use crate::output::terminal::summary::{Summary, stop_message};
use crate::output::terminal::text::{count, escaped_path};
use crate::sandbox::{self, RunningSandbox, SandboxOptions};

/// Nothing to send: no run begins, but the files asked for are written.
pub(super) fn nothing(mut plan: CheckedPlan<'_>, named: NamedFiles) -> Result<Exit> {
    let files = files::begin(named, &mut plan, None)?;
    let import = &plan.import;
    let (mut summary, exit) = import.summary_of_run(plan.totals(), &RunResult::default(), None);
    summary.plan = plan.name();
    files.finish(&summary, import.settings, true);
    Ok(import.close(summary, exit))
}

/// Sends what the plan holds, after so many different case ids in the ledger.
pub(super) async fn send(
    mut plan: CheckedPlan<'_>,
    named: NamedFiles,
    ledger: Ledger,
    imported_ids: u8,
    interrupts: &Interrupts,
) -> Result<Exit> {
    let settings = plan.import.settings;
    let (sandbox, client) = connect(settings).await?;
    let run_settings = run_settings(&plan, imported_ids);
    let ledger = ledger.start(settings.read.config.ledger.keep_payloads)?;
    let start = run_start(&plan);
    let run = ledger.begin_run(start.clone()).await?;
    let mut files = files::begin(named, &mut plan, Some((run, &start)))?;
    let (sending, output) = (&settings.args.sending, settings.output);
    let show_answers = (output.verbose || sending.limit == Some(1)) && !output.json;
    let names = settings.read.file_names();
    let mut report = RunReport::new(plan.to_send(), names, output, show_answers);
    let (totals, name) = (plan.totals_without_sends(), plan.name());
    let import_run = ImportRun {
        resend_in_doubt: sending.resend_in_doubt.is_some(),
        planned: plan.plan.planned,
        spooled: plan.plan.spooled,
        client: Arc::new(client),
        ledger: ledger.clone(),
        run,
        settings: run_settings,
        interrupts: interrupts.run(),
        ask_echo: || confirm("Continue with the import?").unwrap_or(false),
        wall_clock: Box::new(SystemTime::now),
    };
    let mut unsaved = UnsavedFile::new(unsaved_path());
    let result = engine::run_import(import_run, &mut |event| {
        report.add_event(&event);
        files.add_event(&event);
        unsaved.add_event(&mut files::opener(settings), &event);
    })
    .await;
    report.finish();
    let import = &plan.import;
    let (mut summary, mut exit) = import.summary_of_run(totals, &result, report.last_error());
    interrupts.run_ended(exit);
    summary.run = Some(run.0);
    summary.reject_reasons = report.reject_reasons();
    summary.plan = name;
    let ended = end_run(&ledger, run, &summary, &result).await;
    let is_closed = ended.is_ok();
    if let Err(error) = ended
        && result.failure.is_none()
    {
        exit = Import::without_end(&mut summary, exit, &error);
    }
    files.finish(&summary, settings, is_closed);
    import.close(summary, exit);
    report_unsaved(unsaved, &settings.ledger.flags);
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    Ok(exit)
}

/// Where the outcomes go that the ledger can't store: a new file in the working
/// directory.
fn unsaved_path() -> PathBuf {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("caseload-unsaved-{now}.csv").into()
}

fn report_unsaved(unsaved: UnsavedFile, flags: &str) {
    match unsaved.finish() {
        None => {}
        Some(Ok((path, rows))) => print_warning(&format!(
            "{} that the ledger could not store {} in {path}: as soon as the ledger can be used \
             again, record {} with `caseload resolve{flags} --list {path}`",
            count(rows, "outcome"),
            if rows == 1 { "is" } else { "are" },
            if rows == 1 { "it" } else { "them" },
            path = escaped_path(&path),
        )),
        Some(Err(error)) => print_error(&error.to_string()),
    }
}

/// The client, and for a test run the sandbox that it calls.
async fn connect(settings: &ImportSettings) -> Result<(Option<RunningSandbox>, Client)> {
    let destination = &settings.destination;
    let (mut sandbox, mut key) = (None, settings.public_key.clone());
    let address = if let Some(address) = &destination.address {
        address.clone()
    } else {
        // Other processes can reach the port, but they don't have this key.
        let own_key = Uuid::now_v7().simple().to_string();
        key = Some(Secret::from_text(&own_key, "the sandbox")?);
        let options = SandboxOptions {
            public_key: Some(own_key),
            private: true,
            ..SandboxOptions::default()
        };
        let running = sandbox::start(options).await?;
        let address = Address::new(&running.base_url(), None, &destination.map_id, None)?;
        sandbox = Some(running);
        address
    };
    let client = Client::new(
        address,
        destination.contract.clone(),
        key,
        ClientOptions {
            timeout: settings.args.pace.timeout,
            ca_file: settings.ca_file.clone(),
        },
    )?;
    Ok((sandbox, client))
}

fn run_settings(plan: &CheckedPlan<'_>, imported_ids: u8) -> RunSettings {
    let settings = plan.import.settings;
    let pace = &settings.args.pace;
    let wanted_ids: u32 = match settings.destination.contract.case_id_field {
        CaseIdField::None => 1,
        _ => 2,
    };
    let echo = if settings.read.args.strict {
        EchoPolicy::Stop
    } else if settings.asks {
        EchoPolicy::Ask
    } else {
        EchoPolicy::Show
    };
    RunSettings {
        cases: plan.plan.planned.len(),
        in_flight: usize::from(pace.in_flight),
        max_retries: pace.max_retries,
        max_wait: pace.max_wait,
        max_failures: pace.max_failures,
        pace: pace.pace,
        canary: Canary {
            needed: wanted_ids.saturating_sub(imported_ids.into()),
            echo,
        },
        seed: fastrand::u64(..),
    }
}

fn run_start(plan: &CheckedPlan<'_>) -> RunStart {
    let settings = plan.import.settings;
    let ci_job = ["GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_ID"]
        .iter()
        .find_map(|name| environment(name));
    let files = plan.checked.files.iter().map(|file| RunFile {
        name: file.name.clone(),
        sha256: file.sha256.clone(),
        records: file.records,
    });
    RunStart {
        user: user_name(),
        host: ledger::host_name(),
        pid: std::process::id(),
        ci_job,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // No secret is ever in argv: the key comes from a file or the environment.
        command: rerun_command::own(),
        account: settings.destination.account.to_string(),
        map_id: settings.destination.map_id.clone(),
        keys: settings.read.check.rules.key_origin(),
        plan: plan.name(),
        files: files.collect(),
        at: Timestamp::now(),
    }
}

async fn end_run(
    ledger: &Handle,
    run: RunId,
    summary: &Summary,
    result: &RunResult,
) -> Result<(), LedgerError> {
    let how = match &result.stop {
        None => RunEnd::Finished,
        Some(StopReason::Interrupted) => RunEnd::Interrupted,
        Some(reason) => RunEnd::Stopped(stop_message(reason, false)),
    };
    ledger
        .end_run(run, summary.totals, how, Timestamp::now())
        .await?;
    ledger.clone().close().await
}
