//! What `status`, `export` and `resolve` ask of cases: selections of them, and
//! the attempts at one.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use serde::Serialize;

use super::error::AtPath as _;
use super::file::LedgerReader;
use super::schema::Millis;
use super::{LedgerError, RunId};
use crate::model::{Key, State, StateCounts, Verdict};

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

    #[must_use]
    pub(crate) fn with_content(mut self) -> Self {
        self.with_content = true;
        self
    }
}

/// One case, with its latest attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseRow {
    pub(crate) key: Key,
    pub(crate) state: State,
    /// The platform's id, when it is imported.
    pub(crate) case_id: Option<String>,
    /// The file that it came from, as it was named.
    pub(crate) file: String,
    pub(crate) line: u64,
    /// The handling firm; none is a draft.
    pub(crate) partner_firm_id: Option<String>,
    /// The run that attempted it last.
    pub(crate) run: RunId,
    pub(crate) attempts: u32,
    /// A success after doubt: there may be two of it.
    pub(crate) possible_twin: bool,
    /// When its state last changed.
    pub(crate) updated_at: Timestamp,
    /// The latest attempt's HTTP status.
    pub(crate) status: Option<u16>,
    /// The latest attempt's answer or error.
    pub(crate) message: Option<String>,
    /// The raw record as JSON, if asked for and kept.
    pub(crate) raw: Option<String>,
    /// The payload as JSON, if asked for and kept.
    pub(crate) payload: Option<String>,
    /// The answer that left it in doubt or rejected, if asked for and kept.
    pub(crate) answer: Option<String>,
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

/// The cases of a selection, read page by page: in the order in which they
/// were first claimed, or that of the keys. Unknown keys are passed over.
#[derive(Debug)]
pub(crate) struct Cases<'r> {
    reader: &'r LedgerReader,
    sql: String,
    values: Vec<Value>,
    keys: Option<std::vec::IntoIter<Key>>,
    page: std::vec::IntoIter<CaseRow>,
    /// The number of the last case of the page.
    last_no: i64,
    ended: bool,
}

impl LedgerReader {
    pub(crate) fn cases(&self, filter: &CaseFilter) -> Cases<'_> {
        let (condition, values) = self.condition(filter);
        let (contents, join) = if filter.with_content {
            let join = "LEFT JOIN contents k ON k.case_no = c.no";
            ("k.raw, k.payload, k.answer", join)
        } else {
            ("NULL, NULL, NULL", "")
        };
        let next = if filter.keys.is_some() {
            "c.key_digest = ?".to_owned()
        } else {
            format!("c.no > ? ORDER BY c.no LIMIT {PAGE}")
        };
        let sql = format!(
            "SELECT c.no, c.key, c.state, c.case_id, f.name, c.line, c.partner_firm, a.run,
                    c.attempts, c.possible_twin, c.updated_at, a.status, a.message, {contents}
             FROM cases c JOIN files f ON f.no = c.file
             JOIN attempts a ON a.case_no = c.no AND a.nth = c.attempts
             {join} WHERE {condition} {next}"
        );
        Cases {
            reader: self,
            sql,
            values,
            keys: filter.keys.clone().map(Vec::into_iter),
            page: Vec::new().into_iter(),
            last_no: 0,
            ended: false,
        }
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
        let filter = CaseFilter {
            with_content: false,
            ..filter.clone()
        };
        let mut counts = StateCounts::default();
        for case in self.cases(&filter) {
            let case = case?;
            counts.add(case.state, 1);
            counts.possible_twins += u64::from(case.possible_twin);
        }
        Ok(counts)
    }

    /// The SQL of a filter without its keys, ending in `AND`, and its values.
    fn condition(&self, filter: &CaseFilter) -> (String, Vec<Value>) {
        let mut condition = String::new();
        let mut values = Vec::new();
        if let Some(states) = &filter.states {
            let stored: Vec<State> = (State::ALL.iter().copied())
                .filter(|&state| states.contains(&self.shown(state)))
                .collect();
            let marks = vec!["?"; stored.len()].join(", ");
            condition = format!("c.state IN ({marks}) AND ");
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
        if filter.possible_twin {
            condition.push_str("c.possible_twin AND ");
        }
        (condition, values)
    }

    /// Every attempt at a case, the first one first.
    pub(crate) fn attempts(&self, key: &Key) -> Result<Vec<AttemptRow>, LedgerError> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT a.run, r.map_id, a.state_before, a.started_at, a.ended_at, a.outcome,
                        a.status, a.case_id, a.message
                 FROM cases c JOIN attempts a ON a.case_no = c.no JOIN runs r ON r.no = a.run
                 WHERE c.key_digest = ?1 ORDER BY a.nth",
            )?
            .query_map([key.digest()], |row| {
                Ok(AttemptRow {
                    run: RunId(row.get(0)?),
                    map_id: row.get(1)?,
                    state_before: row.get(2)?,
                    started_at: row.get::<_, Millis>(3)?.0,
                    ended_at: row.get::<_, Option<Millis>>(4)?.map(|at| at.0),
                    verdict: row.get(5)?,
                    status: row.get(6)?,
                    case_id: row.get(7)?,
                    message: row.get(8)?,
                })
            })?
            .collect()
        })
    }
}

impl Iterator for Cases<'_> {
    type Item = Result<CaseRow, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(case) = self.page.next() {
                return Some(Ok(case));
            }
            if self.ended {
                return None;
            }
            match self.read_page().at(&self.reader.path) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Cases<'_> {
    fn read_page(&mut self) -> rusqlite::Result<Vec<CaseRow>> {
        let mut page = Vec::new();
        let Some(keys) = &mut self.keys else {
            self.read(&Value::Integer(self.last_no), &mut page)?;
            self.ended = page.len() < PAGE;
            return Ok(page);
        };
        let keys: Vec<Key> = keys.by_ref().take(PAGE).collect();
        for key in &keys {
            self.read(&Value::Blob(key.digest().0.to_vec()), &mut page)?;
        }
        self.ended = keys.len() < PAGE;
        Ok(page)
    }

    fn read(&mut self, last_value: &Value, page: &mut Vec<CaseRow>) -> rusqlite::Result<()> {
        let mut statement = self.reader.conn.prepare_cached(&self.sql)?;
        let values = self.values.iter().chain([last_value]);
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            page.push(case_row(row, self.reader)?);
            self.last_no = row.get(0)?;
        }
        Ok(())
    }
}

fn case_row(row: &Row<'_>, reader: &LedgerReader) -> rusqlite::Result<CaseRow> {
    Ok(CaseRow {
        key: row.get(1)?,
        state: reader.shown(row.get(2)?),
        case_id: row.get(3)?,
        file: row.get(4)?,
        line: row.get(5)?,
        partner_firm_id: row.get(6)?,
        run: RunId(row.get(7)?),
        attempts: row.get(8)?,
        possible_twin: row.get(9)?,
        updated_at: row.get::<_, Millis>(10)?.0,
        status: row.get(11)?,
        message: row.get(12)?,
        raw: row.get(13)?,
        payload: row.get(14)?,
        answer: row.get(15)?,
    })
}
