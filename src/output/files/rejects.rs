//! The rejects file: records as they were, to fix and import again.
//!
//! Tables become CSV. After the record's own columns come `caseload_key` (the
//! record's key, whatever a spreadsheet does to the key columns) and
//! `caseload_reason`, and `caseload_text` where records could not be read: the
//! text of the whole record, for whoever fixes its cells. JSON objects become
//! NDJSON, each with its own text, so that numbers keep their digits.

use std::borrow::Cow;

use super::case_files::key_cell;
use super::output_file::{OutputFile, OutputFileError};
use super::raw_record::{Members, RecordShape, SourceFile, on_one_line};
use super::table::CsvTable;
use crate::model::Key;
use crate::model::reserved::{self, KEY, REASON, TEXT};

/// The rejected records of one input.
#[derive(Debug)]
pub(super) enum RejectsFile {
    Table {
        table: CsvTable,
        /// The record's own columns, then those of ours that a record may
        /// already have.
        columns: Vec<Box<str>>,
        own: usize,
    },
    Ndjson(OutputFile),
}

impl RejectsFile {
    pub(super) fn create(file: OutputFile, source: &SourceFile) -> Result<Self, OutputFileError> {
        let RecordShape::Table(columns) = &source.shape else {
            return Ok(Self::Ndjson(file));
        };
        let own = columns.iter().map(AsRef::as_ref);
        let text = source.has_unread.then_some(TEXT);
        let table = CsvTable::create(file, own.chain([KEY, REASON]).chain(text))?;
        let ours = [Some(KEY), text].into_iter().flatten().map(Box::from);
        Ok(Self::Table {
            table,
            columns: columns.iter().cloned().chain(ours).collect(),
            own: columns.len(),
        })
    }

    pub(super) fn add(&mut self, raw: Option<&str>, key: Option<&Key>, reason: &str) {
        match self {
            Self::Table {
                table,
                columns,
                own,
            } => {
                let members = raw.and_then(Members::of).unwrap_or_else(Members::none);
                let mut cells: Vec<Cow<'_, str>> = members.cells(columns).collect();
                if let Some(key) = key {
                    cells[*own] = key_cell(key).into();
                }
                cells.insert(*own + 1, reason.into());
                table.write_row(cells);
            }
            Self::Ndjson(file) => file.write_row(json_line(raw, key, reason).as_bytes()),
        }
    }

    pub(super) fn into_file(self) -> OutputFile {
        match self {
            Self::Table { table, .. } => table.into_file(),
            Self::Ndjson(file) => file,
        }
    }
}

/// The object with its own members as they are written, then ours.
fn json_line(raw: Option<&str>, key: Option<&Key>, reason: &str) -> String {
    let mut members: Vec<String> = Vec::new();
    let mut add = |name: &str, value: &str| members.push(format!("{}:{value}", quoted(name)));
    match (raw.and_then(Members::of), raw) {
        (Some(Members(own)), _) => {
            // A key that the record already has stays, unless there is a new
            // one; so does a text that nobody has fixed yet.
            let keeps = |name: &str| match name {
                KEY => key.is_none(),
                name => name == TEXT || !reserved::is_rejects_column(name),
            };
            for (name, value) in own.iter().filter(|(name, _)| keeps(name)) {
                add(name, &on_one_line(value.get()));
            }
        }
        (None, Some(text)) => add(TEXT, &quoted(text)),
        (None, None) => {}
    }
    if let Some(key) = key {
        add(KEY, &quoted(&key_cell(key)));
    }
    add(REASON, &quoted(reason));
    format!("{{{}}}\n", members.join(","))
}

fn quoted(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}
