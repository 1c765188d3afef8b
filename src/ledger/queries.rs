//! What is asked about cases. `status`, `export` and `resolve` select some of
//! them; a plan asks which of its keys are known.

use std::iter;

use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;
use rusqlite::params;
use rusqlite::types::Value;
use serde::Serialize;

use super::database::{self, Database, Row, as_params, marks};
use super::error::AtPath as _;
use super::file::LedgerReader;
use super::schema::{Json, Millis};
use super::sources::SOURCE;
use super::{LedgerError, RunId, RunStart};
use crate::model::{Digest, Key, State, StateCounts, Verdict};

/// How many rows are read at once.
const PAGE: usize = 500;

/// Which cases: all, narrowed by each part that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CaseFilter {
    /// Only these, in this order.
    pub(crate) keys: Option<Vec<Key>>,
    /// Attempted last by this run.
    pub(crate) run: Option<RunId>,
    pub(crate) states: Option<Vec<State>>,
    /// Read last from a file of this name, as it was given.
    pub(crate) file: Option<String>,
    /// Of this source, by its folded name.
    pub(crate) source: Option<String>,
    /// Only cases that were imported after a doubt.
    pub(crate) possible_twin: bool,
    /// Also read payload, raw record and answer.
    pub(crate) with_content: bool,
}

impl CaseFilter {
    pub(crate) fn in_states(states: impl Into<Vec<State>>) -> Self {
        Self {
            states: Some(states.into()),
            ..Self::default()
        }
    }
}

/// One case, with its latest attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseRow {
    pub(crate) key: Key,
    pub(crate) state: State,
    /// The platform's id, when it is imported.
    pub(crate) case_id: Option<String>,
    /// The file that it came from, as it was named; none when a user added it.
    pub(crate) file: Option<String>,
    /// 0 without a file.
    pub(crate) line: u64,
    /// As a spreadsheet counts it; JSON has none.
    pub(crate) row: Option<u64>,
    /// The handling firm; none is a draft.
    pub(crate) partner_firm_id: Option<String>,
    /// The run that attempted it last, if any did.
    pub(crate) run: Option<RunId>,
    pub(crate) attempts: u32,
    /// A success after doubt: there may be two of it.
    pub(crate) possible_twin: bool,
    /// When its state last changed.
    pub(crate) updated_at: Timestamp,
    /// When what was kept of the person was dropped.
    pub(crate) forgotten_at: Option<Timestamp>,
    /// The latest attempt's HTTP status.
    pub(crate) status: Option<u16>,
    /// The latest attempt's answer or error.
    pub(crate) message: Option<String>,
    /// The raw record as JSON, if asked for and kept.
    pub(crate) raw_record: Option<String>,
    /// The payload as JSON, if asked for and kept.
    pub(crate) payload: Option<String>,
    /// The answer that left it in doubt or rejected, if asked for and kept.
    pub(crate) answer: Option<String>,
}

impl CaseRow {
    /// Imported without a partner firm, as far as caseload sent it.
    pub(crate) fn is_draft(&self) -> bool {
        self.state == State::Imported && self.partner_firm_id.is_none() && self.attempts > 0
    }
}

/// One attempt at a case. Its serialized form is part of the output of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AttemptRow {
    pub(crate) run: RunId,
    pub(crate) map_id: String,
    /// The case's state before; `None` when it was new.
    pub(crate) state_before: Option<State>,
    pub(crate) started_at: Timestamp,
    /// Unknown when the run died.
    pub(crate) ended_at: Option<Timestamp>,
    /// `None` while it is in flight.
    #[serde(rename = "outcome")]
    pub(crate) verdict: Option<Verdict>,
    pub(crate) status: Option<u16>,
    /// The case id that came back.
    pub(crate) case_id: Option<String>,
    pub(crate) message: Option<String>,
}

/// A case that the ledger knows. Small: a plan holds one for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCase {
    pub state: State,
    /// Of the payload and firm that were sent last; none when a user added it.
    pub payload_digest: Option<Digest>,
    /// When it was last attempted or resolved.
    pub last_attempt_at: Timestamp,
}

const KNOWN: &str = "SELECT key_digest, no, state, payload_digest, updated_at FROM cases";

/// Looks keys up in the order of an input.
///
/// A re-run asks for its keys in the order in which they were first claimed,
/// and the cases are stored in that order: where it shows, a range of them is
/// read at once, which takes a fraction of the time of a search for each.
#[derive(Debug)]
pub struct KeyLookup<'l> {
    reader: &'l LedgerReader,
    /// The number of the case that the next batch probably begins with.
    next: Option<i64>,
    /// The range read for a batch.
    range: HashMap<Digest, (i64, KnownCase)>,
}

impl LedgerReader {
    /// The cases of a selection, read page by page: in the order in which they
    /// were first claimed, or that of the keys. Unknown keys are passed over.
    pub(crate) fn cases(
        &self,
        filter: &CaseFilter,
    ) -> impl Iterator<Item = Result<CaseRow, LedgerError>> + use<'_> {
        self.pages(filter).flat_map(each)
    }

    /// The same page by page.
    pub(crate) fn pages(
        &self,
        filter: &CaseFilter,
    ) -> impl Iterator<Item = Result<Vec<CaseRow>, LedgerError>> + use<'_> {
        let filter = filter.clone();
        let mut keys = filter.keys.clone().map(Vec::into_iter);
        // After the case of this number, unless the selection is by key.
        let mut after = Some(0);
        iter::from_fn(move || {
            let from = match &mut keys {
                Some(keys) => Value::Blob(keys.next()?.digest().0.to_vec()),
                None => Value::Integer(after?),
            };
            let page = self.page(&filter, from);
            after = match &page {
                Ok(page) if page.len() == PAGE => page.last().map(|(no, _)| *no),
                _ => None,
            };
            Some(page.map(|page| page.into_iter().map(|(_, case)| case).collect()))
        })
    }

    /// Cases with their numbers, from a key or after a number.
    fn page(&self, filter: &CaseFilter, from: Value) -> Result<Vec<(i64, CaseRow)>, LedgerError> {
        // What a filter selects depends on whether a run goes on.
        let _snapshot = self.snapshot()?;
        let (condition, mut values) = self.condition(filter)?;
        values.push(from);
        let (contents, join) = if filter.with_content {
            let join = "LEFT JOIN contents k ON k.case_no = c.no";
            ("k.raw_record, k.payload, k.answer", join)
        } else {
            ("NULL, NULL, NULL", "")
        };
        let next = if filter.keys.is_some() {
            "c.key_digest = ?".to_owned()
        } else {
            format!("c.no > ? ORDER BY c.no LIMIT {PAGE}")
        };
        let sql = format!(
            "SELECT c.no, c.key, c.state, c.case_id, f.name, c.line, c.row, c.partner_firm, a.run,
                    c.attempts, c.possible_twin, c.updated_at, a.status, a.message, {contents},
                    c.forgotten_at
             FROM cases c LEFT JOIN files f ON f.no = c.file
             LEFT JOIN attempts a ON a.case_no = c.no AND a.nth = c.attempts
             {join} WHERE {condition} {next}"
        );
        self.read(|db| {
            db.rows(&sql, &as_params(&values), |row| {
                Ok((row.get(0)?, case_row(row, self)?))
            })
        })
    }

    /// The cases of a selection, all at once.
    pub(crate) fn select(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, LedgerError> {
        self.cases(filter).collect()
    }

    /// One case with its content.
    pub(crate) fn case(&self, key: &Key) -> Result<Option<CaseRow>, LedgerError> {
        let filter = CaseFilter {
            keys: Some(vec![key.clone()]),
            with_content: true,
            ..CaseFilter::default()
        };
        self.cases(&filter).next().transpose()
    }

    /// How many cases of a selection are in each state.
    pub(crate) fn counts(&self, filter: &CaseFilter) -> Result<StateCounts, LedgerError> {
        let mut counts = StateCounts::default();
        for case in self.cases(filter) {
            let case = case?;
            counts.add(case.state, 1);
            counts.possible_twins += u64::from(case.possible_twin);
        }
        Ok(counts)
    }

    /// The SQL of a filter without its keys, ending in `AND`, and its values.
    pub(super) fn condition(
        &self,
        filter: &CaseFilter,
    ) -> Result<(String, Vec<Value>), LedgerError> {
        let mut condition = String::new();
        let mut values = Vec::new();
        if let Some(states) = &filter.states {
            let shown = |&state: &State| Ok((state, self.shown(state)?));
            let shown: database::Result<Vec<_>> = State::ALL.iter().map(shown).collect();
            let shown = shown.at(self.path())?.into_iter();
            let stored = shown.filter(|(_, shown)| states.contains(shown));
            let stored: Vec<State> = stored.map(|(state, _)| state).collect();
            condition = format!("c.state IN ({}) AND ", marks(stored.len()));
            if !stored.contains(&State::Imported) {
                // Makes the partial index of these cases usable.
                condition.push_str("c.state <> 'imported' AND ");
            }
            values.extend(stored.iter().map(|state| state.as_str().to_owned().into()));
        }
        if let Some(run) = filter.run {
            condition.push_str("a.run = ? AND ");
            values.push(run.0.into());
        }
        if let Some(file) = &filter.file {
            condition.push_str("f.name = ? AND ");
            values.push(file.clone().into());
        }
        if let Some(source) = &filter.source {
            condition.push_str(SOURCE);
            condition.push_str(" = ? AND ");
            values.push(source.clone().into());
        }
        if filter.possible_twin {
            condition.push_str("c.possible_twin = 1 AND ");
        }
        Ok((condition, values))
    }

    /// How many cases were imported without a partner firm.
    pub(crate) fn drafts(&self) -> Result<u64, LedgerError> {
        self.read(|db| {
            db.value(
                "SELECT count(*) FROM cases WHERE state = 'imported' AND partner_firm IS NULL
                 AND payload_digest IS NOT NULL",
                params![],
            )
        })
    }

    /// Every attempt at each of these cases, the first one first.
    pub(crate) fn attempts(
        &self,
        keys: &[Digest],
    ) -> Result<HashMap<Digest, Vec<AttemptRow>>, LedgerError> {
        let mut attempts = HashMap::<Digest, Vec<AttemptRow>>::new();
        self.read(|db| {
            let sql = format!(
                "SELECT a.run, r.start, a.state_before, a.started_at, a.ended_at, a.outcome,
                        a.status, a.case_id, a.message, c.key_digest
                 FROM cases c JOIN attempts a ON a.case_no = c.no JOIN runs r ON r.no = a.run
                 WHERE c.key_digest IN ({}) ORDER BY a.nth",
                marks(keys.len())
            );
            db.rows(&sql, &as_params(keys), |row| {
                attempts.entry(row.get(9)?).or_default().push(AttemptRow {
                    run: RunId(row.get(0)?),
                    map_id: row.get::<Json<RunStart>>(1)?.0.map_id,
                    state_before: row.get(2)?,
                    started_at: row.get::<Millis>(3)?.0,
                    ended_at: row.get::<Option<Millis>>(4)?.map(|at| at.0),
                    verdict: row.get(5)?,
                    status: row.get(6)?,
                    case_id: row.get(7)?,
                    message: row.get(8)?,
                });
                Ok(())
            })
        })?;
        Ok(attempts)
    }

    /// To look up many keys, batch after batch.
    pub fn lookups(&self) -> KeyLookup<'_> {
        KeyLookup {
            reader: self,
            next: None,
            range: HashMap::new(),
        }
    }

    /// The state as readers see it.
    pub(super) fn shown(&self, state: State) -> database::Result<State> {
        Ok(match state {
            State::Sending if self.is_orphaned()? => State::InDoubt,
            state => state,
        })
    }

    /// Whether nobody has the right to run in this snapshot.
    pub(super) fn is_orphaned(&self) -> database::Result<bool> {
        let orphaned = self.orphaned.get().map_or_else(|| self.db.is_free(), Ok)?;
        self.orphaned.set(Some(orphaned));
        Ok(orphaned)
    }
}

/// What is on a page, or its error.
pub(crate) fn each<T, E>(page: Result<Vec<T>, E>) -> Vec<Result<T, E>> {
    match page {
        Ok(page) => page.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn case_row(row: &Row<'_>, reader: &LedgerReader) -> database::Result<CaseRow> {
    Ok(CaseRow {
        key: row.get(1)?,
        state: reader.shown(row.get(2)?)?,
        case_id: row.get(3)?,
        file: row.get(4)?,
        line: row.get::<Option<_>>(5)?.unwrap_or_default(),
        row: row.get(6)?,
        partner_firm_id: row.get(7)?,
        run: row.get::<Option<_>>(8)?.map(RunId),
        attempts: row.get(9)?,
        possible_twin: row.get(10)?,
        updated_at: row.get::<Millis>(11)?.0,
        status: row.get(12)?,
        message: row.get(13)?,
        raw_record: row.get(14)?,
        payload: row.get(15)?,
        answer: row.get(16)?,
        forgotten_at: row.get::<Option<Millis>>(17)?.map(|at| at.0),
    })
}

impl KeyLookup<'_> {
    /// What is known of each of these keys; meant for thousands at once.
    pub fn find(&mut self, keys: &[Digest]) -> Result<Vec<Option<KnownCase>>, LedgerError> {
        // Of a file without records there are none.
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.reader;
        let found = reader.read(|db| self.read(db, keys))?;
        Ok(found
            .into_iter()
            .map(|found| found.map(|(_, known)| known))
            .collect())
    }

    fn read(
        &mut self,
        db: &Database,
        keys: &[Digest],
    ) -> database::Result<Vec<Option<(i64, KnownCase)>>> {
        if let Database::Server(_) = db {
            return self.read_at_once(db, keys);
        }
        self.range.clear();
        if let Some(next) = self.next {
            self.read_range(db, next, keys.len())?;
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
        for (key, position) in others {
            found[position] = db.first(&sql, params![key], |row| self.known_case(row))?;
        }
        self.next = next(&found);
        Ok(found)
    }

    /// In one round trip.
    fn read_at_once(
        &self,
        db: &Database,
        keys: &[Digest],
    ) -> database::Result<Vec<Option<(i64, KnownCase)>>> {
        let sql = format!("{KNOWN} WHERE key_digest {}", one_of("bytea"));
        let known = db.rows(&sql, params![digest_array(keys)], |row| {
            Ok((row.get(0)?, self.known_case(row)?))
        })?;
        let known: HashMap<Digest, _> = known.into_iter().collect();
        Ok(keys.iter().map(|key| known.get(key).copied()).collect())
    }

    fn read_range(&mut self, db: &Database, from: i64, count: usize) -> database::Result<()> {
        let sql = format!("{KNOWN} WHERE no >= ?1 ORDER BY no LIMIT ?2");
        let range = db.rows(&sql, params![from, count], |row| {
            Ok((row.get(0)?, self.known_case(row)?))
        })?;
        self.range.extend(range);
        Ok(())
    }

    fn known_case(&self, row: &Row<'_>) -> database::Result<(i64, KnownCase)> {
        let known = KnownCase {
            state: self.reader.shown(row.get(2)?)?,
            payload_digest: row.get(3)?,
            last_attempt_at: row.get::<Millis>(4)?.0,
        };
        Ok((row.get(1)?, known))
    }
}

/// The condition that a column is one of an array, which is the value `?1`. It is
/// read once, and not for each row.
pub(super) fn one_of(kind: &str) -> String {
    format!("= ANY (ARRAY(SELECT unnest(CAST(?1 AS {kind}[]))))")
}

/// Many digests as one value, an array of `PostgreSQL`.
pub(super) fn digest_array(digests: &[Digest]) -> String {
    let items = digests.iter().map(|digest| format!("\"\\\\x{digest}\""));
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

/// The case after the last one, when most of a batch's cases were stored one
/// after the other.
fn next(found: &[Option<(i64, KnownCase)>]) -> Option<i64> {
    let numbers: Vec<i64> = found.iter().flatten().map(|(number, _)| *number).collect();
    let pairs = numbers.windows(2);
    let in_order = pairs.filter(|pair| pair[0] + 1 == pair[1]).count();
    let last = numbers.last()?;
    (in_order * 2 >= found.len()).then_some(last + 1)
}
