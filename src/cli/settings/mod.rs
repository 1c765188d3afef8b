//! Arguments turned into validated settings, once: a flag wins over the
//! environment, that over the config. An environment variable that is empty
//! counts as not set.

mod account;
mod doctor;
mod import;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstream::ColorChoice;
use anyhow::{Result, anyhow, bail};

pub(crate) use self::account::{LedgerChoice, LedgerSettings, SANDBOX_LEDGER, server};
pub(crate) use self::doctor::DoctorSettings;
pub(crate) use self::import::ImportSettings;
pub(crate) use self::webhooks::{
    CASE_ID_FIELD, ListenSettings, ManagementSettings, SetupSettings, event_fields,
};
use super::args::{CheckArgs, GlobalArgs, OutputFormat, ReadArgs};
use crate::api::Secret;
use crate::check::{CheckError, CheckOptions};
use crate::config::{self, Config};
use crate::input::{self, Input};
use crate::ledger;
use crate::mapping::{MappingOptions, Rules};
use crate::output::terminal::streams::{OutputOptions, print_warning};

/// The config file that is used, and written by `init`, unless one is named.
pub(crate) const CONFIG: &str = "caseload.toml";

/// A variable of the environment, unless it is empty. One that is not Unicode
/// is not ignored: what it names will not be found.
pub(crate) fn environment(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}

fn environment_path(name: &str) -> Option<PathBuf> {
    environment(name)?;
    std::env::var_os(name).map(PathBuf::from)
}

/// The key in a file. One that others can read is a warning.
pub(crate) fn key_from(path: &Path) -> Result<Secret> {
    let (key, warning) = Secret::from_file(path)?;
    if let Some(warning) = warning {
        print_warning(&warning);
    }
    Ok(key)
}

/// A key from its file or its variable. The platform gives two, and each is
/// refused where the other belongs, as far as that can be seen.
fn key(file: Option<&Path>, variable: &str, other: &str) -> Result<Option<Secret>> {
    let found = key_and_warning(file, variable, other)?;
    Ok(found.map(|(key, warning)| {
        if let Some(warning) = warning {
            print_warning(&warning);
        }
        key
    }))
}

/// The same, with the warning not yet shown.
fn key_and_warning(
    file: Option<&Path>,
    variable: &str,
    other: &str,
) -> Result<Option<(Secret, Option<String>)>> {
    let (key, warning) = match (file, environment(variable)) {
        (Some(path), _) => Secret::from_file(path)?,
        (None, Some(text)) => (Secret::from_text(&text, variable)?, None),
        (None, None) => return Ok(None),
    };
    if environment(other).is_some_and(|other| other.trim() == key.reveal()) {
        let kind = if other.contains("PUBLIC") {
            "private"
        } else {
            "public"
        };
        bail!("the {kind} key is the same as {other}: one of the two is wrong");
    }
    Ok(Some((key, warning)))
}

/// Whether this is a CI job.
pub(crate) fn in_ci() -> bool {
    environment("CI").is_some_and(|value| !matches!(value.trim(), "0" | "false"))
}

/// How the process reports.
pub(crate) fn output_options(globals: &GlobalArgs) -> OutputOptions {
    OutputOptions {
        redact: globals.redact || (in_ci() && !globals.no_redact),
        quiet: globals.quiet,
        verbose: globals.verbose,
        json: globals.output == OutputFormat::Json,
    }
}

/// Applies `--color`, once for the process.
pub(crate) fn set_color(globals: &GlobalArgs) {
    let choice = match globals.color {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// The config that is named by its flag or the environment.
pub(crate) fn named_config(globals: &GlobalArgs) -> Option<PathBuf> {
    (globals.config.clone()).or_else(|| environment_path("CASELOAD_CONFIG"))
}

/// Loads the config that is named, or the one in the working directory. Without
/// any, every column is sent under its own name.
fn config(globals: &GlobalArgs) -> Result<Config> {
    match named_config(globals) {
        Some(path) => Ok(config::load(&path)?),
        None if Path::new(CONFIG).exists() => Ok(config::load(Path::new(CONFIG))?),
        None => {
            let mut config = Config::default();
            config.mapping.passthrough = true;
            Ok(config)
        }
    }
}

/// How a command's input is read, checked and reported.
#[derive(Debug)]
pub(crate) struct ReadSettings {
    pub args: ReadArgs,
    /// What every check of the input has in common.
    pub check: CheckOptions,
    /// The file of the rows with errors, for a check; an import has others.
    pub rejects: Option<PathBuf>,
    /// Replace output files that exist.
    pub force: bool,
    /// Where the rules came from, for errors in them.
    pub config: Config,
}

impl ReadSettings {
    /// Of a command that only reads.
    pub(crate) fn of_check(args: CheckArgs, globals: &GlobalArgs) -> Result<Self> {
        Ok(Self {
            rejects: args.rejects,
            ..Self::new(&args.files, args.read, args.force, config(globals)?)?
        })
    }

    fn new(files: &[PathBuf], args: ReadArgs, force: bool, config: Config) -> Result<Self> {
        Ok(Self {
            check: CheckOptions {
                inputs: inputs(files)?,
                read: read_options(&args),
                rules: rules(&args, config.mapping.clone())?,
                strict: args.strict,
                allow_empty: args.allow_empty,
                collect_cases: false,
                collect_invalid: false,
                summarize_columns: false,
            },
            args,
            rejects: None,
            force,
            config,
        })
    }

    /// The files of problems by their numbers: the inputs, then those that are
    /// joined with them.
    pub(crate) fn file_names(&self) -> Vec<String> {
        let inputs = self.check.inputs.iter().map(Input::name);
        let joins = self.check.rules.options().joins.values();
        let joined = joins.map(|join| join.file.display().to_string());
        inputs.chain(joined).collect()
    }

    /// The files that are read, which no output may replace.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let inputs = self.check.inputs.iter().filter_map(Input::path);
        let paths = inputs.chain(self.config.files());
        paths.map(Path::to_owned).collect()
    }

    /// The error of a check that failed, with the lines of the config.
    pub(crate) fn check_error(&self, error: CheckError) -> anyhow::Error {
        let CheckError::Columns(missing) = error else {
            return anyhow!("{error}");
        };
        let lines = missing.iter().map(|(file, column)| {
            let input = file.and_then(|file| self.check.inputs.get(usize::from(file.0)));
            let message = match input {
                Some(input) => format!("{column} in {}", input.name()),
                None => column.to_string(),
            };
            match column.line {
                Some(line) => {
                    let error = self.config.error_at(line, &column.column, &message);
                    error.to_string()
                }
                None => message,
            }
        });
        anyhow!("{}", lines.collect::<Vec<_>>().join("\n"))
    }
}

/// How to read the files.
pub(crate) fn read_options(read: &ReadArgs) -> input::ReadOptions {
    input::ReadOptions {
        format: read.format,
        delimiter: read.delimiter,
        encoding: read.encoding.clone(),
        sheet: read.sheet.clone(),
        records: read.records.clone(),
        header_row: read.header_row,
        temporary_folder: Some(ledger::temporary_folder),
        ..input::ReadOptions::default()
    }
}

/// How a record becomes a case, by the config and the arguments.
fn rules(read: &ReadArgs, mut options: MappingOptions) -> Result<Arc<Rules>> {
    if !read.key_column.is_empty() {
        options.key.clone_from(&read.key_column);
        options.key_line = None;
    }
    if read.source.is_some() {
        options.source.clone_from(&read.source);
    }
    if let Some(column) = &read.partner_firm_column {
        options.partner_firm_column = Some(column.clone());
        options.partner_firm_line = None;
    }
    options
        .default_partner_firm
        .clone_from(&read.partner_firm_id);
    options.allow_drafts |= read.allow_drafts;
    options.today = Some(jiff::ZonedDateTime::now().date());
    Rules::compile(options).map(Arc::new).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("{}", errors.join("\n"))
    })
}

/// The inputs of a command; no file may be named twice.
fn inputs(files: &[PathBuf]) -> Result<Vec<Input>> {
    let inputs: Vec<Input> = files
        .iter()
        .map(|file| Input::from_arg(file.as_os_str()))
        .collect();
    if inputs.len() > usize::from(u16::MAX) {
        bail!("more than 65,535 files; import them in several runs");
    }
    for (position, input) in inputs.iter().enumerate() {
        if inputs[..position].contains(input) {
            bail!("{} is given twice", input.name());
        }
    }
    Ok(inputs)
}
