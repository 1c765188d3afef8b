//! The inputs, as far as the files that are written depend on them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::kind::Kind;
use super::raw::Members;
use crate::model::reserved::is_rejects_column;

/// What the records of an input are made of, and so what its rejects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// CSV, TSV or XLSX: cells under these columns. Rejects are CSV.
    Table(Vec<Box<str>>),
    /// JSON or NDJSON: objects. Rejects are NDJSON.
    Json,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its name in messages, such as `cases.csv` or `standard input`.
    pub name: String,
    /// Its path; standard input has none.
    pub path: Option<PathBuf>,
    /// What its records are made of.
    pub shape: Shape,
    /// Whether it has records that could not be read, so that its rejects have
    /// a column for their texts.
    pub unread: bool,
}

impl InputFile {
    /// Stands in where there is no input, with the shape that the name of its
    /// rejects file asks for.
    pub(super) fn nothing(rejects: &Path) -> Self {
        let shape = if Kind::Ndjson.fits(rejects) {
            Shape::Json
        } else {
            Shape::Table(Vec::new())
        };
        Self {
            name: String::new(),
            path: Some("cases".into()),
            shape,
            unread: false,
        }
    }
}

impl Shape {
    /// The columns of a header, without those that caseload adds itself: a
    /// rejects file that is rejected again has them once.
    pub fn table<S: AsRef<str>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Table(
            columns
                .into_iter()
                .filter(|column| !is_rejects_column(column.as_ref()))
                .map(|column| column.as_ref().into())
                .collect(),
        )
    }

    /// What the rejects are written as.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Table(_) => Kind::Csv,
            Self::Json => Kind::Ndjson,
        }
    }
}

/// Finds out an input's shape from the raw records that the ledger has of it.
#[derive(Debug, Default)]
pub struct ShapeSeen {
    columns: Vec<Box<str>>,
    known: HashSet<Box<str>>,
    nested: bool,
    typed: bool,
}

impl ShapeSeen {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one raw record.
    pub fn see(&mut self, raw: &str) {
        let Some(Members(members)) = Members::of(raw) else {
            return;
        };
        for (name, value) in members {
            self.nested |= value.get().starts_with(['{', '[']);
            self.typed |= !value.get().starts_with('"');
            if !self.known.contains(&*name) {
                self.known.insert((&*name).into());
                self.columns.push((&*name).into());
            }
        }
    }

    /// The shape, by the file's name where it says anything, else by what was
    /// seen: only texts under names are what a table gives.
    pub fn finish(self, file: &str) -> Shape {
        let lower = file.to_lowercase();
        let name = Path::new(lower.strip_suffix(".gz").unwrap_or(&lower));
        let is_table = match name.extension().and_then(|ending| ending.to_str()) {
            Some("json" | "ndjson" | "jsonl") => false,
            Some("csv" | "tsv" | "tab" | "xlsx" | "xlsm") => !self.nested,
            _ => !self.nested && !self.typed,
        };
        if is_table {
            Shape::table(&self.columns)
        } else {
            Shape::Json
        }
    }
}
