//! A CSV file with fixed columns, written row by row.

use std::borrow::Cow;

use super::error::FileError;
use super::formula::is_formula;
use super::target::Target;
use crate::model::reserved::ESCAPED;

/// The last column of every table: `escaped:["Name"]`, or empty.

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A table: a header, then rows of as many cells.
#[derive(Debug)]
pub(super) struct Table {
    target: Target,
    /// Without the last, which the table fills itself.
    columns: Vec<Box<str>>,
}

impl Table {
    /// Not begun yet.
    pub(super) fn new<S: AsRef<str>>(target: Target, columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            target,
            columns: columns
                .into_iter()
                .map(|column| column.as_ref().into())
                .collect(),
        }
    }

    /// Empties the file and writes the header.
    pub(super) fn begin(&mut self) -> Result<(), FileError> {
        let mut head = BYTE_ORDER_MARK.as_bytes().to_vec();
        let columns = self.columns.iter().map(AsRef::as_ref);
        push_row(columns.chain([ESCAPED]), &mut head);
        self.target.begin(&head)
    }

    /// Adds a row; cells are in the order of the columns.
    pub(super) fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cow<'c, str>>) {
        let mut escaped: Vec<&str> = Vec::new();
        let mut row: Vec<Cow<'c, str>> = Vec::with_capacity(self.columns.len() + 1);
        for (column, cell) in self.columns.iter().zip(cells) {
            if is_formula(&cell) {
                escaped.push(column);
                row.push(Cow::Owned(format!("'{cell}")));
            } else {
                row.push(cell);
            }
        }
        debug_assert_eq!(row.len(), self.columns.len());
        row.push(if escaped.is_empty() {
            Cow::Borrowed("")
        } else {
            // Strings always serialize.
            format!(
                "escaped:{}",
                serde_json::to_string(&escaped).unwrap_or_default()
            )
            .into()
        });
        let mut line = Vec::new();
        push_row(row.iter().map(AsRef::as_ref), &mut line);
        self.target.row(&line);
    }

    pub(super) fn into_target(self) -> Target {
        self.target
    }
}

/// One CSV row with its line end, ready for a single write.
fn push_row<'c>(cells: impl Iterator<Item = &'c str>, out: &mut Vec<u8>) {
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(1024)
        .from_writer(out);
    // Writing to memory can't fail, and each row is a record of its own.
    let _ = writer.write_record(cells);
    let _ = writer.flush();
}
