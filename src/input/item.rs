//! What a parser finds: records, and what is no record.

use crate::model::{Cell, CellKind, Columns, Problem, Record};

use crate::model::reserved::TEXT;

/// What a parser finds, in the order of the file.
#[derive(Debug)]
pub enum Item<'a> {
    /// A record.
    Record(Record<'a>),
    /// A record that can't be read; it counts as one.
    Problem(Problem, Unread<'a>),
    /// A record that can't be read, and so nothing behind it: the rest of the
    /// file is unknown, and leaving this record out would leave out more. It
    /// counts as one, and is the last item of its file.
    Lost(Problem),
}

/// What there is of a record that can't be read, so that a person can mend it.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    /// The record as it stands in the file; bytes that are no text are `?`.
    pub(super) text: &'a str,
    /// Whether it may be given back as it stands: it is JSON of some kind.
    pub(super) as_it_is: bool,
    /// The cells of a row, as far as they go under its columns.
    pub(super) row: Option<(&'a Columns, &'a [Cell<'a>])>,
}

impl Unread<'_> {
    /// As the text of a JSON object, like the raw text of any record: the cells
    /// under their columns, with the whole row in a `caseload_text` beside
    /// them. While that is filled the record is no case, so that nobody imports
    /// it before it was mended. JSON stays as it is where it can't pass for a
    /// record either.
    pub fn raw(&self) -> String {
        if self.as_it_is {
            return self.text.to_owned();
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
        push_member(TEXT, self.text, &mut raw);
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
