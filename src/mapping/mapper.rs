//! One thread's hands: records in, cases or problems out. Buffers and resolved
//! names are kept between records, and nothing else is.

use std::cell::RefCell;
use std::sync::Arc;

use crate::model::{Cell, CellKind, Code, Key, Problem, Record, Severity, reserved};

use super::bind::{Binding, Passthrough};
use super::blank::{is_blank, trimmed};
use super::caseload_key;
use super::confidential::looks_like_ssn;
use super::field::{Buffers, FieldWriter, problem, warn};
use super::json::{Members, begin_member, is_plain, push_cell};
use super::mapped::MappedCase;
use super::rules::{PayloadNode, Rules};
use super::values::ValueError;

/// Maps records, one at a time. One a thread.
#[derive(Debug)]
pub struct Mapper {
    pub(super) rules: Arc<Rules>,
    pub(super) binding: Binding,
    texts: Buffers,
    key: String,
    firm: String,
    /// The text that the last firm was read from: most records repeat it.
    firm_text: String,
    payload: String,
    /// Where each field's value stands in the payload, then each column's; an
    /// empty span for what was left out.
    pub(super) spans: Vec<(usize, usize)>,
    /// What a digest is taken of.
    pub(super) canonical: RefCell<Vec<u8>>,
}

/// Which firm a record has.
enum FirmSource {
    None,
    Named,
    Default,
}

impl Mapper {
    /// A mapper by these rules.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            binding: Binding::default(),
            texts: Buffers::default(),
            key: String::new(),
            firm: String::new(),
            firm_text: String::new(),
            payload: String::new(),
            spans: Vec::new(),
            canonical: RefCell::default(),
        }
    }

    /// Maps a record. Pushes all its problems; none comes back exactly where
    /// one of them is an error.
    pub fn map<'m>(
        &'m mut self,
        record: &Record<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<MappedCase<'m>> {
        self.binding.refresh(&self.rules, record.columns);
        let before = problems.len();
        self.key.clear();
        let key_columns = self.rules.options.key.len();
        let restored = caseload_key::read(&self.binding, key_columns, record);
        let firm = match restored {
            Ok(None) => {
                if key_columns > 0 {
                    self.read_key(record, problems);
                }
                self.map_rest(record, problems)
            }
            Ok(Some(restored)) => {
                self.key.push_str(restored.key.canonical());
                let cells = restored.cells(&self.binding, record);
                self.map_rest(
                    &Record {
                        cells: &cells,
                        ..*record
                    },
                    problems,
                )
            }
            Err(fault) => {
                let cell = record.get(reserved::KEY);
                problems.push(problem(record.place, reserved::KEY, cell, fault));
                self.map_rest(record, problems)
            }
        };
        if problems[before..]
            .iter()
            .any(|problem| problem.severity == Severity::Error)
        {
            return None;
        }
        Some(MappedCase {
            key: self.key(),
            firm: (!matches!(firm, FirmSource::None)).then_some(self.firm.as_str()),
            firm_from_default: matches!(firm, FirmSource::Default),
            payload: &self.payload,
            mapper: self,
        })
    }

    /// The last record's canonical key, where it has one; also of a record
    /// that is no case.
    pub fn key(&self) -> Option<&str> {
        (!self.key.is_empty()).then_some(self.key.as_str())
    }

    fn map_rest(&mut self, record: &Record<'_>, problems: &mut Vec<Problem>) -> FirmSource {
        let firm = self.read_firm(record, problems);
        self.payload.clear();
        self.spans.clear();
        self.spans
            .resize(self.rules.fields.len() + self.binding.through.len(), (0, 0));
        self.payload.push('{');
        let mut writing = PayloadWriter {
            rules: &self.rules,
            binding: &self.binding,
            record,
            texts: &mut self.texts,
            payload: &mut self.payload,
            spans: &mut self.spans,
            problems,
        };
        writing.nodes(&self.rules.tree);
        if self.rules.options.passthrough {
            writing.rest(&self.firm);
        }
        self.payload.push('}');
        firm
    }

    fn read_key(&mut self, record: &Record<'_>, problems: &mut Vec<Problem>) {
        let columns = &self.rules.options.key;
        let place = record.place;
        // Keys of plain ASCII, nearly all of them, are canonical as they stand.
        if let [path] = self.binding.key.as_slice() {
            let found = path.find(record);
            let text = trimmed(&found.text);
            let is_simple = matches!(found.kind, CellKind::Text | CellKind::Number);
            if is_simple && !text.is_empty() && text.is_ascii() && is_plain(text) {
                warn(&columns[0], found.cell(), place, problems);
                self.key.push_str("[\"");
                self.key.push_str(text);
                self.key.push_str("\"]");
                return;
            }
        }
        let mut all_blank = true;
        for (path, column) in self.binding.key.iter().zip(columns) {
            let found = path.find(record);
            let cell = found.cell();
            all_blank &= is_blank(cell);
            warn(column, cell, place, problems);
            if cell.kind == CellKind::Json {
                let fault =
                    ValueError::new(Code::NestedValue, "a nested value where the key is needed");
                problems.push(problem(place, column, cell, fault));
            }
        }
        if all_blank {
            let fault = ValueError::new(Code::EmptyKey, "empty, and it is the key")
                .hint("fill it in, or choose a key column that is filled in every row");
            problems.push(problem(place, &columns[0], Cell::default(), fault));
            return;
        }
        let parts = self.binding.key.iter().map(|path| path.find(record).text);
        Key::write_canonical(parts, &mut self.key);
    }

    fn read_firm(&mut self, record: &Record<'_>, problems: &mut Vec<Problem>) -> FirmSource {
        if let [(path, _)] = self.binding.firms.as_slice()
            && let Some(cell) = path.direct(record)
            && cell.kind == CellKind::Text
            && !self.firm_text.is_empty()
            && cell.text == self.firm_text
        {
            return FirmSource::Named;
        }
        let mut named: Option<&str> = None;
        let firms = &self.rules.firms;
        self.firm.clear();
        self.firm_text.clear();
        for (path, column) in &self.binding.firms {
            let found = path.find(record);
            let cell = found.cell();
            if is_blank(cell) {
                continue;
            }
            match firms.id_of(cell) {
                Err(fault) => {
                    problems.push(problem(record.place, column, cell, fault));
                    named.get_or_insert(column);
                }
                Ok(id) if named.is_some() && *id != *self.firm => {
                    let fault = conflict(format!(
                        "another partner firm than in {}",
                        named.unwrap_or_default()
                    ));
                    problems.push(problem(record.place, column, cell, fault));
                }
                Ok(id) => {
                    self.firm.clear();
                    self.firm.push_str(id);
                    named = Some(column);
                    if self.binding.firms.len() == 1 && cell.kind == CellKind::Text {
                        self.firm_text.push_str(cell.text);
                    }
                }
            }
        }
        if named.is_some() {
            return FirmSource::Named;
        }
        if let Some(id) = &firms.default {
            self.firm.push_str(id);
            return FirmSource::Default;
        }
        if !self.rules.options.allow_drafts {
            let hint = "name it in the row, or give --partner-firm-id for all such rows; --allow-drafts sends them as drafts";
            let (column, message) = match self.binding.firms.first() {
                Some((path, column)) if path.is_anywhere() => (&**column, "no partner firm"),
                _ => ("", "no partner firm, and no column that would name one"),
            };
            let fault = ValueError::new(Code::MissingPartnerFirm, message).hint(hint);
            problems.push(problem(record.place, column, Cell::default(), fault));
        }
        FirmSource::None
    }
}

fn conflict(message: String) -> ValueError {
    ValueError::new(Code::TargetConflict, message)
}

/// A payload on its way.
struct PayloadWriter<'w, 'r> {
    rules: &'w Rules,
    binding: &'w Binding,
    record: &'w Record<'r>,
    texts: &'w mut Buffers,
    payload: &'w mut String,
    spans: &'w mut [(usize, usize)],
    problems: &'w mut Vec<Problem>,
}

impl PayloadWriter<'_, '_> {
    fn nodes(&mut self, nodes: &[PayloadNode]) {
        for node in nodes {
            match node {
                PayloadNode::Leaf { name, field } => self.leaf(name, *field),
                PayloadNode::Object { name, children } => {
                    let before = self.payload.len();
                    begin_member(name, self.payload);
                    self.payload.push('{');
                    let empty = self.payload.len();
                    self.nodes(children);
                    if self.payload.len() == empty {
                        self.payload.truncate(before);
                    } else {
                        self.payload.push('}');
                    }
                }
            }
        }
    }

    #[inline]
    fn leaf(&mut self, name: &str, position: usize) {
        let mut work = FieldWriter {
            field: &self.rules.fields[position],
            position,
            name,
            paths: &self.binding.fields[position],
            record: self.record,
            today: self.rules.today,
            payload: self.payload,
            span: &mut self.spans[position],
            problems: self.problems,
        };
        work.run(self.texts);
    }

    /// The columns that go out under their own names, in the record's order.
    fn rest(&mut self, firm: &str) {
        let record = self.record;
        if let Some(json) = record.json {
            for (name, _) in Members::of(json) {
                if let Some(position) = record.columns.position(&name) {
                    self.column(position, firm);
                }
            }
        } else {
            for position in 0..record.cells.len() {
                self.column(position, firm);
            }
        }
    }

    fn column(&mut self, position: usize, firm: &str) {
        let Some(through) = self.binding.through.get(position) else {
            return;
        };
        let cell = self.record.cell(position);
        let span = &mut self.spans[self.rules.fields.len() + position];
        if is_blank(cell) || *through == Passthrough::No || *span != (0, 0) {
            return;
        }
        let column = self.record.columns.name(position);
        let place = self.record.place;
        match through {
            Passthrough::No => {}
            Passthrough::Conflict => {
                let fault = conflict(format!("a rule makes {column} too, and this column would go out under the same name"))
                    .hint("let a rule read this column, rename the rule's field, or leave passthrough out");
                self.problems.push(problem(place, column, cell, fault));
            }
            Passthrough::Firm => {
                if self.rules.firms.id_of(cell) != Ok(firm) {
                    let fault = conflict("another partner firm than the row's own".to_owned());
                    self.problems.push(problem(place, column, cell, fault));
                }
            }
            Passthrough::Yes { name, .. } => {
                warn(column, cell, place, self.problems);
                if cell.kind == CellKind::Text && looks_like_ssn(cell.text) {
                    let fault = ValueError::new(
                        Code::LooksConfidential,
                        "looks like a social security number, and no rule names the column",
                    )
                    .hint("name the columns to send under [fields], or take this one out");
                    self.problems.push(problem(place, column, cell, fault));
                }
                begin_member(name, self.payload);
                let start = self.payload.len();
                push_cell(cell, self.payload);
                *span = (start, self.payload.len());
            }
        }
    }
}
