//! The names in the rules and a file's columns: which columns the rules use,
//! which are missing or not used, and where each value of a record is. Names are
//! resolved to positions once for each state of a file's columns.

use std::borrow::Cow;
use std::fmt;

use crate::model::{Cell, CellKind, Columns, ColumnsVersion, FileId, Record, json_cell, reserved};

use super::join::{JoinedTable, with_joined};
use super::json::{member_name, value_at};
use super::names;
use super::options::{FieldRule, FieldSource};
use super::rules::{CompiledField, RuleErrors, Rules};

/// A column that a rule names and a file does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingColumn {
    pub(crate) column: Box<str>,
    /// The key, the partner firm, or a field by its name.
    pub(crate) needed_for: Box<str>,
    /// The line of the config that names it.
    pub(crate) line: Option<u32>,
    /// The file's column with the closest name.
    pub(crate) suggestion: Option<Box<str>>,
    /// Whether every file needs it: the key, the partner firm and required fields.
    pub(crate) every_file: bool,
}

impl fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no column \"{}\" for {}", self.column, self.needed_for)?;
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean \"{name}\"?"),
            None => Ok(()),
        }
    }
}

impl Rules {
    /// The columns that the rules name and a file does not have. Of a list any
    /// column is enough; a template needs all of its columns. In JSON a dotted
    /// name may lead into a member, and the names are known once the whole file
    /// was read. An error is a column that could be taken for one of a joined file.
    pub(crate) fn missing_columns(
        &self,
        columns: &Columns,
        is_json: bool,
        joined: &[JoinedTable],
    ) -> Result<Vec<MissingColumn>, String> {
        let options = &self.options;
        let is_like_joined = |name: &&str| options.joins.keys().any(|join| reads(name, join));
        if let Some(name) = columns.names().find(is_like_joined) {
            return Err(format!(
                "the input has a column {name:?} of its own: rename the [join] table"
            ));
        }
        let columns = &with_joined(columns, joined);
        let has = |name: &String| {
            let path = ColumnPath::new(name, columns);
            path.exact.is_some() || (is_json || self.join_of(name).is_some()) && path.is_anywhere()
        };
        let mut missing = Vec::new();
        let mut need = |names: &[String], needed_for: &str, line, every_file| {
            let names = names.iter().filter(|name| !has(name));
            missing.extend(names.map(|column| MissingColumn {
                column: column.as_str().into(),
                needed_for: needed_for.into(),
                line,
                suggestion: names::closest(column, columns.names()).map(Into::into),
                // What a joined file lacks, no case file does.
                every_file: every_file && self.join_of(column).is_none(),
            }));
        };
        // The key of a rejects file is in a column of its own too.
        if columns.position(reserved::KEY).is_none() {
            need(&options.key, "the key", options.key_line, true);
        }
        let firm = options.partner_firm_column.as_slice();
        need(firm, "the partner firm", options.partner_firm_line, true);
        for (name, join) in &options.joins {
            let names = [join.column.clone(), format!("{name}.{}", join.equals())];
            need(&names, &format!("[join.{name}]"), None, true);
        }
        for field in &self.fields {
            let (rule, names) = (&field.rule, &field.columns);
            let names = match rule.source {
                FieldSource::Columns(_) if names.iter().any(has) => &[],
                FieldSource::Columns(_) => &names[..1],
                _ => &names[..],
            };
            let every_file = rule.required && rule.default.is_none();
            need(names, &rule.target, rule.line, every_file);
        }
        Ok(missing)
    }

    /// Whether key, partner firm or a field reads a column, or anything in it.
    pub(crate) fn reads(&self, column: &str) -> bool {
        let mut others = (self.options.key.iter()).chain(&self.options.partner_firm_column);
        self.is_named_by_rule(column) || others.any(|named| reads(named, column))
    }

    /// The join that a column is of, by its position.
    pub(super) fn join_of(&self, column: &str) -> Option<usize> {
        let mut joins = self.options.joins.keys();
        joins.position(|join| reads(column, join))
    }

    /// Whether a field reads a case file, and not only what was joined with it.
    pub(super) fn reads_case(&self, field: &CompiledField) -> bool {
        let is_of_case = |column: &String| self.join_of(column).is_none();
        self.options.joins.is_empty() || field.columns.iter().any(is_of_case)
    }

    /// The columns that are in neither payload, key nor partner firm.
    pub(crate) fn unused_columns(&self, columns: &Columns) -> Vec<String> {
        let is_used = |column: &str| {
            self.sends(column)
                || self.is_firm_column(column)
                || self.options.key.iter().any(|key| reads(key, column))
                || (self.options.joins.values()).any(|join| reads(&join.column, column))
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
                && !reserved::is_reserved(column)
                && self.join_of(column).is_none())
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
pub(crate) fn is_firm_name(column: &str) -> bool {
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
    inside: Vec<(usize, Box<str>)>,
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
            Some((position, name[dot + 1..].into()))
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

/// What becomes of a column.
#[derive(Debug)]
pub(super) enum Passthrough {
    /// It is no field of its own.
    NotSent,
    /// There is a field of that name already: a filled cell is a conflict.
    Conflict,
    /// Sent under its name.
    Sent(Box<CompiledField>),
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
    pub(super) firms: Vec<(ColumnPath, String)>,
    /// The column `caseload_key`.
    pub(super) caseload_key: Option<usize>,
    /// For each column; empty without passthrough.
    pub(super) passthrough: Vec<Passthrough>,
    /// The payload's parts by name, the order in which digests take them.
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
        let paths = |names: &[String]| {
            let paths = names.iter().map(|name| ColumnPath::new(name, columns));
            paths.collect::<Vec<_>>()
        };
        let named = options.partner_firm_column.as_deref();
        let usual = columns
            .names()
            .filter(|name| named.is_none() && is_firm_name(name));
        let firms = named.into_iter().chain(usual).map(str::to_owned);
        let firms: Vec<String> = firms.collect();
        let sent_columns = columns.names().filter(|_| options.passthrough);
        let mut binding = Self {
            columns: ColumnsVersion::default(),
            fields: rules
                .fields
                .iter()
                .map(|field| paths(&field.columns))
                .collect(),
            key: paths(&options.key),
            firms: paths(&firms).into_iter().zip(firms).collect(),
            caseload_key: columns.position(reserved::KEY),
            passthrough: sent_columns.map(|name| passthrough(rules, name)).collect(),
            digest_order: Vec::new(),
        };
        let parts = 0..rules.fields.len() + binding.passthrough.len();
        let mut parts: Vec<_> = parts
            .filter_map(|part| Some((&binding.part(rules, part)?.path, part)))
            .collect();
        parts.sort();
        binding.digest_order = parts.into_iter().map(|(_, part)| part).collect();
        binding
    }

    /// A part of the payload by its number: the fields of the rules, then the
    /// columns, of which not all are sent.
    pub(super) fn part<'b>(&'b self, rules: &'b Rules, part: usize) -> Option<&'b CompiledField> {
        match part.checked_sub(rules.fields.len()) {
            None => Some(&rules.fields[part]),
            Some(column) => match &self.passthrough[column] {
                Passthrough::Sent(field) => Some(field),
                _ => None,
            },
        }
    }
}

fn passthrough(rules: &Rules, column: &str) -> Passthrough {
    if !rules.sends(column) || rules.is_named_by_rule(column) {
        return Passthrough::NotSent;
    }
    // The firm's id has a field of its own on the wire.
    let name = member_name(column);
    if column == "partnerFirmId" || rules.fields.iter().any(|field| field.path[0] == name) {
        return Passthrough::Conflict;
    }
    let rule = FieldRule {
        target: column.to_owned(),
        flat: true,
        ..FieldRule::default()
    };
    let key = &rules.options.key;
    let field = CompiledField::compile(rule, key, &mut RuleErrors::default());
    Passthrough::Sent(Box::new(field))
}
