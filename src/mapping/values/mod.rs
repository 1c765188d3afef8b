//! Values by type: text in, the exact text that is sent out, or what is wrong.

mod bool;
mod civil;
mod date;
mod date_format;
mod email;
mod number;
mod phone;
mod state;
mod time;

use std::borrow::Cow;

use crate::model::{Cell, CellKind, Code};

use super::blank::trimmed;
use super::options::ValueType;

pub use civil::Civil;
pub(super) use date::DateRules;
pub use date_format::DateFormat;
pub use email::email_of;
pub use phone::phone_of;
pub use state::state_of;

/// Why a value is not what its type wants.
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
}

/// What a value became. `written` is where converted text was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Converted<'t> {
    /// A JSON string of this text.
    Text(&'t str),
    /// A JSON value as it stands.
    Raw(&'t str),
}

impl<'t> Converted<'t> {
    /// The text that a person would compare.
    pub(super) fn text(self) -> &'t str {
        match self {
            Self::Text(text) | Self::Raw(text) => text,
        }
    }
}

/// Converts a value that is not blank to a type. The day is that of a date, so
/// that who calls can see whether it is plausible.
pub(super) fn convert<'t>(
    value_type: ValueType,
    dates: &DateRules,
    cell: Cell<'t>,
    written: &'t mut String,
    day: &mut Option<Civil>,
) -> Result<Converted<'t>, ValueError> {
    if cell.kind == CellKind::Json {
        return Err(ValueError::new(
            Code::NestedValue,
            "a nested value where a single one is needed",
        )
        .hint("name the value inside it with dots, such as `from = \"client.email\"`"));
    }
    written.clear();
    let text = trimmed(cell.text);
    match value_type {
        ValueType::Text => return Ok(Converted::Text(cell.text)),
        ValueType::Date => *day = Some(dates.date(cell.kind, text, written)?),
        ValueType::DateTime => *day = Some(dates.datetime(cell.kind, text, written)?),
        ValueType::Integer => {
            number::integer(text, written)?;
            return Ok(Converted::Raw(written));
        }
        ValueType::Number => {
            number::number(text, written)?;
            return Ok(Converted::Raw(written));
        }
        ValueType::Bool => return bool::bool_of(text).map(Converted::Raw),
        ValueType::State => return state::state(text).map(Converted::Text),
        ValueType::Phone => phone::phone(text, written)?,
        ValueType::Email => return email::email(text).map(Converted::Text),
    }
    Ok(Converted::Text(written))
}
