//! The server that deliveries are posted to. A path for each event: what an
//! event is never depends on its body.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::intake::{Intake, IntakeError};
use super::{Secrets, signature};
use crate::ledger::{Delivery, Ledger};
use crate::model::EventKind;

/// A longer body is answered 413.
const MAX_BODY: usize = 1024 * 1024;
/// What the bodies under way may take together; more are answered 503.
const MAX_BODIES: usize = 48 * 1024 * 1024;
const MAX_CONNECTIONS: usize = 1024;
/// How long a shutdown waits for deliveries under way.
const GRACE: Duration = Duration::from_secs(10);
/// The pause when no more connections can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A longer text is no name of a delivery.
const MAX_DELIVERY_ID: usize = 200;

/// What is assumed of a delivery's head, and whose secrets count.
#[derive(Debug)]
pub(crate) struct ReceiverOptions {
    /// In front of the names of the events: empty, or from the first `/` on.
    pub(crate) prefix: String,
    pub(crate) secrets: Secrets,
    pub(crate) signature_header: HeaderName,
    pub(crate) delivery_id_header: HeaderName,
    /// For the head of a request, and then for its body.
    pub(crate) read_timeout: Duration,
}

/// What became of one delivery.
#[derive(Debug, strum::Display)]
pub(crate) enum Received {
    #[strum(to_string = "stored")]
    Stored,
    #[strum(to_string = "delivered again")]
    Known,
    #[strum(to_string = "refused: no valid signature")]
    Unsigned,
    /// It was too long or too slow, or there were too many at once.
    #[strum(to_string = "refused: {0}")]
    Refused(StatusCode),
    /// The sender will try again.
    #[strum(to_string = "not stored")]
    NotStored(IntakeError),
}

impl Received {
    fn status(&self) -> StatusCode {
        match self {
            Self::Stored | Self::Known => StatusCode::OK,
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::Refused(status) => *status,
            Self::NotStored(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

type Report = Box<dyn Fn(EventKind, &Received) + Send + Sync>;

struct Shared {
    options: ReceiverOptions,
    intake: Intake,
    /// Bytes of bodies.
    memory: Arc<Semaphore>,
    report: Report,
}

/// Listens until `stop`; what was accepted by then is stored. `report` hears of
/// every delivery.
pub(crate) async fn serve(
    options: ReceiverOptions,
    ledger: Ledger,
    report: Report,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (intake, writer) = Intake::start(ledger)?;
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new());
    server.header_read_timeout(options.read_timeout);
    let router = router(Shared {
        options,
        intake,
        memory: Arc::new(Semaphore::new(MAX_BODIES)),
        report,
    });
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = &mut stop => break,
        };
        let Some((connection, permit)) = accepted else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection(TokioIo::new(connection), service);
        let connection = graceful.watch(connection);
        tasks.spawn(async move {
            // Whatever went wrong, the sender was not answered 200.
            let _ = connection.await;
            drop(permit);
        });
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
    tasks.shutdown().await;
    drop(router);
    // It ends when nobody can deliver any more.
    let _ = tokio::task::spawn_blocking(|| writer.join()).await;
    Ok(())
}

/// A path for each event, and one that tells whether events can be stored.
fn router(shared: Shared) -> Router {
    let mut router = Router::new().route("/healthz", get(health));
    for kind in EventKind::ALL {
        let path = format!("{}/{kind}", shared.options.prefix);
        let receive = |state, request| receive(*kind, state, request);
        router = router.route(&path, post(receive));
    }
    router.with_state(Arc::new(shared))
}

/// The next connection; none when it failed.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    if let Ok((connection, _)) = listener.accept().await {
        return Some((connection, permit));
    }
    // Too many files are open, perhaps.
    sleep(ACCEPT_PAUSE).await;
    None
}

async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.intake.is_failing() {
        let reason = "the ledger can't be written now\n";
        return (StatusCode::SERVICE_UNAVAILABLE, reason);
    }
    (StatusCode::OK, "ok\n")
}

async fn receive(
    kind: EventKind,
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> StatusCode {
    let (head, body) = request.into_parts();
    let received = match timeout(shared.options.read_timeout, read(body, &shared.memory)).await {
        Ok(Ok((body, _memory))) => take(kind, &shared, &head.headers, body).await,
        Ok(Err(status)) => Received::Refused(status),
        Err(_) => Received::Refused(StatusCode::REQUEST_TIMEOUT),
    };
    (shared.report)(kind, &received);
    received.status()
}

async fn take(kind: EventKind, shared: &Shared, headers: &HeaderMap, body: Vec<u8>) -> Received {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let secrets = shared.options.secrets.of(kind);
    let signature = text(&shared.options.signature_header).unwrap_or_default();
    if !signature::is_valid(secrets, &body, signature) {
        return Received::Unsigned;
    }
    let id = text(&shared.options.delivery_id_header).map(str::trim);
    let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_DELIVERY_ID);
    let delivery = Delivery {
        kind,
        received_at: Timestamp::now(),
        id: id.map(str::to_owned),
        body: body.into(),
    };
    match shared.intake.store(delivery).await {
        Ok(true) => Received::Stored,
        Ok(false) => Received::Known,
        Err(error) => Received::NotStored(error),
    }
}

/// The complete body, and the memory that it takes.
async fn read(
    body: Body,
    memory: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut bytes = Vec::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        // The sender has gone.
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if bytes.len() + part.len() > MAX_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let more = Arc::clone(memory).try_acquire_many_owned(part.len() as u32);
        let more = more.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        bytes.extend_from_slice(&part);
    }
    Ok((bytes, taken))
}
