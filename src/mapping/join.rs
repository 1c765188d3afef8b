//! Joined files: their rows by an id, and records with the columns of the rows
//! that belong to them, named `JOIN.COLUMN`.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::HashMap;

use crate::model::{
    Cell, CellKind, Code, Columns, ColumnsVersion, Place, Problem, Record, count, is_placeholder,
    is_rounded_number, normalized,
};

use super::columns::ColumnPath;
use super::options::JoinRule;
use super::rules::Rules;

const UNMATCHED: &str = "correct the id in one of the files; letter case and leading zeros count";
const MULTIPLE: &str = "which of them is meant is not known: keep one";

/// The rows of a joined file.
#[derive(Default)]
pub(crate) struct JoinedTable {
    name: String,
    rule: JoinRule,
    /// Whether a rule reads a column, and the name that it has there.
    columns: Vec<(bool, String)>,
    rows: HashMap<Box<str>, Vec<JoinedRow>>,
    /// The first row without an id, and how many there are.
    without_id: Option<(Place, u64)>,
}

struct JoinedRow {
    place: Place,
    /// The filled cells of columns that rules name, by position.
    cells: Box<[(u16, CellKind, Box<str>)]>,
}

/// What belongs to a record; an error where that is not known and was reported.
type Found<'t> = Result<Option<&'t JoinedRow>, ()>;

impl JoinedTable {
    pub(crate) fn new(name: &str, rule: &JoinRule) -> Self {
        Self {
            name: name.to_owned(),
            rule: rule.clone(),
            ..Self::default()
        }
    }

    /// Adds a row of the file, whose columns may only grow.
    pub(crate) fn add(&mut self, record: &Record<'_>, rules: &Rules) {
        for column in record.columns.names().skip(self.columns.len()) {
            let column = format!("{}.{column}", self.name);
            self.columns.push((rules.reads(&column), column));
        }
        let place = record.place;
        let id = ColumnPath::new(self.rule.equals(), record.columns).find(record);
        let Some(id) = id_of(id.cell()) else {
            self.without_id.get_or_insert((place, 0)).1 += 1;
            return;
        };
        let cells = (0..).zip(record.cells).zip(&self.columns);
        let cells = cells.filter(|((_, cell), (is_read, _))| *is_read && !cell.is_blank());
        let cells = cells.map(|((position, cell), _)| (position, cell.kind, cell.text.into()));
        let cells = cells.collect();
        // Nearly every id has one row.
        let rows = self.rows.entry(id.into());
        let rows = rows.or_insert_with(|| Vec::with_capacity(1));
        rows.push(JoinedRow { place, cells });
    }

    /// A warning of the rows that no record can be joined with.
    pub(crate) fn rows_without_id(&self) -> Option<Problem> {
        let (place, rows) = self.without_id?;
        let rows = count(rows, "row");
        let message = format!("{rows} without a usable id: empty, a placeholder, or rounded");
        Some(Problem::new(Code::JoinWithoutId, place, message).in_column(self.rule.equals()))
    }

    /// The row that belongs to a record of a case file.
    fn find(&self, record: &Record<'_>, problems: &mut Vec<Problem>) -> Found<'_> {
        let id = ColumnPath::new(&self.rule.column, record.columns).find(record);
        let cell = id.cell();
        let rows = id_of(cell).and_then(|id| self.rows.get(&*id));
        // What a spreadsheet has rounded may well have a row.
        let is_nothing = cell.kind != CellKind::Json && !is_rounded_number(cell.text);
        let (code, number, hint) = match rows.map_or(&[][..], Vec::as_slice) {
            [row] => return Ok(Some(row)),
            [] if self.rule.required == Some(false) && is_nothing => return Ok(None),
            [] => (Code::JoinUnmatched, "no".to_owned(), UNMATCHED),
            rows => (Code::JoinMultiple, rows.len().to_string(), MULTIPLE),
        };
        let file = self.rule.file.display();
        let message = format!("{number} rows of {file} belong to this record");
        let mut problem = Problem::new(code, record.place, message).in_column(&self.rule.column);
        problem.value = (!cell.is_blank()).then(|| cell.text.into());
        problem.also = (rows.into_iter().flatten()).map(|row| row.place).collect();
        problems.push(problem.with_hint(hint));
        Err(())
    }
}

/// An id as it is compared; none where it names nothing.
fn id_of(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    let id = normalized(cell.text);
    let names_nothing = id.is_empty() || is_placeholder(&id) || is_rounded_number(&id);
    (!names_nothing && cell.kind != CellKind::Json).then_some(id)
}

/// The columns of a case file, then those of the joined files.
pub(super) fn with_joined(columns: &Columns, tables: &[JoinedTable]) -> Columns {
    let joined = tables.iter().flat_map(|table| &table.columns);
    Columns::from_names(columns.names().chain(joined.map(|(_, name)| name.as_str())))
}

/// Joins one record after another.
#[derive(Default)]
pub(crate) struct Joiner {
    tables: Arc<[JoinedTable]>,
    /// With those of the joined files, for this version of a case file's own.
    columns: Option<(ColumnsVersion, Columns)>,
}

/// The columns of a record and of its rows in the joined files.
pub(crate) struct Joined<'j> {
    pub(crate) columns: &'j Columns,
    pub(crate) cells: Cow<'j, [Cell<'j>]>,
    rows: Vec<Found<'j>>,
}

impl Joiner {
    pub(crate) fn new(tables: Arc<[JoinedTable]>) -> Self {
        Self {
            tables,
            ..Self::default()
        }
    }

    /// Finds the rows that belong to a record.
    pub(crate) fn join<'j>(
        &'j mut self,
        record: &Record<'j>,
        problems: &mut Vec<Problem>,
    ) -> Joined<'j> {
        let own = record.columns;
        let known = self.columns.as_ref().map(|(version, _)| *version);
        if known != Some(own.version()) && !self.tables.is_empty() {
            self.columns = Some((own.version(), with_joined(own, &self.tables)));
        }
        let mut joined = Joined {
            columns: (self.columns.as_ref()).map_or(own, |(_, columns)| columns),
            cells: record.cells.into(),
            rows: Vec::new(),
        };
        let mut start = own.len();
        for table in &*self.tables {
            let row = table.find(record, problems);
            let (cells, end) = (joined.cells.to_mut(), start + table.columns.len());
            cells.resize(end, Cell::default());
            for (position, kind, text) in row.into_iter().flatten().flat_map(|row| &row.cells) {
                cells[start + usize::from(*position)] = Cell { kind: *kind, text };
            }
            joined.rows.push(row);
            start = end;
        }
        joined
    }
}

impl Joined<'_> {
    /// Adds to the problems of joined values, from `first` on, the rows that they
    /// come from, and drops those of rows that are missing.
    pub(crate) fn trace(&self, rules: &Rules, problems: &mut Vec<Problem>, first: usize) {
        for mut problem in problems.split_off(first) {
            let column = problem.column.as_deref().unwrap_or_default();
            let join = rules.join_of(column);
            if let Ok(row) = join.map_or(Ok(None), |join| self.rows[join]) {
                problem.also.extend(row.map(|row| row.place));
                problems.push(problem);
            }
        }
    }
}
