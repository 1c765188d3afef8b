//! A record as it was read: its JSON, and the digest of what it says.

use crate::model::{CellKind, Columns, Digest, Record};

use super::blank::is_blank;
use super::json::{push_cell, push_string};
use super::rules::is_caseload;

/// Takes the digest of a record's filled columns by name, whatever their order.
/// The columns that caseload adds to its own files count for nothing.
#[derive(Debug, Default)]
pub struct RecordDigests {
    bound: Option<(u64, usize)>,
    /// The columns that count, by name.
    order: Vec<usize>,
    pieces: Vec<u8>,
}

impl RecordDigests {
    /// The digest of one record.
    pub fn of(&mut self, record: &Record<'_>) -> Digest {
        self.bind(record.columns);
        self.pieces.clear();
        for &column in &self.order {
            let cell = record.cell(column);
            if !is_blank(cell) {
                for piece in [record.columns.name(column), cell.text] {
                    // Its length in front, so that pieces can't run together.
                    self.pieces
                        .extend_from_slice(&(piece.len() as u64).to_le_bytes());
                    self.pieces.extend_from_slice(piece.as_bytes());
                }
            }
        }
        Digest::of(&self.pieces)
    }

    fn bind(&mut self, columns: &Columns) {
        let state = Some((columns.id(), columns.len()));
        if self.bound != state {
            self.bound = state;
            self.order = (0..columns.len())
                .filter(|&column| !is_caseload(columns.name(column)))
                .collect();
            self.order
                .sort_unstable_by_key(|&column| columns.name(column));
        }
    }
}

/// Writes a record as one JSON object: the object that was read, or its cells
/// by column, numbers and truth values as such where the file says so.
pub fn record_json(record: &Record<'_>, out: &mut String) {
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
