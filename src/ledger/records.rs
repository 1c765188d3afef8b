//! What this machine remembers of the ledgers it has used: the latest attempt
//! or resolution of each, in a small file of its own in the state folder. A
//! ledger that lacks it is an older copy, or the other of two copies. Losing
//! these files makes that check weaker, never wrong.

use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::LedgerError;
use super::database::Database;
use super::file::LedgerReader;
use super::location::{self, NoStateFolder, state_folder};
use super::schema::Millis;

/// What is remembered of one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerRecord {
    pub(crate) id: String,
    pub(crate) account: String,
    /// Where it was used last.
    pub(crate) path: PathBuf,
    /// Its latest attempt or resolution.
    pub(crate) attempt: Option<String>,
    /// When that was.
    pub(crate) at: Timestamp,
}

/// What a ledger lacks of what this machine has done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MissingAttempts {
    /// The latest attempt or resolution, as `--accept-older-ledger` takes it.
    pub(crate) attempt: String,
    /// When that was.
    pub(crate) at: Timestamp,
    /// How many are missing; there may be more.
    pub(crate) at_least: u64,
    /// When the ledger last changed, as it stands.
    pub(crate) known_until: Option<Timestamp>,
}

/// The folder of these records.
#[derive(Debug, Clone)]
pub struct Records(PathBuf);

impl Records {
    /// Those of this user.
    pub(crate) fn of_user() -> Result<Self, NoStateFolder> {
        Ok(Self::in_folder(&state_folder()?))
    }

    /// Those beside the ledgers of a state folder.
    pub(super) fn in_folder(state_folder: &Path) -> Self {
        Self(state_folder.join("ledgers"))
    }

    /// The ledgers that this machine has used, wherever they are, by account
    /// and path.
    pub(crate) fn known(&self) -> Vec<LedgerRecord> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut records: Vec<LedgerRecord> = entries
            .filter_map(|entry| read(&entry.path()).ok())
            .collect();
        records.sort_by(|a, b| (&a.account, &a.path).cmp(&(&b.account, &b.path)));
        records
    }

    pub(super) fn of(&self, id: &str) -> Option<LedgerRecord> {
        read(&self.file(id)).ok()
    }

    /// Replaces what is remembered of a ledger. What can't be written is not
    /// remembered.
    pub(super) fn remember(&self, record: &LedgerRecord) {
        let path = self.file(&record.id);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            serde_json::to_writer(&mut file, record)?;
            file.persist(&path)?;
            Ok(())
        };
        if self.0.is_dir() || location::create_folders(&path).is_ok() {
            let _ = write();
        }
    }

    /// The id of a ledger is a UUID.
    fn file(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }
}

fn read(path: &Path) -> io::Result<LedgerRecord> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// A name that no copy of this ledger has given to a run or resolution of its
/// own: short enough to be typed.
pub(super) fn new_mark() -> String {
    let id = Uuid::now_v7().simple().to_string();
    id[20..].to_owned()
}

impl LedgerReader {
    /// Remembers the latest attempt or resolution; it must be on the disk.
    pub(super) fn remember(&self, attempt: Option<String>) {
        let Some(records) = &self.records else { return };
        if self.names.get().is_none() {
            let sql = "SELECT id, account FROM ledger";
            let names =
                |db: &Database| db.one(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)));
            let Ok(names) = self.read(names) else { return };
            let _ = self.names.set(names);
        }
        let Some((id, account)) = self.names.get().cloned() else {
            return;
        };
        records.remember(&LedgerRecord {
            id,
            account,
            path: self.recorded_path(),
            attempt,
            at: Timestamp::now(),
        });
    }

    /// As it can be stored.
    pub(super) fn recorded_path(&self) -> PathBuf {
        self.path().to_string_lossy().into_owned().into()
    }

    /// What the ledger lacks of a record, if anything.
    pub(super) fn missing(
        &self,
        record: &LedgerRecord,
    ) -> Result<Option<MissingAttempts>, LedgerError> {
        let Some(attempt) = &record.attempt else {
            return Ok(None);
        };
        let at_least = if let Some((run, number)) = attempt.rsplit_once('-') {
            // The Nth claim of a run.
            let claims: Option<u64> = self.read(|db| {
                let sql = "SELECT claims FROM runs WHERE mark = ?1";
                db.first(sql, params![run], |row| row.get(0))
            })?;
            let number: u64 = number.parse().unwrap_or_default();
            claims.map_or(1.max(number), |claims| number.saturating_sub(claims))
        } else {
            let sql = "SELECT EXISTS (
                         SELECT 1 FROM resolutions WHERE ?1 IN (mark, undone_mark))";
            let is_there: bool = self.read(|db| db.value(sql, params![attempt]))?;
            u64::from(!is_there)
        };
        if at_least == 0 {
            return Ok(None);
        }
        let sql = "SELECT max(updated_at) FROM cases";
        let known_until: Option<Millis> = self.read(|db| db.value(sql, params![]))?;
        Ok(Some(MissingAttempts {
            attempt: attempt.clone(),
            at: record.at,
            at_least,
            known_until: known_until.map(|at| at.0),
        }))
    }
}
