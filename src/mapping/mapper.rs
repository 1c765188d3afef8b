//! Maps records one after another. Memory and resolved names are kept between
//! records, and nothing else.

use std::sync::Arc;

use crate::model::{Columns, ColumnsVersion, Digest, Problem, Record, Severity, reserved};

use super::binding::{Binding, Passthrough};
use super::field::{Buffers, problem};
use super::key::{RestoredKey, read_key};
use super::partner_firm::{FirmSource, read_firm};
use super::payload::{PayloadText, PayloadWriter};
use super::rules::Rules;

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
        let key_columns = &self.rules.options.key;
        let restored = RestoredKey::read(key_columns, &self.binding, record);
        let cells;
        let mut record = *record;
        match &restored {
            Ok(Some(restored)) => {
                self.key.push_str(restored.key.canonical());
                cells = restored.cells(&self.binding, &record);
                record.cells = &cells;
            }
            Ok(None) if key_columns.is_empty() => {}
            Ok(None) => read_key(key_columns, &self.binding, &record, problems, &mut self.key),
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
        self.digest(false)
    }

    /// Of the payload without what is made of key columns alone, and the firm.
    pub fn content_digest(&self) -> Digest {
        self.digest(true)
    }

    fn digest(&self, without_key: bool) -> Digest {
        let Mapper {
            rules,
            binding,
            payload,
            ..
        } = self.mapper;
        let mut canonical = String::with_capacity(payload.json.len() + 64);
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
                canonical.push_str(name);
                canonical.push_str(&payload.json[start..end]);
                canonical.push(',');
            }
        }
        if let Some(firm) = self.firm {
            canonical.push('@');
            canonical.push_str(firm);
        }
        Digest::of(canonical.as_bytes())
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
