//! What the plan finds, told while it is made: problems and changed rows.

use anyhow::{Context, Result};

use super::super::problems::ProblemsOut;
use super::leftovers::Leftovers;
use super::{Job, files};
use crate::engine::PlanBatch;
use crate::ledger::{CaseFilter, LedgerReader};
use crate::model::CaseData;
use crate::output::problems::SHOWN;
use crate::output::terminal::status::link;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::text::{count, escaped};

/// Changed rows that are named one by one.
const CHANGED_SHOWN: u64 = 5;

/// Tells problems and changed rows as the plan finds them.
pub(super) struct PlanReport<'a> {
    problems: ProblemsOut,
    output: OutputOptions,
    files: Vec<String>,
    /// Knows under which id a case was imported.
    ledger: Option<&'a LedgerReader>,
    case_url: Option<&'a str>,
    changed: u64,
    /// What stays behind, for the files that the run leaves.
    pub(super) leftovers: Option<Leftovers>,
}

impl<'a> PlanReport<'a> {
    /// For the files of an import into a ledger.
    pub(super) fn new(job: &'a Job<'_>, ledger: Option<&'a LedgerReader>) -> Result<Self> {
        let problems = ProblemsOut::new(job.settings.output, &job.settings.read, SHOWN)?;
        Ok(Self {
            problems: problems.with_json(job.settings.output.json),
            output: job.settings.output,
            files: job.settings.read.file_names(),
            ledger,
            case_url: job.settings.case_url.as_deref(),
            changed: 0,
            leftovers: files::Outputs::wanted(job)
                .then(Leftovers::create)
                .transpose()
                .context("can't make a temporary file")?,
        })
    }

    /// Reports what the plan found in a batch, and keeps what the run's files
    /// will need of it.
    pub(super) fn add(&mut self, batch: PlanBatch) -> std::io::Result<()> {
        for problem in &batch.problems {
            self.problems.add(problem);
            if let Some(leftovers) = &mut self.leftovers {
                leftovers.problem(problem)?;
            }
        }
        for invalid in &batch.invalid {
            if let Some(leftovers) = &mut self.leftovers {
                leftovers.invalid(invalid)?;
            }
        }
        for case in &batch.changed {
            self.changed(case);
        }
        Ok(())
    }

    /// Where a case is on the platform: ` as c-17 (https://…)`.
    fn imported_as(&self, case: &CaseData) -> String {
        let filter = CaseFilter {
            keys: Some(vec![case.key.clone()]),
            ..CaseFilter::default()
        };
        // Without its id the row is still told.
        let id = (self.ledger)
            .and_then(|ledger| ledger.select(&filter).ok()?.pop()?.case_id)
            .unwrap_or_default();
        match (id.as_str(), self.case_url) {
            ("", _) => String::new(),
            (id, None) => format!(" as {}", escaped(id)),
            (id, Some(url)) => format!(" as {} ({})", escaped(id), escaped(&link(url, id))),
        }
    }

    /// Says what was not shown.
    pub(super) fn close(&mut self) {
        if self.changed > CHANGED_SHOWN && !self.output.quiet && !self.output.json {
            print_status(&format!(
                "… and {} more",
                count(self.changed - CHANGED_SHOWN, "changed row")
            ));
        }
        self.problems.close();
    }
}

impl PlanReport<'_> {
    fn changed(&mut self, case: &CaseData) {
        self.changed += 1;
        if self.changed > CHANGED_SHOWN || self.output.quiet || self.output.json {
            return;
        }
        let file = crate::output::problems::file_name(case.place, &self.files);
        print_status(&format!(
            "{}:{}: case {} was imported{} and the row has changed since; it is not sent again",
            escaped(file),
            case.place.line,
            escaped(&case.key.to_string()),
            self.imported_as(case),
        ));
    }
}
