//! The life of an attempt in the ledger: claimed, then settled or released.
//! Plain functions on a connection; the caller commits.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::look_alikes::Salt;
use super::schema::{Millis, half};
use super::{LedgerError, RunId};
use crate::model::{Answer, CaseData, Key, State, Verdict};

/// What a run wants to send.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Its place's file is one of those that the run began with.
    pub case: Arc<CaseData>,
    pub run: RunId,
    /// The state that the plan, or the attempt before, saw in the ledger.
    pub expected: Option<State>,
    pub resend_in_doubt: bool,
    /// Now.
    pub at: Timestamp,
}

/// The right to make one attempt at one case: the disk knows that it may be in
/// flight. To be settled or released.
#[derive(Debug)]
#[must_use = "a claim that is dropped leaves its case in doubt"]
pub struct Claim {
    case: Arc<CaseData>,
    case_no: i64,
    nth: i64,
    former: Option<FormerCase>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// The case is not in the state that the plan saw, or must not be sent.
    #[error("the case must not be sent: it is {}", now.map_or("unknown", State::as_str))]
    Refused { now: Option<State> },
    /// Nothing was claimed, and nothing more may be sent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The commit failed: the claim may still be on the disk, so that the next
    /// run finds the case in doubt. Nothing more may be sent.
    #[error(transparent)]
    Unknown(LedgerError),
}

/// What the ledger made of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub state: State,
    /// A success after doubt: there may be two of it.
    pub possible_twin: bool,
    /// The key that already holds the case id that came back.
    pub same_id_as: Option<Key>,
}

/// The rows of a known case as they were before its claim; releasing restores
/// them.
#[derive(Debug)]
struct FormerCase {
    state: State,
    case: Vec<Value>,
    contents: Option<Vec<Value>>,
}

impl Claim {
    pub fn case(&self) -> &Arc<CaseData> {
        &self.case
    }

    /// Whether the case was in doubt before.
    pub fn after_doubt(&self) -> bool {
        self.state_before() == Some(State::InDoubt)
    }

    fn state_before(&self) -> Option<State> {
        self.former.as_ref().map(|former| former.state)
    }
}

fn may_send(state: Option<State>, resend_in_doubt: bool) -> bool {
    match state {
        None | Some(State::Rejected | State::NotSent | State::Removed) => true,
        Some(State::InDoubt) => resend_in_doubt,
        Some(State::Sending | State::Imported) => false,
    }
}

/// Compare and set: either the case is `sending` now, or its state is
/// returned.
pub(super) fn claim(
    conn: &Connection,
    request: &ClaimRequest,
) -> rusqlite::Result<Result<Claim, Option<State>>> {
    let case = &request.case;
    let former = former_case(conn, &case.key)?;
    let now = former.as_ref().map(|former| former.state);
    if now != request.expected || !may_send(now, request.resend_in_doubt) {
        return Ok(Err(now));
    }
    let (case_no, nth) = set_sending(conn, request)?;
    conn.prepare_cached(
        "INSERT INTO contents (case_no, payload, raw_record) VALUES (?1, ?2, ?3)
         ON CONFLICT (case_no) DO UPDATE SET payload = excluded.payload, raw_record = excluded.raw_record",
    )?
    .execute(params![case_no, case.payload, case.raw_record])?;
    conn.prepare_cached(
        "INSERT INTO attempts (case_no, nth, run, state_before, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        case_no,
        nth,
        request.run.0,
        now,
        Millis(request.at)
    ])?;
    // Kept when the claim is released: the number is never given again.
    conn.prepare_cached("UPDATE runs SET claims = claims + 1 WHERE no = ?1")?
        .execute([request.run.0])?;
    Ok(Ok(Claim {
        case: Arc::clone(case),
        case_no,
        nth,
        former,
    }))
}

fn former_case(conn: &Connection, key: &Key) -> rusqlite::Result<Option<FormerCase>> {
    let former = conn
        .prepare_cached("SELECT * FROM cases WHERE key_digest = ?1")?
        .query_row([key.digest()], |row| {
            Ok((row.get::<_, i64>("no")?, row.get("state")?, values(row)?))
        })
        .optional()?;
    let Some((no, state, case)) = former else {
        return Ok(None);
    };
    let contents = conn
        .prepare_cached("SELECT * FROM contents WHERE case_no = ?1")?
        .query_row([no], values)
        .optional()?;
    Ok(Some(FormerCase {
        state,
        case,
        contents,
    }))
}

fn values(row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
    let columns = row.as_ref().column_count();
    (0..columns).map(|column| row.get(column)).collect()
}

/// The case's number, and how many attempts it has with this one.
fn set_sending(conn: &Connection, request: &ClaimRequest) -> rusqlite::Result<(i64, i64)> {
    let case = &request.case;
    let salt = Salt::of(conn)?;
    let [name, phone, email, incident_date, birth_date, case_type] = salt.person(&case.person);
    conn.prepare_cached(
        "INSERT INTO cases (key_digest, key, state, payload_digest, content, record, file, line,
                            row, position, partner_firm, attempts, updated_at, folded_key, name,
                            phone, email, incident_date, birth_date, case_type)
         VALUES (?1, ?2, 'sending', ?3, ?4, ?5,
                 (SELECT no FROM files WHERE run = ?6 AND position = ?7), ?8, ?9, ?10, ?11, 1, ?12,
                 ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT (key_digest) DO UPDATE SET
           state = 'sending', case_id = NULL, payload_digest = excluded.payload_digest,
           content = excluded.content, record = excluded.record, file = excluded.file,
           line = excluded.line, row = excluded.row, position = excluded.position,
           partner_firm = excluded.partner_firm, attempts = attempts + 1,
           updated_at = excluded.updated_at, name = excluded.name, phone = excluded.phone,
           email = excluded.email, incident_date = excluded.incident_date,
           birth_date = excluded.birth_date, case_type = excluded.case_type
         RETURNING no, attempts",
    )?
    .query_row(
        params![
            case.key.digest(),
            case.key,
            case.payload_digest,
            case.content_digest.as_ref().map(half),
            half(&case.record_digest),
            request.run.0,
            case.place.file.0,
            case.place.line,
            case.place.row,
            case.place.index,
            case.partner_firm,
            Millis(request.at),
            salt.folded_key(&case.key),
            name,
            phone,
            email,
            incident_date,
            birth_date,
            case_type
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The state after an attempt that proved this. A case in doubt stays so until
/// it is proved that it exists: a rejection of the second attempt proves
/// nothing about the first.
fn state_after(before: Option<State>, proved: Verdict) -> State {
    match (before, proved) {
        (Some(State::InDoubt), Verdict::Rejected | Verdict::NotSent) => State::InDoubt,
        (_, proved) => proved.state(),
    }
}

/// Records what came back. `None` when the attempt is not in flight.
pub(super) fn settle(
    conn: &Connection,
    claim: &Claim,
    verdict: Verdict,
    answer: &Answer,
    at: Timestamp,
    keep_payloads: bool,
) -> rusqlite::Result<Option<Settlement>> {
    let new_id = (answer.case_id.as_deref()).filter(|_| verdict == Verdict::Imported);
    let same_id_as = holder_of(conn, new_id, claim.case_no)?;
    // Two of our cases can't be one of the platform's: the id is wrong, or the
    // server merged them.
    let proved = match same_id_as {
        Some(_) => Verdict::InDoubt,
        None => verdict,
    };
    if !end_attempt(conn, claim, proved, answer, same_id_as.as_ref(), at)? {
        return Ok(None);
    }
    let state = state_after(claim.state_before(), proved);
    let imported = state == State::Imported;
    let case_id = answer.case_id.as_ref().filter(|_| imported);
    let is_twin = imported && claim.after_doubt();
    let possible_twin = conn
        .prepare_cached(
            "UPDATE cases SET state = ?2, case_id = ?3, possible_twin = possible_twin OR ?4,
                    updated_at = ?5
             WHERE no = ?1 RETURNING possible_twin",
        )?
        .query_row(
            params![claim.case_no, state, case_id, is_twin, Millis(at)],
            |row| row.get(0),
        )?;
    if imported && !keep_payloads {
        conn.prepare_cached("DELETE FROM contents WHERE case_no = ?1")?
            .execute([claim.case_no])?;
    } else if proved == Verdict::InDoubt || (proved == Verdict::Rejected && !claim.after_doubt()) {
        // The rejection of a later attempt doesn't replace the answer that
        // left the case in doubt.
        conn.prepare_cached("UPDATE contents SET answer = ?2 WHERE case_no = ?1")?
            .execute(params![claim.case_no, answer.body])?;
    }
    Ok(Some(Settlement {
        state,
        possible_twin,
        same_id_as,
    }))
}

/// `false` when the attempt is not in flight.
fn end_attempt(
    conn: &Connection,
    claim: &Claim,
    proved: Verdict,
    answer: &Answer,
    same_id_as: Option<&Key>,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let same_id = same_id_as.map(|other| format!("its case id is already held by {other}"));
    let message = same_id.as_deref().or(answer.message.as_deref());
    let ended = conn
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?3, outcome = ?4, status = ?5, case_id = ?6,
                    message = ?7
             WHERE case_no = ?1 AND nth = ?2 AND outcome IS NULL",
        )?
        .execute(params![
            claim.case_no,
            claim.nth,
            Millis(at),
            proved,
            answer.status,
            answer.case_id,
            message
        ])?;
    Ok(ended > 0)
}

/// The key of another case that is imported under this id, if there is an id.
/// A removed case holds none.
pub(super) fn holder_of(
    conn: &Connection,
    id: Option<&str>,
    except_case_no: i64,
) -> rusqlite::Result<Option<Key>> {
    conn.prepare_cached("SELECT key FROM cases WHERE case_id = ?1 AND no <> ?2 LIMIT 1")?
        .query_row((id, except_case_no), |row| row.get(0))
        .optional()
}

/// Undoes a claim. `false` when the attempt is not in flight.
pub(super) fn release(conn: &Connection, claim: Claim) -> rusqlite::Result<bool> {
    let Claim {
        case_no,
        nth,
        former,
        ..
    } = claim;
    let in_flight = conn
        .prepare_cached("DELETE FROM attempts WHERE case_no = ?1 AND nth = ?2 AND outcome IS NULL")?
        .execute([case_no, nth])?;
    if in_flight == 0 {
        return Ok(false);
    }
    let (case, contents) = match former {
        Some(former) => (Some(former.case), former.contents),
        None => (None, None),
    };
    restore(conn, ("contents", "case_no"), case_no, contents)?;
    restore(conn, ("cases", "no"), case_no, case)?;
    Ok(true)
}

/// Gives a case the row that it had in a table.
fn restore(
    conn: &Connection,
    (table, number): (&str, &str),
    case_no: i64,
    former: Option<Vec<Value>>,
) -> rusqlite::Result<usize> {
    let Some(former) = former else {
        let sql = format!("DELETE FROM {table} WHERE {number} = ?1");
        return conn.prepare_cached(&sql)?.execute([case_no]);
    };
    let marks = vec!["?"; former.len()].join(", ");
    let sql = format!("REPLACE INTO {table} VALUES ({marks})");
    conn.prepare_cached(&sql)?.execute(params_from_iter(former))
}

/// Puts in doubt what is in flight, since nobody will settle it.
pub(super) fn recover(conn: &Connection) -> rusqlite::Result<u64> {
    // Two conditions on the state: the first makes the partial index usable.
    conn.execute(
        "UPDATE attempts SET outcome = 'in_doubt',
                message = 'the run ended while it was in flight'
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
