//! The file of cases in doubt: what a person needs to look them up on the
//! platform.
//!
//! It is not to be imported, since that could make them twice. So no column
//! has the name that it has in the input: the key stands under `in_doubt_key`,
//! and the record's columns have `record: ` in front. Rules and key columns
//! find nothing in it, and a file with an `in_doubt_key` column can be refused
//! by that name. Records of JSON stand as one text under `record`.

use std::borrow::Cow;

use super::error::FileError;
use super::input::{InputFile, Shape};
use super::line::{CaseLine, key_cell, time};
use super::raw::{Members, on_one_line};
use super::table::Table;
use super::target::Target;
use crate::model::reserved::IN_DOUBT_KEY;

/// The column that holds the key, as `key:["00123"]`, and tells this file.

const COLUMNS: [&str; 9] = [
    IN_DOUBT_KEY,
    "file",
    "line",
    "partner_firm_id",
    "case_id",
    "status",
    "attempts",
    "time",
    "message",
];

/// Cases that may or may not exist.
#[derive(Debug)]
pub struct InDoubt {
    table: Table,
    /// Columns of all tables among the inputs.
    columns: Vec<Box<str>>,
    with_json: bool,
}

impl InDoubt {
    /// Begins the file, with its header only.
    pub fn begin(target: Target, inputs: &[InputFile]) -> Result<Self, FileError> {
        let mut columns: Vec<Box<str>> = Vec::new();
        let mut with_json = false;
        for input in inputs {
            match &input.shape {
                Shape::Json => with_json = true,
                Shape::Table(names) => {
                    for name in names {
                        if !columns.contains(name) {
                            columns.push(name.clone());
                        }
                    }
                }
            }
        }
        let header = COLUMNS
            .into_iter()
            .map(str::to_owned)
            .chain(columns.iter().map(|column| format!("record: {column}")))
            .chain(with_json.then(|| "record".to_owned()));
        let mut table = Table::new(target, header);
        table.begin()?;
        Ok(Self {
            table,
            columns,
            with_json,
        })
    }

    /// Adds a case, whose record came from an input of this shape.
    pub fn row(&mut self, case: &CaseLine<'_>, shape: &Shape) {
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        let facts: [Cow<'_, str>; COLUMNS.len()] = [
            Cow::Owned(key_cell(case.key)),
            case.file.into(),
            number(Some(case.line)).into(),
            case.partner_firm.unwrap_or_default().into(),
            case.case_id.unwrap_or_default().into(),
            number(case.status.map(u64::from)).into(),
            number(case.attempts.map(u64::from)).into(),
            time(case.at).into(),
            case.message.unwrap_or_default().into(),
        ];
        let is_json = *shape == Shape::Json;
        let members = case
            .raw
            .filter(|_| !is_json)
            .and_then(Members::of)
            .unwrap_or_else(Members::none);
        let json = match case.raw {
            Some(raw) if is_json => on_one_line(raw),
            _ => Cow::Borrowed(""),
        };
        let cells = members.cells(&self.columns);
        self.table.row(
            facts
                .into_iter()
                .chain(cells)
                .chain(self.with_json.then_some(json)),
        );
    }

    pub(super) fn into_target(self) -> Target {
        self.table.into_target()
    }
}
