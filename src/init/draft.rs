//! A drafted config and its text.

use toml::Value;

use super::key::KeyProposal;
use crate::model::count;

/// A config for a person to finish.
#[derive(Debug, Default)]
pub(crate) struct ConfigDraft {
    pub(super) key: KeyProposal,
    pub(super) partner_firm: Option<String>,
    pub(super) firm_notes: Vec<String>,
    /// Names of firms that need an id.
    pub(super) firms: Vec<String>,
    pub(super) fields: Vec<DraftField>,
    pub(super) notes: Vec<String>,
    /// Columns not sent because they look confidential.
    pub(crate) confidential: Vec<String>,
    /// Columns that no field uses.
    pub(super) unused: Vec<String>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// A field with its settings in TOML.
#[derive(Debug, Default)]
pub(super) struct DraftField {
    pub(super) target: String,
    pub(super) from: Vec<String>,
    pub(super) settings: Vec<(&'static str, Value)>,
    pub(super) notes: Vec<String>,
}

impl DraftField {
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.settings.push((name, value.into()));
    }

    /// Asks about values that the rule will refuse.
    pub(super) fn note_mismatches(&mut self, number: usize, expected: &str) {
        if number > 0 {
            let verb = if number == 1 { "was" } else { "were" };
            self.notes.push(format!(
                "decide: {} {verb} not recognized as {expected}; `caseload check` shows each",
                count(number as u64, "value")
            ));
        }
    }

    fn write(&self, lines: &mut Vec<String>) {
        lines.push(format!("\n[fields.{}]", key(&self.target)));
        comment(&self.notes, lines);
        // Braces make a template, except in a list.
        let from = match self.from.as_slice() {
            [column] if !column.contains(['{', '}']) => Value::from(column.as_str()),
            columns => Value::from(columns.to_vec()),
        };
        lines.push(format!("from = {from}"));
        for (name, value) in &self.settings {
            match value {
                Value::Array(choices) if *name == "choices" => {
                    lines.push("choices = [".to_owned());
                    lines.extend(choices.iter().map(|choice| format!("    {choice},")));
                    lines.push("]".to_owned());
                }
                value => lines.push(format!("{name} = {value}")),
            }
        }
    }
}

impl ConfigDraft {
    /// How many decisions are left to a person.
    pub(crate) fn decisions(&self) -> usize {
        let notes = [&self.notes, &self.key.notes, &self.firm_notes];
        let notes = notes
            .into_iter()
            .chain(self.fields.iter().map(|field| &field.notes));
        let decisions = notes.flatten().filter(|note| note.starts_with("decide:"));
        decisions.count() + usize::from(!self.firms.is_empty())
    }

    /// The text of `caseload.toml`.
    pub(crate) fn to_toml(&self) -> String {
        let mut lines = vec![format!(
            "#:schema ./caseload.schema.json\n\
             # Drafted by `caseload init` from {} and {}.\n\
             # Only the [fields] below are sent. The names in brackets must be those of your\n\
             # Lexamica mapping. What only you can know is marked \"decide\". When you are\n\
             # done, run `caseload check`.",
            count(self.rows as u64, "row"),
            count(self.columns as u64, "column"),
        )];
        comment(&self.notes, &mut lines);
        lines.push(API.to_owned());
        lines.push("\n[case]".to_owned());
        comment(&self.key.notes, &mut lines);
        lines.push(match self.key.columns.as_slice() {
            [] => "# key = \"…\"".to_owned(),
            [column] => format!("key = {}", Value::from(column.as_str())),
            columns => format!("key = {}", Value::from(columns.to_vec())),
        });
        comment(&self.firm_notes, &mut lines);
        lines.push(match &self.partner_firm {
            Some(column) => format!("partner_firm = {}", Value::from(column.as_str())),
            None => "# partner_firm = \"…\"".to_owned(),
        });
        if !self.firms.is_empty() {
            lines.push("\n[partner_firms]".to_owned());
            lines.push("# decide: put each firm's Lexamica id between the quotes".to_owned());
            lines.extend(
                self.firms
                    .iter()
                    .map(|firm| format!("{} = \"\"", key(firm))),
            );
        }
        for field in &self.fields {
            field.write(&mut lines);
        }
        list(
            "Not sent because they look confidential:",
            &self.confidential,
            &mut lines,
        );
        list(
            "Not sent because no field uses them:",
            &self.unused,
            &mut lines,
        );
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What the API needs is in the environment or here.
const API: &str = "
[api]
# base_url = \"https://…\"   # or LEXAMICA_BASE_URL
# org_id = \"…\"             # or LEXAMICA_ORG_ID
# map_id = \"…\"             # or LEXAMICA_MAP_ID";

fn list(heading: &str, columns: &[String], lines: &mut Vec<String>) {
    if !columns.is_empty() {
        lines.push(format!("\n# {heading}"));
        lines.extend(
            columns
                .iter()
                .map(|column| format!("#   {}", one_line(column))),
        );
    }
}

/// Comments, wrapped at 80 columns.
fn comment(notes: &[String], lines: &mut Vec<String>) {
    for note in notes {
        let mut line = "#".to_owned();
        for word in one_line(note).split(' ') {
            if line.chars().count() + word.chars().count() >= 80 && line.len() > 1 {
                lines.push(std::mem::replace(&mut line, "#".to_owned()));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
    }
}

/// A comment ends with its line, whatever a header holds.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A TOML key, in quotes where it needs them.
fn key(name: &str) -> String {
    let entry = toml::Table::from_iter([(name.to_owned(), Value::from(0))]);
    let entry = entry.to_string();
    entry.trim_end().trim_end_matches(" = 0").to_owned()
}
