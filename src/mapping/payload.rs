//! A record's payload: one JSON object of the fields of the rules, and of the
//! columns that are sent under their own names.

use crate::model::{CellKind, Code, Problem, Record};

use super::binding::{Binding, Passthrough};
use super::field::{BoundField, Buffers};
use super::headers::looks_like_ssn;
use super::json::{PayloadValue, begin_member, members};
use super::rules::{PayloadNode, Rules};
use super::values::ValueError;

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
                if self.rules.firms.id_of(cell) != Ok(firm) {
                    let message = "differs from the partner firm of the row";
                    self.error(column, cell, ValueError::new(Code::TargetConflict, message));
                }
            }
            Passthrough::Sent { name, .. } => {
                self.warn(column, cell);
                if cell.kind == CellKind::Text && looks_like_ssn(cell.text) {
                    let message =
                        "looks like a social security number, and no rule names the column";
                    let error = ValueError::new(Code::LooksConfidential, message)
                        .hint("name the columns to send under [fields], or remove this column");
                    self.error(column, cell, error);
                }
                let value = PayloadValue::of_cell(cell);
                self.text.push_member(name, part, value);
            }
        }
    }
}
