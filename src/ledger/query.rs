//! What `status`, `export` and `resolve` ask of cases: one by one, and the
//! attempts at one.

use std::ops::ControlFlow;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Row, params_from_iter};

use super::file::LedgerReader;
use super::values::{At, Number};
use super::{LedgerError, RunId};
use crate::model::{Key, State, StateCounts, Verdict};

/// Which cases are meant: all, narrowed by each part that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseFilter {
    /// These only, in this order.
    pub keys: Option<Vec<Key>>,
    /// Those that this run tried last.
    pub run: Option<RunId>,
    /// Those in one of these states.
    pub states: Option<Vec<State>>,
    /// Those that came last from a file of this name, as it was given.
    pub file: Option<String>,
    /// Those only that were imported after a doubt.
    pub possible_twin: bool,
    /// Payload, raw record and answer are wanted too.
    pub with_content: bool,
}

/// One case, with its latest attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// What names it.
    pub key: Key,
    /// Its state.
    pub state: State,
    /// The platform's id, when it is imported.
    pub case_id: Option<String>,
    /// The file that it came from, as it was named.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// Its position there, from 0.
    pub index: u64,
    /// The handling firm; none is a draft.
    pub partner_firm_id: Option<String>,
    /// The run that tried it last.
    pub run: RunId,
    /// How often it was tried.
    pub attempts: u32,
    /// A success after doubt: there may be two of it.
    pub possible_twin: bool,
    /// When its state last changed; shows itself as ISO 8601 in UTC.
    pub updated_at: Timestamp,
    /// The latest attempt's HTTP status.
    pub status: Option<u16>,
    /// What the latest attempt's answer or error said.
    pub message: Option<String>,
    /// The raw record as JSON, if wanted and kept.
    pub raw: Option<String>,
    /// The payload as JSON, if wanted and kept.
    pub payload: Option<String>,
    /// The answer that left it in doubt or rejected, if wanted and kept.
    pub answer: Option<String>,
}

/// One attempt at a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number, from 1.
    pub nth: u32,
    /// The run that made it.
    pub run: RunId,
    /// The mapping that it went to.
    pub map_id: String,
    /// The case's state before; `None` when it was new.
    pub state_before: Option<State>,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// When it was settled; unknown when the run died.
    pub ended_at: Option<Timestamp>,
    /// What it proved; `None` while it is under way.
    pub verdict: Option<Verdict>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The case id that came back.
    pub case_id: Option<String>,
    /// What the answer or error said.
    pub message: Option<String>,
}

const CASES: &str = "FROM cases c JOIN files f ON f.no = c.file
                     JOIN attempts a ON a.case_no = c.no AND a.nth = c.attempts";

impl LedgerReader {
    /// How many cases of a selection are in each state.
    pub fn counts(&self, filter: &CaseFilter) -> Result<StateCounts, LedgerError> {
        if *filter == CaseFilter::default() {
            return self.count_all().map_err(|error| self.fail(&error));
        }
        let filter = CaseFilter {
            with_content: false,
            ..filter.clone()
        };
        let mut counts = StateCounts::default();
        self.cases(&filter, |case| {
            counts.add(case.state, 1);
            counts.possible_twins += u64::from(case.possible_twin);
            Ok::<_, LedgerError>(())
        })?;
        Ok(counts)
    }

    /// The cases of a selection, all at once.
    pub fn select(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, LedgerError> {
        let mut found = Vec::new();
        self.cases(filter, |case| {
            found.push(case);
            Ok::<_, LedgerError>(())
        })?;
        Ok(found)
    }

    /// Hands out the cases of a selection one by one, until one is refused: in
    /// the order in which they were first claimed, or that of the keys. A key
    /// that is not known is passed over.
    pub fn cases<E: From<LedgerError>>(
        &self,
        filter: &CaseFilter,
        mut each: impl FnMut(CaseRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut refused = None;
        let mut take = |case| match each(case) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        };
        self.read_cases(filter, &mut take)
            .map_err(|error| self.fail(&error))?;
        refused.map_or(Ok(()), Err)
    }

    fn read_cases(
        &self,
        filter: &CaseFilter,
        take: &mut dyn FnMut(CaseRow) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        let (condition, values) = self.condition(filter);
        let (contents, joined) = if filter.with_content {
            (
                "k.raw, k.payload, k.answer",
                "LEFT JOIN contents k ON k.case_no = c.no",
            )
        } else {
            ("NULL, NULL, NULL", "")
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT c.key, c.state, c.case_id, f.name, c.line, c.position, c.partner_firm, a.run,
                    c.attempts, c.possible_twin, c.updated_at, a.status, a.message, {contents}
             {CASES} {joined} WHERE {condition} ORDER BY c.no"
        ))?;
        let Some(keys) = &filter.keys else {
            return self.hand_out(&mut statement, &values, take).map(drop);
        };
        for key in keys {
            let mut values = values.clone();
            values.push(Value::Blob(key.digest().0.to_vec()));
            if self.hand_out(&mut statement, &values, take)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The SQL of a filter and its values; that of a key comes last.
    fn condition(&self, filter: &CaseFilter) -> (String, Vec<Value>) {
        let mut conditions = vec!["TRUE".to_owned()];
        let mut values = Vec::new();
        if let Some(states) = &filter.states {
            let words: Vec<&str> = State::ALL
                .into_iter()
                .filter(|&state| states.contains(&self.shown(state)))
                .map(State::as_str)
                .collect();
            conditions.push(format!(
                "c.state IN ({})",
                vec!["?"; words.len()].join(", ")
            ));
            if !words.contains(&State::Imported.as_str()) {
                // Lets the small index of these cases serve.
                conditions.push("c.state <> 'imported'".to_owned());
            }
            values.extend(words.into_iter().map(|word| Value::Text(word.to_owned())));
        }
        if let Some(run) = filter.run {
            conditions.push("a.run = ?".to_owned());
            values.push(Value::Integer(run.0));
        }
        if let Some(file) = &filter.file {
            conditions.push("f.name = ?".to_owned());
            values.push(Value::Text(file.clone()));
        }
        if filter.possible_twin {
            conditions.push("c.possible_twin".to_owned());
        }
        if filter.keys.is_some() {
            conditions.push("c.key_digest = ?".to_owned());
        }
        (conditions.join(" AND "), values)
    }

    fn hand_out(
        &self,
        statement: &mut CachedStatement<'_>,
        values: &[Value],
        take: &mut dyn FnMut(CaseRow) -> ControlFlow<()>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if take(self.case(row)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn case(&self, row: &Row<'_>) -> rusqlite::Result<CaseRow> {
        Ok(CaseRow {
            key: row.get(0)?,
            state: self.shown(row.get(1)?),
            case_id: row.get(2)?,
            file: row.get(3)?,
            line: row.get::<_, Number>(4)?.0,
            index: row.get::<_, Number>(5)?.0,
            partner_firm_id: row.get(6)?,
            run: RunId(row.get(7)?),
            attempts: row.get(8)?,
            possible_twin: row.get(9)?,
            updated_at: row.get::<_, At>(10)?.0,
            status: row.get(11)?,
            message: row.get(12)?,
            raw: row.get(13)?,
            payload: row.get(14)?,
            answer: row.get(15)?,
        })
    }

    /// Every attempt at a case, the first first.
    pub fn attempts(&self, key: &Key) -> Result<Vec<AttemptRow>, LedgerError> {
        self.read_attempts(key).map_err(|error| self.fail(&error))
    }

    fn read_attempts(&self, key: &Key) -> rusqlite::Result<Vec<AttemptRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT a.nth, a.run, r.map_id, a.state_before, a.started_at, a.ended_at, a.outcome,
                    a.status, a.case_id, a.message
             FROM cases c JOIN attempts a ON a.case_no = c.no JOIN runs r ON r.no = a.run
             WHERE c.key_digest = ?1 ORDER BY a.nth",
        )?;
        let rows = statement.query_map([key.digest()], |row| {
            Ok(AttemptRow {
                nth: row.get(0)?,
                run: RunId(row.get(1)?),
                map_id: row.get(2)?,
                state_before: row.get(3)?,
                started_at: row.get::<_, At>(4)?.0,
                ended_at: row.get::<_, Option<At>>(5)?.map(|at| at.0),
                verdict: row.get::<_, Option<State>>(6)?.and_then(as_verdict),
                status: row.get(7)?,
                case_id: row.get(8)?,
                message: row.get(9)?,
            })
        })?;
        rows.collect()
    }
}

/// The verdict that an attempt's outcome stands for.
fn as_verdict(outcome: State) -> Option<Verdict> {
    match outcome {
        State::Imported => Some(Verdict::Imported),
        State::Rejected => Some(Verdict::Rejected),
        State::NotSent => Some(Verdict::NotSent),
        State::InDoubt => Some(Verdict::InDoubt),
        State::Sending | State::Removed => None,
    }
}
