//! One table of the config, asked setting by setting. What nobody asked for is
//! unknown, and what is known for suggestions is what was asked for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::mapping::{Constant, suggest};

use super::error::{Faults, is_secret};

/// A table with its name and where its faults go.
#[derive(Debug)]
pub(super) struct Table<'d> {
    /// With dots; empty at the root.
    name: String,
    content: &'d DeTable<'d>,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    pub(super) faults: &'d Faults<'d>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value of a table, by its place.
pub(super) type Value<'d> = &'d Spanned<DeValue<'d>>;

/// What is known of a name in a table.
pub(super) struct Entry<'d> {
    pub(super) name: &'d str,
    pub(super) name_span: Range<usize>,
    pub(super) value: Value<'d>,
}

impl<'d> Table<'d> {
    pub(super) fn root(table: &'d DeTable<'d>, faults: &'d Faults<'d>) -> Self {
        Self {
            name: String::new(),
            content: table,
            span: 0..0,
            faults,
            asked: RefCell::default(),
        }
    }

    /// The table's name as a header shows it.
    pub(super) fn header(&self) -> String {
        if self.name.is_empty() {
            "the config".to_owned()
        } else {
            format!("[{}]", self.name)
        }
    }

    /// All entries as they stand in the file.
    pub(super) fn entries(&self) -> Vec<Entry<'d>> {
        let mut entries: Vec<_> = self
            .content
            .iter()
            .map(|(name, value)| Entry {
                name: name.get_ref(),
                name_span: name.span(),
                value,
            })
            .collect();
        entries.sort_by_key(|entry| entry.name_span.start);
        entries
    }

    fn find(&self, name: &'static str) -> Option<Entry<'d>> {
        self.asked.borrow_mut().push(name);
        self.content
            .iter()
            .find(|(known, _)| known.get_ref() == name)
            .map(|(known, value)| Entry {
                name,
                name_span: known.span(),
                value,
            })
    }

    /// Where a setting's name stands.
    pub(super) fn span_of(&self, name: &str) -> Option<Range<usize>> {
        self.content
            .keys()
            .find(|known| known.get_ref() == name)
            .map(Spanned::span)
    }

    /// A setting's value, whatever it is.
    pub(super) fn value(&self, name: &'static str) -> Option<Value<'d>> {
        self.find(name).map(|entry| entry.value)
    }

    /// A fault of a setting.
    pub(super) fn fault(&self, name: &str, message: &str) {
        self.faults
            .push(self.span_of(name).unwrap_or(0..0), message);
    }

    fn wrong_type(&self, entry: &Entry<'_>, wanted: &str) {
        let message = format!(
            "`{}` must be {wanted}, and is {}",
            entry.name,
            type_of(entry.value.get_ref())
        );
        self.faults.push(entry.value.span(), &message);
    }

    /// Text that is not empty.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        let text = self.any_text(name)?;
        if text.trim().is_empty() {
            self.fault(name, &format!("`{name}` is empty"));
            return None;
        }
        Some(text)
    }

    /// Text, empty or not.
    pub(super) fn any_text(&self, name: &'static str) -> Option<String> {
        let entry = self.find(name)?;
        let text = entry.value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(&entry, "text in quotes");
        }
        text.map(str::to_owned)
    }

    pub(super) fn flag(&self, name: &'static str) -> Option<bool> {
        let entry = self.find(name)?;
        let flag = entry.value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(&entry, "true or false");
        }
        flag
    }

    pub(super) fn count(&self, name: &'static str) -> Option<usize> {
        let entry = self.find(name)?;
        let count = entry
            .value
            .get_ref()
            .as_integer()
            .and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok());
        if count.is_none() {
            self.wrong_type(&entry, "a whole number that is not negative");
        }
        count
    }

    /// A list of texts; one text alone is a list of one where `or_one`.
    pub(super) fn texts(&self, name: &'static str, or_one: bool) -> Option<Vec<String>> {
        let entry = self.find(name)?;
        let wanted = if or_one {
            "text in quotes, or a list of texts"
        } else {
            "a list of texts"
        };
        match entry.value.get_ref() {
            DeValue::Array(array) => Some(self.texts_of(name, array)),
            DeValue::String(text) if or_one => Some(vec![text.to_string()]),
            _ => {
                self.wrong_type(&entry, wanted);
                None
            }
        }
    }

    fn texts_of(&self, name: &str, array: &DeArray<'_>) -> Vec<String> {
        let mut texts = Vec::with_capacity(array.len());
        if array.is_empty() {
            self.fault(name, &format!("`{name}` is an empty list"));
        }
        for value in array {
            match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => texts.push(text.to_string()),
                DeValue::String(_) => {
                    self.faults
                        .push(value.span(), &format!("`{name}` holds an empty text"));
                }
                other => {
                    let message = format!(
                        "`{name}` must hold texts in quotes, and here is {}",
                        type_of(other)
                    );
                    self.faults.push(value.span(), &message);
                }
            }
        }
        texts
    }

    /// One of some words, by its position.
    pub(super) fn word(&self, name: &'static str, words: &[&str]) -> Option<usize> {
        let entry = self.find(name)?;
        let Some(text) = entry.value.get_ref().as_str() else {
            self.wrong_type(&entry, &format!("one of {}", words.join(", ")));
            return None;
        };
        let position = words.iter().position(|word| *word == text);
        if position.is_none() {
            let meant = suggest::did_you_mean(text, words.iter().copied())
                .unwrap_or_else(|| format!("known are {}", words.join(", ")));
            let message = format!("`{name}` can't be \"{text}\"; {meant}");
            self.faults.push(entry.value.span(), &message);
        }
        position
    }

    /// A value that goes into payloads as it is.
    pub(super) fn constant(&self, name: &'static str) -> Option<Constant> {
        let entry = self.find(name)?;
        let constant = match entry.value.get_ref() {
            DeValue::String(text) => Some(Constant::Text(text.to_string())),
            DeValue::Boolean(value) => Some(Constant::Bool(*value)),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| Constant::Number(number.to_string())),
            DeValue::Float(number) => {
                let text = number.as_str().trim_start_matches('+');
                let is_finite = text.parse::<f64>().is_ok_and(f64::is_finite);
                is_finite.then(|| Constant::Number(text.to_owned()))
            }
            _ => None,
        };
        if constant.is_none() {
            self.wrong_type(&entry, "text in quotes, a number, true or false");
        }
        constant
    }

    /// A table below this one.
    pub(super) fn table(&self, name: &'static str) -> Option<Table<'d>> {
        let entry = self.find(name)?;
        self.table_of(&entry)
    }

    /// The table that an entry holds.
    pub(super) fn table_of(&self, entry: &Entry<'d>) -> Option<Table<'d>> {
        let Some(table) = entry.value.get_ref().as_table() else {
            self.wrong_type(entry, "a table");
            return None;
        };
        let shown = if is_bare(entry.name) {
            entry.name.to_owned()
        } else {
            format!("{:?}", entry.name)
        };
        let name = if self.name.is_empty() {
            shown
        } else {
            format!("{}.{shown}", self.name)
        };
        Some(Self {
            name,
            content: table,
            span: entry.name_span.clone(),
            faults: self.faults,
            asked: RefCell::default(),
        })
    }

    /// Texts by text, as they stand in the file.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::with_capacity(self.content.len());
        for entry in self.entries() {
            match entry.value.get_ref().as_str() {
                Some(text) => pairs.push((entry.name.to_owned(), text.to_owned())),
                None => self.wrong_type(&entry, "text in quotes"),
            }
        }
        pairs
    }

    /// Tells what nobody asked for, and notes the lines of what is known.
    pub(super) fn finish(self, lines: &mut HashMap<String, u32>) {
        let asked = self.asked.borrow();
        for entry in self.entries() {
            if asked.contains(&entry.name) {
                let dot = if self.name.is_empty() { "" } else { "." };
                let setting = format!("{}{dot}{}", self.name, entry.name);
                lines.insert(setting, self.faults.line_at(entry.name_span.start));
                continue;
            }
            self.faults
                .push(entry.name_span.clone(), &self.unknown(&entry, &asked));
        }
    }

    fn unknown(&self, entry: &Entry<'_>, asked: &[&'static str]) -> String {
        let Entry { name, value, .. } = entry;
        if is_secret(name) {
            return format!(
                "\"{name}\" does not belong in a config, which is shared and kept; put keys in LEXAMICA_PUBLIC_KEY or a file named by --public-key-file"
            );
        }
        let way_out = if let Some(closest) = suggest::closest(name, asked.iter().copied()) {
            format!("did you mean \"{closest}\"?")
        } else if let Some(parent) = self.name.strip_prefix("fields.")
            && value.get_ref().is_table()
        {
            let parent = parent.trim_matches('"');
            format!("for a nested field write [fields.\"{parent}.{name}\"]")
        } else {
            format!("known are {}", asked.join(", "))
        };
        format!("unknown key \"{name}\" in {}; {way_out}", self.header())
    }
}

/// Whether TOML takes a name without quotes.
pub(crate) fn is_bare(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
