//! Arguments of the commands that work on a ledger: `status`, `export` and
//! `resolve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::{AccountArgs, duration};
use crate::ledger::ResolveAction;
use crate::model::State;

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

/// Cases, narrowed by each part that is given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which cases")]
pub(crate) struct CaseSelection {
    /// Cases last attempted by this run
    #[arg(long, value_name = "N")]
    pub run: Option<i64>,
    /// Cases in this state; repeat for more states
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Vec<State>,
    /// Cases last read from this file, named as it was when imported
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub files: ExportFiles,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What is exported where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct ExportFiles {
    /// All cases, one row each
    #[arg(long, value_name = "FILE.csv")]
    pub results: Option<PathBuf>,
    /// Rejected records, to fix and import again; a folder if they came from
    /// several files
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Cases in doubt, with what is needed to find them in Lexamica
    #[arg(long, value_name = "FILE.csv")]
    pub in_doubt: Option<PathBuf>,
    /// All cases, one JSON object a line; "-" is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Replace output files that exist
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    pub options: ResolveOptions,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("resolution").args(["imported", "not_imported", "removed", "undo"])))]
pub(crate) struct ResolveOptions {
    /// Keys of cases; type a key of several columns as a JSON array
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// These cases exist in Lexamica, under this id if one is given
    ///
    /// Repeat for more cases. The id follows the last "="; put "=" after a key
    /// that contains one itself. Without a key: the cases selected below.
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
    /// Keys in a file, one a line, or a file that export wrote
    ///
    /// A file of export's may have been edited in a spreadsheet; ids are read
    /// from its case_id column. "-" is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Which cases")]
    pub list: Option<PathBuf>,
}

impl ResolveOptions {
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

fn state(text: &str) -> Result<State, &'static str> {
    let name = text.to_lowercase().replace(['-', ' '], "_");
    name.parse()
        .map_err(|_| "expected sending, imported, rejected, not_sent, in_doubt or removed")
}
