//! The way of a call through rate limit, faults and contract, and the response.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use governor::DefaultDirectRateLimiter;
use governor::clock::Clock as _;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use super::call_log::{CallId, CallLog};
use super::deliveries;
use super::faults::{Fault, RateLimit};
use super::platform::Platform;
use super::{SandboxOptions, contract};

/// Longer bodies are answered 413.
const MAX_BODY: usize = 16 * 1024 * 1024;

const PAGE: &str = "<!doctype html><title>Sign in</title><h1>Please sign in</h1>\n";

type Stopped = watch::Receiver<bool>;

pub(super) async fn serve(listener: TcpListener, options: SandboxOptions, stopped: Stopped) {
    let sandbox = Arc::new(Sandbox::new(options, stopped.clone()));
    let mut router = Router::new();
    if !sandbox.options.private {
        router = router
            .route("/__sandbox/cases", get(cases))
            .route("/__sandbox/calls", get(calls));
    }
    let router = router.fallback(answer).with_state(sandbox);
    let listener = listener.tap_io(|connection| {
        // Only a matter of speed.
        let _ = connection.set_nodelay(true);
    });
    // Documented as never failing.
    let _ = axum::serve(listener, router)
        .with_graceful_shutdown(stop(stopped))
        .await;
}

async fn stop(mut stopped: Stopped) {
    // Fails when the sandbox was dropped, which ends it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

pub(super) struct Sandbox {
    options: SandboxOptions,
    rate_limit: Option<DefaultDirectRateLimiter>,
    stopped: Stopped,
    state: Mutex<SandboxState>,
}

/// What changes with every call.
pub(super) struct SandboxState {
    log: CallLog,
    rng: fastrand::Rng,
    pub(super) platform: Platform,
}

struct SandboxReply {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    retry_after: Option<u64>,
    delay: Duration,
    /// The connection is closed after this much of the body; with 0 not even
    /// the head is sent.
    cut_off_at: Option<usize>,
}

impl SandboxReply {
    fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self {
            status,
            content_type: HeaderValue::from_static("application/json"),
            // Text keys and plain values are always valid JSON.
            body: serde_json::to_vec(value).unwrap_or_default().into(),
            retry_after: None,
            delay: Duration::ZERO,
            cut_off_at: None,
        }
    }

    fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn fault(status: StatusCode) -> Self {
        Self::error(status, status.canonical_reason().unwrap_or("fault"))
    }

    fn cut_off(self, at: usize) -> Self {
        Self {
            cut_off_at: Some(at),
            ..self
        }
    }

    /// What becomes of it on the way.
    fn with(self, fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::StatusAfter(code)) => Self::fault(code),
            Some(Fault::DropAfter) => self.cut_off(0),
            Some(Fault::Half) => {
                let half = self.body.len() / 2;
                self.cut_off(half)
            }
            _ => self,
        }
    }

    fn into_response(self) -> Response {
        let length = self.body.len();
        let mut response = Response::new(match self.cut_off_at {
            None => Body::from(self.body),
            // The server closes a connection whose body fails. The head is not
            // sent before the body's first part.
            Some(at) => {
                let part = (at > 0).then(|| Ok(self.body.slice(..at)));
                let end = async move {
                    if at > 0 {
                        // Lets the first part be sent.
                        tokio::task::yield_now().await;
                    }
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                };
                Body::from_stream(stream::iter(part).chain(stream::once(end)))
            }
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type);
        headers.insert(CONTENT_LENGTH, length.into());
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl Sandbox {
    fn new(options: SandboxOptions, stopped: Stopped) -> Self {
        let mut rng = options
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let log = CallLog::new(rng.fork());
        Self {
            rate_limit: options.rate_limit.map(RateLimit::bucket),
            options,
            stopped,
            state: Mutex::new(SandboxState {
                log,
                rng,
                platform: Platform::default(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a call as soon as it is complete. A case is created now: a
    /// caller who leaves before the response changes nothing.
    fn handle(self: &Arc<Self>, id: CallId, head: &Parts, body: &[u8]) -> SandboxReply {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(limit) = &self.rate_limit
            && let Err(too_soon) = limit.check()
        {
            state.log.received(id, body, None);
            let wait = too_soon.wait_time_from(limit.clock().now());
            return SandboxReply {
                retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u64),
                ..SandboxReply::error(StatusCode::TOO_MANY_REQUESTS, "too many calls")
            };
        }
        let picked = self.options.faults.pick(state.rng.f64());
        state.log.received(id, body, picked.map(|(kind, _)| kind));
        match picked.map(|(_, fault)| fault) {
            Some(Fault::Status(code, retry_after)) => SandboxReply {
                retry_after,
                ..SandboxReply::fault(code)
            },
            Some(Fault::Drop) => SandboxReply::fault(StatusCode::BAD_GATEWAY).cut_off(0),
            Some(Fault::Html) => SandboxReply {
                content_type: HeaderValue::from_static("text/html; charset=utf-8"),
                body: PAGE.into(),
                ..SandboxReply::fault(StatusCode::OK)
            },
            Some(Fault::Slow(delay)) => SandboxReply {
                delay,
                ..self.create(state, id, head, body, None)
            },
            fault => self.create(state, id, head, body, fault),
        }
    }

    /// Creates the case, mapping or subscription if the call is valid.
    fn create(
        self: &Arc<Self>,
        state: &mut SandboxState,
        id: CallId,
        head: &Parts,
        body: &[u8],
        fault: Option<Fault>,
    ) -> SandboxReply {
        let (options, new_id) = (&self.options, state.log.new_id());
        if let Some(answer) = state.platform.handle(options, head, body, &new_id) {
            let reply = match answer {
                Ok((status, answer)) => SandboxReply::json(status, &answer),
                Err((status, message)) => return SandboxReply::error(status, &message),
            };
            return reply.with(fault);
        }
        let draft = match contract::check(&self.options, head, body) {
            Ok(draft) => draft,
            Err((status, message)) => return SandboxReply::error(status, &message),
        };
        let case_id = state.log.create(id, new_id, &draft);
        if self.options.simulate_updates {
            deliveries::simulate(self, &case_id, &mut state.rng);
        }
        let shown_id = match fault {
            Some(Fault::NoId) => None,
            Some(Fault::SameId) => Some(state.log.id_before_last().unwrap_or(case_id.clone())),
            _ => Some(case_id.clone()),
        };
        let platform = &state.platform;
        let mapped = platform.through_mapping(&draft.map_id, shown_id.as_deref(), &draft.fields);
        let response = mapped.unwrap_or_else(|| draft.response(shown_id));
        SandboxReply::json(StatusCode::CREATED, &response).with(fault)
    }
}

async fn answer(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let id = sandbox.state().log.begin(method, path);
    let reply = match to_bytes(body, MAX_BODY).await {
        Ok(body) => sandbox.handle(id, &head, &body),
        Err(_) => SandboxReply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 16 MiB, or was cut off",
        ),
    };
    let delay = sandbox.options.latency + reply.delay;
    if !delay.is_zero() {
        tokio::select! {
            () = sleep(delay) => {}
            () = stop(sandbox.stopped.clone()) => {}
        }
    }
    let visible_status = (reply.cut_off_at != Some(0)).then_some(reply.status.as_u16());
    sandbox.state().log.end(id, visible_status);
    reply.into_response()
}

async fn cases(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    shown(&headers, &sandbox.state().log.cases)
}

async fn calls(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    shown(&headers, &sandbox.state().log.calls)
}

/// A web page elsewhere whose host name leads to this machine may not look.
fn shown(headers: &HeaderMap, received: &impl Serialize) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host: Option<Authority> = host.and_then(|host| host.parse().ok());
    let is_local = host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        let ip: Option<IpAddr> = name.parse().ok();
        name.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback())
    });
    let reply = if is_local {
        SandboxReply::json(StatusCode::OK, received)
    } else {
        SandboxReply::error(StatusCode::FORBIDDEN, "only for requests to localhost")
    };
    reply.into_response()
}
