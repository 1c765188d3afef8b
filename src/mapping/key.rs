//! A record's key, read from its key columns or from `caseload_key`.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::model::{
    Cell, CellKind, Code, Key, Problem, Record, is_placeholder, reserved, without_invisible,
};

use super::columns::{Binding, FoundValue};
use super::field::{problem, warn, warn_removed};
use super::options::MappingOptions;
use super::values::{DateFormat, ValueError};

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

    /// The record's cells with the key columns restored, and the key that they
    /// make. A cell with the same key in another spelling stays as it is. One
    /// that differs by more than what a spreadsheet does is the user's
    /// correction, and is reported.
    pub(super) fn apply<'c>(
        &'c self,
        options: &MappingOptions,
        binding: &Binding,
        record: &Record<'c>,
        problems: &mut Vec<Problem>,
        out: &mut String,
    ) -> Vec<Cell<'c>> {
        let mut cells = record.cells.to_vec();
        let mut parts: Vec<Cow<'_, str>> = Vec::new();
        for ((path, part), column) in binding.key.iter().zip(&self.parts).zip(&options.key) {
            let found = path.find(record);
            let is_text = found.kind != CellKind::Json;
            let is_same = is_text && Key::new([&found.text]) == Key::new([part]);
            let is_edited = is_text
                && !is_same
                && !found.cell().is_blank()
                && !is_respelled(part, found.text.trim());
            if is_edited {
                problems.push(corrected(record, column, part, &found.text));
                parts.push(found.text);
                continue;
            }
            if let Some(position) = path.exact.filter(|_| !is_same) {
                let length = cells.len().max(position + 1);
                cells.resize(length, Cell::default());
                cells[position] = Cell::text(part);
            }
            parts.push(part.into());
        }
        if binding.key.is_empty() {
            out.push_str(self.key.canonical());
        } else {
            Key::write_canonical(self.key.source(), &parts, out);
        }
        cells
    }
}

fn corrected(record: &Record<'_>, column: &str, exported: &str, cell: &str) -> Problem {
    Problem::new(
        Code::CorrectedKey,
        record.place,
        "the key was corrected after the row was exported",
    )
    .in_column(column)
    .with_value(cell)
    .with_hint(format!(
        "it was exported as {exported:?}: write that again if it is still the same case"
    ))
}

/// Whether a spreadsheet saves `saved` for what was `original`: TRUE for true, a
/// number without its zeros or rounded, a date in its own form. A placeholder is
/// no correction either.
fn is_respelled(original: &str, saved: &str) -> bool {
    let is_bool = matches!(&*saved.to_ascii_lowercase(), "true" | "false");
    is_placeholder(saved)
        || (is_bool && original.eq_ignore_ascii_case(saved))
        || is_same_number(original, saved)
        || is_same_date(original, saved)
}

/// `123` for `00123` or `123.0`, and `4.41E+11` or 15 digits and zeros for a
/// number of more digits.
fn is_same_number(original: &str, saved: &str) -> bool {
    let number = |text: &str| {
        let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        text.parse::<f64>().ok().filter(|_| is_number)
    };
    let (Some(exact), Some(shown)) = (number(original), number(saved)) else {
        return false;
    };
    let (mantissa, exponent) = saved.split_once(['E', 'e']).unwrap_or((saved, ""));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches(['+', '-']);
    // A spreadsheet leaves no zeros in front.
    if whole.len() > 1 && whole.starts_with('0') {
        return false;
    }
    let power = |digits: usize| i32::try_from(digits).unwrap_or(i32::MAX);
    let most = match (exponent.parse::<i32>(), whole.get(15..)) {
        // Rounded to the last digit that is shown.
        (Ok(exponent), _) => 0.501 * 10_f64.powi(exponent.saturating_sub(power(decimals.len()))),
        // Cut off after 15 digits.
        (Err(_), Some(zeros)) if !zeros.is_empty() && zeros.bytes().all(|zero| zero == b'0') => {
            10_f64.powi(power(zeros.len()))
        }
        (Err(_), Some(digits)) if !digits.is_empty() => return false,
        _ => 0.0,
    };
    (exact - shown).abs() <= most
}

/// `1/5/2026` for `2026-01-05`, `2-Jan` for `1-2`.
fn is_same_date(original: &str, saved: &str) -> bool {
    static FORMATS: LazyLock<Vec<DateFormat>> = LazyLock::new(|| {
        let formats = "%Y-%m-%d %m/%d/%Y %m/%d/%y %m-%d-%Y %m-%d-%y %d.%m.%Y %Y/%m/%d \
                       %d-%b-%Y %d-%b-%y %b-%d-%Y %b%d-%Y %Y%m%d";
        let formats = formats.split_whitespace();
        formats
            .filter_map(|format| DateFormat::compile(format).ok())
            .collect()
    });
    let dates = |text: &str| {
        let mut dates = Vec::new();
        // A leap year for dates without one.
        for text in [text, &(text.replace('/', "-") + "-2000")] {
            let read = FORMATS.iter().filter_map(|format| format.read(text).ok());
            let days = read.filter(|date| !date.has_time_of_day());
            dates.extend(days.map(|date| date.date()));
        }
        dates
    };
    let known = dates(original);
    !known.is_empty() && dates(saved).iter().any(|date| known.contains(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_does_to_a_key_is_no_correction() {
        for (original, saved) in [
            ("00123", "123"),
            ("1.50", "1.5"),
            ("1E5", "100000"),
            ("441000000001", "4.41E+11"),
            ("441099999999", "4.41E+11"),
            ("12345678901234567", "12345678901234500"),
            ("12345678901234567", "1.23457E+16"),
            ("2026-01-05", "1/5/2026"),
            ("2026-01-05", "1/5/2026 0:00"),
            ("1/25/25", "1/25/2025"),
            ("1-2", "2-Jan"),
            ("3/4", "4-Mar"),
            ("MAR1", "1-Mar"),
            ("05.01.2026", "1/5/2026"),
            ("true", "TRUE"),
            ("-abc", "#NAME?"),
        ] {
            assert!(is_respelled(original, saved), "{original} {saved}");
        }
        for (original, saved) in [
            ("00123", "124"),
            ("123", "00123"),
            ("00123", "0123"),
            ("L-1", "L-2"),
            ("l-1", "L-1"),
            ("441000000001", "4.42E+11"),
            ("12345678901234567", "12345678901234568"),
            ("2026-01-05", "2026-01-06"),
            ("2026-01-05", "1/5/2026 10:30"),
            ("1-2", "3-Jan"),
            ("A1", "#12"),
        ] {
            assert!(!is_respelled(original, saved), "{original} {saved}");
        }
    }
}
