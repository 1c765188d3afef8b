//! Case files and their records as read: cells by column, each with the place
//! it came from.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a case file is, by its name on the command line. Parses that name and
/// every extension that such files have, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// Cells between commas, or another character.
    Csv,
    /// Cells between tabs.
    #[strum(to_string = "tsv", serialize = "tab")]
    Tsv,
    /// An array of objects, an object with one in it, or a single object.
    Json,
    /// One object a line.
    #[strum(to_string = "ndjson", serialize = "jsonl")]
    Ndjson,
    /// An Excel workbook.
    #[strum(to_string = "xlsx", serialize = "xlsm")]
    Xlsx,
}

impl Format {
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The format that a file's name promises; a final `.gz` does not count.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        name.rsplit_once('.')?.1.parse().ok()
    }

    /// Whether its records are JSON objects.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

/// One of the input files, by its position in the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct FileId(pub u16);

/// A record's position in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Place {
    pub file: FileId,
    /// Line of the record's first byte, from 1; in a workbook its row.
    pub line: u64,
    /// Its row as a spreadsheet counts it, from 1, where a cell with line breaks
    /// is one row and the header counts; JSON has none.
    pub row: Option<u64>,
    /// Position among the file's records, from 0.
    pub index: u64,
}

/// Where to look: `line 14`, or `row 57 (line 67)`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.row {
            Some(row) if row != line => write!(f, "row {row} (line {line})"),
            _ => write!(f, "line {line}"),
        }
    }
}

/// What the text of a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellKind {
    /// The record has no such column (JSON only).
    #[default]
    Absent,
    /// Every CSV cell, a decoded JSON string.
    Text,
    /// A number by its digits, as valid JSON number text.
    Number,
    /// `true` or `false`.
    Bool,
    /// A JSON `null`; the text is empty.
    Null,
    /// A JSON object or array, as its own valid JSON text.
    Json,
    /// A calendar date of a workbook, as `YYYY-MM-DD`.
    Date,
    /// A date with a time of a workbook, as `YYYY-MM-DDTHH:MM:SS`.
    DateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell<'a> {
    pub kind: CellKind,
    pub text: &'a str,
}

impl<'a> Cell<'a> {
    pub const fn text(text: &'a str) -> Self {
        Self {
            kind: CellKind::Text,
            text,
        }
    }

    /// Absent, null, or white space only.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        match self.kind {
            CellKind::Absent | CellKind::Null => true,
            _ => match self.text.as_bytes().first() {
                // Nearly every cell is decided by its first byte.
                Some(first) if first.is_ascii_graphic() => false,
                _ => self.text.chars().all(char::is_whitespace),
            },
        }
    }
}

/// The column names of one file, as far as they are known. A CSV header is
/// complete from the start; the names of JSON members grow while it is read.
#[derive(Debug)]
pub struct Columns {
    id: u64,
    names: IndexSet<Box<str>, RandomState>,
}

/// One state of one set of columns: positions that were found in another state
/// must be found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ColumnsVersion(Option<(u64, usize)>);

impl Columns {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            names: IndexSet::default(),
        }
    }

    /// The columns of a header, in its order. Names must be distinct.
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut columns = Self::new();
        for name in names {
            columns.intern(name.as_ref());
        }
        columns
    }

    pub(crate) fn version(&self) -> ColumnsVersion {
        ColumnsVersion(Some((self.id, self.len())))
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Panics past the end, like a slice.
    pub(crate) fn name(&self, position: usize) -> &str {
        &self.names[position]
    }

    /// Of exactly this name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.get_index_of(name)
    }

    /// The position of a name, which is added when it is new.
    pub(crate) fn intern(&mut self, name: &str) -> usize {
        self.position(name)
            .unwrap_or_else(|| self.names.insert_full(name.into()).0)
    }
}

/// One row or object as read. Borrowed: it lives as long as the chunk that it
/// was read from.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub place: Place,
    /// Its file's columns; at least as many as there are cells.
    pub columns: &'a Columns,
    /// Cells by column position; a column past the end is absent.
    pub cells: &'a [Cell<'a>],
    /// The text of the object that the record was read from, if it was JSON.
    pub json: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// [`CellKind::Absent`] when there is none.
    #[inline]
    pub(crate) fn cell(&self, position: usize) -> Cell<'a> {
        self.cells.get(position).copied().unwrap_or_default()
    }

    /// The cell of a column; [`CellKind::Absent`] when there is none.
    pub(crate) fn get(&self, name: &str) -> Cell<'a> {
        self.columns
            .position(name)
            .map_or_else(Cell::default, |position| self.cell(position))
    }

    /// The columns that the record has, with their cells, in the file's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, Cell<'a>)> + use<'a> {
        self.columns
            .names()
            .zip(self.cells.iter().copied())
            .filter(|(_, cell)| cell.kind != CellKind::Absent)
    }
}
