//! A server that answers with faults and keeps the log that the checker reads.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::checker::{Proof, Sent, ServerLog};
use super::faults::Fault;
use super::server::{Reaction, Request, Server, react, status, tls_garbage};

/// What happens to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnAccept {
    Serve,
    /// The seed decides which are served.
    Random(u64),
    /// For a client that speaks TLS: the answer is something else.
    TlsGarbage,
    /// For a client that speaks TLS: there is no answer.
    TlsHang,
}

pub(crate) struct FaultyServer {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    on_accept: OnAccept,
    run: usize,
    /// The run that each connection belongs to.
    runs: HashMap<usize, usize>,
    /// Complete requests so far, by key.
    requests: HashMap<String, usize>,
    /// The reply to each request, by its index.
    replies: HashMap<usize, Reply>,
    /// Whom to notify after how many more requests.
    watch: Option<(usize, Sender<()>)>,
    /// How often each kind of fault happened.
    kinds: BTreeMap<String, usize>,
}

#[derive(Clone)]
struct Reply {
    proof: Proof,
    case_id: Option<String>,
    text: String,
}

/// A request to this path shows that all earlier ones were read.
const BARRIER: &str = "/barrier";

impl FaultyServer {
    /// `fault` chooses the fault of the nth complete request (from 0) of a key.
    pub(crate) fn start(mut fault: impl FnMut(&str, usize) -> Fault + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(State {
            on_accept: OnAccept::Serve,
            run: 0,
            runs: HashMap::new(),
            requests: HashMap::new(),
            replies: HashMap::new(),
            watch: None,
            kinds: BTreeMap::new(),
        }));
        let (at_accept, at_request) = (Arc::clone(&state), Arc::clone(&state));
        let server = Server::with_accept(
            move |number| at_accept.lock().unwrap().accept(number),
            move |request| at_request.lock().unwrap().react(request, &mut fault),
        );
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn https_url(&self) -> String {
        self.server.https_url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.addr().port()
    }

    /// From now on requests belong to this start of the binary.
    pub(crate) fn begin(&self, run: usize, on_accept: OnAccept) {
        let mut state = self.state.lock().unwrap();
        state.run = run;
        state.on_accept = on_accept;
    }

    /// A message after this many more requests.
    pub(crate) fn after_requests(&self, number: usize) -> Receiver<()> {
        let (sender, receiver) = channel();
        self.state.lock().unwrap().watch = Some((number, sender));
        receiver
    }

    /// The log, after everything that the client left in the sockets was read.
    /// Only for a client that has ended.
    pub(crate) fn log(&self) -> ServerLog {
        self.wait_until_all_is_read();
        let state = self.state.lock().unwrap();
        let requests = self.server.requests();
        let mut sent: Vec<_> = requests
            .iter()
            .filter(|request| request.path != BARRIER)
            .map(|request| (request.first_byte, state.sent(request)))
            .collect();
        for partial in self.server.partials() {
            if let Some(key) = complete(&partial.bytes) {
                let run = state.runs[&partial.connection];
                sent.push((partial.first_byte, unanswered(key, run)));
            }
        }
        sent.sort_by_key(|(first_byte, _)| *first_byte);
        let created = self.server.created().into_iter();
        ServerLog {
            sent: sent.into_iter().map(|(_, sent)| sent).collect(),
            created: created.map(|case| key(&requests[case.request])).collect(),
        }
    }

    /// How often each kind of fault happened.
    pub(crate) fn kinds(&self) -> BTreeMap<String, usize> {
        self.state.lock().unwrap().kinds.clone()
    }

    /// Waits until every connection of an ended client was read to its end:
    /// connections are accepted in order, and ours is the last.
    fn wait_until_all_is_read(&self) {
        let on_accept =
            std::mem::replace(&mut self.state.lock().unwrap().on_accept, OnAccept::Serve);
        let mut barrier = TcpStream::connect(self.server.addr()).unwrap();
        let request = format!("GET {BARRIER} HTTP/1.1\r\nConnection: close\r\n\r\n");
        barrier.write_all(request.as_bytes()).unwrap();
        barrier.read_to_end(&mut Vec::new()).unwrap();
        self.server.wait_until_all_are_closed();
        self.state.lock().unwrap().on_accept = on_accept;
    }
}

impl State {
    fn accept(&mut self, number: usize) -> Reaction {
        self.runs.insert(number, self.run);
        match self.on_accept {
            OnAccept::Serve => react(),
            OnAccept::TlsGarbage => tls_garbage(),
            OnAccept::TlsHang => react().silence(),
            OnAccept::Random(seed) => {
                let mut rng = seeded(seed, &format!("connection {number}"));
                match rng.u32(0..100) {
                    0 => self.count("closed at accept", react().close()),
                    1 => self.count("reset at accept", react().reset()),
                    2..=7 => {
                        let idle = Duration::from_millis(rng.u64(1..8));
                        self.count("closed when idle", react().idle_timeout(idle))
                    }
                    _ => react(),
                }
            }
        }
    }

    fn count(&mut self, kind: &str, reaction: Reaction) -> Reaction {
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        reaction
    }

    fn react(
        &mut self,
        request: &Request,
        fault: &mut impl FnMut(&str, usize) -> Fault,
    ) -> Reaction {
        if request.path == BARRIER {
            return status(204).into();
        }
        let key = key(request);
        let nth = self.requests.entry(key.clone()).or_default();
        let fault = fault(&key, *nth);
        let id = format!("{key}-{nth}");
        *nth += 1;
        let reply = Reply {
            proof: fault.proof(),
            case_id: fault.case_id(&id).map(str::to_owned),
            text: format!("{fault:?}"),
        };
        self.replies.insert(request.index, reply);
        self.notify();
        self.count(&fault.kind(), fault.reaction(&id))
    }

    fn notify(&mut self) {
        if let Some((left, sender)) = &mut self.watch {
            *left = left.saturating_sub(1);
            if *left == 0 {
                // The receiver may be gone.
                let _ = sender.send(());
                self.watch = None;
            }
        }
    }

    fn sent(&self, request: &Request) -> Sent {
        let run = self.runs[&request.connection];
        match self.replies.get(&request.index).cloned() {
            Some(reply) => Sent {
                key: key(request),
                run,
                proof: reply.proof,
                case_id: reply.case_id,
                reply: reply.text,
            },
            // Read on a connection that answers nothing any more.
            None => unanswered(key(request), run),
        }
    }
}

fn unanswered(key: String, run: usize) -> Sent {
    Sent {
        key,
        run,
        proof: Proof::None,
        case_id: None,
        reply: "read and not answered".to_owned(),
    }
}

fn key(request: &Request) -> String {
    record(&request.json()).unwrap()
}

/// The record that a payload was made of, whatever its key is.
fn record(payload: &Value) -> Option<String> {
    let name = payload["LastName"].as_str()?;
    Some(name.strip_prefix("Lovelace-")?.to_owned())
}

/// The key in bytes that were never parsed, if they hold a complete request.
fn complete(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    record(&serde_json::from_str(body).ok()?)
}

/// Random numbers that depend only on the seed and their purpose, not on the
/// order of events.
pub(crate) fn seeded(seed: u64, purpose: &str) -> fastrand::Rng {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (seed, purpose).hash(&mut hasher);
    fastrand::Rng::with_seed(hasher.finish())
}
