//! The runs: who, when, with what, and how it ended; and the ledger as a whole.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize, Serializer};

use super::database::{self, Database};
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
    db.keep_lock()?;
    if !keep_payloads {
        // Of cases that a user marked as imported, which could be undone until now.
        db.execute(
            "DELETE FROM contents
             WHERE (SELECT state FROM cases WHERE no = case_no) = 'imported'",
            params![],
        )?;
    }
    sources::record(db, &start.keys)?;
    let run: i64 = db.value(
        "INSERT INTO runs (mark, start) VALUES (?1, ?2)
         ON CONFLICT (mark) DO UPDATE SET start = excluded.start RETURNING no",
        params![mark, Json(start)],
    )?;
    for (position, file) in start.files.iter().enumerate() {
        db.execute(
            "INSERT INTO files (run, position, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![run, position, file.name],
        )?;
    }
    if let Database::Server(server) = db {
        server.claims.set(0);
        server.latest_attempt.replace(Some(format!("{mark}-0")));
    }
    Ok(RunId(run))
}

/// The name of the latest attempt of the latest run.
pub(super) fn latest_attempt(db: &Database) -> database::Result<Option<String>> {
    if let Database::Server(server) = db {
        return Ok(server.latest_attempt.borrow().clone());
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
    db.keep_lock()?;
    db.execute(
        "UPDATE runs SET ended_at = ?2, ended = ?3, counts = ?4 WHERE no = ?1",
        params![run.0, Millis(at), end.to_string(), Json(totals)],
    )?;
    claim::recover(db)
}

/// Marks the runs whose processes died.
pub(super) fn recover(db: &Database) -> database::Result<()> {
    db.execute(
        "UPDATE runs SET ended = ?1 WHERE ended IS NULL",
        params![RunEnd::Unexpected.to_string()],
    )
    .map(drop)
}

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
                        None => self.orphaned.get().then_some(RunEnd::Unexpected),
                    },
                    counts: row.get::<Option<Json<_>>>(4)?.map(|counts| counts.0),
                })
            })
        })
    }

    pub(crate) fn info(&self) -> Result<LedgerInfo, LedgerError> {
        let _snapshot = self.snapshot()?;
        let last_run = self.runs(1)?.pop();
        let record = self.record()?;
        let missing = record.as_ref().map(|record| self.missing(record));
        let missing = missing.transpose()?.flatten();
        let moved_from = record.map(|record| record.path);
        let moved_from = moved_from.filter(|path| *path != self.recorded_path());
        self.read(|db| {
            let counts = self.count_all(db)?;
            db.one(
                "SELECT id, account, created_at,
                        (SELECT count(*) FROM (
                           SELECT DISTINCT case_id FROM cases WHERE case_id IS NOT NULL LIMIT 2
                         ) AS ids)
                 FROM ledger",
                params![],
                |row| {
                    Ok(LedgerInfo {
                        path: self.path().to_path_buf(),
                        id: row.get(0)?,
                        account: row.get(1)?,
                        created_at: row.get::<Millis>(2)?.0,
                        counts,
                        last_run_at: last_run.as_ref().map(|run| run.start.at),
                        imported_distinct_ids: row.get(3)?,
                        moved_from: moved_from.clone(),
                        missing: missing.clone(),
                    })
                },
            )
        })
    }

    /// Imported cases are the total less all others, so that no row is read.
    fn count_all(&self, db: &Database) -> database::Result<StateCounts> {
        let count = |sql| db.value::<u64>(sql, params![]);
        let mut counts = StateCounts::default();
        counts.possible_twins = count("SELECT count(*) FROM cases WHERE possible_twin = 1")?;
        let sql = "SELECT state, count(*) FROM cases WHERE state <> 'imported' GROUP BY state";
        for (state, cases) in db.rows(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))? {
            counts.add(self.shown(state), cases);
        }
        let imported = count("SELECT count(*) FROM cases")? - counts.total();
        counts.add(State::Imported, imported);
        Ok(counts)
    }
}
