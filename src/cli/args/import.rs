use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::{AccountArgs, ReadArgs, duration, positive_duration};
use crate::engine::PaceRange;

/// Arguments of import, as they are in its settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct ImportArgs {
    /// Case files; "-" reads standard input
    #[arg(required = true, value_name = "FILE", help_heading = None::<&str>)]
    pub files: Vec<PathBuf>,
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
    #[command(flatten)]
    pub ledger: LedgerPermissions,
    /// Accept only this ledger [env: CASELOAD_LEDGER_ID]
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub ledger_id: Option<String>,
    /// Wait this long for another run on this ledger
    #[arg(long, value_name = "T", default_value = "2s", value_parser = duration, hide_short_help = true)]
    pub wait: Duration,
    /// With --sandbox: forget earlier test runs
    #[arg(long, requires = "sandbox", hide_short_help = true)]
    pub fresh: bool,
    /// The same ids come from other key columns than in earlier runs
    #[arg(long, hide_short_help = true)]
    pub change_key_columns: bool,
    /// First import of keys from this --source
    #[arg(long, hide_short_help = true)]
    pub new_source: bool,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub sending: SendingOptions,
    #[command(flatten)]
    pub pace: PaceOptions,
    #[command(flatten)]
    pub outputs: RunOutputs,
}

/// What is allowed once about the ledger. Each is an error where it has no
/// effect, so that none stays in a script.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Account")]
#[allow(clippy::struct_field_names, reason = "these are the flags' names")]
pub(crate) struct LedgerPermissions {
    /// First import of this account: a ledger may be created
    ///
    /// Where CI is set, the ledger is created, its id printed, and nothing sent.
    #[arg(long)]
    pub new_ledger: bool,
    /// With --new-ledger: a second ledger of this account is meant, beside this one
    #[arg(
        long,
        value_name = "ID",
        requires = "new_ledger",
        hide_short_help = true
    )]
    pub beside_ledger: Vec<String>,
    /// The ledger is this account's, under its former address
    #[arg(long, hide_short_help = true)]
    pub adopt_ledger: bool,
    /// Use a ledger that lacks the attempt named in the message
    #[arg(long, value_name = "ATTEMPT", hide_short_help = true)]
    pub accept_older_ledger: Option<String>,
}

impl LedgerPermissions {
    /// The flags that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.new_ledger, "--new-ledger"),
            (!self.beside_ledger.is_empty(), "--beside-ledger"),
            (self.adopt_ledger, "--adopt-ledger"),
            (self.accept_older_ledger.is_some(), "--accept-older-ledger"),
        ];
        let flags = flags.into_iter();
        flags.filter_map(|(given, flag)| given.then_some(flag))
    }
}

/// What is sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sending")]
pub(crate) struct SendingOptions {
    /// Check and plan, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Send without asking
    #[arg(long)]
    pub yes: bool,
    /// Send exactly what a dry run showed: the HASH-N that it printed
    #[arg(long, value_name = "HASH-N")]
    pub plan: Option<ApprovedPlan>,
    /// Send at most N cases; --limit 1 tries one and shows the whole response
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Send the valid rows even if others have problems
    #[arg(long)]
    pub skip_invalid: bool,
    /// Send this case, though it is held as a possible duplicate (repeatable)
    #[arg(long, value_name = "KEY", hide_short_help = true)]
    pub allow_duplicate: Vec<String>,
    /// Send all N cases that are held as possible duplicates
    #[arg(long, value_name = "N", conflicts_with = "allow_duplicate", hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub allow_duplicates: Option<u64>,
    /// Send the N cases in doubt once more, knowing that this can create second cases
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub resend_in_doubt: Option<u64>,
    /// With --resend-in-doubt: only cases in doubt for longer than this
    #[arg(long, value_name = "T", default_value = "10m", value_parser = duration, hide_short_help = true)]
    pub min_doubt_age: Duration,
}

/// How fast it is sent, and what ends the run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pace")]
pub(crate) struct PaceOptions {
    /// Interval between the starts of two calls
    #[arg(long, value_name = "A..B", default_value = "100ms..200ms")]
    pub pace: PaceRange,
    /// Requests in flight at once
    #[arg(long, value_name = "N", default_value = "32",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_short_help = true)]
    pub in_flight: u16,
    /// Timeout of one call
    #[arg(long, value_name = "T", default_value = "90s", value_parser = positive_duration, hide_short_help = true)]
    pub timeout: Duration,
    /// Retries of an attempt that was proved not sent
    #[arg(long, value_name = "N", default_value = "5", hide_short_help = true)]
    pub max_retries: u32,
    /// Longest pause that the server may ask for
    #[arg(long, value_name = "T", default_value = "10m", value_parser = duration, hide_short_help = true)]
    pub max_wait: Duration,
    /// Stop after N failures in a row; 0 is never
    #[arg(long, value_name = "N", default_value = "20", hide_short_help = true)]
    pub max_failures: u32,
}

/// The files that the run leaves.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct RunOutputs {
    /// Replace output files that exist
    #[arg(long)]
    pub force: bool,
    /// Write this run's files to DIR/<run>/, and a report.html to look at
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write the result of every case to this file: CSV, or a workbook if the name ends in .xlsx
    #[arg(long, value_name = "F", hide_short_help = true)]
    pub results: Option<PathBuf>,
    /// Write rejected and skipped rows to this file, to fix and import again
    #[arg(long, value_name = "F")]
    pub rejects: Option<PathBuf>,
    /// Write cases in doubt to this file
    #[arg(long, value_name = "F", hide_short_help = true)]
    pub in_doubt: Option<PathBuf>,
    /// Add what happens to this log, one JSON object a line, without values of cases
    #[arg(long, value_name = "F", hide_short_help = true)]
    pub log_file: Option<PathBuf>,
}

/// HASH-N as a dry run prints it: exactly this plan, and at most N cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApprovedPlan {
    pub hash: String,
    pub most: u64,
}

impl FromStr for ApprovedPlan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.rsplit_once('-')
            .and_then(|(hash, most)| {
                Some(Self {
                    hash: hash.to_owned(),
                    most: most.parse().ok()?,
                })
            })
            .ok_or("expected HASH-N as a dry run prints it")
    }
}
