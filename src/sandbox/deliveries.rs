//! Simulated lives of cases: signed deliveries to the subscribers, late, twice
//! and in another order, tried again until they are answered with success.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::server::Sandbox;

/// How often a delivery is tried, each time after twice the pause.
const MAX_TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many of a hundred deliveries are sent twice.
const TWICE: u32 = 20;

/// What happens to a case within seconds, and how late each is delivered at most.
fn life(rng: &mut fastrand::Rng) -> [(&'static str, Value, u64); 3] {
    let now = Timestamp::now();
    let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    let stage = rng.choice(["Treating", "Demand Sent", "Litigation"]);
    [
        (
            "Case Update Made",
            json!({
                "title": "Client contacted",
                "content": "Spoke with the client about the treatment.",
                "date": at(0),
            }),
            1000,
        ),
        (
            "Case Stage Changed",
            json!({"stage": stage, "date": at(1)}),
            1500,
        ),
        (
            "Case Settlement",
            json!({"amount": 1000 * rng.u32(5..500), "date": at(2)}),
            2500,
        ),
    ]
}

/// Plays the life of a case that was just created.
pub(super) fn simulate(sandbox: &Arc<Sandbox>, case_id: &str, rng: &mut fastrand::Rng) {
    for (event, details, latest) in life(rng) {
        let times = if rng.u32(0..100) < TWICE { 2 } else { 1 };
        for _ in 0..times {
            let (sandbox, case_id) = (Arc::clone(sandbox), case_id.to_owned());
            let (details, delay) = (details.clone(), rng.u64(100..latest));
            tokio::spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                let to = sandbox
                    .state()
                    .platform
                    .subscribers(event, &case_id, &details);
                for (url, secret, body) in to {
                    deliver(&url, &secret, &Bytes::from(body.to_string())).await;
                }
            });
        }
    }
}

/// Delivers until the answer is a success.
async fn deliver(url: &str, secret: &str, body: &Bytes) {
    for tries in 0..MAX_TRIES {
        let status = timeout(TIMEOUT, post(url, secret, body.clone())).await;
        let is_success = |status: StatusCode| status.is_success();
        if status.unwrap_or_default().is_some_and(is_success) {
            return;
        }
        sleep(FIRST_PAUSE * 2_u32.pow(tries)).await;
    }
}

/// One try; only to this machine, and without encryption.
async fn post(url: &str, secret: &str, body: Bytes) -> Option<StatusCode> {
    let url: Uri = url
        .parse()
        .ok()
        .filter(|url: &Uri| url.scheme_str() == Some("http"))?;
    let host = url
        .host()
        .filter(|host| ["127.0.0.1", "localhost"].contains(host))?;
    let connection = TcpStream::connect((host, url.port_u16().unwrap_or(80)))
        .await
        .ok()?;
    let (mut sender, connection) = handshake(TokioIo::new(connection)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::post(url.path())
        .header(HOST, url.authority()?.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header("x-lexamica-signature", signature(secret, &body)?)
        .body(Full::new(body))
        .ok()?;
    Some(sender.send_request(request).await.ok()?.status())
}

fn signature(secret: &str, body: &[u8]) -> Option<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    let mut text = "sha256=".to_owned();
    for byte in mac.chain_update(body).finalize().into_bytes() {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}
