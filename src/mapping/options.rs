//! The rules as the config or the command line gives them: plain data.

use std::path::PathBuf;

use indexmap::IndexMap;
use jiff::civil::Date;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct MappingOptions {
    /// In the config's order.
    pub fields: Vec<FieldRule>,
    /// Columns that no rule uses are sent under their own names.
    pub passthrough: bool,
    /// The key columns; checks need none. Their order makes no difference.
    pub key: Vec<String>,
    /// The system that the keys come from, where several feed one account.
    pub source: Option<String>,
    /// The line of the config where the key was set.
    pub key_line: Option<u32>,
    /// The partner firm's column. Without one: `partnerFirmId`, `partner_firm_id`
    /// or `Partner Firm ID` in any letter case, where a file has it.
    pub partner_firm_column: Option<String>,
    /// The line of the config where the partner firm's column was set.
    pub partner_firm_line: Option<u32>,
    /// Names of firms, each with the firm's id.
    pub partner_firms: Vec<(String, String)>,
    /// The firm of records that name none.
    pub default_partner_firm: Option<String>,
    /// Records without a firm are sent as drafts.
    pub allow_drafts: bool,
    /// The day of the run. Without it no date is implausible.
    pub today: Option<Date>,
    /// The files that records are joined with, by the names that their columns
    /// begin with.
    pub joins: IndexMap<String, JoinRule>,
}

/// A file whose columns rules read beside those of the case files.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRule {
    /// The file, relative to the config.
    pub file: PathBuf,
    /// Column of the case files with the id of a row of this file.
    pub column: String,
    /// Column of this file with that id; by default the one of the same name.
    equals: Option<String>,
    /// A record without a row is an error; the default.
    pub required: Option<bool>,
    /// Sheet of a workbook; by default the first.
    pub sheet: Option<String>,
    /// The header's row, as a spreadsheet counts it.
    pub header_row: Option<u64>,
}

impl JoinRule {
    pub(super) fn equals(&self) -> &str {
        self.equals.as_ref().unwrap_or(&self.column)
    }
}

/// How one payload field is made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldRule {
    /// The field's name; dots make nested objects, unless it is `flat`.
    pub target: String,
    /// The dots are part of the name.
    pub flat: bool,
    pub source: FieldSource,
    /// Without a type text is sent as text, and a JSON number, boolean or
    /// nested value as it is.
    pub value_type: Option<ValueType>,
    /// The formats of a date in `strftime` directives; `%Y-%m-%d` when empty.
    pub formats: Vec<String>,
    /// The only values that may be sent; any when empty.
    pub choices: Vec<String>,
    /// Values to replace before type and choices are checked.
    pub rename: Vec<(String, String)>,
    /// Replaces a blank value.
    pub default: Option<Constant>,
    /// A blank value is a problem.
    pub required: bool,
    /// In characters of the value that is sent.
    pub min_length: Option<usize>,
    /// In characters of the value that is sent.
    pub max_length: Option<usize>,
    /// A regular expression that must match all of the value.
    pub pattern: Option<String>,
    /// One side of "Last, First".
    pub part: Option<NamePart>,
    /// A blank value is sent as `""` instead of leaving the field out.
    pub send_empty: bool,
    /// The platform's own name for the field, such as `client.firstName`.
    pub lexamica: Option<String>,
    /// The rule's line in the config.
    pub line: Option<u32>,
}

impl FieldRule {
    /// Whether the value is sent as text, whatever it is.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value_type, None | Some(ValueType::Text))
    }

    /// Whether the text of a value is compared with something.
    pub(super) fn looks_at_text(&self) -> bool {
        self.part.is_some()
            || !self.rename.is_empty()
            || !self.choices.is_empty()
            || self.pattern.is_some()
            || self.min_length.is_some()
            || self.max_length.is_some()
    }

    /// Whether a value may be sent: one of the choices, if there are any.
    pub(super) fn is_choice(&self, value: &str) -> bool {
        self.choices.is_empty() || self.choices.iter().any(|choice| choice.trim() == value)
    }
}

/// What a field is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum FieldSource {
    /// The column with the field's name.
    #[default]
    SameName,
    /// The first of these columns that is filled. A dotted name reaches into
    /// nested JSON where no column has that name.
    Columns(Vec<String>),
    /// Text with columns in braces: `{First} {Last}`.
    Template(String),
    Constant(Constant),
}

impl FieldSource {
    /// The source that `from = "…"` means: a template if it has braces.
    pub(crate) fn from_text(text: &str) -> Self {
        if text.contains(['{', '}']) {
            Self::Template(text.to_owned())
        } else {
            Self::Columns(vec![text.to_owned()])
        }
    }
}

/// A value in the config.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    Text(String),
    /// As JSON writes it.
    Number(String),
    Bool(bool),
}

/// What a value must be, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text as it is; a number as the text of its digits.
    Text,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DDTHH:MM:SS`, with the offset, if there is one.
    DateTime,
    Integer,
    Number,
    Bool,
    /// A US state as its two-letter code.
    State,
    /// A phone number in E.164.
    Phone,
    Email,
}

/// The side of "Last, First" that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NamePart {
    Last,
    First,
}
