//! `caseload.toml`: read to the settings of every room, each fault with its
//! line; and guessed from a file's columns and values for [`Draft`].
//!
//! All faults of a profile are told at once. A key that nobody asks for is one
//! of them: a misspelt `required` must not pass for "not required".

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod case;
mod code_table;
mod dates_seen;
mod draft;
mod fault;
mod fields;
mod guess;
mod guess_key;
mod seen;
mod table;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::mapping::{self, Origin};

pub use api::{ApiSettings, AuthPlace, AuthSettings, FirmPlace};
pub use draft::Draft;
pub use fault::{ProfileErrors, ProfileFault};
pub use guess::Guesser;

use fault::Faults;
use table::Table;

/// A profile as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Where it stands.
    pub path: PathBuf,
    /// `[api]`.
    pub api: ApiSettings,
    /// `[case]`, `[partner_firms]` and `[fields]`. The command line's flags and
    /// the day of the run are still to be put in.
    pub mapping: mapping::Options,
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
    /// The file, resolved against the profile's folder.
    pub path: Option<PathBuf>,
    /// Only the ledger of this id will do.
    pub id: Option<String>,
    /// Payloads stay in the ledger after the import.
    pub keep_payloads: bool,
}

impl Profile {
    /// The line of a setting such as `api.base_url`, where it is set.
    pub fn line_of(&self, setting: &str) -> Option<u32> {
        self.lines.get(setting).copied()
    }

    /// What the input shows to be wrong with a line: the line with `name`
    /// marked in it, or with all of it marked.
    pub fn fault_at(&self, line: u32, name: &str, message: &str) -> ProfileFault {
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
        ProfileFault::of(
            &self.text,
            &self.path,
            start + at..start + at + width,
            message,
        )
    }
}

/// Reads a profile, and the files with code tables that it names.
pub fn load(path: &Path) -> Result<Profile, ProfileErrors> {
    let unreadable = |source| ProfileErrors::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ProfileErrors::NotText {
        path: path.to_owned(),
    })?;
    parse(&text, path)
}

/// Reads a profile's text; the path is for messages and for what is relative
/// to the profile.
pub fn parse(text: &str, path: &Path) -> Result<Profile, ProfileErrors> {
    // Notepad puts one in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let faults = Faults::new(text, path);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        faults.push(error.span().unwrap_or(0..0), error.message());
    }
    // What stands behind a syntax error may be misread: that alone is told.
    if errors.is_empty() {
        let mut profile = read(document.get_ref(), path, &faults);
        if faults.is_empty() {
            text.clone_into(&mut profile.text);
            return Ok(profile);
        }
    }
    Err(ProfileErrors::Faults(faults.into_sorted()))
}

fn read(document: &DeTable<'_>, path: &Path, faults: &Faults<'_>) -> Profile {
    let root = Table::root(document, faults);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut profile = Profile {
        path: path.to_owned(),
        ..Profile::default()
    };
    if let Some(table) = root.table("api") {
        profile.api = api::read(&table);
        table.finish(&mut profile.lines);
    }
    let fields = root.table("fields");
    case::read(&root, fields.is_some(), folder, &mut profile);
    let spans = match &fields {
        Some(table) => fields::read(table, folder, &mut profile.mapping.fields),
        None => Vec::new(),
    };
    if let Some(table) = root.table("ledger") {
        profile.ledger = LedgerSettings {
            path: table.text("path").map(|path| folder.join(path)),
            id: table.text("id"),
            keep_payloads: table.flag("keep_payloads").unwrap_or(false),
        };
        table.finish(&mut profile.lines);
    }
    if let Some(table) = root.table("platform") {
        profile.platform_case_url = table.text("case_url");
        if let Some(url) = &profile.platform_case_url
            && !url.contains("{case_id}")
        {
            table.fault("case_url", "a link to a case needs {case_id} in it");
        }
        table.finish(&mut profile.lines);
    }
    if let Some(table) = root.table("webhooks") {
        profile.webhook_signature_header = table.text("signature_header");
        table.finish(&mut profile.lines);
    }
    // Rules are looked at together only where each could be read.
    if faults.is_empty()
        && let Err(errors) = mapping::Rules::compile(profile.mapping.clone())
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
    root.finish(&mut profile.lines);
    profile.mapping.key_origin = origin(&profile, "case.key");
    profile.mapping.partner_firm_origin = origin(&profile, "case.partner_firm");
    profile
}

fn origin(profile: &Profile, setting: &str) -> Origin {
    Origin {
        line: profile.line_of(setting),
    }
}
