//! A record's key, read from its key columns or from `caseload_key`.

use crate::model::{
    Cell, CellKind, Code, Key, Problem, Record, is_placeholder, reserved, without_invisible,
};

use super::columns::{Binding, FoundValue};
use super::field::{problem, warn, warn_removed};
use super::options::MappingOptions;
use super::values::ValueError;

/// Writes the canonical key of the key columns, of which there is one at least.
pub(super) fn read_key(
    options: &MappingOptions,
    binding: &Binding,
    record: &Record<'_>,
    problems: &mut Vec<Problem>,
    out: &mut String,
) {
    let (place, columns) = (record.place, &options.key);
    let values: Vec<FoundValue<'_>> = binding.key.iter().map(|path| path.find(record)).collect();
    for (value, column) in values.iter().zip(columns) {
        let cell = value.cell();
        warn(column, cell, place, problems);
        if cell.kind == CellKind::Text {
            warn_removed(column, cell, place, problems);
        } else if cell.kind == CellKind::Json {
            let message = "nested JSON where the key is expected";
            let error = ValueError::new(Code::NestedValue, message);
            problems.push(problem(place, column, cell, error));
        }
    }
    let texts: Vec<_> = values.iter().map(|v| without_invisible(&v.text)).collect();
    let is_missing = |text: &str| text.trim().is_empty() || text.trim() == "0";
    if texts.iter().all(|text| text.trim().is_empty()) {
        let error = ValueError::new(Code::EmptyKey, "the key is empty")
            .hint("fill it in, or choose a key column that has a value in every row");
        problems.push(problem(place, &columns[0], Cell::default(), error));
        return;
    }
    // A sub-number may be 0 beside a part that is filled.
    let all_missing = texts.iter().all(|text| is_missing(text));
    for ((text, value), column) in texts.iter().zip(&values).zip(columns) {
        if is_placeholder(text) && (all_missing || !is_missing(text)) {
            let error = ValueError::new(Code::PlaceholderKey, "a placeholder instead of a key")
                .hint("fill in the case's own id, or choose another key column");
            problems.push(problem(place, column, value.cell(), error));
            return;
        }
    }
    Key::write_canonical(options.source.as_deref().unwrap_or_default(), texts, out);
}

/// The key as a rejects file brings it back. It restores key columns that a
/// spreadsheet has changed.
#[derive(Debug)]
pub(super) struct RestoredKey {
    pub(super) key: Key,
    parts: Vec<String>,
}

impl RestoredKey {
    /// Reads `caseload_key`; none where it is missing or blank.
    pub(super) fn read(
        options: &MappingOptions,
        binding: &Binding,
        record: &Record<'_>,
    ) -> Result<Option<Self>, ValueError> {
        let cell = binding.caseload_key.map(|position| record.cell(position));
        let Some(cell) = cell.filter(|cell| !cell.is_blank()) else {
            return Ok(None);
        };
        let text = cell.text.trim().strip_prefix("key:");
        let Some(key) = text.and_then(Key::parse) else {
            let hint = format!(
                "restore the value from the rejects file, such as key:[\"00123\"], or clear {}",
                reserved::KEY
            );
            return Err(
                ValueError::new(Code::BadCaseloadKey, "not a key written by caseload").hint(hint),
            );
        };
        let source = options.source.as_deref().unwrap_or_default();
        if key.source() != source {
            let named = |source: &str| match source {
                "" => "no source".to_owned(),
                source => format!("source {source}"),
            };
            let message = format!(
                "the row's key is of {}, and this import is of {}",
                named(key.source()),
                named(source)
            );
            return Err(ValueError::new(Code::BadCaseloadKey, message)
                .hint("use the --source of the run that wrote the file"));
        }
        let (parts, columns) = (key.parts(), &options.key);
        if !columns.is_empty() && parts.len() != columns.len() {
            let message = format!(
                "the key has {} columns here, and {} in this import",
                parts.len(),
                columns.len()
            );
            return Err(ValueError::new(Code::BadCaseloadKey, message)
                .hint("use the key columns of the run that wrote the rejects file"));
        }
        Ok(Some(Self { key, parts }))
    }

    /// The record's cells with the key columns restored. A cell with the same
    /// key in another spelling stays as it is.
    pub(super) fn cells<'c>(&'c self, binding: &Binding, record: &Record<'c>) -> Vec<Cell<'c>> {
        let mut cells = record.cells.to_vec();
        for (path, part) in binding.key.iter().zip(&self.parts) {
            let found = path.find(record);
            let is_same =
                found.kind != CellKind::Json && Key::new([&found.text]) == Key::new([part]);
            if let Some(position) = path.exact.filter(|_| !is_same) {
                let length = cells.len().max(position + 1);
                cells.resize(length, Cell::default());
                cells[position] = Cell::text(part);
            }
        }
        cells
    }
}
