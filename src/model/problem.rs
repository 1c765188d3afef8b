//! Problems: what is wrong with a record, for the person who must fix it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Nothing is sent until it is fixed.
    Error,
    /// Reported; an error only with `--strict`.
    Warning,
}

impl Severity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident $severity:ident $text:literal, )*) => {
        /// The kind of a problem, as named in output and by `explain`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        pub enum Code { $( $(#[$doc])* $name, )* }

        impl Code {
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// In kebab case.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// Without `--strict`.
            pub(crate) const fn severity(self) -> Severity {
                match self { $( Self::$name => Severity::$severity, )* }
            }
        }
    };
}

codes! {
    // Reading
    /// A row has more or fewer cells than the header.
    RaggedRow Error "ragged-row",
    /// Two columns have the same name.
    DuplicateHeader Error "duplicate-header",
    /// A column has no name and is not empty.
    EmptyHeader Error "empty-header",
    /// Bytes that are invalid in the file's encoding.
    InvalidText Error "invalid-text",
    /// The file ends in the middle of a record.
    Truncated Error "truncated",
    /// Invalid JSON.
    BadJson Error "bad-json",
    /// A JSON object has a member twice.
    DuplicateMember Error "duplicate-member",
    /// A JSON value where an object was expected.
    NotAnObject Error "not-an-object",
    /// A quote that is never closed.
    UnclosedQuote Error "unclosed-quote",
    /// A row of a rejects file that could not be read and was not corrected.
    NotFixed Error "not-fixed",
    /// A record, a cell or a file over a size limit.
    TooLarge Error "too-large",
    /// A cell contains control characters such as NUL.
    ControlCharacter Warning "control-character",
    /// A spreadsheet error value such as `#N/A`.
    SpreadsheetError Warning "spreadsheet-error",
    // Mapping
    /// A required field has no value.
    MissingRequired Error "missing-required",
    /// Does not match any date format, or is not a valid date.
    BadDate Error "bad-date",
    /// Two formats give different dates.
    AmbiguousDate Error "ambiguous-date",
    /// Not a whole number.
    BadInteger Error "bad-integer",
    /// Not a number.
    BadNumber Error "bad-number",
    /// Neither yes nor no.
    BadBool Error "bad-bool",
    /// Not a state of the US.
    BadState Error "bad-state",
    /// Not a phone number.
    BadPhone Error "bad-phone",
    /// Not an e-mail address.
    BadEmail Error "bad-email",
    /// Not one of a field's choices.
    NotAChoice Error "not-a-choice",
    /// Shorter than `min_length`.
    TooShort Error "too-short",
    /// Longer than `max_length`.
    TooLong Error "too-long",
    /// Does not match `pattern`.
    PatternMismatch Error "pattern-mismatch",
    /// Not of the form "Last, First".
    BadName Error "bad-name",
    /// A nested value where a single one is needed.
    NestedValue Error "nested-value",
    /// Two columns of a record map to the same field.
    TargetConflict Error "target-conflict",
    /// The key columns are empty.
    EmptyKey Error "empty-key",
    /// An invalid `caseload_key`.
    BadCaseloadKey Error "bad-caseload-key",
    /// No partner firm.
    MissingPartnerFirm Error "missing-partner-firm",
    /// A firm that is not in the `[partner_firms]` table.
    UnknownPartnerFirm Error "unknown-partner-firm",
    /// Can't be a firm's id.
    BadPartnerFirm Error "bad-partner-firm",
    /// A date in the future, or more than 120 years ago.
    ImplausibleDate Warning "implausible-date",
    /// A column that looks confidential is sent, though no rule names it.
    LooksConfidential Warning "looks-confidential",
    // The whole input
    /// A key occurs twice, with different payloads.
    DuplicateKey Error "duplicate-key",
    /// A key occurs twice, with the same payload.
    DuplicateRow Error "duplicate-row",
    /// Differs by one letter from a far more frequent firm.
    RareFirm Warning "rare-firm",
    /// Keys that differ in letter case or leading zeros only.
    SimilarKeys Warning "similar-keys",
    /// Damaged by a spreadsheet, such as `4.41E+11`.
    DamagedKey Warning "damaged-key",
    /// Case types are not validated: no `choices` list is set.
    UncheckedCaseType Warning "unchecked-case-type",
    /// The key is not in the payload.
    KeyNotSent Warning "key-not-sent",
    /// The same person with the same incident under two keys.
    LikelyDuplicate Warning "likely-duplicate",
    // Against the ledger
    /// A new key with the content of a case imported or in doubt.
    SameContent Error "same-content",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing wrong with a record or a file. Its texts may contain anything from
/// the file: output must escape, cut and redact them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    pub severity: Severity,
    /// Where, as far as it has a place. A file's own problem has line 0 or 1.
    pub place: Place,
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
