//! The server of the proof: it faults as it is told, and keeps the book that
//! the checker reads.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::checker::{Book, Proof, Sent};
use super::faults::Fault;
use super::server::{Reaction, Request, Server, react, status, tls_garbage};

/// How connections are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// They are served.
    Open,
    /// Some of them are, as the seed has it.
    Random(u64),
    /// For a client that speaks TLS: what comes back is none.
    TlsGarbage,
    /// For a client that speaks TLS: nothing comes back.
    TlsHang,
}

/// A server and its book.
pub(crate) struct World {
    server: Server,
    notes: Arc<Mutex<Notes>>,
}

struct Notes {
    door: Door,
    run: usize,
    /// The run that each connection belongs to.
    runs: HashMap<usize, usize>,
    /// Whole requests so far, by key.
    so_far: HashMap<String, usize>,
    /// What each request met, by its place in the server's list.
    met: HashMap<usize, Met>,
    /// Whom to tell after how many requests more.
    watch: Option<(usize, Sender<()>)>,
    /// How often each kind of fault was met.
    kinds: BTreeMap<String, usize>,
}

#[derive(Clone)]
struct Met {
    proof: Proof,
    told: Option<String>,
    text: String,
}

/// The request by which the end of all others is known.
const BARRIER: &str = "/barrier";

impl World {
    /// `fault` says what the nth whole request (from 0) of a key meets.
    pub(crate) fn start(mut fault: impl FnMut(&str, usize) -> Fault + Send + 'static) -> Self {
        let notes = Arc::new(Mutex::new(Notes {
            door: Door::Open,
            run: 0,
            runs: HashMap::new(),
            so_far: HashMap::new(),
            met: HashMap::new(),
            watch: None,
            kinds: BTreeMap::new(),
        }));
        let (at_accept, at_request) = (Arc::clone(&notes), Arc::clone(&notes));
        let server = Server::with_accept(
            move |number| at_accept.lock().unwrap().accept(number),
            move |request| at_request.lock().unwrap().react(request, &mut fault),
        );
        Self { server, notes }
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
    pub(crate) fn begin(&self, run: usize, door: Door) {
        let mut notes = self.notes.lock().unwrap();
        notes.run = run;
        notes.door = door;
    }

    /// Tells when so many requests more were read.
    pub(crate) fn after_requests(&self, number: usize) -> Receiver<()> {
        let (sender, receiver) = channel();
        self.notes.lock().unwrap().watch = Some((number, sender));
        receiver
    }

    /// The book, once all that the client has left in the sockets was read.
    /// To be asked for when the client is gone.
    pub(crate) fn book(&self) -> Book {
        self.settle_down();
        let notes = self.notes.lock().unwrap();
        let requests = self.server.requests();
        let mut sent: Vec<_> = requests
            .iter()
            .filter(|request| request.path != BARRIER)
            .map(|request| (request.first_byte, notes.sent(request)))
            .collect();
        for partial in self.server.partials() {
            if let Some(key) = whole(&partial.bytes) {
                let run = notes.runs[&partial.connection];
                sent.push((partial.first_byte, unanswered(key, run)));
            }
        }
        sent.sort_by_key(|(first_byte, _)| *first_byte);
        let made = self.server.created().into_iter();
        Book {
            sent: sent.into_iter().map(|(_, sent)| sent).collect(),
            made: made.map(|made| key(&requests[made.request])).collect(),
        }
    }

    /// How often each kind of fault was met.
    pub(crate) fn kinds(&self) -> BTreeMap<String, usize> {
        self.notes.lock().unwrap().kinds.clone()
    }

    /// Waits until every connection of a client that is gone was read to its
    /// end: those that are still to be accepted come before our own.
    fn settle_down(&self) {
        let door = std::mem::replace(&mut self.notes.lock().unwrap().door, Door::Open);
        let mut barrier = TcpStream::connect(self.server.addr()).unwrap();
        let request = format!("GET {BARRIER} HTTP/1.1\r\nConnection: close\r\n\r\n");
        barrier.write_all(request.as_bytes()).unwrap();
        barrier.read_to_end(&mut Vec::new()).unwrap();
        self.server.wait_until_all_are_closed();
        self.notes.lock().unwrap().door = door;
    }
}

impl Notes {
    fn accept(&mut self, number: usize) -> Reaction {
        self.runs.insert(number, self.run);
        match self.door {
            Door::Open => react(),
            Door::TlsGarbage => tls_garbage(),
            Door::TlsHang => react().silence(),
            Door::Random(seed) => {
                let mut rng = seeded(seed, &format!("connection {number}"));
                match rng.u32(0..100) {
                    0 => self.count("closed at accept", react().close()),
                    1 => self.count("reset at accept", react().reset()),
                    2..=7 => {
                        let rest = Duration::from_millis(rng.u64(1..8));
                        self.count("closes when idle", react().idle_timeout(rest))
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
        let nth = self.so_far.entry(key.clone()).or_default();
        let fault = fault(&key, *nth);
        let id = format!("{key}-{nth}");
        *nth += 1;
        *self.kinds.entry(fault.kind()).or_default() += 1;
        self.met.insert(
            request.index,
            Met {
                proof: fault.proof(),
                told: fault.told(&id).map(str::to_owned),
                text: fault.to_string(),
            },
        );
        self.tick();
        fault.reaction(&id)
    }

    fn tick(&mut self) {
        if let Some((left, teller)) = &mut self.watch {
            *left = left.saturating_sub(1);
            if *left == 0 {
                // Who asked may have gone.
                let _ = teller.send(());
                self.watch = None;
            }
        }
    }

    fn sent(&self, request: &Request) -> Sent {
        let run = self.runs[&request.connection];
        match self.met.get(&request.index).cloned() {
            Some(met) => Sent {
                key: key(request),
                run,
                proof: met.proof,
                told: met.told,
                met: met.text,
            },
            // Read on a connection on which nothing is answered any more.
            None => unanswered(key(request), run),
        }
    }
}

fn unanswered(key: String, run: usize) -> Sent {
    Sent {
        key,
        run,
        proof: Proof::None,
        told: None,
        met: "read, and not answered".to_owned(),
    }
}

/// A case is known by its key's column in the body.
fn key(request: &Request) -> String {
    request.json()["id"].as_str().unwrap().to_owned()
}

/// The key in bytes that were read and never taken for a request, if a whole
/// one is among them.
fn whole(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body["id"].as_str()?.to_owned())
}

/// Random numbers that depend on nothing but the seed and what they are for,
/// whatever order things happen in.
pub(crate) fn seeded(seed: u64, what: &str) -> fastrand::Rng {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (seed, what).hash(&mut hasher);
    fastrand::Rng::with_seed(hasher.finish())
}
