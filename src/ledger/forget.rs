//! Forgetting: of cases that are done the ledger drops what it keeps of persons.
//! What keeps a case from being created twice stays: its key, its state, its case
//! id, and hashes.

use jiff::Timestamp;
use rusqlite::params;
use rusqlite::types::Value;

use super::database::{self, Database, as_params, marks};
use super::error::AtPath as _;
use super::schema::{Json, Millis};
use super::{Ledger, LedgerError, RunStart};
use crate::model::Digest;

/// Rows that are named in one statement.
const PAGE: usize = 500;

/// What a file is called that is forgotten.
const NAME: &str = "(forgotten)";

/// How much was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Forgotten {
    pub(crate) cases: u64,
    pub(crate) events: u64,
    /// Runs whose files and commands are not named any more.
    pub(crate) runs: u64,
}

impl Ledger {
    /// Forgets these cases, as far as they are done and have not changed since
    /// then, the bodies of these events, and the names of the files of earlier runs
    /// that no case needs. In a file not one byte of them is left.
    pub(crate) fn forget(
        &self,
        cases: &[Digest],
        events: &[i64],
        since: Timestamp,
    ) -> Result<Forgotten, LedgerError> {
        let now = Timestamp::now();
        let forgotten = self.write(|db| {
            db.execute_in_run(&[])?;
            Ok(Forgotten {
                cases: forget_cases(db, cases, since, now)?,
                events: forget_events(db, events)?,
                runs: forget_runs(db, since)?,
            })
        })?;
        // A server does so when it finds time.
        if let Database::File { .. } = self.reader.db {
            self.reader.db.run("VACUUM").at(self.reader.path())?;
        }
        Ok(forgotten)
    }
}

fn forget_cases(
    db: &Database,
    cases: &[Digest],
    since: Timestamp,
    now: Timestamp,
) -> database::Result<u64> {
    let mut forgotten = 0;
    for page in cases.chunks(PAGE) {
        let sql = format!(
            "UPDATE cases SET forgotten_at = ?, file = NULL, line = NULL, row = NULL,
                              position = NULL
             WHERE updated_at < ? AND state IN ('imported', 'removed')
               AND key_digest IN ({})",
            marks(page.len())
        );
        let times = [now, since].map(|time| Value::from(time.as_millisecond()));
        let digests = page.iter().map(|digest| Value::Blob(digest.0.to_vec()));
        let values: Vec<Value> = times.into_iter().chain(digests).collect();
        forgotten += db.execute(&sql, &as_params(&values))?;
    }
    let these = "case_no IN (SELECT no FROM cases WHERE forgotten_at = ?1)";
    for sql in [
        format!("DELETE FROM contents WHERE {these}"),
        // What the server wrote may quote the case.
        format!("UPDATE attempts SET message = NULL WHERE message IS NOT NULL AND {these}"),
    ] {
        db.execute(&sql, params![Millis(now)])?;
    }
    Ok(forgotten)
}

/// The hashes of the events stay, so that none comes in again.
fn forget_events(db: &Database, events: &[i64]) -> database::Result<u64> {
    let mut forgotten = 0;
    for page in events.chunks(PAGE) {
        let marks = marks(page.len());
        let sql = format!("UPDATE events SET body = NULL WHERE no IN ({marks})");
        let numbers: Vec<Value> = page.iter().copied().map(Value::Integer).collect();
        forgotten += db.execute(&sql, &as_params(&numbers))?;
    }
    Ok(forgotten)
}

/// Files may be named after persons, and a command names files and keys.
fn forget_runs(db: &Database, since: Timestamp) -> database::Result<u64> {
    let sql = "SELECT no, start FROM runs
               WHERE no NOT IN (SELECT f.run FROM files f JOIN cases c ON c.file = f.no)";
    let runs: Vec<(i64, RunStart)> = db.rows(sql, params![], |row| {
        Ok((row.get(0)?, row.get::<Json<_>>(1)?.0))
    })?;
    let mut forgotten = 0;
    for (run, mut start) in runs {
        if start.at >= since || start.command.is_empty() {
            continue;
        }
        start.command.clear();
        for file in &mut start.files {
            NAME.clone_into(&mut file.name);
        }
        db.execute(
            "UPDATE runs SET start = ?2 WHERE no = ?1",
            params![run, Json(start)],
        )?;
        db.execute(
            "UPDATE files SET name = ?2 WHERE run = ?1",
            params![run, NAME],
        )?;
        forgotten += 1;
    }
    Ok(forgotten)
}
