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
/// The key in the files of cases in doubt, which must not be imported.
pub(crate) const IN_DOUBT_KEY: &str = "in_doubt_key";

/// Whether it is one of the columns or members of a rejects file.
pub(crate) fn is_rejects_column(name: &str) -> bool {
    matches!(name, KEY | REASON | ESCAPED | TEXT)
}

/// Whether the name is reserved for columns of caseload.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("caseload_")
}
