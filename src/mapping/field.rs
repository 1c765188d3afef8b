//! One rule applied to one record: a payload field's value, or its problems.

use foldhash::HashMap;
use jiff::civil::Date;

use crate::model::{Cell, CellKind, Code, Record, without_invisible};

use super::columns::{ColumnPath, FoundValue};
use super::json::PayloadValue;
use super::mapper::PayloadWriter;
use super::names;
use super::options::NamePart;
use super::rules::{CompiledField, CompiledSource};
use super::template;
use super::values::{ValueError, convert};

/// What a mapper keeps between records: memory, and suggestions by field and
/// value, since finding one costs as much as mapping several records.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    written: String,
    hints: HashMap<(usize, Box<str>), Option<String>>,
}

const MAX_HINTS: usize = 4096;

impl<'w> PayloadWriter<'w, '_> {
    /// Writes the field of a rule, unless it is left out or has a problem.
    pub(super) fn write_field(&mut self, part: usize) {
        let field = &self.rules.fields[part];
        let (paths, columns) = (&self.binding.fields[part], &field.columns);
        let column = |position: usize| columns.get(position).map_or("", String::as_str);
        match &field.source {
            CompiledSource::Constant(json) => {
                self.text
                    .push_member(&field.path, part, PayloadValue::Raw(json));
            }
            CompiledSource::Columns => {
                let (value, position) = first_filled(paths, self.record);
                self.write_cell(part, field, column(position), value.cell());
            }
            CompiledSource::Template(texts) => {
                let mut values = Vec::with_capacity(columns.len());
                for (path, column) in paths.iter().zip(columns) {
                    let value = path.find(self.record);
                    if value.kind == CellKind::Json {
                        let error = ValueError::nested();
                        return self.problems.error(column, value.cell(), error);
                    }
                    if !field.is_key {
                        self.warn(column, value.cell());
                    }
                    values.push(value.text);
                }
                let mut text = String::new();
                template::fill(texts, &values, &mut text);
                self.write_cell(part, field, column(0), Cell::text(&text));
            }
        }
    }

    /// Writes the value of a cell.
    pub(super) fn write_cell(
        &mut self,
        part: usize,
        field: &'w CompiledField,
        column: &str,
        cell: Cell<'_>,
    ) {
        if cell.is_blank() {
            return self.write_blank(part, field, column, cell, "empty");
        }
        // A key was looked at when it was read, and goes out as it was read; the
        // columns of a template were looked at one by one.
        let warns = matches!(field.source, CompiledSource::Columns) && !field.is_key;
        let text = if field.is_key {
            without_invisible(cell.text)
        } else {
            cell.text.into()
        };
        let cell = Cell {
            text: &text,
            ..cell
        };
        match field.value(part, cell, self.buffers) {
            Ok(None) => self.write_blank(part, field, column, cell, "renamed to an empty value"),
            Ok(Some((value, day))) => {
                self.text.push_member(&field.path, part, value);
                // A value of another type can't contain what else is warned of.
                if warns && field.rule.is_text() {
                    self.warn(column, cell);
                } else if warns {
                    self.problems.warn_invisible(column, cell, "removed");
                }
                let today = self.rules.options.today;
                if let (Some(day), Some(today)) = (day, today)
                    && let Some(message) = field.implausible(day, today)
                {
                    let error = ValueError::new(Code::ImplausibleDate, message);
                    self.problems.error(column, cell, error);
                }
            }
            Err(error) => {
                if warns {
                    self.warn(column, cell);
                }
                self.problems.error(column, cell, error);
            }
        }
    }

    fn write_blank(
        &mut self,
        part: usize,
        field: &'w CompiledField,
        column: &str,
        cell: Cell<'_>,
        state: &str,
    ) {
        if let Some(json) = &field.default {
            self.text
                .push_member(&field.path, part, PayloadValue::Raw(json));
        } else if field.rule.required {
            let message = format!("{state}, but {} is required", field.rule.target);
            let error = ValueError::new(Code::MissingRequired, message);
            self.problems.error(column, cell, error);
        } else if field.rule.send_empty {
            self.text
                .push_member(&field.path, part, PayloadValue::Text(""));
        }
    }

    fn warn(&mut self, column: &str, cell: Cell<'_>) {
        self.problems.warn(column, cell);
        self.problems.warn_invisible(column, cell, "in the value");
    }
}

impl CompiledField {
    /// The value of a filled cell with its day, if it is a date; none where it
    /// is renamed to nothing.
    fn value<'c>(
        &'c self,
        part: usize,
        cell: Cell<'c>,
        buffers: &'c mut Buffers,
    ) -> Result<Option<(PayloadValue<'c>, Option<Date>)>, ValueError> {
        let rule = &self.rule;
        if cell.kind == CellKind::Json && rule.looks_at_text() {
            return Err(ValueError::nested());
        }
        let mut taken = cell;
        if let Some(part) = rule.part {
            taken = Cell::text(name_part(part, cell.text)?);
        }
        if !self.rename.is_empty()
            && let Some(renamed) = self.rename.get(taken.text.trim())
        {
            taken = Cell::text(renamed);
            if taken.is_blank() {
                return Ok(None);
            }
        }
        let (mut value, day) = match rule.value_type {
            Some(kind) => convert(kind, &self.dates, taken, &mut buffers.written)?,
            None => (PayloadValue::of_cell(taken), None),
        };
        if let Some(choices) = &self.choices {
            let text = value.text().trim();
            if !choices.contains(text) {
                let message = format!("not one of the choices for {}", rule.target);
                let mut error = ValueError::new(Code::NotAChoice, message);
                error.hint = self
                    .closest_choice(part, text, &mut buffers.hints)
                    .map(Into::into);
                return Err(error);
            }
            if let PayloadValue::Text(_) = value {
                value = PayloadValue::Text(text);
            }
        }
        self.check_limits(value.text())?;
        Ok(Some((value, day)))
    }

    fn check_limits(&self, text: &str) -> Result<(), ValueError> {
        let (rule, target) = (&self.rule, &self.rule.target);
        // Characters are counted only where the number of bytes leaves it open.
        if let Some(min) = rule.min_length
            && text.len() < min.saturating_mul(4)
            && text.chars().count() < min
        {
            let message = format!("shorter than {min} characters, the minimum for {target}");
            return Err(ValueError::new(Code::TooShort, message));
        }
        if let Some(max) = rule.max_length
            && text.len() > max
            && text.chars().count() > max
        {
            let message = format!("longer than {max} characters, the maximum for {target}");
            return Err(ValueError::new(Code::TooLong, message));
        }
        if let (Some(regex), Some(pattern)) = (&self.pattern, &rule.pattern)
            && !regex.is_match(text)
        {
            let message = format!("does not match the pattern for {target}: {pattern}");
            return Err(ValueError::new(Code::PatternMismatch, message));
        }
        Ok(())
    }

    fn implausible(&self, day: Date, today: Date) -> Option<&'static str> {
        if day > today && !self.allows_future_dates {
            Some("date is in the future")
        } else if age(day, today) > 120 {
            Some("date is more than 120 years ago")
        } else {
            None
        }
    }

    #[cold]
    fn closest_choice(
        &self,
        part: usize,
        text: &str,
        hints: &mut HashMap<(usize, Box<str>), Option<String>>,
    ) -> Option<String> {
        let value = (part, Box::from(text));
        if let Some(hint) = hints.get(&value) {
            return hint.clone();
        }
        let renamed = self.rule.rename.iter().map(|(from, _)| from);
        let choices = self.rule.choices.iter().chain(renamed);
        let hint = names::did_you_mean(text, choices.map(|choice| choice.trim()));
        if hints.len() < MAX_HINTS {
            hints.insert(value, hint.clone());
        }
        hint
    }
}

/// The first filled value with the position of its column, or nothing.
#[inline]
fn first_filled<'r>(paths: &[ColumnPath], record: &Record<'r>) -> (FoundValue<'r>, usize) {
    for (position, path) in paths.iter().enumerate() {
        let value = path.find(record);
        if !value.cell().is_blank() {
            return (value, position);
        }
    }
    (FoundValue::default(), 0)
}

/// Whole years from a day to today.
fn age(day: Date, today: Date) -> i16 {
    let had_birthday = (today.month(), today.day()) >= (day.month(), day.day());
    today.year() - day.year() - i16::from(!had_birthday)
}

fn name_part(part: NamePart, name: &str) -> Result<&str, ValueError> {
    let sides = name
        .split_once(',')
        .map(|(last, first)| (last.trim(), first.trim()));
    match sides {
        Some((last, first)) if !last.is_empty() && !first.is_empty() && !first.contains(',') => {
            Ok(match part {
                NamePart::Last => last,
                NamePart::First => first,
            })
        }
        _ => Err(
            ValueError::new(Code::BadName, "not in the form \"Last, First\"")
                .hint("write the last name, one comma, and the first name"),
        ),
    }
}
