//! The rules compared with a file's columns: which columns the rules use, which
//! are missing, and which are not used.

use std::fmt;

use crate::model::{Columns, FileId, reserved};

use super::binding::ColumnPath;
use super::names;
use super::options::FieldSource;
use super::rules::Rules;

/// How the names of columns are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameSource {
    /// A header has all names, and nothing is nested.
    Header,
    /// JSON objects, where a dotted name reaches into a member.
    JsonMembers,
}

/// What a missing column is needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NeededFor {
    Key,
    PartnerFirm,
    Field(Box<str>),
}

/// A column that a rule names and a file does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingColumn {
    pub(crate) column: Box<str>,
    pub(crate) needed_for: NeededFor,
    /// The line of the config that names it.
    pub(crate) line: Option<u32>,
    /// The file's column with the closest name.
    pub(crate) suggestion: Option<Box<str>>,
    /// Whether every file needs it: the key, the partner firm and required fields.
    pub(crate) every_file: bool,
}

impl fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no column \"{}\" for ", self.column)?;
        match &self.needed_for {
            NeededFor::Key => f.write_str("the key")?,
            NeededFor::PartnerFirm => f.write_str("the partner firm")?,
            NeededFor::Field(target) => f.write_str(target)?,
        }
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean \"{name}\"?"),
            None => Ok(()),
        }
    }
}

impl Rules {
    /// The columns that the rules name and a file does not have. Of a list any
    /// column is enough; a template needs all of its columns. For JSON this is
    /// known once the whole file was read.
    pub(crate) fn missing_columns(
        &self,
        columns: &Columns,
        names: NameSource,
    ) -> Vec<MissingColumn> {
        let options = &self.options;
        let is_missing = |name: &str| match names {
            NameSource::Header => columns.position(name).is_none(),
            NameSource::JsonMembers => !ColumnPath::new(name, columns).is_anywhere(),
        };
        let mut needed: Vec<(&String, NeededFor, Option<u32>, bool)> = Vec::new();
        for column in &options.key {
            needed.push((column, NeededFor::Key, options.key_line, true));
        }
        if let Some(column) = &options.partner_firm_column {
            let line = options.partner_firm_line;
            needed.push((column, NeededFor::PartnerFirm, line, true));
        }
        for (rule, field) in options.fields.iter().zip(&self.fields) {
            let every_file = rule.required && rule.default.is_none();
            let named = match rule.source {
                FieldSource::Columns(_) if !field.columns.iter().all(|name| is_missing(name)) => {
                    &[]
                }
                FieldSource::Columns(_) => field.columns.get(..1).unwrap_or_default(),
                _ => &field.columns[..],
            };
            let target = || NeededFor::Field(rule.target.as_str().into());
            needed.extend(
                named
                    .iter()
                    .map(|column| (column, target(), rule.line, every_file)),
            );
        }
        needed
            .into_iter()
            .filter(|(column, ..)| is_missing(column))
            .map(|(column, needed_for, line, every_file)| MissingColumn {
                column: column.as_str().into(),
                needed_for,
                line,
                suggestion: names::closest(column, columns.names()).map(Into::into),
                every_file,
            })
            .collect()
    }

    /// The columns that are in neither payload, key nor partner firm.
    pub(crate) fn unused_columns(&self, columns: &Columns) -> Vec<String> {
        let is_used = |column: &str| {
            self.sends(column)
                || self.is_firm_column(column)
                || self.options.key.iter().any(|key| reads(key, column))
                || reserved::is_reserved(column)
        };
        let unused = columns.names().filter(|column| !is_used(column));
        unused.map(str::to_owned).collect()
    }

    /// Whether a column's value is sent, by a rule or under its own name.
    pub(crate) fn sends(&self, column: &str) -> bool {
        self.is_named_by_rule(column)
            || (self.options.passthrough
                && !self.is_firm_column(column)
                && !reserved::is_reserved(column))
    }

    pub(super) fn is_named_by_rule(&self, column: &str) -> bool {
        let mut named = self.fields.iter().flat_map(|field| &field.columns);
        named.any(|named| reads(named, column))
    }

    pub(super) fn is_firm_column(&self, column: &str) -> bool {
        match &self.options.partner_firm_column {
            Some(named) => reads(named, column),
            None => is_firm_name(column),
        }
    }
}

/// Whether a name in the config reads a column, or a value inside it.
fn reads(named: &str, column: &str) -> bool {
    let rest = named.strip_prefix(column);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a column has the partner firm's usual name.
pub(super) fn is_firm_name(column: &str) -> bool {
    ["partnerFirmId", "partner_firm_id", "Partner Firm ID"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(column))
}

/// The missing columns of all files: one that every file needs for each file
/// that does not have it, any other only where no file has it.
pub(crate) fn merge_missing_columns(
    files: &[(FileId, Vec<MissingColumn>)],
) -> Vec<(Option<FileId>, MissingColumn)> {
    let mut merged: Vec<(Option<FileId>, MissingColumn)> = Vec::new();
    for (file, missing) in files {
        for column in missing {
            let is_same = |other: &MissingColumn| {
                other.column == column.column && other.needed_for == column.needed_for
            };
            if column.every_file {
                merged.push((Some(*file), column.clone()));
            } else if files.iter().all(|(_, missing)| missing.iter().any(is_same))
                && !merged.iter().any(|(_, other)| is_same(other))
            {
                merged.push((None, column.clone()));
            }
        }
    }
    merged
}
