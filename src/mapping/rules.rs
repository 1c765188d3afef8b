//! Rules compiled once, to be shared by all threads.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;
use regex::Regex;

use super::firm::PartnerFirms;
use super::options::{MappingOptions, NamePart, ValueType};
use super::template::TemplatePiece;
use super::values::{Civil, DateRules};

/// The compiled rules: what every [`Mapper`](super::Mapper) works by.
#[derive(Debug)]
pub struct Rules {
    pub(super) options: MappingOptions,
    pub(super) fields: Vec<CompiledField>,
    /// The payload's shape, objects at the place of their first field.
    pub(super) tree: Vec<PayloadNode>,
    pub(super) firms: PartnerFirms,
    pub(super) today: Option<Civil>,
}

/// A member of the payload, its name ready to be written.
#[derive(Debug)]
pub(super) enum PayloadNode {
    Leaf {
        name: Box<str>,
        field: usize,
    },
    Object {
        name: Box<str>,
        children: Vec<PayloadNode>,
    },
}

/// One compiled rule.
#[derive(Debug)]
pub(super) struct CompiledField {
    pub(super) target: Box<str>,
    /// The target's path as JSON strings, for digests.
    pub(super) path: Box<str>,
    pub(super) from: CompiledSource,
    /// The columns as the rule names them.
    pub(super) columns: Vec<String>,
    pub(super) value_type: Option<ValueType>,
    pub(super) dates: DateRules,
    pub(super) choices: Option<Choices>,
    pub(super) rename: HashMap<Box<str>, Box<str>>,
    /// JSON of what stands in for a blank value.
    pub(super) default: Option<Box<str>>,
    pub(super) blank: WhenBlank,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<(Regex, Box<str>)>,
    pub(super) part: Option<NamePart>,
    pub(super) allows_future_dates: bool,
    /// Made of key columns alone.
    pub(super) is_key: bool,
}

/// What becomes of a field without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenBlank {
    Refused,
    LeftOut,
    SentEmpty,
}

/// What a field is made of.
#[derive(Debug)]
pub(super) enum CompiledSource {
    Columns,
    Template(Vec<TemplatePiece>),
    /// JSON as it is written.
    Constant(Box<str>),
}

/// The values that may be sent.
#[derive(Debug)]
pub(super) struct Choices {
    known: HashSet<Box<str>, FixedState>,
    /// What a wrong value may have been meant to be: the choices, and the words
    /// that are renamed to one.
    pub(super) meant: Vec<Box<str>>,
}

impl Choices {
    pub(super) fn new<'r>(choices: &[String], renamed: impl Iterator<Item = &'r String>) -> Self {
        let trimmed = |text: &String| Box::from(text.trim());
        let mut meant: Vec<Box<str>> = choices.iter().map(trimmed).collect();
        let known = meant.iter().cloned().collect();
        meant.extend(renamed.map(trimmed));
        Self { known, meant }
    }

    /// The choice that a text is.
    pub(super) fn find(&self, text: &str) -> Option<&str> {
        self.known.get(text).map(AsRef::as_ref)
    }
}

impl CompiledField {
    /// Whether the value's text is looked at beyond its type.
    pub(super) fn looks_at_text(&self) -> bool {
        self.part.is_some() || !self.rename.is_empty() || self.checks_result()
    }

    /// Whether no type has a say in what the text may be.
    pub(super) fn takes_any_text(&self) -> bool {
        matches!(self.value_type, None | Some(ValueType::Text))
    }

    pub(super) fn checks_result(&self) -> bool {
        self.choices.is_some()
            || self.pattern.is_some()
            || self.min_length.is_some()
            || self.max_length.is_some()
    }
}

impl Rules {
    /// What they were compiled from.
    pub fn options(&self) -> &MappingOptions {
        &self.options
    }

    /// Whether a column's value goes into the payload, by a rule or as it is.
    pub fn sends(&self, column: &str) -> bool {
        self.named_by_rule(column)
            || (self.options.passthrough && !self.is_firm_column(column) && !is_caseload(column))
    }

    /// Whether a rule reads the column.
    pub(super) fn named_by_rule(&self, column: &str) -> bool {
        self.fields
            .iter()
            .flat_map(|field| &field.columns)
            .any(|named| reads(named, column))
    }

    /// Whether the partner firm is read from the column.
    pub(super) fn is_firm_column(&self, column: &str) -> bool {
        match &self.options.partner_firm_column {
            Some(named) => reads(named, column),
            None => is_firm_name(column),
        }
    }
}

/// Whether a name in a config reads a column: its own, or below it.
pub(super) fn reads(named: &str, column: &str) -> bool {
    named
        .strip_prefix(column)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a column bears the partner firm's usual name.
pub(super) fn is_firm_name(column: &str) -> bool {
    ["partnerFirmId", "partner_firm_id", "Partner Firm ID"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(column))
}

/// Whether a column is one that we wrote ourselves.
pub(super) fn is_caseload(column: &str) -> bool {
    crate::model::reserved::is_reserved(column)
}
