//! Every assumption about the server, each a setting with a default.
//!
//! examples/api.md says what is known of the API and what is assumed; code elsewhere
//! asks this file and assumes nothing itself.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::{EchoDifference, Key, is_placeholder, without_invisible};

/// Names under which the response may have the new case's id, in this order; at
/// the top level, then in `data` or `case`. Assumed.
const CASE_ID_NAMES: [&str; 7] = [
    "_id",
    "id",
    "case_id",
    "caseId",
    "CaseId",
    "lexamicaId",
    "LexamicaId",
];
const CASE_ID_PARENTS: [&str; 2] = ["data", "case"];
/// A longer text does not count as an id.
const MAX_ID_CHARS: usize = 200;
/// Names under which a response may have its message. Assumed.
const MESSAGE_NAMES: [&str; 3] = ["message", "error", "errors"];
/// Names under which an error may have the name of its field. Assumed.
const ERROR_FIELD_NAMES: [&str; 4] = ["field", "path", "param", "property"];
/// The parameter that names the handling firm (guide).
pub(super) const PARTNER_FIRM_ID: &str = "partnerFirmId";
/// Statuses that `4xx` leaves out: they come from a proxy or gateway, or before
/// the server knew what became of the case.
const NOT_IN_4XX: [u16; 6] = [401, 407, 408, 409, 425, 429];

/// Where `partnerFirmId` goes. Both by default, since a server that does not see
/// it creates a draft without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FirmPlace {
    #[default]
    Both,
    Query,
    Body,
}

/// How the key is sent. By default as `Authorization: Key …` (field client).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "in", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum AuthPlace {
    /// In a header.
    Header {
        /// By default `Authorization`.
        name: Option<String>,
        /// Text in front of the key, by default `Key` and a space.
        prefix: Option<String>,
    },
    /// In the query of the URL.
    Query {
        /// Name of the parameter.
        name: String,
    },
}

impl Default for AuthPlace {
    fn default() -> Self {
        Self::Header {
            name: None,
            prefix: None,
        }
    }
}

/// Where the response has the new case's id: a dotted path, or `none`. By
/// default under one of the usual names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(from = "String")]
pub(crate) enum CaseIdField {
    /// Under one of the usual names.
    #[default]
    Usual,
    /// At this dotted path.
    Path(String),
    /// `none`: responses have no id, and a JSON object or an empty body is
    /// enough.
    None,
}

impl From<String> for CaseIdField {
    fn from(text: String) -> Self {
        if text == "none" {
            Self::None
        } else {
            Self::Path(text)
        }
    }
}

/// HTTP statuses such as `"429"`, `503`, `"4xx"` or `"503+retry-after"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct StatusList(Vec<StatusEntry>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Value")]
#[schemars(extend("type" = ["string", "integer"]))]
struct StatusEntry {
    /// One, or a class, which leaves out [`NOT_IN_4XX`].
    statuses: RangeInclusive<u16>,
    needs_retry_after: bool,
}

impl StatusList {
    /// Responses that mean "never processed", unless the config says otherwise.
    pub(crate) fn not_sent() -> Self {
        let entries = [301, 307, 308, 401, 407, 429, 503].map(|status| StatusEntry {
            statuses: status..=status,
            needs_retry_after: status == 503,
        });
        Self(entries.into())
    }

    /// Responses that mean "rejected, nothing was created", unless the config
    /// says otherwise.
    pub(crate) fn rejected() -> Self {
        Self(vec![StatusEntry {
            statuses: 400..=499,
            needs_retry_after: false,
        }])
    }

    #[cfg(test)]
    pub(crate) fn parse<S: AsRef<str>>(
        entries: impl IntoIterator<Item = S>,
    ) -> Result<Self, String> {
        let entries = entries.into_iter();
        let entries = entries.map(|entry| Value::from(entry.as_ref()).try_into());
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// A status that another list names in the same way.
    pub(crate) fn first_in_both(&self, other: &Self) -> Option<u16> {
        let mut entries = self.0.iter();
        let same = entries.find(|entry| other.0.contains(entry));
        same.map(|entry| *entry.statuses.start())
    }

    pub(crate) fn contains(&self, status: u16, has_retry_after: bool) -> bool {
        self.0.iter().any(|entry| {
            let is_named = entry.statuses == (status..=status);
            let is_in_class = entry.statuses.contains(&status) && !NOT_IN_4XX.contains(&status);
            (is_named || is_in_class) && (has_retry_after || !entry.needs_retry_after)
        })
    }
}

/// Text, or a number.
impl TryFrom<Value> for StatusEntry {
    type Error = String;

    fn try_from(entry: Value) -> Result<Self, String> {
        let text = match &entry {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        let (status, needs_retry_after) = match text.strip_suffix("+retry-after") {
            Some(status) => (status, true),
            None => (&*text, false),
        };
        let (first, others) = match status.strip_suffix("xx") {
            Some(digit) => (format!("{digit}00"), 99),
            None => (status.to_owned(), 0),
        };
        match first.parse() {
            Ok(first @ 300..=599) => Ok(Self {
                statuses: first..=first + others,
                needs_retry_after,
            }),
            _ => Err(format!(
                "invalid status {text:?}: expected 300 to 599, a class such as \"4xx\", or either \
                 followed by \"+retry-after\""
            )),
        }
    }
}

/// All assumptions together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contract {
    pub partner_firm_id_in: FirmPlace,
    pub auth: AuthPlace,
    pub case_id_field: CaseIdField,
    pub not_sent: StatusList,
    pub rejected: StatusList,
}

impl Default for Contract {
    fn default() -> Self {
        Self {
            partner_firm_id_in: FirmPlace::default(),
            auth: AuthPlace::default(),
            case_id_field: CaseIdField::default(),
            not_sent: StatusList::not_sent(),
            rejected: StatusList::rejected(),
        }
    }
}

impl Contract {
    /// The request body: the payload, and the firm's id as its last member
    /// where it goes into the body.
    pub(crate) fn body(&self, payload: &str, partner_firm: Option<&str>) -> String {
        let Some(firm) = partner_firm.filter(|_| self.partner_firm_id_in != FirmPlace::Query)
        else {
            return payload.to_owned();
        };
        let open = payload.trim_end().strip_suffix('}').unwrap_or(payload);
        let open = open.trim_end();
        let separator = if open.ends_with('{') { "" } else { "," };
        let firm = Value::from(firm);
        format!("{open}{separator}\"{PARTNER_FIRM_ID}\":{firm}}}")
    }

    /// The new case's id, unless it is an echo of what was sent under its name
    /// or of the case's own key.
    pub(super) fn case_id(&self, response: &Value, sent: &Value, key: &Key) -> Option<Box<str>> {
        let key_parts = key.parts();
        let id_at = |object: &Value, path: &[&str]| {
            let found = id_text(at(object, path)?).filter(|text| is_id(text))?;
            let echoes = [at(sent, path), sent.get(path.last()?)];
            let is_echo = (echoes.into_iter().flatten())
                .any(|sent| id_text(sent).is_some_and(|sent| sent == found));
            let is_key = key_parts.iter().any(|part| *part == found);
            (!is_echo && !is_key).then(|| found.into())
        };
        match &self.case_id_field {
            CaseIdField::None => None,
            CaseIdField::Path(path) => id_at(response, &path.split('.').collect::<Vec<_>>()),
            CaseIdField::Usual => objects(response).find_map(|object| {
                let mut names = CASE_ID_NAMES.iter();
                names.find_map(|name| id_at(object, &[name]))
            }),
        }
    }

    /// Whether a successful response says that the call failed. A field that
    /// came back as it was sent says nothing.
    pub(super) fn says_failed(response: &Value, sent: &Value) -> bool {
        objects(response).any(|object| {
            let says = |name: &str, means_failure: fn(&Value) -> bool| {
                let value = object.get(name).filter(|value| means_failure(value));
                value.is_some_and(|value| sent.get(name) != Some(value))
            };
            says("success", is_false)
                || says("ok", is_false)
                || says("status", is_failure)
                || says("result", is_failure)
                || says("error", is_error)
                || says("errors", is_error)
        })
    }

    /// Names of fields that came back with other values than were sent. The new
    /// case's id is none of them, whatever was sent under its name.
    pub(super) fn echo_differs(
        response: &Value,
        sent: &Value,
        case_id: Option<&str>,
    ) -> Vec<EchoDifference> {
        let text = |value: &Value| match value {
            Value::String(text) => text.as_str().into(),
            other => other.to_string().into(),
        };
        let difference = |(name, value): (&String, &Value)| {
            let returned = objects(response).find_map(|object| object.get(name))?;
            // A number that comes back as text is the same to a person.
            let id = id_text(returned);
            let is_case_id = case_id.is_some() && id.as_deref() == case_id;
            let same = returned == value || id.is_some() && id == id_text(value);
            (!is_case_id && !same).then(|| EchoDifference {
                field: name.as_str().into(),
                sent: text(value),
                returned: text(returned),
            })
        };
        let fields = sent.as_object().into_iter().flatten();
        fields.filter_map(difference).collect()
    }

    /// The server's message from a body in any form; not yet escaped or cut.
    pub(super) fn message(body: &str) -> Option<String> {
        let json: Option<Value> = serde_json::from_str(body).ok();
        let message = json.as_ref().and_then(named_message);
        let text = message.unwrap_or_else(|| body.trim().to_owned());
        (!text.is_empty()).then_some(text)
    }
}

/// Ids that an answer or an event may have, the likeliest first.
pub(crate) fn possible_case_ids(json: &Value) -> impl Iterator<Item = Cow<'_, str>> {
    let named = objects(json).flat_map(|object| {
        let names = CASE_ID_NAMES.iter();
        names.filter_map(|name| id_text(object.get(name)?))
    });
    named.filter(|text| is_id(text))
}

/// The objects that may have the fields of a case.
fn objects(response: &Value) -> impl Iterator<Item = &Value> {
    let nested = CASE_ID_PARENTS.iter().filter_map(|name| response.get(name));
    std::iter::once(response).chain(nested)
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn id_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Whether a text can be an id: visible, not too long, and no `null`.
fn is_id(text: &str) -> bool {
    let is_visible = !text.contains(char::is_control) && without_invisible(text) == text;
    let is_word = text.chars().any(char::is_alphabetic) && is_placeholder(text);
    is_visible && !is_word && text.chars().count() <= MAX_ID_CHARS
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        other => *other == Value::Bool(false),
    }
}

fn is_failure(value: &Value) -> bool {
    let words = ["error", "failed", "failure", "fail"];
    let text = value.as_str().unwrap_or_default().trim();
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Not empty, and neither `false` nor 0.
fn is_error(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(failed) => *failed,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// All messages of an object: `message` is often only a headline of `errors`.
fn named_message(value: &Value) -> Option<String> {
    let named = MESSAGE_NAMES.iter().filter_map(|name| value.get(name));
    let mut texts: Vec<String> = named.filter_map(message_text).collect();
    texts.dedup();
    let text = (!texts.is_empty()).then(|| texts.join("; "))?;
    let mut fields = ERROR_FIELD_NAMES.iter().filter_map(|name| value.get(name));
    Some(match fields.find_map(id_text) {
        Some(field) => format!("{field}: {text}"),
        None => text,
    })
}

fn message_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            let items = items.iter();
            let texts = items.map(|item| message_text(item).unwrap_or_else(|| item.to_string()));
            Some(texts.collect::<Vec<_>>().join("; "))
        }
        Value::Object(_) => named_message(value).or_else(|| Some(value.to_string())),
        Value::Number(number) => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests;
