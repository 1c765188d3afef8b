//! The ledger's file: made, opened to read, opened to write.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::{LedgerError, LedgerLock, claim, place, run, schema, system};
use crate::model::abort_point;

/// What the ledger knows, without the right to change it.
#[derive(Debug)]
pub struct LedgerReader {
    pub(super) conn: Connection,
    pub(super) path: Arc<Path>,
    /// Nobody runs: what is `sending` was left by a dead run, and is shown as
    /// in doubt.
    pub(super) orphaned: bool,
}

/// A ledger that may be changed, by who holds its lock.
#[derive(Debug)]
pub struct Ledger {
    pub(super) reader: LedgerReader,
    pub(super) lock: LedgerLock,
    recovered: u64,
}

/// Opens a ledger for `status`, `export` and dry runs. All that is read from
/// it is one moment's truth, also while a run goes on.
pub fn open_read_only(path: &Path) -> Result<LedgerReader, LedgerError> {
    schema::check_sqlite()?;
    let path: Arc<Path> = existing(path)?.into();
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::check_identity(&conn, &path)?;
    let fail = |error| LedgerError::sqlite(&path, &error);
    schema::configure(&conn).map_err(fail)?;
    let orphaned = snapshot(&conn, &path)?;
    Ok(LedgerReader {
        conn,
        path,
        orphaned,
    })
}

/// Begins to read one moment's truth, and says whether nobody ran then.
fn snapshot(conn: &Connection, path: &Path) -> Result<bool, LedgerError> {
    let fail = |error| LedgerError::sqlite(path, &error);
    loop {
        let held_before = LedgerLock::holder(path)?.is_some();
        begin_reading(conn).map_err(fail)?;
        // A run that began or ended meanwhile may have left its claims in it.
        if held_before == LedgerLock::holder(path)?.is_some() {
            return Ok(!held_before);
        }
        end_reading(conn).map_err(fail)?;
    }
}

/// One read transaction for all questions: one moment's truth, and without it
/// each of a million lookups would take and leave the file's locks.
fn begin_reading(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN; SELECT one FROM ledger")
}

pub(super) fn end_reading(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("ROLLBACK")
}

/// Opens a ledger to write to it. What a dead run left under way becomes in
/// doubt.
pub fn open(path: &Path, lock: &LedgerLock) -> Result<Ledger, LedgerError> {
    schema::check_sqlite()?;
    let path: Arc<Path> = existing(path)?.into();
    covers(lock, &path)?;
    let at_path = |error: &std::io::Error| LedgerError::system(&path, error);
    if system::names(&path).map_err(|error| at_path(&error))? > 1 {
        return Err(LedgerError::HardLinked {
            path: path.to_path_buf(),
        });
    }
    // Somebody else's file can't be changed; that it can be written is enough.
    let _ = system::make_private(&path);
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let fail = |error| LedgerError::sqlite(&path, &error);
    schema::check_identity(&conn, &path)?;
    // SQLite falls back to reading without a word.
    if conn.is_readonly("main").map_err(fail)? {
        return Err(LedgerError::ReadOnly {
            path: path.to_path_buf(),
            detail: "it can be read only".to_owned(),
        });
    }
    schema::configure(&conn).map_err(fail)?;
    schema::configure_writer(&conn, &path)?;
    schema::quick_check(&conn, &path)?;
    abort_point("before-recover");
    let recovered = in_transaction(&conn, |conn| {
        run::recover(conn)?;
        claim::recover(conn)
    })
    .map_err(fail)?;
    abort_point("after-recover");
    begin_reading(&conn).map_err(fail)?;
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

/// Makes the ledger of an account, and opens it. It gets its name when it is
/// whole, so that no half-made one is ever found.
pub fn create(path: &Path, lock: &LedgerLock, account: &str) -> Result<Ledger, LedgerError> {
    schema::check_sqlite()?;
    let path = place::checked(path)?;
    covers(lock, &path)?;
    if path.symlink_metadata().is_ok() {
        return Err(LedgerError::Exists { path });
    }
    // SQLite would replay the log of a lost ledger into a new one.
    let log = place::beside(&path, "-wal");
    if log.exists() {
        return Err(LedgerError::Leftover { path: log });
    }
    place::make_folders(&path)?;
    let draft = place::beside(&path, ".new");
    let made = make(&draft, &path, account);
    if made.is_err() {
        remove(&draft)?;
    }
    made?;
    open(&path, lock)
}

fn make(draft: &Path, path: &Path, account: &str) -> Result<(), LedgerError> {
    let at_draft = |error: std::io::Error| LedgerError::system(draft, &error);
    let fail = |error| LedgerError::sqlite(draft, &error);
    // Left by a process that died here; the lock says that none is at it now.
    remove(draft)?;
    system::create_private(draft).map_err(at_draft)?;
    let file = system::identity(draft).map_err(at_draft)?;
    let conn = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::configure(&conn).map_err(fail)?;
    schema::configure_writer(&conn, draft)?;
    let host = system::host_name();
    schema::make(&conn, account, (&host, &path.to_string_lossy(), file)).map_err(fail)?;
    // Closing would bring the log into the file too, but says nothing of a disk
    // that fails or is full; what gets its name must be whole.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(fail)?;
    conn.close().map_err(|(_, error)| fail(error))?;
    abort_point("before-ledger-named");
    std::fs::rename(draft, path).map_err(at_draft)?;
    abort_point("after-ledger-named");
    place::sync_folder_of(path)
}

/// Removes a file of `SQLite` with those beside it, itself last: it is never
/// gone while its log is there.
fn remove(file: &Path) -> Result<(), LedgerError> {
    for ending in ["-shm", "-wal", ""] {
        let path = place::beside(file, ending);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::system(&path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The true path of a ledger that is there.
fn existing(path: &Path) -> Result<PathBuf, LedgerError> {
    let path = place::checked(path)?;
    match path.metadata() {
        Ok(_) => Ok(path),
        Err(error) => Err(LedgerError::system(&path, &error)),
    }
}

fn covers(lock: &LedgerLock, path: &Path) -> Result<(), LedgerError> {
    if lock.ledger_path() == path {
        return Ok(());
    }
    Err(LedgerError::WrongLock {
        path: path.to_owned(),
        locked: lock.ledger_path().to_owned(),
    })
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, LedgerError> {
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| LedgerError::sqlite(path, &error))
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
    /// Where the ledger lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn fail(&self, error: &rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }
}

impl Ledger {
    /// To ask it, as one that may only read could.
    pub fn reader(&self) -> &LedgerReader {
        &self.reader
    }

    /// How many cases a dead run had left under way; they are in doubt now.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Deletes it with all that it knows. The lock's file stays.
    pub fn delete(self) -> Result<(), LedgerError> {
        let Self { reader, lock, .. } = self;
        let path = Arc::clone(&reader.path);
        drop(reader);
        let removed = remove(&path);
        drop(lock);
        removed
    }

    /// Says that the ledger's account has moved to this address.
    pub fn adopt(&mut self, account: &str) -> Result<(), LedgerError> {
        self.write(|conn| conn.execute("UPDATE ledger SET account = ?1", [account]))
            .map(drop)
    }

    /// All of `work` or nothing, between two questions.
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
            .map_err(|error| self.reader.fail(&error))
    }
}
