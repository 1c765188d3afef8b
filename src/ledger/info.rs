//! The ledger as a whole: whose it is, where it was used, how many cases.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::file::LedgerReader;
use super::values::{At, Number};
use super::{LedgerError, RunRow, system};
use crate::model::State;

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
    pub counts: Counts,
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

/// Cases by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Under way now.
    pub sending: u64,
    /// The server accepted it.
    pub imported: u64,
    /// The server said no.
    pub rejected: u64,
    /// Never processed.
    pub not_sent: u64,
    /// May or may not exist.
    pub in_doubt: u64,
    /// Gone on the platform.
    pub removed: u64,
    /// In any state, and imported after a doubt.
    pub possible_twins: u64,
}

impl Counts {
    /// All cases.
    pub fn total(&self) -> u64 {
        State::ALL.into_iter().map(|state| self.of(state)).sum()
    }

    /// The cases in one state.
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Sending => self.sending,
            State::Imported => self.imported,
            State::Rejected => self.rejected,
            State::NotSent => self.not_sent,
            State::InDoubt => self.in_doubt,
            State::Removed => self.removed,
        }
    }

    pub(super) fn add(&mut self, state: State, count: u64) {
        *match state {
            State::Sending => &mut self.sending,
            State::Imported => &mut self.imported,
            State::Rejected => &mut self.rejected,
            State::NotSent => &mut self.not_sent,
            State::InDoubt => &mut self.in_doubt,
            State::Removed => &mut self.removed,
        } += count;
    }
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
    pub(super) fn count_all(&self) -> rusqlite::Result<Counts> {
        let mut counts = Counts::default();
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
        counts.imported = total.0 - counts.total();
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
