//! A sender of webhook deliveries on raw sockets, and the receiver as a process.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::{Connection, OpenFlags};
use sha2::Sha256;

use super::Home;
use super::program::Running;

/// What [`Home::webhook_secrets`] signs each event with.
pub const SECRET: &str = "whsec_5e1f3b0d9a";

/// A receiver that listens.
pub struct Listener {
    pub program: Running,
    pub port: u16,
}

/// The signature of a body, as hex.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let bytes = mac.chain_update(body).finalize().into_bytes();
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

impl Home {
    /// `listen` on a free port, with one secret for every event, into
    /// `ledger.db`.
    pub fn listen(&self, args: &[&str]) -> Listener {
        self.listen_on("ledger.db", args)
    }

    /// The same into another ledger.
    pub fn listen_on(&self, ledger: &str, args: &[&str]) -> Listener {
        let lines =
            ["updates", "stages", "settlements"].map(|event| format!("{event} = [\"{SECRET}\"]\n"));
        if !self.path("webhook-secrets.toml").exists() {
            self.write("webhook-secrets.toml", lines.concat());
        }
        let program = self.caseload(&["listen", "--address", "127.0.0.1:0"]);
        let mut program = program.args(&["--ledger", ledger]).args(args).start();
        let line = program.wait_for("/healthz");
        let port = line.split("127.0.0.1:").nth(1).unwrap();
        let port = port.split('/').next().unwrap().parse().unwrap();
        Listener { program, port }
    }

    /// The bodies of the events in `ledger.db`, in the order of arrival.
    pub fn events(&self) -> Vec<String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(self.path("ledger.db"), flags).unwrap();
        let mut statement = conn.prepare("SELECT body FROM events ORDER BY no").unwrap();
        let bodies = statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .unwrap();
        bodies
            .map(|body| String::from_utf8_lossy(&body.unwrap()).into_owned())
            .collect()
    }
}

impl Listener {
    /// Delivers a body to an event's path, signed. Returns the status.
    pub fn deliver(&self, event: &str, body: &str) -> u16 {
        let signature = signature(SECRET, body.as_bytes());
        self.post(
            &format!("/{event}"),
            &[("x-lexamica-signature", &signature)],
            body.as_bytes(),
        )
    }

    /// 0 when nobody listens or answers.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
        let lines = headers.iter();
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: hooks\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
            lines.concat(),
            body.len()
        );
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return 0;
        };
        // It may be refused before all of it is written.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.write_all(body);
        status(stream)
    }

    /// The status and the text of `/healthz`.
    pub fn health(&self) -> String {
        let mut stream = self.connect();
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        format!("{} {body}", head.split(' ').nth(1).unwrap())
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }
}

/// The status of the answer; 0 if the connection was closed without one.
pub fn status(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap_or("0");
    status.parse().unwrap()
}

/// Asserts that these are the same texts, each once, in any order.
#[track_caller]
pub fn assert_same(found: &[String], expected: &[String]) {
    let unique: BTreeSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), found.len(), "an event is stored twice");
    assert_eq!(unique, expected.iter().collect());
}
