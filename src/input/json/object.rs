//! One JSON object to cells.

#![expect(
    clippy::unnecessary_box_returns,
    reason = "a large error would slow each value that is right"
)]

use crate::model::{CellKind, Code, Columns};

use super::super::span::Span;
use super::scan::skip_space;
use super::string::Text;
use super::walk::{Trouble, Walk, bad, repeated, trouble};
use crate::model::reserved::{ESCAPED, REASON, TEXT};

/// Makes cells of objects; keeps the columns that they have shown so far.
#[derive(Debug)]
pub(in crate::input) struct Objects {
    pub(in crate::input) columns: Columns,
    limit: usize,
    /// The column of each member of the last object, by the member's position.
    shape: Vec<usize>,
    /// The last object, by number, that had a column.
    seen: Vec<u64>,
    number: u64,
    name: String,
}

impl Objects {
    pub(in crate::input) fn new(limit: usize) -> Self {
        Self {
            columns: Columns::new(),
            limit,
            shape: Vec::new(),
            seen: Vec::new(),
            number: 0,
            name: String::new(),
        }
    }

    /// Adds the cells of the object `text[range]` to `cells`, each with its
    /// column, and returns the object's own text. Texts are spans of `text`, or
    /// of `own` where they had to be put together.
    pub(in crate::input) fn read(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        own: &mut String,
        cells: &mut Vec<(u32, Span)>,
    ) -> Result<Span, Box<Trouble>> {
        let mut walk = Walk::new(text, &range);
        match walk.peek()? {
            b'{' => {}
            b'[' => return Err(not_an_object(walk.at, "an array")),
            b'"' => return Err(not_an_object(walk.at, "a string")),
            b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => {
                let kind = walk.value(1)?;
                let found = match kind {
                    CellKind::Number => "a number",
                    CellKind::Null => "null",
                    _ => "true or false",
                };
                return Err(not_an_object(range.start, found));
            }
            _ => return Err(bad(walk.at, "expected an object")),
        }
        let begin = walk.at;
        self.number += 1;
        let mut position = 0;
        let mut own_columns = false;
        walk.members(|walk, name| {
            let column = self.column(walk, name, position)?;
            position += 1;
            let begins = walk.at;
            if walk.peek()? == b'"' {
                let string = walk.string()?;
                if let Some(column) = column {
                    cells.push((column, text_span(walk, string, own)?));
                }
            } else {
                let from = walk.at;
                let kind = walk
                    .value(1)
                    .map_err(|trouble| walk.inside_member(name, trouble))?;
                let end = if kind == CellKind::Null {
                    from
                } else {
                    walk.at
                };
                if let Some(column) = column {
                    cells.push((column, Span::of_text(kind, from, end)));
                }
            }
            if column.is_none() {
                own_columns = true;
                if walk.text[name.start..name.end] == *TEXT
                    && !matches!(walk.text[begins..walk.at].trim(), "\"\"" | "null")
                {
                    return Err(not_mended(name));
                }
            }
            Ok(())
        })?;
        let end = walk.at;
        walk.at = skip_space(walk.bytes, walk.at);
        if walk.at < walk.bytes.len() {
            return Err(bad(walk.at, "more text behind the end of the object"));
        }
        if own_columns {
            return without_own_columns(text, begin..end, own);
        }
        Ok(Span::of_text(CellKind::Json, begin, end))
    }

    /// The column of a member; none for what caseload itself had added.
    fn column(
        &mut self,
        walk: &Walk<'_>,
        name: Text,
        position: usize,
    ) -> Result<Option<u32>, Box<Trouble>> {
        let plain = &walk.text[name.start..name.end];
        let known = self
            .shape
            .get(position)
            .filter(|column| !name.escaped && self.columns.name(**column) == plain);
        let column = if let Some(column) = known {
            *column
        } else {
            self.name.clear();
            walk.resolve(name, &mut self.name)?;
            if is_ours(&self.name) {
                return Ok(None);
            }
            if self.columns.len() >= self.limit && self.columns.position(&self.name).is_none() {
                let what = format!(
                    "the file has more than {} distinct member names",
                    self.limit
                );
                return Err(trouble(name.start, Code::TooLarge, what));
            }
            let column = self.columns.intern(&self.name);
            self.seen.resize(self.columns.len(), 0);
            if position < self.shape.len() {
                self.shape[position] = column;
            } else if position == self.shape.len() {
                self.shape.push(column);
            }
            column
        };
        if self.seen[column] == self.number {
            return Err(repeated(name, self.columns.name(column)));
        }
        self.seen[column] = self.number;
        Ok(Some(column as u32))
    }
}

fn text_span(walk: &Walk<'_>, string: Text, own: &mut String) -> Result<Span, Box<Trouble>> {
    if !string.escaped {
        return Ok(Span::of_text(CellKind::Text, string.start, string.end));
    }
    let from = own.len();
    walk.resolve(string, own)?;
    Ok(Span::of_own(CellKind::Text, from, own.len()))
}

/// Whether caseload adds it to records that it gives back.
fn is_ours(name: &str) -> bool {
    matches!(name, REASON | ESCAPED | TEXT)
}

fn not_mended(name: Text) -> Box<Trouble> {
    let what = format!(
        "the record could not be read before, and was not mended since: write its own members here, and remove {TEXT}"
    );
    let mut trouble = trouble(name.start - 1, Code::NotFixed, what);
    trouble.column = Some(TEXT.into());
    trouble
}

fn not_an_object(at: usize, found: &str) -> Box<Trouble> {
    let what = format!("expected an object, found {found}");
    trouble(at, Code::NotAnObject, what)
}

/// The object without the members that caseload had added to it.
fn without_own_columns(
    text: &str,
    range: std::ops::Range<usize>,
    own: &mut String,
) -> Result<Span, Box<Trouble>> {
    let from = own.len();
    let mut name_text = String::new();
    Walk::new(text, &range).members(|walk, name| {
        name_text.clear();
        walk.resolve(name, &mut name_text)?;
        walk.value(1)?;
        if !is_ours(&name_text) {
            own.push(if own.len() == from { '{' } else { ',' });
            own.push_str(&text[name.start - 1..walk.at]);
        }
        Ok(())
    })?;
    if own.len() == from {
        own.push('{');
    }
    own.push('}');
    Ok(Span::of_own(CellKind::Json, from, own.len()))
}
