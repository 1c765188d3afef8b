//! `caseload_key`: the key as a rejects file brings it back. It is the key, and
//! it restores key columns that a spreadsheet has damaged on the way.

use crate::model::{Cell, CellKind, Code, Key, Record};

use super::bind::Binding;
use super::values::ValueError;
use crate::model::reserved::KEY as CASELOAD_KEY;

/// A record's key as we wrote it, with the cells that it restores.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) key: Key,
    parts: Vec<String>,
}

/// Reads the cell of a record's `caseload_key`, none where there is none.
pub(super) fn read(
    binding: &Binding,
    key_columns: usize,
    record: &Record<'_>,
) -> Result<Option<Restored>, ValueError> {
    let Some(position) = binding.caseload_key else {
        return Ok(None);
    };
    let cell = record.cell(position);
    if cell.is_blank() {
        return Ok(None);
    }
    let fault = |message| ValueError::new(Code::BadCaseloadKey, message);
    let key = cell
        .text
        .trim()
        .strip_prefix("key:")
        .and_then(|canonical| Key::parse(canonical).ok())
        .ok_or_else(|| {
            fault("not a key as caseload writes it")
                .hint(format!("put back what the rejects file had, such as key:[\"00123\"], or clear {CASELOAD_KEY}"))
        })?;
    let parts = key.parts();
    if key_columns != 0 && parts.len() != key_columns {
        return Err(
            fault("a key of another number of columns than the key has now")
                .hint("use the key columns that the rejects file was written with"),
        );
    }
    Ok(Some(Restored { key, parts }))
}

impl Restored {
    /// The record's cells with the key columns as the key has them. A cell that
    /// still says the same stays as it is.
    pub(super) fn cells<'c>(&'c self, binding: &Binding, record: &Record<'c>) -> Vec<Cell<'c>> {
        let mut cells = record.cells.to_vec();
        for (path, part) in binding.key.iter().zip(&self.parts) {
            let found = path.find(record);
            let damaged =
                found.kind == CellKind::Json || Key::new([&found.text]) != Key::new([part]);
            if damaged && let Some(position) = path.exact() {
                if position >= cells.len() {
                    cells.resize(position + 1, Cell::default());
                }
                cells[position] = Cell::text(part);
            }
        }
        cells
    }
}
