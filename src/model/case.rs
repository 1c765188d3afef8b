//! A case: what a record becomes, and the key that names it.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{Digest, Place};

/// What tells one case from another for the user: the text of one column or
/// several, trimmed, in Unicode NFC, letter case kept.
///
/// Held as its canonical text, a JSON array of strings: `["00123"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(Box<str>);

/// A text that is no key's canonical text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key: expected a JSON array of strings such as [\"00123\"]")]
pub struct KeyParseError;

impl Key {
    /// The key of these parts, which are trimmed and normalized here.
    pub fn new<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        Self::write_canonical(parts, &mut text);
        Self(text.into())
    }

    /// Writes the canonical text of a key of these parts behind `out`.
    pub fn write_canonical<S: AsRef<str>>(parts: impl IntoIterator<Item = S>, out: &mut String) {
        out.push('[');
        for (position, part) in parts.into_iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            let part = part.as_ref().trim();
            if is_nfc_quick(part.chars()) == IsNormalized::Yes {
                push_json_string(part, out);
            } else {
                push_json_string(&part.nfc().collect::<String>(), out);
            }
        }
        out.push(']');
    }

    /// Reads a canonical text, as the ledger and `caseload_key` hold it.
    pub fn parse(canonical: &str) -> Result<Self, KeyParseError> {
        let parts: Vec<String> = serde_json::from_str(canonical).map_err(|_| KeyParseError)?;
        if parts.is_empty() || parts.iter().all(|part| part.trim().is_empty()) {
            return Err(KeyParseError);
        }
        Ok(Self::new(parts))
    }

    /// Takes a text that is canonical already, as [`Self::write_canonical`]
    /// wrote it.
    pub fn from_canonical(canonical: &str) -> Self {
        debug_assert!(Self::parse(canonical).is_ok_and(|key| key.canonical() == canonical));
        Self(canonical.into())
    }

    /// What a person types: a JSON array, or else the text of a single column.
    pub fn from_typed(typed: &str) -> Self {
        Self::parse(typed).unwrap_or_else(|_| Self::new([typed]))
    }

    /// The canonical text.
    pub fn canonical(&self) -> &str {
        &self.0
    }

    /// The text of each column.
    pub fn parts(&self) -> Vec<String> {
        // The canonical text is always a JSON array of strings.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The digest that the ledger's unique index holds.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

/// As a person types it: the bare text of one column, a JSON array of several.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts().as_slice() {
            // A bare text that would read as an array is told as one.
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

/// A record after mapping, with all that the ledger and the wire need of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseData {
    /// What names it.
    pub key: Key,
    /// Where its record stands.
    pub place: Place,
    /// The handling firm's id; none makes a draft.
    pub partner_firm: Option<Box<str>>,
    /// The payload, as the text of one JSON object, without `partnerFirmId`.
    pub payload: Box<str>,
    /// The raw record as JSON: an object of texts by column, or the object
    /// that was read.
    pub raw: Box<str>,
    /// Of payload and firm: differs when the row has changed.
    pub payload_digest: Digest,
    /// Of the payload without its key fields, and the firm.
    pub content_digest: Digest,
    /// Of the raw record's filled columns by name, whatever their order.
    pub record_digest: Digest,
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
    fn what_is_typed_and_what_is_shown_agree() {
        for key in [
            Key::new(["00123"]),
            Key::new(["a", "b\"c"]),
            Key::new(["[\"odd\"]"]),
        ] {
            assert_eq!(Key::from_typed(&key.to_string()), key);
            assert_eq!(Key::parse(key.canonical()), Ok(key));
        }
    }
}
