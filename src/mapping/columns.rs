//! Rules against a file's columns, before any record is mapped: what the rules
//! name and the file lacks, and what the file has and nothing uses.

use std::fmt;

use crate::model::{Columns, FileId};

use super::bind::Path;
use super::options::{Origin, Source};
use super::rules::{Rules, is_caseload};
use super::suggest;

/// How the names of columns came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// A header: these and no others, and nothing is nested.
    Header,
    /// The members of JSON objects; a dotted name reaches below one.
    Members,
}

/// What a file has no column for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lacks {
    /// The key.
    Key,
    /// The partner firm.
    PartnerFirm,
    /// A payload field.
    Field(Box<str>),
}

/// A column that a rule names and a file has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFault {
    /// The column.
    pub column: Box<str>,
    /// What needs it.
    pub lacks: Lacks,
    /// Where it was named.
    pub origin: Origin,
    /// The file's column that is closest to it.
    pub suggestion: Option<Box<str>>,
    /// Every file needs it: the key, the partner firm, and what is required.
    pub every_file: bool,
}

impl fmt::Display for ColumnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no column \"{}\" for ", self.column)?;
        match &self.lacks {
            Lacks::Key => f.write_str("the key")?,
            Lacks::PartnerFirm => f.write_str("the partner firm")?,
            Lacks::Field(target) => write!(f, "{target}")?,
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
    pub fn check_columns(&self, columns: &Columns, names: Names) -> Vec<ColumnFault> {
        let options = self.options();
        let mut faults = Vec::new();
        let is_there = |name: &str| match names {
            Names::Header => columns.position(name).is_some(),
            Names::Members => Path::new(name, columns).is_anywhere(),
        };
        let mut lack = |column: &str, lacks: Lacks, origin, every_file| {
            faults.push(ColumnFault {
                column: column.into(),
                lacks,
                origin,
                suggestion: suggest::closest(column, columns.names()).map(Into::into),
                every_file,
            });
        };
        for column in options.key.iter().filter(|column| !is_there(column)) {
            lack(column, Lacks::Key, options.key_origin, true);
        }
        if let Some(column) = &options.partner_firm_column
            && !is_there(column)
        {
            lack(
                column,
                Lacks::PartnerFirm,
                options.partner_firm_origin,
                true,
            );
        }
        for (rule, field) in options.fields.iter().zip(&self.fields) {
            let lacks = || Lacks::Field(rule.target.as_str().into());
            let every_file = rule.required && rule.default.is_none();
            let missing = field.columns.iter().filter(|column| !is_there(column));
            if let Source::Columns(_) = rule.source {
                let missing: Vec<_> = missing.collect();
                if missing.len() == field.columns.len()
                    && let Some(first) = missing.first()
                {
                    lack(first, lacks(), rule.origin, every_file);
                }
            } else {
                for column in missing {
                    lack(column, lacks(), rule.origin, every_file);
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
pub fn join_faults(files: &[(FileId, Vec<ColumnFault>)]) -> Vec<(Option<FileId>, ColumnFault)> {
    let mut joined: Vec<(Option<FileId>, ColumnFault)> = Vec::new();
    for (file, faults) in files {
        for fault in faults {
            let is_same =
                |other: &ColumnFault| other.column == fault.column && other.lacks == fault.lacks;
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
