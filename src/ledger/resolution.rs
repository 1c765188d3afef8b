//! What users record about cases: beside a proof the only way out of a doubt,
//! and the only way back from imported. Each resolution is kept with who and
//! when, and can be undone until the case is attempted again.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::AtPath as _;
use super::file::{Ledger, LedgerReader};
use super::schema::Millis;
use super::{LedgerError, claim};
use crate::model::{Key, State};

/// What a user records about cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResolveAction {
    /// They are on the platform.
    Imported,
    /// They are not on the platform.
    NotImported,
    /// They were on the platform, and were deleted there.
    Removed,
    /// The last resolution was wrong.
    Undo,
}

impl ResolveAction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::NotImported => "not_imported",
            Self::Removed => "removed",
            Self::Undo => "undo",
        }
    }

    /// The state that it needs, and the one that it leads to.
    const fn states(self) -> Option<(State, State)> {
        match self {
            Self::Imported => Some((State::InDoubt, State::Imported)),
            Self::NotImported => Some((State::InDoubt, State::NotSent)),
            Self::Removed => Some((State::Imported, State::Removed)),
            Self::Undo => None,
        }
    }
}

impl FromSql for ResolveAction {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [Self::Imported, Self::NotImported, Self::Removed]
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// Why a case was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownKey,
    /// The action is not for cases in this state.
    State(State),
    /// Another case is imported under that id.
    IdHeldBy(Key),
    NothingToUndo,
    AttemptedSince,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => f.write_str("no case with this key in the ledger"),
            Self::State(state) => write!(f, "the case is {}", state.label()),
            Self::IdHeldBy(key) => write!(f, "case {key} already has this case id"),
            Self::NothingToUndo => f.write_str("no resolution to undo"),
            Self::AttemptedSince => f.write_str("the case was attempted again since"),
        }
    }
}

/// What became of the cases of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResolutionReport {
    /// How many were changed.
    pub(crate) done: u64,
    /// The others, in the order of the request.
    pub(crate) refused: Vec<(Key, Refusal)>,
}

/// One resolution, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolutionRow {
    /// Never [`ResolveAction::Undo`].
    pub(crate) action: ResolveAction,
    /// The platform's id, where the user named it.
    pub(crate) case_id: Option<String>,
    pub(crate) marked_by: String,
    pub(crate) marked_at: Timestamp,
    /// The platform's id before.
    pub(crate) case_id_before: Option<String>,
    pub(crate) undone: bool,
}

/// The part of a case that resolutions are about.
struct CaseStatus {
    no: i64,
    state: State,
    case_id: Option<String>,
    updated_at: Millis,
    attempts: i64,
}

impl Ledger {
    /// Records an action on some cases, each with its id on the platform where
    /// it is known. Cases that it is not for are reported, the others are
    /// changed all together.
    pub(crate) fn resolve(
        &mut self,
        action: ResolveAction,
        cases: &[(Key, Option<String>)],
        who: &str,
        at: Timestamp,
    ) -> Result<ResolutionReport, LedgerError> {
        self.write(|conn| {
            let mut report = ResolutionReport::default();
            for (key, case_id) in cases {
                let done = match (case_status(conn, key)?, action.states()) {
                    (None, _) => Err(Refusal::UnknownKey),
                    (Some(case), None) => undo(conn, &case, who, at)?,
                    (Some(case), Some(states)) => {
                        apply(conn, &case, action, states, case_id.as_deref(), who, at)?
                    }
                };
                match done {
                    Ok(()) => report.done += 1,
                    Err(refusal) => report.refused.push((key.clone(), refusal)),
                }
            }
            Ok(report)
        })
    }
}

fn case_status(conn: &Connection, key: &Key) -> rusqlite::Result<Option<CaseStatus>> {
    conn.prepare_cached(
        "SELECT no, state, case_id, updated_at, attempts FROM cases WHERE key_digest = ?1",
    )?
    .query_row([key.digest()], |row| {
        Ok(CaseStatus {
            no: row.get(0)?,
            state: row.get(1)?,
            case_id: row.get(2)?,
            updated_at: row.get(3)?,
            attempts: row.get(4)?,
        })
    })
    .optional()
}

fn apply(
    conn: &Connection,
    case: &CaseStatus,
    action: ResolveAction,
    (from, to): (State, State),
    case_id: Option<&str>,
    who: &str,
    at: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    if case.state != from {
        return Ok(Err(Refusal::State(case.state)));
    }
    let case_id = case_id.filter(|_| action == ResolveAction::Imported);
    if let Some(refusal) = id_in_use(conn, case_id, case.no)? {
        return Ok(Err(refusal));
    }
    conn.prepare_cached(
        "INSERT INTO resolutions (case_no, resolution, case_id, marked_by, marked_at,
                                  state_before, case_id_before, updated_at_before, attempts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        case.no,
        action.as_str(),
        case_id,
        who,
        Millis(at),
        case.state,
        case.case_id,
        case.updated_at,
        case.attempts
    ])?;
    set_state(conn, case.no, to, case_id, &Millis(at))?;
    Ok(Ok(()))
}

fn undo(
    conn: &Connection,
    case: &CaseStatus,
    who: &str,
    at: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    let last = conn
        .prepare_cached(
            "SELECT no, state_before, case_id_before, updated_at_before, attempts
             FROM resolutions
             WHERE case_no = ?1 AND undone_at IS NULL ORDER BY no DESC LIMIT 1",
        )?
        .query_row([case.no], |row| {
            let before = CaseStatus {
                no: case.no,
                state: row.get(1)?,
                case_id: row.get(2)?,
                updated_at: row.get(3)?,
                attempts: row.get(4)?,
            };
            Ok((row.get::<_, i64>(0)?, before))
        })
        .optional()?;
    let Some((resolution, before)) = last else {
        return Ok(Err(Refusal::NothingToUndo));
    };
    if before.attempts != case.attempts {
        return Ok(Err(Refusal::AttemptedSince));
    }
    let case_id = before.case_id.as_deref();
    if let Some(refusal) = id_in_use(conn, case_id, case.no)? {
        return Ok(Err(refusal));
    }
    conn.prepare_cached("UPDATE resolutions SET undone_by = ?2, undone_at = ?3 WHERE no = ?1")?
        .execute(params![resolution, who, Millis(at)])?;
    // With its time, since the age of a doubt counts.
    set_state(conn, case.no, before.state, case_id, &before.updated_at)?;
    Ok(Ok(()))
}

fn set_state(
    conn: &Connection,
    case_no: i64,
    state: State,
    case_id: Option<&str>,
    at: &Millis,
) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE cases SET state = ?2, case_id = ?3, updated_at = ?4 WHERE no = ?1")?
        .execute(params![case_no, state, case_id, at])
        .map(drop)
}

fn id_in_use(
    conn: &Connection,
    case_id: Option<&str>,
    except_case_no: i64,
) -> rusqlite::Result<Option<Refusal>> {
    let Some(id) = case_id else { return Ok(None) };
    Ok(claim::holder_of(conn, id, except_case_no)?.map(Refusal::IdHeldBy))
}

impl LedgerReader {
    /// Every resolution of a case, the first one first.
    pub(crate) fn resolutions(&self, key: &Key) -> Result<Vec<ResolutionRow>, LedgerError> {
        self.read_resolutions(key).at(&self.path)
    }

    /// The last resolution of a case that was not undone.
    pub(crate) fn last_resolution(&self, key: &Key) -> Result<Option<ResolutionRow>, LedgerError> {
        let resolutions = self.resolutions(key)?.into_iter();
        Ok(resolutions.rev().find(|resolution| !resolution.undone))
    }

    fn read_resolutions(&self, key: &Key) -> rusqlite::Result<Vec<ResolutionRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.resolution, r.case_id, r.marked_by, r.marked_at, r.case_id_before,
                    r.undone_at IS NOT NULL
             FROM cases c JOIN resolutions r ON r.case_no = c.no
             WHERE c.key_digest = ?1 ORDER BY r.no",
        )?;
        let rows = statement.query_map([key.digest()], |row| {
            Ok(ResolutionRow {
                action: row.get(0)?,
                case_id: row.get(1)?,
                marked_by: row.get(2)?,
                marked_at: row.get::<_, Millis>(3)?.0,
                case_id_before: row.get(4)?,
                undone: row.get(5)?,
            })
        })?;
        rows.collect()
    }
}
