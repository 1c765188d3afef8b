//! The command line: what can be typed (`args`), and the validated settings
//! that are made of it once (`settings`). Nothing outside of `cli` sees clap.

pub(crate) mod args;
pub(crate) mod settings;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::args::{
    CheckArgs, ExplainArgs, ExportArgs, GlobalArgs, ImportArgs, InitArgs, ResolveArgs, SandboxArgs,
    StatusArgs,
};

/// Bulk-import existing legal cases into Lexamica, exactly what you reviewed,
/// never twice by accident
#[derive(Debug, Parser)]
#[command(
    name = "caseload",
    version,
    about,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub globals: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every row, then post each case once
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(Box<ImportArgs>),
    /// Run the same checks with no network, no key and no ledger
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Write caseload.toml from a file's header and values, with guessed rules to edit
    #[command(after_long_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Show what the ledger knows: counts, runs, what needs attention
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Write the ledger's cases to files
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Record what became of cases: imported, not imported, removed
    #[command(after_long_help = RESOLVE_EXAMPLES)]
    Resolve(ResolveArgs),
    /// Run a local stand-in for the API
    #[command(after_long_help = SANDBOX_EXAMPLES)]
    Sandbox(SandboxArgs),
    /// Explain a problem or an outcome, and how to fix it
    #[command(after_long_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions { shell: clap_complete::Shell },
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  caseload import cases.csv --sandbox
      Test run: nothing leaves this machine
  caseload import cases.csv --dry-run
      Check and plan; prints the first payload and the plan
  caseload import cases.csv --limit 1
      Try a single case and show the whole response
  caseload import cases.csv --plan 5f0c…-120 --output json
      In a CI job: exactly what a dry run showed, or nothing";

const CHECK_EXAMPLES: &str = "\
Examples:
  caseload check cases.csv
  caseload check exports/*.csv --strict --output json
  caseload check cases.csv --annotations github";

const INIT_EXAMPLES: &str = "\
Examples:
  caseload init cases.csv
  caseload init cases.xlsx --sheet Leads --config leads.toml";

const STATUS_EXAMPLES: &str = "\
Examples:
  caseload status
      The only ledger there is, or that of the config's account
  caseload status --sandbox --state rejected
  caseload status --output json | jq 'select(.state == \"in_doubt\") | .key'";

const EXPORT_EXAMPLES: &str = "\
Examples:
  caseload export --rejects rejects.csv
      Fix the rows there, then: caseload import rejects.csv
  caseload export --in-doubt in-doubt.csv
      Check each case in Lexamica, keep the rows of those that exist, with their
      ids under case_id, then: caseload resolve --imported --list in-doubt.csv
  caseload export --json - --run 3";

const RESOLVE_EXAMPLES: &str = "\
Examples:
  caseload resolve
      Go through the cases in doubt one by one
  caseload resolve --imported L-2003=64f1c0 --imported L-2007
      These two exist in Lexamica, the first under that id
  caseload resolve --not-imported L-2004 L-2009
      These two do not exist: the next import sends them
  caseload resolve --removed --file test.csv
      The cases of this file were deleted in Lexamica: they can be sent again
  caseload resolve --undo L-2004
      Undo the last resolution";

const SANDBOX_EXAMPLES: &str = "\
Examples:
  caseload sandbox
  caseload sandbox --port 0 --latency 300ms --rate-limit 5/s
  caseload sandbox --faults 429=0.1,drop=0.05 --seed 7";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  caseload explain
  caseload explain bad-date
  caseload explain in_doubt";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  caseload completions bash
  caseload completions zsh";

impl Cli {
    /// Parses the process's arguments; ends the process for help and errors.
    pub(crate) fn from_process() -> Self {
        Self::parse()
    }
}

pub(crate) fn print_completions(shell: clap_complete::Shell) {
    clap_complete::generate(
        shell,
        &mut Cli::command(),
        "caseload",
        &mut std::io::stdout(),
    );
}

/// A word of a command as a shell takes it.
pub(crate) fn shell_word(word: &str) -> String {
    // Only a NUL byte can't be quoted, and no argument holds one.
    shlex::try_quote(word).unwrap_or_default().into_owned()
}
