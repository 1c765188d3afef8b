//! A scripted HTTP/1.1 server on raw sockets and threads. It puts exactly what
//! a test asks for on the wire, and keeps its own list of the complete requests
//! that it read and of the cases that it created.
//!
//! It shares nothing with the client under test and uses no HTTP library,
//! which would correct what a test does wrong on purpose.
//!
//! ```ignore
//! let server = Server::start(|request| match request.index {
//!     0 => react().creates("c1").close(),   // creates the case, never says so
//!     1 => status(503).header("Retry-After", "1").into(),
//!     n => created(&format!("c{n}")),
//! });
//! ```

// Every test file uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

mod connection;
mod reaction;
mod request;

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use reaction::{Reaction, Response, created, react, status, tls_garbage};
pub use request::{Partial, Request};

/// A case that the server created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedCase {
    /// Its id, whether or not the client learned it.
    pub id: String,
    /// The index of the request that it was created from.
    pub request: usize,
}

type OnAccept = Box<dyn FnMut(usize) -> Reaction + Send>;
type OnRequest = Box<dyn FnMut(&Request) -> Reaction + Send>;

/// What the threads share.
struct Shared {
    /// Held while a reaction is chosen too, so that the order of the list is
    /// the order of the choices. A failed assertion in a script poisons it, and
    /// fails the test when it asks for the list.
    script: Mutex<Script>,
    /// A request was added.
    received: Condvar,
    connections: AtomicUsize,
    /// Open connections, to wake their threads at the end.
    open: Mutex<HashMap<usize, TcpStream>>,
    /// A connection was closed.
    closed: Condvar,
    stopped: Mutex<bool>,
    stop: Condvar,
}

struct Script {
    on_accept: OnAccept,
    on_request: OnRequest,
    requests: Vec<Request>,
    partials: Vec<Partial>,
    created: Vec<CreatedCase>,
}

impl Shared {
    /// Waits, but not past the end of the server.
    fn wait(&self, time: Duration) {
        let stopped = self.stopped.lock().unwrap();
        let waited = self
            .stop
            .wait_timeout_while(stopped, time, |stopped| !*stopped);
        drop(waited.unwrap());
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap()
    }
}

/// A running server. It ends, with all its connections, when it is dropped.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves every connection; `on_request` chooses the reaction to each
    /// request.
    pub fn start<R: Into<Reaction>>(
        on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Self {
        Self::with_accept(|_| react(), on_request)
    }

    /// The same with a reaction to each connection, by its number from 0,
    /// before anything is read from it: `react()` serves it, `react().close()`
    /// closes it at once, `react().idle_timeout(t)` closes it when it is idle.
    pub fn with_accept<A: Into<Reaction>, R: Into<Reaction>>(
        on_accept: impl FnMut(usize) -> A + Send + 'static,
        on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::on(listener, on_accept, on_request)
    }

    fn on<A: Into<Reaction>, R: Into<Reaction>>(
        listener: TcpListener,
        mut on_accept: impl FnMut(usize) -> A + Send + 'static,
        mut on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Script {
                on_accept: Box::new(move |number| on_accept(number).into()),
                on_request: Box::new(move |request| on_request(request).into()),
                requests: Vec::new(),
                partials: Vec::new(),
                created: Vec::new(),
            }),
            received: Condvar::new(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            closed: Condvar::new(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared))
        };
        Self {
            addr,
            shared,
            acceptor: Some(acceptor),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// For a client that will speak TLS, which this server does not.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// The complete requests read so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.script.lock().unwrap().requests.clone()
    }

    /// Waits until this many complete requests were read.
    pub fn wait_for_requests(&self, number: usize) {
        let script = self.shared.script.lock().unwrap();
        let too_few = |script: &mut Script| script.requests.len() < number;
        drop(self.shared.received.wait_while(script, too_few).unwrap());
    }

    /// What was read of incomplete requests; a connection's is added when the
    /// connection is closed.
    pub fn partials(&self) -> Vec<Partial> {
        self.shared.script.lock().unwrap().partials.clone()
    }

    /// The cases created so far, in order.
    pub fn created(&self) -> Vec<CreatedCase> {
        self.shared.script.lock().unwrap().created.clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until all accepted connections are closed.
    pub fn wait_until_all_are_closed(&self) {
        let open = self.shared.open.lock().unwrap();
        let closed = &self.shared.closed;
        drop(closed.wait_while(open, |open| !open.is_empty()).unwrap());
    }

    /// Ends it, and the lists with it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.stop.notify_all();
        // Wakes the acceptor, which ends the others.
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept() else {
            break;
        };
        if shared.is_stopped() {
            break;
        }
        shared.connections.store(number + 1, Ordering::SeqCst);
        let clone = stream.try_clone().unwrap();
        shared.open.lock().unwrap().insert(number, clone);
        let shared = Arc::clone(shared);
        threads.push(thread::spawn(move || {
            connection::serve(stream, number, &shared);
        }));
    }
    for stream in shared.open.lock().unwrap().values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// A port that refuses every connection as long as this exists: it is bound,
/// so that no other process can use it, and nothing listens on it.
pub struct Refusing {
    socket: OwnedFd,
    addr: SocketAddr,
}

impl Refusing {
    /// Takes a free port.
    pub fn new() -> Self {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

        // Or programs that other tests start would hold it too.
        let (family, flags) = (AddressFamily::INET, SocketFlags::CLOEXEC);
        let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let addr = getsockname(&socket).unwrap().try_into().unwrap();
        Self { socket, addr }
    }

    /// Starts to listen on it.
    pub fn serve<R: Into<Reaction>>(
        self,
        on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Server {
        rustix::net::listen(&self.socket, 128).unwrap();
        Server::on(TcpListener::from(self.socket), |_| react(), on_request)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
