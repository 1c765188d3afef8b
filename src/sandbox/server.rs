//! The way of a call through rate limit, faults and contract, and the response.

use std::io;
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
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::SandboxOptions;
use super::call_log::{CallId, CallLog};
use super::contract::KnownAccount;
use super::faults::{Fault, Faults, RateLimit};

/// Longer bodies are answered 413.
const MAX_BODY: usize = 16 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PAGE: &str = "<!doctype html><title>Sign in</title><h1>Please sign in</h1>\n";

type Stopped = watch::Receiver<bool>;

pub(super) async fn serve(listener: TcpListener, options: SandboxOptions, stopped: Stopped) {
    let sandbox = Arc::new(Sandbox::new(options, stopped.clone()));
    let router = Router::new()
        .route("/__sandbox/cases", get(cases))
        .route("/__sandbox/calls", get(calls))
        .fallback(answer)
        .with_state(sandbox);
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

struct Sandbox {
    account: KnownAccount,
    latency: Duration,
    faults: Faults,
    rate_limit: Option<DefaultDirectRateLimiter>,
    stopped: Stopped,
    state: Mutex<SandboxState>,
}

/// What changes with every call.
struct SandboxState {
    log: CallLog,
    rng: fastrand::Rng,
}

/// Where the connection is closed before the response is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CutOff {
    Start,
    Middle,
}

struct Reply {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    retry_after: Option<u64>,
    delay: Duration,
    cut_off: Option<CutOff>,
}

impl Reply {
    fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self {
            status,
            content_type: JSON,
            // Text keys and plain values are always valid JSON.
            body: serde_json::to_vec(value).unwrap_or_default().into(),
            retry_after: None,
            delay: Duration::ZERO,
            cut_off: None,
        }
    }

    fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn fault(status: StatusCode) -> Self {
        Self::error(status, status.canonical_reason().unwrap_or("fault"))
    }

    fn cut_off(self, at: CutOff) -> Self {
        Self {
            cut_off: Some(at),
            ..self
        }
    }

    /// The status that the caller sees.
    fn visible_status(&self) -> Option<u16> {
        (self.cut_off != Some(CutOff::Start)).then_some(self.status.as_u16())
    }

    fn into_response(self) -> Response {
        let length = self.body.len();
        let mut response = Response::new(match self.cut_off {
            None => Body::from(self.body),
            // The server closes a connection whose body fails. The head is not
            // sent before the body's first part.
            Some(CutOff::Start) => Body::from_stream(stream::iter([Err::<Bytes, _>(closed())])),
            Some(CutOff::Middle) => {
                let half = self.body.slice(..length / 2);
                let end = async {
                    // Lets the first half be sent.
                    tokio::task::yield_now().await;
                    Err(closed())
                };
                Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(end)))
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

fn closed() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl Sandbox {
    fn new(options: SandboxOptions, stopped: Stopped) -> Self {
        let mut rng = options
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let id_rng = rng.fork();
        let now = Instant::now();
        Self {
            account: KnownAccount {
                org_id: options.org_id,
                map_id: options.map_id,
                public_key: options.public_key,
            },
            latency: options.latency,
            faults: options.faults,
            rate_limit: options.rate_limit.map(RateLimit::bucket),
            stopped,
            state: Mutex::new(SandboxState {
                log: CallLog::new(now, id_rng),
                rng,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a call as soon as it is complete. A case is created now: a
    /// caller who leaves before the response changes nothing.
    fn handle(&self, id: CallId, head: &Parts, body: &[u8]) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(limit) = &self.rate_limit
            && let Err(too_soon) = limit.check()
        {
            state.log.received(id, body, None);
            let wait = too_soon.wait_time_from(limit.clock().now());
            return Reply {
                retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u64),
                ..Reply::error(StatusCode::TOO_MANY_REQUESTS, "too many calls")
            };
        }
        let picked = self.faults.pick(state.rng.f64());
        state.log.received(id, body, picked.map(|(kind, _)| kind));
        let fault = picked.map(|(_, fault)| fault);
        match fault {
            Some(Fault::Status { code, retry_after }) => Reply {
                retry_after: retry_after.then_some(1),
                ..Reply::fault(code)
            },
            Some(Fault::Drop) => Reply::fault(StatusCode::BAD_GATEWAY).cut_off(CutOff::Start),
            Some(Fault::Html) => Reply {
                content_type: HTML,
                body: PAGE.into(),
                ..Reply::fault(StatusCode::OK)
            },
            Some(Fault::Slow(delay)) => Reply {
                delay,
                ..self.create(&mut state.log, id, head, body, None)
            },
            _ => self.create(&mut state.log, id, head, body, fault),
        }
    }
    /// Creates the case if the call is valid.
    fn create(
        &self,
        log: &mut CallLog,
        id: CallId,
        head: &Parts,
        body: &[u8],
        fault: Option<Fault>,
    ) -> Reply {
        let draft = match self.account.check(head, body) {
            Ok(draft) => draft,
            Err(rejection) => return Reply::error(rejection.status, &rejection.message),
        };
        let case_id = log.create(id, &draft);
        let shown_id = match fault {
            Some(Fault::NoId) => None,
            Some(Fault::SameId) => Some(log.id_before_last().unwrap_or(case_id)),
            _ => Some(case_id),
        };
        let reply = Reply::json(StatusCode::CREATED, &draft.response(shown_id));
        match fault {
            Some(Fault::StatusAfter(code)) => Reply::fault(code),
            Some(Fault::DropAfter) => reply.cut_off(CutOff::Start),
            Some(Fault::Half) => reply.cut_off(CutOff::Middle),
            _ => reply,
        }
    }
}

async fn answer(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let id = sandbox.state().log.begin(method, path);
    let reply = match to_bytes(body, MAX_BODY).await {
        Ok(body) => sandbox.handle(id, &head, &body),
        Err(_) => Reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 16 MiB, or was cut off",
        ),
    };
    let delay = sandbox.latency + reply.delay;
    if !delay.is_zero() {
        tokio::select! {
            () = sleep(delay) => {}
            () = stop(sandbox.stopped.clone()) => {}
        }
    }
    sandbox.state().log.end(id, reply.visible_status());
    reply.into_response()
}

async fn cases(State(sandbox): State<Arc<Sandbox>>) -> Response {
    Reply::json(StatusCode::OK, &sandbox.state().log.cases).into_response()
}

async fn calls(State(sandbox): State<Arc<Sandbox>>) -> Response {
    Reply::json(StatusCode::OK, &sandbox.state().log.calls).into_response()
}
