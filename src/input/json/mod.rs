//! JSON and NDJSON, read by `serde_json`.
//!
//! The reader thread finds where values end, and so checks their syntax; the
//! worker's [`Objects`] takes a record apart. Nested values stay the text that
//! they are.

mod document;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::reserved::{ESCAPED, REASON, TEXT};
use crate::model::{CellKind, Code, Columns};

pub(super) use document::JsonDocument;

/// How deep a record may be nested, itself among the levels: what `serde_json`
/// reads too.
pub(super) const MAX_DEPTH: usize = 127;

/// The byte of a text that an error points at.
fn error_offset(text: &[u8], error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(text.len(), |at| at + 1),
    };
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

/// An error's message without its place, which is one in the value only.
fn error_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

/// Why a text is not a record.
#[derive(Debug)]
pub(super) struct JsonError {
    /// The byte of the record's text.
    pub(super) at: usize,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) column: Option<Box<str>>,
}

type JsonResult<T> = Result<T, JsonError>;

impl JsonError {
    #[cold]
    fn new(at: usize, code: Code, message: impl Into<String>) -> Self {
        Self {
            at,
            code,
            message: message.into(),
            column: None,
        }
    }

    /// What `serde_json` says of a part of a record.
    #[cold]
    fn syntax(record: &str, part: &str, error: &serde_json::Error) -> Self {
        let code = if error.is_eof() {
            Code::Truncated
        } else {
            Code::BadJson
        };
        let at = offset(record, part) + error_offset(part.as_bytes(), error);
        Self::new(at, code, error_message(error))
    }

    #[cold]
    fn repeated(at: usize, name: &str) -> Self {
        let message = format!("the object has the member {name:?} twice");
        Self::new(at, Code::DuplicateMember, message).in_column(name)
    }

    fn in_column(mut self, name: &str) -> Self {
        self.column = Some(name.into());
        self
    }

    /// A column is named as seen from the object or array around the value.
    fn inside(mut self, name: &str) -> Self {
        if let Some(column) = &mut self.column {
            let dot = if column.starts_with('[') { "" } else { "." };
            *column = format!("{name}{dot}{column}").into();
        }
        self
    }
}

/// One member of a record.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) column: usize,
    pub(super) kind: CellKind,
    pub(super) text: Cow<'a, str>,
}

/// Makes cells of objects; keeps the columns that they have shown so far.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) columns: Columns,
    /// How many there may be.
    pub(super) limit: usize,
}

impl Objects {
    /// Adds the members of an object, and returns its text without those that
    /// caseload has added to it.
    pub(super) fn read<'a>(
        &mut self,
        text: &'a str,
        cells: &mut Vec<Member<'a>>,
    ) -> JsonResult<Cow<'a, str>> {
        if !text.starts_with('{') {
            return Err(not_an_object(text));
        }
        let mut seen = vec![false; self.columns.len()];
        // The text so far, as soon as it differs.
        let mut rewritten: Option<String> = None;
        for (name, name_at, value) in members(text, text)? {
            let at = offset(text, value);
            // What caseload adds to records that it writes.
            if matches!(&*name, REASON | ESCAPED | TEXT) {
                if name == TEXT && !matches!(value, "\"\"" | "null") {
                    let message = format!(
                        "the record could not be read before, and has not been fixed since: \
                         write its own members here, and remove {TEXT}"
                    );
                    return Err(JsonError::new(name_at, Code::NotFixed, message).in_column(TEXT));
                }
                let before = text[..name_at].trim_end();
                let before = before.strip_suffix(',').unwrap_or(before);
                rewritten.get_or_insert_with(|| before.to_owned());
                continue;
            }
            let column = self.column(&name, name_at)?;
            seen.resize(self.columns.len(), false);
            if seen[column] {
                return Err(JsonError::repeated(name_at, &name));
            }
            seen[column] = true;
            if let Some(rewritten) = &mut rewritten {
                rewritten.push_str(if rewritten.ends_with('{') { "" } else { "," });
                rewritten.push_str(&text[name_at..at + value.len()]);
            }
            let (kind, text) = cell(text, value, &name)?;
            cells.push(Member { column, kind, text });
        }
        Ok(match rewritten {
            Some(rewritten) => Cow::Owned(rewritten + "}"),
            None => Cow::Borrowed(text),
        })
    }

    fn column(&mut self, name: &str, at: usize) -> JsonResult<usize> {
        if self.columns.len() >= self.limit && self.columns.position(name).is_none() {
            let message = format!(
                "the file has more than {} distinct member names",
                self.limit
            );
            return Err(JsonError::new(at, Code::TooLarge, message));
        }
        Ok(self.columns.intern(name))
    }
}

fn not_an_object(text: &str) -> JsonError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return JsonError::syntax(text, text, &error);
    }
    let found = match text.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    };
    let message = format!("expected an object, found {found}");
    JsonError::new(0, Code::NotAnObject, message)
}

/// What a string says.
fn string<'a>(record: &str, quoted: &'a str) -> JsonResult<Cow<'a, str>> {
    if memchr::memchr(b'\\', quoted.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(&quoted[1..quoted.len() - 1]));
    }
    let text = serde_json::from_str(quoted);
    text.map_err(|error| JsonError::syntax(record, quoted, &error))
}

/// A member's value as a cell.
fn cell<'a>(record: &str, value: &'a str, name: &str) -> JsonResult<(CellKind, Cow<'a, str>)> {
    Ok(match value.as_bytes()[0] {
        b'"' => (CellKind::Text, string(record, value)?),
        b'{' | b'[' => {
            check_nested(record, value, 1).map_err(|error| error.inside(name))?;
            (CellKind::Json, Cow::Borrowed(value))
        }
        b't' | b'f' => (CellKind::Bool, Cow::Borrowed(value)),
        b'n' => (CellKind::Null, Cow::Borrowed("")),
        _ => (CellKind::Number, Cow::Borrowed(value)),
    })
}

/// Checks what `serde_json` passes over in a nested value: members that are
/// there twice, halves of surrogate pairs, and the depth.
fn check_nested(record: &str, value: &str, depth: usize) -> JsonResult<()> {
    match value.as_bytes()[0] {
        b'{' | b'[' if depth >= MAX_DEPTH => {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            let at = offset(record, value);
            return Err(JsonError::new(at, Code::TooLarge, message));
        }
        b'{' => {
            let mut names = HashSet::new();
            for (name, name_at, value) in members(record, value)? {
                if names.contains(&name) {
                    return Err(JsonError::repeated(name_at, &name));
                }
                check_nested(record, value, depth + 1).map_err(|error| error.inside(&name))?;
                names.insert(name);
            }
        }
        b'[' => {
            // Valid JSON, as all of the record is.
            let elements: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
            for (number, value) in elements.into_iter().enumerate() {
                check_nested(record, value.get(), depth + 1)
                    .map_err(|error| error.inside(&format!("[{number}]")))?;
            }
        }
        b'"' => drop(string(record, value)?),
        _ => {}
    }
    Ok(())
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

/// The members of an object in a record: name, where it begins in the record,
/// and value.
fn members<'a>(record: &str, object: &'a str) -> JsonResult<Vec<(Cow<'a, str>, usize, &'a str)>> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let members = deserializer
        .deserialize_map(MembersVisitor)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| JsonError::syntax(record, object, &error))?;
    let member = |(name, value): (&'a RawValue, &'a RawValue)| {
        let (name, value) = (name.get(), value.get());
        Ok((string(record, name)?, offset(record, name), value))
    };
    members.into_iter().map(member).collect()
}

struct MembersVisitor;

impl<'a> Visitor<'a> for MembersVisitor {
    type Value = Vec<(&'a RawValue, &'a RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        std::iter::from_fn(|| map.next_entry().transpose()).collect()
    }
}
