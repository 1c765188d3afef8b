//! The options compiled to rules, which all threads share. Every setting is
//! checked, and all errors are reported at once.

use foldhash::{HashMap, HashSet};
use regex::Regex;

use crate::model::{Cell, CellKind, KeyOrigin, column_name};

use super::json::{PayloadValue, member_name};
use super::names;
use super::names::allows_future_dates;
use super::options::{Constant, FieldRule, FieldSource, MappingOptions, ValueType};
use super::partner_firm::PartnerFirms;
use super::template;
use super::values::{DateFormats, convert};

/// The compiled rules.
#[derive(Debug)]
pub struct Rules {
    /// Without the fields.
    pub(super) options: MappingOptions,
    /// In the order of the payload, where an object stands at the place of its
    /// first field.
    pub(super) fields: Vec<CompiledField>,
    pub(super) firms: PartnerFirms,
}

/// A field's rule, and what of it is prepared once.
#[derive(Debug)]
pub(super) struct CompiledField {
    pub(super) rule: FieldRule,
    /// The objects around the field and its own name, each as JSON with the colon.
    pub(super) path: Vec<Box<str>>,
    pub(super) source: CompiledSource,
    /// The columns as the rule names them.
    pub(super) columns: Vec<String>,
    pub(super) dates: DateFormats,
    pub(super) choices: Option<HashSet<Box<str>>>,
    pub(super) rename: HashMap<Box<str>, Box<str>>,
    /// The JSON that replaces a blank value.
    pub(super) default: Option<Box<str>>,
    pub(super) pattern: Option<Regex>,
    pub(super) allows_future_dates: bool,
    /// Whether it is made of key columns alone.
    pub(super) is_key: bool,
}

#[derive(Debug)]
pub(super) enum CompiledSource {
    /// The first column that is filled.
    Columns,
    /// The texts around its columns.
    Template(Vec<Box<str>>),
    /// JSON as it is sent.
    Constant(Box<str>),
}

/// An invalid rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// Position among the options' fields; none for a partner firm.
    pub(crate) field: Option<usize>,
    /// The setting as the config names it; empty for the rule as a whole.
    pub(crate) setting: &'static str,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

/// Collects the errors of one field after another.
#[derive(Debug, Default)]
pub(super) struct RuleErrors {
    pub(super) field: Option<usize>,
    pub(super) list: Vec<RuleError>,
}

impl RuleErrors {
    pub(super) fn push(&mut self, setting: &'static str, message: impl Into<String>) {
        self.list.push(RuleError {
            field: self.field,
            setting,
            message: message.into(),
        });
    }
}

impl Rules {
    pub fn compile(mut options: MappingOptions) -> Result<Self, Vec<RuleError>> {
        // As headers are read: names are copied from them.
        let names = options
            .key
            .iter_mut()
            .chain(&mut options.partner_firm_column);
        names.for_each(|name| *name = column_name(name));
        let mut errors = RuleErrors::default();
        KeyOrigin::sort_columns(&mut options.key);
        if let Some(source) = &mut options.source {
            *source = names::fold(source);
            if source.is_empty() {
                errors.push("source", "a source needs a name with a letter or a digit");
            }
        }
        let mut fields: Vec<CompiledField> = Vec::new();
        for (position, rule) in std::mem::take(&mut options.fields).into_iter().enumerate() {
            errors.field = Some(position);
            let field = CompiledField::compile(rule, &options.key, &mut errors);
            field.check_path(&fields, &mut errors);
            fields.push(field);
        }
        errors.field = None;
        let firms = PartnerFirms::compile(&options, &mut errors);
        if !errors.list.is_empty() {
            return Err(errors.list);
        }
        let paths: Vec<_> = fields.iter().map(|field| field.path.clone()).collect();
        fields.sort_by_cached_key(|field| {
            let first = |length| {
                paths
                    .iter()
                    .position(|path| path.starts_with(&field.path[..length]))
            };
            (1..=field.path.len()).map(first).collect::<Vec<_>>()
        });
        Ok(Self {
            options,
            fields,
            firms,
        })
    }

    /// What was compiled, without the fields.
    pub(crate) fn options(&self) -> &MappingOptions {
        &self.options
    }

    /// The rules of the fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &FieldRule> {
        self.fields.iter().map(|field| &field.rule)
    }

    /// Pairs of a payload's field and the platform's, for a mapping there.
    pub(crate) fn platform_pairs(&self) -> Vec<(String, String)> {
        let paired = self
            .fields()
            .filter_map(|rule| Some((rule.target.clone(), rule.lexamica.clone()?)));
        paired.collect()
    }

    /// The payload's fields that hold the key's columns as they are, in the key's
    /// order; empty if a column is in none.
    pub(crate) fn key_fields(&self) -> Vec<String> {
        let field_of = |column: &String| {
            let mut same = self.fields.iter().filter(|field| {
                let rule = &field.rule;
                matches!(field.source, CompiledSource::Columns)
                    && field.columns == [column.as_str()]
                    && rule.is_text()
                    && rule.part.is_none()
                    && rule.rename.is_empty()
            });
            let own = self.options.passthrough.then(|| column.clone());
            same.next().map(|field| field.rule.target.clone()).or(own)
        };
        let fields: Option<Vec<_>> = self.options.key.iter().map(field_of).collect();
        fields.unwrap_or_default()
    }

    pub(crate) fn key_origin(&self) -> KeyOrigin {
        KeyOrigin {
            source: self.options.source.clone().unwrap_or_default(),
            columns: self.options.key.clone(),
        }
    }
}

impl CompiledField {
    pub(super) fn compile(rule: FieldRule, key: &[String], errors: &mut RuleErrors) -> Self {
        check_settings(&rule, errors);
        let (dates, invalid) = DateFormats::compile(&rule.formats);
        for message in invalid {
            errors.push("formats", message);
        }
        let (source, mut columns) = compile_source(&rule, &dates, errors);
        let names = columns.iter_mut();
        names.for_each(|name| *name = column_name(name));
        let default = rule.default.as_ref();
        let choices = rule.choices.iter().map(|choice| choice.trim().into());
        Self {
            path: if rule.flat {
                vec![member_name(&rule.target)]
            } else {
                rule.target.split('.').map(member_name).collect()
            },
            source,
            default: default.map(|constant| literal(constant, &rule, &dates, "default", errors)),
            dates,
            choices: (!rule.choices.is_empty()).then(|| choices.collect()),
            rename: compile_renames(&rule, errors),
            pattern: compile_pattern(&rule, errors),
            allows_future_dates: allows_future_dates(&rule.target)
                || columns.iter().any(|column| allows_future_dates(column)),
            is_key: !columns.is_empty() && columns.iter().all(|column| key.contains(column)),
            columns,
            rule,
        }
    }

    /// Checks that a payload has room for the field beside those of the rules
    /// before it.
    fn check_path(&self, before: &[Self], errors: &mut RuleErrors) {
        let target = &self.rule.target;
        if target.eq_ignore_ascii_case("partnerFirmId") {
            let message = "the partner firm is set by [case] partner_firm, not by a field";
            errors.push("", message);
        }
        let overlaps = |other: &&Self| {
            other.path.starts_with(&self.path) || self.path.starts_with(&other.path)
        };
        if self.path.contains(&member_name("")) {
            errors.push("", "empty name before, between or after dots");
        } else if let Some(other) = before.iter().find(overlaps) {
            let line = other.rule.line.map(|line| format!(" (line {line})"));
            let message = if self.path == other.path {
                format!(
                    "duplicate rule for \"{target}\"{}",
                    line.unwrap_or_default()
                )
            } else {
                // The shorter one comes first in the alphabet.
                let value = target.min(&other.rule.target);
                format!("\"{value}\" is a value in one rule and an object in another")
            };
            errors.push("", message);
        }
    }
}

/// Settings that contradict each other, and those without effect.
fn check_settings(rule: &FieldRule, errors: &mut RuleErrors) {
    let settings = [
        ("required", rule.required),
        ("omit_empty", rule.send_empty),
        ("default", rule.default.is_some()),
        ("rename", !rule.rename.is_empty()),
        ("choices", !rule.choices.is_empty()),
        ("pattern", rule.pattern.is_some()),
        ("min_length", rule.min_length.is_some()),
        ("max_length", rule.max_length.is_some()),
        ("part", rule.part.is_some()),
    ];
    let (moot, beside) = match (&rule.source, &rule.default) {
        (FieldSource::Constant(_), _) => (&settings[..], "value"),
        (_, Some(_)) => (&settings[..2], "default"),
        _ => (&settings[..0], ""),
    };
    for (setting, _) in moot.iter().filter(|(_, is_set)| *is_set) {
        let message = format!("`{setting}` has no effect with `{beside}`");
        errors.push(setting, message);
    }
    if rule.min_length == Some(0) {
        errors.push("min_length", "`min_length` has no effect if it is 0");
    }
    if rule.flat && !rule.target.contains('.') {
        errors.push("flat", "`flat` has no effect on a name without a dot");
    }
    if rule.required && rule.send_empty {
        let message = "`omit_empty = false` cannot be combined with `required`";
        errors.push("omit_empty", message);
    }
    let lengths = rule.min_length.zip(rule.max_length);
    if lengths.is_some_and(|(min, max)| min > max) {
        errors.push("min_length", "`min_length` is greater than `max_length`");
    }
    if rule.part.is_some() && !rule.is_text() {
        errors.push("part", "`part` works only on text; remove `type`");
    }
    let is_date = matches!(rule.value_type, Some(ValueType::Date | ValueType::DateTime));
    if !rule.formats.is_empty() && !is_date {
        let message = "`formats` needs type = \"date\" or \"datetime\"";
        errors.push("formats", message);
    }
}

/// The source, and the columns that it names.
fn compile_source(
    rule: &FieldRule,
    dates: &DateFormats,
    errors: &mut RuleErrors,
) -> (CompiledSource, Vec<String>) {
    match &rule.source {
        FieldSource::SameName => (CompiledSource::Columns, vec![rule.target.clone()]),
        FieldSource::Columns(columns) => {
            if columns.is_empty() || columns.iter().any(|column| column.trim().is_empty()) {
                errors.push("from", "a column without a name");
            }
            (CompiledSource::Columns, columns.clone())
        }
        FieldSource::Template(text) => match template::parse(text) {
            Ok((texts, columns)) => (CompiledSource::Template(texts), columns),
            Err(error) => {
                errors.push("from", error);
                (CompiledSource::Columns, Vec::new())
            }
        },
        FieldSource::Constant(constant) => {
            let json = literal(constant, rule, dates, "value", errors);
            (CompiledSource::Constant(json), Vec::new())
        }
    }
}

fn compile_pattern(rule: &FieldRule, errors: &mut RuleErrors) -> Option<Regex> {
    let pattern = rule.pattern.as_deref()?;
    // Alone first: inside the group an unbalanced bracket could pass.
    let whole = Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
    whole
        .map_err(|error| {
            let message = format!("not a valid regular expression: {error}");
            errors.push("pattern", message);
        })
        .ok()
}

fn compile_renames(rule: &FieldRule, errors: &mut RuleErrors) -> HashMap<Box<str>, Box<str>> {
    let mut rename = HashMap::default();
    for (from, to) in &rule.rename {
        let from = from.trim();
        if from.is_empty() {
            errors.push("rename", "cannot rename a blank value; use `default`");
        } else if rename.insert(from.into(), to.as_str().into()).is_some() {
            errors.push("rename", format!("\"{from}\" is renamed twice"));
        }
        // Such a rename could never be sent.
        let to = to.trim();
        if rule.is_text() && !to.is_empty() && !rule.is_choice(to) {
            let hint = names::did_you_mean(to, rule.choices.iter().map(String::as_str));
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            let message =
                format!("\"{from}\" is renamed to \"{to}\", which is not one of the choices{hint}");
            errors.push("rename", message);
        }
    }
    rename
}

/// The JSON of a value in the config, converted like any other.
fn literal(
    constant: &Constant,
    rule: &FieldRule,
    dates: &DateFormats,
    setting: &'static str,
    errors: &mut RuleErrors,
) -> Box<str> {
    let (kind, text) = match constant {
        Constant::Text(text) => (CellKind::Text, text.as_str()),
        Constant::Number(text) => (CellKind::Number, text.as_str()),
        Constant::Bool(true) => (CellKind::Bool, "true"),
        Constant::Bool(false) => (CellKind::Bool, "false"),
    };
    let cell = Cell { kind, text };
    let mut json = String::new();
    let mut written = String::new();
    let value = match rule.value_type {
        None => PayloadValue::of_cell(cell),
        Some(value_type) => match convert(value_type, dates, cell, &mut written) {
            Ok((value, _)) => value,
            Err(error) => {
                errors.push(setting, format!("`{setting}`: {}", error.message));
                return json.into();
            }
        },
    };
    value.write(&mut json);
    let text = value.text();
    if !rule.is_choice(text) {
        errors.push(setting, format!("\"{text}\" is not one of the choices"));
    }
    json.into()
}
