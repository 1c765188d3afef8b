//! The arguments of `import`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::{AccountArgs, ReadArgs};
use crate::engine::{PaceRange, parse_span};

/// Arguments of `caseload import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// Case files; "-" reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub account: AccountArgs,
    /// The mapping
    #[arg(
        long,
        value_name = "ID",
        env = "LEXAMICA_MAP_ID",
        hide_env_values = true,
        help_heading = "Account"
    )]
    pub map_id: Option<String>,
    /// The public key, in a file that only you can read [env: `LEXAMICA_PUBLIC_KEY` holds the key]
    #[arg(long, value_name = "FILE", help_heading = "Account")]
    pub public_key_file: Option<PathBuf>,
    /// A certificate authority beside the system's
    #[arg(
        long,
        value_name = "FILE",
        env = "SSL_CERT_FILE",
        hide_env_values = true,
        help_heading = "Account"
    )]
    pub ca_file: Option<PathBuf>,
    /// This is the first import of this account: a ledger may be made
    #[arg(long, help_heading = "Account")]
    pub new_ledger: bool,
    /// Only this ledger will do
    #[arg(
        long,
        value_name = "ID",
        env = "CASELOAD_LEDGER_ID",
        hide_env_values = true,
        help_heading = "Account"
    )]
    pub ledger_id: Option<String>,
    /// The ledger named is this account's under its former address
    #[arg(long, help_heading = "Account")]
    pub adopt_ledger: bool,
    /// With --sandbox: forget earlier rehearsals
    #[arg(long, help_heading = "Account")]
    pub fresh: bool,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Check and plan, send nothing
    #[arg(long, help_heading = "Sending")]
    pub dry_run: bool,
    /// Send without the question
    #[arg(long, help_heading = "Sending")]
    pub yes: bool,
    /// Send exactly what a dry run has shown, by its HASH-N
    #[arg(long, value_name = "HASH-N", help_heading = "Sending")]
    pub plan: Option<String>,
    /// Send at most N cases; 1 tries one and shows the whole answer
    #[arg(long, value_name = "N", help_heading = "Sending",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Send the good rows though others have problems
    #[arg(long, help_heading = "Sending")]
    pub skip_invalid: bool,
    /// A new key with the content of an imported case is meant
    #[arg(long, help_heading = "Sending")]
    pub allow_same_content: bool,
    /// Send cases in doubt once more, knowing that it can make a second case
    #[arg(long, help_heading = "Sending")]
    pub resend_in_doubt: bool,
    /// With --resend-in-doubt: only doubts older than this
    #[arg(long, value_name = "T", default_value = "10m", value_parser = span, help_heading = "Sending")]
    pub min_doubt_age: Duration,
    /// The interval between the starts of two calls
    #[arg(
        long,
        value_name = "A..B",
        default_value = "100ms..200ms",
        help_heading = "Pace"
    )]
    pub pace: PaceRange,
    /// Calls under way at once
    #[arg(long, value_name = "N", default_value = "32", help_heading = "Pace",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub in_flight: u16,
    /// For one call
    #[arg(long, value_name = "T", default_value = "90s", value_parser = positive_span, help_heading = "Pace")]
    pub timeout: Duration,
    /// Further attempts for one that was proved not sent
    #[arg(long, value_name = "N", default_value = "5", help_heading = "Pace")]
    pub max_retries: u32,
    /// The longest pause that the server may ask for
    #[arg(long, value_name = "T", default_value = "10m", value_parser = span, help_heading = "Pace")]
    pub max_wait: Duration,
    /// Stop after N failures in a row; 0 is never
    #[arg(long, value_name = "N", default_value = "20", help_heading = "Pace")]
    pub max_failures: u32,
    /// Leave this run's files in DIR/<run>/
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    pub out: Option<PathBuf>,
    /// Write every case's result to this file
    #[arg(long, value_name = "F", help_heading = "Files")]
    pub results: Option<PathBuf>,
    /// Write what was rejected or left out to this file, to mend and import again
    #[arg(long, value_name = "F", help_heading = "Files")]
    pub rejects: Option<PathBuf>,
    /// Write what is in doubt to this file
    #[arg(long, value_name = "F", help_heading = "Files")]
    pub in_doubt: Option<PathBuf>,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| "expected a span such as 500ms, 90s or 10m".to_owned())
}

fn positive_span(text: &str) -> Result<Duration, String> {
    span(text).and_then(|span| {
        if span.is_zero() {
            Err("must be longer than nothing".to_owned())
        } else {
            Ok(span)
        }
    })
}
