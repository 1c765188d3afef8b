//! The files as their readers find them.

mod opening;
mod rows;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::TempDir;

use super::output_file::CannotWrite;
use super::rows::{CaseTable, RejectsFile};
use super::*;
use crate::ledger::{CaseRow, RunId};
use crate::model::{Format, Key, State};

/// A temporary directory for outputs.
struct TestDir(TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Writes a rejects file of a table with these rows of raw texts.
fn write_rejects(
    path: &Path,
    force: bool,
    columns: &[&str],
    raws: &[&str],
) -> Result<(), OutputFileError> {
    let file = opener(force, &[]).open(path, Format::Csv)?;
    let mut rejects = RejectsFile::create(file, &table("x", columns))?;
    for raw in raws {
        rejects.add(raw, None, "x");
    }
    rejects.into_file().finish().map(drop)
}

fn opener(force: bool, inputs: &[&Path]) -> OutputOpener {
    OutputOpener::new(force, FlushPolicy::EachRow, inputs)
}

fn table(name: &str, columns: &[&str]) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        path: Some(name.into()),
        shape: RecordShape::table(columns),
        has_unread: false,
        has_rejects: true,
    }
}

fn json(name: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        path: Some(name.into()),
        shape: RecordShape::Json,
        has_unread: false,
        has_rejects: true,
    }
}

fn case_row(key: &str, file: &str, state: State, raw: &str) -> CaseRow {
    CaseRow {
        key: Key::new([key]),
        state,
        case_id: None,
        file: Some(file.to_owned()),
        line: 7,
        row: None,
        partner_firm_id: Some("firm_1".to_owned()),
        run: Some(RunId(1)),
        attempts: 2,
        possible_twin: false,
        forgotten_at: None,
        updated_at: Timestamp::UNIX_EPOCH,
        status: Some(422),
        message: Some("no such case type".to_owned()),
        raw_record: Some(raw.to_owned()),
        payload: None,
        answer: None,
    }
}

/// Header and rows of a CSV, without its byte order mark.
fn read_csv(path: &Path) -> Vec<Vec<String>> {
    let bytes = fs::read(path).unwrap();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text)
        .into_records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}
