//! The gate: proof that nothing of a request was written.
//!
//! Error kinds prove nothing: a total timeout before the first byte looks like
//! a slow server. So the body of every request is wrapped, and its first poll
//! moves the gate from armed to open. Over HTTP/1 hyper polls the body before
//! it flushes the head, so shutting an armed gate proves that not one byte
//! was written and none will be.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::model::{BootTime, abort_point};

/// Whether the first byte of a request may have been written. Armed until it is
/// moved for the first time, which counts for good.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    moved: OnceLock<Moved>,
    /// It does not open later than this.
    opens_until: Option<BootTime>,
}

#[derive(Debug, PartialEq, Eq)]
enum Moved {
    Open,
    Shut,
}

impl Gate {
    /// True when the gate was not open: nothing was written, and nothing will
    /// be.
    pub(crate) fn shut(&self) -> bool {
        *self.moved.get_or_init(|| Moved::Shut) == Moved::Shut
    }

    pub(super) fn until(opens_until: Option<BootTime>) -> Self {
        Self {
            opens_until,
            ..Self::default()
        }
    }

    fn open(&self) -> bool {
        let is_late = self
            .opens_until
            .is_some_and(|until| BootTime::now() > until);
        if is_late {
            return !self.shut();
        }
        let is_open = *self.moved.get_or_init(|| Moved::Open) == Moved::Open;
        if is_open {
            abort_point("gate-open");
        }
        is_open
    }
}

/// A request body behind its gate: one frame of known length. It can't be
/// cloned, so no layer below can send it a second time.
pub(super) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Arc<Gate>,
}

impl GatedBody {
    /// The body must not be empty: an empty one is never polled.
    pub(super) fn new(bytes: Bytes, gate: Arc<Gate>) -> Self {
        debug_assert!(!bytes.is_empty(), "an empty body never opens its gate");
        Self {
            bytes: Some(bytes),
            gate,
        }
    }
}

/// The gate was shut before the body was polled.
#[derive(Debug, thiserror::Error)]
#[error("the request was canceled before anything was written")]
pub(super) struct Shut;

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
    fn a_shut_gate_lets_nothing_through() {
        let gate = Arc::new(Gate::default());
        let mut body = GatedBody::new(Bytes::from_static(b"{}"), Arc::clone(&gate));
        assert!(gate.shut());
        assert!(gate.shut(), "shutting twice gives the same result");
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(Shut)))));
    }

    #[test]
    fn an_open_gate_cannot_be_shut() {
        let gate = Arc::new(Gate::default());
        let mut body = GatedBody::new(Bytes::from_static(b"{}"), Arc::clone(&gate));
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(!gate.shut());
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
    }

    #[test]
    fn a_gate_does_not_open_too_late() {
        let gate = Arc::new(Gate::until(Some(BootTime::now())));
        while BootTime::now() <= gate.opens_until.unwrap() {}
        let mut body = GatedBody::new(Bytes::from_static(b"{}"), Arc::clone(&gate));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(Shut)))));
        assert!(gate.shut());
    }
}
