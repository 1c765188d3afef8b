//! What a check reports: problems, for the person who must fix them, and a
//! summary of each column.

use indicatif::HumanCount;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::{Key, Place};

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Nothing is sent until it is fixed.
    Error,
    /// Reported; an error only with `--strict`.
    Warning,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The kind of a problem, as named in output and by `explain`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    strum::Display,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Code {
    // Reading
    /// A row has more or fewer cells than the header.
    RaggedRow,
    /// Two columns have the same name.
    DuplicateHeader,
    /// A column has no name and is not empty.
    EmptyHeader,
    /// Bytes that are invalid in the file's encoding.
    InvalidText,
    /// The file ends in the middle of a record.
    Truncated,
    /// Invalid JSON.
    BadJson,
    /// A JSON object has a member twice.
    DuplicateMember,
    /// A JSON value where an object was expected.
    NotAnObject,
    /// A quote that is never closed.
    UnclosedQuote,
    /// Text after a closing quote, or white space before an opening one.
    MisplacedQuote,
    /// The header's names again, in the middle of the file.
    RepeatedHeader,
    /// Two columns whose names differ in letter case only.
    SimilarHeaders,
    /// A web page, an archive, a picture: no table.
    NotATable,
    /// A title or a comment above the header.
    TitleAboveHeader,
    /// A formula whose value the workbook does not hold.
    FormulaWithoutValue,
    /// Cells merged across columns, or with the header.
    MergedCells,
    /// Rows of a sheet that people do not see.
    HiddenRows,
    /// Sheets with rows that are not read.
    UnreadSheets,
    /// A file without records.
    NoRecords,
    /// An encoding that the file does not declare.
    GuessedEncoding,
    /// A row of a rejects file that could not be read and was not corrected.
    NotFixed,
    /// A record, a cell or a file over a size limit.
    TooLarge,
    /// A cell contains control characters such as NUL.
    ControlCharacter,
    /// A value contains characters without width, such as U+200B.
    InvisibleCharacter,
    /// A spreadsheet error value such as `#N/A`.
    SpreadsheetError,
    /// Rounded by a spreadsheet, such as `4.41E+11`.
    RoundedNumber,
    // Mapping
    /// A required field has no value.
    MissingRequired,
    /// Does not match any date format, or is not a valid date.
    BadDate,
    /// Two formats give different dates.
    AmbiguousDate,
    /// Not a whole number.
    BadInteger,
    /// Not a number.
    BadNumber,
    /// Neither yes nor no.
    BadBool,
    /// Not a state of the US.
    BadState,
    /// Not a phone number.
    BadPhone,
    /// Not an e-mail address.
    BadEmail,
    /// Not one of a field's choices.
    NotAChoice,
    /// Shorter than `min_length`.
    TooShort,
    /// Longer than `max_length`.
    TooLong,
    /// Does not match `pattern`.
    PatternMismatch,
    /// Not of the form "Last, First".
    BadName,
    /// A nested value where a single one is needed.
    NestedValue,
    /// Two columns of a record map to the same field.
    TargetConflict,
    /// The key columns are empty.
    EmptyKey,
    /// A placeholder such as `#N/A` or `null` where the key is expected.
    PlaceholderKey,
    /// An invalid `caseload_key`.
    BadCaseloadKey,
    /// The key differs from the one that a rejects file was written with.
    CorrectedKey,
    /// No partner firm.
    MissingPartnerFirm,
    /// A firm that is not in the `[partner_firms]` table.
    UnknownPartnerFirm,
    /// Can't be a firm's id.
    BadPartnerFirm,
    /// A date in the future, or more than 120 years ago.
    ImplausibleDate,
    /// A column that looks confidential is sent, though no rule names it.
    LooksConfidential,
    /// No row of a joined file belongs to the record.
    JoinUnmatched,
    /// Several rows of a joined file belong to the record.
    JoinMultiple,
    /// Rows of a joined file that have no id.
    JoinWithoutId,
    // The whole input
    /// A key occurs twice, with different payloads.
    DuplicateKey,
    /// A key occurs twice, with the same payload.
    DuplicateRow,
    /// Differs by one letter from a far more frequent firm.
    RareFirm,
    /// Keys that a spreadsheet, a converter or a person may have made of one.
    SimilarKey,
    /// Case types are not validated: no `choices` list is set.
    UncheckedCaseType,
    /// The key is not in the payload.
    KeyNotSent,
    /// The same name, and the same phone, e-mail or incident date, under two keys.
    LikelyDuplicate,
    /// All but the key is the same.
    SameContent,
    // Against the ledger
    /// A known key with the name, phone, e-mail and incident date of another.
    OtherPerson,
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Without `--strict`.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::SimilarHeaders
            | Self::HiddenRows
            | Self::UnreadSheets
            | Self::GuessedEncoding
            | Self::ControlCharacter
            | Self::InvisibleCharacter
            | Self::SpreadsheetError
            | Self::CorrectedKey
            | Self::RoundedNumber
            | Self::ImplausibleDate
            | Self::LooksConfidential
            | Self::JoinWithoutId
            | Self::RareFirm
            | Self::SimilarKey
            | Self::UncheckedCaseType
            | Self::KeyNotSent
            | Self::LikelyDuplicate => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// One thing wrong with a record or a file. Its texts may contain anything from
/// the file: output must escape, cut and redact them. A value that message or
/// hint name stands there in double quotes, by which it is redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    pub severity: Severity,
    /// Where, as far as it has a place. A file's own problem has line 0 or 1.
    pub place: Place,
    /// The key of its record, if it has one.
    pub key: Option<Key>,
    /// The column of the file that it is about.
    pub column: Option<Box<str>>,
    /// As it is in the file.
    pub value: Option<Box<str>>,
    /// What is wrong, as a fragment in lower case, without the value.
    pub message: String,
    /// What to do, if the message does not tell it.
    pub hint: Option<String>,
    /// Other places that it concerns.
    pub also: Vec<Place>,
}

impl Problem {
    /// A problem of a record with its code's own severity.
    pub(crate) fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            place,
            key: None,
            column: None,
            value: None,
            message: message.into(),
            hint: None,
            also: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn in_column(mut self, column: &str) -> Self {
        self.column = Some(column.into());
        self
    }

    #[must_use]
    pub(crate) fn with_value(mut self, value: &str) -> Self {
        self.value = Some(value.into());
        self
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a check reports about a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ColumnSummary {
    pub(crate) column: Box<str>,
    /// Records in which it is filled.
    pub(crate) filled: u64,
    /// Distinct values, up to 1,000.
    pub(crate) distinct: usize,
    /// There are more distinct values than were counted.
    pub(crate) more_distinct: bool,
    /// Its values are shown by their shape only.
    pub(crate) confidential: bool,
    /// Its first distinct values.
    pub(crate) samples: Vec<Box<str>>,
}

/// `1 case`, `2,500 cases`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') || noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", grouped(number))
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}
