//! Arguments turned into validated settings, once: a flag wins over the
//! environment, that over the config. An environment variable that is empty
//! counts as not set.

mod api;
mod import;
mod ledger;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstream::ColorChoice;
use anyhow::{Result, anyhow, bail};

pub(crate) use self::import::{Confirmation, ImportSettings};
pub(crate) use self::ledger::{LedgerChoice, LedgerSettings, SANDBOX_LEDGER};
use super::args::{AnnotationFormat, CheckArgs, GlobalArgs, InitArgs, OutputFormat, ReadArgs};
use crate::check;
use crate::config::{self, Config};
use crate::input::{self, Input};
use crate::mapping::{MappingOptions, Rules};
use crate::output::terminal::color;
use crate::output::terminal::streams::OutputOptions;

/// The config file that is used, and written by `init`, unless one is named.
const CONFIG: &str = "caseload.toml";

/// A variable of the environment, unless it is empty. One that is not Unicode
/// is not ignored: what it names will not be found.
fn environment(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}

fn environment_path(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name)?;
    (!value.is_empty()).then(|| value.into())
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
        json: globals.output == OutputFormat::Json,
    }
}

/// Applies `--color`, once for the process.
pub(crate) fn set_color(globals: &GlobalArgs) {
    color::set_choice(match globals.color {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    });
}

fn config_path(globals: &GlobalArgs) -> Option<PathBuf> {
    (globals.config.clone()).or_else(|| environment_path("CASELOAD_CONFIG"))
}

/// Loads the config that is named, or the one in the working directory.
fn config(globals: &GlobalArgs) -> Result<Option<Config>> {
    let path = match config_path(globals) {
        Some(path) => path,
        None if Path::new(CONFIG).exists() => PathBuf::from(CONFIG),
        None => return Ok(None),
    };
    Ok(Some(config::load(&path)?))
}

/// How a command's input is read, checked and reported.
#[derive(Debug)]
pub(crate) struct ReadSettings {
    pub inputs: Vec<Input>,
    pub options: input::ReadOptions,
    pub mapping: MappingOptions,
    /// Warnings are errors.
    pub strict: bool,
    pub github_annotations: bool,
    /// The file of all problems, as a spreadsheet.
    pub problems_file: Option<PathBuf>,
    /// Replace output files that exist.
    pub force: bool,
    /// Where the rules came from, for errors in them.
    pub config: Option<Config>,
}

impl ReadSettings {
    /// Of a command that only reads.
    pub(crate) fn of_check(args: CheckArgs, globals: &GlobalArgs) -> Result<Self> {
        Self::new(&args.files, args.read, args.force, config(globals)?)
    }

    fn new(files: &[PathBuf], args: ReadArgs, force: bool, config: Option<Config>) -> Result<Self> {
        Ok(Self {
            inputs: inputs(files)?,
            options: read_options(&args),
            mapping: mapping(&args, config.as_ref()),
            strict: args.strict,
            force,
            github_annotations: args.annotations == Some(AnnotationFormat::Github),
            problems_file: args.problems,
            config,
        })
    }

    pub(crate) fn file_names(&self) -> Vec<String> {
        self.inputs.iter().map(Input::name).collect()
    }

    /// The rules, compiled.
    pub(crate) fn rules(&self) -> Result<Arc<Rules>> {
        Rules::compile(self.mapping.clone())
            .map(Arc::new)
            .map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                anyhow!("{}", errors.join("\n"))
            })
    }

    /// The error of a check that failed, with the lines of the config.
    pub(crate) fn check_error(&self, error: check::CheckError) -> anyhow::Error {
        match error {
            check::CheckError::Columns(faults) => {
                let lines: Vec<String> = faults
                    .iter()
                    .map(|(file, fault)| {
                        let file = file
                            .and_then(|file| self.inputs.get(usize::from(file.0)))
                            .map(|input| format!(" in {}", input.name()))
                            .unwrap_or_default();
                        let message = format!("{fault}{file}");
                        match (fault.line, &self.config) {
                            (Some(line), Some(config)) => {
                                let fault = config.error_at(line, &fault.column, &message);
                                fault.to_string()
                            }
                            _ => message,
                        }
                    })
                    .collect();
                anyhow!("{}", lines.join("\n"))
            }
            error => anyhow!("{error}"),
        }
    }
}

/// How to read the files.
fn read_options(read: &ReadArgs) -> input::ReadOptions {
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
fn mapping(read: &ReadArgs, config: Option<&Config>) -> MappingOptions {
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
    options.today = Some(jiff::ZonedDateTime::now().date());
    options
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

#[derive(Debug)]
pub(crate) struct InitSettings {
    pub output: OutputOptions,
    /// Where the config is written.
    pub config: PathBuf,
    pub config_is_default: bool,
    pub file: PathBuf,
    pub options: input::ReadOptions,
}

impl InitSettings {
    pub(crate) fn new(args: InitArgs, globals: &GlobalArgs) -> Self {
        let config = config_path(globals).unwrap_or_else(|| PathBuf::from(CONFIG));
        Self {
            output: output_options(globals),
            config_is_default: config == Path::new(CONFIG),
            config,
            options: read_options(&args.read),
            file: args.file,
        }
    }
}
