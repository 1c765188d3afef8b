//! The rows of each file: of the results, of the cases in doubt, of the rejects
//! and of the problems.

use std::borrow::Cow;

use indexmap::IndexSet;
use jiff::Timestamp;

use super::case_files::time;
use super::output_file::{OutputFile, OutputFileError};
use super::source::{RecordShape, SourceFile};
use super::table::CsvTable;
use crate::ledger::CaseRow;
use crate::model::reserved::{self, CASE_ID, DECISION, KEY, REASON, RECORD, STATE, TEXT};
use crate::model::{Key, Problem, json_cell, json_members};
use crate::output::terminal::check_report::{file_name, place_text};
use crate::output::terminal::text::{redacted, redacted_advice};

/// What became of a case.
const CASE_COLUMNS: [&str; 7] = [
    KEY,
    STATE,
    CASE_ID,
    "caseload_status",
    "caseload_attempts",
    "caseload_time",
    "caseload_message",
];

fn case_cells(case: &CaseRow) -> [Cow<'_, str>; CASE_COLUMNS.len()] {
    let number = |number: u32| match number {
        0 => Cow::Borrowed(""),
        number => number.to_string().into(),
    };
    let message = case.message.as_deref().unwrap_or_default();
    [
        key_cell(&case.key).into(),
        case.state.as_str().into(),
        case.case_id.as_deref().unwrap_or_default().into(),
        number(case.status.unwrap_or_default().into()),
        number(case.attempts),
        time(case.updated_at).into(),
        if case.possible_twin {
            let twin = "imported after an attempt in doubt: it may exist twice [possible-twin]";
            [message, twin].join(" ").trim_start().to_owned().into()
        } else {
            message.into()
        },
    ]
}

/// Cases with what became of them, and their columns as they were, so that the
/// case ids can be loaded back into the system that the cases came from. A
/// record of JSON is one text.
#[derive(Debug)]
pub(super) struct CaseTable {
    table: CsvTable,
    /// The columns of all tables among the inputs.
    columns: Vec<Box<str>>,
    has_json: bool,
    has_decisions: bool,
    /// Rows whose record is not known any more.
    pub(super) without_record: u64,
}

impl CaseTable {
    /// The results.
    pub(super) fn results(
        file: OutputFile,
        sources: &[SourceFile],
    ) -> Result<Self, OutputFileError> {
        Self::create(file, sources, false)
    }

    /// The cases in doubt, with a column for what the user finds out about each.
    /// That column also keeps the file from being imported, which could create
    /// them twice.
    pub(super) fn in_doubt(
        file: OutputFile,
        sources: &[SourceFile],
    ) -> Result<Self, OutputFileError> {
        Self::create(file, sources, true)
    }

    fn create(
        file: OutputFile,
        sources: &[SourceFile],
        has_decisions: bool,
    ) -> Result<Self, OutputFileError> {
        let shapes = sources.iter().map(|source| &source.shape);
        let columns: IndexSet<_> = shapes.flat_map(RecordShape::columns).cloned().collect();
        let has_json = (sources.iter()).any(|source| source.shape == RecordShape::Json);
        let header = (has_decisions.then_some(DECISION).into_iter())
            .chain(CASE_COLUMNS)
            .chain(columns.iter().map(AsRef::as_ref))
            .chain(has_json.then_some(RECORD));
        Ok(Self {
            table: CsvTable::create(file, header)?,
            columns: columns.into_iter().collect(),
            has_json,
            has_decisions,
            without_record: 0,
        })
    }

    /// Adds a case whose record has this shape.
    pub(super) fn add(&mut self, case: &CaseRow, shape: &RecordShape) {
        self.without_record += u64::from(case.raw_record.is_none());
        let raw = case.raw_record.as_deref().unwrap_or_default();
        self.write(case_cells(case), raw, shape);
    }

    /// Adds a record that is held and no case yet.
    pub(super) fn add_held(&mut self, key: &Key, raw: &str, reason: &str, shape: &RecordShape) {
        let now = time(Timestamp::now());
        let mut cells: [Cow<'_, str>; CASE_COLUMNS.len()] = Default::default();
        cells[0] = key_cell(key).into();
        cells[1] = "held".into();
        cells[5] = now.into();
        cells[6] = reason.into();
        self.write(cells, raw, shape);
    }

    fn write(&mut self, facts: [Cow<'_, str>; CASE_COLUMNS.len()], raw: &str, shape: &RecordShape) {
        let (table_record, json) = match shape {
            RecordShape::Table(_) => (raw, "".into()),
            RecordShape::Json => ("", on_one_line(raw)),
        };
        let cells = (self.has_decisions.then_some("".into()).into_iter())
            .chain(facts)
            .chain(record_cells(table_record, &self.columns))
            .chain(self.has_json.then_some(json));
        self.table.write_row(cells);
    }

    pub(super) fn into_file(self) -> OutputFile {
        self.table.into_file()
    }
}

/// The rejected records of one input as they were, to fix and import again.
///
/// Tables become CSV. After the record's own columns come `caseload_key` (the
/// record's key, whatever a spreadsheet does to the key columns) and
/// `caseload_reason`, and `caseload_text` where records could not be read: the
/// text of the whole record, as a help to fix its cells. JSON objects become
/// NDJSON, each with its own text, so that numbers keep their digits.
#[derive(Debug)]
pub(super) enum RejectsFile {
    Table {
        table: CsvTable,
        /// The record's own columns, then those of caseload that a record
        /// may already have.
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
        let header = own.clone().chain([KEY, REASON]).chain(text);
        Ok(Self::Table {
            table: CsvTable::create(file, header)?,
            columns: own.chain([KEY]).chain(text).map(Box::from).collect(),
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
                let mut cells = record_cells(raw.unwrap_or_default(), columns);
                if let Some(key) = key {
                    cells[*own] = key_cell(key).into();
                }
                cells.insert(*own + 1, reason.into());
                table.write_row(cells);
            }
            Self::Ndjson(file) => {
                let line = json_line(raw, key, reason);
                file.write_row(reserved::escape_controls(&line).as_bytes());
            }
        }
    }

    pub(super) fn into_file(self) -> OutputFile {
        match self {
            Self::Table { table, .. } => table.into_file(),
            Self::Ndjson(file) => file,
        }
    }
}

/// The values of a raw record under these names; empty where there is none.
fn record_cells<'r>(raw: &'r str, names: &[Box<str>]) -> Vec<Cow<'r, str>> {
    let members = json_members(raw).unwrap_or_default();
    let names = names.iter().enumerate();
    let values = names.map(|(position, name)| {
        // Mostly they are in the order of the header.
        let expected = members
            .get(position)
            .filter(|(member, _)| **member == **name);
        let found = expected.or_else(|| members.iter().find(|(member, _)| **member == **name));
        found.map_or(Cow::Borrowed(""), |(_, value)| json_cell(value).1)
    });
    values.collect()
}

/// The object with its own members as they are written, then ours.
fn json_line(raw: Option<&str>, key: Option<&Key>, reason: &str) -> String {
    let mut members: Vec<String> = Vec::new();
    let mut add = |name: &str, value: &str| members.push(format!("{}:{value}", quoted(name)));
    match (raw.and_then(json_members), raw) {
        (Some(own), _) => {
            // A key that the record already has stays, unless there is a new
            // one; so does the text of a record that is not fixed yet.
            let keeps = |name: &str| match name {
                KEY => key.is_none(),
                name => name == TEXT || !reserved::is_reserved(name),
            };
            for (name, value) in own.iter().filter(|(name, _)| keeps(name)) {
                add(name, &on_one_line(value));
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

/// `key:["00123"]`, which no spreadsheet takes for a number.
fn key_cell(key: &Key) -> String {
    format!("key:{}", key.canonical())
}

/// JSON on one line. In valid JSON line breaks are only between tokens, never
/// inside a string.
fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        json.split(['\n', '\r']).map(str::trim_start).collect()
    } else {
        Cow::Borrowed(json)
    }
}

const PROBLEM_COLUMNS: [&str; 11] = [
    "severity", "code", "file", "row", "line", "key", "column", "value", "message", "hint", "also",
];

/// All problems of a check as a spreadsheet.
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
            table: CsvTable::create(file, PROBLEM_COLUMNS)?,
            files,
            redact,
        })
    }

    pub(crate) fn add(&mut self, problem: &Problem) {
        let place = problem.place;
        let number = |number: u64| match number {
            0 => Cow::Borrowed(""),
            number => number.to_string().into(),
        };
        let key = problem.key.as_ref().map(Key::to_string).unwrap_or_default();
        let also = problem.also.iter();
        let also = also.map(|place| place_text(*place, &self.files));
        let cells: [Cow<'_, str>; PROBLEM_COLUMNS.len()] = [
            problem.severity.as_str().into(),
            problem.code.as_str().into(),
            file_name(place, &self.files).into(),
            number(place.row.unwrap_or_default()),
            number(place.line),
            redacted(&key, self.redact),
            problem.column.as_deref().unwrap_or_default().into(),
            redacted(problem.value.as_deref().unwrap_or_default(), self.redact),
            redacted_advice(&problem.message, problem.key.as_ref(), self.redact),
            redacted_advice(
                problem.hint.as_deref().unwrap_or_default(),
                problem.key.as_ref(),
                self.redact,
            ),
            also.collect::<Vec<_>>().join(", ").into(),
        ];
        self.table.write_row(cells);
    }

    /// Completes the file and returns the number of rows.
    pub(crate) fn finish(self) -> Result<u64, OutputFileError> {
        self.table.into_file().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_name_and_keep_their_digits() {
        let raw =
            r#"{"b": 12345678901234567890.10, "a": "x\ny", "c": null, "d": {"e": [1]}, "b": 2}"#;
        let names = ["b", "d", "z", "c", "a"].map(Box::from);
        assert_eq!(
            record_cells(raw, &names),
            ["12345678901234567890.10", "{\"e\": [1]}", "", "", "x\ny"]
        );
        assert_eq!(record_cells("{\"a\":", &names), [""; 5]);
    }

    #[test]
    fn pretty_json_fits_on_one_line() {
        assert_eq!(
            on_one_line("{\r\n  \"a\": \"b  \\n c\",\n  \"d\": [\n    1\n  ]\n}"),
            "{\"a\": \"b  \\n c\",\"d\": [1]}"
        );
    }
}
