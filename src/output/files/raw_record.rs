//! Raw records as the spool and the ledger keep them: the text of one JSON
//! object. Values are not parsed, so numbers keep their digits.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Format, reserved};

/// One input, as far as the outputs depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Its name in messages, such as `cases.csv` or `standard input`.
    pub name: String,
    /// None is standard input.
    pub path: Option<PathBuf>,
    pub shape: RecordShape,
    /// Whether it has records that could not be read: its rejects file gets a
    /// column for their text.
    pub has_unread: bool,
}

/// What the records of an input are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordShape {
    /// Cells under these columns (CSV, TSV, XLSX). Rejects are CSV.
    Table(Vec<Box<str>>),
    /// Objects (JSON, NDJSON). Rejects are NDJSON.
    Json,
}

impl RecordShape {
    /// The columns of a header, without those that caseload adds itself: a
    /// rejects file that is rejected again has them once.
    pub(crate) fn table<S: AsRef<str>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Table(
            columns
                .into_iter()
                .filter(|column| !reserved::is_rejects_column(column.as_ref()))
                .map(|column| column.as_ref().into())
                .collect(),
        )
    }

    pub(super) fn rejects_format(&self) -> Format {
        match self {
            Self::Table(_) => Format::Csv,
            Self::Json => Format::Ndjson,
        }
    }
}

/// Finds the shape of an input from the raw records in the ledger.
#[derive(Debug, Default)]
pub(crate) struct ShapeDetector {
    columns: Vec<Box<str>>,
    known: HashSet<Box<str>>,
    has_nested: bool,
    has_typed: bool,
}

impl ShapeDetector {
    pub(crate) fn add(&mut self, raw: &str) {
        let Some(Members(members)) = Members::of(raw) else {
            return;
        };
        for (name, value) in members {
            self.has_nested |= value.get().starts_with(['{', '[']);
            self.has_typed |= !value.get().starts_with('"');
            if self.known.insert(name.as_str().into()) {
                self.columns.push(name.into());
            }
        }
    }

    /// Decided by the file's name where it tells the format, else by the
    /// records: a table has only texts.
    pub(crate) fn finish(self, file: &str) -> RecordShape {
        let is_table = match Format::from_name(file) {
            Some(format) => !format.is_json() && !self.has_nested,
            None => !self.has_nested && !self.has_typed,
        };
        if is_table {
            RecordShape::table(&self.columns)
        } else {
            RecordShape::Json
        }
    }
}

/// An object's members, in their order.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// None if the text is not a JSON object.
    pub(super) fn of(raw: &'a str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// No members, where there is no record.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The values of these members as cells; empty where there is none.
    pub(super) fn cells<'m>(
        &'m self,
        names: &'m [Box<str>],
    ) -> impl Iterator<Item = Cow<'a, str>> + use<'a, 'm> {
        names.iter().enumerate().map(|(at, name)| {
            // Mostly they are in the order of the header.
            let expected = self.0.get(at).filter(|(member, _)| **member == **name);
            expected
                .or_else(|| self.0.iter().find(|(member, _)| **member == **name))
                .map_or(Cow::Borrowed(""), |(_, value)| as_cell(value))
        })
    }
}

/// A string decoded, null as empty, anything else as written.
fn as_cell(value: &RawValue) -> Cow<'_, str> {
    let text = value.get();
    if text.starts_with('"') {
        serde_json::from_str(text).unwrap_or(Cow::Borrowed(text))
    } else if text == "null" {
        Cow::Borrowed("")
    } else {
        Cow::Borrowed(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

/// JSON on one line. In valid JSON line breaks are only between tokens, never
/// inside a string.
pub(super) fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        json.split(['\n', '\r']).map(str::trim_start).collect()
    } else {
        Cow::Borrowed(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_and_digits() {
        let raw = r#"{"b": 12345678901234567890.10, "a": "x\ny", "c": null, "d": {"e": [1]}}"#;
        let members = Members::of(raw).unwrap();
        let names: Vec<&str> = members.0.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["b", "a", "c", "d"]);
        let wanted = ["b", "d", "z", "c", "a"].map(Box::from);
        let cells: Vec<Cow<'_, str>> = members.cells(&wanted).collect();
        assert_eq!(
            cells,
            ["12345678901234567890.10", "{\"e\": [1]}", "", "", "x\ny"]
        );
        assert!(Members::of("[1]").is_none());
        assert!(Members::of("{\"a\":").is_none());
    }

    #[test]
    fn pretty_json_fits_on_one_line() {
        assert_eq!(
            on_one_line("{\r\n  \"a\": \"b  \\n c\",\n  \"d\": [\n    1\n  ]\n}"),
            "{\"a\": \"b  \\n c\",\"d\": [1]}"
        );
    }
}
