//! A record as it was read: its JSON, and the digest of what it says.

use crate::model::{CellKind, Digest, Hasher, Record};

use super::json::{push_cell, push_string};
use super::rules::is_caseload;

/// The digest of a record's filled columns by name, whatever their order. The
/// columns that caseload adds to its own files count for nothing.
pub fn record_digest(record: &Record<'_>) -> Digest {
    let mut filled: Vec<(&str, &str)> = record
        .iter()
        .filter(|(name, cell)| !cell.is_blank() && !is_caseload(name))
        .map(|(name, cell)| (name, cell.text))
        .collect();
    filled.sort_unstable();
    let mut hasher = Hasher::new();
    for (name, text) in filled {
        hasher.write_piece(name.as_bytes());
        hasher.write_piece(text.as_bytes());
    }
    hasher.finish()
}

/// Writes a record as one JSON object: the object that was read, or its cells
/// by column, numbers and truth values as such where the file says so.
pub fn raw_json(record: &Record<'_>, out: &mut String) {
    if let Some(json) = record.json {
        out.push_str(json);
        return;
    }
    out.push('{');
    for (position, (name, cell)) in record
        .iter()
        .filter(|(_, cell)| cell.kind != CellKind::Absent)
        .enumerate()
    {
        if position > 0 {
            out.push(',');
        }
        push_string(name, out);
        out.push(':');
        push_cell(cell, out);
    }
    out.push('}');
}

/// A name with its colon, as it stands before a value.
pub(super) fn name_json(name: &str) -> Box<str> {
    let mut out = String::new();
    push_string(name, &mut out);
    out.push(':');
    out.into()
}
