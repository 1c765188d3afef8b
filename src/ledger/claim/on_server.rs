//! Claims and settlements on a server: one statement each, a transaction of its
//! own that takes one round trip.

use std::sync::Arc;

use rusqlite::params;
use rusqlite::types::Value;

use super::{
    CLAIMED, CONTENT, Claim, ClaimRequest, FormerCase, claim_case, end_attempt, settle_case,
};
use crate::ledger::database::{Params, Result};
use crate::ledger::error::LedgerErrorKind;
use crate::ledger::server::{Server, value};
use crate::model::{BootTime, State};

type Claimed = std::result::Result<Claim, Option<State>>;

/// The claim also is a heartbeat, and fails when the right to run is lost. It
/// counts the claims of its run, so that it can't be done twice, however late
/// it arrives.
fn claim_sql(expected: Option<State>) -> String {
    let counted = "EXISTS (SELECT 1 FROM counted)";
    let claim_case = match expected {
        Some(_) => claim_case(&format!("{counted} AND EXISTS (SELECT 1 FROM former)")),
        None => claim_case(counted),
    };
    let former: String = format!("{CLAIMED}, {CONTENT}");
    format!(
        "WITH mine AS (
           UPDATE lock SET heartbeat = clock_timestamp() WHERE token = ?21 RETURNING one),
         counted AS (
           UPDATE runs SET claims = claims + 1
           WHERE no = ?6 AND claims = ?22 AND ended IS NULL AND EXISTS (SELECT 1 FROM mine)
           RETURNING no),
         former AS (
           SELECT no, {former} FROM cases LEFT JOIN contents ON case_no = no
           WHERE key_digest = ?1),
         claimed AS ({claim_case}),
         content AS (
           INSERT INTO contents (case_no, payload, raw_record) SELECT no, ?23, ?24 FROM claimed
           ON CONFLICT (case_no) DO UPDATE SET
             payload = excluded.payload, raw_record = excluded.raw_record),
         attempt AS (
           INSERT INTO attempts (case_no, nth, run, state_before, started_at)
           SELECT no, attempts, ?6, ?20, ?12 FROM claimed)
         SELECT counted.no, claimed.no, claimed.attempts, former.no, former.*
         FROM (SELECT 1) AS one LEFT JOIN counted ON TRUE LEFT JOIN claimed ON TRUE
              LEFT JOIN former ON TRUE"
    )
}

pub(super) fn claim(
    server: &Server,
    request: &ClaimRequest,
    values: Params<'_>,
) -> Result<Claimed> {
    let case = &request.case;
    let token = server.token.borrow().clone();
    let claims = server.claims.get();
    let more = params![token, claims, case.payload, case.raw_record];
    // Before the heartbeat that it brings.
    let valid_until = Some(BootTime::now() + server.address.lease() / 2);
    let rows = server.query(&claim_sql(request.expected), &[values, more].concat())?;
    let row = rows.first().ok_or(LedgerErrorKind::Closed)?;
    if value::<Option<i64>>(row, 0)?.is_none() {
        return find_claim(server, request);
    }
    server.claims.set(claims + 1);
    // Twice its number, for the columns of the row.
    let number: Option<i64> = value(row, 3)?;
    let former = number.map(|_| -> Result<FormerCase> {
        let columns = 5..row.columns().len();
        let values = columns.map(|column| value(row, column));
        Ok(FormerCase {
            state: value(row, 5)?,
            values: Some(values.collect::<Result<Vec<Value>>>()?),
        })
    });
    let former = former.transpose()?;
    let now = former.as_ref().map(|former| former.state);
    let Some(case_no) = value(row, 1)? else {
        return Ok(Err(now));
    };
    Ok(Ok(Claim {
        case: Arc::clone(case),
        case_no,
        nth: value(row, 2)?,
        former,
        valid_until,
    }))
}

/// Looks for the claim whose answer was lost. Its heartbeat may be old.
fn find_claim(server: &Server, request: &ClaimRequest) -> Result<Claimed> {
    let valid_until = Some(BootTime::now() + server.address.lease() / 2);
    server.execute_in_run(&[])?;
    let sql = "SELECT r.claims, c.no, c.attempts, c.state, a.state_before,
                      a.run = ?1 AND a.outcome IS NULL
               FROM lock l JOIN runs r ON r.no = ?1 AND r.ended IS NULL
               LEFT JOIN cases c ON c.key_digest = ?2
               LEFT JOIN attempts a ON a.case_no = c.no AND a.nth = c.attempts
               WHERE l.token = ?3";
    let token = server.token.borrow().clone();
    let case = &request.case;
    let rows = server.query(sql, params![request.run.0, case.key.digest(), token])?;
    let row = rows.first().ok_or(LedgerErrorKind::TakenOver)?;
    server.claims.set(value(row, 0)?);
    let is_ours: Option<bool> = value(row, 5)?;
    let state: Option<State> = value(row, 3)?;
    if state != Some(State::Sending) || is_ours != Some(true) {
        return Ok(Err(state));
    }
    let before: Option<State> = value(row, 4)?;
    Ok(Ok(Claim {
        case: Arc::clone(case),
        case_no: value(row, 1)?,
        nth: value(row, 2)?,
        former: before.map(|state| FormerCase {
            state,
            values: None,
        }),
        valid_until,
    }))
}

/// That an attempt waits for its end: in flight, or in doubt since another run
/// took over. It may have this very end, when the answer to that was lost.
const WAITS: &str = "(ended_at = ?3 OR ended_at IS NULL AND EXISTS (
    SELECT 1 FROM cases
    WHERE no = ?1 AND attempts = ?2 AND state IN ('sending', 'in_doubt')))";

/// Whether there may be two of the case; none when nothing was settled.
pub(super) fn settle(
    server: &Server,
    content: Option<&str>,
    values: Params<'_>,
) -> Result<Option<bool>> {
    let is_ended = "EXISTS (SELECT 1 FROM ended)";
    // Said of the row as it is when its turn comes: a user may resolve the case
    // at the same moment.
    let is_open = "(state IN ('sending', 'in_doubt') OR updated_at = ?3)";
    let end_attempt = end_attempt(WAITS);
    let settle_case = settle_case(&format!("{is_ended} AND {is_open}"));
    let content = content.map(|sql| format!(", content AS ({sql} AND {is_ended})"));
    let content = content.unwrap_or_default();
    let sql = format!(
        "WITH ended AS ({end_attempt} RETURNING 1), settled AS ({settle_case}){content}
         SELECT possible_twin FROM settled"
    );
    // A value that is not used has no type.
    let used = if content.contains("?12") { 12 } else { 11 };
    let rows = server.query(&sql, &values[..used])?;
    rows.first().map(|row| value(row, 0)).transpose()
}
