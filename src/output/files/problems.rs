//! The problems of a check as a spreadsheet.

use std::borrow::Cow;

use super::error::FileError;
use super::table::Table;
use super::target::Target;
use crate::model::{Place, Problem};
use crate::output::terminal::text::shape;

const COLUMNS: [&str; 9] = [
    "severity", "code", "file", "line", "column", "value", "message", "hint", "also",
];

/// Problems, one row each, as they are found.
#[derive(Debug)]
pub struct ProblemsFile {
    table: Table,
    files: Vec<String>,
    redact: bool,
}

impl ProblemsFile {
    /// Begins the file, with its header only. The files' names are those of
    /// messages; with `redact` values show their shape only.
    pub fn begin(target: Target, files: Vec<String>, redact: bool) -> Result<Self, FileError> {
        let mut table = Table::new(target, COLUMNS);
        table.begin()?;
        Ok(Self {
            table,
            files,
            redact,
        })
    }

    /// Adds a problem.
    pub fn add(&mut self, problem: &Problem) {
        let line = match problem.place.line {
            0 => String::new(),
            line => line.to_string(),
        };
        let value = problem.value.as_deref().unwrap_or_default();
        let also: Vec<String> = problem
            .also
            .iter()
            .map(|place| format!("{}:{}", self.file(*place), place.line))
            .collect();
        let cells = [
            Cow::Borrowed(problem.severity.as_str()),
            problem.code.as_str().into(),
            self.file(problem.place).to_owned().into(),
            line.into(),
            problem.column.as_deref().unwrap_or_default().into(),
            if self.redact {
                shape(value).into()
            } else {
                value.into()
            },
            (&*problem.message).into(),
            problem.hint.as_deref().unwrap_or_default().into(),
            also.join(", ").into(),
        ];
        self.table.row(cells);
    }

    fn file(&self, place: Place) -> &str {
        self.files
            .get(usize::from(place.file.0))
            .map_or("", String::as_str)
    }

    /// Closes the file, and tells what went wrong with it meanwhile.
    pub fn finish(self) -> Result<u64, FileError> {
        self.table.into_target().finish()
    }
}
