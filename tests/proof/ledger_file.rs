//! The ledger's file, read without changing it.

use std::path::Path;

use rusqlite::{Connection, params};

use super::checker::{Attempt, Row, Rows};

/// Reads all rows from a copy: opening the file itself would roll its journal
/// back, which is for the next run to do. A missing file has no rows.
pub(crate) fn read(path: &Path) -> Rows {
    if !path.exists() {
        return Rows::new();
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
    rows(&conn).unwrap()
}

fn rows(conn: &Connection) -> rusqlite::Result<Rows> {
    let mut cases =
        conn.prepare("SELECT no, key, state, case_id, possible_twin, attempts FROM cases")?;
    let mut rows = Rows::new();
    let mut found = cases.query([])?;
    while let Some(row) = found.next()? {
        let key: String = row.get(1)?;
        // A key is stored as the array of its columns.
        let [key] = serde_json::from_str::<[String; 1]>(&key).expect("a key of one column");
        let attempts = attempts(conn, row.get(0)?)?;
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
        assert!(rows.insert(key, row).is_none(), "a key is stored twice");
    }
    Ok(rows)
}

fn attempts(conn: &Connection, case: i64) -> rusqlite::Result<Vec<Attempt>> {
    conn.prepare_cached(
        "SELECT a.state_before, a.outcome, a.started_at, a.ended_at, r.start ->> 'command'
         FROM attempts a JOIN runs r ON r.no = a.run WHERE a.case_no = ?1 ORDER BY a.nth",
    )?
    .query_map(params![case], |row| {
        Ok(Attempt {
            before: row.get(0)?,
            outcome: row.get(1)?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            resend: row.get::<_, String>(4)?.contains("--resend-in-doubt"),
        })
    })?
    .collect()
}
