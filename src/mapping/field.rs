//! One rule applied to one record: a payload field's value, or its problems.

use foldhash::HashMap;
use jiff::civil::Date;

use crate::model::{
    Cell, CellKind, Code, Place, Problem, Record, invisible_names, is_rounded_number,
    is_spreadsheet_error, without_invisible,
};

use super::columns::{ColumnPath, FoundValue};
use super::json::{PayloadValue, is_plain};
use super::mapper::PayloadWriter;
use super::names;
use super::options::{FieldRule, NamePart};
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

/// A field with all that is known of it before a record is.
#[derive(Clone, Copy)]
pub(super) struct BoundField<'w> {
    /// Its position among the rules.
    pub(super) position: usize,
    /// Its name as JSON with the colon.
    pub(super) name: &'w str,
    pub(super) rule: &'w FieldRule,
    pub(super) compiled: &'w CompiledField,
    pub(super) paths: &'w [ColumnPath],
}

impl<'w> PayloadWriter<'w, '_> {
    /// Writes the field, unless it is left out or has a problem.
    pub(super) fn write_field(&mut self, field: BoundField<'w>) {
        let columns = &field.compiled.columns;
        let column = |position: usize| columns.get(position).map_or("", String::as_str);
        match &field.compiled.source {
            CompiledSource::Constant(json) => self.push(field, PayloadValue::Raw(json)),
            CompiledSource::Columns => {
                let (value, position) = first_filled(field.paths, self.record);
                self.write_cell(field, column(position), value.cell());
            }
            CompiledSource::Template(pieces) => {
                let mut values = Vec::with_capacity(columns.len());
                for (path, column) in field.paths.iter().zip(columns) {
                    let value = path.find(self.record);
                    if value.kind == CellKind::Json {
                        return self.error(column, value.cell(), ValueError::nested());
                    }
                    if !field.compiled.is_key {
                        self.warn(column, value.cell());
                    }
                    values.push(value.text);
                }
                let mut text = String::new();
                template::fill(pieces, &values, &mut text);
                self.write_cell(field, column(0), Cell::text(&text));
            }
        }
    }

    fn write_cell(&mut self, field: BoundField<'w>, column: &str, cell: Cell<'_>) {
        if cell.is_blank() {
            return self.write_blank(field, column, cell, "empty");
        }
        // A key was looked at when it was read, and goes out as it was read; the
        // columns of a template were looked at one by one.
        let is_key = field.compiled.is_key;
        let warns = matches!(field.compiled.source, CompiledSource::Columns) && !is_key;
        let text = if is_key {
            without_invisible(cell.text)
        } else {
            cell.text.into()
        };
        let cell = Cell {
            text: &text,
            ..cell
        };
        match field.value(cell, self.buffers) {
            Ok(None) => self.write_blank(field, column, cell, "renamed to an empty value"),
            Ok(Some((value, day))) => {
                self.text.push_member(field.name, field.position, value);
                // A value of another type can't contain what else is warned of.
                if warns && field.rule.is_text() {
                    self.warn(column, cell);
                } else if warns && cell.kind == CellKind::Text {
                    warn_removed(column, cell, self.record.place, self.problems);
                }
                let today = self.rules.options.today;
                if let (Some(day), Some(today)) = (day, today)
                    && let Some(message) = field.implausible(day, today)
                {
                    let error = ValueError::new(Code::ImplausibleDate, message);
                    self.error(column, cell, error);
                }
            }
            Err(error) => {
                if warns {
                    self.warn(column, cell);
                }
                self.error(column, cell, error);
            }
        }
    }

    fn write_blank(&mut self, field: BoundField<'w>, column: &str, cell: Cell<'_>, state: &str) {
        if let Some(json) = &field.compiled.default {
            self.push(field, PayloadValue::Raw(json));
        } else if field.rule.required {
            let message = format!("{state}, but {} is required", field.rule.target);
            self.error(
                column,
                cell,
                ValueError::new(Code::MissingRequired, message),
            );
        } else if field.rule.send_empty {
            self.push(field, PayloadValue::Text(""));
        }
    }

    fn push(&mut self, field: BoundField<'_>, value: PayloadValue<'_>) {
        self.text.push_member(field.name, field.position, value);
    }

    pub(super) fn warn(&mut self, column: &str, cell: Cell<'_>) {
        warn(column, cell, self.record.place, self.problems);
        if cell.kind == CellKind::Text {
            warn_invisible(
                "in the value",
                column,
                cell,
                self.record.place,
                self.problems,
            );
        }
    }

    #[cold]
    pub(super) fn error(&mut self, column: &str, cell: Cell<'_>, error: ValueError) {
        self.problems
            .push(problem(self.record.place, column, cell, error));
    }
}

impl BoundField<'_> {
    /// The value of a filled cell with its day, if it is a date; none where it
    /// is renamed to nothing.
    fn value<'c>(
        &'c self,
        cell: Cell<'c>,
        buffers: &'c mut Buffers,
    ) -> Result<Option<(PayloadValue<'c>, Option<Date>)>, ValueError> {
        let rule = self.rule;
        if cell.kind == CellKind::Json && rule.looks_at_text() {
            return Err(ValueError::nested());
        }
        let mut taken = cell;
        if let Some(part) = rule.part {
            taken = Cell::text(name_part(part, cell.text)?);
        }
        if !self.compiled.rename.is_empty()
            && let Some(renamed) = self.compiled.rename.get(taken.text.trim())
        {
            taken = Cell::text(renamed);
            if taken.is_blank() {
                return Ok(None);
            }
        }
        let (mut value, day) = match rule.value_type {
            Some(kind) => convert(kind, &self.compiled.dates, taken, &mut buffers.written)?,
            None => (PayloadValue::of_cell(taken), None),
        };
        if let Some(choices) = &self.compiled.choices {
            let text = value.text().trim();
            if !choices.contains(text) {
                let message = format!("not one of the choices for {}", rule.target);
                let mut error = ValueError::new(Code::NotAChoice, message);
                error.hint = self
                    .closest_choice(text, &mut buffers.hints)
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
        let (rule, target) = (self.rule, &self.rule.target);
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
        if let (Some(regex), Some(pattern)) = (&self.compiled.pattern, &rule.pattern)
            && !regex.is_match(text)
        {
            let message = format!("does not match the pattern for {target}: {pattern}");
            return Err(ValueError::new(Code::PatternMismatch, message));
        }
        Ok(())
    }

    fn implausible(&self, day: Date, today: Date) -> Option<&'static str> {
        if day > today && !self.compiled.allows_future_dates {
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
        text: &str,
        hints: &mut HashMap<(usize, Box<str>), Option<String>>,
    ) -> Option<String> {
        let value = (self.position, Box::from(text));
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

#[cold]
pub(super) fn problem(place: Place, column: &str, cell: Cell<'_>, error: ValueError) -> Problem {
    let mut problem = Problem::new(error.code, place, error.message);
    if !column.is_empty() {
        problem = problem.in_column(column);
    }
    if !cell.is_blank() {
        problem = problem.with_value(cell.text);
    }
    problem.hint = error.hint.map(Into::into);
    problem
}

pub(super) const ROUNDED: &str =
    "other rows may have lost the same digits; export again with this column as text";

/// Warns of control characters and of what a spreadsheet has spoiled in a cell.
#[inline]
pub(super) fn warn(column: &str, cell: Cell<'_>, place: Place, problems: &mut Vec<Problem>) {
    if cell.kind != CellKind::Text {
        return;
    }
    let is_control = |byte| byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n');
    if !is_plain(cell.text) && cell.text.bytes().any(is_control) {
        let error = ValueError::new(Code::ControlCharacter, "control characters in the value")
            .hint("clear the cell and type the value again");
        problems.push(problem(place, column, cell, error));
    }
    if is_rounded_number(cell.text) {
        let message = "a number that a spreadsheet has rounded";
        let error = ValueError::new(Code::RoundedNumber, message).hint(ROUNDED);
        problems.push(problem(place, column, cell, error));
    }
    if is_spreadsheet_error(cell.text.trim_end()) {
        let error = ValueError::new(Code::SpreadsheetError, "spreadsheet error value")
            .hint("fix the formula, or widen the column, and export again");
        problems.push(problem(place, column, cell, error));
    }
}

/// Warns of a cell whose invisible characters are removed.
pub(super) fn warn_removed(
    column: &str,
    cell: Cell<'_>,
    place: Place,
    problems: &mut Vec<Problem>,
) {
    warn_invisible("removed", column, cell, place, problems);
}

fn warn_invisible(
    what: &str,
    column: &str,
    cell: Cell<'_>,
    place: Place,
    problems: &mut Vec<Problem>,
) {
    if let Some(names) = invisible_names(cell.text) {
        let message = format!("invisible characters {what}: {names}");
        let error = ValueError::new(Code::InvisibleCharacter, message)
            .hint("clear the cell and type the value again");
        problems.push(problem(place, column, cell, error));
    }
}
