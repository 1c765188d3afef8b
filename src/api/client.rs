//! One call: the request as the contract has it, through a client that resends
//! nothing by itself.

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Method, Url};

use super::address::Address;
use super::classify::{Exchange, Response, Sent, classify, shown};
use super::contract::{AuthPlace, Contract, FirmPlace, PARTNER_FIRM_ID};
use super::gate::{Gate, GatedBody};
use super::key::Secret;
use super::trust::{self, TrustError};
use crate::model::{BootTime, CaseData, Key, Outcome};

#[derive(Debug, Clone)]
pub(crate) struct ClientOptions {
    /// For one call as a whole.
    pub timeout: Duration,
    /// A certificate authority besides the platform's.
    pub ca_file: Option<PathBuf>,
}

/// Why no client could be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("invalid header name {0:?} in api.auth")]
    HeaderName(String),
    #[error("the prefix in api.auth is not valid in a header")]
    HeaderValue,
    /// Such as an invalid proxy URL in the environment.
    #[error("can't set up the HTTP client")]
    Build(#[source] reqwest::Error),
}

const USER_AGENT: &str = concat!("caseload/", env!("CARGO_PKG_VERSION"));
/// TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Cases get in doubt when a server closes a connection just as it is reused,
/// so idle ones are dropped long before a server would close them.
const IDLE: Duration = Duration::from_secs(1);
/// A longer response counts as cut off, decompressed too.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Makes the calls of a run.
#[derive(Debug)]
pub(crate) struct Client {
    http: Mutex<reqwest::Client>,
    address: Address,
    /// For errors: the host, and the proxy on the way to it.
    route: Arc<str>,
    contract: Contract,
    key: Option<Secret>,
    options: ClientOptions,
}

impl Client {
    /// Connects to nothing yet.
    pub(crate) fn new(
        address: Address,
        contract: Contract,
        key: Option<Secret>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let http = build(&address, &contract, key.as_ref(), &options)?;
        Ok(Self {
            http: Mutex::new(http),
            route: route(&address).into(),
            address,
            contract,
            key,
            options,
        })
    }

    /// Drops every open connection; after the machine slept none can be trusted.
    pub(crate) fn drop_connections(&self) -> Result<(), ClientError> {
        let key = self.key.as_ref();
        let fresh = build(&self.address, &self.contract, key, &self.options)?;
        *self.http.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Prepares the call that creates the case. Awaiting it sends at most one
    /// complete request, and none that has not begun by the time given.
    pub(crate) fn attempt(
        &self,
        case: &CaseData,
        opens_until: Option<BootTime>,
    ) -> (Arc<Gate>, impl Future<Output = Outcome> + use<>) {
        let firm = case.partner_firm.as_deref();
        let body = self.contract.body(&case.payload, firm);
        let gate = Gate::until(opens_until);
        self.post(gate, self.url(firm), body, case.key.clone(), None)
    }

    /// Prepares a call that creates something. Awaiting it sends at most one
    /// complete request. Besides the key the answer may quote a secret.
    pub(super) fn post(
        &self,
        gate: Gate,
        url: Url,
        body: String,
        key: Key,
        secret: Option<Secret>,
    ) -> (Arc<Gate>, impl Future<Output = Outcome> + use<>) {
        let gate = Arc::new(gate);
        let gated = GatedBody::new(Bytes::from(body.clone()), Arc::clone(&gate));
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        let request = http
            .post(self.with_key(url))
            .body(reqwest::Body::wrap(gated));
        let contract = self.contract.clone();
        let secrets: Vec<_> = self.key.iter().cloned().chain(secret).collect();
        let (route, gate_of_call) = (Arc::clone(&self.route), Arc::clone(&gate));
        let outcome = async move {
            let exchange = exchange(request, &gate_of_call, &route).await;
            let sent = Sent {
                key: &key,
                body: &serde_json::from_str(&body).unwrap_or_default(),
                contract: &contract,
                secrets: &secrets,
            };
            classify(&exchange, &sent)
        };
        (gate, outcome)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A call that changes nothing, or nothing more if it is repeated: the status
    /// and the body of its answer.
    pub(super) async fn call(&self, method: Method, url: Url) -> Result<(u16, String), String> {
        match self.send(method, url).await {
            Ok(response) => {
                let status = response.status().as_u16();
                Ok((status, read_body(response).await.unwrap_or_default()))
            }
            Err(error) => Err(self.described(&error)),
        }
    }

    /// A call without a body.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
    ) -> reqwest::Result<reqwest::Response> {
        let request = {
            let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
            http.request(method, self.with_key(url))
        };
        request.send().await.map_err(reqwest::Error::without_url)
    }

    /// An error with the way that the call took.
    pub(super) fn described(&self, error: &reqwest::Error) -> String {
        format!("{}: {}", self.route, describe(error).0)
    }

    /// A text that may be shown.
    pub(super) fn shown(&self, text: &str, longest: usize) -> Box<str> {
        shown(self.key.as_slice(), text, longest)
    }

    fn with_key(&self, mut url: Url) -> Url {
        if let (AuthPlace::Query { name }, Some(key)) = (&self.contract.auth, &self.key) {
            url.query_pairs_mut().append_pair(name, key.reveal());
        }
        url
    }

    fn url(&self, firm: Option<&str>) -> Url {
        let mut url = self.address.url().clone();
        if let Some(firm) = firm
            && self.contract.partner_firm_id_in != FirmPlace::Body
        {
            url.query_pairs_mut().append_pair(PARTNER_FIRM_ID, firm);
        }
        url
    }
}

fn build(
    address: &Address,
    contract: &Contract,
    key: Option<&Secret>,
    options: &ClientOptions,
) -> Result<reqwest::Client, ClientError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let (AuthPlace::Header { name, prefix }, Some(key)) = (&contract.auth, key) {
        let name = name.as_deref().unwrap_or("Authorization");
        let name: HeaderName = (name.parse()).map_err(|_| ClientError::HeaderName(name.into()))?;
        let prefix = prefix.as_deref().unwrap_or("Key ");
        let value = key.header(prefix).ok_or(ClientError::HeaderValue)?;
        headers.insert(name, value);
    }
    let encrypted = address.url().scheme() == "https";
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        // With HTTP/2 the head may be sent before the body is polled.
        .http1_only()
        // The default resends POSTs.
        .retry(reqwest::retry::never())
        // The default turns a POST into a GET whose 200 looks like success.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(options.timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .referer(false)
        .tls_info(true)
        .tls_backend_preconfigured(trust::tls(encrypted, options.ca_file.as_deref())?);
    // Any other host goes by the system's proxy settings, HTTPS_PROXY and
    // NO_PROXY included.
    if address.is_loopback() {
        builder = builder.no_proxy();
    }
    let build_error = |error: reqwest::Error| ClientError::Build(error.without_url());
    builder.build().map_err(build_error)
}

/// Where calls go, as an error names it.
fn route(address: &Address) -> String {
    let proxy = proxy(address).map(|proxy| format!(" through the proxy {proxy}"));
    let host = address.url().authority();
    format!("{host}{}", proxy.unwrap_or_default())
}

/// The proxy on the way to a server, without user and password.
pub(crate) fn proxy(address: &Address) -> Option<String> {
    let url = address.url();
    let uri = url.as_str().parse().ok().filter(|_| !address.is_loopback());
    let proxy = uri.and_then(|uri: http::Uri| Matcher::from_system().intercept(&uri));
    // Its user and password are kept elsewhere.
    Some(proxy?.uri().authority()?.to_string())
}

async fn exchange(request: reqwest::RequestBuilder, gate: &Gate, route: &str) -> Exchange {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let nothing_written = gate.shut();
            // The URL may contain the key and has the firm in its query.
            let (error, permanent) = describe(&error.without_url());
            let error = format!("{route}: {error}");
            return if nothing_written {
                Exchange::NothingWritten { error, permanent }
            } else {
                Exchange::NoResponse { error }
            };
        }
    };
    Exchange::Response(Response {
        status: response.status().as_u16(),
        has_retry_after: response.headers().contains_key(RETRY_AFTER),
        retry_after: retry_after(response.headers(), SystemTime::now()),
        body: read_body(response).await,
    })
}

/// The longest wait that `Retry-After` headers ask for, in seconds or until an
/// HTTP date, which is measured against the response's own `Date`, so that a
/// wrong clock on either side does no harm (RFC 9110, 10.2.3). None without
/// such a header, or when it can't be read.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let sent_at = headers.get(DATE).and_then(http_date).unwrap_or(now);
    let waits = headers.get_all(RETRY_AFTER).into_iter();
    waits.filter_map(|value| wait(value, sent_at)).max()
}

fn wait(value: &HeaderValue, sent_at: SystemTime) -> Option<Duration> {
    if let Some(until) = http_date(value) {
        return Some(until.duration_since(sent_at).unwrap_or_default());
    }
    let text = value.to_str().ok()?.trim();
    if text
        .bytes()
        .any(|byte| !byte.is_ascii_digit() && byte != b'.')
    {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    // A number that does not fit is longer than any `--max-wait`.
    Some(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX))
}

pub(super) fn http_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// The complete body as text. Invalid UTF-8 somewhere in it makes the id beside
/// it no less true.
async fn read_body(mut response: reqwest::Response) -> Option<String> {
    let encoding = response.headers().get(CONTENT_ENCODING).cloned();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if bytes.len() + chunk.len() > MAX_RESPONSE {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    if let Some(encoding) = encoding {
        bytes = decompressed(bytes, &encoding.to_str().ok()?.to_ascii_lowercase())?;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

/// Some servers compress though nobody has asked them to.
fn decompressed(bytes: Vec<u8>, encoding: &str) -> Option<Vec<u8>> {
    let read = |reader: &mut dyn Read| {
        let mut plain = Vec::new();
        let mut reader = reader.take(MAX_RESPONSE as u64 + 1);
        reader.read_to_end(&mut plain).ok()?;
        (plain.len() <= MAX_RESPONSE).then_some(plain)
    };
    match encoding {
        "" | "identity" => Some(bytes),
        // An empty body has no header either.
        _ if bytes.is_empty() => Some(bytes),
        "gzip" | "x-gzip" => read(&mut MultiGzDecoder::new(&*bytes)),
        // Some servers leave out the wrapping that the standard requires.
        "deflate" => {
            read(&mut ZlibDecoder::new(&*bytes)).or_else(|| read(&mut DeflateDecoder::new(&*bytes)))
        }
        _ => None,
    }
}

/// An error chain as one line, and whether a retry can't help.
fn describe(error: &reqwest::Error) -> (String, bool) {
    let mut permanent = false;
    let mut parts: Vec<String> = Vec::new();
    if error.is_timeout() {
        parts.push("timed out".to_owned());
    }
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(rejected) = trust::certificate_rejected(cause) {
            return (rejected, true);
        }
        let mut text = cause.to_string();
        // These types are private to hyper-util; their texts are stable.
        if text == "dns error" {
            "the host was not found".clone_into(&mut text);
        } else if text == "tunnel error: unsuccessful" {
            (text, permanent) = ("the proxy refused the connection".to_owned(), true);
        } else if text == "tunnel error: proxy authorization required" {
            (text, permanent) = ("the proxy requires a login".to_owned(), true);
        }
        // "client error (SendRequest)" says nothing that its cause does not say.
        let is_wrapper = text.starts_with("client error (") && cause.source().is_some();
        if !is_wrapper && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    (parts.join(": "), permanent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 00:00:10 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (value, seconds) in [(" 7 ", 7), ("0", 0), ("1.2", 2), ("0.001", 1)] {
            let expected = Some(Duration::from_secs(seconds));
            assert_eq!(read(&[("retry-after", value)]), expected, "{value:?}");
        }
        let forever = read(&[("retry-after", "99999999999999999999999")]);
        assert_eq!(forever, Some(Duration::MAX));
        for value in ["", "soon", "-1", "inf", "1e3", "7 s"] {
            assert_eq!(read(&[("retry-after", value)]), None, "{value:?}");
        }
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn all_three_forms_of_dates_are_measured_against_the_response() {
        let five = Some(Duration::from_secs(5));
        for value in [
            "Wed, 21 Oct 2015 07:28:05 GMT",
            "Wednesday, 21-Oct-15 07:28:05 GMT",
            "Wed Oct 21 07:28:05 2015",
        ] {
            let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
            assert_eq!(read(&[("retry-after", value), date]), five, "{value}");
        }
        let without_date = read(&[("retry-after", "Mon, 23 Nov 2026 00:00:30 GMT")]);
        assert_eq!(without_date, Some(Duration::from_secs(20)), "by our clock");
        let past = read(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(
            past,
            Some(Duration::ZERO),
            "a date in the past means no wait"
        );
    }

    #[test]
    fn of_two_headers_the_longer_counts() {
        let two = read(&[
            ("retry-after", "3"),
            ("retry-after", "9"),
            ("retry-after", "?"),
        ]);
        assert_eq!(two, Some(Duration::from_secs(9)));
    }
}
