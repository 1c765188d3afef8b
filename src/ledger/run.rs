//! The runs: who, when, with what, and how it ended.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Serialize, Serializer};

use super::file::LedgerReader;
use super::schema::Millis;
use super::{LedgerError, LedgerOptions, claim, system};
use crate::model::Totals;

/// The number of a run, counted from 1 in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One input file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFile {
    /// As given; `-` for standard input.
    pub name: String,
    /// Of its bytes, in hex.
    pub sha256: Option<String>,
    pub records: u64,
}

/// What is known when a run begins. Its serialized form is part of the output
/// of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStart {
    #[serde(rename = "started_at")]
    pub at: Timestamp,
    pub user: String,
    pub host: String,
    pub ci_job: Option<String>,
    /// The version of caseload.
    pub version: String,
    /// Command and flags, without secrets.
    pub command: String,
    pub account: String,
    /// The mapping that every attempt of the run is sent to.
    pub map_id: String,
    /// Hash and number, where there is a plan.
    pub plan: Option<String>,
    /// In the order of the command.
    pub files: Vec<RunFile>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    Finished,
    /// Early, for this reason.
    Stopped(String),
    /// By the user or the system.
    Interrupted,
    /// The process died.
    Unexpected,
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Stopped(reason) => write!(f, "stopped: {reason}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Unexpected => f.write_str("ended unexpectedly"),
        }
    }
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

/// Begins a run, and notes where the ledger is used now.
pub(super) fn begin(
    conn: &Connection,
    path: &str,
    file_id: i64,
    start: &RunStart,
    options: LedgerOptions,
) -> rusqlite::Result<RunId> {
    conn.execute(
        "UPDATE ledger SET home_host = ?1, home_path = ?2, home_file = ?3",
        params![system::host_name(), path, file_id],
    )?;
    if !options.keep_payloads {
        // Of cases that a user marked as imported, which could be undone until now.
        conn.execute(
            "DELETE FROM contents
             WHERE (SELECT state FROM cases WHERE no = case_no) = 'imported'",
            [],
        )?;
    }
    conn.execute(
        "INSERT INTO runs (started_at, user, host, ci_job, version, command, account, map_id, plan)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            Millis(start.at),
            start.user,
            start.host,
            start.ci_job,
            start.version,
            start.command,
            start.account,
            start.map_id,
            start.plan
        ],
    )?;
    let run = conn.last_insert_rowid();
    let mut insert = conn.prepare(
        "INSERT INTO files (run, position, name, sha256, records) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, file) in start.files.iter().enumerate() {
        insert.execute(params![run, position, file.name, file.sha256, file.records])?;
    }
    Ok(RunId(run))
}

/// Ends a run, and returns how many of its cases are in doubt because their
/// claims were not settled.
pub(super) fn end(
    conn: &Connection,
    run: RunId,
    totals: &Totals,
    end: &RunEnd,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    let totals = serde_json::to_string(totals)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    conn.execute(
        "UPDATE runs SET ended_at = ?2, ended = ?3, counts = ?4 WHERE no = ?1",
        params![run.0, Millis(at), end.to_string(), totals],
    )?;
    claim::recover(conn)
}

/// Marks the runs whose processes died.
pub(super) fn recover(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "UPDATE runs SET ended = ?1 WHERE ended IS NULL",
        [RunEnd::Unexpected.to_string()],
    )
    .map(drop)
}

impl LedgerReader {
    /// The latest runs, newest first.
    pub(crate) fn runs(&self, limit: usize) -> Result<Vec<RunRow>, LedgerError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|conn| {
            let mut files = read_files(conn, limit)?;
            conn.prepare_cached(
                "SELECT no, started_at, ended_at, ended, user, host, ci_job, version, command,
                        account, map_id, plan, counts
                 FROM runs ORDER BY no DESC LIMIT ?1",
            )?
            .query_map([limit], |row| {
                let no = row.get(0)?;
                let ended: Option<String> = row.get(3)?;
                let counts: Option<String> = row.get(12)?;
                Ok(RunRow {
                    id: RunId(no),
                    start: RunStart {
                        at: row.get::<_, Millis>(1)?.0,
                        user: row.get(4)?,
                        host: row.get(5)?,
                        ci_job: row.get(6)?,
                        version: row.get(7)?,
                        command: row.get(8)?,
                        account: row.get(9)?,
                        map_id: row.get(10)?,
                        plan: row.get(11)?,
                        files: files.remove(&no).unwrap_or_default(),
                    },
                    ended_at: row.get::<_, Option<Millis>>(2)?.map(|at| at.0),
                    end: match ended {
                        Some(text) => Some(RunEnd::parse(&text)),
                        None => self.orphaned.then_some(RunEnd::Unexpected),
                    },
                    counts: counts.and_then(|text| serde_json::from_str(&text).ok()),
                })
            })?
            .collect()
        })
    }
}

/// The files of the latest runs, by run.
fn read_files(conn: &Connection, limit: i64) -> rusqlite::Result<BTreeMap<i64, Vec<RunFile>>> {
    let mut files: BTreeMap<i64, Vec<RunFile>> = BTreeMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT run, name, sha256, records FROM files
         WHERE run IN (SELECT no FROM runs ORDER BY no DESC LIMIT ?1) ORDER BY run, position",
    )?;
    let mut rows = statement.query([limit])?;
    while let Some(row) = rows.next()? {
        files.entry(row.get(0)?).or_default().push(RunFile {
            name: row.get(1)?,
            sha256: row.get(2)?,
            records: row.get(3)?,
        });
    }
    Ok(files)
}
