//! An HTTP/1.1 server on bare sockets and threads, for tests: it does exactly
//! what a test tells it to, on the wire, and keeps its own list of the whole
//! requests that it has read and of the cases that it has made.
//!
//! It knows nothing of the client under test and uses no HTTP library, so
//! that nothing tidies up behind the test's back.
//!
//! ```ignore
//! let server = Server::start(|request| match request.index {
//!     0 => react().made("c1").close(),      // makes the case, never says so
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

/// A case that the server has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id, whether or not the client was told.
    pub id: String,
    /// The request that it was made of.
    pub request: usize,
}

type OnAccept = Box<dyn FnMut(usize) -> Reaction + Send>;
type OnRequest = Box<dyn FnMut(&Request) -> Reaction + Send>;

/// What the threads share.
struct Shared {
    /// Held while a reaction is chosen too, so that the order of the list is
    /// the order of the choices. A test's failed assertion in there poisons
    /// it, and fails the test when it asks for the list.
    script: Mutex<Script>,
    connections: AtomicUsize,
    /// Open connections, to wake their threads at the end.
    open: Mutex<HashMap<usize, TcpStream>>,
    /// One of them was closed.
    closed: Condvar,
    stopped: Mutex<bool>,
    stop: Condvar,
}

struct Script {
    on_accept: OnAccept,
    on_request: OnRequest,
    requests: Vec<Request>,
    partials: Vec<Partial>,
    made: Vec<Made>,
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
    /// Serves every connection; `on_request` says what each request meets.
    pub fn start<R: Into<Reaction>>(
        on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Self {
        Self::with_accept(|_| react(), on_request)
    }

    /// The same with a say at each connection, by its number from 0, before
    /// anything is read from it: `react()` serves it, `react().close()` closes
    /// it at once, `react().idle_timeout(t)` closes it when it rests.
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
                made: Vec::new(),
            }),
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

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address for a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its address for a client that is to speak TLS, which it does not.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// The whole requests read so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.script.lock().unwrap().requests.clone()
    }

    /// What was read of requests that never became whole; a connection's part
    /// stands here once the connection is over.
    pub fn partials(&self) -> Vec<Partial> {
        self.shared.script.lock().unwrap().partials.clone()
    }

    /// The cases made so far, in order.
    pub fn made(&self) -> Vec<Made> {
        self.shared.script.lock().unwrap().made.clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until none of them is served any more.
    pub fn wait_until_all_are_closed(&self) {
        let open = self.shared.open.lock().unwrap();
        let closed = &self.shared.closed;
        drop(closed.wait_while(open, |open| !open.is_empty()).unwrap());
    }

    /// Ends it. The lists can't be asked for afterwards.
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

/// A port on which every connection is refused, as long as this lives: it is
/// bound, so nobody else can have it, and nobody listens.
pub struct Refusing {
    socket: OwnedFd,
    addr: SocketAddr,
}

impl Refusing {
    /// Takes a free port.
    pub fn new() -> Self {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let addr = getsockname(&socket).unwrap().try_into().unwrap();
        Self { socket, addr }
    }

    /// From now on somebody listens there.
    pub fn serve<R: Into<Reaction>>(
        self,
        on_request: impl FnMut(&Request) -> R + Send + 'static,
    ) -> Server {
        rustix::net::listen(&self.socket, 128).unwrap();
        Server::on(TcpListener::from(self.socket), |_| react(), on_request)
    }

    /// Its address for a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where nobody listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
