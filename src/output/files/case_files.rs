//! Results, rejects and cases in doubt together: their names, which case goes
//! where, and how the events of a run fill them.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::output_file::{CannotWrite, OutputFile, OutputFileError, OutputOpener};
use super::rows::{CaseTable, LIFE_COLUMNS, RejectsFile, life_texts};
use super::source::{RecordShape, SourceFile};
use crate::ledger::CaseRow;
use crate::model::reserved::DECISION;
use crate::model::{
    Answer, CaseData, Format, Key, RunEvent, SettledAttempt, State, private_directory, private_file,
};
use crate::output::terminal::text::{response, shape};
use crate::webhooks::{CaseLife, Lives};

/// The names of the outputs that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OutputPaths {
    pub results: Option<PathBuf>,
    /// With several inputs a directory.
    pub rejects: Option<PathBuf>,
    pub in_doubt: Option<PathBuf>,
    /// Every case as NDJSON.
    pub json: Option<PathBuf>,
}

/// A complete file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenFile {
    /// What it is, in output for scripts.
    pub output: &'static str,
    pub path: PathBuf,
    pub rows: u64,
}

impl WrittenFile {
    /// What its rows are.
    pub(crate) fn noun<'n>(&self, usual: &'n str, of_events: &'n str) -> &'n str {
        match self.output {
            "events" => of_events,
            _ => usual,
        }
    }
}

/// The files that are complete, and the errors of the others.
#[derive(Debug, Default)]
pub(crate) struct WrittenFiles {
    pub files: Vec<WrittenFile>,
    /// Rows of the results that lack the columns of their input.
    pub without_record: u64,
    pub errors: Vec<OutputFileError>,
}

impl WrittenFiles {
    /// Writes a page and completes its file.
    pub(crate) fn add_page(&mut self, (page, cases): &(String, u64), mut file: OutputFile) {
        file.write_rows(page.as_bytes(), *cases);
        self.add("report", file);
    }

    /// Completes a file.
    pub(crate) fn add(&mut self, output: &'static str, file: OutputFile) {
        let path = file.path().to_owned();
        match file.finish() {
            Ok(rows) => self.files.push(WrittenFile { output, path, rows }),
            Err(error) => self.errors.push(error),
        }
    }
}

/// Open outputs. Dropped before the first row, they are removed again.
#[derive(Debug)]
pub(crate) struct CaseFiles {
    sources: Vec<SourceFile>,
    outputs: Vec<Output>,
    /// What became of the cases since, where that is exported too.
    lives: Option<Lives>,
}

#[derive(Debug)]
enum Output {
    Results(CaseTable),
    /// Of the input with this number.
    Rejects(usize, RejectsFile),
    InDoubt(CaseTable),
    Json(OutputFile),
}

impl CaseFiles {
    /// Opens the outputs. Without any input they have their headers only.
    pub(crate) fn open(
        opener: &mut OutputOpener,
        paths: &OutputPaths,
        mut sources: Vec<SourceFile>,
        lives: Option<Lives>,
    ) -> Result<Self, OutputFileError> {
        if sources.is_empty() {
            sources.push(SourceFile::empty(paths.rejects.as_deref()));
        } else if !sources.iter().any(|source| source.has_rejects) {
            // A rejects file without rows.
            sources[0].has_rejects = true;
        }
        let mut files = Self {
            sources,
            outputs: Vec::new(),
            lives,
        };
        files.open_more(opener, paths)?;
        Ok(files)
    }

    /// Opens outputs of the same inputs beside those that are open.
    pub(crate) fn open_more(
        &mut self,
        opener: &mut OutputOpener,
        paths: &OutputPaths,
    ) -> Result<(), OutputFileError> {
        let Self {
            sources,
            outputs,
            lives,
            ..
        } = self;
        if let Some(path) = &paths.results {
            let file = opener.open(path, Format::Csv)?;
            let more = lives.as_ref().map_or(&[][..], |_| &LIFE_COLUMNS);
            outputs.push(Output::Results(CaseTable::create(
                file, None, more, sources,
            )?));
        }
        if let Some(path) = &paths.rejects {
            for (source, path) in rejects_paths(path, sources)? {
                let input = &sources[source];
                let file = opener.open(&path, input.shape.rejects_format())?;
                outputs.push(Output::Rejects(source, RejectsFile::create(file, input)?));
            }
        }
        if let Some(path) = &paths.in_doubt {
            // The column for what the user finds out about each case also keeps
            // the file from being imported, which could create them twice.
            let file = opener.open(path, Format::Csv)?;
            let table = CaseTable::create(file, Some(DECISION), &[], sources)?;
            outputs.push(Output::InDoubt(table));
        }
        if let Some(path) = &paths.json {
            outputs.push(Output::Json(opener.open(path, Format::Ndjson)?));
        }
        Ok(())
    }

    pub(crate) fn sources(&self) -> &[SourceFile] {
        &self.sources
    }

    /// Adds a case of this input to the outputs where it belongs. An input that
    /// does not exist counts as the first one.
    pub(crate) fn add_case(&mut self, source: Option<usize>, case: &CaseRow) {
        let source = source.unwrap_or_default();
        let shape = shape_of(&self.sources, source);
        let life = self.lives.as_ref().and_then(|lives| lives.of(&case.key));
        for output in &mut self.outputs {
            match output {
                Output::Results(table) => table.add(case, shape, life),
                Output::InDoubt(table) if case.state == State::InDoubt => {
                    table.add(case, shape, None);
                }
                Output::Json(file) => {
                    file.write_json(&case_json(case, life, false).to_string());
                }
                Output::InDoubt(_) | Output::Rejects(..) => {}
            }
        }
        if case.state == State::Rejected {
            let reason = response(case.status, case.message.as_deref()).unwrap_or_default();
            let raw = case.raw_record.as_deref().unwrap_or_default();
            self.add_reject(source, raw, Some(&case.key), &format!("HTTP {reason}"));
        }
    }

    /// What became of a case since its import.
    pub(crate) fn life(&self, key: &Key) -> Option<&CaseLife> {
        self.lives.as_ref()?.of(key)
    }

    /// Adds a record that is held: it is no case yet.
    pub(crate) fn add_held(&mut self, source: usize, raw: &str, key: &Key, reason: &str) {
        let shape = shape_of(&self.sources, source);
        for output in &mut self.outputs {
            if let Output::Results(results) = output {
                results.add_held(key, raw, reason, shape);
            }
        }
        self.add_reject(source, raw, Some(key), reason);
    }

    /// Adds a record that is skipped to the rejects of its input, with its key if
    /// it has one.
    pub(crate) fn add_reject(&mut self, source: usize, raw: &str, key: Option<&Key>, reason: &str) {
        for output in &mut self.outputs {
            if let Output::Rejects(of, rejects) = output
                && *of == source
            {
                rejects.add(raw, key, reason);
            }
        }
    }

    /// Completes the files.
    pub(crate) fn finish(self) -> WrittenFiles {
        let mut written = WrittenFiles::default();
        for output in self.outputs {
            let (output, file) = match output {
                Output::Results(table) => {
                    written.without_record += table.without_record;
                    ("results", table.into_file())
                }
                Output::Rejects(_, rejects) => ("rejects", rejects.into_file()),
                Output::InDoubt(table) => ("in_doubt", table.into_file()),
                Output::Json(file) => ("json", file),
            };
            written.add(output, file);
        }
        written
    }
}

fn shape_of(sources: &[SourceFile], source: usize) -> &RecordShape {
    let source = sources.get(source);
    source.map_or(&RecordShape::Json, |source| &source.shape)
}

/// The rejects file of each input that gets one: the given name for a single one,
/// else files in that directory, named after the inputs.
fn rejects_paths(
    given: &Path,
    sources: &[SourceFile],
) -> Result<Vec<(usize, PathBuf)>, OutputFileError> {
    let sources = sources.iter().enumerate();
    let rejected: Vec<_> = sources.filter(|(_, source)| source.has_rejects).collect();
    if !given.is_dir() {
        if let [(source, _)] = rejected[..] {
            return Ok(vec![(source, given.to_owned())]);
        }
        if given.exists() || given.extension().is_some() {
            return Err(CannotWrite::DirectoryNeeded(rejected.len()).at(given));
        }
        private_directory()
            .create(given)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => CannotWrite::NoDirectory.at(given),
                _ => CannotWrite::Open(error).at(given),
            })?;
    }
    let mut taken = HashSet::new();
    let mut paths = Vec::new();
    for (index, source) in &rejected {
        let stem = source.stem();
        let extension = source.shape.rejects_format().as_str();
        // With as many candidates as inputs one of them is free.
        let name = (1..=rejected.len())
            .map(|number| match number {
                1 => format!("{stem}.rejects.{extension}"),
                _ => format!("{stem}-{number}.rejects.{extension}"),
            })
            // Some file systems ignore letter case.
            .find(|name| taken.insert(name.to_lowercase()));
        paths.extend(name.map(|name| (*index, given.join(name))));
    }
    Ok(paths)
}

/// A case as `export --json` and `status` print it. A server's message may quote
/// the case.
pub(crate) fn case_json(case: &CaseRow, life: Option<&CaseLife>, redact: bool) -> Value {
    let shown = |text: &str| {
        if redact { shape(text) } else { text.to_owned() }
    };
    let mut json = json!({
        "schema": 1,
        "key": shown(&case.key.to_string()),
        "state": case.state.as_str(),
        "case_id": case.case_id,
        "file": case.file,
        "line": case.file.as_ref().map(|_| case.line),
        "row": case.row,
        "partner_firm_id": case.partner_firm_id,
        "status": case.status,
        "attempts": case.attempts,
        "possible_twin": case.possible_twin,
        "updated_at": time(case.updated_at),
        "forgotten_at": case.forgotten_at.map(time),
        "message": case.message.as_deref().map(shown),
    });
    for (name, text) in life.into_iter().flat_map(life_texts) {
        // A time was read as one: no more of a server's text is in it.
        let is_time = name.ends_with("_at");
        let text = if is_time { text } else { shown(&text) };
        json[name.trim_start_matches("caseload_")] = text.into();
    }
    json
}

/// UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes one row per case, when its state is final in this run.
#[derive(Debug)]
pub(crate) struct RunFiles {
    files: CaseFiles,
    /// Cases that will be tried again, as they are until then.
    waiting: BTreeMap<Key, (usize, CaseRow)>,
}

impl RunFiles {
    pub(crate) fn new(files: CaseFiles) -> Self {
        Self {
            files,
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn add_event(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Settled(settled) => {
                let row = CaseRow {
                    state: settled.state,
                    attempts: settled.attempts,
                    possible_twin: settled.possible_twin,
                    updated_at: settled.at,
                    message: message(settled),
                    ..self.row(settled.case, settled.answer)
                };
                self.add(settled.case, row, settled.will_retry);
            }
            // An answer that the ledger could not store is kept here; the ledger
            // will call the case in doubt.
            RunEvent::SettleFailed {
                case,
                answer,
                error,
                ..
            } => {
                let mut message = format!("the ledger could not be written ({error})");
                if let Some(answered) = &answer.message {
                    message += "; ";
                    message += answered;
                }
                let row = CaseRow {
                    message: Some(message),
                    ..self.row(case, answer)
                };
                self.add(case, row, false);
            }
            RunEvent::Skipped {
                case,
                state: Some(state),
            } => {
                let row = CaseRow {
                    state: *state,
                    message: Some(format!("not sent: it is {} now", state.label())),
                    ..self.row(case, &Answer::default())
                };
                self.add(case, row, false);
            }
            // No case has a new state.
            _ => {}
        }
    }

    fn add(&mut self, case: &CaseData, row: CaseRow, will_retry: bool) {
        let source = usize::from(case.place.file.0);
        if will_retry {
            self.waiting.insert(row.key.clone(), (source, row));
        } else {
            self.waiting.remove(&row.key);
            self.files.add_case(Some(source), &row);
        }
    }

    /// A case in doubt after this answer.
    fn row(&self, case: &CaseData, answer: &Answer) -> CaseRow {
        let source = self.files.sources.get(usize::from(case.place.file.0));
        CaseRow {
            key: case.key.clone(),
            state: State::InDoubt,
            case_id: answer.case_id.as_deref().map(str::to_owned),
            file: source.map(|source| source.name.clone()),
            line: case.place.line,
            row: case.place.row,
            partner_firm_id: case.partner_firm.as_deref().map(str::to_owned),
            run: None,
            attempts: 0,
            possible_twin: false,
            updated_at: Timestamp::now(),
            forgotten_at: None,
            status: answer.status,
            message: None,
            raw_record: Some(case.raw_record.as_ref().to_owned()),
            payload: None,
            answer: None,
        }
    }

    /// Completes the files. Cases whose next attempt did not come are written
    /// as they are.
    pub(crate) fn finish(mut self) -> WrittenFiles {
        for (source, row) in self.waiting.into_values() {
            self.files.add_case(Some(source), &row);
        }
        self.files.finish()
    }
}

/// What the attempt's columns do not say.
fn message(settled: &SettledAttempt<'_>) -> Option<String> {
    let differing = settled.answer.echo_differs.iter();
    let differing: Vec<_> = differing.map(|differs| &*differs.field).collect();
    match (settled.same_id_as, &settled.answer.message) {
        (Some(other), _) => Some(format!(
            "the case id in the response already belongs to {other}"
        )),
        (None, None) if !differing.is_empty() => Some(format!(
            "the server returned different values for: {}",
            differing.join(", ")
        )),
        (None, message) => message.as_deref().map(str::to_owned),
    }
}

/// `DIR/<run>/` of `--out DIR`: a directory for the files of one run.
#[derive(Debug, Clone)]
pub(crate) struct RunDirectory(PathBuf);

impl RunDirectory {
    /// Creates the directory. If one of that name exists (another ledger
    /// numbers its runs too), a number is added.
    pub(crate) fn create(parent: &Path, run: &str) -> Result<Self, OutputFileError> {
        private_directory()
            .recursive(true)
            .create(parent)
            .map_err(|error| CannotWrite::Open(error).at(parent))?;
        let mut path = parent.join(run);
        let mut number = 1_u32;
        while let Err(error) = private_directory().create(&path) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(CannotWrite::Open(error).at(&path));
            }
            number += 1;
            path = parent.join(format!("{run}-{number}"));
        }
        Ok(Self(path))
    }

    pub(crate) fn paths(&self, sources: &[SourceFile]) -> OutputPaths {
        let rejects = match sources {
            [only] => {
                let extension = only.shape.rejects_format().as_str();
                self.0.join(format!("rejects.{extension}"))
            }
            _ => self.0.clone(),
        };
        OutputPaths {
            results: Some(self.0.join("results.csv")),
            rejects: Some(rejects),
            in_doubt: Some(self.0.join("in-doubt.csv")),
            json: None,
        }
    }

    pub(crate) fn problems(&self) -> PathBuf {
        self.0.join("problems.csv")
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// Writes the closing object of the run.
    pub(crate) fn write_summary(&self, summary: &Value) -> Result<(), OutputFileError> {
        let path = self.0.join("summary.json");
        let created = private_file().write(true).create_new(true).open(&path);
        created
            .and_then(|mut file| writeln!(file, "{summary:#}").and_then(|()| file.sync_all()))
            .map_err(|error| CannotWrite::Open(error).at(&path))
    }
}
