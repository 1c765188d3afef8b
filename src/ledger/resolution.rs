//! What users record about cases: besides proof the only way out of doubt, and
//! the only way back from imported. Each resolution is kept with who and
//! when, and can be undone until the case is attempted again.

use foldhash::HashMap;
use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

use super::database::{self, Database, as_params, marks};
use super::file::{Ledger, LedgerReader};
use super::look_alikes::Salt;
use super::schema::Millis;
use super::{LedgerError, claim, records, sources};
use crate::model::{Digest, Key, State};

/// What a user records about cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr, strum::EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state that it leads to from this one, if it is for such cases. One
    /// that is known not to exist, and was entered by hand since, has an id.
    pub(crate) const fn state_after(self, state: State, has_id: bool) -> Option<State> {
        match (self, state) {
            (Self::Imported, State::InDoubt) => Some(State::Imported),
            (Self::Imported, State::Rejected | State::NotSent | State::Removed) if has_id => {
                Some(State::Imported)
            }
            (Self::NotImported, State::InDoubt) => Some(State::NotSent),
            (Self::Removed, State::Imported) => Some(State::Removed),
            _ => None,
        }
    }
}

/// Why a case was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no case with this key in the ledger")]
    UnknownKey,
    /// The action is not for cases in this state.
    #[error("the case is {}", .0.label())]
    State(State),
    /// Another case is imported under that id.
    #[error("case {0} already has this case id")]
    IdHeldBy(Key),
    #[error("no resolution to undo")]
    NothingToUndo,
    #[error("the case was attempted again since")]
    AttemptedSince,
}

/// What became of the cases of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResolutionReport {
    /// How many were changed.
    pub(crate) done: u64,
    /// The others, in the order of the request.
    pub(crate) refused: Vec<(Key, Refusal)>,
}

/// One resolution, as it is kept. Its serialized form is part of the output of
/// `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ResolutionRow {
    /// Never [`ResolveAction::Undo`].
    #[serde(rename = "resolution")]
    pub(crate) action: ResolveAction,
    /// The platform's id, where the user named it.
    pub(crate) case_id: Option<String>,
    pub(crate) marked_by: String,
    pub(crate) marked_at: Timestamp,
    /// The platform's id before.
    pub(crate) case_id_before: Option<String>,
}

impl Ledger {
    /// Records an action on some cases, each with its id on the platform where
    /// it is known. Cases that it is not for are reported, the others are
    /// changed all together. An imported case that the ledger does not know was
    /// entered by hand, or by a ledger that was lost: it is added.
    pub(crate) fn resolve(
        &mut self,
        action: ResolveAction,
        cases: &[(Key, Option<String>)],
        who: &str,
        at: Timestamp,
    ) -> Result<ResolutionReport, LedgerError> {
        let by = Author {
            who,
            at,
            mark: &records::new_mark(),
        };
        let report = self.write(|db| {
            let mut report = ResolutionReport::default();
            for (key, case_id) in cases {
                let case_id = case_id.as_deref();
                let done = match find(db, key)? {
                    None if action == ResolveAction::Imported => add(db, key, case_id, &by)?,
                    None => Err(Refusal::UnknownKey),
                    Some(case) if action == ResolveAction::Undo => undo(db, &case, &by)?,
                    Some(case) => match action.state_after(case.state, case_id.is_some()) {
                        Some(to) => apply(db, case.no, action, to, case_id, &by)?,
                        None => Err(Refusal::State(case.state)),
                    },
                };
                match done {
                    Ok(()) => report.done += 1,
                    Err(refusal) => report.refused.push((key.clone(), refusal)),
                }
            }
            Ok(report)
        })?;
        if report.done > 0 {
            self.reader.remember(Some(by.mark.to_owned()));
        }
        Ok(report)
    }
}

/// Who resolves cases, when, and the mark of the command.
struct Author<'a> {
    who: &'a str,
    at: Timestamp,
    mark: &'a str,
}

/// The part of a case that decides about a resolution.
struct CaseStatus {
    no: i64,
    state: State,
    attempts: i64,
}

fn find(db: &Database, key: &Key) -> database::Result<Option<CaseStatus>> {
    // The transaction of a file keeps everybody else out.
    let for_update = match db {
        Database::File { .. } => "",
        Database::Server(_) => "FOR UPDATE",
    };
    let sql = format!("SELECT no, state, attempts FROM cases WHERE key_digest = ?1 {for_update}");
    db.first(&sql, params![key.digest()], |row| {
        Ok(CaseStatus {
            no: row.get(0)?,
            state: row.get(1)?,
            attempts: row.get(2)?,
        })
    })
}

fn add(
    db: &Database,
    key: &Key,
    case_id: Option<&str>,
    by: &Author<'_>,
) -> database::Result<Result<(), Refusal>> {
    if let Some(other) = claim::holder_of(db, case_id, 0)? {
        return Ok(Err(Refusal::IdHeldBy(other)));
    }
    sources::record_source(db, key)?;
    let salt = Salt::of(db)?;
    let case_no: i64 = db.value(
        "INSERT INTO cases (key_digest, key, folded_key, state, case_id, attempts, updated_at)
         VALUES (?1, ?2, ?3, 'imported', ?4, 0, ?5) RETURNING no",
        params![
            key.digest(),
            key,
            salt.folded_key(key),
            case_id,
            Millis(by.at)
        ],
    )?;
    db.execute(
        "INSERT INTO resolutions (case_no, mark, resolution, case_id, marked_by, marked_at,
                                  attempts)
         VALUES (?1, ?2, 'imported', ?3, ?4, ?5, 0)",
        params![case_no, by.mark, case_id, by.who, Millis(by.at)],
    )?;
    Ok(Ok(()))
}

fn apply(
    db: &Database,
    case_no: i64,
    action: ResolveAction,
    state: State,
    case_id: Option<&str>,
    by: &Author<'_>,
) -> database::Result<Result<(), Refusal>> {
    let case_id = case_id.filter(|_| action == ResolveAction::Imported);
    if let Some(other) = claim::holder_of(db, case_id, case_no)? {
        return Ok(Err(Refusal::IdHeldBy(other)));
    }
    db.execute(
        "INSERT INTO resolutions (case_no, mark, resolution, case_id, marked_by, marked_at,
                                  state_before, case_id_before, updated_at_before, attempts)
         SELECT no, ?2, ?3, ?4, ?5, ?6, state, case_id, updated_at, attempts FROM cases
         WHERE no = ?1",
        params![case_no, by.mark, action, case_id, by.who, Millis(by.at)],
    )?;
    db.execute(
        "UPDATE cases SET state = ?2, case_id = ?3, updated_at = ?4 WHERE no = ?1",
        params![case_no, state, case_id, Millis(by.at)],
    )?;
    Ok(Ok(()))
}

fn undo(
    db: &Database,
    case: &CaseStatus,
    by: &Author<'_>,
) -> database::Result<Result<(), Refusal>> {
    type LastResolution = (i64, Option<State>, Option<String>, i64);
    let last: Option<LastResolution> = db.first(
        "SELECT no, state_before, case_id_before, attempts FROM resolutions
         WHERE case_no = ?1 AND undone_at IS NULL ORDER BY no DESC LIMIT 1",
        params![case.no],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    let Some((resolution, state_before, case_id, attempts)) = last else {
        return Ok(Err(Refusal::NothingToUndo));
    };
    if attempts != case.attempts {
        return Ok(Err(Refusal::AttemptedSince));
    }
    if let Some(other) = claim::holder_of(db, case_id.as_deref(), case.no)? {
        return Ok(Err(Refusal::IdHeldBy(other)));
    }
    db.execute(
        "UPDATE resolutions SET undone_by = ?2, undone_at = ?3, undone_mark = ?4 WHERE no = ?1",
        params![resolution, by.who, Millis(by.at), by.mark],
    )?;
    if state_before.is_none() {
        // The case was added, and is unknown again.
        let sql = "UPDATE resolutions SET case_no = NULL WHERE case_no = ?1";
        db.execute(sql, params![case.no])?;
        db.execute("DELETE FROM cases WHERE no = ?1", params![case.no])?;
        return Ok(Ok(()));
    }
    // Restores the time too, since the age of a doubt counts.
    db.execute(
        "UPDATE cases SET (state, case_id, updated_at) =
           (SELECT state_before, case_id_before, updated_at_before FROM resolutions WHERE no = ?2)
         WHERE no = ?1",
        params![case.no, resolution],
    )?;
    Ok(Ok(()))
}

impl LedgerReader {
    /// The last resolution of each of these cases that was not undone.
    pub(crate) fn last_resolutions(
        &self,
        keys: &[Digest],
    ) -> Result<HashMap<Digest, ResolutionRow>, LedgerError> {
        let rows = self.read(|db| {
            let sql = format!(
                "SELECT r.resolution, r.case_id, r.marked_by, r.marked_at, r.case_id_before,
                        c.key_digest
                 FROM cases c JOIN resolutions r ON r.case_no = c.no
                 WHERE c.key_digest IN ({}) AND r.undone_at IS NULL ORDER BY r.no",
                marks(keys.len())
            );
            db.rows(&sql, &as_params(keys), |row| {
                let resolution = ResolutionRow {
                    action: row.get(0)?,
                    case_id: row.get(1)?,
                    marked_by: row.get(2)?,
                    marked_at: row.get::<Millis>(3)?.0,
                    case_id_before: row.get(4)?,
                };
                Ok((row.get(5)?, resolution))
            })
        })?;
        Ok(rows.into_iter().collect())
    }
}
