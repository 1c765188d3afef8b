//! A ledger's file, read by SQL of its own: not with the code under test.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// A case in a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub state: String,
    /// The platform's.
    pub id: Option<String>,
    pub attempts: u64,
    pub possible_twin: bool,
}

/// What a ledger holds.
#[derive(Debug, PartialEq, Eq)]
pub struct LedgerFile {
    pub id: String,
    pub account: String,
    /// By the key as people write it.
    pub cases: BTreeMap<String, Case>,
}

impl LedgerFile {
    pub fn read(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).unwrap();
        let (id, account) = conn
            .query_row("SELECT id, account FROM ledger", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let mut statement = conn
            .prepare(
                "SELECT key, state, case_id,
                   (SELECT count(*) FROM attempts WHERE case_no = cases.no),
                   possible_twin
                 FROM cases",
            )
            .unwrap();
        let rows = statement.query_map([], |row| {
            let key: String = row.get(0)?;
            let case = Case {
                state: row.get(1)?,
                id: row.get(2)?,
                attempts: row.get::<_, i64>(3)?.unsigned_abs(),
                possible_twin: row.get(4)?,
            };
            Ok((plain(&key), case))
        });
        let cases = rows.unwrap().map(Result::unwrap).collect();
        Self { id, account, cases }
    }

    /// Waits until a run that is under way has brought a case into a state.
    pub fn wait_for(path: &Path, state: &str, number: u32) {
        let count = || -> rusqlite::Result<u32> {
            let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let sql = "SELECT count(*) FROM cases WHERE state = ?1";
            conn.query_row(sql, [state], |row| row.get(0))
        };
        // Before the run has made it, it can't be read.
        while count().unwrap_or_default() < number {
            std::thread::yield_now();
        }
    }

    /// A case's state; `-` when the ledger doesn't know it.
    pub fn state(&self, key: &str) -> &str {
        self.cases.get(key).map_or("-", |case| &case.state)
    }

    /// How many cases are in a state.
    pub fn number(&self, state: &str) -> usize {
        let mut cases = self.cases.values();
        cases.by_ref().filter(|case| case.state == state).count()
    }

    /// The states of `c1`, `c2`, …
    pub fn states(&self, number: usize) -> Vec<&str> {
        (1..=number).map(|n| self.state(&format!("c{n}"))).collect()
    }
}

/// A key of one column by its text alone.
fn plain(key: &str) -> String {
    match serde_json::from_str::<Vec<String>>(key) {
        Ok(parts) if parts.len() == 1 => parts.into_iter().next().unwrap(),
        _ => key.to_owned(),
    }
}
