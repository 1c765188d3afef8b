//! The columns that caseload adds to the files it writes, and reads back from
//! them.

/// The record's key as `key:["00123"]`, whatever a spreadsheet does to the key
/// columns.
pub(crate) const KEY: &str = "caseload_key";
/// Why the record was left out.
pub(crate) const REASON: &str = "caseload_reason";
/// The columns whose cells got a `'` so that no spreadsheet takes them for
/// formulas, as `escaped:["Name"]`.
pub(crate) const ESCAPED: &str = "caseload_escaped";
/// The whole text of a record that could not be read. While it is filled, the
/// record has not been fixed.
pub(crate) const TEXT: &str = "caseload_text";
/// The case's state in the ledger.
pub(crate) const STATE: &str = "caseload_state";
/// What a user found out about a case in doubt, for `resolve --list`. A file that
/// has it must not be imported.
pub(crate) const DECISION: &str = "caseload_decision";
/// The platform's id, which a user may fill in.
pub(crate) const CASE_ID: &str = "caseload_case_id";
/// A record of JSON in a table.
pub(crate) const RECORD: &str = "caseload_record";

/// Whether the name is reserved for columns of caseload.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("caseload_")
}
