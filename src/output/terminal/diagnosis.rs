//! What `doctor` finds: one line each.

use std::fmt::Display;

use serde::Serialize;

use super::color;
use super::text::escaped_lines;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
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

pub(crate) fn ok(check: &'static str, message: impl Display) -> Diagnosis {
    Diagnosis {
        health: Health::Ok,
        check,
        message: message.to_string(),
        origin: String::new(),
        hint: String::new(),
    }
}

impl Diagnosis {
    pub(crate) fn from(mut self, origin: impl Into<String>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Without a hint where the message says what to do.
    pub(crate) fn warning(mut self, hint: impl Into<String>) -> Self {
        (self.health, self.hint) = (Health::Warning, hint.into());
        self
    }

    pub(crate) fn error(mut self, hint: impl Into<String>) -> Self {
        (self.health, self.hint) = (Health::Error, hint.into());
        self
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let paint = match self.health {
            Health::Ok => color::green,
            Health::Warning => color::yellow,
            Health::Error => color::red,
        };
        let mut text = self.message.clone();
        for (before, part, after) in [(" (", &self.origin, ")"), (": ", &self.hint, "")] {
            if !part.is_empty() {
                text.extend([before, part, after]);
            }
        }
        // A message that shows a line of the config has several.
        let text = escaped_lines(&text).replace('\n', "\n                      ");
        let health = paint(&format!("{:7}", self.health.to_string()));
        format!("{health} {:13} {text}", self.check)
    }
}
