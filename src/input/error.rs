//! Why a file can't be used at all, or not read to its end.

use std::io;

use super::raw::Bomb;

/// A file that can't be used, with its name.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {kind}")]
pub struct InputError {
    /// The input as it was given.
    pub name: String,
    /// What is wrong with it.
    pub kind: InputErrorKind,
}

/// What is wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum InputErrorKind {
    /// Nothing is there.
    #[error("no such file")]
    Missing,
    /// A folder.
    #[error("is a directory; name the files in it")]
    Directory,
    /// Not a byte, or nothing but white space.
    #[error("is empty")]
    Empty,
    /// What Excel keeps beside an open workbook.
    #[error("is the lock file of an open workbook; close it in Excel and name {workbook} instead")]
    LockFile {
        /// The workbook's own name.
        workbook: String,
    },
    /// `.xls`, or a workbook with a password.
    #[error(
        "is an old or password-protected Excel workbook; save it as .xlsx without a password, or as CSV"
    )]
    OldWorkbook,
    /// Neither text nor a workbook.
    #[error(
        "holds binary data, not text; expected CSV, TSV, JSON, NDJSON or XLSX, or name its --encoding"
    )]
    Binary,
    /// A workbook under another format's name.
    #[error("is an Excel workbook, not {0}; use --format xlsx")]
    WorkbookNot(&'static str),
    /// Text under a workbook's name.
    #[error("is no Excel workbook; if it is text, use --format csv or --format json")]
    NoWorkbook,
    /// Reading failed.
    #[error("can't be read: {0}")]
    Io(#[source] io::Error),
    /// Something else wrote it meanwhile.
    #[error(
        "changed while it was read: something is still writing it; wait until it is complete, then run the same command again"
    )]
    Changed,
    /// Reading failed, and Excel has the workbook open.
    #[error(
        "can't be read, and Excel holds it open ({lock} is beside it): save and close it ({detail})"
    )]
    HeldOpen {
        /// The lock file's name.
        lock: String,
        /// What failed.
        detail: String,
    },
    /// The gzip data is damaged or cut off.
    #[error("gzip data can't be unpacked: {0}; the file may be cut off, copy it again")]
    Gzip(#[source] io::Error),
    /// It unpacks to far too much.
    #[error("{0}")]
    Bomb(Bomb),
    /// A name that no encoding has.
    #[error("unknown encoding {0:?}: try utf-8, windows-1252, utf-16le or utf-16be")]
    UnknownEncoding(String),
    /// A delimiter that would make quoting or rows ambiguous.
    #[error("{:?} can't be a delimiter: use one ASCII character such as ',' ';' '|' or a tab", char::from(*.0))]
    BadDelimiter(u8),
    /// A header that is no text.
    #[error(
        "line {line}: the header is not valid text in {encoding}; name the file's --encoding, for example windows-1252"
    )]
    HeaderText {
        /// The header's line.
        line: u64,
        /// What the file was read as.
        encoding: &'static str,
    },
    /// A quote of the header that is never closed.
    #[error("line {line}: a quote of the header is never closed")]
    HeaderQuote {
        /// The header's line.
        line: u64,
    },
    /// A header of nothing but unnamed columns, or none.
    #[error("line {line}: the header names no column; the first row must hold the column names")]
    NoHeader {
        /// The header's line.
        line: u64,
    },
    /// More columns than the limit.
    #[error("has {found} columns, more than the {limit} that are read")]
    TooManyColumns {
        /// How many there are.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The header or an object's beginning is larger than a record may be.
    #[error("line {line}: is larger than the {limit} bytes that a record may have")]
    TooLarge {
        /// Where it begins.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// An array of objects beside other members.
    #[error(
        "the member {array:?} holds an array of objects, and {beside} stands beside it: choose the records with --records {array}, or read the whole object as one case with --records ."
    )]
    AmbiguousRecords {
        /// The member that may be meant.
        array: String,
        /// What else there is.
        beside: String,
    },
    /// `--records` names nothing.
    #[error("has no member {wanted:?} (of --records); {found}")]
    NoSuchMember {
        /// The name or path.
        wanted: String,
        /// What there is instead.
        found: String,
    },
    /// `--records` names something that holds no records.
    #[error("the member {0:?} (of --records) is neither an array nor an object")]
    NotRecords(String),
    /// JSON that breaks before the first record.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// The line.
        line: u64,
        /// The character in it, from 1.
        column: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// `--sheet` names nothing.
    #[error("has no sheet {wanted:?}; its sheets are {sheets}")]
    NoSuchSheet {
        /// The name.
        wanted: String,
        /// All names.
        sheets: String,
    },
    /// A workbook of charts only.
    #[error("has no sheet with cells")]
    NoSheet,
    /// A damaged workbook.
    #[error("the workbook can't be read: {0}; open it in Excel and save it again as .xlsx")]
    Workbook(String),
    /// A second reading of what can be read only once.
    #[error("can be read only once")]
    ReadOnce,
}

impl InputErrorKind {
    /// Reading's own errors, some of which carry more than the system says.
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Bomb>() {
            Ok(bomb) => Self::Bomb(bomb),
            Err(error) => match error.downcast::<super::raw::Unpacking>() {
                Ok(unpacking) => Self::Gzip(unpacking.0),
                Err(error) => Self::Io(error),
            },
        }
    }

    /// The same, with the name of the input.
    pub(super) fn of(self, name: &str) -> InputError {
        InputError {
            name: name.to_owned(),
            kind: self,
        }
    }
}
