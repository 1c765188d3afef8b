//! One rule applied to one record: a payload field's value, or its problems.

use std::collections::HashMap;

use crate::model::{Cell, CellKind, Code, Place, Problem, Record};

use super::bind::{Path, Value};
use super::json::is_plain;
use super::options::NamePart;
use super::rules::{Blank, Choices, Field, From};
use super::suggest;
use super::template;
use super::values::{Civil, Converted, Fault, convert};

/// What a mapper keeps between records: buffers, and suggestions found before.
#[derive(Debug, Default)]
pub(super) struct Texts {
    composed: String,
    written: String,
    /// By field and value; looking one up in 20 choices costs as much as
    /// mapping some records.
    hints: HashMap<(usize, Box<str>), Option<String>>,
}

/// Suggestions kept; a column with more wrong values has other troubles.
const HINTS: usize = 4096;

/// One rule at work on one record.
pub(super) struct Work<'w, 'r> {
    pub(super) field: &'w Field,
    /// The field's position, for what is kept by field.
    pub(super) position: usize,
    pub(super) paths: &'w [Path],
    pub(super) record: &'w Record<'r>,
    pub(super) today: Option<Civil>,
    pub(super) problems: &'w mut Vec<Problem>,
}

impl<'r> Work<'_, 'r> {
    /// Hands the value to `write`, unless the field is left out or has a problem.
    pub(super) fn value(&mut self, texts: &mut Texts, mut write: impl FnMut(Converted<'_>)) {
        let Texts {
            composed,
            written,
            hints,
        } = texts;
        let (value, column) = match &self.field.from {
            From::Constant(json) => return write(Converted::Raw(json)),
            From::Columns => self.first_filled(),
            From::Template(pieces) => {
                let mut values = Vec::with_capacity(self.paths.len());
                for (path, column) in self.paths.iter().zip(&self.field.columns) {
                    let value = path.find(self.record);
                    if value.kind == CellKind::Json {
                        self.fault(column, value.cell(), nested());
                        return;
                    }
                    self.warn(column, value.cell());
                    values.push(value.text);
                }
                template::fill(pieces, &values, composed);
                (Value::of_cell(Cell::text(composed)), 0)
            }
        };
        let field = self.field;
        let column = field.columns.get(column).map_or("", String::as_str);
        let cell = value.cell();
        if cell.is_blank() {
            return self.blank(column, cell, write);
        }
        if matches!(field.from, From::Columns) {
            self.warn(column, cell);
        }
        let mut taken = cell;
        if field.looks_at_text() {
            if cell.kind == CellKind::Json {
                return self.fault(column, cell, nested());
            }
            match rewritten(field, cell) {
                Ok(cell) => taken = cell,
                Err(fault) => return self.fault(column, cell, fault),
            }
            if taken.is_blank() {
                return self.blank(column, cell, write);
            }
        }
        let mut day = None;
        let converted = match field.value_type {
            Some(kind) => convert(kind, &field.dates, taken, written, &mut day),
            None => Ok(as_it_stands(taken)),
        };
        let mut value = match converted {
            Ok(value) => value,
            Err(fault) => return self.fault(column, cell, fault),
        };
        if let Some(choices) = &field.choices {
            let Some(choice) = choices.set.get(value.text().trim()) else {
                let hint = hint_of(hints, self.position, value.text().trim(), choices);
                let mut fault = Fault::new(
                    Code::NotAChoice,
                    format!("none of the choices of {}", field.target),
                );
                fault.hint = hint.map(Into::into);
                return self.fault(column, cell, fault);
            };
            if let Converted::Text(_) = value {
                value = Converted::Text(choice);
            }
        }
        if field.checks_result()
            && let Some(fault) = misfit(field, value.text())
        {
            return self.fault(column, cell, fault);
        }
        if let Some(day) = day {
            self.plausible(column, cell, day);
        }
        write(value);
    }

    /// The first filled column, or the last of them all.
    fn first_filled(&self) -> (Value<'r>, usize) {
        let mut last = (Value::of_cell(Cell::default()), 0);
        for (at, path) in self.paths.iter().enumerate() {
            let value = path.find(self.record);
            if !value.cell().is_blank() {
                return (value, at);
            }
            last = (value, 0);
        }
        last
    }

    fn blank(&mut self, column: &str, cell: Cell<'_>, mut write: impl FnMut(Converted<'_>)) {
        let field = self.field;
        if let Some(json) = &field.default {
            return write(Converted::Raw(json));
        }
        match field.blank {
            Blank::LeftOut => {}
            Blank::SentEmpty => write(Converted::Text("")),
            Blank::Refused => {
                let state = if cell.is_blank() {
                    "empty"
                } else {
                    "renamed to nothing"
                };
                let message = format!("{state}, and {} is required", field.target);
                self.fault(column, cell, Fault::new(Code::MissingRequired, message));
            }
        }
    }

    /// Told whatever becomes of the value.
    fn warn(&mut self, column: &str, cell: Cell<'_>) {
        warn(column, cell, self.record.place, self.problems);
    }

    fn plausible(&mut self, column: &str, cell: Cell<'_>, day: Civil) {
        let Some(today) = self.today else { return };
        let message = if day > today && !self.field.may_lie_ahead {
            "a date in the future"
        } else if self.field.is_birth && age(day, today) > 120 {
            "an age over 120 years"
        } else {
            return;
        };
        self.fault(column, cell, Fault::new(Code::ImplausibleDate, message));
    }

    #[cold]
    fn fault(&mut self, column: &str, cell: Cell<'_>, fault: Fault) {
        self.problems
            .push(problem(self.record.place, column, cell, fault));
    }
}

fn age(birth: Civil, today: Civil) -> u16 {
    let years = today.year.saturating_sub(birth.year);
    let had_birthday = (today.month, today.day) >= (birth.month, birth.day);
    years.saturating_sub(u16::from(!had_birthday))
}

/// A fault as the problem that people read.
#[cold]
pub(super) fn problem(place: Place, column: &str, cell: Cell<'_>, fault: Fault) -> Problem {
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
        let fault = Fault::new(Code::ControlCharacter, "control characters in the value")
            .hint("clear the cell and type the value again");
        problems.push(problem(place, column, cell, fault));
    }
    if cell.text.starts_with('#') && is_spreadsheet_error(cell.text.trim_end()) {
        let fault = Fault::new(
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

fn nested() -> Fault {
    Fault::new(
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
fn rewritten<'c>(field: &'c Field, cell: Cell<'c>) -> Result<Cell<'c>, Fault> {
    let mut cell = cell;
    if let Some(part) = field.part {
        let sides = cell.text.split_once(',').filter(|(last, first)| {
            !first.contains(',') && !last.trim().is_empty() && !first.trim().is_empty()
        });
        let Some((last, first)) = sides else {
            return Err(Fault::new(Code::BadName, "not of the form \"Last, First\"")
                .hint("write the last name, one comma, and the first name"));
        };
        cell = Cell::text(match part {
            NamePart::Last => last.trim(),
            NamePart::First => first.trim(),
        });
    }
    if !field.rename.is_empty()
        && let Some(renamed) = field.rename.get(cell.text.trim())
    {
        cell = Cell::text(renamed);
    }
    Ok(cell)
}

fn misfit(field: &Field, text: &str) -> Option<Fault> {
    if let Some(least) = field.min_length
        && text.len() < least.saturating_mul(4)
        && text.chars().count() < least
    {
        return Some(Fault::new(
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
        return Some(Fault::new(
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
        return Some(Fault::new(
            Code::PatternMismatch,
            format!("does not match the pattern of {}: {pattern}", field.target),
        ));
    }
    None
}

#[cold]
fn hint_of(
    hints: &mut HashMap<(usize, Box<str>), Option<String>>,
    field: usize,
    text: &str,
    choices: &Choices,
) -> Option<String> {
    let known = (field, Box::from(text));
    if let Some(hint) = hints.get(&known) {
        return hint.clone();
    }
    let hint = suggest::did_you_mean(text, choices.list.iter().map(AsRef::as_ref));
    if hints.len() < HINTS {
        hints.insert(known, hint.clone());
    }
    hint
}
