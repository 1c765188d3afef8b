//! What a parser finds: records, and what can't be read as one.

use std::borrow::Cow;

use crate::model::reserved::TEXT;
use crate::model::{Cell, CellKind, Columns, Problem, Record};

/// What a parser finds, in the order of the file.
#[derive(Debug)]
pub enum Item<'a> {
    Record(Record<'a>),
    /// A record that can't be read; it counts as one.
    Problem(Problem, Unread<'a>),
    /// A record that can't be read and hides the rest of the file, which is
    /// unknown: skipping this record would skip more. It counts as one, and is
    /// the last item of its file.
    Lost(Problem),
}

/// What there is of a record that can't be read, so that a person can fix it.
#[derive(Debug)]
pub struct Unread<'a> {
    /// The record's text; bytes that are not text are `?`.
    pub(super) text: Cow<'a, str>,
    /// Whether the text can be returned unchanged: it is JSON of some kind.
    pub(super) as_is: bool,
    /// The cells of a row, as far as they fit its columns.
    pub(super) row: Option<(&'a Columns, &'a [Cell<'a>])>,
}

impl Unread<'_> {
    /// As the text of a JSON object, like the raw text of any record: the cells
    /// by column, and the whole row in `caseload_text`. While that is filled,
    /// the record can't be imported. JSON that can't pass for a record stays
    /// unchanged.
    pub(crate) fn raw(&self) -> String {
        if self.as_is {
            return self.text.clone().into_owned();
        }
        let mut raw = String::from("{");
        let (columns, cells) = self.row.unzip();
        let names = columns.into_iter().flat_map(Columns::names);
        for (name, cell) in names.zip(cells.unwrap_or_default()) {
            if cell.kind != CellKind::Absent {
                push_member(name, cell.text, &mut raw);
                raw.push(',');
            }
        }
        push_member(TEXT, &self.text, &mut raw);
        raw.push('}');
        raw
    }
}

fn push_member(name: &str, text: &str, out: &mut String) {
    // Texts always serialize.
    out.push_str(&serde_json::to_string(name).unwrap_or_default());
    out.push(':');
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
