//! A case: a record after mapping, its key, and the hashes of its content.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::Place;

/// What identifies a case for the user: the text of one column or several,
/// trimmed, in Unicode NFC, letter case kept.
///
/// Stored as its canonical text, a JSON array of strings: `["00123"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(Box<str>);

impl Key {
    /// Trims and normalizes the parts.
    pub fn new<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        Self::write_canonical(parts, &mut text);
        Self(text.into())
    }

    /// Appends the canonical text of the key of these parts.
    pub(crate) fn write_canonical<S: AsRef<str>>(
        parts: impl IntoIterator<Item = S>,
        out: &mut String,
    ) {
        out.push('[');
        for (position, part) in parts.into_iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            let part = part.as_ref().trim();
            if part.is_ascii() || is_nfc_quick(part.chars()) == IsNormalized::Yes {
                push_json_string(part, out);
            } else {
                push_json_string(&part.nfc().collect::<String>(), out);
            }
        }
        out.push(']');
    }

    /// Parses a canonical text, as stored in the ledger and in `caseload_key`:
    /// a JSON array of strings that are not all blank.
    pub(crate) fn parse(canonical: &str) -> Option<Self> {
        let parts: Vec<String> = serde_json::from_str(canonical).ok()?;
        let is_blank = parts.iter().all(|part| part.trim().is_empty());
        (!is_blank).then(|| Self::new(parts))
    }

    /// The text must be one that [`Self::write_canonical`] wrote.
    pub(crate) fn from_canonical(canonical: &str) -> Self {
        debug_assert!(Self::parse(canonical).is_some_and(|key| key.canonical() == canonical));
        Self(canonical.into())
    }

    /// Parses what a user types: a JSON array, or the text of a single column.
    pub(crate) fn from_typed(typed: &str) -> Self {
        Self::parse(typed).unwrap_or_else(|| Self::new([typed]))
    }

    pub(crate) fn canonical(&self) -> &str {
        &self.0
    }

    /// The text of each column.
    pub(crate) fn parts(&self) -> Vec<String> {
        // The canonical text is always a JSON array of strings.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// For the ledger's unique index.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

/// As a user types it: the plain text of one column, a JSON array of several.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts().as_slice() {
            // A plain text that would parse as an array is shown as one.
            [single] if !single.starts_with('[') => f.write_str(single),
            _ => f.write_str(&self.0),
        }
    }
}

fn push_json_string(text: &str, out: &mut String) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // A string always serializes.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
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
    /// Of the payload without its key fields, and the firm.
    pub content_digest: Digest,
    /// Of the non-empty columns by name, in any order.
    pub record_digest: Digest,
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
    use super::*;

    #[test]
    fn a_key_is_trimmed_and_normalized_and_keeps_its_letter_case() {
        let composed = Key::new(["Ren\u{e9}e"]);
        let decomposed = Key::new(["  Rene\u{301}e "]);
        assert_eq!(composed, decomposed);
        assert_ne!(Key::new(["a01"]), Key::new(["A01"]));
    }

    #[test]
    fn a_shown_key_can_be_typed() {
        for key in [
            Key::new(["00123"]),
            Key::new(["a", "b\"c"]),
            Key::new(["[\"odd\"]"]),
        ] {
            assert_eq!(Key::from_typed(&key.to_string()), key);
            assert_eq!(Key::parse(key.canonical()), Some(key));
        }
    }
}
