//! The schema, its version, and the settings that durability rests on.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::LedgerError;
use super::values::At;

/// "case" in ASCII: tells a ledger from any other `SQLite` file.
pub(super) const APPLICATION_ID: i64 = 0x6361_7365;

/// The schema that this version writes. From the first release on it only
/// grows, and a test opens a ledger of each released one.
pub(super) const VERSION: i64 = 1;

/// The tables of [`VERSION`].
pub(super) const TABLES: &str = include_str!("schema.sql");

/// Earlier ones can corrupt a write-ahead log when they reset it.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Long enough for another program's glance, short enough for a run.
const PATIENCE: Duration = Duration::from_secs(2);

/// Page cache while planning, in KiB: a re-run looks every key up.
const PLANNING_CACHE: i64 = 32 * 1024;

/// Page cache while running, in KiB: claims touch few pages, and the memory
/// of a run should not grow with its ledger.
const RUNNING_CACHE: i64 = 4 * 1024;

/// Refuses to work with an `SQLite` that slipped in from the system.
pub(super) fn check_sqlite() -> Result<(), LedgerError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(LedgerError::OldSqlite {
            version: rusqlite::version(),
        });
    }
    Ok(())
}

/// Reads from whom the file is, before anything is changed in it.
pub(super) fn check_identity(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let fail = |error| LedgerError::sqlite(path, &error);
    let application: i64 = conn
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(fail)?;
    if application != APPLICATION_ID {
        return Err(LedgerError::NotALedger {
            path: path.to_owned(),
        });
    }
    let found: i64 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(fail)?;
    if found > VERSION {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    Ok(())
}

/// What every connection has.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(64);
    // Or a statement near a partial index is prepared anew for every value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "cache_size", -PLANNING_CACHE)
}

/// What a connection that writes has beside: each commit is on the disk
/// before it returns, and what is deleted is gone from the file.
pub(super) fn configure_writer(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let fail = |error| LedgerError::sqlite(path, &error);
    let mode: String = conn
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(fail)?;
    conn.pragma_update(None, "synchronous", "FULL")
        .and_then(|()| conn.pragma_update(None, "fullfsync", true))
        .and_then(|()| conn.pragma_update(None, "checkpoint_fullfsync", true))
        .and_then(|()| conn.pragma_update(None, "secure_delete", true))
        .map_err(fail)?;
    let synchronous: i64 = conn
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(fail)?;
    if !mode.eq_ignore_ascii_case("wal") || synchronous != 2 {
        return Err(LedgerError::Unsafe {
            path: path.to_owned(),
            detail: format!("journal mode {mode}, synchronous {synchronous}"),
        });
    }
    Ok(())
}

/// Fails when the file's structure is broken.
pub(super) fn quick_check(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, &error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(LedgerError::Damaged {
        path: path.to_owned(),
        // Its first line is only a heading.
        detail: verdict.lines().last().unwrap_or_default().to_owned(),
    })
}

/// From here on memory stays flat.
pub(super) fn enter_run(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "cache_size", -RUNNING_CACHE)?;
    conn.execute_batch("PRAGMA shrink_memory")
}

/// Makes the tables in an empty file.
pub(super) fn make(
    conn: &Connection,
    account: &str,
    home: (&str, &str, u64),
) -> rusqlite::Result<()> {
    let (host, path, file) = home;
    let tx = conn.unchecked_transaction()?;
    tx.execute_batch(TABLES)?;
    tx.execute(
        "INSERT INTO ledger (one, id, account, created_at, home_host, home_path, home_file)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            Uuid::now_v7().to_string(),
            account,
            At(Timestamp::now()),
            host,
            path,
            file.cast_signed()
        ],
    )?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}
