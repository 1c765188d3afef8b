//! `[fields]`: a rule a field, in the order of the file.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use crate::mapping::{Constant, FieldRule, FieldSource, NamePart, ValueType};

use super::code_table;
use super::table::{Entry, Table};

/// Where a rule and its settings stand.
pub(super) struct FieldSpans {
    name: Range<usize>,
    settings: HashMap<String, Range<usize>>,
}

impl FieldSpans {
    /// Of a setting, or of the rule where the setting is not in it.
    pub(super) fn of(&self, setting: &str) -> Range<usize> {
        self.settings
            .get(setting)
            .or_else(|| self.settings.get(&format!("{setting}_file")))
            .unwrap_or(&self.name)
            .clone()
    }
}

pub(super) fn read(
    fields: &Table<'_>,
    folder: &Path,
    rules: &mut Vec<FieldRule>,
) -> Vec<FieldSpans> {
    let entries = fields.entries();
    if entries.is_empty() {
        fields.faults.push(
            fields.span.clone(),
            "[fields] names no field, so nothing would be sent; name some or leave it out",
        );
    }
    let mut spans = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.value.get_ref().is_str() {
            let message = format!(
                "a field needs a table; write {} = {{ from = \"…\" }}",
                fields.faults.text_at(entry.name_span.clone())
            );
            fields.faults.push(entry.name_span.clone(), &message);
            continue;
        }
        if let Some(table) = fields.table_of(&entry) {
            rules.push(rule(&entry, &table, folder));
            spans.push(FieldSpans {
                name: entry.name_span.clone(),
                settings: table
                    .entries()
                    .into_iter()
                    .map(|setting| (setting.name.to_owned(), setting.name_span))
                    .collect(),
            });
            table.finish(&mut HashMap::new());
        }
    }
    spans
}

fn rule(entry: &Entry<'_>, table: &Table<'_>, folder: &Path) -> FieldRule {
    let types: Vec<&str> = ValueType::ALL.iter().map(|kind| kind.as_str()).collect();
    let mut rule = FieldRule {
        target: entry.name.to_owned(),
        source: source(table),
        value_type: table.word("type", &types).map(|at| ValueType::ALL[at]),
        formats: table.texts("formats", true).unwrap_or_default(),
        choices: table.texts("choices", false).unwrap_or_default(),
        default: table.constant("default"),
        required: table.flag("required").unwrap_or(false),
        min_length: table.count("min_length"),
        max_length: table.count("max_length"),
        pattern: table.text("pattern"),
        part: table
            .word("part", &["last", "first"])
            .map(|at| [NamePart::Last, NamePart::First][at]),
        omit_empty: table.flag("omit_empty").unwrap_or(true),
        flat: table.flag("flat").unwrap_or(false),
        line: Some(table.faults.line_at(named_at(entry, table))),
        rename: Vec::new(),
    };
    if let Some(renames) = table.table("rename") {
        rule.rename = renames.pairs();
    }
    if let Some(file) = table.text("rename_file") {
        match code_table::read(&folder.join(&file)) {
            Ok(pairs) => code_table::merge(table, "rename_file", &mut rule.rename, pairs),
            Err(code_table::Unread::File(message)) => table.fault("rename_file", &message),
            Err(code_table::Unread::Lines(faults)) => table.faults.extend(faults),
        }
    }
    rule
}

/// Where a rule names its columns: its `from`, or its own name without one.
fn named_at(entry: &Entry<'_>, table: &Table<'_>) -> usize {
    let from = table.value("from");
    from.map_or(entry.name_span.start, |from| from.span().start)
}

fn source(table: &Table<'_>) -> FieldSource {
    let constant = table.constant("value");
    let from = table.value("from");
    let is_list = from.is_some_and(|from| from.get_ref().is_array());
    let columns = table.texts("from", true);
    match (constant, columns) {
        (Some(_), Some(_)) => {
            table.fault("value", "a field has `from` or `value`, not both");
            FieldSource::None
        }
        (Some(Constant::Text(text)), None) if text.trim().is_empty() => {
            table.fault(
                "value",
                "`value` is empty; leave the field out, or use `omit_empty = false`",
            );
            FieldSource::None
        }
        (Some(constant), None) => FieldSource::Constant(constant),
        (None, Some(columns)) if is_list => FieldSource::Columns(columns),
        (None, Some(columns)) => match columns.first() {
            Some(text) if !text.trim().is_empty() => FieldSource::from_text(text),
            _ => {
                table.fault("from", "`from` is empty");
                FieldSource::None
            }
        },
        (None, None) => FieldSource::None,
    }
}
