//! What the server does: a list of steps, taken in order.

use std::time::Duration;

/// The reason phrase of every status line; it has no meaning.
const REASON: &str = "Scripted";

/// One thing that the server does with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Create(String),
    Write(Vec<u8>),
    Wait(Duration),
    AwaitByte,
    IdleTimeout(Duration),
    Silence,
    Finish,
    Close,
    Reset,
}

/// Steps in order. Unless one of them ends the connection, the next request is
/// read from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaction {
    pub(super) steps: Vec<Step>,
}

/// Starts a reaction. Without any steps the next request is read.
pub fn react() -> Reaction {
    Reaction::default()
}

impl Reaction {
    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Creates a case from the request, before the steps that follow.
    pub fn creates(self, id: &str) -> Self {
        self.step(Step::Create(id.to_owned()))
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

    /// Writes an answer's head, with the full length, and half of its body.
    pub fn half(self, response: &Response) -> Self {
        assert!(!response.body.is_empty(), "the answer has no body");
        let bytes = response.to_bytes();
        let end = bytes.len() - response.body.len().div_ceil(2);
        self.write(&bytes[..end])
    }

    /// Writes half a status line.
    pub fn half_status_line(self) -> Self {
        self.write("HTTP/1.1 2")
    }

    /// Writes these bytes unchanged.
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

    /// From now on the connection is closed when it is idle for this long.
    pub fn idle_timeout(self, time: Duration) -> Self {
        self.step(Step::IdleTimeout(time))
    }

    /// Records further requests and answers none, until the client closes or
    /// the server ends.
    pub fn silence(self) -> Self {
        self.step(Step::Silence)
    }

    /// Closes the writing half, then reads until the client closes: everything
    /// written arrives for certain.
    pub fn finish(self) -> Self {
        self.step(Step::Finish)
    }

    /// Closes at once, which is a reset when the client has sent something that
    /// was not read.
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Resets the connection.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }
}

/// An answer; with `Content-Length` unless its headers frame the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An empty answer.
pub fn status(status: u16) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// Creates a case and answers as the API does.
pub fn created(id: &str) -> Reaction {
    let id_as_json = serde_json::Value::from(id);
    let response = status(201).json(format!("{{\"_id\":{id_as_json}}}"));
    react().creates(id).answer(&response)
}

/// For a client that speaks TLS: waits for its first byte, then writes
/// something else.
pub fn tls_garbage() -> Reaction {
    react()
        .await_byte()
        .write("220 mail.example.com ESMTP\r\n")
        .finish()
}

impl Response {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("Content-Type", "application/json")
    }

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
