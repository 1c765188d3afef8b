//! The header of a CSV or a sheet, and the cells of its rows by column.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::model::reserved::{self, ESCAPED, REASON, TEXT};
use crate::model::{Cell, Code, Columns, Place, Problem, column_name, count, invisible_names};

use super::chunk::without_guard;
use super::delimited::line_breaks;
use super::error::listed;
use super::{InputErrorKind, Limits};

/// Where the cells of a position in a row go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderSlot {
    /// To the column at this position.
    Column(usize),
    /// Nowhere, so they must be empty.
    Unnamed,
    /// Nowhere: reserved or repeated.
    Ignored,
}

/// Cells as they were before a row was written to a file of caseload's, by
/// column.
pub(super) type UnescapedCells<'a> = Vec<(usize, Cow<'a, str>)>;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) columns: Arc<Columns>,
    pub(super) line: u64,
    /// By position, up to the last that has a name.
    slots: Vec<HeaderSlot>,
    /// How many cells the header row has; a sheet's rows have no width.
    width: usize,
    /// The position of the list of cells with an apostrophe.
    escaped: Option<usize>,
    /// The position of the text of a row that could not be read.
    text: Option<usize>,
    /// Every position is the column of the same position.
    plain: bool,
    /// Between two cells of a row, for hints.
    pub(super) delimiter: u8,
}

impl Header {
    /// A header of its cells, and what is wrong with it. A sheet has no
    /// delimiter.
    pub(super) fn new(
        cells: &[String],
        place: Place,
        limits: &Limits,
        delimiter: Option<u8>,
    ) -> Result<(Self, Vec<Problem>), InputErrorKind> {
        // Names that a spreadsheet would take for formulas, in a file of ours.
        let is_ours = cells.iter().any(|cell| cell.trim() == ESCAPED);
        let unescape = |cell: &String| match cell.trim().strip_prefix('\'') {
            Some(escaped) if is_ours => reserved::unescape(escaped).into_owned(),
            _ => without_guard(cell.trim()).to_owned(),
        };
        let cells: Vec<String> = cells.iter().map(unescape).collect();
        let mut names: Vec<String> = cells.iter().map(|cell| column_name(cell)).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        let (line, found, limit) = (place.line, names.len(), limits.columns);
        if found > limit {
            return Err(InputErrorKind::TooManyColumns { found, limit });
        }
        let mut columns = Columns::new();
        let slot = |name: &String| match name.as_str() {
            "" => HeaderSlot::Unnamed,
            ESCAPED | TEXT | REASON => HeaderSlot::Ignored,
            name if columns.position(name).is_some() => HeaderSlot::Ignored,
            name => HeaderSlot::Column(columns.intern(name)),
        };
        let slots: Vec<HeaderSlot> = names.iter().map(slot).collect();
        if columns.is_empty() {
            return Err(InputErrorKind::NoHeader { line });
        }
        let position = |wanted| names.iter().position(|name| name == wanted);
        let header = Self {
            plain: slots.len() == columns.len(),
            columns: Arc::new(columns),
            line,
            slots,
            width: delimiter.map_or(usize::MAX, |_| cells.len()),
            delimiter: delimiter.unwrap_or(b'\t'),
            escaped: position(ESCAPED),
            text: position(TEXT),
        };
        Ok((header, name_problems(&cells, &names, place)))
    }

    /// The name of a position, where it has one.
    pub(super) fn name(&self, position: usize) -> Option<&str> {
        match self.slots.get(position)? {
            HeaderSlot::Column(column) => Some(self.columns.name(*column)),
            _ => None,
        }
    }

    /// The problem of a row that has the names of the header again.
    pub(super) fn repeated(&self, row: &[Cell<'_>], place: Place) -> Option<Problem> {
        let column = |cell: &Cell<'_>| {
            let name = column_name(cell.text);
            self.columns.position(name.trim_matches('"'))
        };
        // One cell decides about nearly every row.
        let last = row.get(self.slots.len() - 1)?;
        self.columns
            .position(last.text.trim())
            .or_else(|| match row {
                [only] => column(only),
                _ => None,
            })?;
        let mut in_order = true;
        for (cell, slot) in row.iter().zip(&self.slots) {
            match (column(cell), slot) {
                (Some(found), HeaderSlot::Column(column)) => in_order &= found == *column,
                (None, HeaderSlot::Column(_)) => return None,
                _ => {}
            }
        }
        let (message, hint) = if in_order {
            (
                "the header is repeated here: two files were joined",
                "remove this row",
            )
        } else {
            (
                "another header, with the columns in another order: two files were joined",
                "split the file here: the rows below would be read into the wrong columns",
            )
        };
        Some(Problem::new(Code::RepeatedHeader, place, message).with_hint(hint))
    }

    /// Whether a row's cells are its columns' as they are.
    #[inline]
    pub(super) fn fits(&self, row: &[Cell<'_>]) -> bool {
        self.plain && row.len() == self.slots.len()
    }

    /// The text of an unreadable row that the row brings along from an earlier
    /// rejects file.
    pub(super) fn saved_text<'a>(&self, row: &[Cell<'a>]) -> Option<&'a str> {
        filled(row, self.text)
    }

    /// Adds a row's cells where their columns are, as far as they go.
    pub(super) fn arrange<'a>(
        &self,
        row: &[Cell<'a>],
        unescaped: &'a UnescapedCells<'a>,
        cells: &mut Vec<Cell<'a>>,
    ) {
        for (position, slot) in self.slots.iter().enumerate() {
            if matches!(slot, HeaderSlot::Column(_)) {
                cells.push(row.get(position).copied().unwrap_or_default());
            }
        }
        for (column, text) in unescaped {
            cells[*column].text = text;
        }
    }

    /// What is wrong with a row, if it can't be taken as it is arranged.
    pub(super) fn problem(&self, row: &[Cell<'_>], place: Place) -> Option<Problem> {
        let mut beyond = row.iter().skip(self.width);
        if row.len() < self.slots.len() || beyond.any(|cell| !cell.is_blank()) {
            return Some(self.ragged(row, place));
        }
        for (position, cell) in row.iter().enumerate() {
            let slot = self.slots.get(position).unwrap_or(&HeaderSlot::Unnamed);
            if *slot == HeaderSlot::Unnamed && !cell.is_blank() {
                return Some(self.unnamed(position, cell.text, place));
            }
        }
        if let Some(list) = filled(row, self.escaped)
            && escaped_names(list).is_none()
        {
            let message = "the list of cells with an added ' is damaged";
            let problem = Problem::new(Code::BadCaseloadKey, place, message)
                .in_column(ESCAPED)
                .with_value(list)
                .with_hint("restore it, or empty it and remove the leading ' from the row's cells");
            return Some(problem);
        }
        self.saved_text(row)?;
        let message = "the row could not be read before, and has not been fixed since";
        let problem = Problem::new(Code::NotFixed, place, message).in_column(TEXT);
        Some(problem.with_hint(format!(
            "compare the row's cells with the text in {TEXT}, correct them, and empty that cell"
        )))
    }

    /// Takes off what keeps cells from being formulas or from steering a terminal.
    pub(super) fn unescaped<'a>(&self, row: &[Cell<'a>]) -> UnescapedCells<'a> {
        let names = filled(row, self.escaped).and_then(escaped_names);
        let unescaped = names.iter().flatten().filter_map(|name| {
            let column = self.columns.position(name.trim())?;
            let slot = HeaderSlot::Column(column);
            let cell = row.get(self.slots.iter().position(|other| *other == slot)?)?;
            Some((column, reserved::unescape(cell.text.strip_prefix('\'')?)))
        });
        unescaped.collect()
    }

    fn unnamed(&self, position: usize, value: &str, place: Place) -> Problem {
        let column = position + 1;
        let message = format!(
            "column {column} has a value here but no name in the header (line {})",
            self.line
        );
        Problem::new(Code::EmptyHeader, place, message)
            .with_value(value)
            .with_hint(format!("name column {column}, or empty its cells"))
    }

    fn ragged(&self, row: &[Cell<'_>], place: Place) -> Problem {
        let (found, expected) = (row.len(), self.slots.len());
        let cells = count(found as u64, "cell");
        let message = format!("found {cells}, the header has {expected} columns");
        let problem = Problem::new(Code::RaggedRow, place, message);
        let lines = |cell: &Cell<'_>| line_breaks(cell.text.as_bytes());
        if let Some(lines) = row.iter().map(lines).find(|lines| *lines > 0) {
            return problem.with_hint(format!(
                "a quote opened in line {} closes in line {}: if the cell should not span these \
                 lines, fix the quotes there",
                place.line,
                place.line + lines
            ));
        }
        let delimiter = match self.delimiter {
            b'\t' => "tab".to_owned(),
            other => format!("`{}`", char::from(other)),
        };
        problem.with_hint(if found > expected {
            format!("quote a cell that contains a {delimiter}")
        } else {
            format!("quote a cell that contains a line break or a {delimiter}, and keep the delimiters of empty cells")
        })
    }
}

/// Warns of names that are not as they are in the file, or could be confused.
fn name_problems(cells: &[String], names: &[String], place: Place) -> Vec<Problem> {
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    let mut first_folded: HashMap<String, usize> = HashMap::new();
    let mut problems = Vec::new();
    for (position, (cell, name)) in cells.iter().zip(names).enumerate() {
        let mut warn = |code, message: String, hint: &str| {
            let problem = Problem::new(code, place, message);
            problems.push(problem.in_column(name).with_hint(hint));
        };
        if cell.trim() != name {
            let message = match invisible_names(cell) {
                Some(invisible) => {
                    format!("invisible characters in the column's name: {invisible}")
                }
                None => "no-break spaces in the column's name".to_owned(),
            };
            let hint = "the name is read without them; remove them where the file comes from";
            warn(Code::InvisibleCharacter, message, hint);
        }
        let first = *first_of.entry(name).or_insert(position);
        let alike = *first_folded.entry(name.to_lowercase()).or_insert(position);
        let columns = |other: usize| format!("columns {} and {}", other + 1, position + 1);
        if names[alike] != *name {
            let (columns, other) = (columns(alike), &names[alike]);
            let message = format!("{columns} differ in letter case only: {other:?} and {name:?}");
            let hint = "rename one of them, or remove the column that is not meant";
            warn(Code::SimilarHeaders, message, hint);
        }
        if first < position && !name.is_empty() {
            let message = format!("{} of the header have the same name", columns(first));
            warn(
                Code::DuplicateHeader,
                message,
                "rename or remove one of them",
            );
        }
    }
    problems
}

/// The names that a row lists as `escaped:["Name"]`.
fn escaped_names(list: &str) -> Option<Vec<String>> {
    let names = list.trim().strip_prefix("escaped:")?;
    serde_json::from_str(names).ok()
}

/// A row's number in a spreadsheet, and its cells.
pub(super) type SampleRow = (u64, Vec<String>);

/// The header, if the first row looks like a title or a comment above it: fewer
/// cells are filled there than in a row of names below, and in the rows after
/// that. Such a file can't be read as it is.
pub(super) fn header_below_title(rows: &[SampleRow]) -> Option<&SampleRow> {
    fn filled(row: &SampleRow) -> impl Iterator<Item = &str> + Clone {
        row.1
            .iter()
            .map(|cell| cell.trim())
            .filter(|cell| !cell.is_empty())
    }
    let (first, rest) = rows.split_first()?;
    let title = filled(first).count();
    if title != 1 && !filled(first).next()?.starts_with('#') {
        return None;
    }
    let is_name = |cell: &str| cell.contains(char::is_alphabetic) && !cell.contains('@');
    rest.iter().enumerate().find_map(|(at, row)| {
        let names = filled(row).count();
        let below = &rest[at + 1..];
        let fit = below
            .iter()
            .filter(|row| (title + 1..=names).contains(&filled(row).count()));
        let fits = fit.count() * 10 >= below.len() * 8;
        (names > title && fits && filled(row).all(is_name)).then_some(row)
    })
}

/// An error unless the header is in the row that was named, or else in the first
/// that is not blank, which must not look like a title above it. `row` is where
/// it was found.
pub(super) fn check_row(
    row: Option<u64>,
    named: Option<u64>,
    sample: &[SampleRow],
) -> Result<(), InputErrorKind> {
    match (row, named) {
        (Some(row), Some(named)) if row == named => Ok(()),
        (_, Some(named)) => Err(InputErrorKind::NoSuchRow(named)),
        (None, None) => Err(InputErrorKind::Empty),
        (Some(first), None) => match header_below_title(sample) {
            Some((row, cells)) => Err(InputErrorKind::TitleAboveHeader {
                first,
                row: *row,
                names: listed(cells),
            }),
            None => Ok(()),
        },
    }
}

/// The text at a position, unless it is blank.
fn filled<'a>(row: &[Cell<'a>], position: Option<usize>) -> Option<&'a str> {
    let cell = row.get(position?)?;
    (!cell.is_blank()).then_some(cell.text)
}
