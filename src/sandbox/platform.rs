//! Mappings and webhook subscriptions, as the API is assumed to keep them.

use http::request::Parts;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SandboxOptions;
use super::contract::{Rejection, has_key, reject};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mapping {
    #[serde(rename = "_id", default)]
    id: String,
    name: String,
    model: String,
    fields: Vec<Pair>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pair {
    source: String,
    target: String,
}

/// Who gets an event of this name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    #[serde(rename = "_id", default)]
    id: String,
    pub(super) event: String,
    pub(super) url: String,
    /// Never shown again.
    #[serde(skip_serializing)]
    pub(super) secret: String,
    mapping: String,
}

#[derive(Debug, Default)]
pub(super) struct Platform {
    mappings: Vec<Mapping>,
    subscriptions: Vec<Subscription>,
}

/// The rest of the path after a collection's own.
fn rest<'p>(path: &'p str, collection: &str, options: &SandboxOptions) -> Option<&'p str> {
    let (org, rest) = path.strip_prefix("/organization/")?.split_once('/')?;
    if options.org_id.as_ref().is_some_and(|known| known != org) {
        return None;
    }
    let rest = rest.strip_prefix(collection)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
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
    ) -> Option<Result<(StatusCode, Value), Rejection>> {
        let path = head.uri.path();
        let mapping = rest(path, "mappings", options);
        let subscription = rest(path, "webhook-subscriptions", options);
        if mapping.or(subscription).is_some()
            && let Some(key) = &options.private_key
            && !has_key(key, &head.headers, &[])
        {
            return Some(reject(
                StatusCode::UNAUTHORIZED,
                "the key is missing or wrong",
            ));
        }
        let new_id = new_id.to_owned();
        Some(if let Some(id) = mapping {
            let create = |mapping: Mapping| Mapping {
                id: new_id,
                ..mapping
            };
            collection(
                &mut self.mappings,
                |mapping| &mapping.id,
                create,
                head,
                id,
                body,
            )
        } else {
            let maps = self.mappings.iter().map(|mapping| mapping.id.clone());
            let maps: Vec<_> = maps.collect();
            let create = |subscription: Subscription| Subscription {
                id: new_id,
                ..subscription
            };
            let id = subscription?;
            let unknown = serde_json::from_slice(body)
                .is_ok_and(|new: Subscription| !maps.contains(&new.mapping));
            if head.method == Method::POST && unknown {
                reject(StatusCode::UNPROCESSABLE_ENTITY, "unknown mapping")
            } else {
                collection(
                    &mut self.subscriptions,
                    |one| &one.id,
                    create,
                    head,
                    id,
                    body,
                )
            }
        })
    }

    /// The response in the caller's own names: what the mapping has no pair for
    /// is not in it. None for a mapping that was not made here.
    pub(super) fn through_mapping(
        &self,
        map_id: &str,
        id: Option<&str>,
        case: &Map<String, Value>,
    ) -> Option<Value> {
        let mapping = self.mappings.iter().find(|mapping| mapping.id == map_id)?;
        let pairs = mapping.fields.iter().filter_map(|pair| {
            let value = match pair.target.as_str() {
                "_id" => id?.into(),
                _ => case.get(&pair.source)?.clone(),
            };
            Some((pair.source.clone(), value))
        });
        Some(Value::Object(pairs.collect()))
    }

    /// Who hears of an event, each with the body in the caller's own names.
    pub(super) fn subscribers(
        &self,
        event: &str,
        case_id: &str,
        details: &Value,
    ) -> Vec<(Subscription, Value)> {
        let subscribed = self.subscriptions.iter().filter(|one| one.event == event);
        let with_body = subscribed.map(|one| {
            let body = self.through_mapping(&one.mapping, Some(case_id), &Map::new());
            let mut body: Map<String, Value> = match body {
                Some(Value::Object(members)) => members,
                _ => Map::new(),
            };
            body.extend(details.as_object().cloned().unwrap_or_default());
            (one.clone(), Value::Object(body))
        });
        with_body.collect()
    }
}

/// The four calls that a collection has.
fn collection<T: Serialize + for<'de> Deserialize<'de>>(
    members: &mut Vec<T>,
    id_of: fn(&T) -> &String,
    create: impl FnOnce(T) -> T,
    head: &Parts,
    id: &str,
    body: &[u8],
) -> Result<(StatusCode, Value), Rejection> {
    let shown = |member: &T| serde_json::to_value(member).unwrap_or_default();
    let at = members.iter().position(|member| id_of(member) == id);
    match (&head.method, at) {
        (&Method::POST, _) if id.is_empty() => match serde_json::from_slice(body) {
            Ok(new) => {
                members.push(create(new));
                Ok((
                    StatusCode::CREATED,
                    members.last().map(shown).unwrap_or_default(),
                ))
            }
            Err(error) => reject(StatusCode::BAD_REQUEST, error.to_string()),
        },
        (&Method::GET, _) if id.is_empty() => {
            Ok((StatusCode::OK, members.iter().map(shown).collect()))
        }
        (&Method::GET, Some(at)) => Ok((StatusCode::OK, shown(&members[at]))),
        (&Method::DELETE, Some(at)) => Ok((StatusCode::OK, shown(&members.remove(at)))),
        (&Method::GET | &Method::DELETE, None) => reject(StatusCode::NOT_FOUND, "unknown id"),
        _ => reject(StatusCode::METHOD_NOT_ALLOWED, "use POST, GET or DELETE"),
    }
}
