//! The file of secrets: one list for each event. It is the only place that they
//! are written to.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{EventKind, readable_by_others};

/// How many random bytes a secret is made of.
const SECRET_BYTES: usize = 32;

const HEADING: &str = "\
# Secrets that webhook deliveries are signed with. Keep this file private.
# To replace one, put the new one in front of the old one, change it on the
# platform, and remove the old one when no delivery is signed with it any more.
";

/// It can't be printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(String);

impl Secret {
    /// Random, as hex.
    fn generate() -> io::Result<Self> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Ok(Self(digits.collect()))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Why the secrets can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("can't read the secrets in {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("can't write the secrets to {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// Without the text, which may be a secret.
    #[error(
        "{} is not a file of secrets: expected lines such as updates = [\"…\"], for updates, \
         stages and settlements",
        .0.display()
    )]
    Malformed(PathBuf),
}

/// The secrets of each event, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    pub(crate) path: PathBuf,
    by_event: BTreeMap<EventKind, Vec<Secret>>,
}

impl Secrets {
    /// Reads the file, if it exists, and a warning to show.
    pub(crate) fn read(path: &Path) -> Result<(Self, Option<String>), SecretsError> {
        let unreadable = |source| SecretsError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut secrets = Self {
            path: path.to_owned(),
            by_event: BTreeMap::new(),
        };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((secrets, None)),
            Err(error) => return Err(unreadable(error)),
        };
        let warning = readable_by_others(&file).map_err(unreadable)?.then(|| {
            let path = path.display();
            format!(
                "other users can read the secrets in {path}; to fix this, run: chmod 600 {path}"
            )
        });
        let text = io::read_to_string(file).map_err(unreadable)?;
        let malformed = || SecretsError::Malformed(path.to_owned());
        let lists: BTreeMap<EventKind, Vec<Secret>> =
            toml::from_str(&text).map_err(|_| malformed())?;
        if lists.values().flatten().any(|secret| secret.0.len() < 16) {
            return Err(malformed());
        }
        secrets.by_event = lists;
        Ok((secrets, warning))
    }

    pub(crate) fn of(&self, kind: EventKind) -> &[Secret] {
        self.by_event.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The newest secret of an event, which is made if there is none, and is on
    /// the disk before anybody else hears of it.
    pub(crate) fn ensure(&mut self, kind: EventKind) -> Result<Secret, SecretsError> {
        if let Some(secret) = self.of(kind).first() {
            return Ok(secret.clone());
        }
        let unwritable = |source| SecretsError::Unwritable {
            path: self.path.clone(),
            source,
        };
        let secret = Secret::generate().map_err(unwritable)?;
        let mut lists = self.by_event.clone();
        lists.insert(kind, vec![secret.clone()]);
        // Lists of texts are always valid TOML.
        let text = HEADING.to_owned() + &toml::to_string(&lists).unwrap_or_default();
        replace(&self.path, &text).map_err(unwritable)?;
        self.by_event = lists;
        Ok(secret)
    }
}

/// Replaces a private file in one step.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Readable by its owner only.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        let (mut secrets, _) = Secrets::read(&path).unwrap();
        let updates = secrets.ensure(EventKind::Updates).unwrap();
        let stages = secrets.ensure(EventKind::Stages).unwrap();
        assert_eq!(updates.reveal().len(), 2 * SECRET_BYTES);
        assert_ne!(updates, stages);
        let (mut again, warning) = Secrets::read(&path).unwrap();
        assert_eq!(warning, None, "only its owner can read it");
        assert_eq!(again.ensure(EventKind::Updates).unwrap(), updates);
        assert_eq!(again.of(EventKind::Stages), [stages]);
        assert!(again.of(EventKind::Settlements).is_empty());
        assert!(!format!("{again:?}").contains(updates.reveal()));
    }

    #[test]
    fn an_error_does_not_show_what_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        for text in [
            "updates = \"whsec_not_a_list_of_secrets\"",
            "whsec_secret",
            "others = [\"whsec_of_another_event\"]",
            "updates = [\"short\"]",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Secrets::read(&path).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("whsec"), "{shown}");
        }
    }
}
