//! The header of a CSV or a sheet: which cell of a row belongs to which column.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::model::reserved::{ESCAPED, REASON, TEXT};
use crate::model::{Code, Columns, FileId, Place, Problem};

use super::{InputErrorKind, Limits};

/// Where the cells of one raw column go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// To the column at this position.
    Column(usize),
    /// Nowhere, and so there may be nothing in them.
    Unnamed,
    /// Nowhere, on purpose.
    Ignored,
}

impl Slot {
    pub(super) fn is_column(self) -> bool {
        matches!(self, Self::Column(_))
    }
}

/// A header as it was read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) columns: Arc<Columns>,
    pub(super) line: u64,
    /// By raw column, up to the last that has a name.
    pub(super) slots: Vec<Slot>,
    /// How many cells the header row has.
    pub(super) width: usize,
    /// The raw column that tells of apostrophes.
    pub(super) escaped: Option<usize>,
    /// The raw column with what could not be read.
    pub(super) text: Option<usize>,
    /// Every raw column is the column at its position.
    pub(super) plain: bool,
}

impl Header {
    /// Makes a header of its cells, and tells what is wrong with it.
    pub(super) fn new(
        cells: &[String],
        file: FileId,
        line: u64,
        limits: &Limits,
    ) -> Result<(Self, Vec<Problem>), InputErrorKind> {
        let named = cells
            .iter()
            .rposition(|cell| !cell.trim().is_empty())
            .map_or(0, |last| last + 1);
        if named > limits.columns {
            return Err(InputErrorKind::TooManyColumns {
                found: named,
                limit: limits.columns,
            });
        }
        let mut columns = Columns::new();
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        let mut problems = Vec::new();
        let (mut escaped, mut text) = (None, None);
        let mut slots = Vec::with_capacity(named);
        for (raw, cell) in cells[..named].iter().enumerate() {
            let name = cell.trim();
            slots.push(if name.is_empty() {
                Slot::Unnamed
            } else {
                match first_of.entry(name) {
                    Entry::Occupied(first) => {
                        problems.push(duplicate(name, *first.get(), raw, file, line));
                        Slot::Ignored
                    }
                    Entry::Vacant(vacant) => {
                        vacant.insert(raw);
                        match name {
                            ESCAPED => {
                                escaped = Some(raw);
                                Slot::Ignored
                            }
                            TEXT => {
                                text = Some(raw);
                                Slot::Ignored
                            }
                            REASON => Slot::Ignored,
                            _ => Slot::Column(columns.intern(name)),
                        }
                    }
                }
            });
        }
        if columns.is_empty() {
            return Err(InputErrorKind::NoHeader { line });
        }
        let header = Self {
            plain: slots.len() == columns.len(),
            columns: Arc::new(columns),
            line,
            slots,
            width: cells.len(),
            escaped,
            text,
        };
        Ok((header, problems))
    }

    /// The name of a raw column, where it has one.
    pub(super) fn name(&self, raw: usize) -> Option<&str> {
        match self.slots.get(raw)? {
            Slot::Column(position) => Some(self.columns.name(*position)),
            _ => None,
        }
    }

    /// What a row says that has a value under a column without a name.
    pub(super) fn nameless(&self, raw: usize, value: &str, place: Place) -> Problem {
        let column = raw + 1;
        Problem::new(
            Code::EmptyHeader,
            place,
            format!(
                "column {column} has a value here and no name in the header (line {})",
                self.line
            ),
        )
        .with_value(value)
        .with_hint(format!("give column {column} a name, or empty its cells"))
    }

    /// The positions whose cells got an apostrophe, as the row's own cell lists
    /// them: `escaped:["Name"]`. None when the text is no such list.
    pub(super) fn escaped_positions(&self, text: &str) -> Option<Vec<usize>> {
        let names: Vec<String> =
            serde_json::from_str(text.trim().strip_prefix("escaped:")?).ok()?;
        Some(
            names
                .iter()
                .filter_map(|name| self.columns.position(name.trim()))
                .collect(),
        )
    }
}

fn duplicate(name: &str, first: usize, second: usize, file: FileId, line: u64) -> Problem {
    let place = Place {
        file,
        line,
        index: 0,
    };
    Problem::new(
        Code::DuplicateHeader,
        place,
        format!(
            "columns {} and {} of the header have the same name",
            first + 1,
            second + 1
        ),
    )
    .in_column(name)
    .with_hint("rename or remove one of them")
}
