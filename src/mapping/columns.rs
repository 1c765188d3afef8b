//! Rules against a file's columns, before any record is mapped: what the rules
//! name and the file needed_for, and what the file has and nothing uses.

use std::fmt;

use crate::model::{Columns, FileId};

use super::bind::ColumnPath;
use super::options::FieldSource;
use super::rules::{Rules, is_caseload};
use super::suggest;

/// How the names of columns came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// A header: these and no others, and nothing is nested.
    Header,
    /// The members of JSON objects; a dotted name reaches below one.
    JsonMembers,
}

/// What a file has no column for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NeededFor {
    /// The key.
    Key,
    /// The partner firm.
    PartnerFirm,
    /// A payload field.
    Field(Box<str>),
}

/// A column that a rule names and a file has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn {
    /// The column.
    pub column: Box<str>,
    /// What needs it.
    pub needed_for: NeededFor,
    /// Where it was named.
    pub line: Option<u32>,
    /// The file's column that is closest to it.
    pub suggestion: Option<Box<str>>,
    /// Every file needs it: the key, the partner firm, and what is required.
    pub every_file: bool,
}

impl fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no column \"{}\" for ", self.column)?;
        match &self.needed_for {
            NeededFor::Key => f.write_str("the key")?,
            NeededFor::PartnerFirm => f.write_str("the partner firm")?,
            NeededFor::Field(target) => write!(f, "{target}")?,
        }
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean \"{name}\"?"),
            None => Ok(()),
        }
    }
}

impl Rules {
    /// What the rules name and these columns lack. For JSON this is known only
    /// when all of the file was read. Of a list any column will do; of a
    /// template each must be there.
    pub fn check_columns(&self, columns: &Columns, names: NameSource) -> Vec<MissingColumn> {
        let options = self.options();
        let mut faults = Vec::new();
        let is_there = |name: &str| match names {
            NameSource::Header => columns.position(name).is_some(),
            NameSource::JsonMembers => ColumnPath::new(name, columns).is_anywhere(),
        };
        let mut missing_column = |column: &str, needed_for: NeededFor, line, every_file| {
            faults.push(MissingColumn {
                column: column.into(),
                needed_for,
                line,
                suggestion: suggest::closest(column, columns.names()).map(Into::into),
                every_file,
            });
        };
        for column in options.key.iter().filter(|column| !is_there(column)) {
            missing_column(column, NeededFor::Key, options.key_line, true);
        }
        if let Some(column) = &options.partner_firm_column
            && !is_there(column)
        {
            missing_column(
                column,
                NeededFor::PartnerFirm,
                options.partner_firm_line,
                true,
            );
        }
        for (rule, field) in options.fields.iter().zip(&self.fields) {
            let needed_for = || NeededFor::Field(rule.target.as_str().into());
            let every_file = rule.required && rule.default.is_none();
            let missing = field.columns.iter().filter(|column| !is_there(column));
            if let FieldSource::Columns(_) = rule.source {
                let missing: Vec<_> = missing.collect();
                if missing.len() == field.columns.len()
                    && let Some(first) = missing.first()
                {
                    missing_column(first, needed_for(), rule.line, every_file);
                }
            } else {
                for column in missing {
                    missing_column(column, needed_for(), rule.line, every_file);
                }
            }
        }
        faults
    }

    /// The columns that go nowhere: neither payload, key nor firm.
    pub fn unused_columns(&self, columns: &Columns) -> Vec<String> {
        let is_key = |name: &str| {
            let keys = &self.options().key;
            keys.iter().any(|key| super::rules::reads(key, name))
        };
        columns
            .names()
            .filter(|name| {
                !self.sends(name)
                    && !self.is_firm_column(name)
                    && !is_key(name)
                    && !is_caseload(name)
            })
            .map(str::to_owned)
            .collect()
    }
}

/// What is wrong over all files: a column that every file needs is missed in
/// each file, any other only where no file has it (and then has no file).
pub fn merge_missing_columns(
    files: &[(FileId, Vec<MissingColumn>)],
) -> Vec<(Option<FileId>, MissingColumn)> {
    let mut joined: Vec<(Option<FileId>, MissingColumn)> = Vec::new();
    for (file, faults) in files {
        for fault in faults {
            let is_same = |other: &MissingColumn| {
                other.column == fault.column && other.needed_for == fault.needed_for
            };
            if fault.every_file {
                joined.push((Some(*file), fault.clone()));
            } else if files.iter().all(|(_, faults)| faults.iter().any(is_same))
                && !joined.iter().any(|(_, other)| is_same(other))
            {
                joined.push((None, fault.clone()));
            }
        }
    }
    joined
}
