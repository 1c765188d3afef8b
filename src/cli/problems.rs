//! Where a check's problems go: the screen, annotations, a spreadsheet.

use std::path::PathBuf;

use anyhow::Result;

use super::args::{Annotate, ReadArgs};
use crate::check::Sink;
use crate::model::{CaseData, Problem};
use crate::report::problems::{Annotations, Problems, to_json};
use crate::report::screen::{Style, print_json};

/// Takes problems and brings them to everybody who wants them.
pub(super) struct ProblemsOut {
    shown: Option<Problems>,
    json: bool,
    redact: bool,
    files: Vec<String>,
    errors: u64,
}

impl ProblemsOut {
    /// Shows the first `most` in full; JSON has them all.
    pub(super) fn new(
        style: Style,
        files: Vec<String>,
        most: u64,
        read: &ReadArgs,
        _inputs: &[PathBuf],
    ) -> Result<Self> {
        let annotations = match read.annotations {
            Some(Annotate::Github) => Annotations::GitHub,
            None => Annotations::None,
        };
        Ok(Self {
            shown: Some(Problems::new(style, files.clone(), most, annotations)),
            json: false,
            redact: style.redact,
            files,
            errors: 0,
        })
    }

    /// Shows nothing.
    pub(super) fn nowhere(style: Style, files: Vec<String>) -> Self {
        Self {
            shown: None,
            json: false,
            redact: style.redact,
            files,
            errors: 0,
        }
    }

    /// Prints each as a JSON document too.
    #[must_use]
    pub(super) fn with_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Takes one.
    pub(super) fn add(&mut self, problem: &Problem) {
        if problem.severity == crate::model::Severity::Error {
            self.errors += 1;
        }
        if let Some(shown) = &mut self.shown {
            shown.add(problem);
        }
        if self.json {
            print_json(&to_json(problem, &self.files, self.redact));
        }
    }

    /// Says what was not shown.
    pub(super) fn close(&mut self) {
        if let Some(shown) = &self.shown {
            shown.close();
        }
    }
}

impl Sink for ProblemsOut {
    type Error = std::convert::Infallible;

    fn problem(&mut self, problem: Problem) -> Result<(), Self::Error> {
        self.add(&problem);
        Ok(())
    }

    fn cases(&mut self, _: u32, _: Vec<CaseData>) -> Result<(), Self::Error> {
        Ok(())
    }
}
