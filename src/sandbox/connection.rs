//! Connections that can be cut instead of answered.
//!
//! A handler has no say over its connection; it always gives an answer. So it
//! sets the connection's connection_fault first, and the answer then fails to be written
//! in the way that the connection_fault says.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How a connection ends instead of carrying an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Closed before the first byte of the answer.
    Close,
    /// Reset before the first byte of the answer.
    Reset,
    /// Closed after half of the answer.
    Half,
}

/// What a handler sets to have its connection cut.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionFault(Arc<Mutex<Option<Cut>>>);

impl ConnectionFault {
    pub(super) fn set(&self, cut: Option<Cut>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cut;
    }

    fn get(&self) -> Option<Cut> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected<IncomingStream<'_, FaultyListener>> for ConnectionFault {
    fn connect_info(stream: IncomingStream<'_, FaultyListener>) -> Self {
        stream.io().connection_fault.clone()
    }
}

/// Takes connections in.
#[derive(Debug)]
pub(super) struct FaultyListener(pub(super) TcpListener);

impl Listener for FaultyListener {
    type Io = FaultyConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FaultyConnection, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Only a matter of speed, so a failure is no matter.
        let _ = stream.set_nodelay(true);
        let connection_fault = ConnectionFault::default();
        (
            FaultyConnection {
                stream,
                connection_fault,
            },
            addr,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection with its connection_fault.
#[derive(Debug)]
pub(super) struct FaultyConnection {
    stream: TcpStream,
    connection_fault: ConnectionFault,
}

impl AsyncRead for FaultyConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// Vectored writes are left at their default, none: the server then hands over
/// head and body in one piece, and half of that is half of the answer.
impl AsyncWrite for FaultyConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.connection_fault.get() {
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
            Some(Cut::Half) => {
                let half = &buf[..buf.len().div_ceil(2)];
                let written = Pin::new(&mut self.stream).poll_write(cx, half);
                if written.is_ready() {
                    self.connection_fault.set(Some(Cut::Close));
                }
                written
            }
            Some(Cut::Close) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Some(Cut::Reset) => {
                self.stream.set_zero_linger()?;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.connection_fault.get() {
            None => Pin::new(&mut self.stream).poll_shutdown(cx),
            // Dropping a cut connection ends it; an orderly end would come
            // before the reset.
            Some(_) => Poll::Ready(Ok(())),
        }
    }
}
