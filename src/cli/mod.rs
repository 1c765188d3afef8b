//! The command line: what can be typed (`args`), and the validated settings
//! made from it once (`settings`).

pub(crate) mod args;
pub(crate) mod settings;

use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser, Subcommand};

use self::args::{
    CheckArgs, DoctorArgs, ExportArgs, GlobalArgs, ImportArgs, InitArgs, LedgerAction, ListenArgs,
    ManArgs, ResolveArgs, SandboxArgs, SetupArgs, StatusArgs,
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

#[derive(Debug, Subcommand, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Command {
    /// Check every row, then post each case once
    #[command(after_long_help = include_str!("examples/import.txt"))]
    Import(Box<ImportArgs>),
    /// Run the same checks with no network, no key and no ledger
    #[command(after_long_help = include_str!("examples/check.txt"))]
    Check(CheckArgs),
    /// Write caseload.toml from a file's header and values, with guessed rules to edit
    #[command(after_long_help = include_str!("examples/init.txt"))]
    Init(InitArgs),
    /// Check config, key, ledger, proxy, DNS and TLS: what is set, from where, and whether it works
    #[command(after_long_help = include_str!("examples/doctor.txt"))]
    Doctor(DoctorArgs),
    /// Show what the ledger knows: counts, runs, what needs attention
    #[command(after_long_help = include_str!("examples/status.txt"))]
    Status(StatusArgs),
    /// Write the ledger's cases to files
    #[command(after_long_help = include_str!("examples/export.txt"))]
    Export(ExportArgs),
    /// Record what became of cases: imported, not imported, removed
    #[command(after_long_help = include_str!("examples/resolve.txt"))]
    Resolve(ResolveArgs),
    /// Create the Case mapping and the webhook subscriptions, each once
    #[command(after_long_help = include_str!("examples/setup.txt"))]
    Setup(Box<SetupArgs>),
    /// Receive webhook events, verify them, and tie them to imported cases
    #[command(after_long_help = include_str!("examples/listen.txt"))]
    Listen(ListenArgs),
    /// List, back up, move and unlock ledgers, and forget old persons
    #[command(after_long_help = include_str!("examples/ledger.txt"))]
    Ledger {
        #[command(subcommand)]
        action: LedgerAction,
    },
    /// Run a local stand-in for the API
    #[command(after_long_help = include_str!("examples/sandbox.txt"))]
    Sandbox(SandboxArgs),
    /// Explain a problem or an outcome, and how to fix it
    #[command(after_long_help = include_str!("examples/explain.txt"))]
    Explain {
        #[arg(help = "A code such as bad-date, or a state such as in_doubt; lists all if omitted")]
        code: Option<String>,
    },
    /// Print a completion script for a shell
    #[command(after_long_help = include_str!("examples/completions.txt"))]
    Completions { shell: clap_complete::Shell },
    /// Write man pages to a folder, one a command
    #[command(after_long_help = include_str!("examples/man.txt"))]
    Man(ManArgs),
    /// Print the JSON Schema of caseload.toml, for editors that complete and check it
    #[command(after_long_help = include_str!("examples/schema.txt"))]
    Schema,
}

/// What a command line that can't be parsed asks for: its command, if it wants
/// JSON.
pub(crate) fn command_with_json(args: &[String]) -> Option<&str> {
    let is_json = |(flag, value): (&String, Option<&String>)| {
        flag == "--output=json" || (flag == "--output" && value.is_some_and(|it| it == "json"))
    };
    let values = args.iter().skip(1).map(Some).chain([None]);
    args.iter().zip(values).any(is_json).then_some(())?;
    let cli = Cli::command();
    let command = args.iter().find(|arg| cli.find_subcommand(arg).is_some());
    Some(command.map_or("", String::as_str))
}

pub(crate) fn print_completions(shell: clap_complete::Shell) {
    let mut cli = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli, "caseload", &mut script);
    // Whoever reads it may have closed the pipe.
    let _ = io::stdout().write_all(&script);
}

/// The man pages of the program and its commands, by their file names.
pub(crate) fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    // Hands the global flags and its own name to every command.
    cli.build();
    let mut pages = Vec::new();
    let mut commands = vec![cli];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let page = clap_mangen::Man::new(command);
        let mut text = Vec::new();
        page.render(&mut text)?;
        pages.push((page.get_filename(), text));
    }
    Ok(pages)
}

/// A word of a command as a shell takes it.
pub(crate) fn shell_word(word: &str) -> String {
    // Only a NUL byte can't be quoted, and no argument holds one.
    shlex::try_quote(word).unwrap_or_default().into_owned()
}

/// Whether a flag of `import` is followed by a value.
pub(crate) fn takes_value(flag: &str) -> bool {
    let mut cli = Cli::command();
    // Hands the global flags to every command.
    cli.build();
    let import = cli.find_subcommand("import");
    let mut flags = import.into_iter().flat_map(clap::Command::get_arguments);
    flags.any(|arg| arg.get_long() == flag.strip_prefix("--") && arg.get_action().takes_values())
}
