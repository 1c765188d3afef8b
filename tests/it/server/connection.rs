//! One connection on its thread: reads requests and follows the script.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::reaction::{Reaction, Step};
use super::request::{NotHttp, Parsed, parse, split_target};
use super::{CreatedCase, Partial, Request, Shared};

/// How a connection ends.
enum End {
    Close,
    Reset,
}

/// Serves a connection to its end.
pub(super) fn serve(stream: TcpStream, number: usize, shared: &Shared) {
    // Otherwise a step's bytes may wait for those of the next.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        stream,
        _open: Open { number, shared },
        number,
        shared,
        buffer: Vec::new(),
        first_byte: Instant::now(),
        served: 0,
        last: None,
        idle_timeout: None,
    };
    let end = connection.run();
    connection.finish(&end);
}

/// The connection's entry among the open ones. Dropped with the thread, also
/// when a failed assertion ends it, since the entry holds the socket too.
struct Open<'a> {
    number: usize,
    shared: &'a Shared,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.open.lock().unwrap().remove(&self.number);
        self.shared.closed.notify_all();
    }
}

struct Connection<'a> {
    stream: TcpStream,
    _open: Open<'a>,
    number: usize,
    shared: &'a Shared,
    /// What was read and is not a complete request yet.
    buffer: Vec<u8>,
    first_byte: Instant,
    served: usize,
    /// The index of the last complete request.
    last: Option<usize>,
    idle_timeout: Option<Duration>,
}

impl Connection<'_> {
    fn run(&mut self) -> End {
        let reaction = (self.shared.script.lock().unwrap().on_accept)(self.number);
        if let Err(end) = self.perform(reaction) {
            return end;
        }
        loop {
            let next = self.next().and_then(|parsed| {
                let last_one = asks_to_close(&parsed);
                let reaction = self.record(parsed, true);
                self.perform(reaction)?;
                if last_one { Err(End::Close) } else { Ok(()) }
            });
            if let Err(end) = next {
                return end;
            }
        }
    }

    fn perform(&mut self, reaction: Reaction) -> Result<(), End> {
        for step in reaction.steps {
            match step {
                Step::Create(id) => {
                    let request = self.last.expect("a case is created from a request");
                    let mut script = self.shared.script.lock().unwrap();
                    script.created.push(CreatedCase { id, request });
                }
                Step::Write(bytes) => {
                    self.stream.write_all(&bytes).map_err(|_| End::Close)?;
                }
                Step::Wait(time) => self.shared.wait(time),
                Step::AwaitByte => {
                    if self.buffer.is_empty() {
                        self.read()?;
                    }
                }
                Step::IdleTimeout(time) => self.idle_timeout = Some(time),
                Step::Silence => return Err(self.listen()),
                Step::Finish => {
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return Err(self.listen());
                }
                Step::Close => return Err(End::Close),
                Step::Reset => return Err(End::Reset),
            }
        }
        Ok(())
    }

    /// Records requests until the client closes, and reacts to none.
    fn listen(&mut self) -> End {
        loop {
            match self.next() {
                Ok(parsed) => drop(self.record(parsed, false)),
                Err(end) => return end,
            }
        }
    }

    /// The next complete request.
    fn next(&mut self) -> Result<Parsed, End> {
        loop {
            match parse(&self.buffer) {
                Ok(Some(parsed)) => {
                    self.buffer.drain(..parsed.length);
                    return Ok(parsed);
                }
                Ok(None) => self.read()?,
                Err(NotHttp) => return Err(End::Close),
            }
        }
    }

    fn read(&mut self) -> Result<(), End> {
        let timeout = self.idle_timeout.filter(|_| self.buffer.is_empty());
        self.stream.set_read_timeout(timeout).unwrap();
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(End::Close),
                Ok(length) => {
                    if self.buffer.is_empty() {
                        self.first_byte = Instant::now();
                    }
                    self.buffer.extend(&bytes[..length]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Close),
            }
        }
    }

    /// Adds a complete request to the list, and asks the script about it.
    fn record(&mut self, parsed: Parsed, ask: bool) -> Reaction {
        let (path, query) = split_target(&parsed.method, &parsed.target);
        let mut script = self.shared.script.lock().unwrap();
        let script = &mut *script;
        let request = Request {
            method: parsed.method,
            target: parsed.target,
            path,
            query,
            headers: parsed.headers,
            body: parsed.body,
            first_byte: self.first_byte,
            received: Instant::now(),
            connection: self.number,
            on_connection: self.served,
            index: script.requests.len(),
        };
        self.served += 1;
        self.last = Some(request.index);
        let reaction = if ask {
            (script.on_request)(&request)
        } else {
            Reaction::default()
        };
        script.requests.push(request);
        self.shared.received.notify_all();
        reaction
    }

    fn finish(self, end: &End) {
        if !self.buffer.is_empty() {
            let mut script = self.shared.script.lock().unwrap();
            script.partials.push(Partial {
                bytes: self.buffer,
                connection: self.number,
                first_byte: self.first_byte,
            });
        }
        if matches!(end, End::Reset) {
            let at_once = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&self.stream, at_once).unwrap();
        }
    }
}

fn asks_to_close(parsed: &Parsed) -> bool {
    let mut headers = parsed.headers.iter();
    headers.any(|(name, value)| name == "connection" && value.eq_ignore_ascii_case("close"))
}
