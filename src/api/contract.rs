//! Every assumption about the server, each a setting with a default.
//!
//! What is known and what is assumed of the API is told in the README; code
//! elsewhere asks this file and assumes nothing by itself.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::Value;

/// Names under which the answer may hold the new case's id, in this order; at
/// the top level, then under `data` or `case`. Assumed.
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
/// Where the message of a refusal may stand. Assumed.
const MESSAGE_NAMES: [&str; 3] = ["message", "error", "errors"];
/// The parameter that names the handling firm (guide).
pub(super) const PARTNER_FIRM_ID: &str = "partnerFirmId";
/// Answers after which `4xx` in `api.rejected` still means nothing certain:
/// they are the proxy's, the gateway's, or said before the server knew.
const NOT_IN_4XX: [u16; 6] = [401, 407, 408, 409, 425, 429];

/// Where `partnerFirmId` goes: `api.partner_firm_id_in`. Both by default, since
/// a server that does not see it creates a draft without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirmPlace {
    #[default]
    Both,
    Query,
    Body,
}

/// How the key is sent: `api.auth`. By default as `Authorization: Key …`
/// (field client).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "AuthTable")]
pub enum AuthPlace {
    Header { name: String, prefix: String },
    Query { name: String },
}

/// `[api.auth]` as it is written.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthTable {
    #[serde(rename = "in", default)]
    place: AuthTarget,
    name: Option<String>,
    prefix: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthTarget {
    #[default]
    Header,
    Query,
}

impl TryFrom<AuthTable> for AuthPlace {
    type Error = &'static str;

    fn try_from(table: AuthTable) -> Result<Self, Self::Error> {
        match (table.place, table.name, table.prefix) {
            (AuthTarget::Header, name, prefix) => Ok(Self::Header {
                name: name.unwrap_or_else(|| "Authorization".to_owned()),
                prefix: prefix.unwrap_or_else(|| "Key ".to_owned()),
            }),
            (AuthTarget::Query, Some(name), None) => Ok(Self::Query { name }),
            (AuthTarget::Query, None, _) => Err("`in = \"query\"` needs the parameter's `name`"),
            (AuthTarget::Query, _, Some(_)) => {
                Err("`prefix` is for a header; it has no effect in a query")
            }
        }
    }
}

impl Default for AuthPlace {
    fn default() -> Self {
        Self::Header {
            name: "Authorization".to_owned(),
            prefix: "Key ".to_owned(),
        }
    }
}

/// Where the answer holds the new case's id: `api.case_id_field`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(from = "String")]
pub enum CaseIdField {
    /// Under one of the usual names.
    #[default]
    Usual,
    /// At this dotted path.
    Path(String),
    /// Answers carry no id, and a 2xx is enough: `none`.
    None,
}

impl From<String> for CaseIdField {
    fn from(text: String) -> Self {
        match text.as_str() {
            "none" => Self::None,
            _ => Self::Path(text),
        }
    }
}

/// An invalid entry of `api.not_sent` or `api.rejected`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    #[error(
        "invalid status {0:?}: expected a status such as \"429\", a class such as \"4xx\", or \
         either followed by \"+retry-after\""
    )]
    Status(String),
    #[error("invalid status {0:?}: only 300 to 599 can be listed; 2xx is always a success")]
    Success(String),
}

/// `api.not_sent` or `api.rejected`: entries such as `"429"`, `503`, `"4xx"` or
/// `"503+retry-after"`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct StatusList(Vec<StatusEntry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct StatusEntry {
    statuses: RangeInclusive<u16>,
    /// A class leaves out `NOT_IN_4XX`.
    class: bool,
    needs_retry_after: bool,
}

impl StatusList {
    /// Answers that mean "never processed", unless the config says otherwise.
    pub fn not_sent() -> Self {
        let entry = |statuses, needs_retry_after| StatusEntry {
            statuses,
            class: false,
            needs_retry_after,
        };
        let statuses = [301, 307, 308, 401, 407, 429].map(|status| entry(status..=status, false));
        Self([&statuses[..], &[entry(503..=503, true)]].concat())
    }

    /// Answers that mean "rejected, nothing was created", unless the config
    /// says otherwise.
    pub fn rejected() -> Self {
        Self(vec![StatusEntry {
            statuses: 400..=499,
            class: true,
            needs_retry_after: false,
        }])
    }

    pub fn parse<S: AsRef<str>>(
        entries: impl IntoIterator<Item = S>,
    ) -> Result<Self, ContractError> {
        entries
            .into_iter()
            .map(|entry| entry.as_ref().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn contains(&self, status: u16, has_retry_after: bool) -> bool {
        self.0.iter().any(|entry| {
            entry.statuses.contains(&status)
                && !(entry.class && NOT_IN_4XX.contains(&status))
                && (has_retry_after || !entry.needs_retry_after)
        })
    }
}

impl FromStr for StatusEntry {
    type Err = ContractError;

    fn from_str(entry: &str) -> Result<Self, ContractError> {
        let (status, needs_retry_after) = match entry.trim().strip_suffix("+retry-after") {
            Some(status) => (status, true),
            None => (entry.trim(), false),
        };
        let invalid = || ContractError::Status(entry.to_owned());
        let (statuses, class) = match status.strip_suffix("xx") {
            Some(digit) => {
                let digit: u16 = digit.parse().map_err(|_| invalid())?;
                let first = digit.checked_mul(100).ok_or_else(invalid)?;
                (first..=first.saturating_add(99), true)
            }
            None => {
                let status = status.parse().map_err(|_| invalid())?;
                (status..=status, false)
            }
        };
        match *statuses.start() {
            300..=599 => Ok(Self {
                statuses,
                class,
                needs_retry_after,
            }),
            100..=299 => Err(ContractError::Success(entry.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl<'de> Deserialize<'de> for StatusEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl Visitor<'_> for Entry {
            type Value = StatusEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as \"429\", \"4xx\" or \"503+retry-after\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusEntry, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<StatusEntry, E> {
                self.visit_str(&status.to_string())
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

/// All assumptions together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Where the firm's id goes.
    pub partner_firm_id_in: FirmPlace,
    /// How the key travels.
    pub auth: AuthPlace,
    /// Where the new case's id is.
    pub case_id_field: CaseIdField,
    /// Answers that mean "never processed".
    pub not_sent: StatusList,
    /// Answers that mean "refused, nothing made".
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
    /// The body of the call: the payload, with the firm's id as its last
    /// member where it goes into the body.
    pub fn body(&self, payload: &str, partner_firm: Option<&str>) -> String {
        let Some(firm) = partner_firm.filter(|_| self.partner_firm_id_in != FirmPlace::Query)
        else {
            return payload.to_owned();
        };
        let open = payload
            .trim_end()
            .strip_suffix('}')
            .unwrap_or(payload)
            .trim_end();
        let separator = if open.ends_with('{') { "" } else { "," };
        let firm = Value::from(firm);
        format!("{open}{separator}\"{PARTNER_FIRM_ID}\":{firm}}}")
    }

    /// The new case's id, unless it is an echo of what was sent under its name.
    pub(super) fn case_id(&self, answer: &Value, sent: &Value) -> Option<Box<str>> {
        match &self.case_id_field {
            CaseIdField::None => None,
            CaseIdField::Path(path) => {
                let names: Vec<&str> = path.split('.').collect();
                let found = id_text(at(answer, &names)?)?;
                let leaf = names.last().copied().unwrap_or_default();
                let echo = is_echo(&found, at(sent, &names)) || is_echo(&found, sent.get(leaf));
                (!echo).then(|| found.into())
            }
            CaseIdField::Usual => std::iter::once(answer)
                .chain(CASE_ID_PARENTS.iter().filter_map(|name| answer.get(name)))
                .find_map(|object| {
                    CASE_ID_NAMES.iter().find_map(|name| {
                        let found = id_text(object.get(name)?)?;
                        (!is_echo(&found, sent.get(name))).then(|| found.into())
                    })
                }),
        }
    }

    /// Names of fields that came back otherwise than they were sent. The new
    /// case's id is no echo, whatever was sent under its name.
    pub(super) fn echo_differs(
        answer: &Value,
        sent: &Value,
        case_id: Option<&str>,
    ) -> Vec<Box<str>> {
        let Some(sent) = sent.as_object() else {
            return Vec::new();
        };
        let objects: Vec<&Value> = std::iter::once(answer)
            .chain(CASE_ID_PARENTS.iter().filter_map(|name| answer.get(name)))
            .collect();
        sent.iter()
            .filter(|(name, value)| {
                objects
                    .iter()
                    .find_map(|object| object.get(name.as_str()))
                    .is_some_and(|back| {
                        let is_case_id = case_id.is_some() && id_text(back).as_deref() == case_id;
                        !is_case_id && !same_value(back, value)
                    })
            })
            .map(|(name, _)| name.as_str().into())
            .collect()
    }

    /// What the server said, from a body of any form; not yet escaped or cut.
    pub(super) fn message(body: &str) -> Option<String> {
        let text = match serde_json::from_str::<Value>(body) {
            Ok(json) => MESSAGE_NAMES
                .iter()
                .filter_map(|name| json.get(name))
                .find_map(message_text)
                .unwrap_or_else(|| body.trim().to_owned()),
            Err(_) => body.trim().to_owned(),
        };
        (!text.is_empty()).then_some(text)
    }
}

fn at<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}

fn id_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn is_echo(found: &str, sent: Option<&Value>) -> bool {
    sent.and_then(id_text).is_some_and(|sent| sent == found)
}

fn same_value(back: &Value, sent: &Value) -> bool {
    back == sent
        || match (id_text(back), id_text(sent)) {
            // A number that comes back as text is no difference to a person.
            (Some(back), Some(sent)) => back == sent,
            _ => false,
        }
}

fn message_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(
            items
                .iter()
                .map(|item| message_text(item).unwrap_or_else(|| item.to_string()))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        Value::Object(object) => MESSAGE_NAMES
            .iter()
            .filter_map(|name| object.get(*name))
            .find_map(message_text)
            .or_else(|| Some(value.to_string())),
        Value::Number(number) => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests;
