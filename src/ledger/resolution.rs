//! The user's word on cases: the only way out of a doubt beside a proof, and
//! the only way back from imported. Each is kept with who and when, and can be
//! taken back until the case is tried again.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::file::{Ledger, LedgerReader};
use super::values::At;
use super::{LedgerError, claim};
use crate::model::{Key, State};

/// What a person says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is on the platform.
    Imported {
        /// Under this id, if known.
        case_id: Option<String>,
    },
    /// It is not on the platform.
    NotImported,
    /// It was, and is gone.
    Removed,
}

/// Why a word on a case, or taking it back, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The ledger has no such case.
    Unknown,
    /// The word is not for cases in this state.
    State(State),
    /// Another case is imported under that id.
    IdHeldBy(Key),
    /// There is no word to take back.
    NothingToUndo,
    /// The case was tried since, so the word can't be taken back.
    AttemptedSince,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the ledger has no case of this key"),
            Self::State(state) => {
                write!(f, "the case is {}", state.as_str().replace('_', " "))
            }
            Self::IdHeldBy(key) => write!(f, "the case id is already held by {key}"),
            Self::NothingToUndo => f.write_str("there is no word to take back"),
            Self::AttemptedSince => f.write_str("the case was tried since"),
        }
    }
}

/// What became of the words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolutionReport {
    /// How many cases they changed.
    pub done: u64,
    /// The others, each with the reason.
    pub refused: Vec<(Key, Refusal)>,
}

/// One word, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionRow {
    /// What was said.
    pub resolution: Resolution,
    /// By whom.
    pub marked_by: String,
    /// When.
    pub marked_at: Timestamp,
    /// What the case was before.
    pub state_before: State,
    /// The platform's id that it had before.
    pub case_id_before: Option<String>,
    /// By whom and when it was taken back.
    pub undone: Option<(String, Timestamp)>,
}

impl Resolution {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Imported { .. } => "imported",
            Self::NotImported => "not_imported",
            Self::Removed => "removed",
        }
    }

    fn parse(word: &str, case_id: Option<String>) -> Self {
        match word {
            "imported" => Self::Imported { case_id },
            "removed" => Self::Removed,
            // The table holds no fourth one.
            _ => Self::NotImported,
        }
    }

    /// The state that the word is for, and the one that it leads to.
    const fn states(&self) -> (State, State) {
        match self {
            Self::Imported { .. } => (State::InDoubt, State::Imported),
            Self::NotImported => (State::InDoubt, State::NotSent),
            Self::Removed => (State::Imported, State::Removed),
        }
    }
}

impl Ledger {
    /// Takes a person's word on some cases. Those that can't be changed are
    /// told, the others are changed all together.
    pub fn resolve(
        &mut self,
        words: &[(Key, Resolution)],
        who: &str,
        at: Timestamp,
    ) -> Result<ResolutionReport, LedgerError> {
        self.change(words.iter().map(|(key, word)| (key, Some(word))), who, at)
    }

    /// Takes back the last word on each of some cases.
    pub fn undo(
        &mut self,
        keys: &[Key],
        who: &str,
        at: Timestamp,
    ) -> Result<ResolutionReport, LedgerError> {
        self.change(keys.iter().map(|key| (key, None)), who, at)
    }

    fn change<'a>(
        &mut self,
        words: impl Iterator<Item = (&'a Key, Option<&'a Resolution>)>,
        who: &str,
        at: Timestamp,
    ) -> Result<ResolutionReport, LedgerError> {
        self.write(|conn| {
            let mut report = ResolutionReport::default();
            for (key, word) in words {
                let done = match word {
                    Some(word) => apply(conn, key, word, who, at)?,
                    None => undo(conn, key, who, at)?,
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

/// The part of a case that words are about.
struct CaseStatus {
    no: i64,
    state: State,
    case_id: Option<String>,
    updated_at: At,
    attempts: i64,
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

fn set(
    conn: &Connection,
    no: i64,
    state: State,
    case_id: Option<&str>,
    at: &At,
) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE cases SET state = ?2, case_id = ?3, updated_at = ?4 WHERE no = ?1")?
        .execute(params![no, state, case_id, at])
        .map(drop)
}

fn apply(
    conn: &Connection,
    key: &Key,
    word: &Resolution,
    who: &str,
    at: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    let Some(case) = case_status(conn, key)? else {
        return Ok(Err(Refusal::Unknown));
    };
    let (from, to) = word.states();
    if case.state != from {
        return Ok(Err(Refusal::State(case.state)));
    }
    let case_id = match word {
        Resolution::Imported { case_id } => case_id.as_deref(),
        Resolution::NotImported | Resolution::Removed => None,
    };
    if let Some(other) = held_by_another(conn, case_id, case.no)? {
        return Ok(Err(other));
    }
    conn.prepare_cached(
        "INSERT INTO resolutions (case_no, resolution, case_id, marked_by, marked_at, state_before,
                            case_id_before, updated_at_before, attempts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        case.no,
        word.as_str(),
        case_id,
        who,
        At(at),
        case.state,
        case.case_id,
        case.updated_at,
        case.attempts
    ])?;
    set(conn, case.no, to, case_id, &At(at))?;
    Ok(Ok(()))
}

fn undo(
    conn: &Connection,
    key: &Key,
    who: &str,
    at: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    let Some(case) = case_status(conn, key)? else {
        return Ok(Err(Refusal::Unknown));
    };
    let last: Option<(i64, State, Option<String>, At, i64)> = conn
        .prepare_cached(
            "SELECT no, state_before, case_id_before, updated_at_before, attempts FROM resolutions
             WHERE case_no = ?1 AND undone_at IS NULL ORDER BY no DESC LIMIT 1",
        )?
        .query_row([case.no], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })
        .optional()?;
    let Some((word, state, case_id, updated_at, attempts)) = last else {
        return Ok(Err(Refusal::NothingToUndo));
    };
    if attempts != case.attempts {
        return Ok(Err(Refusal::AttemptedSince));
    }
    if let Some(other) = held_by_another(conn, case_id.as_deref(), case.no)? {
        return Ok(Err(other));
    }
    conn.prepare_cached("UPDATE resolutions SET undone_by = ?2, undone_at = ?3 WHERE no = ?1")?
        .execute(params![word, who, At(at)])?;
    // With its time, since a doubt's age counts.
    set(conn, case.no, state, case_id.as_deref(), &updated_at)?;
    Ok(Ok(()))
}

fn held_by_another(
    conn: &Connection,
    case_id: Option<&str>,
    but: i64,
) -> rusqlite::Result<Option<Refusal>> {
    let Some(id) = case_id else { return Ok(None) };
    Ok(claim::holder_of(conn, id, but)?.map(Refusal::IdHeldBy))
}

impl LedgerReader {
    /// Every word on a case, the first first.
    pub fn resolutions(&self, key: &Key) -> Result<Vec<ResolutionRow>, LedgerError> {
        self.read_resolutions(key)
            .map_err(|error| self.fail(&error))
    }

    fn read_resolutions(&self, key: &Key) -> rusqlite::Result<Vec<ResolutionRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT w.resolution, w.case_id, w.marked_by, w.marked_at, w.state_before, w.case_id_before,
                    w.undone_by, w.undone_at
             FROM cases c JOIN resolutions w ON w.case_no = c.no WHERE c.key_digest = ?1 ORDER BY w.no",
        )?;
        let rows = statement.query_map([key.digest()], |row| {
            let word: String = row.get(0)?;
            let undone_by: Option<String> = row.get(6)?;
            let undone_at: Option<At> = row.get(7)?;
            Ok(ResolutionRow {
                resolution: Resolution::parse(&word, row.get(1)?),
                marked_by: row.get(2)?,
                marked_at: row.get::<_, At>(3)?.0,
                state_before: row.get(4)?,
                case_id_before: row.get(5)?,
                undone: undone_by.zip(undone_at).map(|(by, at)| (by, at.0)),
            })
        })?;
        rows.collect()
    }
}
