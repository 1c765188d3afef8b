//! The life of an attempt in the ledger: claimed, then settled or released.
//! Plain functions on a database; for a file the caller commits.

mod on_server;

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::params;
use rusqlite::types::Value;

use super::database::{self, Database, Params, as_params, marks};
use super::look_alikes::Salt;
use super::schema::{Millis, half};
use super::{LedgerError, RunId};
use crate::model::{Answer, BootTime, CaseData, Key, State, Verdict};

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
    /// The request must have left by then, or another run may have taken over.
    valid_until: Option<BootTime>,
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

/// A known case as it was before its claim; releasing restores it.
#[derive(Debug)]
struct FormerCase {
    state: State,
    /// Of [`CLAIMED`] and [`CONTENT`]; none where the answer to the claim was
    /// lost.
    values: Option<Vec<Value>>,
}

/// The columns of a case that a claim writes.
const CLAIMED: &str = "state, case_id, payload_digest, content, record, file, line, row, position, \
    partner_firm, attempts, updated_at, name, phone, email, incident_date, birth_date, case_type, \
    forgotten_at";

/// The columns of its content.
const CONTENT: &str = "payload, raw_record, answer";

impl Claim {
    /// By when its request must have left.
    pub(crate) fn valid_until(&self) -> Option<BootTime> {
        self.valid_until
    }

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

/// Writes the case of a claim, unless it is in another state than was expected.
/// Its values are those of [`claim`].
fn claim_case(condition: &str) -> String {
    format!(
        "INSERT INTO cases (key_digest, key, state, payload_digest, content, record, file, line,
                            row, position, partner_firm, attempts, updated_at, folded_key, name,
                            phone, email, incident_date, birth_date, case_type)
         SELECT ?1, ?2, 'sending', ?3, ?4, ?5,
                (SELECT no FROM files WHERE run = ?6 AND position = ?7), ?8, ?9, ?10, ?11, 1, ?12,
                ?13, ?14, ?15, ?16, ?17, ?18, ?19
         WHERE {condition}
         ON CONFLICT (key_digest) DO UPDATE SET
           state = 'sending', case_id = NULL, payload_digest = excluded.payload_digest,
           content = excluded.content, record = excluded.record, file = excluded.file,
           line = excluded.line, row = excluded.row, position = excluded.position,
           partner_firm = excluded.partner_firm, attempts = cases.attempts + 1,
           updated_at = excluded.updated_at, name = excluded.name, phone = excluded.phone,
           email = excluded.email, incident_date = excluded.incident_date,
           birth_date = excluded.birth_date, case_type = excluded.case_type,
           forgotten_at = NULL
         WHERE cases.state = ?20
         RETURNING no, attempts"
    )
}

/// Compare and set: either the case is `sending` now, or its state is
/// returned.
pub(super) fn claim(
    db: &Database,
    request: &ClaimRequest,
) -> database::Result<Result<Claim, Option<State>>> {
    let case = &request.case;
    if !may_send(request.expected, request.resend_in_doubt) {
        let former = former_case(db, &case.key)?;
        return Ok(Err(former.map(|former| former.state)));
    }
    let salt = Salt::of(db)?;
    let [name, phone, email, incident_date, birth_date, case_type] = salt.person(&case.person);
    let values = params![
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
        case_type,
        request.expected
    ];
    match db {
        Database::File { .. } => in_file(db, request, values),
        Database::Server(server) => on_server::claim(server, request, values),
    }
}

fn in_file(
    db: &Database,
    request: &ClaimRequest,
    values: Params<'_>,
) -> database::Result<Result<Claim, Option<State>>> {
    let case = &request.case;
    let former = former_case(db, &case.key)?;
    let now = former.as_ref().map(|former| former.state);
    if now != request.expected {
        return Ok(Err(now));
    }
    let (case_no, nth) = db.one(&claim_case("TRUE"), values, |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    db.execute(
        "INSERT INTO contents (case_no, payload, raw_record) VALUES (?1, ?2, ?3)
         ON CONFLICT (case_no) DO UPDATE SET payload = excluded.payload, raw_record = excluded.raw_record",
        params![case_no, case.payload, case.raw_record],
    )?;
    db.execute(
        "INSERT INTO attempts (case_no, nth, run, state_before, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![case_no, nth, request.run.0, now, Millis(request.at)],
    )?;
    // Kept when the claim is released: the number is never given again.
    db.execute(
        "UPDATE runs SET claims = claims + 1 WHERE no = ?1",
        params![request.run.0],
    )?;
    Ok(Ok(Claim {
        case: Arc::clone(case),
        case_no,
        nth,
        former,
        valid_until: None,
    }))
}

fn former_case(db: &Database, key: &Key) -> database::Result<Option<FormerCase>> {
    let sql = format!(
        "SELECT {CLAIMED}, {CONTENT} FROM cases LEFT JOIN contents ON case_no = no
         WHERE key_digest = ?1"
    );
    let columns = 0..CLAIMED.split(',').count() + CONTENT.split(',').count();
    db.first(&sql, params![key.digest()], |row| {
        let values = columns.clone().map(|column| row.get(column));
        Ok(FormerCase {
            state: row.get(0)?,
            values: Some(values.collect::<database::Result<Vec<Value>>>()?),
        })
    })
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

/// The end of an attempt that waits for it, unless another case is imported
/// under its case id. Its values, and those of [`settle_case`], are in [`record`].
fn end_attempt(waits: &str) -> String {
    format!(
        "UPDATE attempts SET ended_at = ?3, outcome = ?4, status = ?5, case_id = ?6, message = ?7
         WHERE case_no = ?1 AND nth = ?2 AND {waits}
           AND NOT EXISTS (SELECT 1 FROM cases WHERE case_id = ?8 AND no <> ?1)"
    )
}

/// Records what came back. `None` when the attempt is not in flight.
pub(super) fn settle(
    db: &Database,
    claim: &Claim,
    verdict: Verdict,
    answer: &Answer,
    at: Timestamp,
    keep_payloads: bool,
) -> database::Result<Option<Settlement>> {
    let new_id = (answer.case_id.as_deref()).filter(|_| verdict == Verdict::Imported);
    let message = answer.message.as_deref();
    let recorded = record(
        db,
        claim,
        verdict,
        (answer, new_id, message),
        at,
        keep_payloads,
    )?;
    if recorded.is_some() {
        return Ok(recorded);
    }
    // Two of our cases can't be one of the platform's: the id is wrong, or the
    // server merged them.
    let Some(other) = holder_of(db, new_id, claim.case_no)? else {
        return Ok(None);
    };
    let message = format!("its case id is already held by {other}");
    let answered = (answer, None, Some(message.as_str()));
    let recorded = record(db, claim, Verdict::InDoubt, answered, at, keep_payloads)?;
    Ok(recorded.map(|settlement| Settlement {
        same_id_as: Some(other),
        ..settlement
    }))
}
/// What came back, the case id that it brings, if any, and what is shown of it.
type Answered<'a> = (&'a Answer, Option<&'a str>, Option<&'a str>);

/// `None` when the attempt is not in flight, or another case has the id.
fn record(
    db: &Database,
    claim: &Claim,
    proved: Verdict,
    (answer, new_id, message): Answered<'_>,
    at: Timestamp,
    keep_payloads: bool,
) -> database::Result<Option<Settlement>> {
    let state = state_after(claim.state_before(), proved);
    let imported = state == State::Imported;
    let values = params![
        claim.case_no,
        claim.nth,
        Millis(at),
        proved,
        answer.status,
        answer.case_id,
        message,
        new_id,
        state,
        answer.case_id.as_ref().filter(|_| imported),
        imported && claim.after_doubt(),
        answer.body
    ];
    let content = if imported && !keep_payloads {
        Some("DELETE FROM contents WHERE case_no = ?1")
    } else if proved == Verdict::InDoubt || (proved == Verdict::Rejected && !claim.after_doubt()) {
        // The rejection of a later attempt doesn't replace the answer that
        // left the case in doubt.
        Some("UPDATE contents SET answer = ?12 WHERE case_no = ?1")
    } else {
        None
    };
    let possible_twin = match db {
        Database::File { .. } => {
            if db.execute(&end_attempt("outcome IS NULL"), &values[..8])? == 0 {
                return Ok(None);
            }
            if let Some(sql) = content {
                let used = if sql.contains("?12") { 12 } else { 1 };
                db.execute(sql, &values[..used])?;
            }
            db.first(&settle_case("TRUE"), &values[..11], |row| row.get(0))?
        }
        Database::Server(server) => on_server::settle(server, content, values)?,
    };
    Ok(possible_twin.map(|possible_twin| Settlement {
        state,
        possible_twin,
        same_id_as: None,
    }))
}

/// What the case becomes.
fn settle_case(condition: &str) -> String {
    format!(
        "UPDATE cases SET state = ?9, case_id = ?10, updated_at = ?3,
                          possible_twin = CASE ?11 WHEN 1 THEN 1 ELSE possible_twin END
         WHERE no = ?1 AND {condition} RETURNING possible_twin"
    )
}

/// The key of another case that is imported under this id, if there is an id.
/// A removed case holds none.
pub(super) fn holder_of(
    db: &Database,
    id: Option<&str>,
    except_case_no: i64,
) -> database::Result<Option<Key>> {
    db.first(
        "SELECT key FROM cases WHERE case_id = ?1 AND no <> ?2 LIMIT 1",
        params![id, except_case_no],
        |row| row.get(0),
    )
}

/// Undoes a claim. `false` when the attempt is not in flight.
pub(super) fn release(db: &Database, claim: &Claim) -> database::Result<bool> {
    let Claim { case_no, nth, .. } = claim;
    let in_flight = db.execute(
        "DELETE FROM attempts WHERE case_no = ?1 AND nth = ?2 AND outcome IS NULL",
        params![case_no, nth],
    )?;
    if in_flight == 0 {
        return Ok(false);
    }
    let Some(former) = &claim.former else {
        db.execute("DELETE FROM contents WHERE case_no = ?1", params![case_no])?;
        db.execute("DELETE FROM cases WHERE no = ?1", params![case_no])?;
        return Ok(true);
    };
    let Some(values) = &former.values else {
        // How it was is not known any more, but that it was not sent.
        let sql = "UPDATE cases SET state = ?2 WHERE no = ?1";
        let state = state_after(Some(former.state), Verdict::NotSent);
        db.execute(sql, params![case_no, state])?;
        return Ok(true);
    };
    db.execute("DELETE FROM contents WHERE case_no = ?1", params![case_no])?;
    let (claimed, content) = values.split_at(CLAIMED.split(',').count());
    let with_number = |values: &[Value]| -> Vec<Value> {
        (values.iter().cloned())
            .chain([Value::Integer(*case_no)])
            .collect()
    };
    let sql = format!(
        "UPDATE cases SET ({CLAIMED}) = ({}) WHERE no = ?",
        marks(claimed.len())
    );
    db.execute(&sql, &as_params(&with_number(claimed)))?;
    // A case that a user added has none.
    if content[0] != Value::Null {
        let sql = format!(
            "INSERT INTO contents ({CONTENT}, case_no) VALUES ({})",
            marks(content.len() + 1)
        );
        db.execute(&sql, &as_params(&with_number(content)))?;
    }
    Ok(true)
}

/// Puts in doubt what is in flight, since nobody will settle it. Two conditions
/// on the state: the first makes the partial index usable.
pub(super) const RECOVER: [&str; 2] = [
    "UPDATE attempts SET outcome = 'in_doubt', message = 'the run ended while it was in flight'
     WHERE outcome IS NULL AND (case_no, nth) IN (
       SELECT no, attempts FROM cases WHERE state <> 'imported' AND state = 'sending')",
    "UPDATE cases SET state = 'in_doubt' WHERE state <> 'imported' AND state = 'sending'",
];
