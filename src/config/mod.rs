//! `caseload.toml`: read with serde, then checked as far as serde can't. An
//! unknown key is an error: a misspelled `required` must not pass for "not
//! required".

mod code_table;
mod edit;
mod error;
mod sections;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::api::ManagementBodies;
use crate::mapping::{Constant, FieldRule, FieldSource, JoinRule, MappingOptions, Rules};

pub(crate) use edit::set_api;
pub use error::ConfigError;
pub(crate) use sections::ApiSettings;

use error::line_at;
use sections::{
    CaseSection, ConfigFile, FieldSection, LedgerSection, PlatformSection, WebhookSection,
};

/// A config and the code tables that it names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    pub(crate) path: Option<PathBuf>,
    pub(crate) api: ApiSettings,
    /// `[case]`, `[partner_firms]` and `[fields]`, without what only the command
    /// line says.
    pub mapping: MappingOptions,
    pub(crate) ledger: LedgerSection,
    pub(crate) platform: PlatformSection,
    pub(crate) webhooks: WebhookSection,
    /// The code tables that it names.
    pub(crate) tables: Vec<PathBuf>,
    text: String,
}

impl Config {
    /// The files that it was read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let tables = self.tables.iter().map(AsRef::as_ref);
        let joined = self.mapping.joins.values().map(|join| &*join.file);
        self.path.as_deref().into_iter().chain(tables).chain(joined)
    }

    /// An error that the input revealed in a line of the config: `name` is
    /// marked in it, or all of the line.
    pub(crate) fn error_at(&self, line: u32, name: &str, message: &str) -> ConfigError {
        let lines_before = line.saturating_sub(1) as usize;
        let before = self.text.split_inclusive('\n').take(lines_before);
        let start: usize = before.map(str::len).sum();
        let line = self.text[start..].lines().next().unwrap_or_default();
        let is_found = !name.is_empty() && line.contains(name);
        let marked = if is_found { name } else { line.trim() };
        let start = start + line.find(marked).unwrap_or_default();
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        ConfigError::at(&self.text, path, start..start + marked.len(), message)
    }
}

impl Config {
    /// The file and the line of a setting, or of the table that it is in.
    pub(crate) fn place_of(&self, setting: &[&str]) -> Option<String> {
        let path = self.path.as_deref()?;
        let root = DeTable::parse(&self.text).ok()?;
        let document = ConfigText {
            text: &self.text,
            path,
            root: root.get_ref(),
        };
        let tables = (1..=setting.len()).rev();
        let mut lines = tables.filter_map(|depth| document.line_of(&setting[..depth]));
        Some(format!("{}:{}", path.display(), lines.next()?))
    }
}

/// The JSON Schema of a config.
pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(ConfigFile)
}

/// Reads a config, and the code tables that it names.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    let path = path.to_owned();
    match std::fs::read(&path).map(String::from_utf8) {
        Ok(Ok(text)) => parse(&text, &path),
        Ok(Err(_)) => Err(ConfigError::NotUtf8 { path }),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// Reads a config's text. The path is for messages, and its folder for the
/// files that the config names.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    // Notepad begins a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let invalid = |error| ConfigError::from_toml(text, path, &error);
    let root = DeTable::parse(text).map_err(invalid)?;
    let mut file =
        ConfigFile::deserialize(toml::Deserializer::from(root.clone())).map_err(invalid)?;
    let document = ConfigText {
        text,
        path,
        root: root.get_ref(),
    };
    document.check_blanks("", root.get_ref())?;
    let ledger = file.ledger.path.as_deref();
    file.ledger.path = ledger.map(|ledger| path.with_file_name(ledger));
    if file.ledger.path.is_some() && file.ledger.url.is_some() {
        let message = "either `path` or `url`: a ledger is in one place";
        return Err(document.error(&["ledger", "url"], message));
    }
    let secrets = file.webhooks.secrets.as_deref();
    file.webhooks.secrets = secrets.map(|secrets| path.with_file_name(secrets));
    let joins = file.join.values_mut();
    joins.for_each(|join| join.file = path.with_file_name(&join.file));
    document.check_bodies(&file.api.bodies)?;
    let template = file.api.path.as_ref();
    if file.api.org_id.is_some() && template.is_some_and(|path| !path.contains("{org_id}")) {
        let message = "`org_id` has no effect: there is no {org_id} in `path`";
        return Err(document.error(&["api", "org_id"], message));
    }
    let contract = file.api.contract();
    if let Some(status) = contract.not_sent.first_in_both(&contract.rejected) {
        let message = format!("{status} is in both `not_sent` and `rejected`");
        return Err(document.error(&["api", "rejected"], &message));
    }
    let case_url = file.platform.case_url.as_ref();
    let is_link = |url: &String| url.starts_with("https://") && url.contains("{case_id}");
    if !case_url.is_none_or(is_link) {
        let message = "a link to a case begins with https:// and has {case_id} in it";
        return Err(document.error(&["platform", "case_url"], message));
    }
    let fields = file.fields.iter().flatten();
    let tables = fields.filter_map(|(_, field)| field.rename_file.as_ref());
    let tables = tables.chain(&file.case.partner_firms_file);
    let joins = file.join;
    Ok(Config {
        path: Some(path.to_owned()),
        tables: tables.map(|table| path.with_file_name(table)).collect(),
        mapping: mapping(file.case, file.partner_firms, file.fields, joins, &document)?,
        api: file.api,
        ledger: file.ledger,
        platform: file.platform,
        webhooks: file.webhooks,
        text: text.to_owned(),
    })
}

fn mapping(
    case: CaseSection,
    partner_firms: IndexMap<String, String>,
    fields: Option<IndexMap<String, FieldSection>>,
    joins: IndexMap<String, JoinRule>,
    document: &ConfigText<'_>,
) -> Result<MappingOptions, ConfigError> {
    let nothing_is_sent = match &fields {
        Some(fields) => fields.is_empty().then_some(&["fields"][..]),
        None => (case.passthrough == Some(false)).then_some(&["case", "passthrough"][..]),
    };
    if let Some(setting) = nothing_is_sent {
        let message = "no field would be sent; add [fields.NAME] tables, or remove this";
        return Err(document.error(setting, message));
    }
    let mut options = MappingOptions {
        passthrough: case.passthrough.unwrap_or(fields.is_none()),
        key: case.key.texts,
        key_line: document.line_of(&["case", "key"]),
        source: case.source,
        partner_firm_column: case.partner_firm,
        partner_firm_line: document.line_of(&["case", "partner_firm"]),
        partner_firms: partner_firms.into_iter().collect(),
        joins,
        ..MappingOptions::default()
    };
    if let Some(table) = &case.partner_firms_file {
        let setting = ["case", "partner_firms_file"];
        document.add_code_table(&mut options.partner_firms, table, &setting)?;
    }
    for (target, section) in fields.unwrap_or_default() {
        options.fields.push(field_rule(target, section, document)?);
    }
    let rules = Rules::compile(options.clone());
    let is_used = |name: &str| !name.contains('.') && rules.iter().all(|it| it.reads(name));
    if let Some(name) = options.joins.keys().find(|name| !is_used(name)) {
        let message = format!("no rule reads `{name}.COLUMN`, or the name has a dot in it");
        return Err(document.error(&["join", name], &message));
    }
    let Err(errors) = rules else {
        return Ok(options);
    };
    let errors = errors.iter().map(|error| {
        let setting = match error.field {
            Some(field) => &["fields", &options.fields[field].target, error.setting][..],
            None if error.setting == "source" => &["case", "source"],
            None if document.find(&["partner_firms"]).is_some() => &["partner_firms"],
            None => &["case", "partner_firms"],
        };
        document.error(setting, &error.message).to_string()
    });
    Err(ConfigError::Invalid(errors.collect::<Vec<_>>().join("\n")))
}

fn field_rule(
    target: String,
    section: FieldSection,
    document: &ConfigText<'_>,
) -> Result<FieldRule, ConfigError> {
    let from = ["fields", &target, "from"];
    let line = document.line_of(&from);
    let value = ["fields", &target, "value"];
    let source = match (document.constant(&value)?, section.from.into_source()) {
        (None, source) => source,
        (Some(Constant::Text(text)), _) if text.trim().is_empty() => {
            let message =
                "`value` must not be empty; leave the field out, or use `omit_empty = false`";
            return Err(document.error(&value, message));
        }
        (Some(constant), FieldSource::SameName) => FieldSource::Constant(constant),
        (Some(_), _) => {
            return Err(document.error(&value, "a field has `from` or `value`, not both"));
        }
    };
    let mut rename = section.rename.into_iter().collect();
    if let Some(table) = &section.rename_file {
        document.add_code_table(&mut rename, table, &["fields", &target, "rename_file"])?;
    }
    Ok(FieldRule {
        source,
        value_type: section.value_type,
        formats: section.formats.texts,
        choices: section.choices,
        rename,
        default: document.constant(&["fields", &target, "default"])?,
        required: section.required,
        min_length: section.min_length,
        max_length: section.max_length,
        pattern: section.pattern,
        part: section.part,
        send_empty: section.omit_empty == Some(false),
        flat: section.flat,
        lexamica: section.lexamica,
        line: line.or_else(|| document.line_of(&from[..2])),
        target,
    })
}

/// The parsed text, to find where a setting is and how a number is written.
struct ConfigText<'t> {
    text: &'t str,
    path: &'t Path,
    root: &'t DeTable<'t>,
}

impl<'t> ConfigText<'t> {
    /// Refuses empty texts, except where they are sent or renamed to, and empty
    /// lists, which have no effect but for those of statuses.
    fn check_blanks(&self, table_name: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let name = name.get_ref().as_ref();
            let is_blank = match value.get_ref() {
                DeValue::String(text) => {
                    text.trim().is_empty() && !matches!(name, "prefix" | "value" | "default")
                }
                DeValue::Array(list) => list.is_empty() && !matches!(name, "not_sent" | "rejected"),
                DeValue::Table(table) if name != "rename" => {
                    self.check_blanks(name, table)?;
                    false
                }
                _ => false,
            };
            if is_blank {
                let message = match table_name {
                    "partner_firms" => format!(
                        "the partner firm \"{name}\" has no id yet; put it between the quotes"
                    ),
                    _ => format!("`{name}` must not be empty"),
                };
                return Err(self.error_at(value.span(), &message));
            }
        }
        Ok(())
    }

    fn check_bodies(&self, bodies: &ManagementBodies) -> Result<(), ConfigError> {
        let Some((setting, missing)) = bodies.incomplete() else {
            return Ok(());
        };
        let message = format!("invalid template: there is no \"{missing}\" in it");
        Err(self.error(&["api", "bodies", setting], &message))
    }

    fn error_at(&self, span: Range<usize>, message: &str) -> ConfigError {
        ConfigError::at(self.text, self.path, span, message)
    }

    /// The span of a setting's name, and its value.
    fn find(&self, setting: &[&str]) -> Option<(Range<usize>, &'t Spanned<DeValue<'t>>)> {
        let (name, tables) = setting.split_last()?;
        let mut table = self.root;
        for name in tables {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        // A code table may be in a file.
        let in_file = || table.get_key_value(format!("{name}_file").as_str());
        let (name, value) = table.get_key_value(*name).or_else(in_file)?;
        Some((name.span(), value))
    }

    fn line_of(&self, setting: &[&str]) -> Option<u32> {
        let (name, _) = self.find(setting)?;
        Some(line_at(self.text, name.start) as u32)
    }

    /// An error of the setting, or of the closest table that is there.
    fn error(&self, setting: &[&str], message: &str) -> ConfigError {
        let mut tables = (0..setting.len()).rev().map(|last| &setting[..=last]);
        let found = tables.find_map(|setting| self.find(setting));
        let span = found.map_or(0..0, |(name, _)| name);
        self.error_at(span, message)
    }

    /// A value that goes into payloads as it is written.
    fn constant(&self, setting: &[&str]) -> Result<Option<Constant>, ConfigError> {
        let Some((_, value)) = self.find(setting) else {
            return Ok(None);
        };
        let number = |digits: &str| Constant::Number(digits.trim_start_matches('+').to_owned());
        Ok(Some(match value.get_ref() {
            DeValue::String(text) => Constant::Text(text.to_string()),
            DeValue::Boolean(value) => Constant::Bool(*value),
            DeValue::Integer(digits) if digits.radix() == 10 => number(digits.as_str()),
            DeValue::Float(digits) if digits.as_str().parse().is_ok_and(f64::is_finite) => {
                number(digits.as_str())
            }
            _ => {
                let message = "expected text in quotes, a number, true or false";
                return Err(self.error_at(value.span(), message));
            }
        }))
    }

    /// Adds the pairs of a code table to those of the config.
    fn add_code_table(
        &self,
        pairs: &mut Vec<(String, String)>,
        table: &str,
        setting: &[&str],
    ) -> Result<(), ConfigError> {
        let table = self.path.with_file_name(table);
        let added = code_table::read(&table).map_err(|error| self.error(setting, &error))?;
        // That one text has two meanings is found with the rules.
        for pair in added {
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        Ok(())
    }
}
