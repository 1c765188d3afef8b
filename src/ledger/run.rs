//! The runs: who, when, with what, and how it ended; and the ledger as a whole.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{ToSql, params};
use serde::{Deserialize, Serialize, Serializer};

use super::database::{self, Database, Statement};
use super::error::{AtPath as _, LedgerErrorKind};
use super::file::LedgerReader;
use super::schema::{Json, Millis};
use super::{LedgerError, MissingAttempts, claim, sources};
use crate::model::{KeyOrigin, State, StateCounts, Totals, local_time};

/// The number of a run, counted from 1 in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One input file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// As given; `-` for standard input.
    pub name: String,
    /// Of its bytes, in hex.
    pub sha256: Option<String>,
    pub records: u64,
}

/// What is known when a run begins. Its serialized form is stored, and part of
/// the output of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStart {
    #[serde(rename = "started_at")]
    pub at: Timestamp,
    pub user: String,
    pub host: String,
    /// The process.
    pub pid: u32,
    pub ci_job: Option<String>,
    /// The version of caseload.
    pub version: String,
    /// Command and flags, without secrets.
    pub command: String,
    pub account: String,
    /// The mapping that every attempt of the run is sent to.
    pub map_id: String,
    /// What the keys of its cases are made of.
    pub keys: KeyOrigin,
    /// Hash and number, where there is a plan.
    pub plan: Option<String>,
    /// In the order of the command.
    pub files: Vec<RunFile>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum RunEnd {
    Finished,
    /// Early, for this reason.
    #[strum(to_string = "stopped: {0}")]
    Stopped(String),
    /// By the user or the system.
    Interrupted,
    /// The process died.
    #[strum(to_string = "ended unexpectedly")]
    Unexpected,
}

impl RunEnd {
    fn parse(text: &str) -> Self {
        match text {
            "finished" => Self::Finished,
            "interrupted" => Self::Interrupted,
            "ended unexpectedly" => Self::Unexpected,
            other => Self::Stopped(other.strip_prefix("stopped: ").unwrap_or(other).to_owned()),
        }
    }
}

impl Serialize for RunEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RunRow {
    #[serde(rename = "run")]
    pub(crate) id: RunId,
    #[serde(flatten)]
    pub(crate) start: RunStart,
    /// Unknown when the process died.
    pub(crate) ended_at: Option<Timestamp>,
    /// `None` while the run goes on.
    #[serde(rename = "ended")]
    pub(crate) end: Option<RunEnd>,
    pub(crate) counts: Option<Totals>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerInfo {
    pub(crate) path: PathBuf,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) created_at: Timestamp,
    pub(crate) counts: StateCounts,
    /// When the last run began.
    pub(crate) last_run_at: Option<Timestamp>,
    /// How many different case ids are imported; 2 means two or more.
    pub(crate) imported_distinct_ids: u8,
    /// Where this machine used it last, if that was elsewhere: it was moved or
    /// copied.
    pub(crate) moved_from: Option<PathBuf>,
    /// What this machine has done with it and it does not know: it is an older
    /// copy, or the other of two copies.
    pub(crate) missing: Option<MissingAttempts>,
}

/// Who runs what, and since when.
impl fmt::Display for RunStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, process {}, ", self.user, self.host, self.pid)?;
        write!(f, "since {} ({})", local_time(self.at), self.command)
    }
}

/// Whether a ledger is in use. Serialized as the run or null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum LockStatus {
    Free,
    /// By a run that has sent nothing yet.
    Held,
    HeldBy(Box<RunStart>),
}

/// Begins a run. Done twice with the same mark it is one.
pub(super) fn begin(
    db: &Database,
    mark: &str,
    start: &RunStart,
    keep_payloads: bool,
) -> database::Result<RunId> {
    let run: i64 = db.value(
        "INSERT INTO runs (mark, start) VALUES (?1, ?2)
         ON CONFLICT (mark) DO UPDATE SET start = excluded.start RETURNING no",
        params![mark, Json(start)],
    )?;
    let (keys, files) = (&start.keys, &start.files);
    let (folded, columns) = (Json(keys.folded_columns()), Json(&keys.columns));
    let keys: [&dyn ToSql; 3] = [&keys.source, &folded, &columns];
    let positions: Vec<usize> = (0..files.len()).collect();
    let files = positions.iter().zip(files);
    let files: Vec<[&dyn ToSql; 3]> = files
        .map(|(position, file)| [&run as _, position as _, &file.name as _])
        .collect();
    let forget_keys = sources::forget_unused();
    let mut statements: Vec<Statement<'_>> = Vec::new();
    if !keep_payloads {
        // Of cases that a user marked as imported, which could be undone until now.
        let sql = "DELETE FROM contents
                   WHERE (SELECT state FROM cases WHERE no = case_no) = 'imported'";
        statements.push((sql, &[]));
    }
    if !start.keys.columns.is_empty() {
        statements.extend([(sources::RECORD, &keys[..]), (&forget_keys, &keys[..2])]);
    }
    let sql = "INSERT INTO files (run, position, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    statements.extend(files.iter().map(|file| (sql, &file[..])));
    db.execute_in_run(&statements)?;
    if let Database::Server(server) = db {
        server.claims.set(0);
        server.run.replace(Some(mark.to_owned()));
    }
    Ok(RunId(run))
}

/// The name of the latest attempt of the latest run.
pub(super) fn latest_attempt(db: &Database) -> database::Result<Option<String>> {
    if let Database::Server(server) = db {
        let run = server.run.borrow();
        let attempt = |mark| format!("{mark}-{}", server.claims.get());
        return Ok(run.as_ref().map(attempt));
    }
    let sql = "SELECT mark || '-' || claims FROM runs ORDER BY no DESC LIMIT 1";
    db.first(sql, params![], |row| row.get(0))
}

/// Ends a run, and returns how many of its cases are in doubt because their
/// claims were not settled.
pub(super) fn end(
    db: &Database,
    run: RunId,
    totals: &Totals,
    end: &RunEnd,
    at: Timestamp,
) -> database::Result<u64> {
    let [attempts, cases] = claim::RECOVER.map(|sql| (sql, params![]));
    let changed = db.execute_in_run(&[
        (
            "UPDATE runs SET ended_at = ?2, ended = ?3, counts = ?4 WHERE no = ?1",
            params![run.0, Millis(at), end.to_string(), Json(totals)],
        ),
        attempts,
        cases,
    ])?;
    Ok(changed[2])
}

/// Marks the runs whose processes died.
pub(super) const RECOVER: &str = "UPDATE runs SET ended = 'ended unexpectedly' WHERE ended IS NULL";

/// Whether every run has ended, or was marked as dead.
pub(super) fn all_ended(db: &Database) -> database::Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM runs WHERE ended IS NULL)";
    db.value(sql, params![])
}

impl LedgerReader {
    /// The latest runs, newest first.
    pub(crate) fn runs(&self, limit: usize) -> Result<Vec<RunRow>, LedgerError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|db| {
            let sql =
                "SELECT no, start, ended_at, ended, counts FROM runs ORDER BY no DESC LIMIT ?1";
            db.rows(sql, params![limit], |row| {
                let ended: Option<String> = row.get(3)?;
                Ok(RunRow {
                    id: RunId(row.get(0)?),
                    start: row.get::<Json<_>>(1)?.0,
                    ended_at: row.get::<Option<Millis>>(2)?.map(|at| at.0),
                    end: match ended {
                        Some(text) => Some(RunEnd::parse(&text)),
                        None => self.is_orphaned()?.then_some(RunEnd::Unexpected),
                    },
                    counts: row.get::<Option<Json<_>>>(4)?.map(|counts| counts.0),
                })
            })
        })
    }

    pub(crate) fn info(&self) -> Result<LedgerInfo, LedgerError> {
        let _snapshot = self.snapshot()?;
        // Imported cases are the total less all others, so that no row is read.
        let sql = "SELECT id, account, created_at,
                          (SELECT count(*) FROM (
                             SELECT DISTINCT case_id FROM cases WHERE case_id IS NOT NULL LIMIT 2
                           ) AS ids),
                          (SELECT start FROM runs ORDER BY no DESC LIMIT 1),
                          (SELECT count(*) FROM cases WHERE possible_twin = 1),
                          (SELECT count(*) FROM cases), state, number
                   FROM ledger LEFT JOIN (
                     SELECT state, count(*) AS number FROM cases
                     WHERE state <> 'imported' GROUP BY state) AS others ON 1 = 1";
        let (mut counts, mut cases) = (StateCounts::default(), 0);
        let mut rows = self.read(|db| {
            db.rows(sql, params![], |row| {
                if let Some(state) = row.get(7)? {
                    counts.add(self.shown(state)?, row.get(8)?);
                }
                (counts.possible_twins, cases) = (row.get(5)?, row.get(6)?);
                Ok(LedgerInfo {
                    path: self.path().to_path_buf(),
                    id: row.get(0)?,
                    account: row.get(1)?,
                    created_at: row.get::<Millis>(2)?.0,
                    counts: StateCounts::default(),
                    last_run_at: (row.get::<Option<Json<RunStart>>>(4)?).map(|start| start.0.at),
                    imported_distinct_ids: row.get(3)?,
                    moved_from: None,
                    missing: None,
                })
            })
        })?;
        let info = rows.pop().ok_or(LedgerErrorKind::NotALedger);
        let mut info = info.at(self.path())?;
        counts.add(State::Imported, cases - counts.total());
        info.counts = counts;
        let _ = self.names.set((info.id.clone(), info.account.clone()));
        if let Some(record) = self.records.as_ref().and_then(|all| all.of(&info.id)) {
            info.missing = self.missing(&record)?;
            info.moved_from = Some(record.path).filter(|path| *path != self.recorded_path());
        }
        Ok(info)
    }
}
