//! The life of an attempt in the ledger: claimed, then settled or given back.
//! Plain functions on a connection; whoever calls them commits.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::values::{At, Number, half};
use super::{LedgerError, LedgerOptions, RunId};
use crate::model::{Answer, CaseData, Key, State, Verdict};

/// What a run wants to send.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The case; its place's file is one of those that the run began with.
    pub case: Arc<CaseData>,
    /// The run.
    pub run: RunId,
    /// What the plan, or the attempt before, saw in the ledger.
    pub expected: Option<State>,
    /// The user wants cases in doubt sent once more.
    pub resend_in_doubt: bool,
    /// Now.
    pub at: Timestamp,
}

/// The right to make one attempt at one case: it is on the disk that it may
/// be under way. To be settled or given back; when it is lost, the case is in
/// doubt after the run.
#[must_use = "a claim that is dropped leaves its case in doubt"]
pub struct Claim {
    case: Arc<CaseData>,
    no: i64,
    nth: i64,
    former: Option<Former>,
}

/// Why there is no claim.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// The case is not as the plan saw it, or not to be sent.
    #[error("the case is not to be sent: it is {}", now.map_or("unknown", State::as_str))]
    Refused {
        /// Its state.
        now: Option<State>,
    },
    /// The ledger failed: send nothing more.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What the ledger made of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The case's state now.
    pub state: State,
    /// A success after doubt: there may be two of it.
    pub possible_twin: bool,
    /// The key that already holds the case id that came back.
    pub same_id_as: Option<Key>,
}

/// A known case as it was before its claim: what giving back restores.
struct Former {
    state: State,
    /// Of [`FORMER_COLUMNS`].
    columns: Vec<Value>,
    /// Payload and raw record.
    contents: Option<(Value, Value)>,
}

/// All that a claim changes in a case's row.
const FORMER_COLUMNS: &str = "state, case_id, payload_digest, content, record, file, line, \
                              position, partner_firm, attempts, updated_at";
const FORMER_COUNT: usize = 11;

impl Claim {
    /// The case that may be sent now.
    pub fn case(&self) -> &Arc<CaseData> {
        &self.case
    }

    /// Which attempt at this case it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.nth as u32
    }

    /// Whether the case was in doubt already.
    pub fn after_doubt(&self) -> bool {
        self.state_before() == Some(State::InDoubt)
    }

    fn state_before(&self) -> Option<State> {
        self.former.as_ref().map(|former| former.state)
    }
}

/// Without the payload, which is nobody's business.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("key", &self.case.key)
            .field("attempt", &self.nth)
            .finish_non_exhaustive()
    }
}

/// Whether a case in this state may be sent. In doubt only by the user's will.
fn sendable(state: Option<State>, resend_in_doubt: bool) -> bool {
    match state {
        None | Some(State::Rejected | State::NotSent | State::Removed) => true,
        Some(State::InDoubt) => resend_in_doubt,
        Some(State::Sending | State::Imported) => false,
    }
}

/// Compare and set: the case is `sending`, or there is no claim.
pub(super) fn claim(
    conn: &Connection,
    request: &ClaimRequest,
) -> rusqlite::Result<Result<Claim, Option<State>>> {
    let case = &request.case;
    let known = conn
        .prepare_cached(&format!(
            "SELECT no, attempts, {FORMER_COLUMNS} FROM cases WHERE key_digest = ?1"
        ))?
        .query_row([case.key.digest()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, former(row)?))
        })
        .optional()?;
    let now = known.as_ref().map(|(_, _, former)| former.state);
    if now != request.expected || !sendable(now, request.resend_in_doubt) {
        return Ok(Err(now));
    }
    let file: i64 = conn
        .prepare_cached("SELECT no FROM files WHERE run = ?1 AND position = ?2")?
        .query_row((request.run.0, case.place.file.0), |row| row.get(0))?;
    let (no, nth, former) = match known {
        None => (insert(conn, request, file)?, 1, None),
        Some((no, attempts, mut former)) => {
            former.contents = conn
                .prepare_cached("SELECT payload, raw FROM contents WHERE case_no = ?1")?
                .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            update(conn, request, file, no)?;
            (no, attempts + 1, Some(former))
        }
    };
    conn.prepare_cached(
        "INSERT INTO contents (case_no, payload, raw) VALUES (?1, ?2, ?3)
         ON CONFLICT (case_no) DO UPDATE SET payload = excluded.payload, raw = excluded.raw",
    )?
    .execute(params![no, case.payload, case.raw])?;
    let claim = Claim {
        case: Arc::clone(case),
        no,
        nth,
        former,
    };
    conn.prepare_cached(
        "INSERT INTO attempts (case_no, nth, run, state_before, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        no,
        nth,
        request.run.0,
        claim.state_before(),
        At(request.at)
    ])?;
    Ok(Ok(claim))
}

fn former(row: &Row<'_>) -> rusqlite::Result<Former> {
    Ok(Former {
        state: row.get(2)?,
        columns: (2..2 + FORMER_COUNT)
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<_>>()?,
        contents: None,
    })
}

fn insert(conn: &Connection, request: &ClaimRequest, file: i64) -> rusqlite::Result<i64> {
    let case = &request.case;
    conn.prepare_cached(
        "INSERT INTO cases (key_digest, key, state, payload_digest, content, record, file, line,
                            position, partner_firm, attempts, updated_at)
         VALUES (?1, ?2, 'sending', ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10)",
    )?
    .insert(params![
        case.key.digest(),
        case.key,
        case.payload_digest,
        half(&case.content_digest),
        half(&case.record_digest),
        file,
        Number(case.place.line),
        Number(case.place.index),
        case.partner_firm,
        At(request.at)
    ])
}

fn update(conn: &Connection, request: &ClaimRequest, file: i64, no: i64) -> rusqlite::Result<()> {
    let case = &request.case;
    conn.prepare_cached(
        "UPDATE cases SET state = 'sending', case_id = NULL, payload_digest = ?2, content = ?3,
                record = ?4, file = ?5, line = ?6, position = ?7, partner_firm = ?8,
                attempts = attempts + 1, updated_at = ?9
         WHERE no = ?1",
    )?
    .execute(params![
        no,
        case.payload_digest,
        half(&case.content_digest),
        half(&case.record_digest),
        file,
        Number(case.place.line),
        Number(case.place.index),
        case.partner_firm,
        At(request.at)
    ])
    .map(drop)
}

/// What a case is after an attempt that proved this. A case that was in doubt
/// stays so until it is proved that it exists: a refusal of the second
/// attempt says nothing about the first.
fn state_after(before: Option<State>, proved: Verdict) -> State {
    match (before, proved) {
        (_, Verdict::Imported) => State::Imported,
        (_, Verdict::InDoubt) | (Some(State::InDoubt), _) => State::InDoubt,
        (_, Verdict::Rejected) => State::Rejected,
        (_, Verdict::NotSent) => State::NotSent,
    }
}

/// How a verdict stands in the file: as the state that it leads to by itself.
pub(super) fn as_state(verdict: Verdict) -> State {
    state_after(None, verdict)
}

/// Writes down what came back. `None` when the attempt is not under way.
pub(super) fn settle(
    conn: &Connection,
    claim: &Claim,
    verdict: Verdict,
    answer: &Answer,
    at: Timestamp,
    options: LedgerOptions,
) -> rusqlite::Result<Option<Settlement>> {
    let same_id_as = match (verdict, &answer.case_id) {
        (Verdict::Imported, Some(id)) => holder_of(conn, id, claim.no)?,
        _ => None,
    };
    // One case can't be two of ours: the id is no id, or the server merged them.
    let proved = if same_id_as.is_some() {
        Verdict::InDoubt
    } else {
        verdict
    };
    let state = state_after(claim.state_before(), proved);
    let imported = state == State::Imported;
    let message = match &same_id_as {
        Some(other) => Some(format!("its case id is already held by {other}").into()),
        None => answer.message.clone(),
    };
    let sending = conn
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?3, outcome = ?4, status = ?5, case_id = ?6,
                    message = ?7
             WHERE case_no = ?1 AND nth = ?2 AND outcome IS NULL",
        )?
        .execute(params![
            claim.no,
            claim.nth,
            At(at),
            as_state(proved),
            answer.status,
            answer.case_id,
            message
        ])?;
    if sending == 0 {
        return Ok(None);
    }
    let possible_twin = conn
        .prepare_cached(
            "UPDATE cases SET state = ?2, case_id = ?3, possible_twin = possible_twin OR ?4,
                    updated_at = ?5
             WHERE no = ?1 RETURNING possible_twin",
        )?
        .query_row(
            params![
                claim.no,
                state,
                answer.case_id.as_ref().filter(|_| imported),
                imported && claim.after_doubt(),
                At(at)
            ],
            |row| row.get(0),
        )?;
    if imported && !options.keep_payloads {
        conn.prepare_cached("DELETE FROM contents WHERE case_no = ?1")?
            .execute([claim.no])?;
    } else if matches!(proved, Verdict::InDoubt)
        || (matches!(proved, Verdict::Rejected) && !claim.after_doubt())
    {
        // What a refusal says of a later attempt doesn't replace what there is
        // to know of the doubt.
        conn.prepare_cached("UPDATE contents SET answer = ?2 WHERE case_no = ?1")?
            .execute(params![claim.no, answer.body])?;
    }
    Ok(Some(Settlement {
        state,
        possible_twin,
        same_id_as,
    }))
}

/// The key of another case that is imported under this id. A case that was
/// removed holds none: there is nothing left that could be meant twice.
pub(super) fn holder_of(conn: &Connection, id: &str, but: i64) -> rusqlite::Result<Option<Key>> {
    conn.prepare_cached("SELECT key FROM cases WHERE case_id = ?1 AND no <> ?2 LIMIT 1")?
        .query_row((id, but), |row| row.get(0))
        .optional()
}

/// Takes a claim back as if it had never been. `false` when the attempt is not
/// under way.
pub(super) fn release(conn: &Connection, claim: Claim) -> rusqlite::Result<bool> {
    let no = claim.no;
    let sending = conn
        .prepare_cached("DELETE FROM attempts WHERE case_no = ?1 AND nth = ?2 AND outcome IS NULL")?
        .execute([no, claim.nth])?;
    if sending == 0 {
        return Ok(false);
    }
    let contents = match &claim.former {
        Some(former) => former.contents.as_ref(),
        None => None,
    };
    match contents {
        Some((payload, raw)) => conn
            .prepare_cached("UPDATE contents SET payload = ?2, raw = ?3 WHERE case_no = ?1")?
            .execute(params![no, payload, raw])?,
        None => conn
            .prepare_cached("DELETE FROM contents WHERE case_no = ?1")?
            .execute([no])?,
    };
    match claim.former {
        Some(former) => conn
            .prepare_cached(&format!(
                "UPDATE cases SET ({FORMER_COLUMNS}) = ({}) WHERE no = ?",
                ["?"; FORMER_COUNT].join(", ")
            ))?
            .execute(params_from_iter(
                former
                    .columns
                    .iter()
                    .map(|value| value as &dyn ToSql)
                    .chain([&no as &dyn ToSql]),
            ))?,
        None => conn
            .prepare_cached("DELETE FROM cases WHERE no = ?1")?
            .execute([no])?,
    };
    Ok(true)
}

/// Puts in doubt what is under way, since nobody is left to settle it.
pub(super) fn recover(conn: &Connection) -> rusqlite::Result<u64> {
    // The state twice: the first lets the small index serve the second.
    conn.execute(
        "UPDATE attempts SET outcome = 'in_doubt',
                message = 'the run ended while it was under way'
         WHERE outcome IS NULL AND (case_no, nth) IN (
           SELECT no, attempts FROM cases WHERE state <> 'imported' AND state = 'sending')",
        [],
    )?;
    conn.execute(
        "UPDATE cases SET state = 'in_doubt' WHERE state <> 'imported' AND state = 'sending'",
        [],
    )
    .map(|count| count as u64)
}
