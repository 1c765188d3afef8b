//! The inputs, as far as the outputs depend on them.

use std::path::{Path, PathBuf};

use indexmap::IndexSet;

use crate::model::{Format, json_members, reserved};

/// One input, as far as the outputs depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Its name in messages, such as `cases.csv` or `standard input`.
    pub name: String,
    /// None is standard input.
    pub path: Option<PathBuf>,
    pub shape: RecordShape,
    /// Whether it has records that could not be read: its rejects file gets a
    /// column for their text.
    pub has_unread: bool,
    /// Whether it gets a rejects file, where any are written.
    pub has_rejects: bool,
}

impl SourceFile {
    /// Takes the place of the inputs where there are none; its shape is what
    /// the name of its rejects file asks for.
    pub(super) fn empty(rejects: Option<&Path>) -> Self {
        let name = rejects.map(Path::to_string_lossy).unwrap_or_default();
        let shape = match Format::from_name(&name) {
            Some(format) if format.is_json() => RecordShape::Json,
            _ => RecordShape::Table(Vec::new()),
        };
        Self {
            name: String::new(),
            path: Some("cases".into()),
            shape,
            has_unread: false,
            has_rejects: true,
        }
    }

    /// `cases` of `export/cases.csv.gz`.
    pub(super) fn stem(&self) -> String {
        let Some(path) = &self.path else {
            return "stdin".to_owned();
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = Path::new(name.strip_suffix(".gz").unwrap_or(&name));
        name.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into()
    }
}

/// What the records of an input are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordShape {
    /// Cells under these columns (CSV, TSV, XLSX). Rejects are CSV.
    Table(Vec<Box<str>>),
    /// Objects (JSON, NDJSON). Rejects are NDJSON.
    Json,
}

impl RecordShape {
    /// The columns of a header, without those that caseload adds itself: a
    /// rejects file that is rejected again has them once.
    pub(crate) fn table<S: AsRef<str>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Table(
            columns
                .into_iter()
                .filter(|column| !reserved::is_reserved(column.as_ref()))
                .map(|column| column.as_ref().into())
                .collect(),
        )
    }

    /// None for JSON.
    pub(super) fn columns(&self) -> &[Box<str>] {
        match self {
            Self::Table(columns) => columns,
            Self::Json => &[],
        }
    }

    pub(super) fn rejects_format(&self) -> Format {
        match self {
            Self::Table(_) => Format::Csv,
            Self::Json => Format::Ndjson,
        }
    }
}

/// Finds the shape of an input from the raw records in the ledger.
#[derive(Debug, Default)]
pub(crate) struct ShapeDetector {
    columns: IndexSet<Box<str>>,
    has_nested: bool,
    has_typed: bool,
}

impl ShapeDetector {
    pub(crate) fn add(&mut self, raw: &str) {
        for (name, value) in json_members(raw).unwrap_or_default() {
            self.has_nested |= value.starts_with(['{', '[']);
            self.has_typed |= !value.starts_with('"');
            self.columns.insert(name.into());
        }
    }

    /// Decided by the file's name where it tells the format, else by the
    /// records: a table has only texts.
    pub(crate) fn finish(self, file: &str) -> RecordShape {
        let is_table = match Format::from_name(file) {
            Some(format) => !format.is_json() && !self.has_nested,
            None => !self.has_typed,
        };
        if is_table {
            RecordShape::table(&self.columns)
        } else {
            RecordShape::Json
        }
    }
}
