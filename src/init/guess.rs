//! Guesses which field each column is for. Each guess is shown in the config,
//! and what only a person can know is marked `decide`.

use crate::mapping::{can_be_firm_id, is_firm_name, names};

use super::draft::{ConfigDraft, DraftField};
use super::key::propose_key;
use super::profile::{Column, InputProfile, named};
use crate::model::{count, is_placeholder};

/// Case types that are listed as choices.
const MAX_CHOICES: usize = 50;
/// Firms that are listed to be given an id.
const MAX_FIRMS: usize = 200;

/// Drafts the config that fits the input.
pub(crate) fn draft_config(profile: &InputProfile) -> ConfigDraft {
    let (confidential, columns) = profile.partition();
    let key = propose_key(profile);
    let names = |columns: &[&Column]| columns.iter().map(|column| column.name.clone()).collect();
    let mut guess = Guess {
        draft: ConfigDraft {
            rows: profile.rows,
            columns: profile.columns.len(),
            confidential: names(&confidential),
            ..ConfigDraft::default()
        },
        columns,
    };
    guess.partner_firm();
    for name in &key.columns {
        let column = guess.columns.iter().find(|column| column.name == *name);
        if let Some(column) = column.copied() {
            guess.add(&names::field_name(name), &[column]);
        }
    }
    guess.draft.key = key;
    guess.client_name();
    let phones = named(&guess.columns, names::PHONE);
    guess.typed(
        "Phone",
        "phone",
        phones,
        |column| column.phones,
        "a phone number",
    );
    let emails = guess.first(names::EMAIL).into_iter().collect();
    guess.typed(
        "Email",
        "email",
        emails,
        |column| column.emails,
        "an email address",
    );
    guess.incident_date();
    guess.incident_state();
    guess.case_type();
    if let Some(column) = guess.first(names::SUMMARY) {
        guess.add("Summary", &[column]);
    }
    let unused: Vec<&Column> = guess
        .columns
        .iter()
        .filter(|column| !guess.uses(column))
        .copied()
        .collect();
    guess.draft.unused = names(&unused);
    guess.draft
}

/// A draft in the making.
struct Guess<'p> {
    /// Those that do not look confidential.
    columns: Vec<&'p Column>,
    draft: ConfigDraft,
}

impl<'p> Guess<'p> {
    fn first(&self, headers: &str) -> Option<&'p Column> {
        named(&self.columns, headers).first().copied()
    }

    /// The unused columns nearly all of whose values are of a kind.
    fn by_value(&self, of_kind: impl Fn(&Column) -> usize) -> Vec<&'p Column> {
        let fits = |column: &&&Column| column.is_mostly(of_kind(column)) && !self.is_field(column);
        self.columns.iter().filter(fits).copied().collect()
    }

    fn is_field(&self, column: &Column) -> bool {
        let mut fields = self.draft.fields.iter();
        fields.any(|field| field.from.contains(&column.name))
    }

    /// Whether a column is used, or only the object around others.
    fn uses(&self, column: &Column) -> bool {
        let nests = |other: &&Column| {
            let rest = other.name.strip_prefix(&column.name);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        self.is_field(column)
            || self.draft.partner_firm.as_ref() == Some(&column.name)
            || self.columns.iter().any(nests)
    }

    /// Adds a field, unless there is one of this name.
    fn add(&mut self, target: &str, columns: &[&Column]) -> Option<&mut DraftField> {
        if self.draft.fields.iter().any(|field| field.target == target) {
            return None;
        }
        let from = columns.iter().map(|column| column.name.clone()).collect();
        let mut field = DraftField {
            target: target.to_owned(),
            from,
            ..DraftField::default()
        };
        if self.draft.rows > 0 && matches!(columns, [column] if column.filled() == self.draft.rows)
        {
            field.set("required", true);
        }
        self.draft.fields.push(field);
        self.draft.fields.last_mut()
    }

    fn ask(&mut self, question: &str) {
        self.draft.notes.push(format!("decide: {question}"));
    }

    fn partner_firm(&mut self) {
        let mut columns = self.columns.iter().copied();
        let by_id = columns.find(|column| is_firm_name(&column.name));
        let column = by_id.or_else(|| self.first(names::PARTNER_FIRM));
        let notes = &mut self.draft.firm_notes;
        let Some(column) = column else {
            notes.push("decide: no column names the handling firm; name one here, or use --partner-firm-id for all rows".to_owned());
            return;
        };
        self.draft.partner_firm = Some(column.name.clone());
        if column.filled() < self.draft.rows {
            let rows = count((self.draft.rows - column.filled()) as u64, "row");
            notes.push(format!("decide: {rows} without a firm; use --partner-firm-id to give them one, or --allow-drafts"));
        }
        let firms = column.distinct(MAX_FIRMS);
        let is_firm = |value: &&str| !is_placeholder(value);
        match firms.map(|firms| firms.into_iter().filter(is_firm).collect::<Vec<_>>()) {
            Some(values) if values.iter().all(|value| can_be_firm_id(value)) => {}
            Some(values) => self.draft.firms = values.into_iter().map(str::to_owned).collect(),
            None => notes.push(format!("decide: more than {MAX_FIRMS} firms; list their names and ids in a file: partner_firms_file = \"firms.csv\"")),
        }
    }

    fn client_name(&mut self) {
        let first = self.first(names::FIRST_NAME);
        let last = self.first(names::LAST_NAME);
        if let (Some(first), Some(last)) = (first, last) {
            self.add("FirstName", &[first]);
            self.add("LastName", &[last]);
            return;
        }
        let Some(full) = self.first(names::FULL_NAME) else {
            self.ask("no column with the client's name was found; which one is it?");
            return;
        };
        if full.is_mostly(full.last_first) {
            for (target, part) in [("FirstName", "first"), ("LastName", "last")] {
                if let Some(field) = self.add(target, &[full]) {
                    field.set("part", part);
                    field.note_mismatches(full.filled() - full.last_first, "\"Last, First\"");
                }
            }
        } else if let Some(field) = self.add("ClientName", &[full]) {
            field.notes.push("decide: these are full names; does your mapping take a full name, or first and last names?".to_owned());
        }
    }

    /// Adds a field with a type, from the columns with a known header, or else
    /// from the first whose values are of that type.
    fn typed(
        &mut self,
        target: &str,
        value_type: &str,
        mut columns: Vec<&'p Column>,
        of_type: fn(&Column) -> usize,
        expected: &str,
    ) {
        let by_value = columns.is_empty();
        if by_value {
            columns.extend(self.by_value(of_type).first());
        }
        if columns.is_empty() {
            return;
        }
        if let Some(field) = self.add(target, &columns) {
            field.set("type", value_type);
            if by_value {
                let column = &columns[0].name;
                field.notes.push(format!(
                    "decide: \"{column}\" was chosen for its values, not for its header"
                ));
            }
            let mismatches = columns
                .iter()
                .map(|column| column.filled() - of_type(column));
            field.note_mismatches(mismatches.sum(), expected);
        }
    }

    fn incident_date(&mut self) {
        let Some(column) = self.first(names::INCIDENT_DATE) else {
            let dates = self.by_value(|column| column.dates.total());
            let dates: Vec<String> = dates
                .iter()
                .map(|column| format!("\"{}\"", column.name))
                .collect();
            if !dates.is_empty() {
                self.ask(&format!(
                    "which is the incident date? Dates are in {}",
                    dates.join(", ")
                ));
            }
            return;
        };
        let Some(field) = self.add("IncidentDate", &[column]) else {
            return;
        };
        let formats = column.dates.formats();
        field.set("type", "date");
        if !formats.texts.is_empty() {
            field.set("formats", formats.texts);
        }
        let order = formats.note.map(|note| format!("decide: {note}"));
        field.notes.extend(order);
        if column.dates.with_time > 0 {
            field.notes.push("decide: some dates have a time of day, which type = \"date\" refuses and type = \"datetime\" keeps".to_owned());
        }
        field.note_mismatches(column.filled() - column.dates.total(), "a date");
    }

    fn incident_state(&mut self) {
        let incident = self.first(names::INCIDENT_STATE);
        let Some(column) = incident.or_else(|| self.first(names::ANY_STATE)) else {
            return;
        };
        if let Some(field) = self.add("IncidentState", &[column]) {
            field.set("type", "state");
            if incident.is_none() {
                field.notes.push(format!(
                    "decide: is \"{}\" where the incident happened, or where the client lives?",
                    column.name
                ));
            }
            field.note_mismatches(column.filled() - column.states, "a US state");
        }
    }

    fn case_type(&mut self) {
        let Some(column) = self.first(names::CASE_TYPE) else {
            self.ask("no column with the case type was found; which one is it?");
            return;
        };
        let Some(field) = self.add("CaseType", &[column]) else {
            return;
        };
        match column.distinct(MAX_CHOICES) {
            Some(values) => {
                field.notes.push("decide: these are the case types in the file. Lexamica files one that is not exactly on its list as \"Other\", without an error. List its names as choices, and translate yours with rename = { \"yours\" = \"theirs\" }".to_owned());
                field.set("choices", values);
            }
            None => field.notes.push(format!("decide: more than {MAX_CHOICES} case types; list Lexamica's as choices = [\"…\"], and translate yours in a file: rename_file = \"types.csv\"")),
        }
    }
}
