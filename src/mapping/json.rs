//! JSON text: writing strings into a buffer, and finding values in text that a
//! reader has checked already. Nothing here builds a tree.

use std::borrow::Cow;

use crate::model::{Cell, CellKind};

/// Whether a string goes between quotes without an escape.
#[inline]
pub(super) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut odd = 0;
    for word in words {
        odd |= odd_bytes(u64::from_ne_bytes(*word));
    }
    match bytes.last_chunk::<8>() {
        // The rest with some bytes before it, which are looked at twice.
        Some(last) => (odd | odd_bytes(u64::from_ne_bytes(*last))) == 0,
        None => rest
            .iter()
            .all(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\'),
    }
}

/// Not zero where one of eight bytes is a quote, a backslash or a control
/// character: a byte less than the subtrahend borrows its highest bit.
#[inline]
fn odd_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = EACH << 7;
    let quote = word ^ (EACH * 0x22);
    let backslash = word ^ (EACH * 0x5c);
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    let quote = quote.wrapping_sub(EACH) & !quote;
    let backslash = backslash.wrapping_sub(EACH) & !backslash;
    (control | quote | backslash) & HIGH
}

/// Writes a JSON string; whether it went in without an escape.
#[inline]
pub(super) fn push_string(text: &str, out: &mut String) -> bool {
    let is_plain = is_plain(text);
    if is_plain {
        out.reserve(text.len() + 2);
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        push_escaped(text, out);
    }
    is_plain
}

#[cold]
fn push_escaped(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        if escape.is_empty() {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            out.push_str("\\u00");
            out.push(digit(byte >> 4));
            out.push(digit(byte & 0xf));
        } else {
            out.push_str(escape);
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Writes a comma where one is due, and a member's name.
#[inline]
pub(super) fn begin_member(name: &str, payload: &mut String) {
    if !payload.ends_with('{') {
        payload.push(',');
    }
    payload.push_str(name);
}

/// Writes a cell as the JSON value that it is.
pub(super) fn push_cell(cell: Cell<'_>, out: &mut String) {
    match cell.kind {
        CellKind::Number | CellKind::Bool | CellKind::Json => out.push_str(cell.text),
        CellKind::Null | CellKind::Absent => out.push_str("null"),
        CellKind::Text | CellKind::Date | CellKind::DateTime => {
            push_string(cell.text, out);
        }
    }
}

/// The members of an object's text: each name with its value's own text.
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// Of an object; of anything else there are none.
    pub(super) fn of(text: &'a str) -> Self {
        let at = if text.trim_start().starts_with('{') {
            text.len() - text.trim_start().len() + 1
        } else {
            text.len()
        };
        Self { text, at }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let start = skip_between(self.text, self.at);
        let end = skip_value(self.text, start)?;
        let name = unquoted(self.text.get(start..end)?)?;
        let start = skip_between(self.text, end);
        let end = skip_value(self.text, start)?;
        self.at = end;
        Some((name, self.text.get(start..end)?))
    }
}

/// The members of an object's text, each as a cell would hold it: its name,
/// its kind and its text. Of anything but an object there are none.
pub fn object_members(text: &str) -> impl Iterator<Item = (Cow<'_, str>, CellKind, Cow<'_, str>)> {
    Members::of(text).map(|(name, value)| {
        let (kind, text) = value_of(value);
        (name, kind, text)
    })
}

/// The value at a path below an object's or array's text.
pub(super) fn descend<'a>(text: &'a str, path: &[Box<str>]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, segment| {
        if text.starts_with('[') {
            elements(text).nth(segment.parse().ok()?)
        } else {
            Members::of(text).find_map(|(name, value)| (*name == **segment).then_some(value))
        }
    })
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = skip_between(text, at);
        at = skip_value(text, start)?;
        text.get(start..at)
    })
}

/// What a value's own text says, as a cell would hold it.
pub(super) fn value_of(text: &str) -> (CellKind, Cow<'_, str>) {
    match text.as_bytes().first() {
        Some(b'"') => (CellKind::Text, unquoted(text).unwrap_or_default()),
        Some(b'{' | b'[') => (CellKind::Json, Cow::Borrowed(text)),
        Some(b't' | b'f') => (CellKind::Bool, Cow::Borrowed(text)),
        Some(b'n') | None => (CellKind::Null, Cow::Borrowed("")),
        Some(_) => (CellKind::Number, Cow::Borrowed(text)),
    }
}

fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        Some(Cow::Borrowed(inner))
    } else {
        serde_json::from_str(text).ok().map(Cow::Owned)
    }
}

/// Past white space and the marks between values.
fn skip_between(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while matches!(
        bytes.get(at),
        Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')
    ) {
        at += 1;
    }
    at
}

/// The end of the value that starts here, if one does.
fn skip_value(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at = skip_string(bytes, at)?;
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ if depth > 0 => at += 1,
            _ => {
                let rest = &bytes[at..];
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                return (length > 0).then_some(at + length);
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn skip_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_and_paths_are_found_in_the_text() {
        let text = r#" { "a" : 1, "b\n": {"c":[1, {"d":"x\"y"}],"e":null}, "f":"" } "#;
        let members: Vec<_> = Members::of(text).collect();
        assert_eq!(members.len(), 3);
        assert_eq!(members[1].0, "b\n");
        let path = |path: &[&str]| {
            path.iter()
                .map(|part| (*part).into())
                .collect::<Vec<Box<str>>>()
        };
        assert_eq!(
            descend(text, &path(&["b\n", "c", "1", "d"])).map(value_of),
            Some((CellKind::Text, Cow::Borrowed("x\"y")))
        );
        assert_eq!(descend(text, &path(&["b\n", "x"])), None);
        assert_eq!(descend(text, &path(&["a", "x"])), None);
    }

    #[test]
    fn every_byte_is_plain_or_not_wherever_it_stands() {
        for c in (0..=0x7f_u8)
            .map(char::from)
            .chain(['\u{80}', '\u{a2}', 'é'])
        {
            let wanted = c >= ' ' && c != '"' && c != '\\';
            for before in 0..20 {
                let text = format!("{}{c}{}", "x".repeat(before), "é".repeat(before % 7));
                assert_eq!(is_plain(&text), wanted, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_written_string_reads_back(text in any::<String>()) {
            let mut out = String::new();
            push_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn nothing_in_the_text_makes_it_panic(text in r#"[\[\]{}",:\\ a1é]{0,40}"#) {
            Members::of(&text).take(100).for_each(drop);
            descend(&text, &["a".into(), "1".into()]);
        }

        #[test]
        fn members_are_those_that_a_parser_finds(
            members in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6)
        ) {
            let text = serde_json::to_string(&members).unwrap();
            let found: std::collections::BTreeMap<String, String> = Members::of(&text)
                .map(|(name, value)| (name.into_owned(), value_of(value).1.into_owned()))
                .collect();
            prop_assert_eq!(found, members);
        }
    }
}
