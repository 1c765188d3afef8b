//! JSON and NDJSON, read by `serde_json`.
//!
//! The reader thread finds where values end, and so checks their syntax; the
//! worker's [`Objects`] takes a record apart. Nested values stay the text that
//! they are.

mod document;
mod object;

pub(super) use document::Document;
pub(super) use object::{JsonError, Member, Objects};

/// How deep a record may be nested, itself among the levels: what `serde_json`
/// reads too.
pub(super) const MAX_DEPTH: usize = 127;

/// The byte of a text that an error points at.
fn error_offset(text: &[u8], error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(text.len(), |at| at + 1),
    };
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

/// An error's message without its place, which is one in the value only.
fn error_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => message,
    }
}
