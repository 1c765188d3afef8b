//! The calls that set the platform up: mappings and webhook subscriptions.
//!
//! The vendor's public text has lost its examples, so each path and each name
//! in here is an assumption, and a setting. examples/api.md tells where a person with
//! a browser can settle them.

use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::gate::Gate;
use super::key::Secret;
use crate::model::{Key, Outcome};

/// Members of a list's answer that may hold the list itself.
const LIST_PARENTS: [&str; 5] = ["data", "items", "results", "mappings", "subscriptions"];

/// Where `setup` asks and creates; `{org_id}` stands for the organization.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ManagementPaths {
    /// Path of the mappings.
    pub(crate) mappings: String,
    /// Path of the webhook subscriptions.
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

/// What `setup` sends: JSON in which a text such as `{name}` stands for a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ManagementBodies {
    /// A mapping, with `{name}`, `{model}` and `{fields}`.
    mapping: Value,
    /// One pair of a mapping, with `{source}` and `{target}`.
    field: Value,
    /// A subscription, with `{event}`, `{url}`, `{secret}` and `{mapping}`.
    subscription: Value,
}

impl Default for ManagementBodies {
    fn default() -> Self {
        Self {
            mapping: json!({"name": "{name}", "model": "{model}", "fields": "{fields}"}),
            field: json!({"source": "{source}", "target": "{target}"}),
            subscription: json!({
                "event": "{event}", "url": "{url}", "secret": "{secret}", "mapping": "{mapping}",
            }),
        }
    }
}

impl ManagementBodies {
    /// A template that has no place for one of its values, and which.
    pub(crate) fn incomplete(&self) -> Option<(&'static str, &'static str)> {
        let templates: [(_, _, &[_]); 3] = [
            ("mapping", &self.mapping, &["{name}", "{model}", "{fields}"]),
            ("field", &self.field, &["{source}", "{target}"]),
            (
                "subscription",
                &self.subscription,
                &["{event}", "{url}", "{secret}", "{mapping}"],
            ),
        ];
        templates
            .into_iter()
            .find_map(|(setting, template, names)| {
                let missing = names.iter().find(|name| !has_text(template, name))?;
                Some((setting, *missing))
            })
    }

    /// A mapping of cases: pairs of our field and the platform's.
    pub(crate) fn mapping(&self, name: &str, pairs: &[(String, String)]) -> Value {
        let pairs = pairs.iter().map(|(source, target)| {
            let values = [("{source}", json!(source)), ("{target}", json!(target))];
            filled(&self.field, &values)
        });
        let values = [
            ("{fields}", pairs.collect()),
            ("{name}", json!(name)),
            ("{model}", json!("Case")),
        ];
        filled(&self.mapping, &values)
    }

    /// A subscription to an event.
    pub(crate) fn subscription(&self, event: &str, url: &str, secret: &str, map: &str) -> Value {
        let values = [
            ("{event}", json!(event)),
            ("{url}", json!(url)),
            ("{secret}", json!(secret)),
            ("{mapping}", json!(map)),
        ];
        filled(&self.subscription, &values)
    }
}

/// The template with its values. A name in braces inside a value stays.
fn filled(template: &Value, values: &[(&str, Value)]) -> Value {
    match template {
        Value::String(text) => {
            let named = values.iter().find(|(name, _)| name == text);
            named.map_or_else(|| template.clone(), |(_, value)| value.clone())
        }
        Value::Array(parts) => parts.iter().map(|part| filled(part, values)).collect(),
        Value::Object(parts) => {
            let parts = parts.iter();
            let parts = parts.map(|(name, part)| (name.clone(), filled(part, values)));
            Value::Object(parts.collect())
        }
        other => other.clone(),
    }
}

/// A call that failed, or has another answer than is assumed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CallError(String);

/// The calls to the mappings, or to the subscriptions.
pub(crate) struct Collection {
    /// With the private key; without one it only tells its URL.
    pub(crate) client: Client,
    /// That of its path, for messages.
    pub(crate) setting: &'static str,
}

impl Collection {
    /// Where one is created, without the key.
    pub(crate) fn url(&self) -> &Url {
        self.client.address().url()
    }

    /// Creates one; sends at most one complete request, like that of a case. An
    /// answer never shows the secret.
    pub(crate) async fn create(&self, name: &str, body: &Value, secret: Option<Secret>) -> Outcome {
        let (url, key) = (self.url().clone(), Key::new([name]));
        let gate = Gate::default();
        let (_, outcome) = self.client.post(gate, url, body.to_string(), key, secret);
        outcome.await
    }

    /// All of them, as the platform shows them.
    pub(crate) async fn list(&self) -> Result<Vec<Value>, CallError> {
        self.call(Method::GET, None, |_, json| match json? {
            Value::Array(list) => Some(list),
            json => LIST_PARENTS
                .iter()
                .find_map(|name| json[*name].as_array().cloned()),
        })
        .await
    }

    /// One of them, if it exists.
    pub(crate) async fn show(&self, id: &str) -> Result<Option<Value>, CallError> {
        self.call(Method::GET, Some(id), |status, json| match status {
            404 => Some(None),
            _ => json.map(Some),
        })
        .await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), CallError> {
        self.call(Method::DELETE, Some(id), |status, _| {
            (status != 404).then_some(())
        })
        .await
    }

    /// What is read of an answer of success or 404; none is unexpected.
    async fn call<T>(
        &self,
        method: Method,
        id: Option<&str>,
        read: fn(u16, Option<Value>) -> Option<T>,
    ) -> Result<T, CallError> {
        let mut url = self.url().clone();
        if let Some(id) = id
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.push(id);
        }
        let answer = self.client.call(method.clone(), url.clone()).await;
        let (status, answer) = answer.map_err(CallError)?;
        let answer = self.client.shown(&answer, usize::MAX);
        let json = serde_json::from_str(&answer).ok();
        let found = matches!(status, 200..300 | 404).then(|| read(status, json));
        found.flatten().ok_or_else(|| {
            let (answer, setting) = (&answer[..answer.floor_char_boundary(500)], self.setting);
            CallError(format!(
                "{method} {url} was answered {status}: {answer}\nif the path is another one, set \
                 {setting}"
            ))
        })
    }
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
        let expected = json!({
            "name": "{model}",
            "model": "Case",
            "fields": [
                {"source": "FirstName", "target": "client.firstName"},
                {"source": "caseload_case_id", "target": "_id"},
            ],
        });
        assert_eq!(bodies.mapping("{model}", &pairs), expected);
        let expected = json!({
            "event": "Case Settlement", "url": "https://x", "secret": "s", "mapping": "m",
        });
        let body = bodies.subscription("Case Settlement", "https://x", "s", "m");
        assert_eq!(body, expected);
    }

    #[test]
    fn a_template_has_a_place_for_each_value() {
        let mut bodies = ManagementBodies {
            mapping: json!({"title": "{name}", "model": "{model}", "pairs": ["{fields}"]}),
            ..ManagementBodies::default()
        };
        assert_eq!(bodies.incomplete(), None);
        bodies.subscription = json!({"on": ["{event}"], "to": "{url}", "key": "{mapping}"});
        assert_eq!(bodies.incomplete(), Some(("subscription", "{secret}")));
    }

    #[test]
    fn a_member_is_found_by_any_of_its_texts() {
        let member = json!({"_id": 7, "hook": {"url": "https://x"}, "events": ["Case Settlement"]});
        assert!(has_text(&member, "https://x") && has_text(&member, "Case Settlement"));
        assert!(!has_text(&member, "_id"));
    }
}
