//! Raw records as the spool and the ledger keep them: the text of one JSON
//! object. Taken apart without looking into its values, so that numbers keep
//! their digits.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's members, in their order.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// None where the text is no JSON object.
    pub(super) fn of(raw: &'a str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// No members, for who has no record.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The values of these members as cells show them; empty where there is
    /// none.
    pub(super) fn cells<'m>(
        &'m self,
        names: &'m [Box<str>],
    ) -> impl Iterator<Item = Cow<'a, str>> + use<'a, 'm> {
        names.iter().enumerate().map(|(at, name)| {
            // Mostly they stand in the order of the header.
            let there = self.0.get(at).filter(|(member, _)| *member == **name);
            there
                .or_else(|| self.0.iter().find(|(member, _)| *member == **name))
                .map_or(Cow::Borrowed(""), |(_, value)| as_cell(value))
        })
    }
}

/// A text decoded, a null as nothing, anything else as it is written.
pub(super) fn as_cell(value: &RawValue) -> Cow<'_, str> {
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
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

/// JSON on one line. A line break in valid JSON only ever stands between
/// tokens, never inside a string.
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
