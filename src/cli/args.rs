//! Arguments that several commands share.

use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{Args, ValueEnum};

use crate::output::terminal::color;
use crate::output::terminal::streams::OutputOptions;

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Output {
    /// People: everything goes to standard error.
    #[default]
    Human,
    /// Scripts: one JSON document a line on standard output.
    Json,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Color {
    /// On a terminal that supports them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// Who reads the output: people, or scripts
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Show values of cases by shape and length only (the default where CI is set)
    #[arg(long, global = true, overrides_with = "no_redact")]
    pub redact: bool,
    /// Show values of cases as they are
    #[arg(long, global = true, overrides_with = "redact")]
    pub no_redact: bool,
    /// Say only what must be said
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every answer as it came
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// The config [default: caseload.toml in the working directory, if there]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CASELOAD_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
}

impl Globals {
    /// Applies `--color`, once.
    pub(crate) fn set_color(&self) {
        color::set_choice(match self.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        });
    }

    /// How output looks.
    pub(crate) fn output_options(&self) -> OutputOptions {
        OutputOptions {
            redact: self.redact || (in_ci() && !self.no_redact),
            quiet: self.quiet,
            json: self.output == Output::Json,
        }
    }
}

/// Whether a CI job runs us.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.trim(), "" | "0" | "false"))
}

/// Which account and ledger.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct AccountArgs {
    /// Where the API is, such as <https://api.example.com>
    #[arg(
        long,
        value_name = "URL",
        env = "LEXAMICA_BASE_URL",
        hide_env_values = true
    )]
    pub base_url: Option<String>,
    /// The organization; switches to the full path
    #[arg(
        long,
        value_name = "ID",
        env = "LEXAMICA_ORG_ID",
        hide_env_values = true
    )]
    pub org_id: Option<String>,
    /// The ledger [default: one file per account in your state folder]
    #[arg(
        long,
        value_name = "FILE",
        env = "CASELOAD_LEDGER",
        hide_env_values = true
    )]
    pub ledger: Option<PathBuf>,
    /// Rehearse against a sandbox of this process; needs nothing else
    #[arg(long)]
    pub sandbox: bool,
}

/// How to read files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading files")]
pub(crate) struct ReadArgs {
    /// csv, tsv, json, ndjson or xlsx, where detection is wrong
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<crate::input::Format>,
    /// What stands between two cells: one character, or "tab"
    #[arg(long, value_name = "C", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// The text's encoding, such as utf-8, windows-1252 or utf-16le
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// The sheet of a workbook [default: the first]
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// The member of a JSON object that holds the records; "." when it is one itself
    #[arg(long, value_name = "NAME")]
    pub records: Option<String>,
    /// The column that tells one case from another; again for more columns
    #[arg(long, value_name = "NAME")]
    pub key_column: Vec<String>,
    /// The column of the handling firm
    /// [default: partnerFirmId, `partner_firm_id` or "Partner Firm ID"]
    #[arg(long, value_name = "NAME")]
    pub partner_firm_column: Option<String>,
    /// The handling firm's id for rows that name none
    #[arg(long, value_name = "ID", visible_alias = "partner-firm")]
    pub partner_firm_id: Option<String>,
    /// Let rows without a partner firm through, as drafts
    #[arg(long)]
    pub allow_drafts: bool,
    /// Warnings are problems
    #[arg(long)]
    pub strict: bool,
    /// Tell problems as annotations of a CI job too, without values
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub annotations: Option<Annotate>,
    /// Write all problems to this file, as a spreadsheet
    #[arg(long, value_name = "FILE.csv")]
    pub problems: Option<PathBuf>,
}

/// Systems that show annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Annotate {
    /// GitHub Actions.
    Github,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("expected one character such as , or ; or the word tab".to_owned()),
    }
}
