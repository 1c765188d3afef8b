//! Where the API is: base URL, account, and the URL of a call.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// What a ledger belongs to: the normalized URL in front of
/// `/case/{map_id}/`, so that two ways to write one address are one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(Box<str>);

impl Account {
    /// The account of every rehearsal, whatever the sandbox's port.
    pub fn sandbox() -> Self {
        Self("sandbox".into())
    }

    /// The text in ledgers and output.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an address can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// No URL at all.
    #[error("{0:?} is no URL; expected something like https://api.example.com")]
    NotAUrl(String),
    /// Confidential data over an open line.
    #[error("{0} is not encrypted: http:// is only for this machine itself; use https://")]
    NotEncrypted(String),
    /// Another scheme.
    #[error("{0:?} is no https:// URL")]
    Scheme(String),
    /// A user name or password in the URL would end up in the ledger.
    #[error("a base URL can't hold a user name or password; keys come from a file")]
    Credentials,
    /// A query or a fragment.
    #[error("a base URL can't have a part behind ? or #")]
    Query,
    /// An id that would change the path.
    #[error(
        "{what} {value:?} can't stand in a URL's path; expected letters, digits, '-', '_' or '.'"
    )]
    Id {
        /// Which id.
        what: &'static str,
        /// The id as given.
        value: String,
    },
    /// A template without the map id.
    #[error("the path template {0:?} must begin with / and contain {{map_id}}")]
    Template(String),
    /// A template with an organization id that nobody gave.
    #[error("the path template {0:?} needs an organization id (--org-id)")]
    NeedsOrganization(String),
}

/// The short path, where no organization id is given (contract: user).
const SHORT_PATH: &str = "/case/{map_id}/create-existing";
/// The full path (contract: public docs).
const FULL_PATH: &str = "/organization/{org_id}/inbound-webhooks/case/{map_id}/create-existing";

/// The URL of the call that makes a case, and the account that it belongs to.
#[derive(Debug, Clone)]
pub struct Address {
    url: Url,
    account: Account,
    short: bool,
}

impl Address {
    /// Puts the URL together. `template` is `api.path`.
    pub fn new(
        base_url: &str,
        org_id: Option<&str>,
        map_id: &str,
        template: Option<&str>,
    ) -> Result<Self, AddressError> {
        let base = normalized_base(base_url)?;
        let map_id = plain_id("map id", map_id)?;
        let org_id = org_id
            .map(|id| plain_id("organization id", id))
            .transpose()?;
        let template = template.unwrap_or(if org_id.is_some() {
            FULL_PATH
        } else {
            SHORT_PATH
        });
        if !template.starts_with('/') || !template.contains("{map_id}") || template.contains('?') {
            return Err(AddressError::Template(template.to_owned()));
        }
        let path = match org_id {
            Some(org_id) => template.replace("{org_id}", org_id),
            None if template.contains("{org_id}") => {
                return Err(AddressError::NeedsOrganization(template.to_owned()));
            }
            None => template.to_owned(),
        };
        let front = path
            .split_once("/case/{map_id}")
            .or_else(|| path.split_once("{map_id}"))
            .map_or("", |(front, _)| front);
        let account = format!("{base}{}", front.trim_end_matches('/'));
        let url = format!("{base}{}", path.replace("{map_id}", map_id));
        Ok(Self {
            url: Url::parse(&url).map_err(|_| AddressError::NotAUrl(url))?,
            account: Account(account.into()),
            short: org_id.is_none(),
        })
    }

    /// The same call in the name of the sandbox's account.
    #[must_use]
    pub fn for_sandbox(mut self) -> Self {
        self.account = Account::sandbox();
        self
    }

    /// The call's URL, without key and firm.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The host, as ledgers of one host are told together.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether the path has no organization id; a 404 then suggests one.
    pub fn is_short(&self) -> bool {
        self.short
    }

    /// Whether the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn normalized_base(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    let url = Url::parse(text).map_err(|_| AddressError::NotAUrl(text.to_owned()))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(AddressError::NotEncrypted(url.to_string())),
        _ => return Err(AddressError::Scheme(text.to_owned())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::Query);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An id stands in the path as it is: nothing in it may lead elsewhere.
fn plain_id<'a>(what: &'static str, value: &'a str) -> Result<&'a str, AddressError> {
    let plain = !value.is_empty()
        && !value.trim_matches('.').is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    if plain {
        Ok(value)
    } else {
        Err(AddressError::Id {
            what,
            value: value.to_owned(),
        })
    }
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
    fn two_ways_to_write_an_address_are_one_account() {
        assert_eq!(
            account("https://API.Example.com:443/", None),
            "https://api.example.com"
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
    fn an_open_line_is_only_for_this_machine() {
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
    fn ids_cannot_lead_elsewhere() {
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
    fn credentials_and_queries_are_refused() {
        let refused = |base| Address::new(base, None, "m", None).unwrap_err();
        assert_eq!(refused("https://u:p@x.example"), AddressError::Credentials);
        assert_eq!(refused("https://x.example/?key=1"), AddressError::Query);
        assert_eq!(
            refused("ftp://x.example"),
            AddressError::Scheme("ftp://x.example".into())
        );
        assert_eq!(
            refused("api.example.com"),
            AddressError::NotAUrl("api.example.com".into())
        );
    }
}
