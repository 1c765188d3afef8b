//! Why a ledger can't be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::LockHolder;

/// What is wrong with the ledger at a path.
#[derive(Debug, Clone, thiserror::Error)]
#[error("ledger {}: {kind}", path.display())]
pub struct LedgerError {
    pub path: PathBuf,
    pub kind: LedgerErrorKind,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerErrorKind {
    #[error("not found")]
    NotFound,
    #[error("already exists")]
    AlreadyExists,
    #[error(
        "another run is using it{}; wait until that run has ended",
        holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    Locked {
        /// Who holds the lock, when the lock file says so.
        holder: Option<Box<LockHolder>>,
    },
    #[error("the lock held is the one of {}", locked.display())]
    WrongLock { locked: PathBuf },
    #[error("not a caseload ledger, or its header is damaged; choose another file with --ledger")]
    NotALedger,
    #[error(
        "written by a newer version of caseload (schema {found}, this version supports {known}); \
         upgrade caseload"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the file is damaged ({detail}); restore a backup, because an empty ledger would send \
         every case again"
    )]
    Damaged { detail: String },
    #[error("the file or its folder is read-only ({detail}); make both writable")]
    ReadOnly { detail: String },
    #[error("can't be opened: {detail}")]
    NoAccess { detail: String },
    #[error("the disk is full; free some space, then run the command again")]
    DiskFull,
    #[error("disk error: {detail}")]
    Io { detail: String },
    #[error("another program is writing to the file; close that program")]
    Busy,
    #[error(
        "on a network file system ({file_system}), where locks and fsync are not reliable; keep \
         it on a local disk"
    )]
    NetworkFolder { file_system: String },
    #[error("in a folder that {service} syncs, which can restore an old copy; keep it elsewhere")]
    SyncFolder { service: String },
    #[error(
        "the file has a second name (hard link), so two runs could use it at the same time; \
         remove one of the names"
    )]
    HardLinked,
    #[error("left over from a lost ledger; restore that ledger, or move this file away")]
    Leftover,
    #[error(
        "moved, deleted or replaced while a run was using it; put it back, then run the command \
         again"
    )]
    Replaced,
    #[error("can't be written safely here ({detail}); keep it on another disk")]
    Unsafe { detail: String },
    #[error("the attempt is not in flight")]
    NotClaimed,
    #[error("already closed")]
    Closed,
    #[error("{detail}")]
    Sqlite { detail: String },
}

/// The user's state folder can't be determined.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no state folder: the home folder is unknown; name the ledger with --ledger")]
pub(crate) struct NoStateFolder;

impl LedgerErrorKind {
    pub(super) fn at(self, path: &Path) -> LedgerError {
        LedgerError {
            path: path.to_owned(),
            kind: self,
        }
    }
}

impl From<rusqlite::Error> for LedgerErrorKind {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { detail },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::NoAccess { detail },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { detail },
            Some(ErrorCode::NotADatabase) => Self::NotALedger,
            Some(ErrorCode::SystemIoFailure) => Self::Io { detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite { detail },
        }
    }
}

impl From<io::Error> for LedgerErrorKind {
    fn from(error: io::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { detail },
            _ => Self::NoAccess { detail },
        }
    }
}

/// Adds the ledger's path to an error of `SQLite` or of the system.
pub(super) trait AtPath<T> {
    fn at(self, path: &Path) -> Result<T, LedgerError>;
}

impl<T, E: Into<LedgerErrorKind>> AtPath<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, LedgerError> {
        self.map_err(|error| error.into().at(path))
    }
}
