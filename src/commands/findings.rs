//! What a check finds: reported as it comes, and kept for files that can only be
//! opened when the whole input is known.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::check::Invalid;
use crate::cli::settings::ReadSettings;
use crate::ledger;
use crate::model::{Format, Problem};
use crate::output::files::{CaseFiles, FlushPolicy, OutputOpener, ProblemsFile};
use crate::output::terminal::check_report::ProblemReporter;
use crate::output::terminal::streams::OutputOptions;

#[derive(Debug, Serialize, Deserialize)]
enum Finding {
    Problem(Problem),
    Invalid(Invalid),
}

/// Where the findings of a check go.
pub(super) struct Findings {
    reporter: ProblemReporter,
    kept: KeptFindings,
}

/// Findings in an unlinked temporary file, if they are kept.
pub(super) struct KeptFindings(Option<BufWriter<File>>);

impl Findings {
    /// The spreadsheet of `--problems` never replaces one of the protected files.
    pub(super) fn new(
        read: &ReadSettings,
        output: OutputOptions,
        protected: Vec<PathBuf>,
        keep: bool,
    ) -> Result<Self> {
        let files = read.file_names();
        let mut reporter = ProblemReporter::new(output, files.clone(), read.args.max_shown);
        reporter.github = read.args.annotations.is_some();
        if let Some(path) = &read.args.problems {
            let mut opener = OutputOpener::new(read.force, FlushPolicy::Chunks, protected);
            let file = opener.open(path, Format::Csv)?;
            reporter.spreadsheet = Some(ProblemsFile::create(file, files, output.redact)?);
        }
        let kept = keep.then(|| tempfile::tempfile_in(ledger::temporary_folder()));
        let kept = kept.transpose().context("can't create a temporary file")?;
        Ok(Self {
            reporter,
            kept: KeptFindings(kept.map(BufWriter::new)),
        })
    }

    pub(super) fn add(
        &mut self,
        problems: impl IntoIterator<Item = Problem>,
        invalid: Vec<Invalid>,
    ) -> Result<()> {
        for problem in problems {
            self.reporter.add(&problem);
            self.kept.add(&Finding::Problem(problem))?;
        }
        for invalid in invalid {
            self.kept.add(&Finding::Invalid(invalid))?;
        }
        Ok(())
    }

    /// Completes the report about so many records.
    pub(super) fn finish(self, records: u64) -> Result<KeptFindings> {
        self.reporter.finish(records)?;
        Ok(self.kept)
    }
}

impl KeptFindings {
    fn add(&mut self, finding: &Finding) -> Result<()> {
        let Some(file) = &mut self.0 else {
            return Ok(());
        };
        serde_json::to_writer(file, finding).context("can't write a temporary file")
    }

    /// Writes what was kept to the files that are for it.
    pub(super) fn write(
        &mut self,
        files: &mut CaseFiles,
        mut problems: Option<&mut ProblemsFile>,
    ) -> Result<()> {
        let Some(file) = self.0.take() else {
            return Ok(());
        };
        let mut file = file.into_inner().context("can't write a temporary file")?;
        file.rewind()?;
        for finding in serde_json::Deserializer::from_reader(BufReader::new(file)).into_iter() {
            match finding.context("can't read a temporary file")? {
                Finding::Invalid(invalid) => {
                    let (source, raw) = (usize::from(invalid.file.0), &*invalid.raw_record);
                    match &invalid.key {
                        Some(key) if invalid.is_held => {
                            files.add_held(source, raw, key, &invalid.reason);
                        }
                        key => files.add_reject(source, raw, key.as_ref(), &invalid.reason),
                    }
                }
                Finding::Problem(problem) => {
                    if let Some(problems) = &mut problems {
                        problems.add(&problem);
                    }
                }
            }
        }
        Ok(())
    }
}
