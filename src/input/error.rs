//! Errors of a whole file; what is wrong with a record is a problem.

use std::io;

use super::Input;
use super::window::Position;
use crate::model::Code;

/// Why an input can't be used at all, or not read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {kind}")]
pub struct InputError {
    /// The input as it was given.
    pub name: String,
    pub kind: InputErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum InputErrorKind {
    #[error("no such file")]
    Missing,
    #[error("is a directory; name the files in it")]
    Directory,
    /// Not a byte, or nothing but white space.
    #[error("is empty: it has no records")]
    Empty,
    /// What Excel keeps beside an open workbook.
    #[error("is the lock file of an open workbook; close it in Excel and name {workbook} instead")]
    LockFile { workbook: String },
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
    /// A web page, an archive, a picture.
    #[error("is {what}, not a table of cases: {advice}")]
    NotATable {
        what: &'static str,
        advice: &'static str,
    },
    /// A workbook under another format's name.
    #[error("is an Excel workbook, not {0}; use --format xlsx")]
    WorkbookNot(&'static str),
    /// Text under a workbook's name.
    #[error("is not an Excel workbook; if it is text, use --format csv or --format json")]
    NoWorkbook,
    #[error("can't be read: {0}")]
    Io(#[source] io::Error),
    #[error(
        "changed while it was read: something is still writing to it; wait until it is complete, then run the same command again"
    )]
    Changed,
    /// Reading failed, and Excel has the workbook open.
    #[error(
        "can't be read, and seems to be open in Excel ({lock} exists): save and close it ({detail})"
    )]
    OpenInExcel { lock: String, detail: String },
    #[error("invalid gzip data: {0}; the file may be cut off, copy it again")]
    Gzip(#[source] io::Error),
    /// A compressed file that unpacks to far more than case files do.
    #[error(
        "unpacks to more than {limit} bytes and {ratio} times its size, which no case file does; if it is one, unpack it yourself"
    )]
    Bomb { limit: u64, ratio: u64 },
    #[error("unknown encoding {0:?}: try utf-8, windows-1252, utf-16le or utf-16be")]
    UnknownEncoding(String),
    /// A delimiter that would make quoting or rows ambiguous.
    #[error("{:?} can't be used as a delimiter: use one ASCII character such as ',' ';' '|' or a tab", char::from(*.0))]
    BadDelimiter(u8),
    /// A header that is no text.
    #[error(
        "line {line}: the header is not valid text in {encoding}; name the file's --encoding, for example windows-1252"
    )]
    HeaderText { line: u64, encoding: &'static str },
    /// A quote of the header that is never closed.
    #[error("line {line}: a quote of the header is never closed")]
    UnclosedQuote { line: u64 },
    /// A quote of the header where none may be.
    #[error("line {line}: the header has {problem}: fix the quotes there")]
    HeaderQuote { line: u64, problem: String },
    /// A first row that is not the header.
    #[error(
        "row {first} looks like a title or a comment, and row {row} like the header ({names}): if it is, use --header-row {row}; otherwise remove row {first}"
    )]
    TitleAboveHeader { first: u64, row: u64, names: String },
    #[error("row {0} (from --header-row) is blank or does not exist")]
    NoSuchRow(u64),
    /// A header of nothing but unnamed columns, or none.
    #[error("line {line}: the header has no column names; the first row must hold them")]
    NoHeader { line: u64 },
    #[error("has {found} columns, more than the limit of {limit}")]
    TooManyColumns { found: usize, limit: usize },
    /// The header or an object's beginning is larger than a record may be.
    #[error("line {line}: record larger than the limit of {limit} bytes")]
    TooLarge { line: u64, limit: usize },
    /// An array of objects beside other members, or deeper.
    #[error(
        "the records may be {}, or the whole object is one case: use {} or --records .", listed(.arrays), flags(.arrays)
    )]
    AmbiguousRecords { arrays: Vec<String> },
    #[error("no member {wanted:?} (from --records); {found}")]
    NoSuchMember { wanted: String, found: String },
    /// `--records` names something that holds no records.
    #[error("the member {0:?} (from --records) is neither an array nor an object")]
    NotRecords(String),
    /// JSON that breaks before the first record.
    #[error("{position}: {message}")]
    Json { position: Position, message: String },
    /// JSON that ends too early.
    #[error("{position}: {message}")]
    CutOff {
        position: Position,
        message: &'static str,
    },
    #[error("no sheet named {wanted:?}; its sheets are {sheets}")]
    NoSuchSheet { wanted: String, sheets: String },
    /// A sheet without a cell, or none but such.
    #[error("has no records: {0}")]
    EmptySheet(String),
    #[error("the workbook can't be read: {0}; open it in Excel and save it again as .xlsx")]
    Workbook(String),
}

impl InputErrorKind {
    pub(super) const UNPACK: &str = "unpack it, and name the files in it";
    pub(super) const ZIP_ARCHIVE: Self = Self::NotATable {
        what: "a ZIP archive without an .xlsx workbook",
        advice: Self::UNPACK,
    };

    /// What kind of problem it is, if the file as such can be read, and is
    /// no table of cases or has none.
    pub(crate) fn content_code(&self) -> Option<Code> {
        Some(match self {
            Self::Empty | Self::EmptySheet(_) => Code::NoRecords,
            Self::NotATable { .. }
            | Self::Binary
            | Self::OldWorkbook
            | Self::WorkbookNot(_)
            | Self::NoWorkbook => Code::NotATable,
            Self::TitleAboveHeader { .. } => Code::TitleAboveHeader,
            Self::HeaderQuote { .. } => Code::MisplacedQuote,
            _ => return None,
        })
    }

    /// The error of this input. One that a workbook open in Excel may cause
    /// says so: Excel's lock file is beside it.
    pub(super) fn of(self, input: &Input) -> InputError {
        let name = input.name();
        let mut kind = self;
        if let Self::Io(_) | Self::Workbook(_) | Self::NoWorkbook = kind
            && let Some(path) = input.path()
        {
            let lock = path.with_file_name(format!("~${}", input.file_name()));
            if lock.exists() {
                let (lock, detail) = (lock.display().to_string(), kind.to_string());
                kind = Self::OpenInExcel { lock, detail };
            }
        }
        InputError { name, kind }
    }
}

impl From<io::Error> for InputErrorKind {
    /// A layer between the file and its reader wraps its own errors.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Io)
    }
}

impl From<InputErrorKind> for io::Error {
    fn from(error: InputErrorKind) -> Self {
        Self::other(error)
    }
}

/// Names for a message, not too many of them.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| format!("{name:?}"));
    let more = (names.len() > SHOWN).then(|| "...".to_owned());
    shown.chain(more).collect::<Vec<_>>().join(", ")
}

/// The flags that choose one of the arrays.
fn flags(arrays: &[String]) -> String {
    let flags = arrays
        .iter()
        .take(3)
        .map(|array| format!("--records {array}"));
    flags.collect::<Vec<_>>().join(", ")
}
