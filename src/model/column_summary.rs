//! What a check reports about a column.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSummary {
    pub column: Box<str>,
    /// Records in which it is filled.
    pub filled: u64,
    /// Distinct values, up to 1,000.
    pub distinct: usize,
    /// There are more distinct values than were counted.
    pub more_distinct: bool,
    /// Its values are shown by their shape only.
    pub confidential: bool,
    /// Its first distinct values.
    pub samples: Vec<Box<str>>,
}
