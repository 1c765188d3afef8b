//! A local stand-in of the API, to rehearse an import and to test against.
//!
//! It is written from what is known of the API and shares no code with the
//! client, so that each checks the other. Like the real thing it knows no
//! idempotency: two identical posts make two cases. It listens on loopback
//! only and forgets everything when it ends.
//!
//! - `contract`: what the API asks of a call and how it answers
//! - `faults`: what can be made to go wrong
//! - `limit`: the rate limit
//! - `log`: the cases made and the calls received
//! - `connection`: connections that can be cut
//! - `serve`: the routes that join them

mod call_log;
mod connection;
mod contract;
mod faults;
mod rate_limit;
mod serve;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use faults::{Fault, Faults};
pub use rate_limit::RateLimit;

/// How long a shutdown waits for calls that are being answered.
const GRACE: Duration = Duration::from_secs(1);

/// How the stand-in behaves. It has no `Debug`, since it holds a key.
#[derive(Clone, Default)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// How long every answer to a call waits; calls overlap meanwhile.
    pub latency: Duration,
    /// More calls than this are answered 429 with `Retry-After`.
    pub rate_limit: Option<RateLimit>,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Makes faults and case ids repeatable; without it they are random.
    pub seed: Option<u64>,
    /// The only organization there is; without it any will do.
    pub org_id: Option<String>,
    /// The only mapping there is; without it any will do.
    pub map_id: Option<String>,
    /// The key that a call must carry; without it none is asked for.
    pub public_key: Option<String>,
}

/// What can keep the stand-in from starting.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The port can't be listened on.
    #[error("can't listen on 127.0.0.1:{port}: {source}; port 0 picks a free one")]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// A rate limit that can't be read.
    #[error("`{0}` is no rate limit; write calls per second, like 10/s")]
    RateLimit(String),
    /// A part of the list of faults that is not `kind=probability`.
    #[error("`{0}` is no fault; write kind=probability, like 429=0.1,drop=0.05")]
    Fault(String),
    /// A kind of fault that there isn't.
    #[error("there is no fault `{kind}`; the kinds are {kinds}", kinds = Faults::kind_names())]
    FaultKind {
        /// What was written.
        kind: String,
    },
    /// A probability outside of 0 to 1.
    #[error("fault `{kind}`: the probability `{value}` is not between 0 and 1")]
    Probability {
        /// The fault.
        kind: String,
        /// What was written.
        value: String,
    },
    /// Probabilities that make more than one together.
    #[error("the faults' probabilities add up to {0:.3}; together they may reach 1 at most")]
    TooManyFaults(f64),
}

/// A stand-in that is listening, until this is dropped.
#[derive(Debug)]
pub struct RunningSandbox {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl RunningSandbox {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address to give to an import.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Waits until it ends, which it does not by itself.
    pub async fn join(&mut self) {
        // An error means that its task is gone: it has ended.
        let _ = (&mut self.server).await;
    }

    /// Ends it: waiting answers go out at once, idle connections are closed,
    /// and what is not done after a second is left behind.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(GRACE, self.join()).await.is_err() {
            self.server.abort();
        }
    }
}

/// Starts the stand-in on the current runtime, a single-threaded one too.
pub async fn start(options: SandboxOptions) -> Result<RunningSandbox, SandboxError> {
    let port = options.port;
    let bind = |source| SandboxError::Bind { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve::serve(listener, options, stopped));
    Ok(RunningSandbox { addr, stop, server })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
