//! One call: the request as the contract has it, through settings that resend
//! nothing by themselves.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;

use super::address::Address;
use super::classify::{Cause, Seen, classify};
use super::contract::{AuthPlace, Contract, FirmPlace, PARTNER_FIRM_ID};
use super::gate::{Gate, GatedBody};
use super::key::PublicKey;
use super::retry_after::retry_after;
use super::trust::{self, CertificateRefused, TrustError};
use crate::model::{CaseData, Outcome};

/// How calls are made.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// For one call as a whole.
    pub timeout: Duration,
    /// For connecting, TLS included.
    pub connect_timeout: Duration,
    /// A certificate authority beside the platform's.
    pub ca_file: Option<PathBuf>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(90),
            connect_timeout: Duration::from_secs(10),
            ca_file: None,
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Trust store or certificate authority.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A header name that the config gives for the key.
    #[error("{0:?} is no header name (api.auth)")]
    HeaderName(String),
    /// A prefix that no header can carry.
    #[error("the key can't stand in a header behind the prefix of api.auth")]
    HeaderValue,
    /// Anything else, such as a proxy URL in the environment that is none.
    #[error("can't set up the HTTP client")]
    Build(#[source] reqwest::Error),
}

const USER_AGENT: &str = concat!("caseload/", env!("CARGO_PKG_VERSION"));
/// A reused connection that the server is just closing is where doubt comes
/// from, so idle ones go long before a server would close them.
const IDLE: Duration = Duration::from_secs(1);
/// An answer past this is cut off: no case's answer is so long.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Makes the calls of a run.
#[derive(Debug)]
pub struct Client {
    http: Mutex<reqwest::Client>,
    address: Address,
    contract: Contract,
    key: Option<PublicKey>,
    options: ClientOptions,
}

/// One call under way.
#[derive(Debug)]
pub struct Attempt<F> {
    /// Says whether its first byte was written.
    pub gate: Arc<Gate>,
    /// Resolves to what was proved.
    pub outcome: F,
}

impl Client {
    /// Sets up the client; connects to nothing yet.
    pub fn new(
        address: Address,
        contract: Contract,
        key: Option<PublicKey>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let http = build(&address, &contract, key.as_ref(), &options)?;
        Ok(Self {
            http: Mutex::new(http),
            address,
            contract,
            key,
            options,
        })
    }

    /// Where the calls go.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The assumptions that the calls are made by.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Forgets every open connection, as after the machine slept: none of them
    /// can be trusted any more.
    pub fn drop_connections(&self) -> Result<(), ClientError> {
        let fresh = build(
            &self.address,
            &self.contract,
            self.key.as_ref(),
            &self.options,
        )?;
        *self.http.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Prepares the call that makes a case. Nothing happens until the outcome
    /// is awaited, and then at most one whole request leaves.
    pub fn attempt(&self, case: &CaseData) -> Attempt<impl Future<Output = Outcome> + use<>> {
        let gate = Arc::new(Gate::default());
        let firm = case.partner_firm.as_deref();
        let body = self.contract.body(&case.payload, firm);
        let request = self
            .http
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .post(self.url(firm))
            .body(reqwest::Body::wrap(GatedBody::new(
                Bytes::from(body.clone()),
                Arc::clone(&gate),
            )));
        let contract = self.contract.clone();
        let key = self.key.clone();
        let gate_of_call = Arc::clone(&gate);
        let outcome = async move {
            let exchange = exchange(request, &gate_of_call).await;
            let sent: Value = serde_json::from_str(&body).unwrap_or_default();
            let mut outcome = classify(exchange.seen(), &sent, &contract);
            if let Some(key) = &key {
                hide_key(&mut outcome, key);
            }
            outcome
        };
        Attempt { gate, outcome }
    }

    fn url(&self, firm: Option<&str>) -> Url {
        let mut url = self.address.url().clone();
        if let Some(firm) = firm
            && self.contract.partner_firm_id_in != FirmPlace::Body
        {
            url.query_pairs_mut().append_pair(PARTNER_FIRM_ID, firm);
        }
        if let (AuthPlace::Query { name }, Some(key)) = (&self.contract.auth, &self.key) {
            url.query_pairs_mut().append_pair(name, key.reveal());
        }
        url
    }
}

fn build(
    address: &Address,
    contract: &Contract,
    key: Option<&PublicKey>,
    options: &ClientOptions,
) -> Result<reqwest::Client, ClientError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let (AuthPlace::Header { name, prefix }, Some(key)) = (&contract.auth, key) {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ClientError::HeaderName(name.clone()))?;
        let value = key.header(prefix).ok_or(ClientError::HeaderValue)?;
        headers.insert(name, value);
    }
    let encrypted = address.url().scheme() == "https";
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        // With HTTP/2 the head may leave before the body is polled.
        .http1_only()
        // The default resends POSTs.
        .retry(reqwest::retry::never())
        // The default turns a POST into a GET whose 200 looks like success.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(options.timeout)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(IDLE)
        .referer(false)
        .tls_backend_preconfigured(trust::tls(encrypted, options.ca_file.as_deref())?);
    // This machine is never reached through a proxy; any other host goes by
    // the system's settings, which HTTPS_PROXY and NO_PROXY are part of.
    let builder = if address.is_loopback() {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .build()
        .map_err(|error| ClientError::Build(error.without_url()))
}

/// What was seen, owned.
enum Exchange {
    NothingWritten(Cause, String),
    NoAnswer(String),
    Answered {
        status: u16,
        has_retry_after: bool,
        retry_after: Option<Duration>,
        body: Option<String>,
    },
}

impl Exchange {
    fn seen(&self) -> Seen<'_> {
        match self {
            Self::NothingWritten(cause, message) => Seen::NothingWritten {
                cause: *cause,
                message: message.clone(),
            },
            Self::NoAnswer(message) => Seen::NoAnswer {
                message: message.clone(),
            },
            Self::Answered {
                status,
                has_retry_after,
                retry_after,
                body,
            } => Seen::Answered {
                status: *status,
                has_retry_after: *has_retry_after,
                retry_after: *retry_after,
                body: body.as_deref(),
            },
        }
    }
}

async fn exchange(request: reqwest::RequestBuilder, gate: &Gate) -> Exchange {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let unwritten = gate.shut();
            // The URL may hold a key, and its query holds the firm.
            let message = describe(&error.without_url());
            return if unwritten {
                Exchange::NothingWritten(cause(&message), message.text)
            } else {
                Exchange::NoAnswer(message.text)
            };
        }
    };
    let status = response.status().as_u16();
    let headers = response.headers();
    let has_retry_after = headers.contains_key(http::header::RETRY_AFTER);
    let retry_after = retry_after(headers, Timestamp::now());
    Exchange::Answered {
        status,
        has_retry_after,
        retry_after,
        body: read_body(response).await,
    }
}

/// The whole body as text, or none when it broke off. A broken letter in some
/// name makes the id beside it no less true.
async fn read_body(mut response: reqwest::Response) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.ok()? {
        if bytes.len() + piece.len() > MAX_ANSWER {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// An error chain as one line, and whether trying again can help.
struct Description {
    text: String,
    refused: bool,
}

fn describe(error: &reqwest::Error) -> Description {
    let mut refused = false;
    let mut parts: Vec<String> = Vec::new();
    if error.is_timeout() {
        parts.push("timed out".to_owned());
    }
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // hyper-util's tunnel errors are private; their text is stable.
        refused |= text.starts_with("tunnel error: unsuccessful")
            || text.starts_with("tunnel error: proxy authorization required");
        let certificate = certificate_refused(cause);
        if let Some(certificate) = certificate {
            refused = true;
            parts = vec![certificate.to_string()];
            break;
        }
        // "client error (SendRequest)" tells people nothing that its cause
        // doesn't tell.
        let is_shell = text.starts_with("client error (") && cause.source().is_some();
        if !is_shell && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    Description {
        text: parts.join(": "),
        refused,
    }
}

fn cause(description: &Description) -> Cause {
    if description.refused {
        Cause::Refused
    } else {
        Cause::Unreachable
    }
}

/// The refusal inside an error, past each `io::Error` that it is wrapped in:
/// their sources skip what they wrap.
fn certificate_refused<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateRefused> {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return certificate_refused(io.get_ref()?);
    }
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::Other(other) => other.0.downcast_ref::<CertificateRefused>(),
        _ => None,
    }
}

fn hide_key(outcome: &mut Outcome, key: &PublicKey) {
    let answer = &mut outcome.answer;
    for text in [&mut answer.message, &mut answer.body, &mut answer.case_id]
        .into_iter()
        .flatten()
    {
        if text.contains(key.reveal()) {
            *text = key.redact(text).into();
        }
    }
}
