//! The problems of one record, and what is looked for in every cell.

use crate::model::{
    Cell, CellKind, Code, Place, Problem, invisible_names, is_rounded_number, is_spreadsheet_error,
};

use super::values::ValueError;

pub(super) const ROUNDED: &str =
    "other rows may have lost the same digits; export again with this column as text";

/// Where the problems of one record go.
pub(super) struct Problems<'p> {
    pub(super) place: Place,
    pub(super) list: &'p mut Vec<Problem>,
}

impl Problems<'_> {
    #[cold]
    pub(super) fn error(&mut self, column: &str, cell: Cell<'_>, error: ValueError) {
        let mut problem = Problem::new(error.code, self.place, error.message);
        if !column.is_empty() {
            problem = problem.in_column(column);
        }
        if !cell.is_blank() {
            problem = problem.with_value(cell.text);
        }
        problem.hint = error.hint.map(Into::into);
        self.list.push(problem);
    }

    /// Warns of control characters and of what a spreadsheet has spoiled in a cell.
    #[inline]
    pub(super) fn warn(&mut self, column: &str, cell: Cell<'_>) {
        if cell.kind != CellKind::Text {
            return;
        }
        let is_control = |byte| byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n');
        if cell.text.bytes().any(is_control) {
            let error = ValueError::new(Code::ControlCharacter, "control characters in the value")
                .hint("clear the cell and type the value again");
            self.error(column, cell, error);
        }
        if is_rounded_number(cell.text) {
            let message = "a number that a spreadsheet has rounded";
            let error = ValueError::new(Code::RoundedNumber, message).hint(ROUNDED);
            self.error(column, cell, error);
        }
        if is_spreadsheet_error(cell.text.trim_end()) {
            let error = ValueError::new(Code::SpreadsheetError, "spreadsheet error value")
                .hint("fix the formula, or widen the column, and export again");
            self.error(column, cell, error);
        }
    }

    /// Warns of a cell's invisible characters, and of what becomes of them.
    #[inline]
    pub(super) fn warn_invisible(&mut self, column: &str, cell: Cell<'_>, fate: &str) {
        if cell.kind == CellKind::Text
            && let Some(names) = invisible_names(cell.text)
        {
            let message = format!("invisible characters {fate}: {names}");
            let error = ValueError::new(Code::InvisibleCharacter, message)
                .hint("clear the cell and type the value again");
            self.error(column, cell, error);
        }
    }
}
