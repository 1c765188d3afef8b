//! Where the API is: the URL of a call, and the account that it belongs to.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use reqwest::Url;

/// What a ledger belongs to: the normalized URL in front of
/// `/case/{map_id}/`, so that two spellings of an address are one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account(Box<str>);

impl Account {
    /// The account of every test run, whatever the sandbox's port.
    pub(crate) fn sandbox() -> Self {
        Self("sandbox".into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum AddressError {
    #[error("{0:?} is not a valid https:// URL; expected one such as https://api.example.com")]
    NotAUrl(String),
    #[error("{0} is not encrypted; use https:// (http:// is only allowed for this machine)")]
    NotEncrypted(String),
    /// They would end up in the ledger.
    #[error("the base URL must not have a user name or password; use --public-key-file")]
    Credentials,
    #[error("the base URL must not have a query (?) or fragment (#)")]
    Query,
    #[error("invalid {what} {value:?}; only letters, digits, '-', '_', '~' and '.' are allowed")]
    Id { what: &'static str, value: String },
    #[error(
        "the path template {0:?} must start with /, contain {{map_id}}, and have no other name \
         in braces but {{org_id}}, no ? and no #"
    )]
    Template(String),
    #[error("the path template {0:?} needs an organization id: --org-id")]
    NeedsOrganization(String),
}

/// The path without an organization id (contract: user).
const SHORT_PATH: &str = "/case/{map_id}/create-existing";
/// The full path (contract: public docs).
const FULL_PATH: &str = "/organization/{org_id}/inbound-webhooks/case/{map_id}/create-existing";

/// All but what never needs an escape in a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL of the call that creates a case, and its account.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: Url,
    account: Account,
    short: bool,
}

impl Address {
    /// `template` is `api.path`.
    pub(crate) fn new(
        base_url: &str,
        org_id: Option<&str>,
        map_id: &str,
        template: Option<&str>,
    ) -> Result<Self, AddressError> {
        let base = normalized_base(base_url)?;
        check_id("map id", map_id)?;
        let usual = match org_id {
            Some(id) => {
                check_id("organization id", id)?;
                FULL_PATH
            }
            None => SHORT_PATH,
        };
        let template = template.unwrap_or(usual);
        if org_id.is_none() && template.contains("{org_id}") {
            return Err(AddressError::NeedsOrganization(template.to_owned()));
        }
        let invalid = || AddressError::Template(template.to_owned());
        let path = template.replace("{org_id}", org_id.unwrap_or_default());
        let other_names = path.replace("{map_id}", "").contains(['{', '}']);
        if !path.starts_with('/') || other_names || path.contains(['?', '#']) {
            return Err(invalid());
        }
        let resolve = |map_id| {
            let url = format!("{base}{}", path.replace("{map_id}", map_id));
            Url::parse(&url).map_err(|_| AddressError::NotAUrl(url))
        };
        // No map's id can hold this, so it shows where the id is.
        let marked = normalized_path(&resolve("{map_id}")?);
        let front = marked
            .split_once("/case/%7Bmap_id%7D")
            .or_else(|| marked.split_once("%7Bmap_id%7D"));
        let (front, _) = front.ok_or_else(invalid)?;
        let mut account = resolve("")?;
        account.set_path(front);
        Ok(Self {
            url: resolve(map_id)?,
            account: Account(account.as_str().trim_end_matches('/').into()),
            short: org_id.is_none(),
        })
    }

    /// Another call to the organization, whose account does not matter.
    pub(crate) fn of_path(
        base_url: &str,
        org_id: Option<&str>,
        template: &str,
    ) -> Result<Self, AddressError> {
        let base = normalized_base(base_url)?;
        if let Some(id) = org_id {
            check_id("organization id", id)?;
        } else if template.contains("{org_id}") {
            return Err(AddressError::NeedsOrganization(template.to_owned()));
        }
        let path = template.replace("{org_id}", org_id.unwrap_or_default());
        let url = format!("{base}{path}");
        Ok(Self {
            url: Url::parse(&url).map_err(|_| AddressError::NotAUrl(url))?,
            account: Account(base.into()),
            short: org_id.is_none(),
        })
    }

    /// The URL of the call, without key and firm.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Whether the path has no organization id; a 404 then suggests one.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn normalized_base(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    // An error must not quote a password.
    let not_a_url = || {
        if text.contains('@') {
            return AddressError::Credentials;
        }
        AddressError::NotAUrl(text.to_owned())
    };
    let mut url = Url::parse(text).map_err(|_| not_a_url())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials);
    }
    if let Some(host) = url.domain().and_then(|host| host.strip_suffix('.')) {
        let host = host.to_owned();
        url.set_host(Some(&host)).map_err(|_| not_a_url())?;
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(AddressError::NotEncrypted(url.to_string())),
        _ => return Err(not_a_url()),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::Query);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A path in one spelling: without escapes that it does not need, and without
/// empty segments.
fn normalized_path(url: &Url) -> String {
    let segments = url.path().split('/').filter(|segment| !segment.is_empty());
    segments.fold(String::new(), |path, segment| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        format!("{path}/{}", percent_encode(&decoded, RESERVED))
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Ids are put into the path as they are, so nothing in them may change it.
fn check_id(what: &'static str, value: &str) -> Result<(), AddressError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if value.bytes().all(allowed) && !value.trim_matches('.').is_empty() {
        return Ok(());
    }
    Err(AddressError::Id {
        what,
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(base: &str, org: Option<&str>) -> String {
        Address::new(base, org, "m1", None)
            .unwrap()
            .account()
            .to_string()
    }

    #[test]
    fn two_spellings_of_an_address_are_one_account() {
        for spelling in [
            "https://API.Example.com:443/",
            "https://api.example.com.",
            "https://api.example.com./v1/..",
            "https://api.example.com/./%2e%2E/",
            "https:\\\\api.example.com\\",
            " https://api.example.com//",
        ] {
            assert_eq!(account(spelling, None), "https://api.example.com");
        }
        for spelling in [
            "https://api.example.com/%7efirm%2fx/%76%31",
            "https://api.example.com//~firm%2Fx/v2/../v1/",
        ] {
            assert_eq!(
                account(spelling, None),
                "https://api.example.com/~firm%2Fx/v1"
            );
        }
        assert_ne!(
            account("https://api.example.com/a/b", None),
            account("https://api.example.com/a%2Fb", None)
        );
        assert_eq!(
            account("https://api.example.com/v1//", Some("o1")),
            "https://api.example.com/v1/organization/o1/inbound-webhooks"
        );
    }

    #[test]
    fn the_paths_are_those_of_the_contract() {
        let url = |org| {
            Address::new("http://127.0.0.1:8080", org, "m1", None)
                .unwrap()
                .url()
                .path()
                .to_owned()
        };
        assert_eq!(url(None), "/case/m1/create-existing");
        assert_eq!(
            url(Some("o1")),
            "/organization/o1/inbound-webhooks/case/m1/create-existing"
        );
    }

    #[test]
    fn a_template_changes_the_path_and_the_account() {
        let address = Address::new(
            "https://api.example.com",
            Some("o1"),
            "m1",
            Some("/v2/{org_id}/case/{map_id}/existing"),
        )
        .unwrap();
        assert_eq!(address.url().path(), "/v2/o1/case/m1/existing");
        assert_eq!(address.account().as_str(), "https://api.example.com/v2/o1");
    }

    #[test]
    fn a_template_with_dot_segments_is_the_path_that_they_lead_to() {
        let address =
            |template| Address::new("https://x.example", Some("o1"), "m1", Some(template));
        let dotted = address("/v1/../v2/{org_id}/./case/{map_id}/existing").unwrap();
        assert_eq!(dotted.url().path(), "/v2/o1/case/m1/existing");
        assert_eq!(dotted.account().as_str(), "https://x.example/v2/o1");
        for template in [
            "/case/{map_id}/../..",
            "case/{map_id}",
            "/case/{map}",
            "/case/{map_id}/{key}",
            "/case/{map_id}?x",
            "/case/{map_id}#x",
            "/case",
        ] {
            let refused = address(template).unwrap_err();
            assert_eq!(refused, AddressError::Template(template.to_owned()));
        }
    }

    #[test]
    fn http_is_only_for_this_machine() {
        for base in ["http://localhost:1", "http://127.0.0.1", "http://[::1]:2"] {
            assert!(Address::new(base, None, "m", None).is_ok(), "{base}");
        }
        for base in [
            "http://api.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
        ] {
            assert!(
                matches!(
                    Address::new(base, None, "m", None),
                    Err(AddressError::NotEncrypted(_))
                ),
                "{base}"
            );
        }
    }

    #[test]
    fn ids_cannot_change_the_path() {
        for id in ["", "..", "a/b", "a?b", "a b", "a%2fb", "{org_id}"] {
            assert!(
                matches!(
                    Address::new("https://x.example", None, id, None),
                    Err(AddressError::Id { .. })
                ),
                "{id:?}"
            );
        }
    }

    #[test]
    fn credentials_and_queries_are_errors() {
        let refused = |base| Address::new(base, None, "m", None).unwrap_err();
        assert_eq!(refused("https://u:p@x.example"), AddressError::Credentials);
        assert_eq!(refused("https://x.example/?key=1"), AddressError::Query);
        assert_eq!(
            refused("ftp://x.example"),
            AddressError::NotAUrl("ftp://x.example".into())
        );
        assert_eq!(
            refused("api.example.com"),
            AddressError::NotAUrl("api.example.com".into())
        );
    }
}
