//! Requests as they are read from a socket, complete or not.

use std::time::Instant;

/// A request that was read to its last byte.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The target as it was sent: `/path?query`, `http://host/path` to a
    /// proxy, or `host:port` with CONNECT.
    pub target: String,
    /// The path without scheme, host and query; empty with CONNECT.
    pub path: String,
    /// The part after `?`.
    pub query: Option<String>,
    /// Header lines in order, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub body: Vec<u8>,
    /// When its first bytes were read.
    pub first_byte: Instant,
    /// When its last byte was read.
    pub received: Instant,
    /// The connection it came on, from 0.
    pub connection: usize,
    /// Its number on that connection, from 0.
    pub on_connection: usize,
    /// Its number among all complete requests of the server, from 0.
    pub index: usize,
}

impl Request {
    /// The first header of this name, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What was read of a request that was never completed.
#[derive(Debug, Clone)]
pub struct Partial {
    pub bytes: Vec<u8>,
    pub connection: usize,
    /// When the first of them were read.
    pub first_byte: Instant,
}

/// Head and body of a request, and how many bytes they took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) length: usize,
}

/// These bytes are not the beginning of any HTTP request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotHttp;

/// The first request in these bytes, if all of it is there.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Parsed>, NotHttp> {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| NotHttp)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().ok_or(NotHttp)?.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(NotHttp);
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(NotHttp)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let after_head = &bytes[head_end + 4..];
    let Some((body, taken)) = body(&headers, after_head)? else {
        return Ok(None);
    };
    Ok(Some(Parsed {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body,
        length: head_end + 4 + taken,
    }))
}

/// The body and how many bytes it takes on the wire.
fn body(headers: &[(String, String)], bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, NotHttp> {
    let mut length = None;
    let mut chunked = false;
    for (name, value) in headers {
        match name.as_str() {
            "content-length" => length = Some(value.parse::<usize>().map_err(|_| NotHttp)?),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    match (chunked, length) {
        (true, Some(_)) => Err(NotHttp),
        (true, None) => unchunk(bytes),
        (false, length) => {
            let length = length.unwrap_or(0);
            Ok(bytes.get(..length).map(|body| (body.to_vec(), length)))
        }
    }
}

fn unchunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, NotHttp> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[at..at + line]).map_err(|_| NotHttp)?;
        let size = text.split(';').next().unwrap_or_default().trim();
        let size = u32::from_str_radix(size, 16).map_err(|_| NotHttp)? as usize;
        at += line + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        body.extend(chunk.strip_suffix(b"\r\n").ok_or(NotHttp)?);
        at += size + 2;
    }
    // Trailers, if any, and the empty line.
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        at += line + 2;
        if line == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Path and query of a target in any of its forms.
pub(super) fn split_target(method: &str, target: &str) -> (String, Option<String>) {
    if method == "CONNECT" {
        return (String::new(), None);
    }
    let local = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.find(['/', '?']).map_or("/", |start| &rest[start..])
        }
        _ => target,
    };
    match local.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (local.to_owned(), None),
    }
}
