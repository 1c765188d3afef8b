//! Values found in JSON text that was checked before. They stay as they are
//! written, so that numbers keep their digits.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::CellKind;

/// Names of members, and the texts of their values.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct JsonText<'a>(#[serde(borrow)] Cow<'a, str>);

struct Object<'a>(Members<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some((JsonText(name), value)) =
                    map.next_entry::<JsonText<'de>, &'de RawValue>()?
                {
                    members.push((name, value.get()));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// The members of an object in their order, repeated ones too; none if the text
/// is not an object.
pub(crate) fn json_members(text: &str) -> Option<Members<'_>> {
    let object = serde_json::from_str(text).ok();
    object.map(|Object(members)| members)
}

/// A value's kind and text as a cell has them: strings are decoded, and null is
/// empty.
pub(crate) fn json_cell(text: &str) -> (CellKind, Cow<'_, str>) {
    match text.as_bytes().first() {
        Some(b'"') => {
            let decoded = serde_json::from_str(text).map(|JsonText(text)| text);
            (CellKind::Text, decoded.unwrap_or_default())
        }
        Some(b'{' | b'[') => (CellKind::Json, Cow::Borrowed(text)),
        Some(b't' | b'f') => (CellKind::Bool, Cow::Borrowed(text)),
        Some(b'n') | None => (CellKind::Null, Cow::Borrowed("")),
        Some(_) => (CellKind::Number, Cow::Borrowed(text)),
    }
}

/// Whether a string can be put between quotes without an escape. Without a way
/// out of the loop many bytes are looked at together.
#[inline]
fn is_plain_json(text: &str) -> bool {
    let is_escaped = |byte| byte < 0x20 || byte == b'"' || byte == b'\\';
    !text.bytes().fold(false, |any, byte| any | is_escaped(byte))
}

/// Appends a text as a JSON string.
#[inline]
pub(crate) fn push_json_string(text: &str, out: &mut String) {
    if is_plain_json(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // A string always serializes.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}
