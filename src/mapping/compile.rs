//! Options to rules: every setting checked, all faults told at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use regex::Regex;

use crate::model::{Cell, CellKind};

use super::firm::PartnerFirms;
use super::json::push_string;
use super::names::allows_future_dates;
use super::options::{Constant, FieldRule, FieldSource, MappingOptions, ValueType};
use super::raw_record::name_json;
use super::rules::{Choices, CompiledField, CompiledSource, PayloadNode, Rules, WhenBlank};
use super::suggest;
use super::template;
use super::values::{Civil, Converted, DateFormat, DateRules, convert};

/// A rule that can't be, with the setting that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Position among the options' fields; none where it is no field's rule.
    pub field: Option<usize>,
    /// The setting, as the config names it; empty for the rule as a whole.
    pub setting: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
    /// Where the rule stands.
    pub line: Option<u32>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RuleError {}

impl Rules {
    /// Compiles the options; all that is wrong with them is told at once.
    pub fn compile(options: MappingOptions) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut fields = Vec::with_capacity(options.fields.len());
        let mut tree = Vec::new();
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        for (position, rule) in options.fields.iter().enumerate() {
            let mut faults = RuleErrors {
                position,
                rule,
                errors: &mut errors,
            };
            if rule.target.eq_ignore_ascii_case("partnerFirmId") {
                faults.push(
                    "",
                    "the partner firm is set by [case] partner_firm and never by a field"
                        .to_owned(),
                );
            }
            match first_of.entry(&rule.target) {
                Entry::Occupied(first) => {
                    let at = options.fields[*first.get()].line;
                    let at = at.map_or_else(String::new, |line| format!(" (line {line})"));
                    faults.push("", format!("two rules for \"{}\"{at}", rule.target));
                }
                Entry::Vacant(entry) => {
                    entry.insert(position);
                    let path = path_of(rule);
                    if path.iter().any(|segment| segment.is_empty()) {
                        faults.push(
                            "",
                            "an empty name before, between or behind dots".to_owned(),
                        );
                    } else if let Err(message) = insert(&mut tree, &path, position) {
                        faults.push("", message);
                    }
                }
            }
            fields.push(compile_field(rule, &options.key, &mut faults));
        }
        let firms = PartnerFirms::new(&options, &mut errors);
        let today = options
            .today
            .and_then(|(year, month, day)| Civil::new(year, month, day));
        if errors.is_empty() {
            Ok(Self {
                options,
                fields,
                tree,
                firms,
                today,
            })
        } else {
            Err(errors)
        }
    }
}

/// Where one rule's errors go.
struct RuleErrors<'a> {
    position: usize,
    rule: &'a FieldRule,
    errors: &'a mut Vec<RuleError>,
}

impl RuleErrors<'_> {
    fn push(&mut self, setting: &'static str, message: String) {
        self.errors.push(RuleError {
            field: Some(self.position),
            setting,
            message,
            line: self.rule.line,
        });
    }
}

fn path_of(rule: &FieldRule) -> Vec<&str> {
    if rule.flat {
        vec![&rule.target]
    } else {
        rule.target.split('.').collect()
    }
}

fn insert(nodes: &mut Vec<PayloadNode>, path: &[&str], field: usize) -> Result<(), String> {
    let Some((segment, below)) = path.split_first() else {
        return Ok(());
    };
    let wanted = name_json(segment);
    let found = nodes.iter_mut().find(|node| match node {
        PayloadNode::Leaf { name, .. } | PayloadNode::Object { name, .. } => *name == wanted,
    });
    let clash = || {
        Err(format!(
            "\"{segment}\" is a value in one rule and holds others in another"
        ))
    };
    match found {
        Some(PayloadNode::Object { children, .. }) if !below.is_empty() => {
            insert(children, below, field)
        }
        Some(_) => clash(),
        None if below.is_empty() => {
            nodes.push(PayloadNode::Leaf {
                name: wanted,
                field,
            });
            Ok(())
        }
        None => {
            let mut children = Vec::new();
            insert(&mut children, below, field)?;
            nodes.push(PayloadNode::Object {
                name: wanted,
                children,
            });
            Ok(())
        }
    }
}

fn compile_field(rule: &FieldRule, key: &[String], faults: &mut RuleErrors<'_>) -> CompiledField {
    let columns = rule.source.columns(&rule.target);
    let dates = compile_dates(rule, faults);
    let from = match &rule.source {
        FieldSource::None => CompiledSource::Columns,
        FieldSource::Columns(listed) => {
            if listed.is_empty() || listed.iter().any(|column| column.trim().is_empty()) {
                faults.push("from", "a column without a name".to_owned());
            }
            CompiledSource::Columns
        }
        FieldSource::Template(text) => match template::parse(text) {
            Ok((pieces, _)) => CompiledSource::Template(pieces),
            Err(error) => {
                faults.push("from", error.to_string());
                CompiledSource::Columns
            }
        },
        FieldSource::Constant(constant) => {
            CompiledSource::Constant(literal(constant, rule, &dates, "value", faults))
        }
    };
    let default = rule
        .default
        .as_ref()
        .map(|constant| literal(constant, rule, &dates, "default", faults));
    if matches!(rule.source, FieldSource::Constant(_)) {
        for (setting, is_set) in [
            ("default", rule.default.is_some()),
            ("rename", !rule.rename.is_empty()),
            ("part", rule.part.is_some()),
        ] {
            if is_set {
                faults.push(setting, format!("`{setting}` does nothing beside `value`"));
            }
        }
    }
    if rule.required && !rule.omit_empty {
        faults.push(
            "omit_empty",
            "`omit_empty = false` can't be where `required` is".to_owned(),
        );
    }
    if rule
        .min_length
        .zip(rule.max_length)
        .is_some_and(|(min, max)| min > max)
    {
        faults.push(
            "min_length",
            "`min_length` is more than `max_length`".to_owned(),
        );
    }
    if rule.part.is_some() && rule.value_type.is_some_and(|kind| kind != ValueType::Text) {
        faults.push(
            "part",
            "`part` takes a side of a name, which is text".to_owned(),
        );
    }
    let mut rename = HashMap::new();
    for (from, to) in &rule.rename {
        let from = from.trim();
        if from.is_empty() {
            faults.push(
                "rename",
                "a blank value can't be renamed; use `default`".to_owned(),
            );
        } else if rename.insert(from.into(), to.as_str().into()).is_some() {
            faults.push("rename", format!("\"{from}\" is renamed twice"));
        }
    }
    check_renames(rule, faults);
    let mut path = String::new();
    for (position, segment) in path_of(rule).into_iter().enumerate() {
        if position > 0 {
            path.push('.');
        }
        push_string(segment, &mut path);
    }
    path.push(':');
    let named = |is: fn(&str) -> bool| is(&rule.target) || columns.iter().any(|column| is(column));
    CompiledField {
        path: path.into(),
        from,
        value_type: rule.value_type,
        dates,
        choices: (!rule.choices.is_empty()).then(|| {
            let renamed = rule.rename.iter().map(|(from, _)| from);
            Choices::new(&rule.choices, renamed)
        }),
        rename,
        default,
        blank: match (rule.required, rule.omit_empty) {
            (true, _) => WhenBlank::Refused,
            (false, true) => WhenBlank::LeftOut,
            (false, false) => WhenBlank::SentEmpty,
        },
        min_length: rule.min_length,
        max_length: rule.max_length,
        pattern: compile_pattern(rule, faults),
        part: rule.part,
        allows_future_dates: named(allows_future_dates),
        is_key: !columns.is_empty() && columns.iter().all(|column| key.contains(column)),
        target: rule.target.as_str().into(),
        columns,
    }
}

fn compile_dates(rule: &FieldRule, faults: &mut RuleErrors<'_>) -> DateRules {
    let is_date = matches!(rule.value_type, Some(ValueType::Date | ValueType::DateTime));
    if !rule.formats.is_empty() && !is_date {
        faults.push(
            "formats",
            "`formats` needs type = \"date\" or \"datetime\"".to_owned(),
        );
    }
    let mut formats = Vec::new();
    for text in &rule.formats {
        match DateFormat::compile(text) {
            Ok(format) => formats.push(format),
            Err(message) => faults.push("formats", message),
        }
    }
    DateRules::new(formats).unwrap_or_else(|message| {
        faults.push("formats", message);
        DateRules::default()
    })
}

fn compile_pattern(rule: &FieldRule, faults: &mut RuleErrors<'_>) -> Option<(Regex, Box<str>)> {
    let pattern = rule.pattern.as_deref()?;
    // Alone first: in the group a stray bracket of it could pass unseen.
    let whole = Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
    match whole {
        Ok(regex) => Some((regex, pattern.into())),
        Err(error) => {
            faults.push("pattern", format!("no regular expression: {error}"));
            None
        }
    }
}

/// What a rename gives must be a choice, or the rule can never be met.
fn check_renames(rule: &FieldRule, faults: &mut RuleErrors<'_>) {
    if rule.choices.is_empty() || !matches!(rule.value_type, None | Some(ValueType::Text)) {
        return;
    }
    for (from, to) in &rule.rename {
        let to = to.trim();
        if !to.is_empty() && !rule.choices.iter().any(|choice| choice == to) {
            let hint = suggest::did_you_mean(to, rule.choices.iter().map(String::as_str))
                .map_or_else(String::new, |hint| format!("; {hint}"));
            faults.push(
                "rename",
                format!("\"{from}\" becomes \"{to}\", which is none of the choices{hint}"),
            );
        }
    }
}

/// The JSON of a value that stands in the config, converted like any other.
fn literal(
    constant: &Constant,
    rule: &FieldRule,
    dates: &DateRules,
    setting: &'static str,
    faults: &mut RuleErrors<'_>,
) -> Box<str> {
    let cell = match constant {
        Constant::Text(text) => Cell::text(text),
        Constant::Number(text) => Cell {
            kind: CellKind::Number,
            text,
        },
        Constant::Bool(value) => Cell {
            kind: CellKind::Bool,
            text: if *value { "true" } else { "false" },
        },
    };
    let mut written = String::new();
    let converted = match (cell.kind, rule.value_type) {
        (CellKind::Text, None) => Ok(Converted::Text(cell.text)),
        (_, None) => Ok(Converted::Raw(cell.text)),
        (_, Some(kind)) => convert(kind, dates, cell, &mut written, &mut None),
    };
    let mut out = String::new();
    match converted {
        Ok(value) => {
            if !rule.choices.is_empty() && !rule.choices.iter().any(|choice| choice == value.text())
            {
                faults.push(
                    setting,
                    format!("\"{}\" is none of the choices", value.text()),
                );
            }
            match value {
                Converted::Text(text) => {
                    push_string(text, &mut out);
                }
                Converted::Raw(text) => out.push_str(text),
            }
        }
        Err(fault) => faults.push(setting, format!("`{setting}` is {}", fault.message)),
    }
    out.into()
}
