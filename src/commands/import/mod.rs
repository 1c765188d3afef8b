//! `caseload import`: check every row, then post each case once.

mod closing;
pub(super) mod files;
mod origin;
mod plan;
mod review;
mod send;

use std::time::Instant;

use anyhow::Result;

use self::plan::{CheckedPlan, check_and_plan};
use super::interrupts::Interrupts;
use super::ledgers::{self, ImportLedger};
use super::rerun_command::{self, Rerun};
use super::{Exit, block_on, print_closing};
use crate::cli::settings::ImportSettings;
use crate::output::terminal::streams::{is_interactive, print_json, print_status};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::escaped_path;

/// An import that has begun.
struct Import<'a> {
    settings: &'a ImportSettings,
    began: Instant,
}

pub(super) fn run(settings: &ImportSettings) -> Result<Exit> {
    let import = Import {
        settings,
        began: Instant::now(),
    };
    let sending = &settings.args.sending;
    let interrupts = import.catch_interrupts()?;
    if settings.needs_key_columns() {
        return Err(origin::no_key_columns(settings)?);
    }
    let ledger = ledgers::open_for_import(settings)?;
    origin::check(settings, ledger.reader())?;
    if settings.creates_ledger_only() {
        return create_ledger_only(settings, ledger);
    }
    let mut plan = check_and_plan(import, ledger.reader())?;
    origin::refuse_unknown_ids(&plan)?;
    if let Some(named) = sending.resend_in_doubt {
        plan.refuse_other_doubts_than(named)?;
    }
    if plan.is_blocked() {
        return Ok(plan.close_for_problems());
    }
    if sending.dry_run {
        return review::dry_run(plan, &ledger);
    }
    if let Some(approved) = &sending.plan {
        plan.refuse_other_than(approved)?;
    }
    let files = files::open_named(&plan)?;
    if plan.to_send() == 0 {
        return send::nothing(plan, files);
    }
    if settings.asks && !review::ask(&mut plan, &ledger)? {
        return Ok(plan.close_declined());
    }
    let imported_ids = ledger.info().map_or(0, |info| info.imported_distinct_ids);
    let ledger = ledger.into_ledger(settings)?;
    block_on(send::send(plan, files, ledger, imported_ids, &interrupts))?
}

impl Import<'_> {
    fn summary(&self) -> Summary {
        Summary {
            account: self.settings.destination.account.to_string(),
            elapsed: self.began.elapsed(),
            ..Summary::default()
        }
    }

    /// An interrupt before anything was sent ends with a summary too.
    fn catch_interrupts(&self) -> Result<Interrupts> {
        let mut summary = self.summary();
        let json = self.settings.output.json;
        let began = self.began;
        Interrupts::catch(move || {
            summary.elapsed = began.elapsed();
            summary.stopped = Some("interrupted before anything was sent".to_owned());
            summary.exit_code = Exit::Interrupted.code();
            if json {
                print_json(&summary.to_json());
            } else {
                // The line of a question was not ended by an answer.
                let line = if is_interactive() { "\n" } else { "" };
                print_status(&format!("{line}interrupted before anything was sent"));
            }
        })
    }
}

/// In a CI job a ledger is created in a run of its own, which sends nothing.
fn create_ledger_only(settings: &ImportSettings, ledger: ImportLedger) -> Result<Exit> {
    let info = ledger.into_ledger(settings)?.reader().info()?;
    let id_flag = format!(" --ledger-id {}", info.id);
    let next = rerun_command::command(&rerun_command::own(), Rerun::AfterRun, &id_flag);
    if settings.output.json {
        let members = serde_json::json!({
            "new_ledger": info.id,
            "path": info.path.display().to_string(),
            "account": info.account,
            "next": next.into_iter().collect::<Vec<_>>(),
        });
        print_closing("import", Exit::Done, members);
    } else {
        print_status(&format!(
            "created ledger {} at {}; nothing was sent.\nKeep it, and name it in the jobs that send: \
             CASELOAD_LEDGER_ID={}",
            info.id,
            escaped_path(&info.path),
            info.id
        ));
        if let Some(next) = next {
            print_status(&format!("next: {next}"));
        }
    }
    Ok(Exit::Done)
}
