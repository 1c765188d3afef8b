//! A record's key, read from its key columns or from `caseload_key`.

use std::sync::LazyLock;

use crate::model::{
    Cell, CellKind, Code, Key, Record, is_placeholder, reserved, without_invisible,
};

use super::columns::{Binding, FoundValue};
use super::options::MappingOptions;
use super::problems::Problems;
use super::rules::Rules;
use super::values::{DateFormat, ValueError};

/// Writes the canonical key of the key columns, if there are any. What was
/// restored stands in for the columns' values.
pub(super) fn read_key(
    rules: &Rules,
    binding: &Binding,
    record: &Record<'_>,
    restored: &[Option<&str>],
    problems: &mut Problems<'_>,
    out: &mut String,
) {
    let columns = &rules.options.key;
    let restored = restored.iter().copied().chain(std::iter::repeat(None));
    let values = binding.key.iter().zip(restored);
    let values = values.map(|(path, part)| match part {
        Some(part) => FoundValue {
            kind: CellKind::Text,
            text: part.into(),
        },
        None => path.find(record),
    });
    let values: Vec<FoundValue<'_>> = values.collect();
    for (value, column) in values.iter().zip(columns) {
        let cell = value.cell();
        problems.warn(column, cell);
        problems.warn_invisible(column, cell, "removed");
        if cell.kind == CellKind::Json {
            let message = "nested JSON where the key is expected";
            let error = ValueError::new(Code::NestedValue, message);
            problems.error(column, cell, error);
        }
    }
    let Some(first) = columns.first() else {
        return;
    };
    let texts: Vec<_> = values.iter().map(|v| without_invisible(&v.text)).collect();
    let is_missing = |text: &str| text.trim().is_empty() || text.trim() == "0";
    if texts.iter().all(|text| text.trim().is_empty()) {
        let error = ValueError::new(Code::EmptyKey, "the key is empty")
            .hint("fill it in, or choose a key column that has a value in every row");
        return problems.error(first, Cell::default(), error);
    }
    // A sub-number may be 0 beside a part that is filled.
    let all_missing = texts.iter().all(|text| is_missing(text));
    for ((text, value), column) in texts.iter().zip(&values).zip(columns) {
        if is_placeholder(text) && (all_missing || !is_missing(text)) {
            let error = ValueError::new(Code::PlaceholderKey, "a placeholder instead of a key")
                .hint("fill in the case's own id, or choose another key column");
            return problems.error(column, value.cell(), error);
        }
    }
    let source = rules.options.source.as_deref().unwrap_or_default();
    Key::write_canonical(source, texts, out);
}

/// The key in `caseload_key`, as a rejects file brings it back; none where it is
/// missing or blank.
pub(super) fn exported_key(
    options: &MappingOptions,
    binding: &Binding,
    record: &Record<'_>,
) -> Result<Option<Key>, ValueError> {
    let cell = binding.caseload_key.map(|position| record.cell(position));
    let Some(cell) = cell.filter(|cell| !cell.is_blank()) else {
        return Ok(None);
    };
    let bad = |message: String| ValueError::new(Code::BadCaseloadKey, message);
    let text = cell.text.trim().strip_prefix("key:");
    let Some(key) = text.and_then(Key::parse) else {
        return Err(
            bad("not a key written by caseload".to_owned()).hint(format!(
                "restore the value from the rejects file, such as key:[\"00123\"], or clear {}",
                reserved::KEY
            )),
        );
    };
    let source = options.source.as_deref().unwrap_or_default();
    if key.source() != source {
        let named = |source: &str| match source {
            "" => "no source".to_owned(),
            source => format!("source {source}"),
        };
        let (of, here) = (named(key.source()), named(source));
        let message = format!("the row's key is of {of}, and this import is of {here}");
        return Err(bad(message).hint("use the --source of the run that wrote the file"));
    }
    let (parts, columns) = (key.parts().len(), options.key.len());
    if columns > 0 && parts != columns {
        let message = format!("the key has {parts} columns here, and {columns} in this import");
        return Err(bad(message).hint("use the key columns of the run that wrote the rejects file"));
    }
    Ok(Some(key))
}

/// The parts of an exported key that restore the values of the key columns. A
/// value with the same key in another spelling stays as it is. One that differs
/// by more than what a spreadsheet does is the user's correction, and is reported.
pub(super) fn restored_parts<'k>(
    rules: &Rules,
    binding: &Binding,
    record: &Record<'_>,
    parts: &'k [String],
    problems: &mut Problems<'_>,
) -> Vec<Option<&'k str>> {
    let columns = binding.key.iter().zip(&rules.options.key);
    let restored = columns.zip(parts).map(|((path, column), part)| {
        let found = path.find(record);
        let text = found.text.trim();
        if found.kind == CellKind::Json {
            return Some(part.as_str());
        }
        if Key::new([text]) == Key::new([part]) {
            return None;
        }
        let is_corrected = !text.is_empty() && !is_respelled(part, text);
        if is_corrected {
            let message = "the key was corrected after the row was exported";
            let error = ValueError::new(Code::CorrectedKey, message).hint(format!(
                "it was exported as {part:?}: write that again if it is still the same case"
            ));
            problems.error(column, found.cell(), error);
        }
        (!is_corrected).then_some(part.as_str())
    });
    restored.collect()
}

/// The record's cells with the restored values of the key columns.
pub(super) fn restored_cells<'c>(
    binding: &Binding,
    record: &Record<'c>,
    restored: &[Option<&'c str>],
) -> Vec<Cell<'c>> {
    let mut cells = record.cells.to_vec();
    for (path, part) in binding.key.iter().zip(restored) {
        if let (Some(position), Some(part)) = (path.exact, part) {
            let length = cells.len().max(position + 1);
            cells.resize(length, Cell::default());
            cells[position] = Cell::text(part);
        }
    }
    cells
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
            dates.extend(days.map(|date| date.date));
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
