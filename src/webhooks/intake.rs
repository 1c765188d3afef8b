//! The way of a delivery into the ledger: what waits is committed together, and
//! answered only then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ledger::{Delivery, Ledger, LedgerError};

/// The pause after a commit, so that an import on the same ledger keeps its
/// pace.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a ledger that failed is tried again.
const PROBE: Duration = Duration::from_secs(1);

/// The most deliveries in one commit.
const MAX_GROUP: usize = 256;

/// Why a delivery was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the thread that writes to the ledger has ended")]
    Ended,
}

type Waiting = (Delivery, oneshot::Sender<Result<bool, LedgerError>>);

/// Stores deliveries in a thread of its own.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    sender: mpsc::Sender<Waiting>,
    /// Whether the last commit failed.
    failing: Arc<AtomicBool>,
}

impl Intake {
    /// The thread ends when every copy of this is dropped.
    pub(super) fn start(ledger: Ledger) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (sender, inbox) = mpsc::channel();
        let thread = thread::Builder::new().name("events".to_owned());
        let failing = Arc::default();
        let intake = Self {
            sender,
            failing: Arc::clone(&failing),
        };
        let thread = thread.spawn(move || store(&ledger, &inbox, &failing))?;
        Ok((intake, thread))
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// When it returns, the delivery is on the disk; `false` when it was before.
    pub(super) async fn store(&self, delivery: Delivery) -> Result<bool, IntakeError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.sender.send((delivery, reply));
        sent.map_err(|_| IntakeError::Ended)?;
        Ok(answer.await.map_err(|_| IntakeError::Ended)??)
    }
}

fn store(ledger: &Ledger, inbox: &mpsc::Receiver<Waiting>, failing: &AtomicBool) {
    loop {
        let first = match inbox.recv_timeout(PROBE) {
            Ok(first) => Some(first),
            // Without a delivery too it shows when the ledger can be used again.
            Err(RecvTimeoutError::Timeout) if failing.load(Ordering::Relaxed) => None,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let others = inbox.try_iter().take(MAX_GROUP - 1);
        let (deliveries, replies): (Vec<_>, Vec<_>) = first.into_iter().chain(others).unzip();
        let stored = ledger.store_events(&deliveries);
        failing.store(stored.is_err(), Ordering::Relaxed);
        for (position, reply) in replies.into_iter().enumerate() {
            let is_new = stored.as_ref().map(|new| new[position]);
            // The sender may have gone: it will deliver again.
            let _ = reply.send(is_new.map_err(Clone::clone));
        }
        thread::sleep(PAUSE);
    }
}
