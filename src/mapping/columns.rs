//! The names in the rules and a file's columns: which columns the rules use,
//! which are missing or not used, and where each value of a record is. Names are
//! resolved to positions once for each state of a file's columns.

use std::borrow::Cow;
use std::fmt;

use crate::model::{Cell, CellKind, Columns, ColumnsVersion, FileId, Record, json_cell, reserved};

use super::json::{member_name, value_at};
use super::names;
use super::options::{FieldRule, FieldSource};
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
        // The key of a rejects file is in a column of its own too.
        let has_key = columns.position(reserved::KEY).is_some();
        for column in options.key.iter().filter(|_| !has_key) {
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

/// Where a name's value may be: in the column of the whole name, or inside that
/// of a part of it. Which one is decided by what each record has, so that the
/// other records of a file make no difference.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnPath {
    /// The column of the whole name.
    pub(super) exact: Option<usize>,
    inside: Vec<(usize, Vec<Box<str>>)>,
}

/// A value that a path leads to.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundValue<'r> {
    pub(super) kind: CellKind,
    pub(super) text: Cow<'r, str>,
}

impl FoundValue<'_> {
    pub(super) fn cell(&self) -> Cell<'_> {
        Cell {
            kind: self.kind,
            text: &self.text,
        }
    }
}

impl ColumnPath {
    pub(super) fn new(name: &str, columns: &Columns) -> Self {
        let inside = name.rmatch_indices('.').filter_map(|(dot, _)| {
            let position = columns.position(&name[..dot])?;
            let path = name[dot + 1..].split('.').map(Into::into);
            Some((position, path.collect()))
        });
        Self {
            exact: columns.position(name),
            inside: inside.collect(),
        }
    }

    pub(super) fn is_anywhere(&self) -> bool {
        self.exact.is_some() || !self.inside.is_empty()
    }

    /// The record's value, absent where there is none.
    #[inline]
    pub(super) fn find<'r>(&self, record: &Record<'r>) -> FoundValue<'r> {
        let cell = self.exact.map(|position| record.cell(position));
        match cell.unwrap_or_default() {
            cell if cell.kind == CellKind::Absent && !self.inside.is_empty() => {
                self.find_inside(record)
            }
            Cell { kind, text } => FoundValue {
                kind,
                text: Cow::Borrowed(text),
            },
        }
    }

    fn find_inside<'r>(&self, record: &Record<'r>) -> FoundValue<'r> {
        let value = self.inside.iter().find_map(|(position, path)| {
            let cell = record.cell(*position);
            let is_nested = cell.kind == CellKind::Json;
            is_nested.then(|| value_at(cell.text, path))?.map(json_cell)
        });
        value.map_or_else(FoundValue::default, |(kind, text)| FoundValue {
            kind,
            text,
        })
    }
}

/// What becomes of a column that no rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passthrough {
    NotSent,
    /// A rule makes a field of that name: a filled cell is a conflict.
    Conflict,
    /// It is named like the partner firm, which another column sets: both must
    /// agree.
    PartnerFirm,
    /// Sent under its name, which is JSON with the colon.
    Sent {
        name: Box<str>,
        is_key: bool,
    },
}

/// All names of the rules, resolved.
#[derive(Debug, Default)]
pub(super) struct Binding {
    /// The columns that they were resolved for.
    columns: ColumnsVersion,
    /// For each field the paths of its columns.
    pub(super) fields: Vec<Vec<ColumnPath>>,
    pub(super) key: Vec<ColumnPath>,
    /// The columns that name the partner firm.
    pub(super) firms: Vec<(ColumnPath, Box<str>)>,
    /// The column `caseload_key`.
    pub(super) caseload_key: Option<usize>,
    /// For each column; empty without passthrough.
    pub(super) passthrough: Vec<Passthrough>,
    /// The payload's parts by name, the order in which digests take them:
    /// positions among the fields, then among the columns.
    pub(super) digest_order: Vec<usize>,
}

impl Binding {
    /// Resolves the names again when the columns are not those of last time.
    #[inline]
    pub(super) fn refresh(&mut self, rules: &Rules, columns: &Columns) {
        let version = columns.version();
        if self.columns != version {
            *self = Self::new(rules, columns);
            self.columns = version;
        }
    }

    fn new(rules: &Rules, columns: &Columns) -> Self {
        let options = &rules.options;
        let path = |name: &String| ColumnPath::new(name, columns);
        let firms = match &options.partner_firm_column {
            Some(name) => vec![(path(name), name.as_str().into())],
            None => columns
                .names()
                .filter(|name| is_firm_name(name))
                .map(|name| (ColumnPath::new(name, columns), name.into()))
                .collect(),
        };
        let sent_columns = columns.names().filter(|_| options.passthrough);
        let passthrough: Vec<_> = sent_columns.map(|name| passthrough(rules, name)).collect();
        let fields = rules.fields.iter().map(|field| Some(&field.path));
        let columns_sent = passthrough.iter().map(|column| match column {
            Passthrough::Sent { name, .. } => Some(name),
            _ => None,
        });
        let parts = fields.chain(columns_sent).enumerate();
        let mut parts: Vec<(&Box<str>, usize)> = parts
            .filter_map(|(position, name)| Some((name?, position)))
            .collect();
        parts.sort();
        let digest_order = parts.into_iter().map(|(_, position)| position).collect();
        let paths = |columns: &Vec<String>| columns.iter().map(path).collect();
        Self {
            columns: ColumnsVersion::default(),
            fields: rules
                .fields
                .iter()
                .map(|field| paths(&field.columns))
                .collect(),
            key: paths(&options.key),
            firms,
            caseload_key: columns.position(reserved::KEY),
            passthrough,
            digest_order,
        }
    }
}

fn passthrough(rules: &Rules, column: &str) -> Passthrough {
    let options = &rules.options;
    if reserved::is_reserved(column)
        || rules.is_firm_column(column)
        || rules.is_named_by_rule(column)
    {
        return Passthrough::NotSent;
    }
    if column == "partnerFirmId" {
        return Passthrough::PartnerFirm;
    }
    let makes = |rule: &FieldRule| {
        rule.target == column || (!rule.flat && rule.target.split('.').next() == Some(column))
    };
    if options.fields.iter().any(makes) {
        return Passthrough::Conflict;
    }
    Passthrough::Sent {
        name: member_name(column),
        is_key: options.key.iter().any(|key| key == column),
    }
}
