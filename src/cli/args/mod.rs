//! What can be typed: the arguments that several commands share, and those of
//! every command but `import`. They only say what was typed; `settings` adds the
//! environment and the config.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, which would show the backticks"
)]

mod import;
mod webhooks;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum, ValueHint};

pub(crate) use self::import::{ApprovedPlan, ImportArgs, LedgerPermissions};
pub(crate) use self::webhooks::{
    ListenArgs, ManagementArgs, SetupAction, SetupArgs, SetupOptions, WebhookArgs,
};
use crate::engine::parse_duration;
use crate::ledger::ResolveAction;
use crate::model::{Format, State};
use crate::sandbox::{Faults, RateLimit};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum OutputFormat {
    /// Text for people
    #[default]
    Human,
    /// One JSON document a line, on standard output
    Json,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options", mut_args(|arg| arg.global(true)))]
pub(crate) struct GlobalArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
    /// When to use color
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_short_help = true
    )]
    pub color: clap::ColorChoice,
    /// Hide the values of cases, show their shape and length (default when CI is set)
    #[arg(long, overrides_with = "no_redact", hide_short_help = true)]
    pub redact: bool,
    /// Show the values of cases
    #[arg(long, overrides_with = "redact", hide_short_help = true)]
    pub no_redact: bool,
    /// Only errors and the summary
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More detail, with every server response
    #[arg(long, short)]
    pub verbose: bool,
    /// Config file [env: CASELOAD_CONFIG] [default: caseload.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Which account and ledger.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct AccountArgs {
    /// URL of the API, such as https://api.example.com [env: LEXAMICA_BASE_URL]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub base_url: Option<String>,
    /// Organization id; uses the full API path [env: LEXAMICA_ORG_ID]
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub org_id: Option<String>,
    /// Ledger: a file, or postgres://USER@HOST/DATABASE [env: CASELOAD_LEDGER] [default: one file
    /// per account in your state folder]
    #[arg(long, value_name = "LEDGER")]
    pub ledger: Option<PathBuf>,
    /// Test run against a built-in sandbox; needs no account and no key
    #[arg(long)]
    pub sandbox: bool,
}

/// How to read files, and what to do with their problems.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading files")]
pub(crate) struct ReadArgs {
    /// csv, tsv, json, ndjson or xlsx [default: detected]
    #[arg(long, value_name = "FORMAT", value_parser = format, hide_short_help = true)]
    pub format: Option<Format>,
    /// Field delimiter: one character, or "tab" [default: detected]
    #[arg(long, value_name = "C", value_parser = delimiter, hide_short_help = true)]
    pub delimiter: Option<u8>,
    /// Text encoding, such as utf-8, windows-1252 or utf-16le [default: detected]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub encoding: Option<String>,
    /// Sheet of a workbook [default: the first one with rows]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub sheet: Option<String>,
    /// Member of a JSON object that holds the records; "." if the object is one record
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub records: Option<String>,
    /// Row of the header, where a title stands above it [default: the first with cells]
    #[arg(long, value_name = "N", hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub header_row: Option<u64>,
    /// Column that identifies a case; repeat for a key of several columns
    #[arg(long, value_name = "NAME")]
    pub key_column: Vec<String>,
    /// System that the keys come from, where several feed one account
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub source: Option<String>,
    /// Column with the handling firm
    /// [default: partnerFirmId, partner_firm_id or "Partner Firm ID"]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub partner_firm_column: Option<String>,
    /// Handling firm for rows that name none
    #[arg(long, value_name = "ID", visible_alias = "partner-firm")]
    pub partner_firm_id: Option<String>,
    /// Accept rows without a partner firm, as drafts
    #[arg(long)]
    pub allow_drafts: bool,
    /// Treat warnings as errors
    #[arg(long)]
    pub strict: bool,
    /// Accept a file without records
    #[arg(long, hide_short_help = true)]
    pub allow_empty: bool,
    /// Also print problems as CI annotations, without values
    #[arg(long, value_name = "SYSTEM", value_parser = ["github"], hide_short_help = true)]
    pub annotations: Option<String>,
    /// Show at most so many problems; the others are counted by code and column
    #[arg(long, value_name = "N", default_value = "20", hide_short_help = true)]
    pub max_shown: u64,
    /// Write all problems to this file, as a spreadsheet
    #[arg(long, value_name = "FILE.csv", hide_short_help = true)]
    pub problems: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Case files; "-" reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Write the rows with errors to this file, to fix and import; with several
    /// inputs a folder
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub rejects: Option<PathBuf>,
    /// Replace the files of --problems and --rejects if they exist
    #[arg(long, hide_short_help = true)]
    pub force: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub account: AccountArgs,
    /// Id of the mapping [env: LEXAMICA_MAP_ID]
    #[arg(long, value_name = "ID")]
    pub map_id: Option<String>,
    /// File with the public key [env: LEXAMICA_PUBLIC_KEY holds the key itself]
    #[arg(long, value_name = "FILE")]
    pub public_key_file: Option<PathBuf>,
    /// Certificate authority to trust beside the system's [env: SSL_CERT_FILE]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub ca_file: Option<PathBuf>,
    /// Accept only this ledger [env: CASELOAD_LEDGER_ID]
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub ledger_id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct InitArgs {
    /// A case file like the ones to import
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// Which ledger, and which of its cases.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("sandbox", |arg| arg
    .help("Use the ledger of test runs: caseload-sandbox.db in the working directory")))]
pub(crate) struct LedgerArgs {
    #[command(flatten)]
    pub cases: CaseSelection,
    #[command(flatten)]
    pub account: AccountArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// Exit code 1 if a case is in doubt, rejected, not sent, or may exist twice
    #[arg(long)]
    pub check: bool,
    /// One case's life: its import, and every update, stage and settlement since
    #[arg(long, value_name = "KEY")]
    pub case: Option<String>,
    /// List imported cases without news for this long, settled ones aside
    #[arg(long, value_name = "T", value_parser = age, conflicts_with = "case")]
    pub stale: Option<Duration>,
    /// List the runs, newest first: who, which files, and what became of the records
    #[arg(long, conflicts_with_all = ["check", "case", "stale", "run", "state", "file", "source"])]
    pub runs: bool,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// Cases, narrowed by each part that is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which cases")]
pub(crate) struct CaseSelection {
    /// Cases last attempted by this run
    #[arg(long, value_name = "N")]
    pub run: Option<i64>,
    /// Cases in this state; repeat for more states
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Vec<State>,
    /// Cases last read from this file, named as it was when imported
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<String>,
    /// Cases whose keys come from this source; "" is the one without a name
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
}

/// What is exported where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct ExportArgs {
    /// All cases, one row each: CSV, or a workbook if the name ends in .xlsx
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Rejected records, to fix and import again; a folder if they came from
    /// several files
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Cases in doubt, with what is needed to find them in Lexamica
    #[arg(long, value_name = "FILE")]
    pub in_doubt: Option<PathBuf>,
    /// Every event that webhooks brought, one row each; NDJSON by that name
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// All cases, one JSON object a line; "-" is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A report to look at: one web page with counts, plots, and what needs a person
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
    /// Also show names, and what the server answered, in the report
    #[arg(long, requires = "html")]
    pub with_personal_data: bool,
    /// Replace output files that exist
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("resolution").args(["imported", "not_imported", "removed", "undo"])))]
pub(crate) struct ResolveArgs {
    /// Keys of cases; type a key of several columns as a JSON array
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// These cases exist in Lexamica, under this id if one is given
    ///
    /// Repeat for more cases. A key that the ledger does not know, of a case
    /// entered by hand, is added. The id follows the last "=", unless the ledger
    /// has the whole text as a key. Without a key: the cases selected below.
    #[arg(long, value_name = "KEY[=CASE_ID]", num_args = 0..=1, default_missing_value = "",
          help_heading = "Resolution")]
    pub imported: Option<Vec<String>>,
    /// These cases do not exist in Lexamica: the next import sends them
    #[arg(long, help_heading = "Resolution")]
    pub not_imported: bool,
    /// These cases were deleted in Lexamica: the next import sends them
    #[arg(long, help_heading = "Resolution")]
    pub removed: bool,
    /// Undo the last resolution of these cases
    #[arg(long, help_heading = "Resolution")]
    pub undo: bool,
    /// Warn when a case marked "not imported" is in doubt for less than this
    #[arg(long, value_name = "T", default_value = "10m", value_parser = duration,
          help_heading = "Resolution")]
    pub min_doubt_age: Duration,
    /// Do not ask for confirmation
    #[arg(long, help_heading = "Resolution")]
    pub yes: bool,
    /// Use a ledger that lacks the attempt named in the message
    #[arg(
        long,
        value_name = "ATTEMPT",
        help_heading = "Account",
        hide_short_help = true
    )]
    pub accept_older_ledger: Option<String>,
    /// Keys in a file, one a line, or a file that export wrote
    ///
    /// A file of export's may have been edited in a spreadsheet: its columns
    /// caseload_decision (imported or not-imported) and caseload_case_id are
    /// read. "-" is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Which cases")]
    pub list: Option<PathBuf>,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

impl ResolveArgs {
    /// None goes through the cases one by one.
    pub(crate) fn action(&self) -> Option<ResolveAction> {
        [
            (self.imported.is_some(), ResolveAction::Imported),
            (self.not_imported, ResolveAction::NotImported),
            (self.removed, ResolveAction::Removed),
            (self.undo, ResolveAction::Undo),
        ]
        .into_iter()
        .find_map(|(given, action)| given.then_some(action))
    }

    /// Keys as typed; for [`ResolveAction::Imported`] with `=CASE_ID` after them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        // `--imported` alone is about the cases selected otherwise.
        let imported = self.imported.iter().flatten().filter(|key| !key.is_empty());
        self.keys.iter().chain(imported)
    }
}

const FORGET: &str = "Of these cases payloads, records, files and rows, messages of the server and \
    webhook events are removed. Key, state, case id and hashes stay: without them a case could be \
    created twice, and a key that names a person does so still. Cases in doubt, rejected or not \
    sent stay as they are.";

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LedgerAction {
    /// List the ledgers of the state folder, and the others used on this machine
    List,
    /// Copy a ledger to a new file, safe even while an import runs
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
        #[command(flatten)]
        account: AccountArgs,
    },
    /// Move the ledger in a file to a database server (postgres://…)
    #[command(after_help = "The file says that it was moved, and no import uses it again.")]
    Copy {
        /// The ledger's file
        file: PathBuf,
        /// postgres://USER@HOST/DATABASE
        server: String,
    },
    /// Forget the persons of cases that are done, and go on preventing duplicates
    #[command(after_help = FORGET)]
    Forget {
        /// Cases imported or removed longer ago, and without webhook events since
        #[arg(long, value_name = "T", value_parser = age)]
        older_than: Duration,
        #[command(flatten)]
        account: AccountArgs,
        /// Do it without the question
        #[arg(short, long)]
        yes: bool,
    },
    /// Let another run begin although one that uses the ledger on a server has not
    /// ended
    Unlock {
        #[command(flatten)]
        account: AccountArgs,
        /// Do it without the question
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ManArgs {
    /// Folder to write the pages to, one a command
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Replace pages that exist
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SandboxArgs {
    /// Port on 127.0.0.1; 0 picks one and prints it as JSON
    #[arg(long, value_name = "P", default_value = "8788")]
    pub port: u16,
    /// Delay of every response
    #[arg(long, value_name = "T", default_value = "0ms", value_parser = duration)]
    pub latency: Duration,
    /// Answer 429 to more calls than this; a bucket with a burst of 2
    #[arg(long, value_name = "N/s")]
    pub rate_limit: Option<RateLimit>,
    /// Faults to inject and how often, such as 429=0.1,drop=0.05 (--help lists them)
    #[arg(long, value_name = "KIND=P,…", long_help = faults_help())]
    pub faults: Option<Faults>,
    /// Make faults and case ids repeatable; ids then repeat with every start
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Accept only this organization
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub org_id: Option<String>,
    /// Accept only this mapping
    #[arg(long, value_name = "ID")]
    pub map_id: Option<String>,
    /// File with the only key that is accepted, of an import
    #[arg(long, value_name = "FILE")]
    pub public_key_file: Option<PathBuf>,
    /// File with the only key that is accepted, of a setup
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub private_key_file: Option<PathBuf>,
    /// Play each case's life within seconds: an update, a stage, a settlement
    #[arg(long)]
    pub simulate_updates: bool,
}

fn faults_help() -> String {
    let mut help = "Faults to inject and how often, such as 429=0.1,drop=0.05. Kinds:".to_owned();
    for (kind, meaning) in Faults::kinds() {
        // Writing to a String can't fail.
        let _ = write!(help, "\n  {kind:18} {meaning}");
    }
    help
}

fn format(text: &str) -> Result<Format, &'static str> {
    text.parse()
        .map_err(|_| "expected csv, tsv, json, ndjson or xlsx")
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("expected one character such as , or ; or the word tab".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 500ms, 90s or 10m".to_owned())
}

/// A duration that may be in days or weeks.
fn age(text: &str) -> Result<Duration, String> {
    let span: Option<jiff::Span> = text.trim().parse().ok();
    let age = span.and_then(|span| {
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
            .ok()
    });
    let age = age.and_then(|age| Duration::try_from(age).ok());
    let age = age.filter(|age| jiff::Timestamp::now().checked_sub(*age).is_ok());
    age.ok_or_else(|| "expected a time such as 90d, 12w or 36h".to_owned())
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

fn state(text: &str) -> Result<State, &'static str> {
    let name = text.to_lowercase().replace(['-', ' '], "_");
    name.parse()
        .map_err(|_| "expected sending, imported, rejected, not_sent, in_doubt or removed")
}
