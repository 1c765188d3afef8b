//! Names resolved to column positions, once for each state of a file's columns.

use std::borrow::Cow;

use crate::model::{Cell, CellKind, Columns, Record, reserved};

use super::json::{descend, value_of};
use super::raw_record;
use super::rules::{Rules, is_caseload, is_firm_name};

/// The column of the key that we wrote ourselves.

/// Where a name's value may stand: in the column of the whole name, or below
/// one of a part of it. Which one is decided for each record by what it has, so
/// that other records of the file make no difference.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnPath {
    exact: Option<usize>,
    below: Vec<(usize, Vec<Box<str>>)>,
}

/// A value that a path led to.
#[derive(Debug, Clone)]
pub(super) struct FoundValue<'r> {
    pub(super) kind: CellKind,
    pub(super) text: Cow<'r, str>,
}

impl<'r> FoundValue<'r> {
    pub(super) fn cell(&self) -> Cell<'_> {
        Cell {
            kind: self.kind,
            text: &self.text,
        }
    }

    pub(super) fn of_cell(cell: Cell<'r>) -> Self {
        Self {
            kind: cell.kind,
            text: Cow::Borrowed(cell.text),
        }
    }
}

impl ColumnPath {
    pub(super) fn new(name: &str, columns: &Columns) -> Self {
        let below = name.rmatch_indices('.').filter_map(|(dot, _)| {
            let position = columns.position(&name[..dot])?;
            Some((
                position,
                name[dot + 1..].split('.').map(Into::into).collect(),
            ))
        });
        Self {
            exact: columns.position(name),
            below: below.collect(),
        }
    }

    /// Whether any column can hold it.
    pub(super) fn is_anywhere(&self) -> bool {
        self.exact.is_some() || !self.below.is_empty()
    }

    /// The record's cell, where the name is a column's and no other will do.
    #[inline]
    pub(super) fn direct<'r>(&self, record: &Record<'r>) -> Option<Cell<'r>> {
        let cell = record.cell(self.exact?);
        (cell.kind != CellKind::Absent || self.below.is_empty()).then_some(cell)
    }

    /// What the record has there; absent when nothing.
    #[inline]
    pub(super) fn find<'r>(&self, record: &Record<'r>) -> FoundValue<'r> {
        match self.direct(record) {
            Some(cell) => FoundValue::of_cell(cell),
            None => self.find_below(record),
        }
    }

    fn find_below<'r>(&self, record: &Record<'r>) -> FoundValue<'r> {
        self.below
            .iter()
            .find_map(|(position, path)| {
                let cell = record.cell(*position);
                if cell.kind != CellKind::Json {
                    return None;
                }
                let (kind, text) = value_of(descend(cell.text, path)?);
                Some(FoundValue { kind, text })
            })
            .unwrap_or_else(|| FoundValue::of_cell(Cell::default()))
    }

    /// The column that a value found here would replace.
    pub(super) fn exact(&self) -> Option<usize> {
        self.exact
    }
}

/// What a column is to the payload when it goes out under its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passthrough {
    /// It does not.
    No,
    /// A rule makes a field of that name: a filled cell is a conflict.
    Conflict,
    /// Its name is the firm's and its column is not: it must say the same.
    Firm,
    /// It does; the name with its colon, as JSON, and whether it is the key's.
    Yes { name: Box<str>, is_key: bool },
}

/// All names of the rules, resolved.
#[derive(Debug, Default)]
pub(super) struct Binding {
    state: Option<(u64, usize)>,
    /// For each field the path of each of its columns.
    pub(super) fields: Vec<Vec<ColumnPath>>,
    pub(super) key: Vec<ColumnPath>,
    /// Columns that name the firm, with their names.
    pub(super) firms: Vec<(ColumnPath, Box<str>)>,
    pub(super) caseload_key: Option<usize>,
    /// For each column; empty where nothing goes through.
    pub(super) through: Vec<Passthrough>,
    /// Payload parts in the order in which digests take them: positions among
    /// fields first, then among columns.
    pub(super) digest_order: Vec<usize>,
}

impl Binding {
    /// Resolves again if the columns are others than last time.
    #[inline]
    pub(super) fn refresh(&mut self, rules: &Rules, columns: &Columns) {
        let state = Some((columns.id(), columns.len()));
        if self.state != state {
            *self = Self::new(rules, columns);
            self.state = state;
        }
    }

    fn new(rules: &Rules, columns: &Columns) -> Self {
        let path = |name: &String| ColumnPath::new(name, columns);
        let fields: Vec<Vec<ColumnPath>> = rules
            .fields
            .iter()
            .map(|field| field.columns.iter().map(path).collect())
            .collect();
        let firms = match &rules.options.partner_firm_column {
            Some(name) => vec![(path(name), name.as_str().into())],
            None => columns
                .names()
                .filter(|name| is_firm_name(name))
                .map(|name| (ColumnPath::new(name, columns), name.into()))
                .collect(),
        };
        let through = if rules.options.passthrough {
            columns.names().map(|name| through(rules, name)).collect()
        } else {
            Vec::new()
        };
        let count = rules.fields.len();
        let mut parts: Vec<(Cow<'_, str>, usize)> = Vec::new();
        for (position, field) in rules.fields.iter().enumerate() {
            parts.push((Cow::Borrowed(&field.path), position));
        }
        for (position, through) in through.iter().enumerate() {
            if let Passthrough::Yes { name, .. } = through {
                parts.push((Cow::Borrowed(name), count + position));
            }
        }
        parts.sort();
        let digest_order = parts.into_iter().map(|(_, part)| part).collect();
        Self {
            state: None,
            fields,
            key: rules.options.key.iter().map(path).collect(),
            firms,
            caseload_key: columns.position(reserved::KEY),
            through,
            digest_order,
        }
    }
}

fn through(rules: &Rules, name: &str) -> Passthrough {
    if is_caseload(name) || rules.is_firm_column(name) || rules.named_by_rule(name) {
        return Passthrough::No;
    }
    if name == "partnerFirmId" {
        return Passthrough::Firm;
    }
    let makes = |rule: &super::options::FieldRule| {
        rule.target == name || (!rule.flat && rule.target.split('.').next() == Some(name))
    };
    if rules.options.fields.iter().any(makes) {
        return Passthrough::Conflict;
    }
    Passthrough::Yes {
        name: raw_record::name_json(name),
        is_key: rules.options.key.iter().any(|key| key == name),
    }
}
