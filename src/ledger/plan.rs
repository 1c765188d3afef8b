//! What the plan asks: which of its keys are known, and whether an unknown key
//! brings a known case's content.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row};

use super::LedgerError;
use super::file::Reader;
use super::values::{At, Number, half};
use crate::model::{Digest, Key, State};

/// A case that the ledger knows. Small: a plan holds one for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its state.
    pub state: State,
    /// Of the payload and firm that were last sent.
    pub payload_digest: Digest,
    /// A success after doubt: there may be two of it.
    pub possible_twin: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried, or a person's word on it.
    pub last_tried_at: Timestamp,
}

/// A case, imported or in doubt, that has the content of another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameContent {
    /// Its key.
    pub key: Key,
    /// Its state.
    pub state: State,
    /// The platform's id, when it is imported.
    pub case_id: Option<Box<str>>,
    /// The file that it came from, as it was named then.
    pub file: String,
    /// Its line there.
    pub line: u64,
}

/// From this share of the ledger on it is faster to read all of it than to
/// look key after key up: one in so many.
const SCAN_FROM: usize = 8;

const KNOWN: &str =
    "SELECT state, payload_digest, possible_twin, attempts, updated_at, key_digest FROM cases";

const SAME_RECORD: &str = "SELECT c.key, c.state, c.case_id, f.name, c.line
     FROM cases c JOIN files f ON f.no = c.file
     WHERE c.record = ?1 AND c.state IN ('sending', 'imported', 'in_doubt')
     ORDER BY c.no LIMIT 1";

const SAME_CONTENT: &str = "SELECT c.key, c.state, c.case_id, f.name, c.line
     FROM cases c JOIN files f ON f.no = c.file
     WHERE c.content = ?1 AND c.state IN ('sending', 'imported', 'in_doubt')
     ORDER BY c.no LIMIT 1";

impl Reader {
    /// What is known of each of these keys. The larger the batch the faster: a
    /// re-run that asks for all its keys at once has the ledger read once.
    pub fn lookup(&self, keys: &[Digest]) -> Result<Vec<Option<Known>>, LedgerError> {
        self.read_known(keys).map_err(|error| self.fail(&error))
    }

    fn read_known(&self, keys: &[Digest]) -> rusqlite::Result<Vec<Option<Known>>> {
        // In the order of the index, so that neighbours are found together.
        let mut order: Vec<(Digest, u32)> = keys.iter().copied().zip(0..).collect();
        order.sort_unstable();
        // The largest number is as good as the count here, and is known at once.
        let cases: Option<i64> = self
            .conn
            .query_row("SELECT max(no) FROM cases", [], |row| row.get(0))?;
        let scan =
            keys.len().saturating_mul(SCAN_FROM) as u64 >= cases.unwrap_or(0).cast_unsigned();
        let mut found = vec![None; keys.len()];
        if scan {
            let mut statement = self.conn.prepare_cached(KNOWN)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key: Digest = row.get(5)?;
                let first = order.partition_point(|(digest, _)| *digest < key);
                let same = order[first..]
                    .iter()
                    .take_while(|(digest, _)| *digest == key);
                for &(_, position) in same {
                    found[position as usize] = Some(self.known(row)?);
                }
            }
        } else {
            let mut statement = self
                .conn
                .prepare_cached(&format!("{KNOWN} WHERE key_digest = ?1"))?;
            for (key, position) in order {
                let mut rows = statement.query([key])?;
                if let Some(row) = rows.next()? {
                    found[position as usize] = Some(self.known(row)?);
                }
            }
        }
        Ok(found)
    }

    fn known(&self, row: &Row<'_>) -> rusqlite::Result<Known> {
        Ok(Known {
            state: self.shown(row.get(0)?),
            payload_digest: row.get(1)?,
            possible_twin: row.get(2)?,
            attempts: row.get(3)?,
            last_tried_at: row.get::<_, At>(4)?.0,
        })
    }

    /// Whether any case is imported or in doubt, so that it is worth while to
    /// ask for [`Self::same_content`].
    pub fn has_content(&self) -> Result<bool, LedgerError> {
        self.conn
            .query_row(
                "SELECT EXISTS (
                   SELECT 1 FROM cases WHERE state IN ('sending', 'imported', 'in_doubt'))",
                [],
                |row| row.get(0),
            )
            .map_err(|error| self.fail(&error))
    }

    /// A case, imported or in doubt, whose raw record or whose payload without
    /// its key fields is this. To be asked for keys that are not known.
    pub fn same_content(
        &self,
        record: &Digest,
        content: &Digest,
    ) -> Result<Option<SameContent>, LedgerError> {
        // Two statements: each is served by its own index.
        for (sql, digest) in [(SAME_RECORD, record), (SAME_CONTENT, content)] {
            let same = self.read_same(sql, digest);
            if let Some(same) = same.map_err(|error| self.fail(&error))? {
                return Ok(Some(same));
            }
        }
        Ok(None)
    }

    fn read_same(&self, sql: &str, digest: &Digest) -> rusqlite::Result<Option<SameContent>> {
        self.conn
            .prepare_cached(sql)?
            .query_row([half(digest)], |row| {
                Ok(SameContent {
                    key: row.get(0)?,
                    state: self.shown(row.get(1)?),
                    case_id: row.get(2)?,
                    file: row.get(3)?,
                    line: row.get::<_, Number>(4)?.0,
                })
            })
            .optional()
    }

    /// A state as it is to be understood by who looks from outside.
    pub(super) fn shown(&self, state: State) -> State {
        if self.orphaned && state == State::Sending {
            State::InDoubt
        } else {
            state
        }
    }
}
