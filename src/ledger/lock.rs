//! One run at a time: an OS lock on a file beside the ledger. The system lets
//! it go when the process ends, however it ends.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{LedgerError, place, system};

/// Who holds a ledger; stands in the lock file, for the second run's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The user's name.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub since: Timestamp,
    /// What it runs, such as `import cases.csv`.
    pub command: String,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            host,
            pid,
            since,
            command,
        } = self;
        write!(
            f,
            "{user} on {host}, process {pid}, since {since:.0} ({command})"
        )
    }
}

/// The right to write to one ledger. Held until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct LedgerLock(Arc<Held>);

#[derive(Debug)]
struct Held {
    file: File,
    ledger: PathBuf,
}

/// How often, and how long apart, a lock is tried: `status` takes it for a
/// moment when it looks whether anybody holds it.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

impl LedgerLock {
    /// Takes the lock of the ledger at this path, which need not be there.
    pub fn take(ledger_path: &Path, holder: &LockHolder) -> Result<Self, LedgerError> {
        let ledger = place::checked(ledger_path)?;
        let path = lock_path(&ledger);
        let fail = |error: &io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => LedgerError::ReadOnly {
                path: path.clone(),
                detail: error.to_string(),
            },
            _ => LedgerError::system(&path, error),
        };
        place::make_folders(&ledger)?;
        let mut file = system::open_private(&path).map_err(|error| fail(&error))?;
        for left in (0..TRIES).rev() {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(fail(&error)),
                Err(TryLockError::WouldBlock) if left == 0 => {
                    return Err(LedgerError::Held {
                        holder: read_holder(&mut file).map(Box::new),
                        path: ledger,
                    });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN),
            }
        }
        write_holder(&mut file, holder).map_err(|error| fail(&error))?;
        Ok(Self(Arc::new(Held { file, ledger })))
    }

    /// Who holds the ledger at this path now: `None` when nobody does, and
    /// `Some(None)` when somebody does who left no name.
    pub fn holder(ledger_path: &Path) -> Result<Option<Option<LockHolder>>, LedgerError> {
        let path = lock_path(&place::canonical(ledger_path)?);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LedgerError::system(&path, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(LedgerError::system(&path, &error)),
        }
    }

    /// The ledger that it locks, as an absolute path without links.
    pub fn ledger_path(&self) -> &Path {
        &self.0.ledger
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Only a courtesy: the lock itself says whether it is held.
        let _ = self.file.set_len(0);
    }
}

/// The lock file of a ledger.
fn lock_path(ledger: &Path) -> PathBuf {
    place::beside(ledger, ".lock")
}

fn write_holder(file: &mut File, holder: &LockHolder) -> io::Result<()> {
    let text = serde_json::to_vec(holder)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)
}

fn read_holder(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}
