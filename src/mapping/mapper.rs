//! Maps records one after another, each to its payload: one JSON object of the
//! fields of the rules, and of the columns that are sent under their own names.
//! Memory and resolved names are kept between records, and nothing else.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{
    Cell, CellKind, Code, Columns, ColumnsVersion, Digest, Problem, Record, Severity, reserved,
    without_invisible,
};

use super::columns::{Binding, Passthrough};
use super::field::{BoundField, Buffers, problem};
use super::json::{PayloadValue, begin_member, members};
use super::key::{RestoredKey, read_key};
use super::names::looks_like_ssn;
use super::partner_firm::{FirmSource, read_firm};
use super::rules::{PayloadNode, Rules};
use super::values::ValueError;

/// Maps records; each thread has its own.
#[derive(Debug)]
pub struct Mapper {
    rules: Arc<Rules>,
    binding: Binding,
    buffers: Buffers,
    key: String,
    firm: String,
    payload: PayloadText,
}

/// A mapped case, until the mapper's next record.
#[derive(Debug, Clone, Copy)]
pub struct MappedCase<'m> {
    /// The key's canonical text; none where no key columns are set.
    pub(crate) key: Option<&'m str>,
    /// The partner firm's id; none for a draft.
    pub(crate) firm: Option<&'m str>,
    pub(crate) firm_from_default: bool,
    /// One JSON object, never with `partnerFirmId`.
    pub(crate) payload: &'m str,
    mapper: &'m Mapper,
}

impl Mapper {
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            binding: Binding::default(),
            buffers: Buffers::default(),
            key: String::new(),
            firm: String::new(),
            payload: PayloadText::default(),
        }
    }

    /// Maps a record and adds all its problems. A case is returned unless one
    /// of them is an error.
    pub fn map<'m>(
        &'m mut self,
        record: &Record<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<MappedCase<'m>> {
        let before = problems.len();
        self.binding.refresh(&self.rules, record.columns);
        self.key.clear();
        let options = &self.rules.options;
        let restored = RestoredKey::read(options, &self.binding, record);
        let cells;
        let mut record = *record;
        match &restored {
            Ok(Some(restored)) => {
                let key = &mut self.key;
                cells = restored.apply(options, &self.binding, &record, problems, key);
                record.cells = &cells;
            }
            Ok(None) if options.key.is_empty() => {}
            Ok(None) => read_key(options, &self.binding, &record, problems, &mut self.key),
            Err(error) => {
                let cell = record.get(reserved::KEY);
                problems.push(problem(record.place, reserved::KEY, cell, error.clone()));
            }
        }
        let firm = read_firm(
            &self.rules,
            &self.binding,
            &record,
            problems,
            &mut self.firm,
        );
        PayloadWriter {
            rules: &self.rules,
            binding: &self.binding,
            record: &record,
            buffers: &mut self.buffers,
            text: &mut self.payload,
            problems,
        }
        .write(&self.firm);
        let mut found = problems[before..].iter();
        if found.any(|problem| problem.severity == Severity::Error) {
            return None;
        }
        Some(MappedCase {
            key: self.key(),
            firm: (firm != FirmSource::None).then_some(self.firm.as_str()),
            firm_from_default: firm == FirmSource::Default,
            payload: &self.payload.json,
            mapper: self,
        })
    }

    /// The canonical key of the last record, also where it was not a case.
    pub(crate) fn key(&self) -> Option<&str> {
        (!self.key.is_empty()).then_some(self.key.as_str())
    }
}

impl MappedCase<'_> {
    /// Of payload and firm: differs when what would be sent differs. The order
    /// of the columns makes no difference.
    pub fn payload_digest(&self) -> Digest {
        Digest::of(self.canonical(false).text.as_bytes())
    }

    /// The payload without what is made of key columns alone, and the firm.
    pub fn content(&self) -> Content {
        self.canonical(true)
    }

    fn canonical(&self, without_key: bool) -> Content {
        let Mapper {
            rules,
            binding,
            payload,
            ..
        } = self.mapper;
        let mut text = String::with_capacity(payload.json.len() + 64);
        for &part in &binding.digest_order {
            let (start, end) = payload.spans[part];
            let (name, is_key) = match part.checked_sub(rules.fields.len()) {
                None => (&rules.fields[part].path, rules.fields[part].is_key),
                Some(column) => match &binding.passthrough[column] {
                    Passthrough::Sent { name, is_key } => (name, *is_key),
                    _ => continue,
                },
            };
            if start < end && !(without_key && is_key) {
                text.push_str(name);
                text.push_str(&payload.json[start..end]);
                text.push(',');
            }
        }
        let has_fields = !text.is_empty();
        if let Some(firm) = self.firm {
            text.push('@');
            text.push_str(firm);
        }
        Content { text, has_fields }
    }
}

/// What would be sent, in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub(crate) text: String,
    /// Whether there is more than the firm.
    pub(crate) has_fields: bool,
}

impl Content {
    /// None where all cases of a firm would have the same.
    pub fn digest(&self) -> Option<Digest> {
        self.has_fields.then(|| Digest::of(self.text.as_bytes()))
    }
}

/// Takes the digests of raw records: their filled columns by name, in any
/// order. The columns that caseload adds to its files are left out.
#[derive(Debug, Default)]
pub struct RecordDigests {
    /// The columns that `order` is for.
    columns: ColumnsVersion,
    order: Vec<usize>,
    /// One long write is faster than many short ones.
    pieces: Vec<u8>,
}

impl RecordDigests {
    pub fn of(&mut self, record: &Record<'_>) -> Digest {
        self.bind(record.columns);
        self.pieces.clear();
        for &column in &self.order {
            let cell = record.cell(column);
            if !cell.is_blank() {
                for piece in [record.columns.name(column), cell.text] {
                    // The length in front keeps pieces apart.
                    let length = (piece.len() as u64).to_le_bytes();
                    self.pieces.extend_from_slice(&length);
                    self.pieces.extend_from_slice(piece.as_bytes());
                }
            }
        }
        Digest::of(&self.pieces)
    }

    fn bind(&mut self, columns: &Columns) {
        let version = columns.version();
        if self.columns != version {
            self.columns = version;
            self.order = (0..columns.len())
                .filter(|&column| !reserved::is_reserved(columns.name(column)))
                .collect();
            self.order
                .sort_unstable_by_key(|&column| columns.name(column));
        }
    }
}

/// A payload's text.
#[derive(Debug, Default)]
pub(super) struct PayloadText {
    pub(super) json: String,
    /// Where each field's value is in the text, then each column's; empty for
    /// what is left out.
    pub(super) spans: Vec<(usize, usize)>,
}

impl PayloadText {
    fn start(&mut self, parts: usize) {
        self.json.clear();
        self.json.push('{');
        self.spans.clear();
        self.spans.resize(parts, (0, 0));
    }

    #[inline]
    pub(super) fn push_member(&mut self, name: &str, part: usize, value: PayloadValue<'_>) {
        begin_member(name, &mut self.json);
        let start = self.json.len();
        value.write(&mut self.json);
        self.spans[part] = (start, self.json.len());
    }
}

/// Writes one payload.
pub(super) struct PayloadWriter<'w, 'r> {
    pub(super) rules: &'w Rules,
    pub(super) binding: &'w Binding,
    pub(super) record: &'w Record<'r>,
    pub(super) buffers: &'w mut Buffers,
    pub(super) text: &'w mut PayloadText,
    pub(super) problems: &'w mut Vec<Problem>,
}

impl<'w> PayloadWriter<'w, '_> {
    /// Writes the payload of a record that goes to this partner firm.
    pub(super) fn write(&mut self, firm: &str) {
        let parts = self.rules.fields.len() + self.binding.passthrough.len();
        self.text.start(parts);
        self.write_nodes(&self.rules.tree);
        if self.rules.options.passthrough {
            self.write_columns(firm);
        }
        self.text.json.push('}');
    }

    fn write_nodes(&mut self, nodes: &'w [PayloadNode]) {
        for node in nodes {
            match node {
                &PayloadNode::Leaf {
                    ref name,
                    field: position,
                } => self.write_field(BoundField {
                    position,
                    name,
                    rule: &self.rules.options.fields[position],
                    compiled: &self.rules.fields[position],
                    paths: &self.binding.fields[position],
                }),
                PayloadNode::Object { name, children } => {
                    let before = self.text.json.len();
                    begin_member(name, &mut self.text.json);
                    self.text.json.push('{');
                    let empty = self.text.json.len();
                    self.write_nodes(children);
                    if self.text.json.len() == empty {
                        self.text.json.truncate(before);
                    } else {
                        self.text.json.push('}');
                    }
                }
            }
        }
    }

    /// The columns that are sent under their own names, in the record's order.
    fn write_columns(&mut self, firm: &str) {
        let record = self.record;
        let Some(json) = record.json else {
            for position in 0..record.cells.len() {
                self.write_column(position, firm);
            }
            return;
        };
        for (name, _) in members(json) {
            if let Some(position) = record.columns.position(&name) {
                self.write_column(position, firm);
            }
        }
    }

    fn write_column(&mut self, position: usize, firm: &str) {
        let Some(passthrough) = self.binding.passthrough.get(position) else {
            return;
        };
        let cell = self.record.cell(position);
        let column = self.record.columns.name(position);
        let part = self.rules.fields.len() + position;
        // A member that an object has twice is sent once.
        if cell.is_blank() || self.text.spans[part] != (0, 0) {
            return;
        }
        match passthrough {
            Passthrough::NotSent => {}
            Passthrough::Conflict => {
                let message =
                    format!("a rule already sets {column}, so this column cannot be sent too");
                let error = ValueError::new(Code::TargetConflict, message)
                    .hint("read this column in the rule, rename the rule's field, or remove `passthrough`");
                self.error(column, cell, error);
            }
            Passthrough::PartnerFirm => {
                if self.rules.firms.id_of(cell).ok().as_deref() != Some(firm) {
                    let message = "differs from the partner firm of the row";
                    self.error(column, cell, ValueError::new(Code::TargetConflict, message));
                }
            }
            Passthrough::Sent { name, is_key } => {
                // A key was looked at when it was read, and goes out as it was read.
                let mut text = Cow::Borrowed(cell.text);
                if *is_key {
                    text = without_invisible(cell.text);
                } else {
                    self.warn(column, cell);
                }
                if cell.kind == CellKind::Text && looks_like_ssn(cell.text) {
                    let message =
                        "looks like a social security number, and no rule names the column";
                    let error = ValueError::new(Code::LooksConfidential, message)
                        .hint("name the columns to send under [fields], or remove this column");
                    self.error(column, cell, error);
                }
                let value = PayloadValue::of_cell(Cell {
                    text: &text,
                    ..cell
                });
                self.text.push_member(name, part, value);
            }
        }
    }
}
