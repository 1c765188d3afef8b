//! A case: a record after mapping, its key, and the hashes of its content.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use super::json::push_json_string;
use super::{Person, Place, fold, without_invisible};

/// What identifies a case for the user: the text of one column or several,
/// trimmed, in Unicode NFC, without invisible characters, each run of white
/// space as one space, letter case kept.
///
/// Stored as its canonical text, a JSON array of strings, with the name of its
/// source in front if it has one: `["00123"]`, `clio:["00123"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(Box<str>);

impl Key {
    /// Trims and normalizes the parts.
    pub fn new<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Self {
        Self::of_source("", parts)
    }

    /// In a source of this folded name.
    pub(crate) fn of_source<S: AsRef<str>>(
        source: &str,
        parts: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut text = String::new();
        Self::write_canonical(source, parts, &mut text);
        Self(text.into())
    }

    /// Appends the canonical text of the key of these parts.
    pub(crate) fn write_canonical<S: AsRef<str>>(
        source: &str,
        parts: impl IntoIterator<Item = S>,
        out: &mut String,
    ) {
        if !source.is_empty() {
            out.push_str(source);
            out.push(':');
        }
        out.push('[');
        for (position, part) in parts.into_iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            push_json_string(&normalized(part.as_ref()), out);
        }
        out.push(']');
    }

    /// Parses a canonical text, as stored in the ledger and in `caseload_key`:
    /// a JSON array of strings that are not all blank.
    pub(crate) fn parse(canonical: &str) -> Option<Self> {
        let (source, array) = canonical.split_at(canonical.find('[')?);
        let source = match source.strip_suffix(':') {
            Some(name) if !name.is_empty() && fold(name) == name => name,
            None if source.is_empty() => "",
            _ => return None,
        };
        let parts: Vec<String> = serde_json::from_str(array).ok()?;
        let is_blank = parts.iter().all(|part| part.trim().is_empty());
        (!is_blank).then(|| Self::of_source(source, parts))
    }

    /// The text must be one that [`Self::write_canonical`] wrote.
    pub(crate) fn from_canonical(canonical: &str) -> Self {
        debug_assert!(Self::parse(canonical).is_some_and(|key| key.canonical() == canonical));
        Self(canonical.into())
    }

    /// Parses what a user types as a key of a source, whose name may be in front:
    /// a JSON array, or the text of a single column.
    pub(crate) fn from_typed(source: &str, typed: &str) -> Self {
        match Self::parse(typed) {
            Some(key) if !key.source().is_empty() => key,
            Some(key) => Self::of_source(source, key.parts()),
            None => {
                let text = typed
                    .strip_prefix(source)
                    .and_then(|text| text.strip_prefix(':'));
                let text = text.filter(|_| !source.is_empty()).unwrap_or(typed);
                Self::of_source(source, [text])
            }
        }
    }

    pub(crate) fn canonical(&self) -> &str {
        &self.0
    }

    /// The folded name of its source; empty where none is named.
    pub(crate) fn source(&self) -> &str {
        let (source, _) = self.0.split_once('[').unwrap_or_default();
        source.trim_end_matches(':')
    }

    /// The text of each column.
    pub(crate) fn parts(&self) -> Vec<String> {
        let array = self.0.find('[').map_or("", |start| &self.0[start..]);
        // It is always a JSON array of strings.
        serde_json::from_str(array).unwrap_or_default()
    }

    /// For the ledger's unique index.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

/// As a user types it: the plain text of one column, a JSON array of several;
/// after the source, if it has one.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.source(), self.parts().as_slice()) {
            // A plain text that would parse as a key is shown as one.
            (_, [single]) if Self::parse(single).is_some() => f.write_str(&self.0),
            ("", [single]) => f.write_str(single),
            (source, [single]) => write!(f, "{source}:{single}"),
            _ => f.write_str(&self.0),
        }
    }
}

/// Where the keys of a run come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyOrigin {
    /// The folded name of the system; empty where none is named.
    pub source: String,
    /// The key columns as they are named in the config, in the order in which
    /// they make a key.
    pub columns: Vec<String>,
}

impl KeyOrigin {
    /// In whatever order columns are named, they make the same key.
    pub(crate) fn sort_columns(columns: &mut [String]) {
        columns.sort_by_cached_key(|column| (fold(column), column.clone()));
    }

    /// What a list of columns is compared by.
    pub(crate) fn folded_columns(&self) -> Vec<String> {
        let fold = |column: &String| match fold(column) {
            // Of signs alone, such as `#`.
            folded if folded.is_empty() => column.clone(),
            folded => folded,
        };
        self.columns.iter().map(fold).collect()
    }
}

/// The text of one column as a key has it.
pub(crate) fn normalized(text: &str) -> Cow<'_, str> {
    // Nearly every key is plain ASCII.
    let is_spaced = |c: char| c != ' ' && c.is_whitespace();
    if text.is_ascii() && !text.contains(is_spaced) && !text.contains("  ") {
        return text.trim().into();
    }
    let visible: String = without_invisible(text).nfc().collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    words.join(" ").into()
}

/// A record after mapping, with all that the ledger and the API need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseData {
    pub key: Key,
    pub place: Place,
    /// The handling firm's id; none is a draft.
    pub partner_firm: Option<Box<str>>,
    /// The text of one JSON object, without `partnerFirmId`.
    pub payload: Box<str>,
    /// The record as JSON: an object of strings by column, or the object that
    /// was read.
    pub raw_record: Box<str>,
    /// Of payload and firm; differs when the row has changed.
    pub payload_digest: Digest,
    /// Of the payload without its key fields, and the firm; none where the
    /// payload has no other fields.
    pub content_digest: Option<Digest>,
    /// Of the non-empty columns by name, in any order.
    pub record_digest: Digest,
    pub person: Person,
}

/// The first 128 bits of a SHA-256.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The first 64 bits, for tables where a rare collision does no harm.
    pub(crate) fn short(&self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Makes a [`Digest`] of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// Adds bytes; where one piece ends makes no difference.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds a piece after its length, so that two pieces differ from their
    /// concatenation.
    pub(crate) fn write_piece(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        let full = self.0.finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        Digest(short)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_trimmed_and_normalized_and_keeps_its_letter_case() {
        let composed = Key::new(["Ren\u{e9}e"]);
        let decomposed = Key::new(["  Rene\u{301}e "]);
        assert_eq!(composed, decomposed);
        assert_ne!(Key::new(["a01"]), Key::new(["A01"]));
    }

    #[test]
    fn what_nobody_sees_is_not_part_of_a_key() {
        for text in [
            "\u{feff}A 1",
            "A\u{200b} 1",
            "A\u{a0}1",
            "A \t 1",
            "A\u{ad} \u{3000}1\u{2060}",
            " \u{200e}A\r\n1 ",
        ] {
            assert_eq!(Key::new([text]), Key::new(["A 1"]), "{text:?}");
        }
        assert_ne!(Key::new(["A 1"]), Key::new(["A1"]));
        // A mark between letter and accent does not keep them apart.
        assert_eq!(Key::new(["e\u{34f}\u{301}"]), Key::new(["\u{e9}"]));
    }

    #[test]
    fn a_shown_key_can_be_typed() {
        for key in [
            Key::new(["00123"]),
            Key::new(["a", "b\"c"]),
            Key::new(["[\"odd\"]"]),
            Key::new(["x:[\"odd\"]"]),
            Key::of_source("clio", ["00123"]),
            Key::of_source("clio", ["clio:1"]),
            Key::of_source("clio", ["[\"odd\"]"]),
            Key::of_source("clio", ["a", "b"]),
        ] {
            assert_eq!(Key::from_typed(key.source(), &key.to_string()), key);
            assert_eq!(Key::parse(key.canonical()), Some(key));
        }
    }

    proptest! {
        #[test]
        fn a_key_survives_every_way_of_writing_it_down(
            parts in proptest::collection::vec(any::<String>(), 1..4),
            source in "[a-z0-9]{0,3}",
        ) {
            let key = Key::of_source(&source, &parts);
            prop_assert_eq!(key.source(), &*source);
            prop_assert_eq!(&Key::of_source(&source, key.parts()), &key);
            if key.parts().iter().any(|part| !part.is_empty()) {
                prop_assert_eq!(Key::parse(key.canonical()), Some(key.clone()));
                let typed = Key::from_typed(&source, &key.to_string());
                prop_assert_eq!(typed, key);
            }
        }

        #[test]
        fn invisible_characters_and_spaces_around_change_no_key(
            text in "\\PC{0,6}",
            at in 0usize..6,
            invisible in "[\u{200b}\u{feff}\u{ad}\u{2060}\u{fe0f}]{1,2}",
        ) {
            let start = text.char_indices().nth(at).map_or(text.len(), |(start, _)| start);
            let (before, after) = text.split_at(start);
            let other = format!(" {before}{invisible}{after}\u{a0}");
            prop_assert_eq!(Key::new([other]), Key::new([text]));
        }
    }
}
