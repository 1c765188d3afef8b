//! The ledger as a whole: its account, where it was used, how many cases.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::file::LedgerReader;
use super::schema::Millis;
use super::{LedgerError, system};
use crate::model::{State, StateCounts};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerInfo {
    pub(crate) path: PathBuf,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) created_at: Timestamp,
    pub(crate) schema: i64,
    pub(crate) counts: StateCounts,
    /// How many different case ids are imported; 2 stands for more, too.
    pub(crate) imported_distinct_ids: u8,
    /// Where the last run used it, when it is elsewhere now or another file:
    /// it was moved, copied or restored.
    pub(crate) moved_from: Option<LastUsed>,
}

/// Where a ledger was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LastUsed {
    pub(crate) host: String,
    pub(crate) path: String,
}

impl LedgerReader {
    pub(crate) fn info(&self) -> Result<LedgerInfo, LedgerError> {
        self.read(|conn| {
            let schema = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let counts = self.count_all()?;
            conn.query_row(
                "SELECT id, account, created_at, home_host, home_path, home_file,
                        (SELECT count(*) FROM (
                          SELECT DISTINCT case_id FROM cases WHERE case_id IS NOT NULL LIMIT 2))
                 FROM ledger",
                [],
                |row| {
                    let home = LastUsed {
                        host: row.get(3)?,
                        path: row.get(4)?,
                    };
                    let file_id = row.get(5)?;
                    Ok(LedgerInfo {
                        path: self.path.to_path_buf(),
                        id: row.get(0)?,
                        account: row.get(1)?,
                        created_at: row.get::<_, Millis>(2)?.0,
                        schema,
                        counts,
                        imported_distinct_ids: row.get(6)?,
                        moved_from: (!home.is(&self.path, file_id)).then_some(home),
                    })
                },
            )
        })
    }

    /// Imported cases are what the others leave, so that no row has to be read.
    fn count_all(&self) -> rusqlite::Result<StateCounts> {
        let count = |sql| self.conn.query_row(sql, [], |row| row.get::<_, u64>(0));
        let mut counts = StateCounts::default();
        counts.possible_twins = count("SELECT count(*) FROM cases WHERE possible_twin")?;
        let mut statement = self.conn.prepare_cached(
            "SELECT state, count(*) FROM cases WHERE state <> 'imported' GROUP BY state",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            counts.add(self.shown(row.get(0)?), row.get(1)?);
        }
        let imported = count("SELECT count(*) FROM cases")? - counts.total();
        counts.add(State::Imported, imported);
        Ok(counts)
    }
}

impl LastUsed {
    /// Whether a file on this machine is the one that was used. A rename keeps
    /// the file and changes the path; a copy or a restored file is another.
    fn is(&self, path: &Path, file_id: i64) -> bool {
        self.host == system::host_name()
            && self.path == path.to_string_lossy()
            && system::file_id(path).is_ok_and(|id| id == file_id)
    }
}
