//! Guesses a config from a file's header and values. What is guessed is said,
//! and what only a person can know is marked `decide`.

use std::collections::HashMap;

use crate::mapping::{can_be_firm_id, looks_confidential, object_members};
use crate::model::{Cell, CellKind, Columns, Record};

use super::dates_seen::DatesSeen;
use super::draft::{Draft, DraftField};
use super::guess_key::{self, counted};
use super::seen::Column;
use crate::mapping::headers;

/// How deep nested objects are looked into.
const DEPTH: usize = 3;

/// Case types that are written down as choices.
const CHOICES: usize = 50;

/// Firms that are written down to be given an id.
const FIRMS: usize = 200;

/// Looks at a file's records, and guesses a config.
#[derive(Debug)]
pub struct Guesser {
    columns: Vec<Column>,
    positions: HashMap<String, usize>,
    rows: usize,
    dates: DatesSeen,
}

impl Guesser {
    /// With the columns that are known before the first record.
    pub fn new(columns: &Columns) -> Self {
        let mut guesser = Self {
            columns: Vec::new(),
            positions: HashMap::new(),
            rows: 0,
            dates: DatesSeen::new(),
        };
        for name in columns.names() {
            guesser.position(name);
        }
        guesser
    }

    fn position(&mut self, name: &str) -> usize {
        if let Some(position) = self.positions.get(name) {
            return *position;
        }
        let position = self.columns.len();
        self.columns.push(Column::new(name));
        self.positions.insert(name.to_owned(), position);
        position
    }

    /// Looks at a record. Any number will do, though the key is looked for in
    /// the first 10,000 only.
    pub fn see(&mut self, record: &Record<'_>) {
        for (name, cell) in record.iter() {
            self.see_cell(name, cell, DEPTH);
        }
        self.rows += 1;
    }

    fn see_cell(&mut self, name: &str, cell: Cell<'_>, depth: usize) {
        if cell.kind == CellKind::Json && depth > 0 {
            for (member, kind, text) in object_members(cell.text) {
                let nested = Cell { kind, text: &text };
                self.see_cell(&format!("{name}.{member}"), nested, depth - 1);
            }
        }
        let position = self.position(name);
        self.columns[position].see(self.rows, cell, &self.dates);
    }

    /// The config that fits what was seen.
    pub fn finish(self) -> Draft {
        let is_ours = |column: &&Column| !crate::model::reserved::is_reserved(&column.name);
        let (confidential, open): (Vec<&Column>, Vec<&Column>) =
            self.columns.iter().filter(is_ours).partition(|column| {
                looks_confidential(&column.name) || column.is_mostly(column.ssns)
            });
        let mut guess = Guess {
            open,
            rows: self.rows,
            draft: Draft::default(),
        };
        guess.draft.rows = self.rows;
        guess.draft.columns = self.columns.len();
        guess.draft.confidential = confidential
            .iter()
            .map(|column| column.name.clone())
            .collect();
        guess.firm();
        guess.fields();
        guess.draft
    }
}

/// A draft on its way.
struct Guess<'c> {
    /// Columns that do not look confidential.
    open: Vec<&'c Column>,
    rows: usize,
    draft: Draft,
}

impl<'c> Guess<'c> {
    /// The filled columns of these names, in the names' order.
    fn named(&self, names: &[&str]) -> Vec<&'c Column> {
        names
            .iter()
            .flat_map(|name| {
                self.open
                    .iter()
                    .filter(move |column| headers::folded(&column.name) == *name)
            })
            .filter(|column| column.filled > 0)
            .copied()
            .collect()
    }

    fn firm(&mut self) {
        let names = ["partnerFirmId", "partner_firm_id", "Partner Firm ID"];
        let is_id = |column: &&&Column| {
            names
                .iter()
                .any(|name| column.name.eq_ignore_ascii_case(name))
        };
        let by_id = self.open.iter().find(is_id).copied();
        let Some(column) = by_id.or_else(|| self.named(headers::PARTNER_FIRM).first().copied())
        else {
            self.draft.firm_comments.push("decide: no column names the handling firm; name one here, or give --partner-firm-id for all rows".to_owned());
            return;
        };
        self.draft.partner_firm = Some(column.name.clone());
        if column.filled < self.rows {
            let blank = counted(self.rows - column.filled, "row");
            self.draft.firm_comments.push(format!(
                "decide: {blank} without a firm; they need --partner-firm-id or --allow-drafts"
            ));
        }
        match column.values(FIRMS) {
            Some(values) if values.iter().all(|value| can_be_firm_id(value)) => {}
            Some(values) => self.draft.firms = values,
            None => self.draft.firm_comments.push(format!("decide: more than {FIRMS} different firms; list names and ids in a file, partner_firms_file = \"firms.csv\"")),
        }
    }

    fn fields(&mut self) {
        let key = guess_key::guess(&self.open, self.rows);
        for column in &key.columns {
            self.push(&headers::field_name(column), std::slice::from_ref(column));
        }
        self.draft.key = key.columns;
        self.draft.key_comments = key.comments;
        self.names();
        self.phone();
        self.email();
        self.incident_date();
        self.incident_state();
        self.case_type();
        if let Some(column) = self.named(headers::SUMMARY).first() {
            self.push("Summary", std::slice::from_ref(&column.name));
        }
        let used: Vec<&String> = self
            .draft
            .fields
            .iter()
            .flat_map(|field| &field.from)
            .collect();
        let is_unused = |column: &&&Column| {
            let nests = self.open.iter().any(|other| {
                other
                    .name
                    .strip_prefix(&column.name)
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            !nests
                && !used.contains(&&column.name)
                && self.draft.partner_firm.as_ref() != Some(&column.name)
        };
        self.draft.unused = self
            .open
            .iter()
            .filter(is_unused)
            .map(|column| column.name.clone())
            .collect();
    }

    /// Adds a field, unless one of its name is there or its columns are used.
    fn push(&mut self, target: &str, from: &[String]) -> Option<&mut DraftField> {
        if self.draft.fields.iter().any(|field| field.target == target) {
            return None;
        }
        let is_required = from.len() == 1
            && self.rows > 0
            && self
                .open
                .iter()
                .any(|column| column.name == from[0] && column.filled == self.rows);
        self.draft.fields.push(DraftField::new(target, from));
        let field = self.draft.fields.last_mut()?;
        if is_required {
            field.set("required", "true".to_owned());
        }
        Some(field)
    }

    fn names(&mut self) {
        let first = self.named(headers::FIRST_NAME).first().copied();
        let last = self.named(headers::LAST_NAME).first().copied();
        if let (Some(first), Some(last)) = (first, last) {
            self.push("FirstName", std::slice::from_ref(&first.name));
            self.push("LastName", std::slice::from_ref(&last.name));
            return;
        }
        let Some(full) = self.named(headers::FULL_NAME).first().copied() else {
            self.draft
                .comments
                .push("decide: no column with the client's name was found".to_owned());
            return;
        };
        let from = std::slice::from_ref(&full.name);
        if full.is_mostly(full.turned_names) {
            for (target, part) in [("FirstName", "first"), ("LastName", "last")] {
                if let Some(field) = self.push(target, from) {
                    field.set_text("part", part);
                    field.misfits(
                        full.filled - full.turned_names,
                        "not of the form \"Last, First\"",
                    );
                }
            }
        } else if let Some(field) = self.push("ClientName", from) {
            field.comments.push("decide: it holds whole names; does your Mapping take one, or do you have first and last names apart?".to_owned());
        }
    }

    fn phone(&mut self) {
        let mut columns = self.named(headers::PHONE);
        let is_guess = columns.is_empty();
        if is_guess {
            columns = self.by_value(|column| column.phones);
            columns.truncate(1);
        }
        let Some(first) = columns.first() else { return };
        let from: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let misfits = columns
            .iter()
            .map(|column| column.filled - column.phones)
            .sum();
        if let Some(field) = self.push("Phone", &from) {
            field.set_text("type", "phone");
            field.comments.extend(by_values(is_guess, &first.name));
            field.misfits(misfits, "no phone number");
        }
    }

    fn email(&mut self) {
        let mut columns = self.named(headers::EMAIL);
        let is_guess = columns.is_empty();
        if is_guess {
            columns = self.by_value(|column| column.emails);
        }
        let Some(column) = columns.first() else {
            return;
        };
        if let Some(field) = self.push("Email", std::slice::from_ref(&column.name)) {
            field.set_text("type", "email");
            field.comments.extend(by_values(is_guess, &column.name));
            field.misfits(column.filled - column.emails, "no e-mail address");
        }
    }

    fn incident_date(&mut self) {
        let Some(column) = self.named(headers::INCIDENT_DATE).first().copied() else {
            let dates: Vec<String> = self
                .by_value(|column| column.dates.count())
                .iter()
                .map(|column| format!("\"{}\"", column.name))
                .collect();
            if !dates.is_empty() {
                self.draft.comments.push(format!(
                    "decide: which date is the incident's? Dates stand in {}",
                    dates.join(", ")
                ));
            }
            return;
        };
        let found = column.dates.formats();
        let is_timed = column.dates.with_time > 0;
        let misfits = column.filled - column.dates.count();
        let Some(field) = self.push("IncidentDate", std::slice::from_ref(&column.name)) else {
            return;
        };
        field.set_text("type", "date");
        if !found.texts.is_empty() {
            field.set_texts("formats", &found.texts);
        }
        if found.is_mixed {
            field.comments.push("decide: some dates have the month first and some the day; keep one format, and mend the others".to_owned());
        } else if let Some(twin) = found.twin {
            field.comments.push(format!(
                "decide: is the month first? All dates seen could be {twin} too"
            ));
        }
        if is_timed {
            field.comments.push("decide: some have a time of day; type = \"datetime\" keeps it, a date may have none".to_owned());
        }
        field.misfits(misfits, "no date of a format known here");
    }

    fn incident_state(&mut self) {
        let named = self.named(headers::INCIDENT_STATE);
        let mut doubt = None;
        let column = named.first().copied().or_else(|| {
            let other = self.named(headers::ANY_STATE).first().copied()?;
            doubt = Some(format!(
                "decide: is \"{}\" where it happened, or where the client lives?",
                other.name
            ));
            Some(other)
        });
        let Some(column) = column else { return };
        if let Some(field) = self.push("IncidentState", std::slice::from_ref(&column.name)) {
            field.set_text("type", "state");
            field.comments.extend(doubt);
            field.misfits(column.filled - column.states, "no state of the US");
        }
    }

    fn case_type(&mut self) {
        let Some(column) = self.named(headers::CASE_TYPE).first().copied() else {
            self.draft
                .comments
                .push("decide: no column with the case type was found".to_owned());
            return;
        };
        let values = column.values(CHOICES);
        let Some(field) = self.push("CaseType", std::slice::from_ref(&column.name)) else {
            return;
        };
        match values {
            Some(values) => {
                field.comments.push("decide: these are the values seen. One that is not exactly on Lexamica's list is filed as \"Other\" without an error: put the list's words here, and rename = { \"old\" = \"new\" } what differs".to_owned());
                field.set_list("choices", &values);
            }
            None => field.comments.push(format!("decide: more than {CHOICES} different values; put Lexamica's list here as choices = [\"…\"], and a table of yours as rename_file = \"types.csv\"")),
        }
    }

    /// Columns nearly all of whose values are of a kind.
    fn by_value(&self, count: impl Fn(&Column) -> usize) -> Vec<&'c Column> {
        let is_free = |column: &&&Column| {
            let used = |field: &DraftField| field.from.contains(&column.name);
            column.is_mostly(count(column)) && !self.draft.fields.iter().any(used)
        };
        self.open.iter().filter(is_free).copied().collect()
    }
}

fn by_values(is_guess: bool, column: &str) -> Option<String> {
    is_guess.then(|| format!("decide: \"{column}\" was guessed by its values"))
}
