//! What the API requires of a call, and how it answers. Pure: a call in, a case
//! to create or a rejection out.

use std::borrow::Cow;
use std::fmt;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::SandboxOptions;

/// Names the handling firm, in the query or in the body.
const FIRM: &str = "partnerFirmId";
/// The case's id in a response.
const ID: &str = "_id";
/// Says whether a case is a draft.
const STATUS: &str = "status";

/// The organization, in the full path only, and the mapping that a call creates
/// a case with.
fn create_case(path: &str) -> Option<(Option<&str>, &str)> {
    if let Some(rest) = path.strip_prefix("/organization/") {
        let (org, rest) = rest.split_once('/')?;
        let (_, map) = create_case(rest.strip_prefix("inbound-webhooks")?)?;
        return Some((Some(org), map));
    }
    let map = path.strip_prefix("/case/")?;
    let map = map.strip_suffix("/create-existing")?;
    (!map.contains('/')).then_some((None, map))
}

/// A case that may be created.
#[derive(Debug)]
pub(super) struct NewCase {
    pub(super) map_id: String,
    /// The body as it came in.
    pub(super) payload: Box<RawValue>,
    pub(super) fields: Map<String, Value>,
    /// Without one the case stays a draft.
    pub(super) firm: Option<String>,
}

impl NewCase {
    /// The response: the caller's own fields, and what the platform adds. The
    /// caller's own `status` is kept.
    pub(super) fn response(&self, id: Option<String>) -> Value {
        let own = self.fields.clone().into_iter();
        let own = own.filter(|(name, _)| name != ID && name != FIRM);
        let id = id.map(|id| (ID.to_owned(), id.into()));
        let mut response: Map<String, Value> = id.into_iter().chain(own).collect();
        if let Some(firm) = &self.firm {
            response.insert(FIRM.to_owned(), firm.as_str().into());
        }
        let status = if self.firm.is_some() {
            "active"
        } else {
            "draft"
        };
        response.entry(STATUS).or_insert_with(|| status.into());
        Value::Object(response)
    }
}

/// Why no case is created.
pub(super) type Rejection = (StatusCode, String);

pub(super) fn reject<T>(status: StatusCode, message: impl Into<String>) -> Result<T, Rejection> {
    Err((status, message.into()))
}

/// Checks a call in the order that servers do: address, key, content.
pub(super) fn check(
    options: &SandboxOptions,
    head: &Parts,
    body: &[u8],
) -> Result<NewCase, Rejection> {
    let Some((org_id, map_id)) = create_case(head.uri.path()) else {
        return reject(StatusCode::NOT_FOUND, "there is nothing at this address");
    };
    if head.method != Method::POST {
        return reject(StatusCode::METHOD_NOT_ALLOWED, "use POST to create a case");
    }
    let query = head.uri.query().unwrap_or_default();
    let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    if let Some(key) = &options.public_key
        && !has_key(key, &head.headers, &query)
    {
        return reject(StatusCode::UNAUTHORIZED, "the key is missing or wrong");
    }
    let differs = |known: &Option<String>, id| known.as_deref().is_some_and(|known| known != id);
    if org_id.is_some_and(|id| differs(&options.org_id, id)) {
        return reject(StatusCode::NOT_FOUND, "unknown organization");
    }
    if differs(&options.map_id, map_id) {
        return reject(StatusCode::NOT_FOUND, "unknown mapping");
    }
    let members = serde_json::Deserializer::from_slice(body).deserialize_map(UniqueMembers);
    let read = members.and_then(|fields| Ok((fields, serde_json::from_slice(body)?)));
    let (fields, payload) = read.or_else(|error| {
        let message = format!("the body must be a JSON object: {error}");
        reject(StatusCode::BAD_REQUEST, message)
    })?;
    let firm = partner_firm(query, &fields)?;
    if fields.keys().all(|name| name == FIRM) {
        return reject(StatusCode::UNPROCESSABLE_ENTITY, "the case has no fields");
    }
    Ok(NewCase {
        map_id: map_id.to_owned(),
        payload,
        fields,
        firm,
    })
}

pub(super) fn has_key(key: &str, headers: &HeaderMap, query: &[(Cow<str>, Cow<str>)]) -> bool {
    match headers.get(AUTHORIZATION) {
        Some(value) => value.as_bytes().strip_prefix(b"Key ") == Some(key.as_bytes()),
        None => query
            .iter()
            .any(|(name, value)| name == "key" && value == key),
    }
}

/// The firm, if all places that name one agree.
fn partner_firm(
    query: Vec<(Cow<str>, Cow<str>)>,
    fields: &Map<String, Value>,
) -> Result<Option<String>, Rejection> {
    let in_query = query.into_iter().filter(|(name, _)| name == FIRM);
    let mut names: Vec<String> = in_query.map(|(_, value)| value.into_owned()).collect();
    match fields.get(FIRM) {
        Some(Value::String(name)) => names.push(name.clone()),
        Some(_) => return reject(StatusCode::BAD_REQUEST, "partnerFirmId must be a string"),
        None => {}
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        return reject(StatusCode::BAD_REQUEST, "partnerFirmId is empty");
    }
    names.dedup();
    if names.len() > 1 {
        let message = "partnerFirmId names two different firms";
        return reject(StatusCode::BAD_REQUEST, message);
    }
    Ok(names.pop())
}

/// Reads an object in which no member is repeated.
struct UniqueMembers;

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format!("duplicate member {name:?}")));
            }
        }
        Ok(members)
    }
}
