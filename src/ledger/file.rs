//! The ledger's file: created, opened to read, opened to write.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};

use super::error::{AtPath as _, LedgerErrorKind};
use super::opened::{OpenedFile, RunLock};
use super::{
    LedgerError, LockStatus, Records, RunStart, claim, location, run, schema, setup_items,
};
use crate::model::abort_point;

/// How long a run tries to get the lock: `status` and `resolve` take it for a
/// moment.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Reads a ledger; can't change it.
#[derive(Debug)]
pub struct LedgerReader {
    pub(super) conn: Connection,
    pub(super) file: Arc<OpenedFile>,
    pub(super) records: Option<Records>,
    /// No run holds the lock: what is `sending` was left by a dead run, and is
    /// shown as in doubt.
    pub(super) orphaned: Cell<bool>,
    /// The journal is not needed any more when this is dropped.
    pub(super) removes_journal: Cell<bool>,
}

/// A ledger that can be changed.
#[derive(Debug)]
pub struct Ledger {
    pub(super) reader: LedgerReader,
    /// None for resolutions, which run beside a run.
    pub(super) lock: Option<RunLock>,
    recovered: u64,
}

/// Opens a ledger for `status`, `export` and dry runs.
pub fn open_read_only(path: &Path, records: Option<Records>) -> Result<LedgerReader, LedgerError> {
    let reader = connect(path, records)?;
    // Not opened read-only, or what a crash left half written could not be
    // rolled back.
    let conn = &reader.conn;
    conn.pragma_update(None, "query_only", true)
        .at(reader.path())?;
    Ok(reader)
}

/// Opens a ledger for a run, under its lock, which is tried for this long. What
/// a dead run left in flight becomes in doubt.
pub fn open(
    path: &Path,
    records: Option<Records>,
    patience: Duration,
) -> Result<Ledger, LedgerError> {
    let reader = connect(path, records)?;
    let Some(lock) = reader.file.lock(patience).at(reader.path())? else {
        return Err(LedgerErrorKind::Locked(reader.holder()?).at(reader.path()));
    };
    Ledger::of(reader, Some(lock))
}

/// Opens a ledger for resolutions, while a run may use it.
pub(crate) fn open_to_resolve(
    path: &Path,
    records: Option<Records>,
) -> Result<Ledger, LedgerError> {
    let reader = connect(path, records)?;
    let lock = reader.file.lock(Duration::ZERO).at(reader.path())?;
    let mut ledger = Ledger::of(reader, lock)?;
    // It was only needed for what a dead run left.
    ledger.lock = None;
    Ok(ledger)
}

/// Opens a ledger that exists. Reading its id rolls back what a crash left half
/// written.
fn connect(path: &Path, records: Option<Records>) -> Result<LedgerReader, LedgerError> {
    let file = OpenedFile::open(path)?;
    let path = file.path();
    let has_journal = location::beside(path, "-journal").exists();
    let conn = connect_to(path)?;
    if !file.is_in_place() {
        return Err(LedgerErrorKind::Replaced.at(path));
    }
    let id = schema::id(&conn).at(path)?;
    file.prepare_lock(&id).at(path)?;
    let was_copied_while_in_use = !has_journal && !run::all_ended(&conn).at(path)?;
    schema::check(&conn, path, was_copied_while_in_use)?;
    Ok(LedgerReader {
        conn,
        file,
        records,
        orphaned: Cell::new(false),
        removes_journal: Cell::new(false),
    })
}

fn connect_to(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).at(path)?;
    schema::configure(&conn).at(path)?;
    Ok(conn)
}

/// Creates the ledger of an account, and opens it for a run.
pub fn create(path: &Path, records: Option<Records>, account: &str) -> Result<Ledger, LedgerError> {
    let path = location::checked(path)?;
    let journal = location::beside(&path, "-journal");
    if journal.exists() {
        return Err(LedgerErrorKind::Leftover.at(&journal));
    }
    location::create_folders(&path)?;
    create_complete(&path, |draft| {
        let conn = connect_to(draft)?;
        schema::configure_writer(&conn, draft)?;
        schema::create_tables(&conn, account).at(draft)?;
        conn.close().map_err(|(_, error)| error).at(draft)
    })?;
    let ledger = open(&path, records, LOCK_PATIENCE)?;
    ledger.reader.remember(None);
    Ok(ledger)
}

/// Creates a file that gets its name when it is complete, so that no incomplete
/// ledger is ever found.
fn create_complete(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let draft = tempfile::Builder::new()
        .prefix(".caseload-")
        .suffix(".new")
        .tempfile_in(location::folder_of(path))
        .at(path)?;
    let filled = fill(draft.path());
    // Left where it failed.
    let _ = std::fs::remove_file(location::beside(draft.path(), "-journal"));
    filled?;
    draft.as_file().sync_all().at(path)?;
    abort_point("before-ledger-named");
    let named = draft.persist_noclobber(path);
    named.map_err(|error| error.error).at(path)?;
    abort_point("after-ledger-named");
    location::sync_folder_of(path)
}

/// All of `work` or nothing.
pub(super) fn in_transaction<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = Transaction::new_unchecked(conn, rusqlite::TransactionBehavior::Immediate)?;
    let done = work(&tx)?;
    tx.commit()?;
    Ok(done)
}

impl LedgerReader {
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// One moment for several queries; none inside another one. While it lasts
    /// no run can commit, so it must not outlast a batch.
    pub(crate) fn snapshot(&self) -> Result<Option<Transaction<'_>>, LedgerError> {
        if !self.conn.is_autocommit() {
            return Ok(None);
        }
        loop {
            let free = self.file.is_free().at(self.path())?;
            let snapshot = self.conn.unchecked_transaction().at(self.path())?;
            schema::id(&snapshot).at(self.path())?;
            // A run that began or ended meanwhile may have left its claims in it.
            if free == self.file.is_free().at(self.path())? {
                self.orphaned.set(free);
                return Ok(Some(snapshot));
            }
        }
    }

    /// Copies the ledger as it is at this moment into a new file, safe even while
    /// a run uses it.
    pub(crate) fn back_up(&self, to: &Path) -> Result<(), LedgerError> {
        let to = std::path::absolute(to).at(to)?;
        // Only the copy is written.
        let writes = |allowed: bool| self.conn.pragma_update(None, "query_only", !allowed);
        create_complete(&to, |draft| {
            let name = draft.to_str();
            let no_name = || LedgerErrorKind::NoAccess("its path is not UTF-8".to_owned());
            let name = name.ok_or_else(no_name).at(&to)?;
            writes(true)
                .and_then(|()| self.conn.execute("VACUUM INTO ?1", [name]))
                .and_then(|_| writes(false))
                .at(&to)
        })
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let _snapshot = self.snapshot()?;
        read(&self.conn).at(self.path())
    }

    /// Whether a run is using the ledger, and who.
    pub(crate) fn lock_status(&self) -> Result<LockStatus, LedgerError> {
        let _snapshot = self.snapshot()?;
        if self.orphaned.get() {
            return Ok(LockStatus::Free);
        }
        let holder = self.holder()?;
        Ok(holder.map_or(LockStatus::Held, LockStatus::HeldBy))
    }

    /// Who runs, once a run has begun.
    fn holder(&self) -> Result<Option<Box<RunStart>>, LedgerError> {
        let latest = self.runs(1)?.pop();
        let running = latest.filter(|run| run.end.is_none());
        Ok(running.map(|run| Box::new(run.start)))
    }
}

impl Drop for LedgerReader {
    fn drop(&mut self) {
        if self.removes_journal.get() {
            // Empty now; it is only in the way.
            let conn = &self.conn;
            let _ = conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
        }
    }
}

impl Ledger {
    /// Makes a reader write. With the lock what a dead run left in flight
    /// becomes in doubt.
    fn of(reader: LedgerReader, lock: Option<RunLock>) -> Result<Self, LedgerError> {
        let (conn, path) = (&reader.conn, reader.path());
        // Another user's file can't be changed; that it is writable is enough.
        let _ = reader.file.make_private();
        // SQLite falls back to reading without an error.
        if conn.is_readonly("main").at(path)? {
            let detail = "it can only be read".to_owned();
            return Err(LedgerErrorKind::ReadOnly(detail).at(path));
        }
        schema::configure_writer(conn, path)?;
        reader.removes_journal.set(true);
        let mut recovered = 0;
        if lock.is_some() {
            abort_point("before-recover");
            recovered = in_transaction(conn, |conn| {
                run::recover(conn)?;
                setup_items::recover(conn)?;
                claim::recover(conn)
            })
            .at(path)?;
            abort_point("after-recover");
        }
        Ok(Self {
            reader,
            lock,
            recovered,
        })
    }

    pub fn reader(&self) -> &LedgerReader {
        &self.reader
    }

    /// How many cases a dead run left in flight; they are in doubt now.
    pub(crate) fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Deletes the ledger, of which nothing is remembered.
    pub(crate) fn delete(self) -> Result<(), LedgerError> {
        let Self { reader, lock, .. } = self;
        let file = Arc::clone(&reader.file);
        drop(reader);
        let removed = std::fs::remove_file(file.path()).at(file.path());
        drop(lock);
        removed
    }

    /// Makes this the ledger of the account under its new address.
    pub(crate) fn adopt(&mut self, account: &str) -> Result<(), LedgerError> {
        self.write(|conn| conn.execute("UPDATE ledger SET account = ?1", [account]))
            .map(drop)
    }

    /// All of `work` or nothing.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        in_transaction(&self.reader.conn, work).at(self.reader.path())
    }
}
