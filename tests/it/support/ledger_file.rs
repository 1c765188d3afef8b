//! A ledger's file, read with SQL of the tests' own and none of the code under
//! test.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// A case in a ledger.
#[derive(Debug)]
pub struct Case {
    pub state: String,
    /// The platform's id.
    pub id: Option<String>,
    pub attempts: u64,
    pub possible_twin: bool,
}

/// What a ledger holds.
#[derive(Debug)]
pub struct LedgerFile {
    pub id: String,
    pub account: String,
    /// By key; the text alone where the key is one column.
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
            Ok((single_column(key), case))
        });
        let cases = rows.unwrap().map(Result::unwrap).collect();
        Self { id, account, cases }
    }

    /// A case's state; `-` when the ledger doesn't know it.
    pub fn state(&self, key: &str) -> &str {
        self.cases.get(key).map_or("-", |case| &case.state)
    }

    /// How many cases are in a state.
    pub fn number(&self, state: &str) -> usize {
        let cases = self.cases.values();
        cases.filter(|case| case.state == state).count()
    }

    /// The states of `c1`, `c2`, …
    pub fn states(&self, number: usize) -> Vec<&str> {
        (1..=number).map(|n| self.state(&format!("c{n}"))).collect()
    }
}

/// A stored key is a JSON array of its columns' texts.
fn single_column(key: String) -> String {
    match serde_json::from_str::<[String; 1]>(&key) {
        Ok([text]) => text,
        Err(_) => key,
    }
}
