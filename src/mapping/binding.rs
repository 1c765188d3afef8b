//! Names resolved to column positions, once for each state of a file's columns.

use std::borrow::Cow;

use crate::model::{Cell, CellKind, Columns, ColumnsVersion, Record, json_cell, reserved};

use super::columns::is_firm_name;
use super::json::{member_name, value_at};
use super::options::FieldRule;
use super::rules::Rules;

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
