//! The ledger's file: created, opened to read, opened to write.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::error::{AtPath as _, LedgerErrorKind};
use super::{LedgerError, LedgerLock, LockStatus, claim, location, run, schema};
use crate::model::{abort_point, private_file};

/// Reads a ledger; can't change it.
#[derive(Debug)]
pub struct LedgerReader {
    pub(super) conn: Connection,
    pub(super) path: Arc<Path>,
    /// No run holds the lock: what is `sending` was left by a dead run, and is
    /// shown as in doubt.
    pub(super) orphaned: bool,
}

/// An open ledger whose lock is held.
#[derive(Debug)]
pub struct Ledger {
    pub(super) reader: LedgerReader,
    pub(super) lock: LedgerLock,
    recovered: u64,
}

/// Opens a ledger for `status`, `export` and dry runs. All queries see one
/// snapshot, even while a run goes on.
pub fn open_read_only(path: &Path) -> Result<LedgerReader, LedgerError> {
    let path: Arc<Path> = existing(path)?.into();
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::check_identity(&conn, &path)?;
    schema::configure(&conn).at(&path)?;
    let orphaned = loop {
        let free = LedgerLock::status(&path)? == LockStatus::Free;
        begin_reading(&conn).at(&path)?;
        // A run that began or ended meanwhile may have left its claims in it.
        if free == (LedgerLock::status(&path)? == LockStatus::Free) {
            break free;
        }
        end_reading(&conn).at(&path)?;
    };
    Ok(LedgerReader {
        conn,
        path,
        orphaned,
    })
}

/// One read transaction for all queries: they see one snapshot, and a million
/// lookups don't each take and release the file's locks.
fn begin_reading(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN; SELECT one FROM ledger")
}

pub(super) fn end_reading(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("ROLLBACK")
}

/// Opens a ledger to write to it. What a dead run left in flight becomes in
/// doubt.
pub fn open(path: &Path, lock: &LedgerLock) -> Result<Ledger, LedgerError> {
    let path: Arc<Path> = existing(path)?.into();
    check_lock(lock, &path)?;
    if location::link_count(&path).at(&path)? > 1 {
        return Err(LedgerErrorKind::HardLinked.at(&path));
    }
    // Another user's file can't be changed; that it is writable is enough.
    let _ = location::make_private(&path);
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::check_identity(&conn, &path)?;
    // SQLite falls back to reading without an error.
    if conn.is_readonly("main").at(&path)? {
        return Err(LedgerErrorKind::ReadOnly("it can only be read".to_owned()).at(&path));
    }
    schema::configure(&conn).at(&path)?;
    schema::configure_writer(&conn, &path)?;
    schema::quick_check(&conn, &path)?;
    abort_point("before-recover");
    let recovered = in_transaction(&conn, |conn| {
        run::recover(conn)?;
        claim::recover(conn)
    })
    .at(&path)?;
    abort_point("after-recover");
    begin_reading(&conn).at(&path)?;
    Ok(Ledger {
        reader: LedgerReader {
            conn,
            path,
            orphaned: false,
        },
        lock: lock.clone(),
        recovered,
    })
}

/// Creates the ledger of an account, and opens it. The file gets its name when
/// it is complete, so that no incomplete ledger is ever found.
pub fn create(path: &Path, lock: &LedgerLock, account: &str) -> Result<Ledger, LedgerError> {
    let path = location::checked(path)?;
    check_lock(lock, &path)?;
    if path.symlink_metadata().is_ok() {
        return Err(LedgerErrorKind::AlreadyExists.at(&path));
    }
    // SQLite would replay the log of a lost ledger into a new one.
    let log = location::beside(&path, "-wal");
    if log.exists() {
        return Err(LedgerErrorKind::Leftover.at(&log));
    }
    location::create_folders(&path)?;
    let draft = location::beside(&path, ".new");
    if let Err(error) = create_file(&draft, &path, account) {
        remove(&draft)?;
        return Err(error);
    }
    open(&path, lock)
}

fn create_file(draft: &Path, path: &Path, account: &str) -> Result<(), LedgerError> {
    // Left by a process that died here; the lock is ours.
    remove(draft)?;
    private_file()
        .write(true)
        .create_new(true)
        .open(draft)
        .at(draft)?;
    let file = location::file_id(draft).at(draft)?;
    let conn = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::configure(&conn).at(draft)?;
    schema::configure_writer(&conn, draft)?;
    let home = (&*location::host_name(), &*path.to_string_lossy(), file);
    schema::create_tables(&conn, account, home).at(draft)?;
    close(conn, draft)?;
    abort_point("before-ledger-named");
    std::fs::rename(draft, path).at(draft)?;
    abort_point("after-ledger-named");
    location::sync_folder_of(path)
}

/// Writes the log into the file, and closes it. Closing alone would write it
/// too, but does not report a disk that fails or is full.
pub(super) fn close(conn: Connection, path: &Path) -> Result<(), LedgerError> {
    // A reader may keep part of the log in use; that is no failure.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .at(path)?;
    conn.close().map_err(|(_, error)| error).at(path)
}

/// Removes a database and the files beside it, the database last: it never
/// lacks a log that is still needed.
fn remove(file: &Path) -> Result<(), LedgerError> {
    for ending in ["-shm", "-wal", ""] {
        let path = location::beside(file, ending);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.at(&path)?,
        }
    }
    Ok(())
}

/// The true path of a ledger that exists.
fn existing(path: &Path) -> Result<PathBuf, LedgerError> {
    let path = location::checked(path)?;
    path.metadata().at(&path)?;
    Ok(path)
}

fn check_lock(lock: &LedgerLock, path: &Path) -> Result<(), LedgerError> {
    if lock.ledger_path() == path {
        return Ok(());
    }
    let locked = lock.ledger_path().to_owned();
    Err(LedgerErrorKind::WrongLock(locked).at(path))
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, LedgerError> {
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).at(path)
}

/// All of `work` or nothing.
pub(super) fn in_transaction<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = rusqlite::Transaction::new_unchecked(conn, rusqlite::TransactionBehavior::Immediate)?;
    let done = work(&tx)?;
    tx.commit()?;
    Ok(done)
}

impl LedgerReader {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        read(&self.conn).at(&self.path)
    }
}

impl Ledger {
    pub fn reader(&self) -> &LedgerReader {
        &self.reader
    }

    /// How many cases a dead run left in flight; they are in doubt now.
    pub(crate) fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Deletes the ledger; the lock's file stays.
    pub(crate) fn delete(self) -> Result<(), LedgerError> {
        let Self { reader, lock, .. } = self;
        let path = Arc::clone(&reader.path);
        drop(reader);
        let removed = remove(&path);
        drop(lock);
        removed
    }

    /// Makes this the ledger of the account under its new address.
    pub(crate) fn adopt(&mut self, account: &str) -> Result<(), LedgerError> {
        self.write(|conn| conn.execute("UPDATE ledger SET account = ?1", [account]))
            .map(drop)
    }

    /// All of `work` or nothing, between two read transactions.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let conn = &self.reader.conn;
        end_reading(conn)
            .and_then(|()| {
                let done = in_transaction(conn, work);
                begin_reading(conn).and(done)
            })
            .at(&self.reader.path)
    }
}
