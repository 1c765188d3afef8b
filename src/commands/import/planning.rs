//! Reading, checking and planning: what an import would do, before it does it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::super::ledgers::ImportLedger;
use super::findings::FindingsSpool;
use super::plan_reporter::PlanReport;
use super::{Job, files};
use crate::check::{self, CheckOptions, Checked};
use crate::cli::args::ApprovedPlan;
use crate::cli::settings::ImportSettings;
use crate::engine::{Plan, PlanAction, PlanError, PlanOptions, Planner};
use crate::mapping::Rules;
use crate::model::Totals;
use crate::output::terminal::text::count;

/// A check against the ledger, over and told.
pub(super) struct Planned {
    pub(super) checked: Checked,
    pub(super) plan: Plan,
    pub(super) has_key: bool,
    pub(super) files: Vec<String>,
    /// What stays behind, for the files that the run leaves.
    pub(super) findings: Option<FindingsSpool>,
}

impl Planned {
    /// Records that are left out for problems.
    pub(super) fn problems(&self) -> u64 {
        self.checked.total - self.checked.valid + self.plan.same_content
    }

    pub(super) fn to_send(&self) -> u64 {
        self.plan.planned.len() as u64
    }

    /// `HASH-N`; without a key column there is none.
    pub(super) fn name(&self) -> Option<String> {
        self.has_key
            .then(|| format!("{}-{}", self.plan.hash, self.to_send()))
    }

    /// Whether problems keep everything from being sent.
    pub(super) fn blocked(&self, settings: &ImportSettings) -> bool {
        let errors = self.checked.errors + self.plan.same_content > 0;
        errors && (!settings.skip_invalid || self.checked.unskippable > 0)
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
            in_doubt: self.plan.count(PlanAction::Hold),
            problems: self.problems(),
            ..Totals::default()
        };
        totals += self.plan.beyond_limit;
        totals
    }
}

/// Reads, checks and plans.
pub(super) fn plan(job: &Job<'_>, rules: &Arc<Rules>, found: &ImportLedger) -> Result<Planned> {
    let mut report = PlanReport::new(job, found.reader())?;
    let now = Timestamp::now().as_second();
    let options = PlanOptions {
        allow_same_content: job.settings.allow_same_content,
        resend_doubts_before: (job.settings.resend_in_doubt)
            .map(|age| now.saturating_sub_unsigned(age.as_secs())),
        limit: job.settings.limit,
        keep_all: job.settings.dry_run && job.settings.output.json,
    };
    let explained = |error| job.settings.read.check_error(error);
    let mut planner = Planner::new(
        check::check(check_options(job, rules, true, false)).map_err(explained)?,
        found.reader(),
        job.settings.destination.account.as_str(),
        &job.settings.destination.map_id,
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
    super::super::warn_guessed_encodings(&checked, job.settings.output);
    Ok(Planned {
        findings: report.findings,
        checked,
        plan,
        has_key: !rules.options().key.is_empty(),
        files: job.settings.read.file_names(),
    })
}

/// How the input is checked.
pub(super) fn check_options(
    job: &Job<'_>,
    rules: &Arc<Rules>,
    collect_cases: bool,
    summarize_columns: bool,
) -> CheckOptions {
    CheckOptions {
        inputs: job.settings.read.inputs.clone(),
        read: crate::input::ReadOptions {
            digest: collect_cases,
            ..job.settings.read.options.clone()
        },
        rules: Arc::clone(rules),
        strict: job.settings.read.strict,
        collect_cases,
        collect_invalid: collect_cases && files::want_findings(job) && job.settings.skip_invalid,
        summarize_columns,
        workers: 0,
    }
}

/// Refuses another plan than the approved one, and more cases than it allows.
pub(super) fn check_plan(approved: &ApprovedPlan, planned: &Planned) -> Result<()> {
    if approved.hash != planned.plan.hash {
        bail!(
            "the plan has changed: it is now {}; the account, the map or the cases differ from \
             what the dry run showed. Nothing was sent",
            planned.name().unwrap_or_default()
        );
    }
    if planned.to_send() > approved.most {
        bail!(
            "the plan allows {}, and {} would be sent now: the ledger knows less than it did. \
             Nothing was sent",
            count(approved.most, "case"),
            planned.to_send()
        );
    }
    Ok(())
}
