//! The value of a workbook's cell as people see it: dates as dates, numbers by
//! their digits, text as it is.

use std::fmt::Write as _;

use calamine::{CellErrorType, DataRef, ExcelDateTime, ExcelDateTimeType};
use jiff::civil::{Date, DateTime};

use crate::model::CellKind;

/// Writes a cell's value as people see it, and says what it is; nothing for an
/// empty cell.
pub(super) fn write_value(
    value: &DataRef<'_>,
    is_1904: bool,
    out: &mut String,
) -> Option<CellKind> {
    Some(match value {
        DataRef::Empty => return None,
        DataRef::String(text) | DataRef::DurationIso(text) => text_value(text, out),
        DataRef::SharedString(text) => text_value(text, out),
        DataRef::Bool(value) => {
            out.push_str(if *value { "true" } else { "false" });
            CellKind::Bool
        }
        DataRef::Int(value) => {
            // Writing to a text can't fail, here and below.
            let _ = write!(out, "{value}");
            CellKind::Number
        }
        DataRef::Float(value) => number(*value, out),
        DataRef::DateTime(value) => date_time(*value, is_1904, out),
        DataRef::DateTimeIso(text) => iso(text, out),
        DataRef::Error(error) => text_value(error_text(error), out),
    })
}

fn text_value(text: &str, out: &mut String) -> CellKind {
    out.push_str(text);
    CellKind::Text
}

fn error_text(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#GETTING_DATA",
    }
}

/// The shortest digits that mean this number, never with an exponent.
fn number(value: f64, out: &mut String) -> CellKind {
    if !value.is_finite() {
        let _ = write!(out, "{value}");
        return CellKind::Text;
    }
    // No minus in front of nothing.
    let _ = write!(out, "{}", if value == 0.0 { 0.0 } else { value });
    CellKind::Number
}

fn date_time(value: ExcelDateTime, is_1904: bool, out: &mut String) -> CellKind {
    const DAY: i64 = 86_400;
    /// The first serial that is no date any more: year 10000.
    const END: f64 = 2_958_466.0;
    let serial = value.as_f64();
    if !(0.0..END).contains(&serial) {
        return number(serial, out);
    }
    // Whole seconds, since fractions of a day have no exact binary form.
    let seconds = (serial * DAY as f64).round() as i64;
    let (days, second) = (seconds / DAY, seconds % DAY);
    if value.is_duration() {
        let _ = write!(
            out,
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        return CellKind::Text;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    if serial < 1.0 && days == 0 {
        // A time of no day.
        let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
        return CellKind::Text;
    }
    let date = ExcelDateTime::new(days as f64, ExcelDateTimeType::DateTime, is_1904);
    let (year, month, day, ..) = date.to_ymd_hms_milli();
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    if seconds % DAY == 0 {
        return CellKind::Date;
    }
    let _ = write!(out, "T{hour:02}:{minute:02}:{second:02}");
    CellKind::DateTime
}

/// A date that the workbook holds as text, with or without a time.
fn iso(text: &str, out: &mut String) -> CellKind {
    let has_time = text.contains('T');
    if !has_time && text.parse::<Date>().is_ok() {
        out.push_str(text);
        return CellKind::Date;
    }
    match text.parse::<DateTime>() {
        Ok(time) if has_time => {
            let _ = write!(out, "{}", time.strftime("%Y-%m-%dT%H:%M:%S"));
            CellKind::DateTime
        }
        _ => text_value(text, out),
    }
}
