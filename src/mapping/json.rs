//! JSON text: values written into a buffer, and values found in text by their
//! paths. Values stay as they are written, so that numbers keep their digits.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::model::{Cell, CellKind, Record, json_cell, json_members, push_json_string};

/// A member's name with its colon.
pub(super) fn member_name(name: &str) -> Box<str> {
    let mut out = String::new();
    push_json_string(name, &mut out);
    out.push(':');
    out.into()
}

/// Starts a member of an object: a comma where one is needed, and its name.
#[inline]
pub(super) fn begin_member(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(name);
}

/// A value as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadValue<'t> {
    /// The text of a JSON string.
    Text(&'t str),
    /// JSON as it is.
    Raw(&'t str),
}

impl<'t> PayloadValue<'t> {
    /// A cell without a type: text, or the JSON value that it is.
    pub(super) fn of_cell(cell: Cell<'t>) -> Self {
        match cell.kind {
            CellKind::Number | CellKind::Bool | CellKind::Json => Self::Raw(cell.text),
            CellKind::Null | CellKind::Absent => Self::Raw("null"),
            CellKind::Text | CellKind::Date | CellKind::DateTime => Self::Text(cell.text),
        }
    }

    pub(super) fn text(self) -> &'t str {
        match self {
            Self::Text(text) | Self::Raw(text) => text,
        }
    }

    #[inline]
    pub(super) fn write(self, out: &mut String) {
        match self {
            Self::Text(text) => push_json_string(text, out),
            Self::Raw(json) => out.push_str(json),
        }
    }
}

/// Writes a record as one JSON object: the object that was read, or its cells
/// by column.
pub(crate) fn record_json(record: &Record<'_>, out: &mut String) {
    if let Some(json) = record.json {
        out.push_str(json);
        return;
    }
    out.push('{');
    for (name, cell) in record.iter() {
        begin_member("", out);
        push_json_string(name, out);
        out.push(':');
        PayloadValue::of_cell(cell).write(out);
    }
    out.push('}');
}

/// The members of an object's text as cells: name, kind and text.
pub(crate) fn object_members(
    text: &str,
) -> impl Iterator<Item = (Cow<'_, str>, CellKind, Cow<'_, str>)> {
    json_members(text)
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let (kind, text) = json_cell(value);
            (name, kind, text)
        })
}

/// The text of the value at a dotted path of names and positions.
pub(super) fn value_at<'a>(text: &'a str, path: &str) -> Option<&'a str> {
    path.split('.').try_fold(text, |text, segment| {
        if text.starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let element = elements.get(segment.parse::<usize>().ok()?)?;
            Some(element.get())
        } else {
            let mut members = json_members(text)?.into_iter();
            members.find_map(|(name, value)| (name == segment).then_some(value))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_and_paths_are_found_in_the_text() {
        let text = r#" { "a" : 1, "b\n": {"c":[1, {"d":"x\"y"}],"e":null}, "f":"" } "#;
        let found = json_members(text).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].0, "b\n");
        assert_eq!(
            value_at(text, "b\n.c.1.d").map(json_cell),
            Some((CellKind::Text, Cow::Borrowed("x\"y")))
        );
        assert_eq!(value_at(text, "b\n.x"), None);
        assert_eq!(value_at(text, "a.x"), None);
    }

    proptest! {
        #[test]
        fn a_written_string_reads_back(text in any::<String>()) {
            let mut out = String::new();
            push_json_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn no_text_causes_a_panic(text in r#"[\[\]{}",:\\ a1é]{0,40}"#) {
            json_members(&text);
            value_at(&text, "a.1");
        }

        #[test]
        fn members_match_those_of_a_map(
            members in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6)
        ) {
            let text = serde_json::to_string(&members).unwrap();
            let found: std::collections::BTreeMap<String, String> = json_members(&text)
                .unwrap()
                .into_iter()
                .map(|(name, value)| (name.into_owned(), json_cell(value).1.into_owned()))
                .collect();
            prop_assert_eq!(found, members);
        }
    }
}
