//! What the API asks of a call, and how it answers. Pure: a call in, a case
//! to be made or a refusal out.

use std::borrow::Cow;
use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Names the handling firm, in the query or in the body.
const FIRM: &str = "partnerFirmId";
/// The case's id in an answer.
const ID: &str = "_id";
/// Says whether a case is a draft.
const STATUS: &str = "status";

/// What there is at the address that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The operation that makes a case.
    Create {
        /// Named by the full path only.
        org: Option<String>,
        /// The mapping.
        map: String,
    },
    /// Nothing.
    Nothing,
}

/// A call as it came in.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// A case that may be made.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) fields: Fields<'a>,
    /// Without one the case stays a draft.
    pub(super) firm: Option<String>,
}

impl Draft<'_> {
    /// The word under `status`.
    pub(super) fn status(&self) -> &'static str {
        if self.firm.is_some() {
            "active"
        } else {
            "draft"
        }
    }
}

/// Why no case is made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

fn refuse<T>(status: StatusCode, message: impl Into<String>) -> Result<T, Refusal> {
    let message = message.into();
    Err(Refusal { status, message })
}

/// The one account that there is; what is not named is not checked.
pub(super) struct Account {
    pub(super) org_id: Option<String>,
    pub(super) map_id: Option<String>,
    pub(super) public_key: Option<String>,
}

impl Account {
    /// Checks a call in the order that servers do: address, key, content.
    pub(super) fn check<'a>(&self, call: &Call<'a>) -> Result<Draft<'a>, Refusal> {
        let Target::Create { org, map } = call.target else {
            return refuse(StatusCode::NOT_FOUND, "there is nothing at this address");
        };
        if call.method != Method::POST {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "cases are made with POST");
        }
        let query: Vec<_> = form_urlencoded::parse(call.query.as_bytes()).collect();
        if let Some(key) = &self.public_key
            && !carries(key, call.headers, &query)
        {
            return refuse(StatusCode::UNAUTHORIZED, "the key is missing or wrong");
        }
        if differs(self.org_id.as_ref(), org.as_ref()) {
            return refuse(StatusCode::NOT_FOUND, "there is no such organization");
        }
        if differs(self.map_id.as_ref(), Some(map)) {
            return refuse(StatusCode::NOT_FOUND, "there is no such mapping");
        }
        let fields: Fields = match serde_json::from_slice(call.body) {
            Ok(fields) => fields,
            Err(error) => {
                let message = format!("the body must be a JSON object: {error}");
                return refuse(StatusCode::BAD_REQUEST, message);
            }
        };
        let firm = partner_firm(&query, &fields)?;
        if fields.0.iter().all(|(name, _)| name == FIRM) {
            let message = "the case has no fields";
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, message);
        }
        Ok(Draft { fields, firm })
    }
}

/// Whether the call names another than the one that there is.
fn differs(known: Option<&String>, named: Option<&String>) -> bool {
    matches!((known, named), (Some(known), Some(named)) if known != named)
}

fn carries(key: &str, headers: &HeaderMap, query: &[(Cow<str>, Cow<str>)]) -> bool {
    match headers.get(AUTHORIZATION) {
        Some(value) => value.as_bytes().strip_prefix(b"Key ") == Some(key.as_bytes()),
        None => query
            .iter()
            .any(|(name, value)| name == "key" && value == key),
    }
}

/// The firm by all who name it.
fn partner_firm(
    query: &[(Cow<str>, Cow<str>)],
    fields: &Fields,
) -> Result<Option<String>, Refusal> {
    let mut firm: Option<String> = None;
    let in_query = query.iter().filter(|(name, _)| name == FIRM);
    let mut named: Vec<Cow<str>> = in_query.map(|(_, value)| value.clone()).collect();
    if let Some((_, raw)) = fields.0.iter().find(|(name, _)| name == FIRM) {
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) => named.push(Cow::Owned(text)),
            Err(_) => return refuse(StatusCode::BAD_REQUEST, "partnerFirmId must be a text"),
        }
    }
    for name in named {
        if name.trim().is_empty() {
            return refuse(StatusCode::BAD_REQUEST, "partnerFirmId is empty");
        }
        if firm.as_ref().is_some_and(|firm| *firm != name) {
            let message = "partnerFirmId names two different firms";
            return refuse(StatusCode::BAD_REQUEST, message);
        }
        firm = Some(name.into_owned());
    }
    Ok(firm)
}

/// The members of a body in their order, the values as they were written.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut members = Vec::<(String, &RawValue)>::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.iter().any(|(earlier, _)| *earlier == name) {
                        let message = format!("the member {name:?} stands twice");
                        return Err(A::Error::custom(message));
                    }
                    members.push((name, value));
                }
                Ok(Fields(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The answer to a case that was made: the caller's own fields, and beside
/// them what the platform adds. The caller's own `status` stays the caller's.
#[derive(Debug)]
pub(super) struct Made<'a> {
    pub(super) draft: &'a Draft<'a>,
    /// Left out to act a server that does not tell it.
    pub(super) id: Option<&'a str>,
}

impl Serialize for Made<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = self.id {
            map.serialize_entry(ID, id)?;
        }
        let mut own_status = false;
        for (name, value) in &self.draft.fields.0 {
            own_status |= name == STATUS;
            if name != ID && name != FIRM {
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(firm) = &self.draft.firm {
            map.serialize_entry(FIRM, firm)?;
        }
        if !own_status {
            map.serialize_entry(STATUS, self.draft.status())?;
        }
        map.end()
    }
}
