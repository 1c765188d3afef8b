//! Reading, checking and planning: what an import would do, before it does it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::account::LedgerLookup;
use super::leftovers::Leftovers;
use super::plan_reporter::PlanReport;
use super::{ImportArgs, Job, files};
use crate::check::{self, CheckOptions, Checked};
use crate::cli::settings;
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
    pub(super) leftovers: Option<Leftovers>,
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
    pub(super) fn blocked(&self, args: &ImportArgs) -> bool {
        let errors = self.checked.errors + self.plan.same_content > 0;
        errors && (!args.skip_invalid || self.checked.unskippable > 0)
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
pub(super) fn plan(job: &Job<'_>, rules: &Arc<Rules>, found: &LedgerLookup) -> Result<Planned> {
    let mut report = PlanReport::new(job, found.reader())?;
    let oldest = Timestamp::now().as_second()
        - i64::try_from(job.args.min_doubt_age.as_secs()).unwrap_or(i64::MAX);
    let options = PlanOptions {
        allow_same_content: job.args.allow_same_content,
        resend_doubts_before: job.args.resend_in_doubt.then_some(oldest),
        limit: job.args.limit,
        keep_all: job.args.dry_run && job.output.json,
    };
    let explained = |error| settings::check_error(error, &job.inputs, job.config.as_ref());
    let mut planner = Planner::new(
        check::check(check_options(job, rules, true, false)).map_err(explained)?,
        found.reader(),
        job.destination.account.as_str(),
        &job.destination.map_id,
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
    report.close();
    if !job.output.quiet && !job.output.json {
        super::super::warn_guessed_encodings(&checked);
    }
    Ok(Planned {
        leftovers: report.leftovers,
        checked,
        plan,
        has_key: !rules.options().key.is_empty(),
        files: job.file_names(),
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
        inputs: job.inputs.clone(),
        read: crate::input::ReadOptions {
            digest: collect_cases,
            ..settings::source(&job.args.read)
        },
        rules: Arc::clone(rules),
        strict: job.args.read.strict,
        collect_cases,
        collect_invalid: collect_cases && files::Outputs::wanted(job) && job.args.skip_invalid,
        summarize_columns,
        workers: 0,
    }
}

/// `HASH-N`: the same plan, and no more cases than it allows.
pub(super) fn check_plan(expected: &str, planned: &Planned) -> Result<()> {
    let (hash, most) = expected
        .rsplit_once('-')
        .and_then(|(hash, number)| Some((hash, number.parse::<u64>().ok()?)))
        .context("--plan takes a HASH-N as a dry run prints it")?;
    if hash != planned.plan.hash {
        bail!(
            "the plan has changed since: this is {}; account, map or cases differ from what the \
             dry run has shown. Nothing was sent",
            planned.name().unwrap_or_default()
        );
    }
    if planned.to_send() > most {
        bail!(
            "the plan allows {}, and {} would be sent now: the ledger knows less than it did. \
             Nothing was sent",
            count(most, "case"),
            planned.to_send()
        );
    }
    Ok(())
}
