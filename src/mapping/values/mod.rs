//! Values by type: text in, the text that is sent out, or what is wrong.

mod contact;
mod date;
mod number;
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
        ValueType::Date => {
            day = Some(dates.write_date(cell.kind, text, written)?);
            PayloadValue::Text(written)
        }
        ValueType::DateTime => {
            day = Some(dates.write_datetime(cell.kind, text, written)?);
            PayloadValue::Text(written)
        }
        ValueType::Integer => {
            number::integer(text, written)?;
            PayloadValue::Raw(written)
        }
        ValueType::Number => {
            number::number(text, written)?;
            PayloadValue::Raw(written)
        }
        ValueType::Bool => PayloadValue::Raw(boolean(text)?),
        ValueType::State => PayloadValue::Text(state::state(text)?),
        ValueType::Phone => {
            contact::phone(text, written)?;
            PayloadValue::Text(written)
        }
        ValueType::Email => PayloadValue::Text(contact::email(text)?),
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

#[cfg(test)]
mod tests {
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
}
