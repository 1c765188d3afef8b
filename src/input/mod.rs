//! Case files to records: CSV, TSV, JSON, NDJSON and XLSX, plain or gzipped, from
//! a file, a pipe or standard input.
//!
//! Reading has two parts, so that it can use several threads: a [`Reader`]
//! finds where records end and returns [`Chunk`]s of them, one after the other;
//! a [`Parser`] makes [`Record`](crate::model::Record)s of a chunk, in any
//! thread. Both keep to [`Limits`], however large the input is.

mod bytes;
mod chunk;
mod delimited;
mod encoding;
mod error;
mod header;
mod json;
mod number_format;
mod parser;
mod reader;
mod sheet_scan;
mod window;
mod workbook;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub use crate::model::Format;
pub use chunk::Chunk;
pub use error::{InputError, InputErrorKind};
pub use parser::{Item, Parser};
pub use reader::{Reader, open};
pub(crate) use workbook::WORKBOOK_THREAD;

/// How to read a file, where detection is wrong.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format; otherwise from the name, then from the content.
    pub format: Option<Format>,
    /// Between two cells of a CSV; otherwise detected in its first rows.
    pub delimiter: Option<u8>,
    /// The encoding by its name (`utf-8`, `windows-1252`, `utf-16le`, ...).
    pub encoding: Option<String>,
    /// The sheet of a workbook; otherwise the first.
    pub sheet: Option<String>,
    /// The member of a JSON object that holds the records (a dotted path), or
    /// `.` when the object itself is the one record.
    pub records: Option<String>,
    /// The header's row, as a spreadsheet counts it; otherwise the first that is
    /// not blank.
    pub header_row: Option<u64>,
    pub limits: Limits,
    /// Whether to hash the file's bytes while they are read.
    pub digest: bool,
    /// Finds the folder for copies of what can be read only once; otherwise the
    /// system's.
    pub temporary_folder: Option<fn() -> PathBuf>,
}

/// What is too large. The defaults are the product's limits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest record in bytes, and so the longest cell.
    pub record: usize,
    /// The most columns, or distinct member names, of a file.
    pub columns: usize,
    /// Bytes that a compressed file may always unpack to ...
    pub unpacked: u64,
    /// ... and how many bytes a compressed byte may make beyond that.
    pub ratio: u64,
    /// About how many bytes a chunk has.
    pub chunk: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record: 16 << 20,
            columns: 10_000,
            unpacked: 1 << 30,
            ratio: 200,
            chunk: 128 << 10,
        }
    }
}

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file or a named pipe. A regular file must stay as it is until its end
    /// was read.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// What an argument means: `-` is standard input.
    pub(crate) fn from_arg(argument: &OsStr) -> Self {
        if argument == "-" {
            Self::Stdin
        } else {
            Self::Path(argument.into())
        }
    }

    /// None is standard input.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Stdin => None,
        }
    }

    /// The name in messages: the path as it was given, or `standard input`.
    pub(crate) fn name(&self) -> String {
        self.path().map_or_else(
            || "standard input".to_owned(),
            |path| path.display().to_string(),
        )
    }

    /// The file's own name, for the decisions that its ending makes.
    fn file_name(&self) -> &str {
        let name = self.path().and_then(Path::file_name);
        name.and_then(OsStr::to_str).unwrap_or_default()
    }
}
