//! The rejects file: records as they were, to be mended and imported again.
//!
//! Behind the record's own columns stand `caseload_key`, which is the record's
//! key whatever a spreadsheet does to the key columns, and `caseload_reason`.
//! Where records could not be read there is `caseload_text` beside them: the
//! whole record, for who puts its cells right. A record that has it is no case
//! until it is emptied.
//! Tables become CSV; JSON objects become NDJSON, each with its own text, so
//! that numbers keep their digits and nothing is nested otherwise.

use std::borrow::Cow;

use super::error::FileError;
use super::input::{InputFile, Shape};
use super::line::key_cell;
use super::raw::{Members, on_one_line};
use super::table::Table;
use super::target::Target;
use crate::model::Key;
use crate::model::reserved::{KEY, REASON, TEXT, is_rejects_column};

/// Records of one input that were left out, each with the reason.
#[derive(Debug)]
pub struct Rejects(Body);

#[derive(Debug)]
enum Body {
    Table {
        table: Table,
        /// The record's own, and behind them what it may bring of ours.
        columns: Vec<Box<str>>,
        own: usize,
    },
    Lines(Target),
}

impl Rejects {
    /// Begins the file: with the input's header and our own columns, or empty
    /// for JSON.
    pub fn begin(mut target: Target, input: &InputFile) -> Result<Self, FileError> {
        Ok(Self(match &input.shape {
            Shape::Table(columns) => {
                let names = columns.iter().map(AsRef::as_ref);
                let text = input.unread.then_some(TEXT);
                let mut table = Table::new(target, names.chain([KEY, REASON]).chain(text));
                table.begin()?;
                let brought = [Some(KEY), text].into_iter().flatten().map(Box::from);
                Body::Table {
                    table,
                    columns: columns.iter().cloned().chain(brought).collect(),
                    own: columns.len(),
                }
            }
            Shape::Json => {
                target.begin(b"")?;
                Body::Lines(target)
            }
        }))
    }

    /// Adds a record: its raw text, where there is one, its key, where it has
    /// one, and why it is here.
    pub fn row(&mut self, raw: Option<&str>, key: Option<&Key>, reason: &str) {
        match &mut self.0 {
            Body::Table {
                table,
                columns,
                own,
            } => {
                let members = raw.and_then(Members::of).unwrap_or_else(Members::none);
                let mut cells: Vec<Cow<'_, str>> = members.cells(columns).collect();
                if let Some(key) = key {
                    cells[*own] = Cow::Owned(key_cell(key));
                }
                cells.insert(*own + 1, Cow::Borrowed(reason));
                table.row(cells);
            }
            Body::Lines(target) => target.row(json_line(raw, key, reason).as_bytes()),
        }
    }

    pub(super) fn into_target(self) -> Target {
        match self.0 {
            Body::Table { table, .. } => table.into_target(),
            Body::Lines(target) => target,
        }
    }
}

/// The object with its own members as they are written, then ours.
fn json_line(raw: Option<&str>, key: Option<&Key>, reason: &str) -> String {
    let members = raw.and_then(Members::of);
    let mut line = String::from("{");
    let mut add = |name: &str, value: &str| {
        if line.len() > 1 {
            line.push(',');
        }
        line.push_str(&quoted(name));
        line.push(':');
        line.push_str(value);
    };
    match (&members, raw) {
        (Some(Members(members)), _) => {
            // A key that it brought along stays the key, and a text that nobody
            // has mended stays with it.
            let keeps = |name: &str| match name {
                KEY => key.is_none(),
                name => name == TEXT || !is_rejects_column(name),
            };
            for (name, value) in members.iter().filter(|(name, _)| keeps(name)) {
                add(name, &on_one_line(value.get()));
            }
        }
        (None, Some(text)) => add(TEXT, &quoted(text)),
        (None, None) => {}
    }
    if let Some(key) = key {
        add(KEY, &quoted(&key_cell(key)));
    }
    add(REASON, &quoted(reason));
    line.push_str("}\n");
    line
}

fn quoted(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}
