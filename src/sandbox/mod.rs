//! A local stand-in for the API, for test runs and tests.
//!
//! It is written from what is known of the API and shares no code with the
//! client, so that each checks the other. Like the real API it has no
//! idempotency: two identical posts create two cases. It listens on loopback
//! only and keeps everything in memory.

mod call_log;
mod contract;
mod deliveries;
mod faults;
mod platform;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use faults::{Faults, RateLimit};

/// How long a shutdown waits for responses.
const GRACE: Duration = Duration::from_secs(1);

/// It has no `Debug`, since it contains a key.
#[derive(Clone, Default)]
pub(crate) struct SandboxOptions {
    /// The port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// How long every response takes; calls may overlap.
    pub latency: Duration,
    /// Calls above it are answered 429 with `Retry-After`.
    pub rate_limit: Option<RateLimit>,
    pub faults: Faults,
    /// Makes faults and case ids repeatable.
    pub seed: Option<u64>,
    /// The only organization; without it any is accepted.
    pub org_id: Option<String>,
    /// The only mapping; without it any is accepted.
    pub map_id: Option<String>,
    /// The key that a call must have; without it none is needed.
    pub public_key: Option<String>,
    /// The key that calls to mappings and subscriptions must have.
    pub private_key: Option<String>,
    /// Plays each case's life: an update, a stage and a settlement for those who
    /// have subscribed.
    pub simulate_updates: bool,
    /// What it received can't be looked up.
    pub private: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("can't listen on 127.0.0.1:{port}: {source}; port 0 picks a free one")]
pub(crate) struct SandboxError {
    port: u16,
    source: io::Error,
}

/// A sandbox that is listening, until this is dropped.
#[derive(Debug)]
pub(crate) struct RunningSandbox {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl RunningSandbox {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Sends pending responses at once, closes idle connections, and gives up
    /// on the rest after a second.
    pub(crate) async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(GRACE, &mut self.server).await;
        if ended.is_err() {
            self.server.abort();
        }
    }
}

/// Starts a sandbox on the current runtime.
pub(crate) async fn start(options: SandboxOptions) -> Result<RunningSandbox, SandboxError> {
    let port = options.port;
    let bind = |source| SandboxError { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(server::serve(listener, options, stopped));
    Ok(RunningSandbox { addr, stop, server })
}

#[cfg(test)]
mod tests;
