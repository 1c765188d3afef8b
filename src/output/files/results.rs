//! The results file: every case of a run or the ledger, one row each.

use std::borrow::Cow;

use super::error::FileError;
use super::line::{CaseLine, time};
use super::table::Table;
use super::target::Target;

const COLUMNS: [&str; 11] = [
    "key",
    "file",
    "line",
    "partner_firm_id",
    "state",
    "case_id",
    "status",
    "attempts",
    "time",
    "message",
    "possible_twin",
];

/// Cases and what became of them.
#[derive(Debug)]
pub struct Results(Table);

impl Results {
    /// Begins the file, with its header only.
    pub fn begin(target: Target) -> Result<Self, FileError> {
        let mut table = Table::new(target, COLUMNS);
        table.begin()?;
        Ok(Self(table))
    }

    /// Adds a case.
    pub fn row(&mut self, case: &CaseLine<'_>) {
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        self.0.row([
            Cow::Owned(case.key.to_string()),
            case.file.into(),
            number(Some(case.line)).into(),
            case.partner_firm.unwrap_or_default().into(),
            case.state.as_str().into(),
            case.case_id.unwrap_or_default().into(),
            number(case.status.map(u64::from)).into(),
            number(case.attempts.map(u64::from)).into(),
            time(case.at).into(),
            case.message.unwrap_or_default().into(),
            if case.possible_twin { "yes" } else { "" }.into(),
        ]);
    }

    pub(super) fn into_target(self) -> Target {
        self.0.into_target()
    }
}
