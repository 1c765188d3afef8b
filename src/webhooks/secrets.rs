//! The file of secrets: one list for each event. It is the only place that they
//! are written to.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::api::Secret;
use crate::model::{EventKind, readable_by_others, replace_file};

/// How many random bytes a secret is made of.
const SECRET_BYTES: usize = 32;

/// Where a secret is from, for errors.
const SECRETS: &str = "the file of secrets";

const HEADING: &str = "\
# Secrets that webhook deliveries are signed with. Keep this file private.
# To replace one, put the new one in front of the old one, change it on the
# platform, and remove the old one when no delivery is signed with it any more.
";

/// A shorter one can be guessed.
const MIN_LENGTH: usize = 16;

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
        let lists: BTreeMap<EventKind, Vec<String>> =
            toml::from_str(&text).map_err(|_| malformed())?;
        for (kind, texts) in lists {
            let list = texts.iter().map(|text| {
                let secret = Secret::from_text(text, SECRETS).ok();
                secret.filter(|secret| secret.reveal().len() >= MIN_LENGTH)
            });
            let list: Option<Vec<Secret>> = list.collect();
            secrets.by_event.insert(kind, list.ok_or_else(malformed)?);
        }
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
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| unwritable(error.into()))?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        let secret = Secret::from_text(&digits.collect::<String>(), SECRETS);
        let secret = secret.map_err(|error| unwritable(io::Error::other(error)))?;
        self.by_event.insert(kind, vec![secret.clone()]);
        let lists = self.by_event.iter();
        let lists: BTreeMap<_, Vec<_>> = lists
            .map(|(kind, list)| (kind, list.iter().map(Secret::reveal).collect()))
            .collect();
        // Lists of texts are always valid TOML.
        let text = HEADING.to_owned() + &toml::to_string(&lists).unwrap_or_default();
        replace_file(&self.path, &text).map_err(unwritable)?;
        Ok(secret)
    }
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
        assert_ne!(updates.reveal(), stages.reveal());
        let (mut again, warning) = Secrets::read(&path).unwrap();
        assert_eq!(warning, None, "only its owner can read it");
        let known = again.ensure(EventKind::Updates).unwrap();
        assert_eq!(known.reveal(), updates.reveal());
        assert_eq!(again.of(EventKind::Stages)[0].reveal(), stages.reveal());
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
