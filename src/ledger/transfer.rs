//! A whole ledger, copied from a file to a server. The file says that it was
//! moved, so that no run uses it by mistake.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::params;
use rusqlite::types::{FromSqlError, ValueRef};
use serde_json::{Map, Value};

use super::address::{Location, ServerAddress};
use super::database::{self, Database};
use super::error::{AtPath as _, LedgerErrorKind};
use super::file::connect;
use super::schema::Millis;
use super::server::Server;
use super::{LOCK_PATIENCE, Ledger, LedgerError, LedgerReader, Records, exists, open, run, schema};
use crate::model::{Digest, Hasher, abort_point};

/// In an order in which each refers to those before it, and whether they count
/// their rows.
const TABLES: [(&str, bool); 10] = [
    ("ledger", false),
    ("runs", true),
    ("key_columns", false),
    ("files", true),
    ("cases", true),
    ("contents", false),
    ("attempts", false),
    ("resolutions", true),
    ("setup", true),
    ("events", true),
];

/// Rows that are compared at once.
const PAGE: usize = 1_000;

/// Rows that are sent at once: their contents must pass a slow line in the time
/// that a statement has.
const SENT: usize = 100;

impl LedgerReader {
    /// Refuses a ledger that was, or is being, moved to a server.
    pub(super) fn refuse_moved(&self) -> Result<(), LedgerError> {
        if let Database::Server(_) = self.db {
            return Ok(());
        }
        let moved = self.read(|db| {
            let sql = "SELECT moved_to, moved_at IS NOT NULL FROM ledger";
            db.one(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        match moved {
            (None, _) => Ok(()),
            (Some(to), true) => Err(LedgerErrorKind::Moved(to).at(self.path())),
            (Some(to), false) => Err(LedgerErrorKind::Moving(to).at(self.path())),
        }
    }
}

/// Moves the ledger in a file to a server, and returns how many cases it has. To
/// be called again when it failed.
pub(crate) fn transfer(
    from: &Path,
    to: &ServerAddress,
    records: Option<Records>,
) -> Result<u64, LedgerError> {
    let reader = connect(&from.into(), records.clone())?;
    match reader.refuse_moved() {
        Err(moving) if matches!(moving.kind, LedgerErrorKind::Moving(_)) => {}
        allowed => allowed?,
    }
    let Some(lock) = reader.db.lock(LOCK_PATIENCE).at(from)? else {
        return Err(LedgerErrorKind::Locked(None).at(from));
    };
    let source = Ledger::of(reader, Some(lock))?;
    let (file, name) = (&source.reader.db, &to.name);
    let id = source.reader.read(schema::id)?;
    let location = Location::Server(Box::new(to.clone()));
    let is_copied = exists(&location)?;
    let server = Database::Server(Box::new(Server::new(to.clone())));
    if is_copied && schema::id(&server).at(name)? != id {
        return Err(LedgerErrorKind::AlreadyExists.at(name));
    }
    source.write(|db| {
        let sql = "UPDATE ledger SET moved_to = ?1 WHERE moved_at IS NULL";
        db.execute(sql, params![name.to_string_lossy()])
    })?;
    abort_point("moving");
    if !is_copied {
        server.transaction(|server| copy(file, server)).at(name)?;
    }
    abort_point("copied");
    let (ours, theirs) = (compared(file).at(from)?, compared(&server).at(name)?);
    if ours != theirs {
        return Err(LedgerErrorKind::Differs.at(name));
    }
    source.write(|db| {
        let sql = "UPDATE ledger SET moved_at = ?1";
        db.execute(sql, params![Millis(Timestamp::now())])
    })?;
    let attempt = run::latest_attempt(file).at(from)?;
    drop(source);
    open(&location, records, LOCK_PATIENCE)?
        .reader()
        .remember(attempt);
    Ok(ours.0)
}

fn copy(file: &Database, to: &Database) -> database::Result<()> {
    to.run(&schema::tables_on_server())?;
    for (table, counts) in TABLES {
        let insert = format!(
            "INSERT INTO {table}
             SELECT * FROM json_populate_recordset(CAST(NULL AS {table}), CAST(?1 AS json))"
        );
        let mut page = Vec::new();
        let send = |page: &mut Vec<Value>| -> database::Result<()> {
            let rows = Value::Array(std::mem::take(page)).to_string();
            to.execute(&insert, params![rows]).map(drop)
        };
        file.each_raw(&format!("SELECT * FROM {table}"), |row| {
            page.push(row_json(row)?);
            if page.len() == SENT {
                send(&mut page)
            } else {
                Ok(())
            }
        })?;
        send(&mut page)?;
        if counts {
            to.rows(
                &format!(
                    "SELECT setval(pg_get_serial_sequence('caseload.{table}', 'no'), max(no))
                     FROM {table} HAVING max(no) IS NOT NULL"
                ),
                params![],
                |_| Ok(()),
            )?;
        }
    }
    // Or nothing is known of its sizes until the server finds time for that.
    to.execute("ANALYZE cases, attempts", params![])?;
    let sql = "UPDATE ledger SET moved_to = NULL, moved_at = NULL";
    to.execute(sql, params![]).map(drop)
}

/// A row as `PostgreSQL` reads rows of JSON.
fn row_json(row: &rusqlite::Row<'_>) -> database::Result<Value> {
    let mut members = Map::new();
    for (column, name) in row.as_ref().column_names().enumerate() {
        let value = match row.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            // The one character that PostgreSQL does not store.
            ValueRef::Text(text) => {
                let text = str::from_utf8(text).map_err(FromSqlError::other);
                let text = text.map_err(rusqlite::Error::from)?;
                text.replace('\0', "\u{fffd}").into()
            }
            ValueRef::Blob(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                format!("\\x{}", digits.collect::<String>()).into()
            }
            ValueRef::Real(_) => {
                return Err(rusqlite::Error::from(FromSqlError::InvalidType).into());
            }
        };
        members.insert(name.to_owned(), value);
    }
    Ok(members.into())
}

/// How many cases there are, and a hash of what is known of them.
fn compared(db: &Database) -> database::Result<(u64, Digest)> {
    let mut hasher = Hasher::default();
    let (mut after, mut cases) = (0_i64, 0);
    loop {
        let sql = format!(
            "SELECT no, key, state, coalesce(case_id, ''), possible_twin, attempts, updated_at
             FROM cases WHERE no > ?1 ORDER BY no LIMIT {PAGE}"
        );
        let page = db.rows(&sql, params![after], |row| {
            for column in [1, 2, 3] {
                hasher.write_piece(row.get::<String>(column)?.as_bytes());
            }
            for column in [0, 4, 5, 6] {
                hasher.write_piece(&row.get::<i64>(column)?.to_le_bytes());
            }
            row.get(0)
        })?;
        cases += page.len() as u64;
        match page.last() {
            Some(last) => after = *last,
            None => return Ok((cases, hasher.finish())),
        }
    }
}
