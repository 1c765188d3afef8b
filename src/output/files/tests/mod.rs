//! The files as others find them.

mod opening;
mod rows;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::model::{Key, State};

/// A folder with a place to remember what was written.
struct Room {
    folder: TempDir,
    registry: Registry,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("state/files")).unwrap();
        Self { folder, registry }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn opener(&self, inputs: &[&Path]) -> Opener<'_> {
        Opener::new(&self.registry, inputs, Flush::EachRow)
    }

    /// Writes a rejects file of a table with these rows of raw texts.
    fn rejects(&self, path: &Path, columns: &[&str], raws: &[&str]) -> Result<(), FileError> {
        let target = self.opener(&[]).open(path, Kind::Csv)?;
        let mut rejects = Rejects::begin(target, &table("x", columns))?;
        for raw in raws {
            rejects.row(Some(raw), None, "x");
        }
        rejects.into_target().finish().map(drop)
    }
}

fn table(name: &str, columns: &[&str]) -> InputFile {
    InputFile {
        name: name.to_owned(),
        path: Some(name.into()),
        shape: Shape::table(columns),
        unread: false,
    }
}

fn json(name: &str) -> InputFile {
    InputFile {
        name: name.to_owned(),
        path: Some(name.into()),
        shape: Shape::Json,
        unread: false,
    }
}

fn line<'a>(key: &'a Key, file: &'a str, state: State, raw: &'a str) -> CaseLine<'a> {
    CaseLine {
        key,
        file,
        line: 7,
        partner_firm: Some("firm_1"),
        state,
        case_id: None,
        status: Some(422),
        attempts: Some(2),
        possible_twin: false,
        at: Timestamp::UNIX_EPOCH,
        message: Some("no such case type"),
        raw: Some(raw),
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
