//! Reading, checking and planning: what an import would do, before it does it.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use super::super::findings::{Findings, KeptFindings};
use super::{Import, files};
use crate::check::{self, CheckOptions, Checked};
use crate::cli::args::ApprovedPlan;
use crate::cli::settings::ImportSettings;
use crate::engine::{AllowedDuplicates, Plan, PlanError, PlanOptions, PlannedCase, Planner};
use crate::input::ReadOptions;
use crate::ledger::{self, LedgerReader};
use crate::model::{CaseData, Key, State, Totals};
use crate::output::terminal::check_report::place_text;
use crate::output::terminal::status::case_link;
use crate::output::terminal::streams::print_status;
use crate::output::terminal::text::{count, escaped, escaped_or_redacted};

/// Changed rows that are named one by one.
const CHANGED_SHOWN: u64 = 5;

/// An import whose input is checked and compared with the ledger.
pub(super) struct CheckedPlan<'a> {
    pub(super) import: Import<'a>,
    pub(super) checked: Checked,
    pub(super) plan: Plan,
    /// Records and problems for the files that the run leaves.
    pub(super) findings: KeptFindings,
}

impl CheckedPlan<'_> {
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

    pub(super) fn has_key(&self) -> bool {
        !(self.import.settings.read.check.rules.options().key).is_empty()
    }

    /// `HASH-N`; without a key column there is none.
    pub(super) fn name(&self) -> Option<String> {
        self.has_key()
            .then(|| format!("{}-{}", self.plan.hash, self.to_send()))
    }

    /// Whether problems keep everything from being sent.
    pub(super) fn is_blocked(&self) -> bool {
        let skip_invalid = self.import.settings.args.sending.skip_invalid;
        self.checked.unskippable > 0 || (self.plan.others.problems > 0 && !skip_invalid)
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
        let mut totals = self.plan.others;
        totals += self.plan.beyond_limit;
        totals
    }

    /// Refuses to resend another number of cases in doubt than the user named.
    pub(super) fn refuse_other_doubts_than(&self, named: u64) -> Result<()> {
        let is_doubt = |planned: &&PlannedCase| planned.state == Some(State::InDoubt);
        let planned = self.plan.planned.iter().filter(is_doubt).count() as u64;
        let doubts = planned + self.plan.beyond_limit.in_doubt;
        ensure!(
            doubts == named,
            "--resend-in-doubt {named}: {} of this input can be sent once more. Only doubts older \
             than --min-doubt-age count. Nothing was sent",
            count(doubts, "case")
        );
        Ok(())
    }

    /// Refuses another plan than the approved one, and more cases than it allows.
    pub(super) fn refuse_other_than(&self, approved: &ApprovedPlan) -> Result<()> {
        ensure!(
            approved.hash == self.plan.hash,
            "the plan has changed: it is now {}; the account, the map or the cases differ from \
             what the dry run showed. Nothing was sent",
            self.name().unwrap_or_default()
        );
        ensure!(
            self.to_send() <= approved.most,
            "the plan allows {}, and {} would be sent now: the ledger knows less than it did. \
             Nothing was sent",
            count(approved.most, "case"),
            self.to_send()
        );
        Ok(())
    }
}

/// Reads, checks and plans; problems and changed rows are reported on the way.
pub(super) fn check_and_plan<'a>(
    import: Import<'a>,
    ledger: Option<&LedgerReader>,
) -> Result<CheckedPlan<'a>> {
    let settings = import.settings;
    let (read, destination) = (&settings.read, &settings.destination);
    let wants_findings = files::want_findings(settings);
    let protected = files::protected(settings);
    let mut findings = Findings::new(read, settings.output, protected, wants_findings)?;
    let options = CheckOptions {
        read: ReadOptions {
            digest: true,
            ..read.check.read.clone()
        },
        collect_cases: true,
        collect_invalid: wants_findings && settings.args.sending.skip_invalid,
        ..read.check.clone()
    };
    let explained = |error| read.check_error(error);
    let mut planner = Planner::new(
        check::check(options).map_err(explained)?,
        ledger,
        destination.account.as_str(),
        &destination.map_id,
        plan_options(settings),
        &ledger::temporary_folder(),
    )?;
    let mut changed = 0;
    for batch in &mut planner {
        let batch = batch.map_err(|error| match error {
            PlanError::Check(error) => explained(error),
            error => error.into(),
        })?;
        findings.add(batch.problems, batch.invalid)?;
        for case in &batch.changed {
            changed += 1;
            if changed <= CHANGED_SHOWN {
                report_changed(settings, ledger, case);
            }
        }
    }
    let (plan, checked) = planner.finish();
    if changed > CHANGED_SHOWN && !settings.output.quiet && !settings.output.json {
        let more = count(changed - CHANGED_SHOWN, "changed row");
        print_status(&format!("… and {more} more"));
    }
    Ok(CheckedPlan {
        findings: findings.finish(checked.total)?,
        import,
        checked,
        plan,
    })
}

fn plan_options(settings: &ImportSettings) -> PlanOptions {
    let sending = &settings.args.sending;
    let now = Timestamp::now().as_second();
    let source = settings.read.check.rules.key_origin().source;
    let keys = sending.allow_duplicate.iter();
    PlanOptions {
        allowed: AllowedDuplicates {
            keys: keys.map(|key| Key::from_typed(&source, key)).collect(),
            all: sending.allow_duplicates,
        },
        resend_doubts_before: (sending.resend_in_doubt)
            .map(|_| now.saturating_sub_unsigned(sending.min_doubt_age.as_secs())),
        limit: sending.limit,
        keep_all: sending.dry_run && settings.output.json,
    }
}

/// Names a row that was imported and has changed since, with its place on the
/// platform.
fn report_changed(settings: &ImportSettings, ledger: Option<&LedgerReader>, case: &CaseData) {
    if settings.output.quiet || settings.output.json {
        return;
    }
    // Without its id the row is reported all the same.
    let known = ledger.and_then(|ledger| ledger.case(&case.key).ok()?);
    let case_id = known.and_then(|known| known.case_id);
    let imported_as = match (case_id, &settings.read.config.platform.case_url) {
        (None, _) => String::new(),
        (Some(id), None) => format!(" as {}", escaped(&id)),
        (Some(id), Some(url)) => {
            format!(" as {} ({})", escaped(&id), escaped(&case_link(url, &id)))
        }
    };
    print_status(&format!(
        "{}: skipped, changed since import: case {} was imported{imported_as} and is not sent \
         again",
        place_text(case.place, &settings.read.file_names()),
        escaped_or_redacted(&case.key.to_string(), settings.output.redact),
    ));
}
