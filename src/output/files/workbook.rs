//! Workbooks of Excel, in which every cell is text: ids keep their zeros, phone
//! numbers their plus, and nothing is a formula.

use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use csv::StringRecord;
use rust_xlsxwriter::{DataValidation, Format, IgnoreError, Workbook, Worksheet, XlsxError};

use super::output_file::CannotWrite;
use crate::model::reserved::{DECISION, DECISIONS};

/// The last one that a sheet can have.
const LAST_ROW: u32 = 1_048_575;

/// Whether the file's name asks for a workbook.
pub(super) fn is_named(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("xlsx")
}

/// Makes a workbook of a CSV file with a header. Temporary files are made in the
/// given folder, without a name.
pub(super) fn write(rows: &Path, to: &File, temporary: &Path) -> Result<(), CannotWrite> {
    // The library panics where the disk is full, which is an error like others.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let written = panic::catch_unwind(AssertUnwindSafe(|| try_write(rows, to, temporary)));
    panic::set_hook(hook);
    let full = || Err(io::Error::other("its rows can't be written, the disk may be full").into());
    written
        .unwrap_or_else(|_| full())
        .map_err(CannotWrite::Workbook)
}

fn try_write(rows: &Path, to: &File, temporary: &Path) -> Result<(), XlsxError> {
    let mut book = Workbook::new();
    book.set_tempdir(temporary)?;
    fill(book.add_worksheet_with_constant_memory()?, rows)?;
    book.save_to_writer(to)
}

fn fill(sheet: &mut Worksheet, rows: &Path) -> Result<(), XlsxError> {
    let (text, bold) = (Format::new().set_num_format("@"), Format::new().set_bold());
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(rows)
        .map_err(io::Error::from)?;
    let (mut row, mut cells, mut last) = (0, StringRecord::new(), (0, 0));
    while reader.read_record(&mut cells).map_err(io::Error::from)? {
        for (column, cell) in (0..).zip(&cells) {
            let format = if row == 0 { &bold } else { &text };
            sheet.write_string_with_format(row, column, cell, format)?;
            if row == 0 {
                lay_out(sheet, column, cell, &text)?;
            }
            last = (row, column);
        }
        row += 1;
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.autofilter(0, 0, last.0, last.1)?;
    sheet.ignore_error_range(0, 0, last.0, last.1, IgnoreError::NumberStoredAsText)?;
    Ok(())
}

/// What a user types into a column is text too.
fn lay_out(sheet: &mut Worksheet, column: u16, name: &str, text: &Format) -> Result<(), XlsxError> {
    sheet.set_column_format(column, text)?;
    sheet.set_column_width(column, name.len().clamp(12, 32) as f64)?;
    if name == DECISION {
        let choices = DataValidation::new().allow_list_strings(&DECISIONS)?;
        sheet.add_data_validation(1, column, LAST_ROW, column, &choices)?;
    }
    Ok(())
}
