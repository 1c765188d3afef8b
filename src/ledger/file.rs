//! The ledger's file: created, opened to read, opened to write.

use std::cell::{Cell, OnceCell};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::database::{self, Database, RunLock, Transaction, as_params};
use super::error::{AtPath as _, LedgerErrorKind};
use super::opened::OpenedFile;
use super::server::Server;
use super::{
    LedgerError, Location, LockStatus, Records, RunStart, claim, location, run, schema, setup_items,
};
use crate::model::abort_point;

/// How long a run tries to get the lock: `status` and `resolve` take it for a
/// moment.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Reads a ledger; can't change it.
#[derive(Debug)]
pub struct LedgerReader {
    pub(super) db: Database,
    pub(super) records: Option<Records>,
    /// Its id and account, to remember them.
    pub(super) names: OnceCell<(String, String)>,
    /// No run holds the lock: what is `sending` was left by a dead run, and is
    /// shown as in doubt. Not asked yet where there is none.
    pub(super) orphaned: Cell<Option<bool>>,
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
pub fn open_read_only(
    location: impl Into<Location>,
    records: Option<Records>,
) -> Result<LedgerReader, LedgerError> {
    let reader = connect(&location.into(), records)?;
    // Not opened read-only, or what a crash left half written could not be
    // rolled back.
    reader.db.set_read_only(true).at(reader.path())?;
    Ok(reader)
}

/// Opens a ledger for a run, under its lock, which is tried for this long. What
/// a dead run left in flight becomes in doubt.
pub fn open(
    location: impl Into<Location>,
    records: Option<Records>,
    patience: Duration,
) -> Result<Ledger, LedgerError> {
    let reader = connect(&location.into(), records)?;
    reader.refuse_moved()?;
    let Some(lock) = reader.db.lock(patience).at(reader.path())? else {
        return Err(reader.locked()?);
    };
    Ledger::of(reader, Some(lock))
}

/// Opens a ledger for resolutions, while a run may use it.
pub(crate) fn open_to_resolve(
    location: impl Into<Location>,
    records: Option<Records>,
) -> Result<Ledger, LedgerError> {
    let reader = connect(&location.into(), records)?;
    reader.refuse_moved()?;
    let lock = reader.db.lock(Duration::ZERO).at(reader.path())?;
    let mut ledger = Ledger::of(reader, lock)?;
    // It was only needed for what a dead run left.
    ledger.lock = None;
    Ok(ledger)
}

/// Opens a ledger that exists.
pub(super) fn connect(
    location: &Location,
    records: Option<Records>,
) -> Result<LedgerReader, LedgerError> {
    let db = match location {
        Location::File(path) => open_file(path)?,
        Location::Server(address) => {
            let server = Server::new(address.as_ref().clone());
            server.check().at(location.path())?;
            Database::Server(Box::new(server))
        }
    };
    Ok(LedgerReader {
        db,
        records,
        names: OnceCell::new(),
        orphaned: Cell::default(),
        removes_journal: Cell::new(false),
    })
}

/// Reading its id rolls back what a crash left half written.
fn open_file(path: &Path) -> Result<Database, LedgerError> {
    let file = OpenedFile::open(path)?;
    let path = file.path();
    let has_journal = location::beside(path, "-journal").exists();
    let conn = connect_to(path)?;
    if !file.is_in_place() {
        return Err(LedgerErrorKind::Replaced.at(path));
    }
    let db = Database::File { conn, file };
    let (path, id) = (db.path(), schema::id(&db).at(db.path())?);
    if let Database::File { conn, file } = &db {
        file.prepare_lock(&id).at(path)?;
        let was_copied_while_in_use = !has_journal && !run::all_ended(&db).at(path)?;
        schema::check(conn, was_copied_while_in_use).at(path)?;
    }
    Ok(db)
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
pub fn create(
    location: impl Into<Location>,
    records: Option<Records>,
    account: &str,
) -> Result<Ledger, LedgerError> {
    let location = &location.into();
    match location {
        Location::File(path) => create_file(path, account)?,
        Location::Server(address) => {
            let db = Database::Server(Box::new(Server::new(address.as_ref().clone())));
            let create = |db: &Database| {
                db.run(&schema::tables_on_server())?;
                db.execute(schema::NAME, &as_params(&schema::new_name(account)?))
            };
            db.transaction(create).at(location.path())?;
        }
    }
    let ledger = open(location, records, LOCK_PATIENCE)?;
    ledger.reader.remember(None);
    Ok(ledger)
}

fn create_file(path: &Path, account: &str) -> Result<(), LedgerError> {
    let path = location::checked(path)?;
    let journal = location::beside(&path, "-journal");
    if journal.exists() {
        return Err(LedgerErrorKind::Leftover.at(&journal));
    }
    location::create_folders(&path)?;
    create_complete(&path, |draft| {
        let conn = connect_to(draft)?;
        schema::configure_writer(&conn).at(draft)?;
        schema::create_tables(&conn, account).at(draft)?;
        conn.close().map_err(|(_, error)| error).at(draft)
    })
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

impl LedgerReader {
    pub(crate) fn path(&self) -> &Path {
        self.db.path()
    }

    /// One moment for several queries; none inside another one. While it lasts
    /// no run can commit, so it must not outlast a batch.
    pub(crate) fn snapshot(&self) -> Result<Option<Transaction<'_>>, LedgerError> {
        if !self.db.is_autocommit() {
            return Ok(None);
        }
        let (free, snapshot) = self.db.begin_reading().at(self.path())?;
        self.orphaned.set(free);
        Ok(Some(snapshot))
    }

    /// Copies the ledger as it is at this moment into a new file, safe even while
    /// a run uses it.
    pub(crate) fn back_up(&self, to: &Path) -> Result<(), LedgerError> {
        if let Database::Server(_) = self.db {
            return Err(LedgerErrorKind::NotAFileToCopy.at(self.path()));
        }
        let to = std::path::absolute(to).at(to)?;
        // Only the copy is written.
        create_complete(&to, |draft| {
            let name = draft.to_str();
            let no_name = || LedgerErrorKind::NoAccess("its path is not UTF-8".to_owned());
            let name = name.ok_or_else(no_name).at(&to)?;
            let copy = || {
                self.db.set_read_only(false)?;
                self.db.execute("VACUUM INTO ?1", params![name])?;
                self.db.set_read_only(true)
            };
            copy().at(&to)
        })
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Database) -> database::Result<T>,
    ) -> Result<T, LedgerError> {
        let _snapshot = self.snapshot()?;
        read(&self.db).at(self.path())
    }

    /// Whether a run is using the ledger, and who.
    pub(crate) fn lock_status(&self) -> Result<LockStatus, LedgerError> {
        let _snapshot = self.snapshot()?;
        if self.is_orphaned().at(self.path())? {
            return Ok(LockStatus::Free);
        }
        let holder = self.holder()?;
        Ok(holder.map_or(LockStatus::Held, LockStatus::HeldBy))
    }

    /// That another run has the right to.
    fn locked(&self) -> Result<LedgerError, LedgerError> {
        let run = self.holder()?;
        Ok(match &self.db {
            Database::File { .. } => LedgerErrorKind::Locked(run),
            Database::Server(server) => LedgerErrorKind::LockedOnServer {
                run,
                holder: server
                    .lock_holder()
                    .at(self.path())?
                    .map(|holder| holder.holder),
            },
        }
        .at(self.path()))
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
        if let Database::File { conn, .. } = &self.db
            && self.removes_journal.get()
        {
            // Empty now; it is only in the way.
            let _ = conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
        }
    }
}

impl Ledger {
    /// Makes a reader write. With the lock what a dead run left in flight
    /// becomes in doubt.
    pub(super) fn of(reader: LedgerReader, lock: Option<RunLock>) -> Result<Self, LedgerError> {
        let (db, path) = (&reader.db, reader.path());
        db.prepare_writing().at(path)?;
        reader.removes_journal.set(true);
        let mut recovered = 0;
        if lock.is_some() {
            abort_point("before-recover");
            let [attempts, cases] = claim::RECOVER;
            let recover = [run::RECOVER, setup_items::RECOVER, attempts, cases];
            let recover = recover.map(|sql| (sql, params![]));
            let changed = db.transaction(|db| db.execute_all(&recover)).at(path)?;
            recovered = changed[recover.len() - 1];
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
        let path = reader.path().to_owned();
        drop(reader);
        let removed = std::fs::remove_file(&path).at(&path);
        drop(lock);
        removed
    }

    /// Makes this the ledger of the account under its new address.
    pub(crate) fn adopt(&mut self, account: &str) -> Result<(), LedgerError> {
        self.reader.names.take();
        self.write(|db| db.execute("UPDATE ledger SET account = ?1", params![account]))
            .map(drop)
    }

    /// All of `work` or nothing.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Database) -> database::Result<T>,
    ) -> Result<T, LedgerError> {
        self.reader.db.transaction(work).at(self.reader.path())
    }
}
