//! The ledger as a whole: whose it is, where it was used, how many cases.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::file::LedgerReader;
use super::values::{At, Number};
use super::{LedgerError, RunRow, system};
use crate::model::{State, StateCounts};

/// A ledger as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerInfo {
    /// Where it lies.
    pub path: PathBuf,
    /// Its id.
    pub id: String,
    /// The account whose cases it holds.
    pub account: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its schema.
    pub schema: i64,
    /// Its cases, by state.
    pub counts: StateCounts,
    /// How many different case ids are imported, as far as 2.
    pub imported_distinct_ids: u8,
    /// The latest run.
    pub last_run: Option<RunRow>,
    /// Where the last run found it, when it lies elsewhere now, or is another
    /// file: it was moved, copied or restored.
    pub moved_from: Option<LastUsed>,
}

/// Where a ledger was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsed {
    /// The machine.
    pub host: String,
    /// The file.
    pub path: String,
}

impl LedgerReader {
    /// The ledger as a whole.
    pub fn info(&self) -> Result<LedgerInfo, LedgerError> {
        let last_run = self.runs(1)?.pop();
        self.read_info(last_run).map_err(|error| self.fail(&error))
    }

    fn read_info(&self, last_run: Option<RunRow>) -> rusqlite::Result<LedgerInfo> {
        let imported_distinct_ids = self.conn.query_row(
            "SELECT count(*) FROM (
               SELECT DISTINCT case_id FROM cases WHERE case_id IS NOT NULL LIMIT 2)",
            [],
            |row| row.get(0),
        )?;
        let schema = self
            .conn
            .pragma_query_value(None, "user_version", |row| row.get(0))?;
        let counts = self.count_all()?;
        self.conn.query_row(
            "SELECT id, account, created_at, home_host, home_path, home_file FROM ledger",
            [],
            |row| {
                let home = LastUsed {
                    host: row.get(3)?,
                    path: row.get(4)?,
                };
                let file = row.get::<_, Number>(5)?.0;
                Ok(LedgerInfo {
                    path: self.path.to_path_buf(),
                    id: row.get(0)?,
                    account: row.get(1)?,
                    created_at: row.get::<_, At>(2)?.0,
                    schema,
                    counts,
                    imported_distinct_ids,
                    last_run,
                    moved_from: (!home.is(&self.path, file)).then_some(home),
                })
            },
        )
    }

    /// Every case by state. The imported ones are what the others leave: so no
    /// row has to be read.
    pub(super) fn count_all(&self) -> rusqlite::Result<StateCounts> {
        let mut counts = StateCounts::default();
        let total: Number = self
            .conn
            .query_row("SELECT count(*) FROM cases", [], |row| row.get(0))?;
        let mut statement = self.conn.prepare_cached(
            "SELECT state, count(*) FROM cases WHERE state <> 'imported' GROUP BY state",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            counts.add(self.shown(row.get(0)?), row.get::<_, Number>(1)?.0);
        }
        let others = counts.total();
        counts.add(State::Imported, total.0 - others);
        let twins: Number = self.conn.query_row(
            "SELECT count(*) FROM cases WHERE possible_twin",
            [],
            |row| row.get(0),
        )?;
        counts.possible_twins = twins.0;
        Ok(counts)
    }
}

impl LastUsed {
    /// Whether a file on this machine is the one that was used. A rename keeps
    /// the file and changes the path, a copy or a restored file is another.
    fn is(&self, path: &Path, file: u64) -> bool {
        self.host == system::host_name()
            && self.path == path.to_string_lossy()
            && system::identity(path).is_ok_and(|identity| identity == file)
    }
}
