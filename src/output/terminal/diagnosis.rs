//! What `doctor` finds: one line each.

use serde::Serialize;
use strum::IntoStaticStr;

use super::color;
use super::text::escaped_lines;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Health {
    Ok,
    Warning,
    /// An import can't start.
    Error,
}

/// What one check found. Texts may come from a file or a server.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    pub health: Health,
    /// What was checked.
    pub check: &'static str,
    pub message: String,
    /// Where a setting is from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Diagnosis {
    pub(crate) fn ok(check: &'static str, message: impl ToString) -> Self {
        Self::new(Health::Ok, check, message, "")
    }

    pub(crate) fn warning(
        check: &'static str,
        message: impl ToString,
        hint: impl ToString,
    ) -> Self {
        Self::new(Health::Warning, check, message, hint)
    }

    pub(crate) fn error(check: &'static str, message: impl ToString, hint: impl ToString) -> Self {
        Self::new(Health::Error, check, message, hint)
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "errors and texts alike, without & at every call"
    )]
    fn new(
        health: Health,
        check: &'static str,
        message: impl ToString,
        hint: impl ToString,
    ) -> Self {
        Self {
            health,
            check,
            message: message.to_string(),
            origin: String::new(),
            hint: hint.to_string(),
        }
    }

    pub(crate) fn from(self, origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            ..self
        }
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let paint = match self.health {
            Health::Ok => color::green,
            Health::Warning => color::yellow,
            Health::Error => color::red,
        };
        let health: &str = self.health.into();
        let shown = |text: &str, before: &str, after: &str| match text {
            "" => String::new(),
            text => format!("{before}{text}{after}"),
        };
        let origin = shown(&self.origin, " (", ")");
        let text = format!("{}{origin}{}", self.message, shown(&self.hint, ": ", ""));
        // A message that shows a line of the config has several.
        let text = escaped_lines(&text).replace('\n', "\n                      ");
        format!("{} {:13} {text}", paint(&format!("{health:7}")), self.check)
    }
}
