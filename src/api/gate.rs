//! The gate: proof that nothing of a request was written.
//!
//! Error kinds prove nothing: a total time-out before the first byte looks the
//! same as a slow server. So the body of every request is wrapped, and its
//! first poll moves the gate from armed to open. Over HTTP/1 hyper polls the
//! body before it flushes the head, so whoever shuts an armed gate knows that
//! not one byte went out and none will.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::model::abort_point;

const ARMED: u8 = 0;
const OPEN: u8 = 1;
const SHUT: u8 = 2;

/// Says whether the first byte of one request may have left.
#[derive(Debug, Default)]
pub struct Gate {
    state: AtomicU8,
    opened: OnceLock<Instant>,
}

impl Gate {
    /// Shuts the gate. True when it was not open: nothing was written, and
    /// nothing will be.
    pub fn shut(&self) -> bool {
        match self
            .state
            .compare_exchange(ARMED, SHUT, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            Err(state) => state == SHUT,
        }
    }

    /// When the request began to be written, if it did.
    pub fn opened_at(&self) -> Option<Instant> {
        self.opened.get().copied()
    }

    fn open(&self) -> bool {
        let won = self
            .state
            .compare_exchange(ARMED, OPEN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if won {
            let _ = self.opened.set(Instant::now());
            abort_point("gate-open");
        }
        won
    }
}

/// A request's body behind its gate: one frame of known, non-zero length. It
/// can't be cloned, so no layer below can send it a second time.
pub(super) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Arc<Gate>,
}

impl GatedBody {
    /// Wraps a body, which must not be empty: an empty one is never polled.
    pub(super) fn new(bytes: Bytes, gate: Arc<Gate>) -> Self {
        debug_assert!(!bytes.is_empty(), "an empty body would never open its gate");
        Self {
            bytes: Some(bytes),
            gate,
        }
    }
}

/// The gate was shut before the body was read.
#[derive(Debug, thiserror::Error)]
#[error("the call was given up before anything was written")]
pub(super) struct Shut;

impl From<Infallible> for Shut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Shut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Shut>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(if self.gate.open() {
            Ok(Frame::data(bytes))
        } else {
            Err(Shut)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn poll(body: &mut GatedBody) -> Poll<Option<Result<Frame<Bytes>, Shut>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_shut_gate_lets_nothing_out() {
        let gate = Arc::new(Gate::default());
        let mut body = GatedBody::new(Bytes::from_static(b"{}"), Arc::clone(&gate));
        assert!(gate.shut());
        assert!(gate.shut(), "shutting twice says the same");
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(Shut)))));
        assert_eq!(gate.opened_at(), None);
    }

    #[test]
    fn an_open_gate_can_no_longer_be_shut() {
        let gate = Arc::new(Gate::default());
        let mut body = GatedBody::new(Bytes::from_static(b"{}"), Arc::clone(&gate));
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(!gate.shut());
        assert!(gate.opened_at().is_some());
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
    }
}
