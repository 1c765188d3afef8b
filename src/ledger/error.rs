//! What can be wrong with a ledger, told to the person who must act.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::LockHolder;

/// Why a ledger can't be used, or failed on the way.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// There is no such file.
    #[error("no ledger at {}", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A new ledger was asked for, and there is one.
    #[error("there is a ledger at {} already", path.display())]
    Exists {
        /// The ledger.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error(
        "another run holds the ledger {}{}; wait until it has ended",
        path.display(),
        holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    Held {
        /// The ledger.
        path: PathBuf,
        /// Who holds it, when the lock file says so.
        holder: Option<Box<LockHolder>>,
    },
    /// The lock given is another ledger's.
    #[error("the lock held is that of {}, not of {}", locked.display(), path.display())]
    WrongLock {
        /// The ledger.
        path: PathBuf,
        /// The ledger that is locked.
        locked: PathBuf,
    },
    /// Another program's file.
    #[error(
        "{} is no ledger of caseload, or its head is damaged; name another file with --ledger",
        path.display()
    )]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version.
    #[error(
        "the ledger {} was written by a newer caseload (schema {found}, this one knows {known}); \
         install that version",
        path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema that is known here.
        known: i64,
    },
    /// `SQLite` finds its structure broken.
    #[error(
        "the ledger {} is damaged ({detail}); restore a copy of it, since an empty one would \
         send every case again",
        path.display()
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What is broken.
        detail: String,
    },
    /// It can't be written.
    #[error("the ledger {} or its folder is read-only ({detail}); make both writable", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// It can't be opened.
    #[error("can't open the ledger {}: {detail}", path.display())]
    NoAccess {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// No space is left.
    #[error("the disk of the ledger {} is full; make room, then go on", path.display())]
    DiskFull {
        /// The ledger.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("the disk failed under the ledger {}: {detail}", path.display())]
    Io {
        /// The ledger.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Another program holds `SQLite`'s own lock.
    #[error("another program is writing to the ledger {}; close it", path.display())]
    Busy {
        /// The ledger.
        path: PathBuf,
    },
    /// On a file system of the network.
    #[error(
        "the ledger {} is on a network file system ({kind}), where locks and fsync can't be \
         relied on; keep it on a disk of this machine",
        path.display()
    )]
    NetworkFolder {
        /// The ledger.
        path: PathBuf,
        /// The file system.
        kind: String,
    },
    /// In a folder that a sync program copies about.
    #[error(
        "the ledger {} is in a folder that {name} syncs, which can bring an old copy back; keep \
         it outside",
        path.display()
    )]
    SyncFolder {
        /// The ledger.
        path: PathBuf,
        /// The folder's name.
        name: String,
    },
    /// The file has a second name.
    #[error(
        "the ledger {} has a second name (hard link), so that two runs could use it at once; \
         remove one of the names",
        path.display()
    )]
    HardLinked {
        /// The ledger.
        path: PathBuf,
    },
    /// Part of a lost ledger lies where a new one should be made.
    #[error(
        "{} is left of a ledger that is gone; restore that ledger, or move this file away",
        path.display()
    )]
    Leftover {
        /// The leftover.
        path: PathBuf,
    },
    /// The file is not the one that was opened.
    #[error(
        "the ledger {} was moved, deleted or replaced while a run used it; put it back, then \
         start again",
        path.display()
    )]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// Write-ahead logging or full sync can't be had.
    #[error("the ledger {} can't be kept safely here: {detail}; keep it on another disk", path.display())]
    Unsafe {
        /// The ledger.
        path: PathBuf,
        /// What was asked for, and what came.
        detail: String,
    },
    /// A claim that is no longer under way.
    #[error("the attempt is no longer under way in the ledger {}", path.display())]
    NotClaimed {
        /// The ledger.
        path: PathBuf,
    },
    /// The writer has ended.
    #[error("the ledger {} is closed", path.display())]
    Closed {
        /// The ledger.
        path: PathBuf,
    },
    /// Anything else that `SQLite` reports.
    #[error("the ledger {} failed: {detail}", path.display())]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// What it says.
        detail: String,
    },
    /// An `SQLite` that can corrupt a write-ahead log.
    #[error(
        "this build has SQLite {version}, which can damage a ledger; 3.51.3 or later is needed"
    )]
    OldSqlite {
        /// Its version.
        version: &'static str,
    },
    /// No place for ledgers could be found.
    #[error("no state folder: the home folder is unknown; name the file with --ledger")]
    NoStateFolder,
}

impl LedgerError {
    /// What `SQLite` said of the ledger at `path`.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let detail = error.to_string();
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path, detail },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NoAccess { path, detail }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail },
            Some(ErrorCode::NotADatabase) => Self::NotALedger { path },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Sqlite { path, detail },
        }
    }

    /// What the system said of a file or folder.
    pub(super) fn system(path: &Path, error: &io::Error) -> Self {
        let detail = error.to_string();
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, detail },
            _ => Self::NoAccess { path, detail },
        }
    }
}
