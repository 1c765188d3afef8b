//! Where a check's problems go: the streams, annotations, a spreadsheet.

use anyhow::Result;

use crate::cli::settings::ReadSettings;
use crate::model::Problem;
use crate::output::files::{Flush, Kind, Opener, ProblemsFile};
use crate::output::problems::{Problems, to_json};
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::output::terminal::text::escaped;

/// Takes problems and brings them to everybody who wants them.
pub(super) struct ProblemsOut {
    shown: Problems,
    json: bool,
    redact: bool,
    files: Vec<String>,
    spreadsheet: Option<ProblemsFile>,
}

impl ProblemsOut {
    /// Shows the first `most` in full; JSON has them all.
    pub(super) fn new(output: OutputOptions, read: &ReadSettings, most: u64) -> Result<Self> {
        let files = read.file_names();
        let annotations = read.problems.annotations;
        let spreadsheet = match &read.problems.spreadsheet {
            Some(path) => {
                let registry = super::outputs::registry();
                let inputs = super::outputs::paths(&read.inputs);
                let mut opener = Opener::new(&registry, inputs, Flush::Chunks);
                let target = opener.open(path, Kind::Csv)?;
                Some(ProblemsFile::begin(target, files.clone(), output.redact)?)
            }
            None => None,
        };
        Ok(Self {
            shown: Problems::new(output, files.clone(), most, annotations),
            json: false,
            redact: output.redact,
            files,
            spreadsheet,
        })
    }

    /// Prints each as a JSON document too.
    #[must_use]
    pub(super) fn with_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Takes one.
    pub(super) fn add(&mut self, problem: &Problem) {
        if let Some(spreadsheet) = &mut self.spreadsheet {
            spreadsheet.add(problem);
        }
        self.shown.add(problem);
        if self.json {
            print_json(&to_json(problem, &self.files, self.redact));
        }
    }

    /// Says what was not shown, and closes the spreadsheet.
    pub(super) fn close(&mut self) {
        self.shown.close();
        if let Some(spreadsheet) = self.spreadsheet.take()
            && let Err(error) = spreadsheet.finish()
        {
            print_status(&escaped(&error.to_string()));
        }
    }
}
