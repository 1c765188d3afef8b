//! What the server does: a list of steps, on the wire in their order.

use std::time::Duration;

/// Stands in every status line; it means nothing to anybody.
const REASON: &str = "As Told";

/// One thing that the server does with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Made(String),
    Write(Vec<u8>),
    Wait(Duration),
    AwaitByte,
    IdleTimeout(Duration),
    Silence,
    Finish,
    Close,
    Reset,
}

/// Steps in their order. Where none of them ends the connection, the next
/// request is read from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaction {
    pub(super) steps: Vec<Step>,
}

/// Starts a reaction; as it is, nothing is done and the next request is read.
pub fn react() -> Reaction {
    Reaction::default()
}

impl Reaction {
    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Makes a case of the request, before what follows.
    pub fn made(self, id: &str) -> Self {
        self.step(Step::Made(id.to_owned()))
    }

    /// Answers.
    pub fn answer(self, response: &Response) -> Self {
        self.write(response.to_bytes())
    }

    /// Writes an interim answer: 100, 102 or 103.
    pub fn interim(self, status: u16) -> Self {
        let link = if status == 103 {
            "Link: </a>; rel=preload\r\n"
        } else {
            ""
        };
        self.write(format!("HTTP/1.1 {status} {REASON}\r\n{link}\r\n"))
    }

    /// Writes an answer's head and half of its body, whose length it told.
    pub fn half(self, response: &Response) -> Self {
        assert!(!response.body.is_empty(), "there is no body to halve");
        let bytes = response.to_bytes();
        let end = bytes.len() - response.body.len().div_ceil(2);
        self.write(&bytes[..end])
    }

    /// Writes half a status line.
    pub fn half_status_line(self) -> Self {
        self.write("HTTP/1.1 2")
    }

    /// Writes these bytes as they are.
    pub fn write(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Write(bytes.as_ref().to_vec()))
    }

    /// Does nothing for a while, not even read.
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Waits for the first byte of what the client sends next.
    pub fn await_byte(self) -> Self {
        self.step(Step::AwaitByte)
    }

    /// From now on the connection is closed when it rests for so long.
    pub fn idle_timeout(self, time: Duration) -> Self {
        self.step(Step::IdleTimeout(time))
    }

    /// Reads on, notes whole requests, and answers nothing until the client
    /// goes or the server ends.
    pub fn silence(self) -> Self {
        self.step(Step::Silence)
    }

    /// Says that nothing more will be written, then reads on until the client
    /// goes: what was written arrives for sure.
    pub fn finish(self) -> Self {
        self.step(Step::Finish)
    }

    /// Closes at once. What the client has sent and nobody has read turns it
    /// into a reset, as everywhere.
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Resets the connection.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }
}

/// An answer, with `Content-Length` unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header lines, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An empty answer.
pub fn status(status: u16) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// Makes a case and answers it as the API does.
pub fn created(id: &str) -> Reaction {
    let id_as_json = serde_json::Value::from(id);
    let response = status(201).json(format!("{{\"_id\":{id_as_json}}}"));
    react().made(id).answer(&response)
}

/// For a client that wants to speak TLS: waits for its first byte, then writes
/// what is no TLS.
pub fn tls_garbage() -> Reaction {
    react()
        .await_byte()
        .write("220 mail.example.com ESMTP\r\n")
        .finish()
}

impl Response {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a body of JSON.
    pub fn json(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("Content-Type", "application/json")
    }

    /// Sets a body of HTML.
    pub fn html(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("Content-Type", "text/html")
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut lines = vec![format!("HTTP/1.1 {} {REASON}", self.status)];
        let mut framed = false;
        for (name, value) in &self.headers {
            framed |= name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding");
            lines.push(format!("{name}: {value}"));
        }
        if !framed {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        let head = lines.join("\r\n") + "\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

impl From<Response> for Reaction {
    fn from(response: Response) -> Self {
        react().answer(&response)
    }
}
