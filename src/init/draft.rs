//! A guessed config, and its text.

use super::guess_key::counted;

/// A config as it was guessed, to be edited by a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The key columns; none where no guess was good enough.
    pub key: Vec<String>,
    /// The partner firm's column.
    pub partner_firm: Option<String>,
    /// Names of firms that need an id.
    pub firms: Vec<String>,
    /// Columns left out since they look confidential.
    pub confidential: Vec<String>,
    /// Columns that nothing uses.
    pub unused: Vec<String>,
    pub(super) key_comments: Vec<String>,
    pub(super) firm_comments: Vec<String>,
    pub(super) comments: Vec<String>,
    pub(super) fields: Vec<DraftField>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// A field's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DraftField {
    pub(super) target: String,
    pub(super) from: Vec<String>,
    /// Names with their values in TOML.
    settings: Vec<(&'static str, String)>,
    pub(super) comments: Vec<String>,
}

impl DraftField {
    pub(super) fn new(target: &str, from: &[String]) -> Self {
        Self {
            target: target.to_owned(),
            from: from.to_vec(),
            settings: Vec::new(),
            comments: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: String) {
        self.settings.push((name, value));
    }

    pub(super) fn set_text(&mut self, name: &'static str, value: &str) {
        self.set(name, quoted(value));
    }

    pub(super) fn set_texts(&mut self, name: &'static str, values: &[&str]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.set(name, format!("[{}]", values.join(", ")));
    }

    /// A list with a line a value.
    pub(super) fn set_list(&mut self, name: &'static str, values: &[String]) {
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("    {},\n", quoted(value)))
            .collect();
        self.set(name, format!("[\n{}]", values.concat()));
    }

    /// Notes values that the rule will refuse.
    pub(super) fn misfits(&mut self, count: usize, what: &str) {
        if count > 0 {
            let values = counted(count, "value");
            self.comments.push(format!(
                "decide: {values} seen here {what}; `caseload check` shows them",
                what = verb(count, what)
            ));
        }
    }

    fn write(&self, lines: &mut Vec<String>) {
        lines.push(format!("\n[fields.{}]", key(&self.target)));
        comment(&self.comments, lines);
        // Braces make a template, except in a list.
        let from = match self.from.as_slice() {
            [column] if column.contains(['{', '}']) => listed(&self.from),
            columns => one_or_list(columns),
        };
        lines.push(format!("from = {from}"));
        let settings = self.settings.iter();
        lines.extend(settings.map(|(name, value)| format!("{name} = {value}")));
    }
}

fn verb(count: usize, what: &str) -> String {
    format!("{} {what}", if count == 1 { "is" } else { "are" })
}

impl Draft {
    /// How many things a person has to decide.
    pub fn decisions(&self) -> usize {
        let text = self.to_toml();
        text.lines()
            .filter(|line| line.starts_with("# decide:"))
            .count()
    }

    /// The text of `caseload.toml`.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            format!(
                "# Guessed by `caseload init` from {} and {}.",
                counted(self.rows, "row"),
                counted(self.columns, "column"),
            ),
            "# Only what is named under [fields] is sent, under the names in the brackets:"
                .to_owned(),
            "# they must be the names that your Mapping knows.".to_owned(),
            "# What only you can know is marked \"decide\"; then run `caseload check`.".to_owned(),
        ];
        comment(&self.comments, &mut lines);
        lines.push(API.to_owned());
        lines.push("\n[case]".to_owned());
        comment(&self.key_comments, &mut lines);
        lines.push(match self.key.as_slice() {
            [] => "# key = \"…\"".to_owned(),
            columns => format!("key = {}", one_or_list(columns)),
        });
        comment(&self.firm_comments, &mut lines);
        lines.push(match &self.partner_firm {
            Some(column) => format!("partner_firm = {}", quoted(column)),
            None => "# partner_firm = \"…\"".to_owned(),
        });
        if !self.firms.is_empty() {
            lines.push("\n[partner_firms]".to_owned());
            lines.push("# decide: put each firm's Lexamica id between the empty quotes".to_owned());
            lines.extend(
                self.firms
                    .iter()
                    .map(|firm| format!("{} = \"\"", key(firm))),
            );
        }
        for field in &self.fields {
            field.write(&mut lines);
        }
        name(
            "Left out, since they look confidential",
            &self.confidential,
            &mut lines,
        );
        name(
            "Not sent, since no rule names them",
            &self.unused,
            &mut lines,
        );
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What the API needs stands in the environment or here.
const API: &str = "
[api]
# base_url = \"https://…\"   # or LEXAMICA_BASE_URL
# org_id = \"…\"             # or LEXAMICA_ORG_ID
# map_id = \"…\"             # or LEXAMICA_MAP_ID";

fn name(what: &str, columns: &[String], lines: &mut Vec<String>) {
    if !columns.is_empty() {
        lines.push(format!("\n# {what}:"));
        lines.extend(
            columns
                .iter()
                .map(|column| format!("#   {}", one_line(column))),
        );
    }
}

fn comment(comments: &[String], lines: &mut Vec<String>) {
    lines.extend(
        comments
            .iter()
            .map(|comment| format!("# {}", one_line(comment))),
    );
}

/// A comment ends with its line, whatever a header holds.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn one_or_list(texts: &[String]) -> String {
    match texts {
        [text] => quoted(text),
        texts => listed(texts),
    }
}

fn listed(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A TOML key, in quotes where it needs them.
fn key(name: &str) -> String {
    let entry = toml::Table::from_iter([(name.to_owned(), toml::Value::from(0))]);
    let entry = entry.to_string();
    entry.trim_end().trim_end_matches(" = 0").to_owned()
}
