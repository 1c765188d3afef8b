//! Problems: what is wrong with a record, told to the person who must act.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Place;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Nothing is sent while it stands.
    Error,
    /// Told; an error only with `--strict`.
    Warning,
}

impl Severity {
    /// The word in JSON output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident $severity:ident $text:literal, )*) => {
        /// What kind of problem it is; the word stands in output and in `explain`.
        #[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
        pub enum Code { $( $(#[$doc])* $name, )* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The word, in kebab case.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// How much it weighs without `--strict`.
            pub const fn severity(self) -> Severity {
                match self { $( Self::$name => Severity::$severity, )* }
            }
        }
    };
}

codes! {
    // Reading
    /// A row has more or fewer cells than the header.
    RaggedRow Error "ragged-row",
    /// Two columns of a header have one name.
    DuplicateHeader Error "duplicate-header",
    /// A column has no name and is not empty.
    EmptyHeader Error "empty-header",
    /// Bytes that are no text in the file's encoding.
    InvalidText Error "invalid-text",
    /// The file ends in the middle of a record.
    Truncated Error "truncated",
    /// Text that is no JSON, or not where JSON was expected.
    BadJson Error "bad-json",
    /// A JSON object names a member twice.
    DuplicateMember Error "duplicate-member",
    /// A JSON value where an object was expected.
    NotAnObject Error "not-an-object",
    /// A quote that is opened and never closed.
    UnclosedQuote Error "unclosed-quote",
    /// A row of a rejects file that could not be read, and still is as it was.
    NotFixed Error "not-fixed",
    /// A record, a cell or a file past a stated limit.
    TooLarge Error "too-large",
    /// A cell holds control characters such as NUL.
    ControlCharacter Warning "control-character",
    /// A cell holds a spreadsheet's error such as `#N/A`.
    SpreadsheetError Warning "spreadsheet-error",
    // Mapping
    /// A required field has no value.
    MissingRequired Error "missing-required",
    /// A value that fits no given date format, or no real date.
    BadDate Error "bad-date",
    /// A value that two formats read as different dates.
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
    /// A name that has not the form "Last, First".
    BadName Error "bad-name",
    /// A nested value where a single one is needed.
    NestedValue Error "nested-value",
    /// Two columns of one record go to the same field.
    TargetConflict Error "target-conflict",
    /// The key columns are empty.
    EmptyKey Error "empty-key",
    /// A `caseload_key` that is none.
    BadCaseloadKey Error "bad-caseload-key",
    /// No partner firm is named.
    MissingPartnerFirm Error "missing-partner-firm",
    /// A firm that is not in the `[partner_firms]` table.
    UnknownPartnerFirm Error "unknown-partner-firm",
    /// A value that can't be a firm's id.
    BadPartnerFirm Error "bad-partner-firm",
    /// A date in the future, or more than 120 years ago.
    ImplausibleDate Warning "implausible-date",
    /// A column that looks confidential goes out though no rule names it.
    LooksConfidential Warning "looks-confidential",
    // The whole input
    /// A key stands twice, with different payloads.
    DuplicateKey Error "duplicate-key",
    /// A key stands twice, with the same payload.
    DuplicateRow Error "duplicate-row",
    /// A firm's name differs by one letter from one far more frequent.
    RareFirm Warning "rare-firm",
    /// Keys that differ in letter case or leading zeros only.
    SimilarKeys Warning "similar-keys",
    /// A key that a spreadsheet has damaged, such as `4.41E+11`.
    DamagedKey Warning "damaged-key",
    /// A field like a case type that no `choices` guard.
    UncheckedCaseType Warning "unchecked-case-type",
    /// The key is not in the payload.
    KeyNotSent Warning "key-not-sent",
    /// The same person with the same incident under two keys.
    LikelyDuplicate Warning "likely-duplicate",
    // Against the ledger
    /// A new key with the content of a case imported or in doubt.
    SameContent Error "same-content",
}

impl Code {
    /// The code of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing wrong with a record or a file. Texts may hold anything that the
/// file held: whoever shows them escapes, cuts and redacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// Where, as far as it has a place. A file's own problem has line 0 or 1.
    pub place: Place,
    /// The column of the file that it is about.
    pub column: Option<Box<str>>,
    /// The value as it stands in the file.
    pub value: Option<Box<str>>,
    /// What is wrong, as a fragment in lower case, without the value.
    pub message: String,
    /// What to do, where there is more to say than the message says.
    pub hint: Option<String>,
    /// Other places that it concerns.
    pub also: Vec<Place>,
}

impl Problem {
    /// A problem of a record with its code's own severity.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
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

    /// Names the column.
    #[must_use]
    pub fn in_column(mut self, column: &str) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Adds the value as it stands.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
