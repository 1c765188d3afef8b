//! What the plan learns: what is known of a case, and whether an unknown key
//! brings a known case's content.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::LedgerError;
use super::file::LedgerReader;
use super::values::{Number, half};
use crate::model::{Digest, Key, State};

/// A case that the ledger knows. Small: a plan holds one for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCase {
    /// Its state.
    pub state: State,
    /// Of the payload and firm that were last sent.
    pub payload_digest: Digest,
    /// A success after doubt: there may be two of it.
    pub possible_twin: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried, or a person's word on it.
    pub last_attempt_at: Timestamp,
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

const SAME_RECORD: &str = "SELECT c.key, c.state, c.case_id, f.name, c.line
     FROM cases c JOIN files f ON f.no = c.file
     WHERE c.record = ?1 AND c.state IN ('sending', 'imported', 'in_doubt')
     ORDER BY c.no LIMIT 1";

const SAME_CONTENT: &str = "SELECT c.key, c.state, c.case_id, f.name, c.line
     FROM cases c JOIN files f ON f.no = c.file
     WHERE c.content = ?1 AND c.state IN ('sending', 'imported', 'in_doubt')
     ORDER BY c.no LIMIT 1";

impl LedgerReader {
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
