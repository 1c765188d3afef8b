//! Every assumption about the server, each a setting with a default.
//!
//! What is known and what is assumed of the API is told in the README; code
//! elsewhere asks this file and assumes nothing by itself.

use std::borrow::Cow;
use std::ops::RangeInclusive;

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

/// Where `partnerFirmId` goes. Both by default: a server that misses it makes
/// a draft without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirmPlace {
    /// Query string and body.
    #[default]
    Both,
    /// Query string only.
    Query,
    /// Body only.
    Body,
}

/// How the key travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthPlace {
    /// In a header, behind a prefix (field client: `Authorization: Key …`).
    Header {
        /// The header's name.
        name: String,
        /// What stands before the key.
        prefix: String,
    },
    /// As a query parameter of this name.
    Query {
        /// The parameter's name.
        name: String,
    },
}

impl Default for AuthPlace {
    fn default() -> Self {
        Self::Header {
            name: "Authorization".to_owned(),
            prefix: "Key ".to_owned(),
        }
    }
}

/// Where the answer holds the new case's id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CaseIdField {
    /// Under one of the usual names.
    #[default]
    Usual,
    /// At this dotted path.
    Path(String),
    /// Nowhere: answers carry no id, and a 2xx is enough.
    None,
}

/// A setting that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// An entry of `api.not_sent` or `api.rejected`.
    #[error(
        "{0:?} is no answer; expected a status such as \"429\", a class such as \"4xx\", or \
         either with \"+retry-after\""
    )]
    Status(String),
    /// A success can't be listed as a refusal.
    #[error("{0:?} would call a success a failure; only 300 to 599 can be listed")]
    Success(String),
}

/// A list of answers, as `api.not_sent` and `api.rejected` have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList(Vec<StatusEntry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct StatusEntry {
    statuses: RangeInclusive<u16>,
    /// A class leaves out what it can't mean.
    class: bool,
    needs_retry_after: bool,
}

impl StatusList {
    /// Reads entries such as `"429"`, `"4xx"`, `"503+retry-after"`.
    pub fn parse<S: AsRef<str>>(
        entries: impl IntoIterator<Item = S>,
    ) -> Result<Self, ContractError> {
        entries
            .into_iter()
            .map(|entry| StatusEntry::parse(entry.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether an answer is in the list.
    pub fn contains(&self, status: u16, has_retry_after: bool) -> bool {
        self.0.iter().any(|entry| {
            entry.statuses.contains(&status)
                && !(entry.class && NOT_IN_4XX.contains(&status))
                && (has_retry_after || !entry.needs_retry_after)
        })
    }
}

impl StatusEntry {
    fn parse(entry: &str) -> Result<Self, ContractError> {
        let (status, needs_retry_after) = match entry.trim().strip_suffix("+retry-after") {
            Some(status) => (status, true),
            None => (entry.trim(), false),
        };
        let unknown = || ContractError::Status(entry.to_owned());
        let (statuses, class) = if let Some(digit) = status.strip_suffix("xx") {
            let first = digit.parse::<u16>().map_err(|_| unknown())? * 100;
            (first..=first + 99, true)
        } else {
            let status = status.parse().map_err(|_| unknown())?;
            (status..=status, false)
        };
        match *statuses.start() {
            300..=599 => Ok(Self {
                statuses,
                class,
                needs_retry_after,
            }),
            100..=299 => Err(ContractError::Success(entry.to_owned())),
            _ => Err(unknown()),
        }
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
        let list = |entries: &[&str]| {
            StatusList::parse(entries).unwrap_or_else(|_| StatusList(Vec::new()))
        };
        Self {
            partner_firm_id_in: FirmPlace::default(),
            auth: AuthPlace::default(),
            case_id_field: CaseIdField::default(),
            not_sent: list(&["301", "307", "308", "401", "407", "429", "503+retry-after"]),
            rejected: list(&["4xx"]),
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
