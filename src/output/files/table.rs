//! CSV tables: a byte order mark, a header, rows of as many cells, and a column
//! that names the cells that were escaped.

use std::borrow::Cow;

use super::output_file::{OutputFile, OutputFileError};
use crate::model::reserved::{self, ESCAPED, TEXT};

#[derive(Debug)]
pub(super) struct CsvTable {
    file: OutputFile,
    /// Without [`ESCAPED`], which the table fills itself.
    columns: Vec<Box<str>>,
    /// The position of [`ESCAPED`]: the last, but for long texts.
    escaped: usize,
}

impl CsvTable {
    /// Writes the header.
    pub(super) fn create<S: AsRef<str>>(
        mut file: OutputFile,
        columns: impl IntoIterator<Item = S>,
    ) -> Result<Self, OutputFileError> {
        let columns: Vec<Box<str>> = columns
            .into_iter()
            .map(|column| column.as_ref().into())
            .collect();
        let mut names: Vec<Cow<'_, str>> = columns.iter().map(|name| header_cell(name)).collect();
        let text = names.iter().position(|name| *name == TEXT);
        let escaped = text.unwrap_or(names.len());
        names.insert(escaped, ESCAPED.into());
        let mut header = "\u{feff}".as_bytes().to_vec();
        push_row(names.iter().map(AsRef::as_ref), &mut header);
        file.write_header(&header)?;
        Ok(Self {
            file,
            columns,
            escaped,
        })
    }

    /// Adds a row; cells are in the order of the columns.
    pub(super) fn write_row<'c>(&mut self, cells: impl IntoIterator<Item = Cow<'c, str>>) {
        let mut escaped: Vec<&str> = Vec::new();
        let mut row: Vec<Cow<'c, str>> = Vec::with_capacity(self.columns.len() + 1);
        for (column, cell) in self.columns.iter().zip(cells) {
            // What is in columns of ours is read as JSON, or by people.
            let is_own = reserved::is_reserved(column);
            if is_formula(&cell) || (!is_own && reserved::has_controls(&cell)) {
                escaped.push(column);
                row.push(format!("'{}", reserved::escape(&cell)).into());
            } else {
                row.push(match reserved::escape_controls(&cell) {
                    Cow::Borrowed(_) => cell,
                    Cow::Owned(escaped) => escaped.into(),
                });
            }
        }
        debug_assert_eq!(row.len(), self.columns.len());
        let list = match escaped.as_slice() {
            [] => "".into(),
            // Strings always serialize.
            columns => {
                let columns = serde_json::to_string(columns).unwrap_or_default();
                format!("escaped:{}", reserved::escape_controls(&columns)).into()
            }
        };
        row.insert(self.escaped, list);
        let mut line = Vec::new();
        push_row(row.iter().map(AsRef::as_ref), &mut line);
        self.file.write_row(&line);
    }

    pub(super) fn into_file(self) -> OutputFile {
        self.file
    }
}

/// A column's name; with a `'` if it would be more than text, or begins with one.
fn header_cell(name: &str) -> Cow<'_, str> {
    if is_formula(name) || reserved::has_controls(name) || name.starts_with('\'') {
        format!("'{}", reserved::escape(name)).into()
    } else {
        name.into()
    }
}

/// One CSV row with its line end, for a single write.
fn push_row<'c>(cells: impl Iterator<Item = &'c str>, out: &mut Vec<u8>) {
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(1024)
        .from_writer(out);
    // Writing to memory cannot fail, and each row has its own writer.
    let _ = writer.write_record(cells);
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
    cell.starts_with(['\t', '\r', '\n'])
        || cell
            .trim_start_matches(is_invisible)
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{202a}'..='\u{202e}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
