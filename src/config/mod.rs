//! `caseload.toml`: read to the settings of every room, each fault with its
//! line; and guessed from a file's columns and values for [`Draft`].
//!
//! All faults of a config are told at once. A key that nobody asks for is one
//! of them: a misspelt `required` must not pass for "not required".

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod case;
mod code_table;
mod error;
mod fields;
mod table;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::mapping::{MappingOptions, Rules};

pub use api::{ApiSettings, AuthPlace, AuthSettings, FirmPlace};
pub use error::{ConfigError, SettingError};

use error::Faults;
use table::Table;
pub(crate) use table::is_bare;

/// A config as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where it stands.
    pub path: PathBuf,
    /// `[api]`.
    pub api: ApiSettings,
    /// `[case]`, `[partner_firms]` and `[fields]`. The command line's flags and
    /// the day of the run are still to be put in.
    pub mapping: MappingOptions,
    /// `[ledger]`.
    pub ledger: LedgerSettings,
    /// `[platform] case_url`, with `{case_id}` in it.
    pub platform_case_url: Option<String>,
    /// `[webhooks] signature_header`.
    pub webhook_signature_header: Option<String>,
    lines: HashMap<String, u32>,
    text: String,
}

/// `[ledger]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerSettings {
    /// The file, resolved against the config's folder.
    pub path: Option<PathBuf>,
    /// Only the ledger of this id will do.
    pub id: Option<String>,
    /// Payloads stay in the ledger after the import.
    pub keep_payloads: bool,
}

impl Config {
    /// The line of a setting such as `api.base_url`, where it is set.
    pub fn line_of(&self, setting: &str) -> Option<u32> {
        self.lines.get(setting).copied()
    }

    /// What the input shows to be wrong with a line: the line with `name`
    /// marked in it, or with all of it marked.
    pub fn error_at(&self, line: u32, name: &str, message: &str) -> SettingError {
        let mut start = 0;
        let mut found = "";
        for text in self.text.split_inclusive('\n').take(line as usize) {
            start += found.len();
            found = text;
        }
        let code = found.trim();
        let (at, width) = match found.find(name) {
            Some(at) if !name.is_empty() => (at, name.len()),
            _ => (found.len() - found.trim_start().len(), code.len()),
        };
        SettingError::of(
            &self.text,
            &self.path,
            start + at..start + at + width,
            message,
        )
    }
}

/// Reads a config, and the files with code tables that it names.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText {
        path: path.to_owned(),
    })?;
    parse(&text, path)
}

/// Reads a config's text; the path is for messages and for what is relative
/// to the config.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    // Notepad puts one in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let faults = Faults::new(text, path);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        faults.push(error.span().unwrap_or(0..0), error.message());
    }
    // What stands behind a syntax error may be misread: that alone is told.
    if errors.is_empty() {
        let mut config = read(document.get_ref(), path, &faults);
        if faults.is_empty() {
            text.clone_into(&mut config.text);
            return Ok(config);
        }
    }
    Err(ConfigError::Faults(faults.into_sorted()))
}

fn read(document: &DeTable<'_>, path: &Path, faults: &Faults<'_>) -> Config {
    let root = Table::root(document, faults);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut config = Config {
        path: path.to_owned(),
        ..Config::default()
    };
    if let Some(table) = root.table("api") {
        config.api = api::read(&table);
        table.finish(&mut config.lines);
    }
    let fields = root.table("fields");
    case::read(&root, fields.is_some(), folder, &mut config);
    let spans = match &fields {
        Some(table) => fields::read(table, folder, &mut config.mapping.fields),
        None => Vec::new(),
    };
    if let Some(table) = root.table("ledger") {
        config.ledger = LedgerSettings {
            path: table.text("path").map(|path| folder.join(path)),
            id: table.text("id"),
            keep_payloads: table.flag("keep_payloads").unwrap_or(false),
        };
        table.finish(&mut config.lines);
    }
    if let Some(table) = root.table("platform") {
        config.platform_case_url = table.text("case_url");
        if let Some(url) = &config.platform_case_url
            && !url.contains("{case_id}")
        {
            table.fault("case_url", "a link to a case needs {case_id} in it");
        }
        table.finish(&mut config.lines);
    }
    if let Some(table) = root.table("webhooks") {
        config.webhook_signature_header = table.text("signature_header");
        table.finish(&mut config.lines);
    }
    // Rules are looked at together only where each could be read.
    if faults.is_empty()
        && let Err(errors) = Rules::compile(config.mapping.clone())
    {
        for error in errors {
            let span = error
                .field
                .and_then(|field| spans.get(field))
                .map(|spans| spans.of(error.setting))
                .or_else(|| root.span_of("partner_firms"));
            faults.push(span.unwrap_or(0..0), &error.message);
        }
    }
    root.finish(&mut config.lines);
    config.mapping.key_line = config.line_of("case.key");
    config.mapping.partner_firm_line = config.line_of("case.partner_firm");
    config
}
