//! The ledger's file, read without changing it.

use std::collections::btree_map::Entry;
use std::path::Path;

use rusqlite::{Connection, params};

use super::checker::{Attempt, Row, Rows};
use super::worlds::record_of;

/// Reads all rows from a copy: opening the file itself would roll its journal
/// back, which is for the next run to do. A missing file has no rows. Where keys were
/// rewritten, the rows of one record are one.
pub(crate) fn read(path: &Path, rewritten: bool) -> Rows {
    copy(path).map_or_else(Rows::new, |conn| rows(&conn, rewritten).unwrap())
}

/// The account that the ledger belongs to, if there is one.
pub(crate) fn account(path: &Path) -> Option<String> {
    let account = |row: &rusqlite::Row<'_>| row.get(0);
    copy(path).map(|conn| {
        conn.query_row("SELECT account FROM ledger", [], account)
            .unwrap()
    })
}

fn copy(path: &Path) -> Option<Connection> {
    if !path.exists() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(path, &copy).unwrap();
    let journal = path.with_extension("db-journal");
    if journal.exists() {
        std::fs::copy(journal, copy.with_extension("db-journal")).unwrap();
    }
    let conn = Connection::open(copy).unwrap();
    let integrity: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok", "the ledger is damaged");
    Some(conn)
}

fn rows(conn: &Connection, rewritten: bool) -> rusqlite::Result<Rows> {
    let mut cases =
        conn.prepare("SELECT no, key, state, case_id, possible_twin, attempts FROM cases")?;
    let mut rows = Rows::new();
    let mut found = cases.query([])?;
    while let Some(row) = found.next()? {
        let key: String = row.get(1)?;
        // A key is stored as the array of its columns.
        let [key] = serde_json::from_str::<[String; 1]>(&key).expect("a key of one column");
        let attempts = attempts(conn, row.get(0)?, &key)?;
        assert_eq!(
            attempts.len(),
            row.get::<_, i64>(5)? as usize,
            "attempts of {key}"
        );
        let row = Row {
            state: row.get(2)?,
            case_id: row.get(3)?,
            possible_twin: row.get(4)?,
            attempts,
        };
        match rows.entry(record_of(&key, rewritten)) {
            Entry::Vacant(entry) => drop(entry.insert(row)),
            Entry::Occupied(entry) if rewritten => entry.into_mut().merge(row),
            Entry::Occupied(_) => panic!("{key} is stored twice"),
        }
    }
    Ok(rows)
}

fn attempts(conn: &Connection, case: i64, key: &str) -> rusqlite::Result<Vec<Attempt>> {
    conn.prepare_cached(
        "SELECT a.state_before, a.outcome, a.started_at, a.ended_at, r.start ->> 'command'
         FROM attempts a JOIN runs r ON r.no = a.run WHERE a.case_no = ?1 ORDER BY a.nth",
    )?
    .query_map(params![case], |row| {
        Ok(Attempt {
            key: key.to_owned(),
            before: row.get(0)?,
            outcome: row.get(1)?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            resend: row.get::<_, String>(4)?.contains("--resend-in-doubt"),
        })
    })?
    .collect()
}
