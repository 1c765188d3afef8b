//! The command line: one file a command, with its arguments and the few lines
//! that join the rooms.

pub(crate) mod args;
pub(crate) mod settings;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::Globals;
use crate::commands::{self, Exit};
use crate::output::terminal::color;
use crate::output::terminal::streams::print_status;
use crate::output::terminal::text::escaped_lines;

/// Imports existing legal cases in bulk: each case once, none lost.
#[derive(Debug, Parser)]
#[command(
    name = "caseload",
    version,
    about,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every row, then post each case once
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(Box<commands::import::ImportArgs>),
    /// The same checks with no network, no key and no ledger
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(commands::check::CheckArgs),
    /// Write caseload.toml from a file's header and values, with guessed rules to edit
    Init(commands::init::InitArgs),
    /// What the ledger knows: counts, runs, what waits for you
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status(commands::status::StatusArgs),
    /// The ledger's cases as files
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(commands::export::ExportArgs),
    /// Your word on cases: imported, not imported, removed; or go through those in doubt
    #[command(after_long_help = RESOLVE_EXAMPLES)]
    Resolve(commands::resolve::ResolveArgs),
    /// A local stand-in for the API
    Sandbox(commands::sandbox::SandboxArgs),
    /// What a problem or an outcome means, and how to mend it
    Explain(commands::explain::ExplainArgs),
    /// Completions for a shell, on standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  caseload import cases.csv --sandbox
      rehearse: a sandbox of its own, nothing leaves this machine
  caseload import cases.csv --dry-run
      check and plan; prints the first payload and the plan
  caseload import cases.csv --limit 1
      try a single case and show the whole answer
  caseload import cases.csv --plan 5f0c…-120 --output json
      in a CI job: exactly what a dry run has shown, or nothing";

const CHECK_EXAMPLES: &str = "\
Examples:
  caseload check cases.csv
  caseload check exports/*.csv --strict --output json
  caseload check cases.csv --annotations github";

const STATUS_EXAMPLES: &str = "\
Examples:
  caseload status
      the only ledger there is, or that of the config's account
  caseload status --sandbox --state rejected
  caseload status --output json | jq 'select(.state == \"in_doubt\") | .key'";

const EXPORT_EXAMPLES: &str = "\
Examples:
  caseload export --rejects rejects.csv
      mend the rows there, then: caseload import rejects.csv
  caseload export --in-doubt in-doubt.csv
      look each case up, keep the rows of those that are on the platform, with
      their ids under case_id, then: caseload resolve --imported --list in-doubt.csv
  caseload export --json - --run 3";

const RESOLVE_EXAMPLES: &str = "\
Examples:
  caseload resolve
      go through the cases in doubt one by one
  caseload resolve --imported L-2003=64f1c0 --imported L-2007
      these two are on the platform, the first under that id
  caseload resolve --not-imported L-2004 L-2009
      these two are not there: the next import sends them
  caseload resolve --removed --file test.csv
      what this file brought was deleted there: it can be sent again
  caseload resolve --undo L-2004
      take the last word back";

/// Runs the process's command.
pub fn run() -> ExitCode {
    keep_quiet_over_damaged_workbooks();
    #[cfg(unix)]
    commands::interrupts::catch_file_size_limit();
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    cli.globals.set_color();
    let submatches = matches.subcommand().map(|(_, matches)| matches);
    let done = match (&cli.command, submatches) {
        (Command::Import(args), Some(matches)) => {
            commands::import::run(args, &cli.globals, matches)
        }
        (Command::Check(args), _) => commands::check::run(args, &cli.globals),
        (Command::Init(args), _) => commands::init::run(args, &cli.globals),
        (Command::Status(args), Some(matches)) => {
            commands::status::run(args, &cli.globals, matches)
        }
        (Command::Export(args), Some(matches)) => {
            commands::export::run(args, &cli.globals, matches)
        }
        (Command::Resolve(args), Some(matches)) => {
            commands::resolve::run(args, &cli.globals, matches)
        }
        (Command::Sandbox(args), _) => commands::sandbox::run(args, &cli.globals),
        (Command::Explain(args), _) => commands::explain::run(args, &cli.globals),
        (Command::Completions { shell }, _) => {
            let mut command = Cli::command();
            clap_complete::generate(*shell, &mut command, "caseload", &mut std::io::stdout());
            Ok(Exit::Done)
        }
        // A subcommand always has its matches.
        (
            Command::Import(_) | Command::Status(_) | Command::Export(_) | Command::Resolve(_),
            None,
        ) => Ok(Exit::Usage),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            let text = escaped_lines(&format!("{error:#}"));
            print_status(&format!("{} {text}", color::red("error:")));
            Exit::Usage.into()
        }
    }
}

/// A panic over a damaged workbook is told as an error of that file, and its own
/// words may hold text of the file. Every other panic stays as loud as it is.
fn keep_quiet_over_damaged_workbooks() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(crate::input::WORKBOOK_THREAD) {
            tell(panic);
        }
    }));
}
