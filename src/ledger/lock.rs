//! One run at a time: an OS lock on a file beside the ledger, which the system
//! releases when the process ends, however it ends.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{AtPath as _, LedgerErrorKind};
use super::{LedgerError, location};
use crate::model::private_file;

/// Who holds a ledger; written into the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub user: String,
    pub host: String,
    pub pid: u32,
    pub since: Timestamp,
    /// Such as `import cases.csv`.
    pub command: String,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, process {}, ", self.user, self.host, self.pid)?;
        write!(f, "since {:.0} ({})", self.since, self.command)
    }
}

/// Whether a ledger is in use. Serialized as the holder or null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum LockStatus {
    Free,
    /// By a process whose details are not in the lock file.
    Held,
    HeldBy(LockHolder),
}

/// The right to write to one ledger, until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct LedgerLock(Arc<Held>);

#[derive(Debug)]
struct Held {
    file: File,
    ledger: PathBuf,
}

/// `status` takes the lock for a moment to see whether it is free, so a run
/// tries more than once.
const TRIES: u32 = 10;
const RETRY_AFTER: Duration = Duration::from_millis(20);

impl LedgerLock {
    /// Takes the lock of the ledger at this path, which need not exist.
    pub fn take(ledger_path: &Path, holder: &LockHolder) -> Result<Self, LedgerError> {
        let ledger = location::checked(ledger_path)?;
        let path = location::beside(&ledger, ".lock");
        location::create_folders(&ledger)?;
        let file = lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => LedgerErrorKind::ReadOnly(error.to_string()),
            _ => error.into(),
        });
        let file = file.at(&path)?;
        match file {
            Ok(mut file) => {
                write_holder(&mut file, holder).at(&path)?;
                Ok(Self(Arc::new(Held { file, ledger })))
            }
            Err(mut file) => {
                let holder = read_holder(&mut file).map(Box::new);
                Err(LedgerErrorKind::Locked(holder).at(&ledger))
            }
        }
    }

    pub(crate) fn status(ledger_path: &Path) -> Result<LockStatus, LedgerError> {
        let path = location::beside(&location::canonical(ledger_path)?, ".lock");
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockStatus::Free),
            file => file.at(&path)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(LockStatus::Free),
            Err(TryLockError::WouldBlock) => {
                Ok(read_holder(&mut file).map_or(LockStatus::Held, LockStatus::HeldBy))
            }
            Err(TryLockError::Error(error)) => Err(error).at(&path),
        }
    }

    /// The path of the ledger, absolute and without links.
    pub(super) fn ledger_path(&self) -> &Path {
        &self.0.ledger
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Only tidies up: the lock alone decides whether it is held.
        let _ = self.file.set_len(0);
    }
}

/// The locked file, or as an error the file that another process has locked.
fn lock(path: &Path) -> io::Result<Result<File, File>> {
    let mut options = private_file();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path)?;
    for left in (0..TRIES).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(Ok(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if left > 0 => thread::sleep(RETRY_AFTER),
            Err(TryLockError::WouldBlock) => break,
        }
    }
    Ok(Err(file))
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
