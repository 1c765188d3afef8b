//! Mappings and webhook subscriptions, as the API is assumed to keep them.

use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::SandboxOptions;
use super::contract::{Rejection, has_key, reject};

type Answer = Result<(StatusCode, Value), Rejection>;

/// What was created, as it was sent and with an `_id`.
#[derive(Debug, Default)]
pub(super) struct Platform {
    mappings: Vec<Value>,
    subscriptions: Vec<Value>,
}

/// The collection and, if there is one, the id at the end of a path.
fn target<'p>(path: &'p str, options: &SandboxOptions) -> Option<(&'p str, &'p str)> {
    let (org, rest) = path.strip_prefix("/organization/")?.split_once('/')?;
    let is_known = options.org_id.as_ref().is_none_or(|known| known == org);
    is_known.then(|| rest.split_once('/').unwrap_or((rest, "")))
}

impl Platform {
    /// Answers a call to a mapping or a subscription; none when it is to
    /// something else. `new_id` is for what it creates.
    pub(super) fn handle(
        &mut self,
        options: &SandboxOptions,
        head: &Parts,
        body: &[u8],
        new_id: &str,
    ) -> Option<Answer> {
        let (collection, id) = target(head.uri.path(), options)?;
        let (members, names): (_, &[&str]) = match collection {
            "mappings" => (&mut self.mappings, &["name", "model", "fields"]),
            "webhook-subscriptions" => (
                &mut self.subscriptions,
                &["event", "url", "secret", "mapping"],
            ),
            _ => return None,
        };
        if let Some(key) = &options.private_key
            && !has_key(key, &head.headers, &[])
        {
            let message = "the key is missing or wrong";
            return Some(reject(StatusCode::UNAUTHORIZED, message));
        }
        let at = members.iter().position(|member| member["_id"] == id);
        Some(match (&head.method, at) {
            (&Method::POST, _) if id.is_empty() => self.create(names, body, new_id),
            (&Method::GET, _) if id.is_empty() => {
                Ok((StatusCode::OK, members.iter().map(shown).collect()))
            }
            (&Method::GET, Some(at)) => Ok((StatusCode::OK, shown(&members[at]))),
            (&Method::DELETE, Some(at)) => Ok((StatusCode::OK, shown(&members.remove(at)))),
            (&Method::GET | &Method::DELETE, None) => reject(StatusCode::NOT_FOUND, "unknown id"),
            _ => reject(StatusCode::METHOD_NOT_ALLOWED, "use POST, GET or DELETE"),
        })
    }

    /// Creates what has these members; only a subscription names a mapping.
    fn create(&mut self, names: &[&str], body: &[u8], new_id: &str) -> Answer {
        let sent: Result<Map<String, Value>, _> = serde_json::from_slice(body);
        let mut new = sent.or_else(|error| reject(StatusCode::BAD_REQUEST, error.to_string()))?;
        if let Some(missing) = names.iter().find(|name| !new.contains_key(**name)) {
            return reject(StatusCode::BAD_REQUEST, format!("{missing} is missing"));
        }
        new.insert("_id".to_owned(), new_id.into());
        let (mapping, new) = (new.get("mapping").cloned(), Value::Object(new));
        let answer = Ok((StatusCode::CREATED, shown(&new)));
        match mapping {
            None => self.mappings.push(new),
            Some(id) if self.mappings.iter().any(|known| known["_id"] == id) => {
                self.subscriptions.push(new);
            }
            Some(_) => return reject(StatusCode::UNPROCESSABLE_ENTITY, "unknown mapping"),
        }
        answer
    }

    /// The response in the caller's own names: what the mapping has no pair for
    /// is not in it. None for a mapping that was not made here.
    pub(super) fn through_mapping(
        &self,
        map_id: &str,
        id: Option<&str>,
        case: &Map<String, Value>,
    ) -> Option<Value> {
        let mapping = self.mappings.iter().find(|known| known["_id"] == map_id)?;
        let pairs = mapping["fields"].as_array()?.iter().filter_map(|pair| {
            let source = pair["source"].as_str()?;
            let value = match pair["target"].as_str()? {
                "_id" => id?.into(),
                _ => case.get(source)?.clone(),
            };
            Some((source.to_owned(), value))
        });
        Some(Value::Object(pairs.collect()))
    }

    /// URL and secret of those who hear of an event, each with the body in the
    /// caller's own names.
    pub(super) fn subscribers(
        &self,
        event: &str,
        case_id: &str,
        details: &Value,
    ) -> Vec<(String, String, Value)> {
        let subscribed = self
            .subscriptions
            .iter()
            .filter(|one| one["event"] == event);
        let with_body = subscribed.filter_map(|one| {
            let text = |name: &str| one[name].as_str().map(str::to_owned);
            let mut body = self.through_mapping(&text("mapping")?, Some(case_id), &Map::new())?;
            body.as_object_mut()?.extend(details.as_object()?.clone());
            Some((text("url")?, text("secret")?, body))
        });
        with_body.collect()
    }
}

/// The secret is never shown again.
fn shown(member: &Value) -> Value {
    let mut shown = member.clone();
    shown
        .as_object_mut()
        .map(|members| members.remove("secret"));
    shown
}
