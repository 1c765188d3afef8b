//! The rows of each file: of the results, of the cases in doubt, of the rejects
//! and of the problems.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use jiff::Timestamp;
use serde_json::Value;

use super::case_files::time;
use super::output_file::{OutputFile, OutputFileError, OutputOpener};
use super::source::{RecordShape, SourceFile};
use super::table::CsvTable;
use crate::ledger::CaseRow;
use crate::model::reserved::{self, CASE_ID, DECISION, KEY, REASON, RECORD, STATE, TEXT};
use crate::model::{Format, Key, Problem, RunEvent, Verdict, json_members};
use crate::output::terminal::check_report::{place_text, to_json};
use crate::output::terminal::life::event_json;
use crate::webhooks::{CaseLife, Event};

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

/// What became of it since its import.
pub(super) const LIFE_COLUMNS: [&str; 4] = [
    "caseload_last_update_at",
    "caseload_last_update_title",
    "caseload_stage",
    "caseload_settled_at",
];

/// What is known of a case's life, each with its column.
pub(super) fn life_texts(life: &CaseLife) -> impl Iterator<Item = (&'static str, String)> {
    let update = life.last_update.as_ref();
    let texts = [
        update.map(|(at, _)| time(*at)),
        update.and_then(|(_, title)| title.clone()),
        life.stage.as_ref().map(|(_, stage)| stage.clone()),
        life.settled_at.map(time),
    ];
    let texts = LIFE_COLUMNS.into_iter().zip(texts);
    texts.filter_map(|(name, text)| Some((name, text?)))
}

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
    /// Rows whose record is not known any more.
    pub(super) without_record: u64,
}

impl CaseTable {
    /// With the columns of all tables among the inputs. One to be filled in by the
    /// user comes first, if there is one.
    pub(super) fn create(
        file: OutputFile,
        to_fill: Option<&str>,
        more: &[&str],
        sources: &[SourceFile],
    ) -> Result<Self, OutputFileError> {
        let shapes = sources.iter().map(|source| &source.shape);
        let columns: IndexSet<_> = shapes.flat_map(RecordShape::columns).collect();
        let has_json = (sources.iter()).any(|source| source.shape == RecordShape::Json);
        let header = (to_fill.into_iter())
            .chain(CASE_COLUMNS)
            .chain(more.iter().copied())
            .chain(columns.into_iter().map(AsRef::as_ref))
            .chain(has_json.then_some(RECORD));
        Ok(Self {
            table: CsvTable::create(file, header)?,
            without_record: 0,
        })
    }

    /// Adds a case whose record has this shape.
    pub(super) fn add(&mut self, case: &CaseRow, shape: &RecordShape, life: Option<&CaseLife>) {
        self.without_record += u64::from(case.raw_record.is_none());
        let raw = case.raw_record.as_deref().unwrap_or_default();
        let life = life.into_iter().flat_map(life_texts);
        let life = life.map(|(name, text)| (name, text.into()));
        let cells = CASE_COLUMNS.into_iter().zip(case_cells(case));
        self.write(cells.chain(life).collect(), raw, shape);
    }

    /// Adds a record that is held and no case yet.
    pub(super) fn add_held(&mut self, key: &Key, raw: &str, reason: &str, shape: &RecordShape) {
        let now = time(Timestamp::now());
        let mut cells: [Cow<'_, str>; CASE_COLUMNS.len()] = Default::default();
        cells[0] = key_cell(key).into();
        cells[1] = "held".into();
        cells[5] = now.into();
        cells[6] = reason.into();
        self.write(CASE_COLUMNS.into_iter().zip(cells).collect(), raw, shape);
    }

    fn write<'r>(
        &mut self,
        mut facts: Vec<(&'static str, Cow<'r, str>)>,
        raw: &'r str,
        shape: &RecordShape,
    ) {
        match shape {
            RecordShape::Table(_) => self.table.write_row(&facts, raw),
            RecordShape::Json => {
                facts.push((RECORD, on_one_line(raw)));
                self.table.write_row(&facts, "");
            }
        }
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
    Table(CsvTable),
    Ndjson(OutputFile),
}

impl RejectsFile {
    pub(super) fn create(file: OutputFile, source: &SourceFile) -> Result<Self, OutputFileError> {
        let RecordShape::Table(columns) = &source.shape else {
            return Ok(Self::Ndjson(file));
        };
        let own = columns.iter().map(AsRef::as_ref);
        let text = source.has_unread.then_some(TEXT);
        let header = own.chain([KEY, REASON]).chain(text);
        Ok(Self::Table(CsvTable::create(file, header)?))
    }

    /// Without a new key the record keeps the one that it has. The text of a record
    /// that is not known is empty.
    pub(super) fn add(&mut self, raw: &str, key: Option<&Key>, reason: &str) {
        match self {
            Self::Table(table) => {
                let key = key.map(|key| (KEY, key_cell(key).into()));
                let facts = key.into_iter().chain([(REASON, reason.into())]);
                table.write_row(&facts.collect::<Vec<_>>(), raw);
            }
            Self::Ndjson(file) => file.write_json(&json_object(raw, key, reason)),
        }
    }

    pub(super) fn into_file(self) -> OutputFile {
        match self {
            Self::Table(table) => table.into_file(),
            Self::Ndjson(file) => file,
        }
    }
}

/// The object with its own members as they are written, then ours.
fn json_object(raw: &str, key: Option<&Key>, reason: &str) -> String {
    let mut members: Vec<String> = Vec::new();
    let mut add = |name: &str, value: &str| members.push(format!("{}:{value}", quoted(name)));
    if let Some(own) = json_members(raw) {
        // A key that the record already has stays, unless there is a new one; so
        // does the text of a record that is not fixed yet.
        let keeps = |name: &str| match name {
            KEY => key.is_none(),
            name => name == TEXT || !reserved::is_reserved(name),
        };
        for (name, value) in own.iter().filter(|(name, _)| keeps(name)) {
            add(name, &on_one_line(value));
        }
    } else if !raw.is_empty() {
        add(TEXT, &quoted(raw));
    }
    if let Some(key) = key {
        add(KEY, &quoted(&key_cell(key)));
    }
    add(REASON, &quoted(reason));
    format!("{{{}}}", members.join(","))
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

/// After that of the key.
const EVENT_COLUMNS: [&str; 8] = [
    "event",
    "at",
    "received_at",
    "title",
    "content",
    "stage",
    "amount",
    "body",
];

/// Events, each with the key of its case: a spreadsheet, or JSON.
#[derive(Debug)]
pub(crate) enum EventsFile {
    Table(CsvTable),
    Ndjson(OutputFile),
}

impl EventsFile {
    /// In the format that the file's name says.
    pub(crate) fn create(opener: &mut OutputOpener, path: &Path) -> Result<Self, OutputFileError> {
        if Format::from_name(&path.to_string_lossy()).is_some_and(Format::is_json) {
            return Ok(Self::Ndjson(opener.open(path, Format::Ndjson)?));
        }
        let file = opener.open(path, Format::Csv)?;
        let header = [KEY].into_iter().chain(EVENT_COLUMNS);
        Ok(Self::Table(CsvTable::create(file, header)?))
    }

    pub(crate) fn add(&mut self, event: &Event, key: Option<&Key>) {
        let document = event_json(event, key, Cow::Borrowed);
        match self {
            Self::Table(table) => {
                let key = key.map(key_cell).unwrap_or_default();
                let texts = EVENT_COLUMNS.map(|name| (name, document[name].as_str()));
                let cells = texts.map(|(name, text)| (name, text.unwrap_or_default().into()));
                let facts: Vec<_> = [(KEY, key.into())].into_iter().chain(cells).collect();
                table.write_row(&facts, "");
            }
            Self::Ndjson(file) => file.write_json(&document.to_string()),
        }
    }

    pub(crate) fn into_file(self) -> OutputFile {
        match self {
            Self::Table(table) => table.into_file(),
            Self::Ndjson(file) => file,
        }
    }
}

const UNSAVED_COLUMNS: [&str; 4] = [KEY, DECISION, CASE_ID, REASON];

/// Outcomes that the ledger could not store, as `resolve --list` takes them.
/// Created with the first one.
#[derive(Debug)]
pub(crate) struct UnsavedFile {
    path: PathBuf,
    table: Option<Result<CsvTable, OutputFileError>>,
    rows: u64,
}

impl UnsavedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            table: None,
            rows: 0,
        }
    }

    /// An outcome that could not be stored; of other events nothing.
    pub(crate) fn add_event(&mut self, opener: &mut OutputOpener, event: &RunEvent<'_>) {
        let RunEvent::SettleFailed {
            case,
            verdict,
            answer,
            ..
        } = event
        else {
            return;
        };
        let create = || {
            let file = opener.open(&self.path, Format::Csv)?;
            CsvTable::create(file, UNSAVED_COLUMNS)
        };
        let Ok(table) = self.table.get_or_insert_with(create) else {
            return;
        };
        let decision = match verdict {
            Verdict::Imported => "imported",
            Verdict::Rejected | Verdict::NotSent => "not-imported",
            Verdict::InDoubt => "",
        };
        let text =
            |text: &Option<Box<str>>| Cow::from(text.as_deref().unwrap_or_default().to_owned());
        let cells = [
            key_cell(&case.key).into(),
            decision.into(),
            text(&answer.case_id),
            text(&answer.message),
        ];
        table.write_row(
            &UNSAVED_COLUMNS.into_iter().zip(cells).collect::<Vec<_>>(),
            "",
        );
        self.rows += 1;
    }

    /// Its path and how many outcomes it has, if any.
    pub(crate) fn finish(self) -> Option<Result<(PathBuf, u64), OutputFileError>> {
        let table = self.table?;
        let finished = table.and_then(|table| table.into_file().finish());
        Some(finished.map(|_| (self.path, self.rows)))
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
        let document = to_json(problem, &self.files, self.redact);
        let also = problem.also.iter();
        let also = also.map(|place| place_text(*place, &self.files));
        let also = also.collect::<Vec<_>>().join(", ");
        let facts = PROBLEM_COLUMNS.map(|name| {
            let cell = match &document[name] {
                Value::String(text) => text.into(),
                // A whole file has no line.
                Value::Number(number) if number.as_u64() != Some(0) => number.to_string().into(),
                Value::Array(_) => also.as_str().into(),
                _ => Cow::Borrowed(""),
            };
            (name, cell)
        });
        self.table.write_row(&facts, "");
    }

    /// Completes the file.
    pub(crate) fn finish(self) -> Result<(), OutputFileError> {
        self.table.into_file().finish().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_json_fits_on_one_line() {
        assert_eq!(
            on_one_line("{\r\n  \"a\": \"b  \\n c\",\n  \"d\": [\n    1\n  ]\n}"),
            "{\"a\": \"b  \\n c\",\"d\": [1]}"
        );
    }
}
