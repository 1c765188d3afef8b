//! What flags, environment and config together say: a flag wins over the
//! environment, that over the config.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::args::{AccountArgs, Globals, ReadArgs};
use crate::api::Address;
use crate::check;
use crate::config::{self, Config};
use crate::input::{self, Input};
use crate::mapping::{MappingOptions, Rules};

/// The config's name, where none is given.
pub(crate) const CONFIG: &str = "caseload.toml";

/// Loads the config that is named, or the one in the working directory.
pub(crate) fn config(globals: &Globals) -> Result<Option<Config>> {
    let path = match &globals.config {
        Some(path) => path.as_path(),
        None if Path::new(CONFIG).exists() => Path::new(CONFIG),
        None => return Ok(None),
    };
    Ok(Some(config::load(path)?))
}

/// What `--sandbox` refuses: a rehearsal has nothing to do with a real account.
pub(crate) fn refuse_with_sandbox(account: &AccountArgs, matches: &clap::ArgMatches) -> Result<()> {
    use clap::parser::ValueSource;
    if !account.sandbox {
        return Ok(());
    }
    for (id, flag) in [("base_url", "--base-url"), ("ledger", "--ledger")] {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            bail!(
                "--sandbox is a world of its own and can't be used with {flag}; \
                 for a sandbox with a ledger of your own start `caseload sandbox`"
            );
        }
    }
    Ok(())
}

/// The address of the call, for real accounts.
pub(crate) fn address(
    account: &AccountArgs,
    config: Option<&Config>,
    map_id: Option<&str>,
) -> Result<Address> {
    let api = config.map(|config| &config.api);
    let base_url = account
        .base_url
        .as_deref()
        .or(api.and_then(|api| api.base_url.as_deref()))
        .context(
            "no base URL: give --base-url, LEXAMICA_BASE_URL or [api] base_url in caseload.toml; \
             --sandbox rehearses without one",
        )?;
    let org_id = account
        .org_id
        .as_deref()
        .or(api.and_then(|api| api.org_id.as_deref()));
    let map_id = map_id
        .or(api.and_then(|api| api.map_id.as_deref()))
        .context("no map id: give --map-id, LEXAMICA_MAP_ID or [api] map_id in caseload.toml")?;
    let template = api.and_then(|api| api.path.as_deref());
    Ok(Address::new(base_url, org_id, map_id, template)?)
}

/// How to read the files.
pub(crate) fn source(read: &ReadArgs) -> input::ReadOptions {
    input::ReadOptions {
        format: read.format,
        delimiter: read.delimiter,
        encoding: read.encoding.clone(),
        sheet: read.sheet.clone(),
        records: read.records.clone(),
        ..input::ReadOptions::default()
    }
}

/// How a record becomes a case.
pub(crate) fn mapping(read: &ReadArgs, config: Option<&Config>) -> MappingOptions {
    let mut options = config.map_or_else(
        || MappingOptions {
            passthrough: true,
            ..MappingOptions::default()
        },
        |config| config.mapping.clone(),
    );
    if !read.key_column.is_empty() {
        options.key.clone_from(&read.key_column);
        options.key_line = None;
    }
    if read.partner_firm_column.is_some() {
        options
            .partner_firm_column
            .clone_from(&read.partner_firm_column);
        options.partner_firm_line = None;
    }
    options
        .default_partner_firm
        .clone_from(&read.partner_firm_id);
    options.allow_drafts |= read.allow_drafts;
    let today = jiff::ZonedDateTime::now().date();
    options.today = Some((
        today.year().unsigned_abs(),
        today.month().unsigned_abs(),
        today.day().unsigned_abs(),
    ));
    options
}

/// The rules, compiled once.
pub(crate) fn rules(options: MappingOptions) -> Result<Arc<Rules>> {
    match Rules::compile(options) {
        Ok(rules) => Ok(Arc::new(rules)),
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            bail!("{}", errors.join("\n"))
        }
    }
}

/// The inputs of a command; no file may be named twice.
pub(crate) fn inputs(files: &[PathBuf]) -> Result<Vec<Input>> {
    let inputs: Vec<Input> = files
        .iter()
        .map(|file| Input::from_arg(file.as_os_str()))
        .collect();
    if inputs.len() > usize::from(u16::MAX) {
        bail!("more than 65,535 files; import them in several runs");
    }
    for (position, input) in inputs.iter().enumerate() {
        if inputs[..position].contains(input) {
            bail!("{} is named twice", input.name());
        }
    }
    Ok(inputs)
}

/// What a failed check says, with the config's lines.
pub(crate) fn check_error(
    error: check::CheckError,
    inputs: &[Input],
    config: Option<&Config>,
) -> anyhow::Error {
    match error {
        check::CheckError::Columns(faults) => {
            let lines: Vec<String> = faults
                .iter()
                .map(|(file, fault)| {
                    let file = file
                        .and_then(|file| inputs.get(usize::from(file.0)))
                        .map(|input| format!(" in {}", input.name()))
                        .unwrap_or_default();
                    let message = format!("{fault}{file}");
                    match (fault.line, config) {
                        (Some(line), Some(config)) => {
                            let fault = config.error_at(line, &fault.column, &message);
                            fault.to_string()
                        }
                        _ => message,
                    }
                })
                .collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        }
        error => anyhow::anyhow!("{error}"),
    }
}
