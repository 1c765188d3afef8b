//! Maps records one after another, each to its payload: one JSON object of the
//! fields of the rules, and of the columns that are sent under their own names.
//! Memory and resolved names are kept between records, and nothing else.

use std::sync::Arc;

use crate::model::{
    CellKind, Code, Columns, ColumnsVersion, Digest, Problem, Record, Severity, json_members,
    reserved,
};

use super::columns::{Binding, Passthrough};
use super::field::Buffers;
use super::json::{PayloadValue, begin_member};
use super::key::{exported_key, read_key, restored_cells, restored_parts};
use super::names::looks_like_ssn;
use super::partner_firm::read_firm;
use super::problems::Problems;
use super::rules::Rules;
use super::values::ValueError;

/// Maps records; each thread has its own.
#[derive(Debug)]
pub struct Mapper {
    rules: Arc<Rules>,
    binding: Binding,
    buffers: Buffers,
    key: String,
    firm: String,
    payload: String,
    /// Where the value of each part is in the payload; empty for what is left out.
    spans: Vec<(usize, usize)>,
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
            payload: String::new(),
            spans: Vec::new(),
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
        let (rules, binding) = (&*self.rules, &mut self.binding);
        binding.refresh(rules, record.columns);
        let mut found = Problems {
            place: record.place,
            list: problems,
        };
        let key = &mut self.key;
        key.clear();
        let mut record = *record;
        let (parts, cells);
        match exported_key(&rules.options, binding, &record) {
            Ok(None) => read_key(rules, binding, &record, &[], &mut found, key),
            Ok(Some(exported)) => {
                parts = exported.parts();
                let restored = restored_parts(rules, binding, &record, &parts, &mut found);
                cells = restored_cells(binding, &record, &restored);
                record.cells = &cells;
                read_key(rules, binding, &record, &restored, &mut found, key);
                if binding.key.is_empty() {
                    key.push_str(exported.canonical());
                }
            }
            Err(error) => found.error(reserved::KEY, record.get(reserved::KEY), error),
        }
        let firm_from_default = read_firm(rules, binding, &record, &mut found, &mut self.firm);
        self.write_payload(&record, found);
        let mut found = problems[before..].iter();
        if found.any(|problem| problem.severity == Severity::Error) {
            return None;
        }
        Some(MappedCase {
            key: self.key(),
            firm: (!self.firm.is_empty()).then_some(self.firm.as_str()),
            firm_from_default,
            payload: &self.payload,
            mapper: self,
        })
    }

    fn write_payload(&mut self, record: &Record<'_>, problems: Problems<'_>) {
        PayloadWriter {
            rules: &self.rules,
            binding: &self.binding,
            record,
            buffers: &mut self.buffers,
            text: PayloadText {
                json: &mut self.payload,
                spans: &mut self.spans,
                open: &[],
            },
            problems,
        }
        .write();
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

    /// What would be sent, in an order of its own.
    fn canonical(&self, without_key: bool) -> Content {
        let Mapper {
            rules,
            binding,
            payload,
            spans,
            ..
        } = self.mapper;
        let mut text = String::with_capacity(payload.len() + 64);
        let mut has_fields = false;
        for &number in &binding.digest_order {
            let (start, end) = spans[number];
            if let Some(field) = binding.part(rules, number)
                && start < end
                && !(without_key && field.is_key)
            {
                field.path.iter().for_each(|name| text.push_str(name));
                text.push_str(&payload[start..end]);
                has_fields = has_fields || (without_key && rules.reads_case(field));
                text.push(',');
            }
        }
        if let Some(firm) = self.firm {
            text.push('@');
            text.push_str(firm);
        }
        Content { text, has_fields }
    }
}

/// What makes two cases the same but for their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub(crate) text: String,
    /// Whether there is more than the firm, and than the client whom a join found.
    pub(crate) has_fields: bool,
}

impl Content {
    /// None where different cases may have the same.
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

/// A payload in the making.
pub(super) struct PayloadText<'w> {
    json: &'w mut String,
    spans: &'w mut Vec<(usize, usize)>,
    /// The objects that the last member stands in.
    open: &'w [Box<str>],
}

impl<'w> PayloadText<'w> {
    /// Adds a part, in the objects of its path.
    #[inline]
    pub(super) fn push_member(
        &mut self,
        path: &'w [Box<str>],
        part: usize,
        value: PayloadValue<'_>,
    ) {
        let Some((name, objects)) = path.split_last() else {
            return;
        };
        let pairs = self.open.iter().zip(objects);
        let shared = pairs.take_while(|(open, object)| open == object).count();
        self.close_objects(shared);
        self.open = objects;
        for object in &objects[shared..] {
            begin_member(object, self.json);
            self.json.push('{');
        }
        begin_member(name, self.json);
        let start = self.json.len();
        value.write(self.json);
        self.spans[part] = (start, self.json.len());
    }

    /// Closes all but some of the objects.
    fn close_objects(&mut self, left: usize) {
        let closed = self.open.len() - left;
        self.json.extend(std::iter::repeat_n('}', closed));
    }
}

/// Writes one payload.
pub(super) struct PayloadWriter<'w, 'r> {
    pub(super) rules: &'w Rules,
    pub(super) binding: &'w Binding,
    pub(super) record: &'w Record<'r>,
    pub(super) buffers: &'w mut Buffers,
    pub(super) text: PayloadText<'w>,
    pub(super) problems: Problems<'w>,
}

impl PayloadWriter<'_, '_> {
    fn write(&mut self) {
        let fields = self.rules.fields.len();
        self.text.spans.clear();
        self.text
            .spans
            .resize(fields + self.binding.passthrough.len(), (0, 0));
        self.text.json.clear();
        self.text.json.push('{');
        for part in 0..fields {
            self.write_field(part);
        }
        if let Some(json) = self.record.json.filter(|_| self.rules.options.passthrough) {
            // In the record's order.
            for (name, _) in json_members(json).into_iter().flatten() {
                if let Some(position) = self.record.columns.position(&name) {
                    self.write_column(position);
                }
            }
        } else {
            for position in 0..self.binding.passthrough.len() {
                self.write_column(position);
            }
        }
        self.text.close_objects(0);
        self.text.json.push('}');
    }

    /// Adds a column that is sent under its own name.
    fn write_column(&mut self, position: usize) {
        let part = self.rules.fields.len() + position;
        let cell = self.record.cell(position);
        // A member that an object has twice is sent once.
        if cell.is_blank() || self.text.spans[part] != (0, 0) {
            return;
        }
        let column = self.record.columns.name(position);
        match &self.binding.passthrough[position] {
            Passthrough::NotSent => {}
            Passthrough::Conflict => {
                let message =
                    format!("a rule already sets {column}, so this column cannot be sent too");
                let error = ValueError::new(Code::TargetConflict, message)
                    .hint("read this column in the rule, rename the rule's field, or remove `passthrough`");
                self.problems.error(column, cell, error);
            }
            Passthrough::Sent(field) => {
                self.write_cell(part, field, column, cell);
                if cell.kind == CellKind::Text && looks_like_ssn(cell.text) {
                    let message =
                        "looks like a social security number, and no rule names the column";
                    let error = ValueError::new(Code::LooksConfidential, message)
                        .hint("name the columns to send under [fields], or remove this column");
                    self.problems.error(column, cell, error);
                }
            }
        }
    }
}
