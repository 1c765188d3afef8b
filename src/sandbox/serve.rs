//! The routes, and the way of a call through limit, faults and contract.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::SandboxOptions;
use super::call_log::{CallId, CallLog};
use super::connection::{ConnectionFault, Cut, FaultyListener};
use super::contract::{Account, Call, Draft, Made, Target};
use super::faults::{Fault, Faults};
use super::rate_limit::Bucket;

/// Longer bodies are answered 413.
const MAX_BODY: usize = 16 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PAGE: &str = "<!doctype html><title>Sign in</title><h1>Please sign in</h1>\n";

/// Answers calls until told to stop.
pub(super) async fn serve(listener: TcpListener, options: SandboxOptions, stopped: Stopped) {
    let sandbox = Arc::new(Sandbox::new(options, stopped.clone()));
    let router = Router::new()
        .route("/__sandbox/cases", get(cases))
        .route("/__sandbox/calls", get(calls))
        .route("/case/{map}/create-existing", any(short))
        .route(
            "/organization/{org}/inbound-webhooks/case/{map}/create-existing",
            any(full),
        )
        .fallback(nothing)
        .with_state(sandbox)
        .into_make_service_with_connect_info::<ConnectionFault>();
    // Documented as never failing.
    let _ = axum::serve(FaultyListener(listener), router)
        .with_graceful_shutdown(stop(stopped))
        .await;
}

type Stopped = watch::Receiver<bool>;

async fn stop(mut stopped: Stopped) {
    // An error means that nobody is left to say it, which says it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// All that handlers share.
struct Sandbox {
    account: Account,
    latency: Duration,
    faults: Faults,
    stopped: Stopped,
    state: Mutex<SandboxState>,
}

/// What changes with every call.
struct SandboxState {
    log: CallLog,
    bucket: Option<Bucket>,
    rng: fastrand::Rng,
}

/// What is answered, when, and whether the connection survives it.
struct Reply {
    status: StatusCode,
    content_type: HeaderValue,
    body: Vec<u8>,
    retry_after: Option<u64>,
    late: Duration,
    cut: Option<Cut>,
}

impl Reply {
    fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self {
            status,
            content_type: JSON,
            // Text keys and plain values: nothing that JSON can't hold.
            body: serde_json::to_vec(value).unwrap_or_default(),
            retry_after: None,
            late: Duration::ZERO,
            cut: None,
        }
    }

    fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn fault(status: StatusCode) -> Self {
        Self::error(status, status.canonical_reason().unwrap_or("fault"))
    }

    fn cut(self, cut: Cut) -> Self {
        let cut = Some(cut);
        Self { cut, ..self }
    }

    /// The status that the caller gets to see.
    fn seen(&self) -> Option<u16> {
        match self.cut {
            None | Some(Cut::Half) => Some(self.status.as_u16()),
            Some(Cut::Close | Cut::Reset) => None,
        }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type);
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
        let ids = rng.fork();
        let now = Instant::now();
        Self {
            account: Account {
                org_id: options.org_id,
                map_id: options.map_id,
                public_key: options.public_key,
            },
            latency: options.latency,
            faults: options.faults,
            stopped,
            state: Mutex::new(SandboxState {
                log: CallLog::new(now, ids),
                bucket: options.rate_limit.map(|limit| Bucket::new(limit, now)),
                rng,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on a call as soon as all of it is here. What it makes is made
    /// now: a caller who leaves while waiting for the answer changes nothing.
    fn decide(&self, call_id: CallId, call: &Call) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(bucket) = &mut state.bucket
            && let Err(wait) = bucket.take(Instant::now())
        {
            state.log.received(call_id, call.body, None);
            let mut reply = Reply::error(StatusCode::TOO_MANY_REQUESTS, "too many calls");
            reply.retry_after = Some(wait.as_secs_f64().ceil().max(1.0) as u64);
            return reply;
        }
        let fault = self.faults.pick(state.rng.f64());
        state.log.received(call_id, call.body, fault);
        match fault {
            Some(Fault::Status { code, retry_after }) => {
                let mut reply = Reply::fault(code);
                reply.retry_after = retry_after.then_some(1);
                reply
            }
            Some(Fault::Drop) => Reply::fault(StatusCode::BAD_GATEWAY).cut(Cut::Close),
            Some(Fault::Reset) => Reply::fault(StatusCode::BAD_GATEWAY).cut(Cut::Reset),
            Some(Fault::Html) => Reply {
                content_type: HTML,
                body: PAGE.into(),
                ..Reply::fault(StatusCode::OK)
            },
            Some(Fault::Slow(time)) => Reply {
                late: time,
                ..self.make(state, call_id, call, fault)
            },
            _ => self.make(state, call_id, call, fault),
        }
    }

    /// Makes the case, if the call is in order, and answers it.
    fn make(
        &self,
        state: &mut SandboxState,
        call_id: CallId,
        call: &Call,
        fault: Option<Fault>,
    ) -> Reply {
        let draft: Draft = match self.account.check(call) {
            Ok(draft) => draft,
            Err(refusal) => return Reply::error(refusal.status, &refusal.message),
        };
        let (Target::Create { map, .. }, Ok(payload)) = (
            call.target,
            serde_json::from_slice::<Box<RawValue>>(call.body),
        ) else {
            // The check has just read both.
            return Reply::fault(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let (firm, status) = (draft.firm.as_deref(), draft.status());
        let id = state
            .log
            .make(call_id, map, firm, status, payload)
            .to_owned();
        let id = match fault {
            Some(Fault::NoId) => None,
            Some(Fault::SameId) => Some(state.log.id_before_last().unwrap_or(&id)),
            _ => Some(&*id),
        };
        let reply = Reply::json(StatusCode::CREATED, &Made { draft: &draft, id });
        match fault {
            Some(Fault::StatusAfter(code)) => Reply::fault(code),
            Some(Fault::DropAfter) => reply.cut(Cut::Close),
            Some(Fault::Half) => reply.cut(Cut::Half),
            _ => reply,
        }
    }

    async fn answer(
        &self,
        connection_fault: ConnectionFault,
        target: Target,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let call_id = self
            .state()
            .log
            .begin(head.method.as_str(), head.uri.path());
        let reply = match to_bytes(body, MAX_BODY).await {
            Ok(body) => self.decide(
                call_id,
                &Call {
                    method: &head.method,
                    target: &target,
                    query: head.uri.query().unwrap_or_default(),
                    headers: &head.headers,
                    body: &body,
                },
            ),
            Err(_) => Reply::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is longer than 16 MiB, or broke off",
            ),
        };
        let wait = self.latency + reply.late;
        if !wait.is_zero() {
            tokio::select! {
                () = sleep(wait) => {}
                () = stop(self.stopped.clone()) => {}
            }
        }
        self.state().log.end(call_id, reply.seen());
        connection_fault.set(reply.cut);
        reply.into_response()
    }
}

type Shared = State<Arc<Sandbox>>;

async fn short(
    State(sandbox): Shared,
    ConnectInfo(connection_fault): ConnectInfo<ConnectionFault>,
    Path(map): Path<String>,
    request: Request,
) -> Response {
    let target = Target::Create { org: None, map };
    sandbox.answer(connection_fault, target, request).await
}

async fn full(
    State(sandbox): Shared,
    ConnectInfo(connection_fault): ConnectInfo<ConnectionFault>,
    Path((org, map)): Path<(String, String)>,
    request: Request,
) -> Response {
    let org = Some(org);
    let target = Target::Create { org, map };
    sandbox.answer(connection_fault, target, request).await
}

async fn nothing(
    State(sandbox): Shared,
    ConnectInfo(connection_fault): ConnectInfo<ConnectionFault>,
    request: Request,
) -> Response {
    sandbox
        .answer(connection_fault, Target::Nothing, request)
        .await
}

async fn cases(State(sandbox): Shared) -> Response {
    let state = sandbox.state();
    Reply::json(StatusCode::OK, &state.log.cases()).into_response()
}

async fn calls(State(sandbox): Shared) -> Response {
    let state = sandbox.state();
    Reply::json(StatusCode::OK, &state.log.calls()).into_response()
}
