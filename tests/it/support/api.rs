//! The API as most tests want it: servers that create every case, and what
//! they received.

use crate::server::{Reaction, Request, Server, created};

/// Creates a case under an id of its own.
pub fn create(request: &Request) -> Reaction {
    created(&format!("x{}", request.index))
}

/// A server that creates every case.
pub fn creating_server() -> Server {
    Server::start(create)
}

/// The key in a request's body.
pub fn key(request: &Request) -> String {
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
