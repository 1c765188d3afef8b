//! Reading, checking and planning: what an import would do, before it does it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::super::warn_guessed_encodings;
use super::files;
use super::findings::FindingsSpool;
use super::plan_reporter::PlanReport;
use crate::check::{self, CheckOptions, Checked};
use crate::cli::args::ApprovedPlan;
use crate::cli::settings::ImportSettings;
use crate::engine::{Plan, PlanAction, PlanError, PlanOptions, Planner};
use crate::input::ReadOptions;
use crate::ledger::LedgerReader;
use crate::mapping::Rules;
use crate::model::{CaseData, Totals};
use crate::output::terminal::text::count;

/// The input, checked and compared with the ledger.
pub(super) struct CheckedPlan {
    pub(super) checked: Checked,
    pub(super) plan: Plan,
    pub(super) has_key: bool,
    pub(super) files: Vec<String>,
    /// Records and problems for the files that the run leaves.
    pub(super) findings: Option<FindingsSpool>,
}

impl CheckedPlan {
    pub(super) fn to_send(&self) -> u64 {
        self.plan.planned.len() as u64
    }

    /// The first case to send.
    pub(super) fn first(&mut self) -> Result<Option<CaseData>> {
        let first = self.plan.planned.first();
        first
            .map(|planned| self.plan.spooled.read(planned.slot))
            .transpose()
            .context("the spool")
    }

    /// `HASH-N`; without a key column there is none.
    pub(super) fn name(&self) -> Option<String> {
        self.has_key
            .then(|| format!("{}-{}", self.plan.hash, self.to_send()))
    }

    pub(super) fn errors(&self) -> u64 {
        self.checked.errors + self.plan.count(PlanAction::Held)
    }

    /// Whether problems keep everything from being sent.
    pub(super) fn is_blocked(&self, settings: &ImportSettings) -> bool {
        self.errors() > 0 && (!settings.sending.skip_invalid || self.checked.unskippable > 0)
    }

    /// Before anything was sent.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = self.totals_without_sends();
        for planned in &self.plan.planned {
            totals.add(planned.state, 1);
        }
        totals
    }

    /// Every record but those that are about to be sent: the run counts them.
    pub(super) fn totals_without_sends(&self) -> Totals {
        let mut totals = Totals {
            total: self.checked.total,
            already_imported: self.plan.count(PlanAction::Skip),
            changed: self.plan.count(PlanAction::Changed),
            in_doubt: self.plan.count(PlanAction::InDoubt),
            problems: self.checked.total - self.checked.valid + self.plan.count(PlanAction::Held),
            ..Totals::default()
        };
        totals += self.plan.beyond_limit;
        totals
    }

    /// Refuses another plan than the approved one, and more cases than it allows.
    pub(super) fn refuse_other_than(&self, approved: &ApprovedPlan) -> Result<()> {
        if approved.hash != self.plan.hash {
            bail!(
                "the plan has changed: it is now {}; the account, the map or the cases differ \
                 from what the dry run showed. Nothing was sent",
                self.name().unwrap_or_default()
            );
        }
        if self.to_send() > approved.most {
            bail!(
                "the plan allows {}, and {} would be sent now: the ledger knows less than it \
                 did. Nothing was sent",
                count(approved.most, "case"),
                self.to_send()
            );
        }
        Ok(())
    }
}

/// Reads, checks and plans; problems are reported on the way.
pub(super) fn check_and_plan(
    settings: &ImportSettings,
    rules: &Arc<Rules>,
    ledger: Option<&LedgerReader>,
) -> Result<CheckedPlan> {
    let mut report = PlanReport::new(settings, ledger)?;
    let now = Timestamp::now().as_second();
    let options = PlanOptions {
        allow_same_content: settings.sending.allow_same_content,
        resend_doubts_before: (settings.sending.resend_in_doubt)
            .then(|| now.saturating_sub_unsigned(settings.sending.min_doubt_age.as_secs())),
        limit: settings.sending.limit,
        keep_all: settings.sending.dry_run && settings.output.json,
    };
    let explained = |error| settings.read.check_error(error);
    let mut planner = Planner::new(
        check::check(check_options(settings, rules)).map_err(explained)?,
        ledger,
        settings.destination.account.as_str(),
        &settings.destination.map_id,
        options,
    )?;
    for batch in &mut planner {
        let batch = batch.map_err(|error| match error {
            PlanError::Check(error) => explained(error),
            error => error.into(),
        })?;
        report.add(batch).context("can't write a temporary file")?;
    }
    let (plan, checked) = planner.finish()?;
    report.close()?;
    warn_guessed_encodings(&checked, settings.output);
    Ok(CheckedPlan {
        findings: report.findings,
        checked,
        plan,
        has_key: !rules.options().key.is_empty(),
        files: settings.read.file_names(),
    })
}

fn check_options(settings: &ImportSettings, rules: &Arc<Rules>) -> CheckOptions {
    CheckOptions {
        inputs: settings.read.inputs.clone(),
        read: ReadOptions {
            digest: true,
            ..settings.read.options.clone()
        },
        rules: Arc::clone(rules),
        strict: settings.read.strict,
        collect_cases: true,
        collect_invalid: files::want_findings(settings) && settings.sending.skip_invalid,
        summarize_columns: false,
    }
}
