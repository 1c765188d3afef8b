//! The API as most tests want it: what its servers answer, and what they
//! received.

use std::sync::mpsc::{Receiver, channel};

use crate::server::{Reaction, Request, Server, created, react, status};

/// Creates a case under an id of its own.
pub fn create(request: &Request) -> Reaction {
    created(&format!("x{}", request.index))
}

/// A server that creates every case.
pub fn creating_server() -> Server {
    Server::start(create)
}

/// A server that answers by the start of the key: 502 to `doubt-…`, 422 to
/// `bad-…`, and it creates a case `id-KEY` of any other.
pub fn mixed_server() -> Server {
    Server::start(|request| match key(request) {
        key if key.starts_with("doubt") => status(502).html("gone \u{1b}[31mwrong").into(),
        key if key.starts_with("bad") => {
            let message = r#"{"message":"unknown CaseType of Okafor"}"#;
            status(422).json(message).into()
        }
        key => created(&format!("id-{key}")),
    })
}

/// A server that never answers, and one message for each request it receives.
pub fn silent_server() -> (Server, Receiver<()>) {
    let (arrived, arrivals) = channel();
    let server = Server::start(move |_| {
        arrived.send(()).unwrap();
        react().silence()
    });
    (server, arrivals)
}

/// The key in a request's body.
fn key(request: &Request) -> String {
    request.json()["id"].as_str().unwrap().to_owned()
}

/// The keys that a server received, in the order of arrival. Requests that are
/// in flight together arrive in any order: only for runs that send one at a
/// time.
pub fn keys_in_order(server: &Server) -> Vec<String> {
    server.requests().iter().map(key).collect()
}

/// The keys that a server received, sorted.
pub fn keys(server: &Server) -> Vec<String> {
    let mut keys = keys_in_order(server);
    keys.sort();
    keys
}
