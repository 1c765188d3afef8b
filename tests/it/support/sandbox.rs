//! `caseload sandbox` as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running sandbox. It ends when it is dropped.
pub struct Sandbox {
    child: Child,
    port: u64,
}

impl Sandbox {
    /// Starts one on a free port.
    pub fn start(words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_caseload"))
            .args(["sandbox", "--port", "0"])
            .args(words)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        Self {
            child,
            port: listening["port"].as_u64().unwrap(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The cases that it created, in order of arrival.
    pub fn cases(&self) -> Vec<Value> {
        self.get("/__sandbox/cases")
    }

    /// The calls that it received.
    pub fn calls(&self) -> Vec<Value> {
        self.get("/__sandbox/calls")
    }

    fn get(&self, path: &str) -> Vec<Value> {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        serde_json::from_str(&self.call(&request)).unwrap()
    }

    /// Posts JSON as any client may. Returns the answer.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}");
        serde_json::from_str(&self.call(&format!("{head}\r\n\r\n{body}"))).unwrap()
    }

    /// The body of the answer, which must be a success.
    fn call(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port as u16)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 20"), "{head}");
        body.to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
