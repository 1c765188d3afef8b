//! Records through all of mapping.

mod errors;
mod firms_and_keys;
mod joins;
mod payloads;
mod properties;

use std::sync::Arc;

use crate::model::{Cell, CellKind, Code, Columns, Place, Problem, Record};

use super::*;

/// A mapped case that outlives the mapper.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OwnedCase {
    key: Option<String>,
    firm: Option<String>,
    firm_from_default: bool,
    payload: String,
    payload_digest: crate::model::Digest,
    content_digest: Option<crate::model::Digest>,
}

/// Needs neither key nor partner firm.
fn loose() -> MappingOptions {
    MappingOptions {
        allow_drafts: true,
        ..MappingOptions::default()
    }
}

fn with(fields: Vec<FieldRule>) -> MappingOptions {
    MappingOptions { fields, ..loose() }
}

fn through() -> MappingOptions {
    MappingOptions {
        passthrough: true,
        ..loose()
    }
}

fn field(target: &str, column: &str) -> FieldRule {
    FieldRule {
        target: target.to_owned(),
        source: FieldSource::from_text(column),
        ..FieldRule::default()
    }
}

fn typed(target: &str, column: &str, kind: ValueType) -> FieldRule {
    FieldRule {
        value_type: Some(kind),
        ..field(target, column)
    }
}

fn rules(options: MappingOptions) -> Arc<Rules> {
    Arc::new(Rules::compile(options).unwrap())
}

fn map_with(mapper: &mut Mapper, record: &Record<'_>) -> (Option<OwnedCase>, Vec<Problem>) {
    let mut problems = Vec::new();
    let case = mapper.map(record, &mut problems).map(|mapped| OwnedCase {
        key: mapped.key.map(str::to_owned),
        firm: mapped.firm.map(str::to_owned),
        firm_from_default: mapped.firm_from_default,
        payload: mapped.payload.to_owned(),
        payload_digest: mapped.payload_digest(),
        content_digest: mapped.content().digest(),
    });
    (case, problems)
}

/// Maps one row of text cells.
fn map_row(options: MappingOptions, row: &[(&str, &str)]) -> (Option<OwnedCase>, Vec<Problem>) {
    let cells: Vec<_> = row
        .iter()
        .map(|(name, text)| (*name, Cell::text(text)))
        .collect();
    map_cells(options, &cells)
}

fn map_cells(
    options: MappingOptions,
    row: &[(&str, Cell<'_>)],
) -> (Option<OwnedCase>, Vec<Problem>) {
    let columns = Columns::from_names(row.iter().map(|(name, _)| *name));
    let cells: Vec<Cell<'_>> = row.iter().map(|(_, cell)| *cell).collect();
    let record = Record {
        place: Place::default(),
        columns: &columns,
        cells: &cells,
        json: None,
    };
    map_with(&mut Mapper::new(rules(options)), &record)
}

/// Maps one JSON object whose members' order is not that of the columns.
fn map_json(
    options: MappingOptions,
    columns: &Columns,
    json: &str,
) -> (Option<OwnedCase>, Vec<Problem>) {
    let mut found: Vec<(usize, CellKind, String)> = Vec::new();
    for (name, kind, text) in object_members(json) {
        found.push((columns.position(&name).unwrap(), kind, text.into_owned()));
    }
    let mut cells = vec![Cell::default(); columns.len()];
    for (position, kind, text) in &found {
        cells[*position] = Cell { kind: *kind, text };
    }
    let record = Record {
        place: Place::default(),
        columns,
        cells: &cells,
        json: Some(json),
    };
    map_with(&mut Mapper::new(rules(options)), &record)
}

fn payload(options: MappingOptions, row: &[(&str, &str)]) -> String {
    let (case, problems) = map_row(options, row);
    case.unwrap_or_else(|| panic!("{problems:?}")).payload
}

fn codes(options: MappingOptions, row: &[(&str, &str)]) -> Vec<Code> {
    map_row(options, row)
        .1
        .iter()
        .map(|problem| problem.code)
        .collect()
}

fn number(text: &str) -> Cell<'_> {
    Cell {
        kind: CellKind::Number,
        text,
    }
}
