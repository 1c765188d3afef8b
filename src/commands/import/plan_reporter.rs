//! Reports problems and changed rows while the plan is made.

use anyhow::{Context, Result};

use super::super::outputs;
use super::files;
use super::findings::{Finding, FindingsSpool};
use crate::cli::settings::ImportSettings;
use crate::engine::PlanBatch;
use crate::ledger::LedgerReader;
use crate::model::CaseData;
use crate::output::files::OutputFileError;
use crate::output::terminal::check_report::{PROBLEMS_SHOWN, ProblemReporter, file_name};
use crate::output::terminal::status::case_link;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::text::{count, escaped};

/// Changed rows that are named one by one.
const CHANGED_SHOWN: u64 = 5;

pub(super) struct PlanReport<'a> {
    problems: ProblemReporter,
    output: OutputOptions,
    files: Vec<String>,
    /// Has the id that a case was imported as.
    ledger: Option<&'a LedgerReader>,
    case_url: Option<&'a str>,
    changed: u64,
    /// For the files that the run leaves.
    pub(super) findings: Option<FindingsSpool>,
}

impl<'a> PlanReport<'a> {
    pub(super) fn new(
        settings: &'a ImportSettings,
        ledger: Option<&'a LedgerReader>,
    ) -> Result<Self> {
        let problems = outputs::problem_reporter(
            settings.output,
            &settings.read,
            PROBLEMS_SHOWN,
            files::protected(settings),
        )?;
        Ok(Self {
            problems,
            output: settings.output,
            files: settings.read.file_names(),
            ledger,
            case_url: settings.case_url.as_deref(),
            changed: 0,
            findings: files::want_findings(settings)
                .then(FindingsSpool::create)
                .transpose()
                .context("cannot create a temporary file")?,
        })
    }

    /// Reports what the plan found in a batch, and keeps what the run's files
    /// will need of it.
    pub(super) fn add(&mut self, batch: PlanBatch) -> std::io::Result<()> {
        for problem in &batch.problems {
            self.problems.add(problem);
        }
        if let Some(findings) = &mut self.findings {
            let problems = batch.problems.into_iter().map(Finding::Problem);
            let invalid = batch.invalid.into_iter().map(Finding::Invalid);
            for finding in problems.chain(invalid) {
                findings.write(&finding)?;
            }
        }
        for case in &batch.changed {
            self.changed(case);
        }
        Ok(())
    }

    /// Where a case is on the platform: ` as c-17 (https://…)`.
    fn imported_as(&self, case: &CaseData) -> String {
        // Without its id the row is reported all the same.
        let known = self.ledger.and_then(|ledger| ledger.case(&case.key).ok()?);
        match (known.and_then(|known| known.case_id), self.case_url) {
            (None, _) => String::new(),
            (Some(id), None) => format!(" as {}", escaped(&id)),
            (Some(id), Some(url)) => {
                format!(" as {} ({})", escaped(&id), escaped(&case_link(url, &id)))
            }
        }
    }

    /// Says what was not shown.
    pub(super) fn close(&mut self) -> Result<(), OutputFileError> {
        if self.changed > CHANGED_SHOWN && !self.output.quiet && !self.output.json {
            print_status(&format!(
                "… and {} more",
                count(self.changed - CHANGED_SHOWN, "changed row")
            ));
        }
        self.problems.finish()
    }
}

impl PlanReport<'_> {
    fn changed(&mut self, case: &CaseData) {
        self.changed += 1;
        if self.changed > CHANGED_SHOWN || self.output.quiet || self.output.json {
            return;
        }
        let file = file_name(case.place, &self.files);
        print_status(&format!(
            "{}:{}: skipped, changed since import: case {} was imported{} and is not sent again",
            escaped(file),
            case.place.line,
            escaped(&case.key.to_string()),
            self.imported_as(case),
        ));
    }
}
