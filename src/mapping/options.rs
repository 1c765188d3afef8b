//! The rules as the config or the command line gives them: plain data.

use jiff::civil::Date;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct MappingOptions {
    /// A rule a payload field, in the config's order.
    pub fields: Vec<FieldRule>,
    /// Columns that no rule uses go out under their own names: `[case]
    /// passthrough`, and always where there are no rules at all.
    pub passthrough: bool,
    /// The key columns; none is allowed for checks and test runs.
    pub key: Vec<String>,
    /// The line of the config where the key was set.
    pub key_line: Option<u32>,
    /// The partner firm's column. Without one: `partnerFirmId`, `partner_firm_id`
    /// or `Partner Firm ID` in any letter case, where a file has it.
    pub partner_firm_column: Option<String>,
    /// The line of the config where the partner firm's column was set.
    pub partner_firm_line: Option<u32>,
    /// Names that people use for firms, each with the firm's id.
    pub partner_firms: Vec<(String, String)>,
    /// The firm of records that name none.
    pub default_partner_firm: Option<String>,
    /// Let records without a firm through.
    pub allow_drafts: bool,
    /// The day of the run. Without it no date is implausible.
    pub today: Option<Date>,
}

/// How one payload field is made.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    /// The field's name; dots make nested objects, unless it is `flat`.
    pub target: String,
    /// The dots of the name are part of it.
    pub flat: bool,
    /// What it is made of.
    pub source: FieldSource,
    /// The value's type. Without one a value goes as it stands: text as text,
    /// a JSON number, truth value or nested value as that.
    pub value_type: Option<ValueType>,
    /// The formats of a date, in `strftime` letters; ISO where none is given.
    pub formats: Vec<String>,
    /// The only values that may be sent.
    pub choices: Vec<String>,
    /// Values to replace, before the type and the choices are looked at.
    pub rename: Vec<(String, String)>,
    /// What stands in for a blank value.
    pub default: Option<Constant>,
    /// A blank value is a problem.
    pub required: bool,
    /// The fewest characters of the value that is sent.
    pub min_length: Option<usize>,
    /// The most characters of the value that is sent.
    pub max_length: Option<usize>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// One side of "Last, First".
    pub part: Option<NamePart>,
    /// Leave the field out for a blank value instead of sending `""`.
    pub omit_empty: bool,
    /// The line of the config where the rule is; none without a config.
    pub line: Option<u32>,
}

impl Default for FieldRule {
    fn default() -> Self {
        Self {
            target: String::new(),
            flat: false,
            source: FieldSource::None,
            value_type: None,
            formats: Vec::new(),
            choices: Vec::new(),
            rename: Vec::new(),
            default: None,
            required: false,
            min_length: None,
            max_length: None,
            pattern: None,
            part: None,
            omit_empty: true,
            line: None,
        }
    }
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
    /// The column of the field's own name.
    #[default]
    None,
    /// The first of these columns that is filled. A dotted name reaches into
    /// nested JSON where no column has the whole name.
    Columns(Vec<String>),
    /// Text with columns in braces: `{First} {Last}`.
    Template(String),
    /// Always the same value.
    Constant(Constant),
}

impl FieldSource {
    /// What a config's `from = "…"` means: a template where braces stand in
    /// it, otherwise a column.
    pub fn from_text(text: &str) -> Self {
        if text.contains(['{', '}']) {
            Self::Template(text.to_owned())
        } else {
            Self::Columns(vec![text.to_owned()])
        }
    }
}

/// A value that stands in the config.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// Text.
    Text(String),
    /// A number, as JSON writes it.
    Number(String),
    /// A truth value.
    Bool(bool),
}

/// What a value must be, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text as it stands; numbers by their digits, as text.
    Text,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DDTHH:MM:SS`, with its offset where it has one.
    DateTime,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A state of the US by its two letters.
    State,
    /// A phone number in E.164.
    Phone,
    /// An e-mail address.
    Email,
}

/// A side of "Last, First".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamePart {
    /// Before the comma.
    Last,
    /// Behind the comma.
    First,
}
