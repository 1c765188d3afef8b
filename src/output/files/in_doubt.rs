//! The file of cases in doubt: what a person needs to find them on the
//! platform.
//!
//! It must not be imported, since that could create them twice. So no column
//! has its name from the input: the key is in `in_doubt_key`, which `check`
//! refuses, and the record's columns begin with `record: `. Records of JSON are
//! one text under `record`.

use std::borrow::Cow;

use super::case_files::{key_cell, number, time};
use super::output_file::{OutputFile, OutputFileError};
use super::raw_record::{Members, RecordShape, SourceFile, on_one_line};
use super::table::CsvTable;
use crate::ledger::CaseRow;
use crate::model::reserved::IN_DOUBT_KEY;

const COLUMNS: [&str; 9] = [
    IN_DOUBT_KEY,
    "file",
    "line",
    "partner_firm_id",
    "case_id",
    "status",
    "attempts",
    "time",
    "message",
];

#[derive(Debug)]
pub(super) struct InDoubtFile {
    table: CsvTable,
    /// The columns of all tables among the inputs.
    columns: Vec<Box<str>>,
    has_json: bool,
}

impl InDoubtFile {
    pub(super) fn create(
        file: OutputFile,
        sources: &[SourceFile],
    ) -> Result<Self, OutputFileError> {
        let mut columns: Vec<Box<str>> = Vec::new();
        let mut has_json = false;
        for source in sources {
            match &source.shape {
                RecordShape::Json => has_json = true,
                RecordShape::Table(names) => {
                    for name in names {
                        if !columns.contains(name) {
                            columns.push(name.clone());
                        }
                    }
                }
            }
        }
        let header = COLUMNS
            .into_iter()
            .map(str::to_owned)
            .chain(columns.iter().map(|column| format!("record: {column}")))
            .chain(has_json.then(|| "record".to_owned()));
        Ok(Self {
            table: CsvTable::create(file, header)?,
            columns,
            has_json,
        })
    }

    /// Adds a case whose record has this shape.
    pub(super) fn add(&mut self, case: &CaseRow, shape: &RecordShape) {
        let facts: [Cow<'_, str>; COLUMNS.len()] = [
            key_cell(&case.key).into(),
            (&*case.file).into(),
            case.line.to_string().into(),
            case.partner_firm_id.as_deref().unwrap_or_default().into(),
            case.case_id.as_deref().unwrap_or_default().into(),
            number(case.status).into(),
            number(Some(case.attempts).filter(|number| *number > 0)).into(),
            time(case.updated_at).into(),
            case.message.as_deref().unwrap_or_default().into(),
        ];
        let raw = case.raw.as_deref();
        let is_json = *shape == RecordShape::Json;
        let table_record = raw.filter(|_| !is_json).and_then(Members::of);
        let members = table_record.unwrap_or_else(Members::none);
        let json = raw.filter(|_| is_json).map(on_one_line).unwrap_or_default();
        let cells = members.cells(&self.columns);
        let record = cells.chain(self.has_json.then_some(json));
        self.table.write_row(facts.into_iter().chain(record));
    }

    pub(super) fn into_file(self) -> OutputFile {
        self.table.into_file()
    }
}
