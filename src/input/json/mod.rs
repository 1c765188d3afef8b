//! JSON and NDJSON: where records begin and end, and what is in one.
//!
//! The splitters only follow brackets and strings; the worker's [`Objects`]
//! checks every byte of a record. Nested values stay the text that they are.

mod document;
mod lines;
mod locate;
mod object;
mod scan;
mod string;
mod walk;

pub(super) use document::Document;
pub(super) use lines::Lines;
pub(super) use object::Objects;
pub(super) use walk::Trouble;

/// How deep a record may be nested, itself among the levels: what `serde_json`
/// reads too.
pub const MAX_DEPTH: usize = 127;
