//! The calls that set the platform up: mappings and webhook subscriptions.
//!
//! The vendor's public text has lost its examples, so each path and each name
//! in here is an assumption, and a setting. The README tells where a person
//! with a browser can settle them.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::address::{Address, AddressError};
use super::client::{Client, ClientError, ClientOptions};
use super::contract::{AuthPlace, Contract};
use super::key::PublicKey;
use crate::model::{Key, Outcome};

/// Members of a list's answer that may hold the list itself.
const LIST_PARENTS: [&str; 5] = ["data", "items", "results", "mappings", "subscriptions"];

/// `api.paths`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ManagementPaths {
    pub(crate) mappings: String,
    pub(crate) subscriptions: String,
}

impl Default for ManagementPaths {
    fn default() -> Self {
        Self {
            mappings: "/organization/{org_id}/mappings".to_owned(),
            subscriptions: "/organization/{org_id}/webhook-subscriptions".to_owned(),
        }
    }
}

/// `api.bodies`: JSON in which each name in braces stands for a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ManagementBodies {
    pub(crate) mapping: String,
    /// One pair of a mapping.
    pub(crate) field: String,
    pub(crate) subscription: String,
}

impl Default for ManagementBodies {
    fn default() -> Self {
        Self {
            mapping: r#"{"name":{name},"model":{model},"fields":{fields}}"#.to_owned(),
            field: r#"{"source":{source},"target":{target}}"#.to_owned(),
            subscription: r#"{"event":{event},"url":{url},"secret":{secret},"mapping":{mapping}}"#
                .to_owned(),
        }
    }
}

/// A template that makes no request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TemplateError {
    #[error("there is no {{{0}}} in it")]
    Missing(&'static str),
    #[error("it makes no JSON: {0}")]
    NotJson(String),
}

impl ManagementBodies {
    /// A mapping of cases: pairs of our field and the platform's.
    pub(crate) fn mapping(
        &self,
        name: &str,
        pairs: &[(String, String)],
    ) -> Result<String, TemplateError> {
        let pairs = pairs.iter().map(|(source, target)| {
            let values = [("source", json(source)), ("target", json(target))];
            filled(&self.field, &values)
        });
        let pairs = pairs.collect::<Result<Vec<_>, _>>()?.join(",");
        let values = [
            ("fields", format!("[{pairs}]")),
            ("name", json(name)),
            ("model", json("Case")),
        ];
        filled(&self.mapping, &values)
    }

    /// A subscription to an event.
    pub(crate) fn subscription(
        &self,
        event: &str,
        url: &str,
        secret: &str,
        mapping: &str,
    ) -> Result<String, TemplateError> {
        let values = [
            ("event", json(event)),
            ("url", json(url)),
            ("secret", json(secret)),
            ("mapping", json(mapping)),
        ];
        filled(&self.subscription, &values)
    }
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

/// The template with its values, in one pass: a name in braces inside a value
/// stays as it is.
fn filled(template: &str, values: &[(&'static str, String)]) -> Result<String, TemplateError> {
    let mut used = vec![false; values.len()];
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let named = values
            .iter()
            .enumerate()
            .find_map(|(index, (name, value))| {
                let after = from[1..].strip_prefix(name)?.strip_prefix('}')?;
                Some((index, value.as_str(), after))
            });
        if let Some((index, _, _)) = named {
            used[index] = true;
        }
        // Any other brace stands for itself.
        let (_, value, after) = named.unwrap_or((0, "{", &from[1..]));
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    if let Some(index) = used.iter().position(|used| !used) {
        return Err(TemplateError::Missing(values[index].0));
    }
    let parsed: Result<Value, _> = serde_json::from_str(&text);
    match parsed {
        Ok(_) => Ok(text),
        Err(error) => Err(TemplateError::NotJson(error.to_string())),
    }
}

/// What there is to set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    Mappings,
    Subscriptions,
}

impl Collection {
    /// The setting of its path, for messages.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::Mappings => "api.paths.mappings",
            Self::Subscriptions => "api.paths.subscriptions",
        }
    }
}

/// Why a list, or one of its members, can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManagementError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Host and proxy are named in it.
    #[error("{0}")]
    Network(String),
    /// The answer is not what is assumed.
    #[error(
        "{method} {url} was answered {status}: {answer}\nif the path is another one, set {setting}"
    )]
    Unexpected {
        method: Method,
        url: String,
        status: u16,
        /// Redacted.
        answer: Box<str>,
        setting: &'static str,
    },
}

/// Makes the calls, with the private key.
pub(crate) struct Management {
    mappings: Client,
    subscriptions: Client,
}

impl Management {
    /// Connects to nothing yet. Without a key it only tells its URLs.
    pub(crate) fn new(
        base_url: &str,
        org_id: Option<&str>,
        paths: &ManagementPaths,
        auth: &AuthPlace,
        key: Option<&PublicKey>,
        options: &ClientOptions,
    ) -> Result<Self, ManagementError> {
        let client = |path: &str| {
            let address = Address::of_path(base_url, org_id, path)?;
            let contract = Contract {
                auth: auth.clone(),
                ..Contract::default()
            };
            Ok::<_, ManagementError>(Client::new(
                address,
                contract,
                key.cloned(),
                options.clone(),
            )?)
        };
        Ok(Self {
            mappings: client(&paths.mappings)?,
            subscriptions: client(&paths.subscriptions)?,
        })
    }

    fn client(&self, collection: Collection) -> &Client {
        match collection {
            Collection::Mappings => &self.mappings,
            Collection::Subscriptions => &self.subscriptions,
        }
    }

    /// Where one is created, without the key.
    pub(crate) fn url(&self, collection: Collection) -> &str {
        self.client(collection).address().url().as_str()
    }

    /// Creates one; sends at most one complete request, like that of a case. An
    /// answer never shows the secret.
    pub(crate) async fn create(
        &self,
        collection: Collection,
        name: &str,
        body: String,
        secret: Option<PublicKey>,
    ) -> Outcome {
        let client = self.client(collection);
        let url = client.address().url().clone();
        let (_, outcome) = client.post(url, body, Key::new([name]), secret);
        outcome.await
    }

    /// All of them, as the platform shows them.
    pub(crate) async fn list(&self, collection: Collection) -> Result<Vec<Value>, ManagementError> {
        let (answer, unexpected) = self.call(Method::GET, collection, None).await?;
        let json: Option<Value> = serde_json::from_str(&answer).ok();
        let list = json.and_then(|json| match json {
            Value::Array(list) => Some(list),
            Value::Object(mut members) => {
                LIST_PARENTS
                    .iter()
                    .find_map(|name| match members.remove(*name) {
                        Some(Value::Array(list)) => Some(list),
                        _ => None,
                    })
            }
            _ => None,
        });
        list.ok_or(unexpected)
    }

    /// One of them.
    pub(crate) async fn show(
        &self,
        collection: Collection,
        id: &str,
    ) -> Result<Value, ManagementError> {
        let (answer, unexpected) = self.call(Method::GET, collection, Some(id)).await?;
        serde_json::from_str(&answer).map_err(|_| unexpected)
    }

    pub(crate) async fn delete(
        &self,
        collection: Collection,
        id: &str,
    ) -> Result<(), ManagementError> {
        self.call(Method::DELETE, collection, Some(id))
            .await
            .map(drop)
    }

    /// A successful answer, and the error that it is if it makes no sense.
    async fn call(
        &self,
        method: Method,
        collection: Collection,
        id: Option<&str>,
    ) -> Result<(Box<str>, ManagementError), ManagementError> {
        let client = self.client(collection);
        let mut url = client.address().url().clone();
        if let Some(id) = id
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.push(id);
        }
        let shown = url.to_string();
        let answer = client.call(method.clone(), url).await;
        let (status, answer) = answer.map_err(ManagementError::Network)?;
        let answer = client.shown(&answer, usize::MAX);
        let unexpected = ManagementError::Unexpected {
            method,
            url: shown,
            status,
            answer: answer[..answer.floor_char_boundary(500)].into(),
            setting: collection.setting(),
        };
        if (200..300).contains(&status) {
            Ok((answer, unexpected))
        } else {
            Err(unexpected)
        }
    }
}

/// The id of a member of a list.
pub(crate) fn id_of(member: &Value) -> Option<String> {
    super::contract::possible_case_ids(member)
        .next()
        .map(std::borrow::Cow::into_owned)
}

/// Whether a member, or a part of it, is this text.
pub(crate) fn has_text(member: &Value, text: &str) -> bool {
    match member {
        Value::String(own) => own == text,
        Value::Array(parts) => parts.iter().any(|part| has_text(part, text)),
        Value::Object(parts) => parts.values().any(|part| has_text(part, text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_bodies_are_those_of_the_contract() {
        let bodies = ManagementBodies::default();
        let pairs = [
            ("FirstName".to_owned(), "client.firstName".to_owned()),
            ("caseload_case_id".to_owned(), "_id".to_owned()),
        ];
        let mapping = bodies.mapping("a \"b\" {model}", &pairs).unwrap();
        let mapping: Value = serde_json::from_str(&mapping).unwrap();
        let expected = json!({
            "name": "a \"b\" {model}",
            "model": "Case",
            "fields": [
                {"source": "FirstName", "target": "client.firstName"},
                {"source": "caseload_case_id", "target": "_id"},
            ],
        });
        assert_eq!(mapping, expected);
        let body = bodies.subscription("Case Settlement", "https://x/{secret}", "s", "m");
        let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
        let expected = json!({
            "event": "Case Settlement", "url": "https://x/{secret}", "secret": "s", "mapping": "m",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_template_without_a_value_or_without_json_is_an_error() {
        let bodies = ManagementBodies {
            mapping: r#"{"title":{name},"model":{model}}"#.to_owned(),
            subscription: r#"{"on":{event},"to":{url},"key":{secret},"map":{mapping}"#.to_owned(),
            ..ManagementBodies::default()
        };
        let error = bodies.mapping("n", &[]).unwrap_err();
        assert_eq!(error, TemplateError::Missing("fields"));
        let error = bodies.subscription("e", "u", "s", "m").unwrap_err();
        assert!(matches!(error, TemplateError::NotJson(_)), "{error}");
    }

    #[test]
    fn a_member_is_found_by_any_of_its_texts() {
        let member = json!({"_id": 7, "hook": {"url": "https://x"}, "events": ["Case Settlement"]});
        assert_eq!(id_of(&member).as_deref(), Some("7"));
        assert!(has_text(&member, "https://x") && has_text(&member, "Case Settlement"));
        assert!(!has_text(&member, "_id"));
    }
}
