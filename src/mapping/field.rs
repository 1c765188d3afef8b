//! One rule applied to one record: a payload field's value, or its problems.

use std::collections::HashMap;

use crate::model::{Cell, CellKind, Code, Place, Problem, Record};

use super::bind::{ColumnPath, FoundValue};
use super::blank::{is_blank, trimmed};
use super::json::{begin_member, is_plain, push_string};
use super::options::NamePart;
use super::rules::{Choices, CompiledField, CompiledSource, WhenBlank};
use super::suggest;
use super::template;
use super::values::{Civil, Converted, ValueError, convert};

/// What a mapper keeps between records: buffers, and suggestions found before.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    composed: String,
    written: String,
    /// By field and value; looking one up in 20 choices costs as much as
    /// mapping some records.
    hints: Hints,
}

type Hints = HashMap<(usize, Box<str>), Option<String>>;

/// Suggestions kept; a column with more wrong values has other troubles.
const HINTS: usize = 4096;

/// One rule at work on one record.
pub(super) struct FieldWriter<'w, 'r> {
    pub(super) field: &'w CompiledField,
    /// The field's position, for what is kept by field.
    pub(super) position: usize,
    /// The field's name with its colon, as JSON.
    pub(super) name: &'w str,
    pub(super) paths: &'w [ColumnPath],
    pub(super) record: &'w Record<'r>,
    pub(super) today: Option<Civil>,
    pub(super) payload: &'w mut String,
    /// Where the value stands in the payload.
    pub(super) span: &'w mut (usize, usize),
    pub(super) problems: &'w mut Vec<Problem>,
}

impl FieldWriter<'_, '_> {
    /// Writes the field, unless it is left out or has a problem.
    #[inline]
    pub(super) fn run(&mut self, texts: &mut Buffers) {
        if let ([path], CompiledSource::Columns) = (self.paths, &self.field.from)
            && let Some(cell) = path.direct(self.record)
        {
            return self.take(cell, 0, &mut texts.written, &mut texts.hints);
        }
        self.compose(texts);
    }

    /// From several columns, from below one, or from none.
    fn compose(&mut self, texts: &mut Buffers) {
        let Buffers {
            composed,
            written,
            hints,
        } = texts;
        match &self.field.from {
            CompiledSource::Constant(json) => {
                self.write(Converted::Raw(json));
            }
            CompiledSource::Columns => {
                let (value, column) = first_filled(self.paths, self.record);
                self.take(value.cell(), column, written, hints);
            }
            CompiledSource::Template(pieces) => {
                let mut values = Vec::with_capacity(self.paths.len());
                for (path, column) in self.paths.iter().zip(&self.field.columns) {
                    let value = path.find(self.record);
                    if value.kind == CellKind::Json {
                        return self.fault(column, value.cell(), nested());
                    }
                    self.warn(column, value.cell());
                    values.push(value.text);
                }
                template::fill(pieces, &values, composed);
                self.take(Cell::text(composed), 0, written, hints);
            }
        }
    }

    fn take(&mut self, cell: Cell<'_>, column: usize, written: &mut String, hints: &mut Hints) {
        let field = self.field;
        let column = field.columns.get(column).map_or("", String::as_str);
        if is_blank(cell) {
            return self.blank(column, cell);
        }
        let mut taken = cell;
        if field.looks_at_text() {
            if cell.kind == CellKind::Json {
                return self.refuse(column, cell, nested());
            }
            match rewritten(field, cell) {
                Ok(cell) => taken = cell,
                Err(fault) => return self.refuse(column, cell, fault),
            }
            if is_blank(taken) {
                return self.blank(column, cell);
            }
        }
        let mut day = None;
        let converted = match field.value_type {
            Some(kind) => convert(kind, &field.dates, taken, written, &mut day),
            None => Ok(as_it_stands(taken)),
        };
        let mut value = match converted {
            Ok(value) => value,
            Err(fault) => return self.refuse(column, cell, fault),
        };
        if let Some(choices) = &field.choices {
            let text = trimmed(value.text());
            let Some(choice) = choices.find(text) else {
                let message = format!("none of the choices of {}", field.target);
                let mut fault = ValueError::new(Code::NotAChoice, message);
                fault.hint = hint_of(hints, self.position, text, choices).map(Into::into);
                return self.refuse(column, cell, fault);
            };
            if let Converted::Text(_) = value {
                value = Converted::Text(choice);
            }
        }
        if field.checks_result()
            && let Some(fault) = misfit(field, value.text())
        {
            return self.refuse(column, cell, fault);
        }
        if let Some(day) = day {
            self.plausible(column, cell, day);
        }
        let is_plain = self.write(value);
        // What a type takes is never odd; a template's columns were looked at.
        if field.takes_any_text()
            && (!is_plain || cell.text.starts_with('#'))
            && matches!(field.from, CompiledSource::Columns)
        {
            self.warn(column, cell);
        }
    }

    /// Writes name and value; whether the value went in without an escape.
    #[inline]
    fn write(&mut self, value: Converted<'_>) -> bool {
        begin_member(self.name, self.payload);
        let start = self.payload.len();
        let is_plain = match value {
            Converted::Text(text) => push_string(text, self.payload),
            Converted::Raw(json) => {
                self.payload.push_str(json);
                true
            }
        };
        *self.span = (start, self.payload.len());
        is_plain
    }

    fn blank(&mut self, column: &str, cell: Cell<'_>) {
        let field = self.field;
        if let Some(json) = &field.default {
            self.write(Converted::Raw(json));
            return;
        }
        match field.blank {
            WhenBlank::LeftOut => {}
            WhenBlank::SentEmpty => {
                self.write(Converted::Text(""));
            }
            WhenBlank::Refused => {
                let state = if cell.is_blank() {
                    "empty"
                } else {
                    "renamed to nothing"
                };
                let message = format!("{state}, and {} is required", field.target);
                self.fault(
                    column,
                    cell,
                    ValueError::new(Code::MissingRequired, message),
                );
            }
        }
    }

    /// The value is not sent; what is odd about its cell is told too.
    #[cold]
    fn refuse(&mut self, column: &str, cell: Cell<'_>, fault: ValueError) {
        if matches!(self.field.from, CompiledSource::Columns) {
            self.warn(column, cell);
        }
        self.fault(column, cell, fault);
    }

    fn warn(&mut self, column: &str, cell: Cell<'_>) {
        warn(column, cell, self.record.place, self.problems);
    }

    fn plausible(&mut self, column: &str, cell: Cell<'_>, day: Civil) {
        let Some(today) = self.today else { return };
        let message = if day > today && !self.field.allows_future_dates {
            "a date in the future"
        } else if age(day, today) > 120 {
            "a date more than 120 years ago"
        } else {
            return;
        };
        self.fault(
            column,
            cell,
            ValueError::new(Code::ImplausibleDate, message),
        );
    }

    #[cold]
    fn fault(&mut self, column: &str, cell: Cell<'_>, fault: ValueError) {
        self.problems
            .push(problem(self.record.place, column, cell, fault));
    }
}

/// The first filled column, or none of them.
fn first_filled<'r>(paths: &[ColumnPath], record: &Record<'r>) -> (FoundValue<'r>, usize) {
    paths
        .iter()
        .enumerate()
        .map(|(at, path)| (path.find(record), at))
        .find(|(value, _)| !is_blank(value.cell()))
        .unwrap_or_else(|| (FoundValue::of_cell(Cell::default()), 0))
}

/// Whole years from a day to today.
fn age(day: Civil, today: Civil) -> u16 {
    let years = today.year.saturating_sub(day.year);
    let had_birthday = (today.month, today.day) >= (day.month, day.day);
    years.saturating_sub(u16::from(!had_birthday))
}

/// A fault as the problem that people read.
#[cold]
pub(super) fn problem(place: Place, column: &str, cell: Cell<'_>, fault: ValueError) -> Problem {
    let mut problem = Problem::new(fault.code, place, fault.message);
    if !column.is_empty() {
        problem = problem.in_column(column);
    }
    if !cell.is_blank() {
        problem = problem.with_value(cell.text);
    }
    problem.hint = fault.hint.map(Into::into);
    problem
}

/// Control characters and a spreadsheet's own errors in a cell that is used.
#[inline]
pub(super) fn warn(column: &str, cell: Cell<'_>, place: Place, problems: &mut Vec<Problem>) {
    if cell.kind != CellKind::Text {
        return;
    }
    if !is_plain(cell.text) && cell.text.bytes().any(is_control) {
        let fault = ValueError::new(Code::ControlCharacter, "control characters in the value")
            .hint("clear the cell and type the value again");
        problems.push(problem(place, column, cell, fault));
    }
    if cell.text.starts_with('#') && is_spreadsheet_error(cell.text.trim_end()) {
        let fault = ValueError::new(
            Code::SpreadsheetError,
            "a spreadsheet's error instead of a value",
        )
        .hint("mend the formula, or widen the column and export again");
        problems.push(problem(place, column, cell, fault));
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n')
}

/// `#N/A` and its kin, and the marks of a column that is too narrow.
fn is_spreadsheet_error(text: &str) -> bool {
    const ERRORS: [&str; 14] = [
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#DIV/0!",
        "#NAME?",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#CALC!",
        "#GETTING_DATA",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#ERROR!",
    ];
    ERRORS.iter().any(|error| text.eq_ignore_ascii_case(error))
        || (text.len() >= 3 && text.bytes().all(|byte| byte == b'#'))
}

fn nested() -> ValueError {
    ValueError::new(
        Code::NestedValue,
        "a nested value where a single one is needed",
    )
    .hint("name the value inside it with dots, such as `from = \"client.email\"`")
}

fn as_it_stands(cell: Cell<'_>) -> Converted<'_> {
    match cell.kind {
        CellKind::Number | CellKind::Bool | CellKind::Json => Converted::Raw(cell.text),
        _ => Converted::Text(cell.text),
    }
}

/// A side of the name, and what the value is renamed to.
fn rewritten<'c>(field: &'c CompiledField, cell: Cell<'c>) -> Result<Cell<'c>, ValueError> {
    let mut cell = cell;
    if let Some(part) = field.part {
        let sides = cell.text.split_once(',').filter(|(last, first)| {
            !first.contains(',') && !last.trim().is_empty() && !first.trim().is_empty()
        });
        let Some((last, first)) = sides else {
            return Err(
                ValueError::new(Code::BadName, "not of the form \"Last, First\"")
                    .hint("write the last name, one comma, and the first name"),
            );
        };
        cell = Cell::text(match part {
            NamePart::Last => last.trim(),
            NamePart::First => first.trim(),
        });
    }
    if !field.rename.is_empty()
        && let Some(renamed) = field.rename.get(trimmed(cell.text))
    {
        cell = Cell::text(renamed);
    }
    Ok(cell)
}

fn misfit(field: &CompiledField, text: &str) -> Option<ValueError> {
    if let Some(least) = field.min_length
        && text.len() < least.saturating_mul(4)
        && text.chars().count() < least
    {
        return Some(ValueError::new(
            Code::TooShort,
            format!(
                "shorter than the {least} characters that {} needs",
                field.target
            ),
        ));
    }
    if let Some(most) = field.max_length
        && text.len() > most
        && text.chars().count() > most
    {
        return Some(ValueError::new(
            Code::TooLong,
            format!(
                "longer than the {most} characters that {} may have",
                field.target
            ),
        ));
    }
    if let Some((regex, pattern)) = &field.pattern
        && !regex.is_match(text)
    {
        return Some(ValueError::new(
            Code::PatternMismatch,
            format!("does not match the pattern of {}: {pattern}", field.target),
        ));
    }
    None
}

#[cold]
fn hint_of(hints: &mut Hints, field: usize, text: &str, choices: &Choices) -> Option<String> {
    let known = (field, Box::from(text));
    if let Some(hint) = hints.get(&known) {
        return hint.clone();
    }
    let hint = suggest::did_you_mean(text, choices.meant.iter().map(AsRef::as_ref));
    if hints.len() < HINTS {
        hints.insert(known, hint.clone());
    }
    hint
}
