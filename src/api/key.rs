//! A key, or another secret, that can't be shown.

use std::borrow::Cow;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use http::HeaderValue;
use regex::{Regex, RegexBuilder};

use crate::model::readable_by_others;

/// It can't be printed: `Debug` hides it, there is no `Display`, and the header
/// with it is marked sensitive.
#[derive(Clone)]
pub(crate) struct Secret {
    text: Box<str>,
    /// Finds it in any form that a server may quote it in.
    quoted: Regex,
}

/// Why the key in a file or variable can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the public key in {0} is empty")]
    Empty(String),
    #[error(
        "the public key in {0} has an invalid character (such as a line break in the \
         middle); copy it again"
    )]
    Malformed(String),
    #[error("the public key in {0} is longer than {MAX_KEY} characters")]
    TooLong(String),
    #[error("can't read the public key from {}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Longer than any header that a server accepts.
const MAX_KEY: usize = 4 * 1024;
/// With white space around the key; a case file given by mistake is not read
/// whole.
const MAX_KEY_FILE: u64 = 64 * 1024;
/// Enough for the longest key in all its forms.
const MAX_PATTERN: usize = 64 * 1024 * 1024;

impl Secret {
    pub(crate) fn from_text(text: &str, origin: &str) -> Result<Self, KeyError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(KeyError::Empty(origin.to_owned()));
        }
        if text.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
            return Err(KeyError::Malformed(origin.to_owned()));
        }
        let too_long = || KeyError::TooLong(origin.to_owned());
        if text.len() > MAX_KEY {
            return Err(too_long());
        }
        Ok(Self {
            text: text.into(),
            quoted: quoted_forms(text).map_err(|_| too_long())?,
        })
    }

    /// Reads a key file. One that others can read is a warning to show and no
    /// error, since secrets are mounted so into containers.
    pub(crate) fn from_file(path: &Path) -> Result<(Self, Option<String>), KeyError> {
        let unreadable = |source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let exposed = readable_by_others(&file).map_err(unreadable)?;
        let warning = exposed.then(|| {
            let path = path.display();
            format!("other users can read the key file {path}; to fix this, run: chmod 600 {path}")
        });
        let mut bytes = Vec::new();
        file.take(MAX_KEY_FILE)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let origin = path.display().to_string();
        // Invalid UTF-8 becomes a character that no key has.
        let text = String::from_utf8_lossy(&bytes);
        Ok((Self::from_text(&text, &origin)?, warning))
    }

    /// The value of the header, marked so that nothing below logs it.
    pub(super) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.text)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// The text without the key in any form that a server may quote it in:
    /// plain, JSON-escaped, percent-encoded, or in Base64.
    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.quoted.replace_all(text, "[key]")
    }
}

fn quoted_forms(key: &str) -> Result<Regex, regex::Error> {
    let forms = [key.to_owned()].into_iter().chain(in_base64(key));
    let forms = forms.map(|form| form.bytes().map(quoted_character).collect::<String>());
    let pattern = forms.collect::<Vec<_>>().join("|");
    RegexBuilder::new(&pattern)
        .unicode(false)
        .size_limit(MAX_PATTERN)
        .build()
}

/// The characters of Base64 that depend on the key alone, at each of the three
/// positions that it can have in what is encoded. A key of a few bytes has hardly
/// any of its own.
fn in_base64(key: &str) -> impl Iterator<Item = String> {
    [0, 1, 2].into_iter().filter_map(move |before: usize| {
        let bytes = [&b"\0\0"[..before], key.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        let own = encoded.get((before * 8).div_ceil(6)..bytes.len() * 8 / 6)?;
        (own.len() >= 8).then(|| own.to_owned())
    })
}

/// A pattern for all that may stand for a character: itself, or escaped for JSON
/// or a URL. Two characters differ in URL-safe Base64, and a space in a query.
fn quoted_character(byte: u8) -> String {
    let plain = match byte {
        b'+' => r"\+\-".to_owned(),
        b'/' => "/_".to_owned(),
        b' ' => r" \+".to_owned(),
        other => regex::escape(char::from(other).encode_utf8(&mut [0; 4])),
    };
    format!(r"(?:(?:\\u00|%)(?i:{byte:02x})|\\?[{plain}])")
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key as a server may quote it, one way for each character.
    fn escaped(key: &str, ways: &[u8]) -> String {
        let ways = ways.iter().cycle();
        let characters = key.chars().zip(ways).map(|(c, way)| match way % 5 {
            0 => format!("\\u{:04x}", u32::from(c)),
            1 => format!("%{:02X}", u32::from(c)),
            2 => format!("%{:02x}", u32::from(c)),
            3 if !c.is_alphanumeric() => format!("\\{c}"),
            _ => c.to_string(),
        });
        characters.collect()
    }

    proptest! {
        #[test]
        fn no_quoted_form_of_the_key_is_left(
            text in "[!-~]{8,40}",
            ways in prop::collection::vec(any::<u8>(), 1..40),
            before in "[ -~é]{0,9}",
            after in "\\PC{0,9}",
        ) {
            let key = Secret::from_text(&text, "test").unwrap();
            let json = serde_json::to_string(&text).unwrap();
            let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let quoted = [
                escaped(&text, &ways),
                json[1..json.len() - 1].replace('/', "\\/"),
                query,
                text.clone(),
            ];
            for quoted in quoted {
                let redacted = key.redact(&quoted).into_owned();
                prop_assert_eq!(redacted, "[key]", "{}", quoted);
                let inside = format!("{before}\n{quoted}\n{after}");
                let redacted = key.redact(&inside).into_owned();
                prop_assert!(!redacted.contains(&quoted), "{}", redacted);
            }
            let own = STANDARD_NO_PAD.encode(format!("{before}{text}{after}"));
            let redacted = key.redact(&own).into_owned();
            prop_assert!(redacted.contains("[key]"), "{} of {}", redacted, own);
            let left = before.len() + after.len() + 6;
            prop_assert!(redacted.len() <= left * 4 / 3 + "[key]".len(), "{}", redacted);
            let url_safe = own.replace('+', "-").replace('/', "_");
            prop_assert!(key.redact(&url_safe).contains("[key]"));
        }
    }

    #[test]
    fn a_text_without_the_key_is_kept() {
        let key = Secret::from_text("pk/+ 1", "test").unwrap();
        for text in ["", "pk/+", "%", "\\u00", "é%e", "pk%2"] {
            assert_eq!(key.redact(text), text);
        }
        assert_eq!(
            key.redact("a pk%2f%2B+1 b pk\\/+\\u00201"),
            "a [key] b [key]"
        );
    }

    #[test]
    fn a_key_is_trimmed_and_never_shown() {
        let key = Secret::from_text("\u{feff} pk_secret \r\n", "test").unwrap();
        assert_eq!(key.reveal(), "pk_secret");
        assert_eq!(format!("{key:?}"), "Secret(hidden)");
        assert!(key.header("Key ").unwrap().is_sensitive());
        assert_eq!(key.redact("bad key pk_secret!"), "bad key [key]!");
    }

    #[test]
    fn an_empty_or_malformed_key_is_an_error_that_does_not_show_it() {
        assert!(matches!(
            Secret::from_text(" \n", "LEXAMICA_PUBLIC_KEY"),
            Err(KeyError::Empty(_))
        ));
        let too_long = "k".repeat(MAX_KEY + 1);
        assert!(matches!(
            Secret::from_text(&too_long, "x"),
            Err(KeyError::TooLong(_))
        ));
        assert!(Secret::from_text(&too_long[1..], "x").is_ok());
        let error = Secret::from_text("pk_a\npk_b", "x").unwrap_err();
        assert!(!error.to_string().contains("pk_a"));
    }
}
