//! The public key: a secret that can't be shown.

use std::fmt;
use std::path::{Path, PathBuf};

use http::HeaderValue;

/// The key for inbound calls. It has no way to be printed: `Debug` hides it,
/// there is no `Display`, and the header made of it is marked sensitive.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Box<str>);

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("the public key in {origin} is empty")]
    Empty {
        /// Where it was looked for.
        origin: String,
    },
    /// Characters that no header can carry.
    #[error(
        "the public key in {origin} holds a character that no key can have (a line break or a \
         control character in the middle); copy it again"
    )]
    Malformed {
        /// Where it was looked for.
        origin: String,
    },
    /// The file can't be read.
    #[error("can't read the public key from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error(
        "the key file {} can be read by others on this machine; mend it with: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

/// Larger than any key; a case file given by mistake is not read whole.
const MAX_KEY_FILE: u64 = 64 * 1024;

impl PublicKey {
    /// The key as text from the environment.
    pub fn from_text(text: &str, origin: &str) -> Result<Self, KeyError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(KeyError::Empty {
                origin: origin.to_owned(),
            });
        }
        if text.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
            return Err(KeyError::Malformed {
                origin: origin.to_owned(),
            });
        }
        Ok(Self(text.into()))
    }

    /// Reads a key file. One that others can read is refused; where its mode
    /// can't be changed by this user the warning to show comes back instead.
    pub fn from_file(path: &Path) -> Result<(Self, Option<String>), KeyError> {
        use std::io::Read as _;
        let unreadable = |source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let warning = match crate::model::readable_by_others(&file).map_err(unreadable)? {
            None => None,
            Some(exposed) if exposed.fixable => {
                return Err(KeyError::Exposed {
                    path: path.to_owned(),
                });
            }
            Some(_) => Some(format!(
                "the key file {} can be read by others on this machine, and its mode can't be \
                 changed by you",
                path.display()
            )),
        };
        let mut bytes = Vec::new();
        file.take(MAX_KEY_FILE)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let origin = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| KeyError::Malformed {
            origin: origin.clone(),
        })?;
        Ok((Self::from_text(&text, &origin)?, warning))
    }

    /// The header's value, marked so that nothing below logs it.
    pub(super) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The bare key, for a query parameter.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes the key out of a text that came from elsewhere.
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
    fn an_empty_or_broken_key_is_refused_without_showing_it() {
        assert!(matches!(
            PublicKey::from_text(" \n", "LEXAMICA_PUBLIC_KEY"),
            Err(KeyError::Empty { .. })
        ));
        let error = PublicKey::from_text("pk_a\npk_b", "x").unwrap_err();
        assert!(!error.to_string().contains("pk_a"));
    }
}
