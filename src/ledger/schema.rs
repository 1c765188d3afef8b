//! The schema and its version, the settings that durability rests on, and how
//! values are stored.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, params, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::ResolveAction;
use super::database::{self, Database};
use super::error::LedgerErrorKind;
use crate::model::{Digest, EventKind, Key, State, Verdict};

/// "case" in ASCII: distinguishes a ledger from other `SQLite` files.
pub(super) const APPLICATION_ID: i64 = 0x6361_7365;

/// The schema that this version writes. From the first release on it only
/// grows, and a test opens a ledger of each released one.
pub(super) const VERSION: i64 = 1;

const TABLES: &str = include_str!("schema.sql");
const OF_THE_SERVER: &str = include_str!("server.sql");

/// How long another program that is writing is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Page cache while planning, in KiB: a re-run looks up every key.
const PLANNING_CACHE: i64 = 32 * 1024;

/// Page cache while running, in KiB: claims touch few pages.
const RUNNING_CACHE: i64 = 4 * 1024;

/// Settings of every connection.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    // Or a statement that uses a partial index is prepared anew for every value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "cache_size", -PLANNING_CACHE)
}

/// Further settings of a connection that writes: each commit is on the disk
/// before it returns, all of it in the one file, and what is deleted is erased
/// from it.
pub(super) fn configure_writer(conn: &Connection) -> database::Result<()> {
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "TRUNCATE", |row| row.get(0))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    for name in ["fullfsync", "secure_delete"] {
        conn.pragma_update(None, name, true)?;
    }
    let synchronous: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("truncate") || synchronous != 2 {
        let detail = format!("journal mode {mode}, synchronous {synchronous}");
        return Err(LedgerErrorKind::Unsafe(detail));
    }
    Ok(())
}

/// Checks the file; thoroughly, which takes three times as long, when it may
/// be a copy that was taken in the middle of a commit.
pub(super) fn check(conn: &Connection, thorough: bool) -> database::Result<()> {
    let sql = if thorough {
        "PRAGMA integrity_check(1)"
    } else {
        "PRAGMA quick_check(1)"
    };
    let result: String = conn.query_row(sql, [], |row| row.get(0))?;
    if result == "ok" {
        return Ok(());
    }
    // The first line is only a heading.
    let detail = result.lines().last().unwrap_or_default().to_owned();
    Err(LedgerErrorKind::Damaged(detail))
}

/// The ledger's id, which is also the name of a file.
pub(super) fn id(db: &Database) -> database::Result<String> {
    let id: String = db.value("SELECT id FROM ledger", params![])?;
    Uuid::try_parse(&id)
        .map(|_| id)
        .map_err(|error| rusqlite::Error::from(FromSqlError::other(error)).into())
}

/// Settings of a run: its memory must not grow with its ledger, and it waits
/// for another program that is writing for as long as it lives.
pub(super) fn configure_run(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "cache_size", -RUNNING_CACHE)?;
    conn.execute_batch("PRAGMA shrink_memory")?;
    conn.busy_timeout(Duration::from_millis(i32::MAX as u64))
}

/// Creates the tables in an empty file.
pub(super) fn create_tables(conn: &Connection, account: &str) -> database::Result<()> {
    let tx = conn.unchecked_transaction()?;
    tx.execute_batch(TABLES)?;
    tx.execute(NAME, params_from_iter(new_name(account)?))?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    Ok(tx.commit()?)
}

/// The ledger's one row, of the values of [`new_name`].
pub(super) const NAME: &str =
    "INSERT INTO ledger (one, id, account, created_at, salt) VALUES (1, ?, ?, ?, ?)";

pub(super) fn new_name(account: &str) -> database::Result<Vec<Value>> {
    let mut salt = vec![0; 16];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    Ok(vec![
        Uuid::now_v7().to_string().into(),
        account.to_owned().into(),
        Timestamp::now().as_millisecond().into(),
        salt.into(),
    ])
}

/// The tables as `PostgreSQL` has them, in a schema of their own.
pub(super) fn tables_on_server() -> String {
    let numbered = "  no bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    let tables = TABLES
        .replace("  no INTEGER PRIMARY KEY AUTOINCREMENT", numbered)
        .replace("  no INTEGER PRIMARY KEY", numbered)
        .replace(" INTEGER", " bigint")
        .replace(" BLOB", " bytea")
        .replace(") STRICT, WITHOUT ROWID;", ");")
        .replace(") STRICT;", ");");
    format!(
        "CREATE SCHEMA IF NOT EXISTS caseload; SET LOCAL search_path TO caseload; \
         {tables} {OF_THE_SERVER} INSERT INTO version VALUES ({VERSION})"
    )
}

/// Enums that are stored by their names.
macro_rules! stored_by_name {
    ($($name:ty),*) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(<&str>::from(*self).into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )* };
}

stored_by_name!(State, Verdict, ResolveAction, EventKind);

/// A value that is stored as JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0);
        text.map(Into::into)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(Self)
    }
}

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.canonical().into())
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A time, stored as milliseconds since 1970.
pub(super) struct Millis(pub(super) Timestamp);

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_millisecond(value.as_i64()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// The half of a digest that the indexes of content hold.
pub(super) fn half(digest: &Digest) -> i64 {
    digest.short().cast_signed()
}
