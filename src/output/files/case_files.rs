//! Results, rejects and cases in doubt together: their names, which case goes
//! where, and how the events of a run fill them.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::output_file::{CannotWrite, OutputFile, OutputFileError, OutputOpener};
use super::rows::{CaseTable, RejectsFile};
use super::source::{RecordShape, SourceFile};
use crate::ledger::{CaseRow, RunId};
use crate::model::{
    Answer, CaseData, FileId, Format, Key, RunEvent, SettledAttempt, State, private_directory,
    reserved,
};
use crate::output::terminal::text::shape;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaseOutput {
    Results,
    Rejects,
    InDoubt,
    Json,
}

/// A complete file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenFile {
    pub output: CaseOutput,
    pub path: PathBuf,
    pub rows: u64,
}

/// The files that are complete, and the errors of the others.
#[derive(Debug, Default)]
pub(crate) struct WrittenFiles {
    pub files: Vec<WrittenFile>,
    /// Rows of the results that lack the columns of their input.
    pub without_record: u64,
    pub errors: Vec<OutputFileError>,
}

/// Open outputs. Dropped before the first row, they are removed again.
#[derive(Debug)]
pub(crate) struct CaseFiles {
    sources: Vec<SourceFile>,
    results: Option<CaseTable>,
    /// By input.
    rejects: Vec<Option<RejectsFile>>,
    in_doubt: Option<CaseTable>,
    json: Option<OutputFile>,
}

impl CaseFiles {
    /// Opens the outputs. Without any input they have their headers only.
    pub(crate) fn open(
        opener: &mut OutputOpener,
        paths: &OutputPaths,
        mut sources: Vec<SourceFile>,
    ) -> Result<Self, OutputFileError> {
        if sources.is_empty() {
            sources.push(SourceFile::empty(paths.rejects.as_deref()));
        } else if !sources.iter().any(|source| source.has_rejects) {
            // A rejects file without rows.
            sources[0].has_rejects = true;
        }
        let mut open = |path: &Option<PathBuf>, format| {
            let path = path.as_ref();
            path.map(|path| opener.open(path, format)).transpose()
        };
        let results = open(&paths.results, Format::Csv)?
            .map(|file| CaseTable::results(file, &sources))
            .transpose()?;
        let in_doubt = open(&paths.in_doubt, Format::Csv)?
            .map(|file| CaseTable::in_doubt(file, &sources))
            .transpose()?;
        let json = open(&paths.json, Format::Ndjson)?;
        let mut rejects = Vec::new();
        if let Some(given) = &paths.rejects {
            let rejected: Vec<_> = sources.iter().filter(|source| source.has_rejects).collect();
            let mut paths = rejects_paths(given, &rejected)?.into_iter();
            for source in &sources {
                let path = source.has_rejects.then(|| paths.next()).flatten();
                let open = |path: PathBuf| {
                    let file = opener.open(&path, source.shape.rejects_format())?;
                    RejectsFile::create(file, source)
                };
                rejects.push(path.map(open).transpose()?);
            }
        }
        Ok(Self {
            sources,
            results,
            rejects,
            in_doubt,
            json,
        })
    }

    pub(crate) fn sources(&self) -> &[SourceFile] {
        &self.sources
    }

    /// Adds a case of this input to the outputs where it belongs. An input that
    /// does not exist counts as the first one.
    pub(crate) fn add_case(&mut self, source: Option<usize>, case: &CaseRow) {
        let source = source.unwrap_or_default();
        let shape = self.sources.get(source).map(|source| &source.shape);
        let shape = shape.unwrap_or(&RecordShape::Json);
        if let Some(results) = &mut self.results {
            results.add(case, shape);
        }
        if let Some(json) = &mut self.json {
            let line = format!("{}\n", case_json(case, false));
            json.write_row(reserved::escape_controls(&line).as_bytes());
        }
        if case.state == State::InDoubt
            && let Some(in_doubt) = &mut self.in_doubt
        {
            in_doubt.add(case, shape);
        }
        if case.state == State::Rejected {
            let reason = match (case.status, case.message.as_deref()) {
                (Some(status), Some(message)) => format!("HTTP {status}: {message}"),
                (Some(status), None) => format!("HTTP {status}"),
                (None, Some(message)) => message.to_owned(),
                (None, None) => case.state.as_str().to_owned(),
            };
            self.add_reject(source, case.raw_record.as_deref(), Some(&case.key), &reason);
        }
    }

    /// Adds a record that is held: it is no case yet.
    pub(crate) fn add_held(&mut self, source: usize, raw: &str, key: &Key, reason: &str) {
        let shape = self.sources.get(source).map(|source| &source.shape);
        if let Some(results) = &mut self.results {
            results.add_held(key, raw, reason, shape.unwrap_or(&RecordShape::Json));
        }
        self.add_reject(source, Some(raw), Some(key), reason);
    }

    /// Adds a record to the rejects of its input.
    pub(crate) fn add_reject(
        &mut self,
        source: usize,
        raw: Option<&str>,
        key: Option<&Key>,
        reason: &str,
    ) {
        if let Some(Some(rejects)) = self.rejects.get_mut(source) {
            rejects.add(raw, key, reason);
        }
    }

    /// Completes the files.
    pub(crate) fn finish(self) -> WrittenFiles {
        let mut written = WrittenFiles::default();
        self.finish_into(&mut written);
        written
    }

    fn finish_into(self, written: &mut WrittenFiles) {
        written.without_record += (self.results.as_ref()).map_or(0, |table| table.without_record);
        let results = self.results.map(CaseTable::into_file);
        let rejects = self
            .rejects
            .into_iter()
            .flatten()
            .map(RejectsFile::into_file);
        let in_doubt = self.in_doubt.map(CaseTable::into_file);
        let files = (results.into_iter().map(|file| (CaseOutput::Results, file)))
            .chain(rejects.map(|file| (CaseOutput::Rejects, file)))
            .chain(in_doubt.into_iter().map(|file| (CaseOutput::InDoubt, file)))
            .chain(self.json.into_iter().map(|file| (CaseOutput::Json, file)));
        for (output, file) in files {
            let path = file.path().to_owned();
            match file.finish() {
                Ok(rows) => written.files.push(WrittenFile { output, path, rows }),
                Err(error) => written.errors.push(error),
            }
        }
    }
}

/// One rejects file per input: the given name for a single one, else files in
/// that directory, named after the inputs.
fn rejects_paths(given: &Path, sources: &[&SourceFile]) -> Result<Vec<PathBuf>, OutputFileError> {
    if !given.is_dir() {
        if sources.len() == 1 {
            return Ok(vec![given.to_owned()]);
        }
        if given.exists() || given.extension().is_some() {
            return Err(CannotWrite::DirectoryNeeded(sources.len()).at(given));
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
    for source in sources {
        let stem = source.stem();
        let extension = source.shape.rejects_format().as_str();
        // With as many candidates as inputs one of them is free.
        let name = (1..=sources.len())
            .map(|number| match number {
                1 => format!("{stem}.rejects.{extension}"),
                _ => format!("{stem}-{number}.rejects.{extension}"),
            })
            // Some file systems ignore letter case.
            .find(|name| taken.insert(name.to_lowercase()));
        paths.extend(name.map(|name| given.join(name)));
    }
    Ok(paths)
}

/// A case as `export --json` and `status` print it. A server's message may quote
/// the case.
pub(crate) fn case_json(case: &CaseRow, redact: bool) -> Value {
    let shown = |text: &str| {
        if redact { shape(text) } else { text.to_owned() }
    };
    json!({
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
        "message": case.message.as_deref().map(shown),
    })
}

/// UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes one row per case, when its state is final in this run.
#[derive(Debug)]
pub(crate) struct RunFiles {
    /// Those that were named, and those of `--out`.
    sets: Vec<CaseFiles>,
    run: RunId,
    /// Cases that will be tried again, as they are until then.
    waiting: BTreeMap<Key, (FileId, CaseRow)>,
}

impl RunFiles {
    pub(crate) fn new(sets: Vec<CaseFiles>, run: RunId) -> Self {
        Self {
            sets,
            run,
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn add_event(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Settled(settled) => self.add_settled(settled),
            RunEvent::SettleFailed {
                case,
                answer,
                error,
                ..
            } => self.add_settle_failed(case, answer, error),
            RunEvent::Skipped {
                case,
                state: Some(state),
            } => {
                self.waiting.remove(&case.key);
                let row = CaseRow {
                    state: *state,
                    message: Some(format!("not sent: it is {} now", state.label())),
                    ..self.row(case, &Answer::default())
                };
                self.write(case.place.file, &row);
            }
            // No case has a new state.
            _ => {}
        }
    }

    fn add_settled(&mut self, settled: &SettledAttempt<'_>) {
        let file = settled.case.place.file;
        let row = CaseRow {
            state: settled.state,
            attempts: settled.attempts,
            possible_twin: settled.possible_twin,
            updated_at: settled.at,
            message: message(settled),
            ..self.row(settled.case, settled.answer)
        };
        if settled.will_retry {
            self.waiting.insert(row.key.clone(), (file, row));
        } else {
            self.waiting.remove(&row.key);
            self.write(file, &row);
        }
    }

    /// An answer that the ledger could not store is kept here; the ledger will
    /// call the case in doubt.
    fn add_settle_failed(&mut self, case: &CaseData, answer: &Answer, error: &str) {
        self.waiting.remove(&case.key);
        let mut message = format!("the ledger could not be written ({error})");
        if let Some(answered) = &answer.message {
            message += "; ";
            message += answered;
        }
        let row = CaseRow {
            message: Some(message),
            ..self.row(case, answer)
        };
        self.write(case.place.file, &row);
    }

    /// A case in doubt after this answer.
    fn row(&self, case: &CaseData, answer: &Answer) -> CaseRow {
        let index = usize::from(case.place.file.0);
        let source = self.sets.first().and_then(|files| files.sources.get(index));
        CaseRow {
            key: case.key.clone(),
            state: State::InDoubt,
            case_id: answer.case_id.as_deref().map(str::to_owned),
            file: source.map(|source| source.name.clone()),
            line: case.place.line,
            row: case.place.row,
            partner_firm_id: case.partner_firm.as_deref().map(str::to_owned),
            run: Some(self.run),
            attempts: 0,
            possible_twin: false,
            updated_at: Timestamp::now(),
            status: answer.status,
            message: None,
            raw_record: Some(case.raw_record.as_ref().to_owned()),
            payload: None,
            answer: None,
        }
    }

    fn write(&mut self, file: FileId, row: &CaseRow) {
        for files in &mut self.sets {
            files.add_case(Some(usize::from(file.0)), row);
        }
    }

    /// Adds a record that was skipped for its problems, with its key if it has
    /// one.
    pub(crate) fn add_invalid(&mut self, file: FileId, raw: &str, key: Option<&Key>, reason: &str) {
        for files in &mut self.sets {
            files.add_reject(usize::from(file.0), Some(raw), key, reason);
        }
    }

    /// Adds a record that is held.
    pub(crate) fn add_held(&mut self, file: FileId, raw: &str, key: &Key, reason: &str) {
        for files in &mut self.sets {
            files.add_held(usize::from(file.0), raw, key, reason);
        }
    }

    /// Completes the files. Cases whose next attempt did not come are written
    /// as they are.
    pub(crate) fn finish(mut self) -> WrittenFiles {
        for (file, row) in std::mem::take(&mut self.waiting).into_values() {
            self.write(file, &row);
        }
        let mut written = WrittenFiles::default();
        for files in self.sets {
            files.finish_into(&mut written);
        }
        written
    }
}

/// What the attempt's columns do not say.
fn message(settled: &SettledAttempt<'_>) -> Option<String> {
    let differing = &settled.answer.echo_differs;
    match (settled.same_id_as, &settled.answer.message) {
        (Some(other), _) => Some(format!(
            "the case id in the response already belongs to {other}"
        )),
        (None, None) if !differing.is_empty() => Some(format!(
            "the server returned different values for: {}",
            (differing.iter().map(|differs| &*differs.field))
                .collect::<Vec<_>>()
                .join(", ")
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

    /// Writes the closing object of the run.
    pub(crate) fn write_summary(&self, summary: &Value) -> Result<(), OutputFileError> {
        let path = self.0.join("summary.json");
        NamedTempFile::new_in(&self.0)
            .and_then(|mut file| {
                writeln!(file, "{summary:#}")?;
                file.as_file().sync_all()?;
                Ok(file.persist(&path)?)
            })
            .map(drop)
            .map_err(|error| CannotWrite::Open(error).at(&path))
    }
}
