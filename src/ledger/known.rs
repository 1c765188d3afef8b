//! What a plan asks: which of its keys are known, and whether an unknown key
//! has the content of a known case.

use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row};

use super::LedgerError;
use super::error::AtPath as _;
use super::file::LedgerReader;
use super::schema::{Millis, half};
use crate::model::{Digest, Key, State};

/// A case that the ledger knows. Small: a plan holds one for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCase {
    pub state: State,
    /// Of the payload and firm that were sent last.
    pub payload_digest: Digest,
    pub possible_twin: bool,
    pub attempts: u32,
    /// When it was last attempted or resolved.
    pub last_attempt_at: Timestamp,
}

/// A case, imported or in doubt, that has the content of another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SameContent {
    pub(crate) key: Key,
    pub(crate) state: State,
    /// The file that it came from, as it was named then.
    pub(crate) file: String,
    pub(crate) line: u64,
}

const KNOWN: &str = "SELECT key_digest, no, state, payload_digest, possible_twin, attempts, \
                     updated_at FROM cases";

/// Looks keys up in the order of an input.
///
/// A re-run asks for its keys in the order in which they were first claimed,
/// and the cases are stored in that order: where it shows, a range of them is
/// read at once, which takes a fraction of the time of a search for each.
#[derive(Debug)]
pub struct KeyLookup<'l> {
    reader: &'l LedgerReader,
    /// The number of the case that the next question probably begins with.
    next: Option<i64>,
    /// The range read for a question.
    range: HashMap<Digest, (i64, KnownCase)>,
}

impl<'l> KeyLookup<'l> {
    pub(crate) fn reader(&self) -> &'l LedgerReader {
        self.reader
    }

    /// What is known of each of these keys; ask for some thousands at once.
    pub fn find(&mut self, keys: &[Digest]) -> Result<Vec<Option<KnownCase>>, LedgerError> {
        let found = self.read(keys).at(&self.reader.path)?;
        Ok(found
            .into_iter()
            .map(|found| found.map(|(_, known)| known))
            .collect())
    }

    fn read(&mut self, keys: &[Digest]) -> rusqlite::Result<Vec<Option<(i64, KnownCase)>>> {
        self.range.clear();
        if let Some(next) = self.next {
            self.read_range(next, keys.len())?;
        }
        let mut found: Vec<_> = keys
            .iter()
            .map(|key| self.range.get(key).copied())
            .collect();
        // In the order of the index, so that neighbors are found together.
        let mut others: Vec<(Digest, usize)> = (keys.iter().copied().zip(0..))
            .filter(|(_, position)| found[*position].is_none())
            .collect();
        others.sort_unstable();
        let sql = format!("{KNOWN} WHERE key_digest = ?1");
        let mut statement = self.reader.conn.prepare_cached(&sql)?;
        for (key, position) in others {
            let case = statement.query_row([key], |row| self.known_case(row));
            found[position] = case.optional()?;
        }
        self.next = next(&found);
        Ok(found)
    }

    fn read_range(&mut self, from: i64, count: usize) -> rusqlite::Result<()> {
        let sql = format!("{KNOWN} WHERE no >= ?1 ORDER BY no LIMIT ?2");
        let mut statement = self.reader.conn.prepare_cached(&sql)?;
        let mut rows = statement.query((from, count))?;
        while let Some(row) = rows.next()? {
            let case = self.known_case(row)?;
            self.range.insert(row.get(0)?, case);
        }
        Ok(())
    }

    fn known_case(&self, row: &Row<'_>) -> rusqlite::Result<(i64, KnownCase)> {
        let known = KnownCase {
            state: self.reader.shown(row.get(2)?),
            payload_digest: row.get(3)?,
            possible_twin: row.get(4)?,
            attempts: row.get(5)?,
            last_attempt_at: row.get::<_, Millis>(6)?.0,
        };
        Ok((row.get(1)?, known))
    }
}

/// The case after the last one, when most of a question's cases were stored
/// one after the other.
fn next(found: &[Option<(i64, KnownCase)>]) -> Option<i64> {
    let mut last = None;
    let mut in_order = 0;
    for (number, _) in found.iter().flatten() {
        in_order += usize::from(last.is_some_and(|last: i64| last + 1 == *number));
        last = Some(*number);
    }
    last.filter(|_| in_order * 2 >= found.len())
        .map(|last| last + 1)
}

impl LedgerReader {
    /// To look up many keys, question after question.
    pub fn lookups(&self) -> KeyLookup<'_> {
        KeyLookup {
            reader: self,
            next: None,
            range: HashMap::new(),
        }
    }

    /// Whether any case is imported or in doubt, so that asking for
    /// [`Self::same_content`] makes sense.
    pub(crate) fn has_content(&self) -> Result<bool, LedgerError> {
        self.read(|conn| {
            let sql = "SELECT EXISTS (
                         SELECT 1 FROM cases WHERE state IN ('sending', 'imported', 'in_doubt'))";
            conn.query_row(sql, [], |row| row.get(0))
        })
    }

    /// A case, imported or in doubt, with this raw record or with this payload
    /// without its key fields. To be asked for keys that are not known.
    pub(crate) fn same_content(
        &self,
        record: &Digest,
        content: &Digest,
    ) -> Result<Option<SameContent>, LedgerError> {
        // Two statements: each uses its own index.
        for (column, digest) in [("record", record), ("content", content)] {
            let sql = format!(
                "SELECT c.key, c.state, f.name, c.line FROM cases c JOIN files f ON f.no = c.file
                 WHERE c.{column} = ?1 AND c.state IN ('sending', 'imported', 'in_doubt')
                 ORDER BY c.no LIMIT 1"
            );
            let same = self.read(|conn| {
                conn.prepare_cached(&sql)?
                    .query_row([half(digest)], |row| {
                        Ok(SameContent {
                            key: row.get(0)?,
                            state: self.shown(row.get(1)?),
                            file: row.get(2)?,
                            line: row.get(3)?,
                        })
                    })
                    .optional()
            })?;
            if same.is_some() {
                return Ok(same);
            }
        }
        Ok(None)
    }

    /// The state as readers see it.
    pub(super) fn shown(&self, state: State) -> State {
        if self.orphaned && state == State::Sending {
            State::InDoubt
        } else {
            state
        }
    }
}
