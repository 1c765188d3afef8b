//! The database that a ledger is in, a file or one on a server: how its SQL is
//! run, and the right to run.
//!
//! Each statement is written once, as `SQLite` and `PostgreSQL` both take it:
//! values are `?1`, `?2`, numbers are 64 bits wide, true is 1.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension as _};

use super::error::LedgerErrorKind;
use super::opened::{FileLock, OpenedFile};
use super::schema;
use super::server::{self, Mode, Server, ServerLock};

pub(super) type Result<T> = std::result::Result<T, LedgerErrorKind>;

/// What `rusqlite::params!` makes.
pub(super) type Params<'p> = &'p [&'p dyn ToSql];

/// With its values.
pub(super) type Statement<'s> = (&'s str, Params<'s>);

#[derive(Debug)]
pub(crate) enum Database {
    File {
        conn: Connection,
        file: Arc<OpenedFile>,
    },
    Server(Box<Server>),
}

/// The right to run, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) enum RunLock {
    File(#[expect(dead_code, reason = "held, not read")] FileLock),
    Server(#[expect(dead_code, reason = "held, not read")] ServerLock),
}

/// A row of a result.
pub(super) enum Row<'r> {
    File(&'r rusqlite::Row<'r>),
    Server(&'r tokio_postgres::Row),
}

impl Row<'_> {
    pub(super) fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        match self {
            Self::File(row) => Ok(row.get(column)?),
            Self::Server(row) => server::value(row, column),
        }
    }
}

/// Statements that are done all together or not at all: undone when this is
/// dropped without a commit.
#[derive(Debug)]
pub(crate) struct Transaction<'d> {
    database: &'d Database,
    is_open: bool,
}

impl Transaction<'_> {
    pub(super) fn commit(mut self) -> Result<()> {
        match self.database {
            Database::File { conn, .. } => conn.execute_batch("COMMIT")?,
            Database::Server(server) => server.commit()?,
        }
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            match self.database {
                // Of a failed one nothing is left to undo.
                Database::File { conn, .. } => drop(conn.execute_batch("ROLLBACK")),
                Database::Server(server) => server.roll_back(),
            }
        }
    }
}

impl Database {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File { file, .. } => file.path(),
            Self::Server(server) => &server.address.name,
        }
    }

    /// Statements without values or results.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        match self {
            Self::File { conn, .. } => Ok(conn.execute_batch(sql)?),
            Self::Server(server) => server.run(sql),
        }
    }

    /// How many rows a statement has changed.
    pub(super) fn execute(&self, sql: &str, values: Params<'_>) -> Result<u64> {
        let changed = self.execute_all(&[(sql, values)])?;
        Ok(changed.iter().sum())
    }

    /// The same of each of some statements, which a server gets together.
    pub(super) fn execute_all(&self, statements: &[Statement<'_>]) -> Result<Vec<u64>> {
        match self {
            Self::File { conn, .. } => (statements.iter())
                .map(|(sql, values)| Ok(conn.prepare_cached(sql)?.execute(*values)? as u64))
                .collect(),
            Self::Server(server) => server.execute_all(statements),
        }
    }

    /// The same in a transaction of a run, of which the right to run may have been
    /// lost to another, as it can be on a server.
    pub(super) fn execute_in_run(&self, statements: &[Statement<'_>]) -> Result<Vec<u64>> {
        match self {
            Self::File { .. } => self.execute_all(statements),
            Self::Server(server) => server.execute_in_run(statements),
        }
    }

    /// What is read from each row of a result.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: Params<'_>,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self {
            Self::File { conn, .. } => {
                let mut statement = conn.prepare_cached(sql)?;
                let mut rows = statement.query(values)?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(&Row::File(row))?);
                }
                Ok(found)
            }
            Self::Server(server) => {
                let rows = server.query(sql, values)?;
                rows.iter().map(|row| read(&Row::Server(row))).collect()
            }
        }
    }

    /// Every row of a file's result, as `SQLite` has it.
    pub(super) fn each_raw(
        &self,
        sql: &str,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let Self::File { conn, .. } = self else {
            return Err(LedgerErrorKind::NotALedger);
        };
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        Ok(())
    }

    /// What is read from the first row, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        values: Params<'_>,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self {
            Self::File { conn, .. } => conn
                .prepare_cached(sql)?
                .query_row(values, |row| Ok(read(&Row::File(row))))
                .optional()?
                .transpose(),
            Self::Server(server) => {
                let rows = server.query(sql, values)?;
                rows.first().map(|row| read(&Row::Server(row))).transpose()
            }
        }
    }

    /// What is read from the row of a result that has one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: Params<'_>,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        let row = self.first(sql, values, read)?;
        row.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// The first column of such a row.
    pub(super) fn value<T: FromSql>(&self, sql: &str, values: Params<'_>) -> Result<T> {
        self.one(sql, values, |row| row.get(0))
    }

    /// Whether a result has a row.
    pub(super) fn exists(&self, sql: &str, values: Params<'_>) -> Result<bool> {
        Ok(self.first(sql, values, |_| Ok(()))?.is_some())
    }

    /// One moment for several queries, and whether nobody has the right to run in
    /// it, where that must be asked before.
    pub(super) fn begin_reading(&self) -> Result<(Option<bool>, Transaction<'_>)> {
        match self {
            Self::File { file, .. } => loop {
                let free = file.is_free()?;
                let snapshot = self.begin("BEGIN", Mode::Read)?;
                schema::id(self)?;
                // A run that began or ended meanwhile may have left its claims in it.
                if free == file.is_free()? {
                    return Ok((Some(free), snapshot));
                }
            },
            Self::Server(_) => Ok((None, self.begin("", Mode::Read)?)),
        }
    }

    /// Whether nobody has the right to run.
    pub(super) fn is_free(&self) -> Result<bool> {
        match self {
            Self::File { file, .. } => Ok(file.is_free()?),
            Self::Server(server) => server.is_free(),
        }
    }

    pub(super) fn begin_writing(&self) -> Result<Transaction<'_>> {
        self.begin("BEGIN IMMEDIATE", Mode::Write)
    }

    fn begin(&self, sql: &str, mode: Mode) -> Result<Transaction<'_>> {
        match self {
            Self::File { conn, .. } => conn.execute_batch(sql)?,
            Self::Server(server) => server.begin(mode),
        }
        Ok(Transaction {
            database: self,
            is_open: true,
        })
    }

    /// All of `work` or nothing.
    pub(super) fn transaction<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = self.begin_writing()?;
        let done = work(self)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Refuses to write where it would be lost: to a file that was moved or
    /// deleted.
    pub(super) fn check_place(&self) -> Result<()> {
        match self {
            Self::File { file, .. } if !file.is_in_place() => Err(LedgerErrorKind::Replaced),
            Self::File { .. } | Self::Server(_) => Ok(()),
        }
    }

    /// Takes the right to run, trying for this long; none when another run has
    /// it.
    pub(super) fn lock(&self, patience: Duration) -> Result<Option<RunLock>> {
        match self {
            Self::File { file, .. } => Ok(file.lock(patience)?.map(RunLock::File)),
            Self::Server(server) => Ok(server.lock(patience)?.map(RunLock::Server)),
        }
    }

    pub(super) fn set_read_only(&self, read_only: bool) -> Result<()> {
        // On a server every transaction that reads says so.
        if let Self::File { conn, .. } = self {
            conn.pragma_update(None, "query_only", read_only)?;
        }
        Ok(())
    }

    /// Makes sure that a file can be written, and that a commit is on the disk; of a
    /// server each transaction does.
    pub(super) fn prepare_writing(&self) -> Result<()> {
        let Self::File { conn, file } = self else {
            return Ok(());
        };
        // Another user's file can't be changed; that it is writable is enough.
        let _ = file.make_private();
        // SQLite falls back to reading without an error.
        if conn.is_readonly("main")? {
            let detail = "it can only be read".to_owned();
            return Err(LedgerErrorKind::ReadOnly(detail));
        }
        schema::configure_writer(conn)
    }

    /// No transaction is open.
    pub(super) fn is_autocommit(&self) -> bool {
        match self {
            Self::File { conn, .. } => conn.is_autocommit(),
            Self::Server(server) => server.is_autocommit(),
        }
    }
}

#[cfg(test)]
impl Database {
    pub(super) fn conn(&self) -> &Connection {
        match self {
            Self::File { conn, .. } => conn,
            Self::Server(_) => panic!("not a file"),
        }
    }
}

/// Marks for so many values.
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

pub(super) fn as_params<V: ToSql>(values: &[V]) -> Vec<&dyn ToSql> {
    values.iter().map(|value| value as &dyn ToSql).collect()
}
