//! An event as people read it. Which member of a body means what is assumed,
//! and a setting.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::api::possible_case_ids;
use crate::ledger::{EventRow, LedgerError, LedgerReader};
use crate::model::{EventKind, Key};

/// Dotted paths of the members that an event is read from.
#[derive(Debug, Clone)]
pub(crate) struct EventFields {
    /// The first that has the id of a known case counts.
    pub(crate) case_ids: Vec<String>,
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) date: String,
    pub(crate) stage: String,
    pub(crate) amount: String,
    /// Members that hold the parts of the key, in the key's own order; empty
    /// when the config does not say which.
    pub(crate) key: Vec<String>,
    /// The source of those keys.
    pub(crate) source: String,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) number: i64,
    pub(crate) kind: EventKind,
    pub(crate) received_at: Timestamp,
    /// When it happened by its own word, else when it came.
    pub(crate) at: Timestamp,
    pub(crate) title: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) stage: Option<String>,
    pub(crate) amount: Option<String>,
    /// The body as it came.
    pub(crate) body: String,
    json: Value,
}

impl Event {
    pub(super) fn read(row: &EventRow, fields: &EventFields) -> Self {
        let body = String::from_utf8_lossy(&row.body).into_owned();
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |path: &String| text_at(&json, path);
        let date = text(&fields.date).and_then(|date| time(&date));
        Self {
            number: row.number,
            kind: row.kind,
            received_at: row.received_at,
            at: date.unwrap_or(row.received_at),
            title: text(&fields.title),
            content: text(&fields.content),
            stage: text(&fields.stage),
            amount: text(&fields.amount),
            body,
            json,
        }
    }

    /// The key of the case that it is about, if the ledger has it: by a case id,
    /// else by the key's own fields.
    pub(super) fn case(
        &self,
        reader: &LedgerReader,
        fields: &EventFields,
    ) -> Result<Option<Key>, LedgerError> {
        let named = fields.case_ids.iter();
        let named = named.filter_map(|path| text_at(&self.json, path));
        let usual = possible_case_ids(&self.json).map(std::borrow::Cow::into_owned);
        for id in named.chain(usual) {
            if let Some(key) = reader.key_of_case_id(&id)? {
                return Ok(Some(key));
            }
        }
        let parts = fields.key.iter().map(|path| text_at(&self.json, path));
        let Some(parts) = parts
            .collect::<Option<Vec<_>>>()
            .filter(|key| !key.is_empty())
        else {
            return Ok(None);
        };
        let key = Key::of_source(&fields.source, parts);
        Ok(reader.knows(&key)?.then_some(key))
    }
}

/// The text or number at a dotted path; a member may have dots in its name.
fn text_at(json: &Value, path: &str) -> Option<String> {
    let value = json.get(path).or_else(|| {
        let mut names = path.split('.');
        names.try_fold(json, |value, name| value.get(name))
    })?;
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// UTC where no offset is named; a date counts from its midnight, and a number
/// from 1970, in seconds or, if that is too far away, in milliseconds.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return TimeZone::UTC.to_timestamp(time).ok();
    }
    let number: f64 = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    let unit = if number.abs() < 1e11 { 1000.0 } else { 1.0 };
    Timestamp::from_millisecond((number * unit).round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T01:00:00+01:00",
            "1767225600",
            "1767225600.0004",
            "1767225600000",
            "1.7672256e12",
        ] {
            let time = time(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some("2026-01-01T00:00:00Z"), "{text}");
        }
        let before = time("-86400").map(|time| time.to_string());
        assert_eq!(before.as_deref(), Some("1969-12-31T00:00:00Z"));
        for text in ["soon", "NaN", "inf", "1e300", "17/03/2026"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
