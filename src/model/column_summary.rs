//! What a check tells of a column.

/// What one column of the input looks like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSummary {
    /// The column.
    pub column: Box<str>,
    /// Records in which it is filled.
    pub filled: u64,
    /// Distinct values, up to 1,000.
    pub distinct: usize,
    /// There are more distinct values than were counted.
    pub more_distinct: bool,
    /// It looks confidential: its values are shown by their shape only.
    pub confidential: bool,
    /// Its first distinct values.
    pub samples: Vec<Box<str>>,
}
