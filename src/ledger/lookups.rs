//! What the plan asks first: which of its keys are known. Batch behind batch,
//! since a plan may hold millions.

use foldhash::{HashMap, HashMapExt as _};
use rusqlite::Row;

use super::LedgerError;
use super::file::LedgerReader;
use super::plan::KnownCase;
use super::values::{At, Number};
use crate::model::Digest;

const KNOWN: &str = "SELECT key_digest, no, state, payload_digest, possible_twin, attempts, \
                     updated_at FROM cases";

/// Looks keys up in the order of an input.
///
/// A re-run asks for its keys in the order in which they were first claimed,
/// and the cases lie in the file in that order: where it shows, they are read
/// along with the question, which takes a fraction of a search for each.
#[derive(Debug)]
pub struct KeyLookup<'l> {
    reader: &'l LedgerReader,
    /// The case that the next question probably begins with.
    next: Option<i64>,
    /// The cases read along with a question.
    along: HashMap<Digest, (i64, KnownCase)>,
}

impl LedgerReader {
    /// To look many keys up, question after question.
    pub fn lookups(&self) -> KeyLookup<'_> {
        KeyLookup {
            reader: self,
            next: None,
            along: HashMap::new(),
        }
    }
}

impl<'l> KeyLookup<'l> {
    /// The ledger that is asked.
    pub fn reader(&self) -> &'l LedgerReader {
        self.reader
    }

    /// What is known of each of these keys; some thousands at once are best.
    pub fn find(&mut self, keys: &[Digest]) -> Result<Vec<Option<KnownCase>>, LedgerError> {
        let found = self.read(keys).map_err(|error| self.reader.fail(&error))?;
        Ok(found
            .into_iter()
            .map(|found| found.map(|(_, known)| known))
            .collect())
    }

    fn read(&mut self, keys: &[Digest]) -> rusqlite::Result<Vec<Option<(i64, KnownCase)>>> {
        self.along.clear();
        if let Some(next) = self.next {
            self.read_along(next, keys.len())?;
        }
        let mut found: Vec<_> = keys
            .iter()
            .map(|key| self.along.get(key).copied())
            .collect();
        // In the order of the index, so that neighbours are found together.
        let mut others: Vec<(Digest, usize)> = keys
            .iter()
            .zip(&found)
            .enumerate()
            .filter(|(_, (_, found))| found.is_none())
            .map(|(position, (key, _))| (*key, position))
            .collect();
        others.sort_unstable();
        let one = format!("{KNOWN} WHERE key_digest = ?1");
        let mut statement = self.reader.conn.prepare_cached(&one)?;
        for (key, position) in others {
            let mut rows = statement.query([key])?;
            if let Some(row) = rows.next()? {
                found[position] = Some(self.case(row)?);
            }
        }
        self.next = next(&found);
        Ok(found)
    }

    fn read_along(&mut self, from: i64, count: usize) -> rusqlite::Result<()> {
        let some = format!("{KNOWN} WHERE no >= ?1 ORDER BY no LIMIT ?2");
        let mut statement = self.reader.conn.prepare_cached(&some)?;
        let mut rows = statement.query((from, Number(count as u64)))?;
        while let Some(row) = rows.next()? {
            let case = self.case(row)?;
            self.along.insert(row.get(0)?, case);
        }
        Ok(())
    }

    fn case(&self, row: &Row<'_>) -> rusqlite::Result<(i64, KnownCase)> {
        let known = KnownCase {
            state: self.reader.shown(row.get(2)?),
            payload_digest: row.get(3)?,
            possible_twin: row.get(4)?,
            attempts: row.get(5)?,
            last_attempt_at: row.get::<_, At>(6)?.0,
        };
        Ok((row.get(1)?, known))
    }
}

/// The case behind the last one, where most of a question's cases lie one
/// behind the other.
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
