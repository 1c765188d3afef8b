//! What the columns of an input hold. Memory is bounded, whatever the number of
//! rows.

use std::collections::HashMap;

use crate::check::{ColumnProfile, hash_of};
use crate::input::{self, Input, InputError, Item, ReadOptions};
use crate::mapping::{email_of, looks_confidential, looks_like_ssn, names, object_members};
use crate::mapping::{phone_of, state_of};
use crate::model::{Cell, CellKind, Columns, FileId, Record, is_rounded_number, reserved};

use super::dates::DateCounts;

/// Rows that are compared to find a key.
pub(super) const KEY_ROWS: usize = 10_000;
/// How deep nested objects are looked into.
const DEPTH: usize = 3;
/// A longer value is prose.
const MAX_VALUE: usize = 100;

/// The columns of an input, members of nested objects under dotted names.
#[derive(Debug, Default)]
pub(crate) struct InputProfile {
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
    positions: HashMap<String, usize>,
}

/// One column.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) values: ColumnProfile,
    /// A hash for each of the first rows, 0 where the value is blank.
    pub(super) row_hashes: Vec<u64>,
    pub(super) dates: DateCounts,
    pub(super) states: usize,
    pub(super) phones: usize,
    pub(super) emails: usize,
    ssns: usize,
    /// "Last, First".
    pub(super) last_first: usize,
    /// Numbers that a spreadsheet has rounded, such as `4.41E+11`.
    pub(super) rounded: usize,
}

impl InputProfile {
    /// Reads all records. Those that can't be read are for `check` to report.
    pub(crate) fn read(inputs: &[Input], options: &ReadOptions) -> Result<Self, InputError> {
        let mut profile = Self::default();
        for input in inputs {
            let mut reader = input::open(input, FileId(0), options)?;
            if let Some(columns) = reader.columns() {
                profile.add_columns(columns);
            }
            let mut parser = reader.parser();
            while let Some(chunk) = reader.next_chunk()? {
                parser.parse(&chunk, &mut |item| {
                    if let Item::Record(record) = item {
                        profile.add(&record);
                    }
                });
            }
        }
        Ok(profile)
    }

    /// Columns are known even where no record has a value in them.
    pub(super) fn add_columns(&mut self, columns: &Columns) {
        for name in columns.names() {
            self.column(name);
        }
    }

    pub(super) fn add(&mut self, record: &Record<'_>) {
        for (name, cell) in record.iter() {
            self.add_cell(name, cell, DEPTH);
        }
        self.rows += 1;
    }

    fn add_cell(&mut self, name: &str, cell: Cell<'_>, depth: usize) {
        let position = self.column(name);
        if cell.kind != CellKind::Json {
            self.columns[position].add(self.rows, cell);
        } else if depth > 0 {
            for (member, kind, text) in object_members(cell.text) {
                let nested = Cell { kind, text: &text };
                self.add_cell(&format!("{name}.{member}"), nested, depth - 1);
            }
        }
    }

    fn column(&mut self, name: &str) -> usize {
        if let Some(position) = self.positions.get(name) {
            return *position;
        }
        self.positions.insert(name.to_owned(), self.columns.len());
        self.columns.push(Column {
            name: name.to_owned(),
            ..Column::default()
        });
        self.columns.len() - 1
    }

    /// The columns of the input that look confidential, and the others; those
    /// that caseload added itself or that have no name are in neither.
    pub(super) fn partition(&self) -> (Vec<&Column>, Vec<&Column>) {
        let own = self.columns.iter();
        own.filter(|column| !reserved::is_reserved(&column.name) && !column.name.trim().is_empty())
            .partition(|column| looks_confidential(&column.name) || column.is_mostly(column.ssns))
    }
}

/// The columns with one of these headers, in the order of the headers; none
/// that is empty.
pub(super) fn named<'p>(columns: &[&'p Column], headers: &str) -> Vec<&'p Column> {
    let filled = columns.iter().filter(|column| column.filled() > 0);
    names::in_order(
        headers,
        filled.map(|column| (column.name.as_str(), *column)),
    )
}

impl Column {
    fn add(&mut self, row: usize, cell: Cell<'_>) {
        if cell.is_blank() {
            return;
        }
        let text = cell.text.trim();
        self.values.add((0, row as u64), text);
        if row < KEY_ROWS {
            self.row_hashes.resize(row + 1, 0);
            self.row_hashes[row] = hash_of(text);
        }
        if text.len() > MAX_VALUE {
            return;
        }
        self.dates.add(cell.kind, text);
        self.states += usize::from(state_of(text).is_some());
        self.phones += usize::from(phone_of(text).is_some());
        self.emails += usize::from(email_of(text).is_some());
        self.ssns += usize::from(looks_like_ssn(text));
        self.rounded += usize::from(is_rounded_number(text));
        self.last_first += usize::from(text.split_once(',').is_some_and(|(last, first)| {
            !first.contains(',') && !last.trim().is_empty() && !first.trim().is_empty()
        }));
    }

    pub(super) fn filled(&self) -> usize {
        self.values.filled as usize
    }

    /// Whether nearly all values are of a kind.
    pub(super) fn is_mostly(&self, of_kind: usize) -> bool {
        of_kind > 0 && of_kind * 10 >= self.filled() * 8
    }

    /// The distinct values, the most frequent first; none for prose and where
    /// there are more than this many.
    pub(super) fn distinct(&self, most: usize) -> Option<Vec<&str>> {
        self.values.values(most, MAX_VALUE)
    }
}
