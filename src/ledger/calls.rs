//! When calls were made, and what each proved.

use jiff::Timestamp;

use super::database::as_params;
use super::schema::Millis;
use super::{CaseFilter, LedgerError, LedgerReader};
use crate::model::Verdict;

/// Calls that began in the same second with the same outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallCount {
    /// The start of the second.
    pub(crate) at: Timestamp,
    /// `None` while they are in flight.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) calls: u64,
}

impl LedgerReader {
    /// The calls for the cases of a selection, in the order of time. Of a run
    /// those that it made, whichever run called for the case after it.
    pub(crate) fn calls(&self, filter: &CaseFilter) -> Result<Vec<CallCount>, LedgerError> {
        let _snapshot = self.snapshot()?;
        let (condition, values) = self.condition(filter)?;
        let sql = format!(
            "SELECT a.started_at / 1000 * 1000 AS second, a.outcome, count(*)
             FROM cases c LEFT JOIN files f ON f.no = c.file JOIN attempts a ON a.case_no = c.no
             WHERE {condition} 1 = 1 GROUP BY second, a.outcome ORDER BY second"
        );
        self.read(|db| {
            db.rows(&sql, &as_params(&values), |row| {
                Ok(CallCount {
                    at: row.get::<Millis>(0)?.0,
                    verdict: row.get(1)?,
                    calls: row.get(2)?,
                })
            })
        })
    }
}
