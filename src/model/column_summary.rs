//! What a check reports about a column.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSummary {
    pub(crate) column: Box<str>,
    /// Records in which it is filled.
    pub(crate) filled: u64,
    /// Distinct values, up to 1,000.
    pub(crate) distinct: usize,
    /// There are more distinct values than were counted.
    pub(crate) more_distinct: bool,
    /// Its values are shown by their shape only.
    pub(crate) confidential: bool,
    /// Its first distinct values.
    pub(crate) samples: Vec<Box<str>>,
}
