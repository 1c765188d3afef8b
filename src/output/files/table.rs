//! Tables: a byte order mark, a header, rows of as many cells, and a column that
//! names the cells that were escaped.

use std::borrow::Cow;

use super::output_file::{OutputFile, OutputFileError};
use crate::model::reserved::{self, ESCAPED, TEXT};
use crate::model::{Members, is_invisible, json_cell, json_members};

#[derive(Debug)]
pub(crate) struct CsvTable {
    file: OutputFile,
    columns: Vec<Box<str>>,
    /// The position of [`ESCAPED`]: the last, but for long texts.
    escaped: usize,
}

impl CsvTable {
    /// Writes the header; [`ESCAPED`] is added.
    pub(super) fn create<'c>(
        mut file: OutputFile,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Result<Self, OutputFileError> {
        let mut columns: Vec<Box<str>> = columns.into_iter().map(Box::from).collect();
        let text = columns.iter().position(|name| **name == *TEXT);
        let escaped = text.unwrap_or(columns.len());
        columns.insert(escaped, ESCAPED.into());
        let mut header = "\u{feff}".as_bytes().to_vec();
        let is_formula = |name: &str| !file.is_workbook() && is_formula(name);
        let names = columns.iter().map(|name| header_cell(name, is_formula));
        push_row(names, &mut header);
        file.write_header(&header)?;
        Ok(Self {
            file,
            columns,
            escaped,
        })
    }

    /// Adds a row: in each column what is known under its name, or else the value
    /// of the raw record.
    pub(super) fn write_row(&mut self, facts: &[(&'static str, Cow<'_, str>)], raw: &str) {
        let members = json_members(raw).unwrap_or_default();
        let mut expected = 0;
        let mut escaped: Vec<&str> = Vec::new();
        let mut row: Vec<Cow<'_, str>> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let fact = facts.iter().find(|(name, _)| **name == **column);
            let cell = match fact {
                _ if **column == *ESCAPED => "".into(),
                Some((_, fact)) => Cow::Borrowed(&**fact),
                None => record_cell(&members, column, &mut expected),
            };
            // What is in columns of ours is read as JSON, or by people.
            let is_own = reserved::is_reserved(column);
            let is_formula = !self.file.is_workbook() && is_formula(&cell);
            if is_formula || (!is_own && reserved::has_controls(&cell)) {
                escaped.push(column);
                row.push(format!("'{}", reserved::escape(&cell)).into());
            } else {
                row.push(match reserved::escape_controls(&cell) {
                    Cow::Borrowed(_) => cell,
                    Cow::Owned(escaped) => escaped.into(),
                });
            }
        }
        if !escaped.is_empty() {
            // Strings always serialize.
            let list = serde_json::to_string(&escaped).unwrap_or_default();
            row[self.escaped] = format!("escaped:{}", reserved::escape_controls(&list)).into();
        }
        let mut line = Vec::new();
        push_row(row, &mut line);
        self.file.write_row(&line);
    }

    pub(super) fn into_file(self) -> OutputFile {
        self.file
    }
}

/// The value of a record under this name; empty where there is none. Mostly the
/// members are in the order of the columns, each after the one found before.
fn record_cell<'r>(members: &Members<'r>, name: &str, expected: &mut usize) -> Cow<'r, str> {
    let is_there = |at: &usize| members.get(*at).is_some_and(|(member, _)| member == name);
    let at = Some(*expected).filter(is_there);
    let Some(at) = at.or_else(|| (0..members.len()).find(is_there)) else {
        return "".into();
    };
    *expected = at + 1;
    json_cell(members[at].1).1
}

/// A column's name; with a `'` if it would be more than text, or begins with one.
fn header_cell(name: &str, is_formula: impl Fn(&str) -> bool) -> Cow<'_, str> {
    if is_formula(name) || reserved::has_controls(name) || name.starts_with('\'') {
        format!("'{}", reserved::escape(name)).into()
    } else {
        name.into()
    }
}

/// One CSV row with its line end, for a single write.
fn push_row<'c>(cells: impl IntoIterator<Item = Cow<'c, str>>, out: &mut Vec<u8>) {
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(1024)
        .from_writer(out);
    // Writing to memory cannot fail, and each row has its own writer.
    for cell in cells {
        let _ = writer.write_field(&*cell);
    }
    let _ = writer.write_record(None::<&[u8]>);
    let _ = writer.flush();
}

/// Whether a spreadsheet may take the cell for a formula: it begins with one of
/// `= + - @`, also in full width and after white space or invisible characters,
/// or with a tab or line break. Phone numbers such as `+17025550101` are among
/// them: a spreadsheet would turn them into numbers.
pub(super) fn is_formula(cell: &str) -> bool {
    // Nearly every cell begins with a letter or a digit.
    if cell.is_empty() || cell.as_bytes()[0].is_ascii_alphanumeric() {
        return false;
    }
    let is_unseen = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    cell.starts_with(['\t', '\r', '\n'])
        || cell
            .trim_start_matches(is_unseen)
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_name_and_keep_their_digits() {
        let raw =
            r#"{"b": 12345678901234567890.10, "a": "x\ny", "c": null, "d": {"e": [1]}, "b": 2}"#;
        let members = json_members(raw).unwrap();
        let mut expected = 0;
        let cells = ["b", "d", "z", "c", "a", "c"];
        let cells = cells.map(|name| record_cell(&members, name, &mut expected));
        let b = "12345678901234567890.10";
        assert_eq!(cells, [b, "{\"e\": [1]}", "", "", "x\ny", ""]);
        assert_eq!(record_cell(&Vec::new(), "b", &mut expected), "");
    }

    #[test]
    fn cells_that_a_spreadsheet_would_evaluate_are_formulas() {
        for cell in [
            "=HYPERLINK(\"http://x\")",
            "+17025550101",
            "-5",
            "-",
            "@SUM(A1)",
            "\tx",
            "\r=1",
            "\nx",
            "  =1+1",
            "\u{feff}=1",
            "\u{0}=1",
            "\u{a0}+1",
            "＝1+1",
            "＠x",
        ] {
            assert!(is_formula(cell), "{cell:?}");
        }
    }

    #[test]
    fn other_cells_are_not_formulas() {
        for cell in [
            "",
            " ",
            "a=1",
            "5-3",
            "'=1",
            "(702) 555-0101",
            "key:[\"00123\"]",
            "#N/A",
            "José",
        ] {
            assert!(!is_formula(cell), "{cell:?}");
        }
    }
}
