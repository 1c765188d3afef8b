//! Why a ledger can't be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::{RunStart, schema};

/// What is wrong with the ledger at a path.
#[derive(Debug, Clone, thiserror::Error)]
#[error("ledger {}: {kind}", path.display())]
pub struct LedgerError {
    pub(super) path: PathBuf,
    pub(super) kind: LedgerErrorKind,
}

#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum LedgerErrorKind {
    #[error("not found")]
    NotFound,
    #[error("already exists")]
    AlreadyExists,
    /// By whom, once its run has begun.
    #[error(
        "another run is using it{}; wait until that run has ended",
        .0.as_ref().map_or(
            ", one that has sent nothing yet (it may be waiting for an answer)".to_owned(),
            |run| format!(": {run}")
        )
    )]
    Locked(Option<Box<RunStart>>),
    #[error(
        "another run is using it: {}; wait until that run has ended (--wait), or, if its process is \
         gone, end it with `caseload ledger unlock`",
        match (run, holder) {
            (Some(run), _) => run.to_string(),
            (None, Some(holder)) => format!("{holder}, which has sent nothing yet"),
            (None, None) => "one that has just ended".to_owned(),
        }
    )]
    LockedOnServer {
        run: Option<Box<RunStart>>,
        holder: Option<String>,
    },
    #[error("moved to {0}; use that ledger")]
    Moved(String),
    #[error("being moved to {0}; run `caseload ledger copy` again to finish that")]
    Moving(String),
    #[error(
        "it is a copy of that file, but not the same any more: if an import has used it since, go \
         on with it; if none has, drop its schema caseload, then copy again"
    )]
    Differs,
    #[error("a file: its run ends with its process, and there is nothing to unlock")]
    NothingToUnlock,
    #[error("opened without its lock; no run can use it")]
    NotLocked,
    #[error("it is a folder; name a file in it")]
    Folder,
    #[error("not a regular file; choose another file with --ledger")]
    NotAFile,
    #[error("a symbolic link to a file that does not exist; name the file itself, or restore it")]
    DanglingLink,
    #[error(
        "mounted as a single file, which keeps its journal elsewhere; mount the folder that it \
         is in"
    )]
    MountedFile,
    #[error(
        "an empty file, not a caseload ledger; restore the ledger, or choose another file with \
         --ledger"
    )]
    EmptyFile,
    #[error("not a caseload ledger, or its header is damaged; choose another file with --ledger")]
    NotALedger,
    #[error(
        "written by a newer version of caseload (schema {0}, this version supports {supported}); \
         upgrade caseload",
        supported = schema::VERSION
    )]
    NewerSchema(i64),
    #[error(
        "the file is damaged ({0}); restore the latest backup (`caseload ledger backup` makes \
         them): an import refuses one that is older than this machine knows, until the cases \
         that it lacks are recorded. An empty ledger would send every case again"
    )]
    Damaged(String),
    #[error("the file or its folder is read-only ({0}); make both writable")]
    ReadOnly(String),
    #[error("can't be opened: {0}")]
    NoAccess(String),
    #[error("the disk is full; free some space, then run the command again")]
    DiskFull,
    #[error("disk error: {0}")]
    Io(String),
    #[error("another program is writing to the file; close that program")]
    Busy,
    #[error(
        "on a network file system ({0}), where locks and fsync are not reliable; keep \
         it on a local disk"
    )]
    NetworkFolder(String),
    #[error("in a folder that {0} syncs, which can restore an old copy; keep it elsewhere")]
    SyncFolder(String),
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
    #[error("can't be written safely here ({0}); keep it on another disk")]
    Unsafe(String),
    #[error("the attempt is not in flight")]
    NotClaimed,
    #[error("already closed")]
    Closed,
    #[error("on a server; `caseload status --ledger` asks it")]
    Elsewhere,
    #[error("it is on a server; back it up as the server's other databases are, with pg_dump")]
    NotAFileToCopy,
    #[error("{0}")]
    Sqlite(String),
    #[error("can't be reached: {0}; check that the server runs and that its address is right")]
    Unreachable(String),
    #[error("{0}")]
    Disconnected(String),
    #[error("the server refused: {0}")]
    Server(String),
    #[error("the server is PostgreSQL {0}; version 13 or newer is needed")]
    OldServer(i64),
    #[error("the server can lose what was committed, or not be written: {0}")]
    UnsafeServer(&'static str),
    #[error(
        "another run took over, since nothing was heard of this one for too long; what it was \
         sending may be in doubt"
    )]
    TakenOver,
}

impl LedgerErrorKind {
    /// The connection to the server broke, or can't be made: to be tried again.
    pub(super) fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Disconnected(_) | Self::Unreachable(_))
    }

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
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(detail),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::NoAccess(detail),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(detail),
            Some(ErrorCode::NotADatabase) => Self::NotALedger,
            Some(ErrorCode::SystemIoFailure) => Self::Io(detail),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(detail),
        }
    }
}

impl From<tokio_postgres::Error> for LedgerErrorKind {
    fn from(error: tokio_postgres::Error) -> Self {
        // The outer error only says where it came from.
        let cause = std::error::Error::source(&error);
        let detail = cause.map_or_else(|| error.to_string(), ToString::to_string);
        let Some(refused) = error.as_db_error() else {
            return if error.is_closed() {
                Self::Disconnected(detail)
            } else {
                Self::Unreachable(detail)
            };
        };
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match refused.code().code() {
            // A pooler has no connection; the server is stopping, has just started,
            // has no connection left, or ended this one or the transaction.
            code if ["08", "57P", "40", "25P03", "53300"]
                .iter()
                .any(|start| code.starts_with(start)) =>
            {
                Self::Disconnected(detail)
            }
            // No table of a ledger.
            "42P01" | "3F000" => Self::NotFound,
            "28P01" | "28000" | "42501" => Self::NoAccess(detail),
            "53100" => Self::DiskFull,
            "25006" => Self::ReadOnly(detail),
            _ => Self::Server(detail),
        }
    }
}

impl From<io::Error> for LedgerErrorKind {
    fn from(error: io::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::AlreadyExists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(detail),
            _ => Self::NoAccess(detail),
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
