//! Values by type: text in, the text that is sent out, or what is wrong.

mod contact;
mod date;
mod state;

use std::borrow::Cow;

use jiff::civil::Date;

use crate::model::{Cell, CellKind, Code};

use super::json::PayloadValue;
use super::options::ValueType;

pub(crate) use contact::{email_of, phone_of};
pub(crate) use date::DateFormat;
pub(super) use date::DateFormats;
pub(crate) use state::state_of;

/// Why a value cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ValueError {
    pub(super) code: Code,
    pub(super) message: Cow<'static, str>,
    pub(super) hint: Option<Cow<'static, str>>,
}

impl ValueError {
    pub(super) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn nested() -> Self {
        Self::new(Code::NestedValue, "nested JSON where one value is expected")
            .hint("use a dotted name for the value inside it, such as `from = \"client.email\"`")
    }
}

/// Converts a value that is not blank, with the day that a date is. Converted
/// text is written to `written`.
pub(super) fn convert<'t>(
    value_type: ValueType,
    dates: &DateFormats,
    cell: Cell<'t>,
    written: &'t mut String,
) -> Result<(PayloadValue<'t>, Option<Date>), ValueError> {
    if cell.kind == CellKind::Json {
        return Err(ValueError::nested());
    }
    written.clear();
    let text = cell.text.trim();
    let mut day = None;
    let value = match value_type {
        ValueType::Text => PayloadValue::Text(cell.text),
        ValueType::Date | ValueType::DateTime => {
            let with_time = value_type == ValueType::DateTime;
            day = Some(dates.write(with_time, cell.kind, text, written)?);
            PayloadValue::Text(written)
        }
        ValueType::Integer => {
            integer(text, written)?;
            PayloadValue::Raw(written)
        }
        ValueType::Number => {
            number(text, written)?;
            PayloadValue::Raw(written)
        }
        ValueType::Bool => PayloadValue::Raw(boolean(text)?),
        ValueType::State => PayloadValue::Text(state::state(text)?),
        ValueType::Phone => {
            contact::phone(text, written)?;
            PayloadValue::Text(written)
        }
        ValueType::Email => {
            contact::email(text, written)?;
            PayloadValue::Text(written)
        }
    };
    Ok((value, day))
}

fn boolean(text: &str) -> Result<&'static str, ValueError> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes", "y", "1"]) {
        Ok("true")
    } else if is(["false", "no", "n", "0"]) {
        Ok("false")
    } else {
        Err(ValueError::new(Code::BadBool, "not a yes/no value")
            .hint("use yes or no, true or false, y or n, 1 or 0"))
    }
}

/// Writes a whole number, however long.
fn integer(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = ValueError::new(Code::BadInteger, "not a whole number");
        return Err(with_advice(error, text));
    }
    refuse_leading_zero(digits, Code::BadInteger)?;
    out.push_str(sign);
    out.push_str(digits);
    Ok(())
}

/// Writes a number as JSON has it; `.5` becomes `0.5`.
fn number(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, digits) = split_sign(text);
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    if starts_with_digit {
        refuse_leading_zero(digits, Code::BadNumber)?;
    }
    out.push_str(sign);
    if digits.starts_with('.') {
        out.push('0');
    }
    out.push_str(digits);
    let is_number = (starts_with_digit || digits.starts_with('.'))
        && serde_json::from_str::<serde_json::Number>(out).is_ok();
    if is_number {
        Ok(())
    } else {
        let error = ValueError::new(Code::BadNumber, "not a number");
        Err(with_advice(error, text))
    }
}

fn split_sign(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn refuse_leading_zero(digits: &str, code: Code) -> Result<(), ValueError> {
    match digits.as_bytes() {
        [b'0', b'0'..=b'9', ..] => Err(ValueError::new(code, "number with leading zeros")
            .hint("a number loses them: remove the type, or use type = \"text\", to keep them")),
        _ => Ok(()),
    }
}

fn with_advice(error: ValueError, text: &str) -> ValueError {
    if text.contains(['$', '€', '£']) {
        error.hint("remove the currency symbol")
    } else if text.contains('%') {
        error.hint("remove the percent sign")
    } else if text.contains(',') {
        error.hint("remove the commas, and use a period for decimals")
    } else if error.code == Code::BadInteger && text.parse::<f64>().is_ok() {
        error.hint("use type = \"number\" to allow decimals")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yes_and_no_in_any_letter_case() {
        for (text, expected) in [
            ("Yes", "true"),
            ("TRUE", "true"),
            ("n", "false"),
            ("0", "false"),
        ] {
            assert_eq!(boolean(text), Ok(expected), "{text}");
        }
        for text in ["t", "on", "2", "maybe", "1.0"] {
            assert_eq!(boolean(text).unwrap_err().code, Code::BadBool, "{text}");
        }
    }

    fn int(text: &str) -> Result<String, ValueError> {
        let mut out = String::new();
        integer(text, &mut out).map(|()| out)
    }

    fn num(text: &str) -> Result<String, ValueError> {
        let mut out = String::new();
        number(text, &mut out).map(|()| out)
    }

    #[test]
    fn whole_numbers_keep_every_digit() {
        assert_eq!(int("12").unwrap(), "12");
        assert_eq!(int("-7").unwrap(), "-7");
        assert_eq!(int("+7").unwrap(), "7");
        assert_eq!(
            int("123456789012345678901234567890").unwrap(),
            "123456789012345678901234567890"
        );
        for text in ["12.0", "1,200", "007", "$5", "", "-", "1e5", "five"] {
            assert_eq!(int(text).unwrap_err().code, Code::BadInteger, "{text}");
        }
        assert!(int("1,200").unwrap_err().hint.unwrap().contains("commas"));
    }

    #[test]
    fn numbers_are_json_numbers() {
        assert_eq!(num("12.50").unwrap(), "12.50");
        assert_eq!(num(".5").unwrap(), "0.5");
        assert_eq!(num("-1.5e-3").unwrap(), "-1.5e-3");
        for text in [
            "5.", "1,5", "$1.20", "00.5", "NaN", "inf", "1e", "1.2.3", ".", "e5",
        ] {
            assert_eq!(num(text).unwrap_err().code, Code::BadNumber, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_number_is_valid_json(text in "[-+0-9.eE,]{0,12}") {
            if let Ok(written) = num(&text) {
                prop_assert!(serde_json::from_str::<Box<serde_json::value::RawValue>>(&written).is_ok());
            }
        }
    }
}
