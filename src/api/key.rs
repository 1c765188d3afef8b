//! The public key: a secret that can't be shown.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use http::HeaderValue;

use crate::model::readable_by_others;

/// The key for inbound calls. It can't be printed: `Debug` hides it, there is
/// no `Display`, and the header with it is marked sensitive.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(Box<str>);

/// Why there is no usable key in a file or variable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the public key in {0} is empty")]
    Empty(String),
    #[error(
        "the public key in {0} has an invalid character (such as a line break in the \
         middle); copy it again"
    )]
    Malformed(String),
    #[error("can't read the public key from {}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Longer than any key, so that a case file given by mistake is not read whole.
const MAX_KEY_FILE: u64 = 64 * 1024;

impl PublicKey {
    pub(crate) fn from_text(text: &str, origin: &str) -> Result<Self, KeyError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(KeyError::Empty(origin.to_owned()));
        }
        if text.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
            return Err(KeyError::Malformed(origin.to_owned()));
        }
        Ok(Self(text.into()))
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
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&*self.0, "[key]")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_trimmed_and_never_shown() {
        let key = PublicKey::from_text("\u{feff} pk_secret \r\n", "test").unwrap();
        assert_eq!(key.reveal(), "pk_secret");
        assert_eq!(format!("{key:?}"), "PublicKey(hidden)");
        assert!(key.header("Key ").unwrap().is_sensitive());
        assert_eq!(key.redact("bad key pk_secret!"), "bad key [key]!");
    }

    #[test]
    fn an_empty_or_malformed_key_is_an_error_that_does_not_show_it() {
        assert!(matches!(
            PublicKey::from_text(" \n", "LEXAMICA_PUBLIC_KEY"),
            Err(KeyError::Empty(_))
        ));
        let error = PublicKey::from_text("pk_a\npk_b", "x").unwrap_err();
        assert!(!error.to_string().contains("pk_a"));
    }
}
