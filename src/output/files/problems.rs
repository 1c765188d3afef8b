//! All problems of a check as a spreadsheet.

use std::borrow::Cow;

use super::output_file::{OutputFile, OutputFileError};
use super::table::CsvTable;
use crate::model::{Place, Problem};
use crate::output::terminal::text::shape;

const COLUMNS: [&str; 9] = [
    "severity", "code", "file", "line", "column", "value", "message", "hint", "also",
];

#[derive(Debug)]
pub(crate) struct ProblemsFile {
    table: CsvTable,
    files: Vec<String>,
    redact: bool,
}

impl ProblemsFile {
    /// The names of the files are those of messages; with `redact` values show
    /// their shape only.
    pub(crate) fn create(
        file: OutputFile,
        files: Vec<String>,
        redact: bool,
    ) -> Result<Self, OutputFileError> {
        Ok(Self {
            table: CsvTable::create(file, COLUMNS)?,
            files,
            redact,
        })
    }

    pub(crate) fn add(&mut self, problem: &Problem) {
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
        let cells: [Cow<'_, str>; COLUMNS.len()] = [
            problem.severity.as_str().into(),
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
        self.table.write_row(cells);
    }

    fn file(&self, place: Place) -> &str {
        let file = self.files.get(usize::from(place.file.0));
        file.map_or("", String::as_str)
    }

    /// Completes the file and returns the number of rows.
    pub(crate) fn finish(self) -> Result<u64, OutputFileError> {
        self.table.into_file().finish()
    }
}
