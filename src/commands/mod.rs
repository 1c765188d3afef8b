//! One file a command, where the rooms of the crate are joined.

mod check;
mod exit;
mod explain;
mod export;
mod import;
mod init;
mod interrupts;
mod ledgers;
mod lookup;
mod outputs;
mod rerun_command;
mod resolve;
mod sandbox;
mod selection;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use self::exit::Exit;
use crate::cli::args::GlobalArgs;
use crate::cli::settings::{self, ImportSettings, InitSettings, LedgerSettings, ReadSettings};
use crate::cli::{self, Cli, Command};
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{escaped, escaped_lines};

/// Runs the process's command.
pub fn run() -> ExitCode {
    silence_panics_over_damaged_workbooks();
    #[cfg(unix)]
    interrupts::catch_file_size_limit();
    let cli = Cli::parse();
    settings::set_color(&cli.globals);
    let output = settings::output_options(&cli.globals);
    let is_import = matches!(cli.command, Command::Import(_));
    match run_command(cli.command, &cli.globals) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let error = format!("{error:#}");
            if is_import && output.json {
                // A summary is printed on every exit.
                let summary = Summary {
                    stopped: Some(error.clone()),
                    exit_code: Exit::Usage.code(),
                    ..Summary::default()
                };
                print_json(&summary.to_json());
            }
            print_status(&format!(
                "{} {}",
                color::red("error:"),
                escaped_lines(&error)
            ));
            Exit::Usage.into()
        }
    }
}

fn run_command(command: Command, globals: &GlobalArgs) -> Result<Exit> {
    let output = settings::output_options(globals);
    match command {
        Command::Import(args) => import::run(&ImportSettings::new(*args, globals)?),
        Command::Check(args) => check::run(&ReadSettings::of_check(args, globals)?, output),
        Command::Init(args) => init::run(&InitSettings::new(args, globals)),
        Command::Status(args) => status::run(&LedgerSettings::new(args, globals)?),
        Command::Export(args) => {
            export::run(&LedgerSettings::new(args.ledger, globals)?, &args.files)
        }
        Command::Resolve(args) => {
            resolve::run(&LedgerSettings::new(args.ledger, globals)?, &args.options)
        }
        Command::Sandbox(args) => sandbox::run(args, output),
        Command::Explain(args) => explain::run(args.code.as_deref()),
        Command::Completions { shell } => {
            cli::print_completions(shell);
            Ok(Exit::Done)
        }
    }
}

/// A panic over a damaged workbook is reported as an error of that file, and
/// its message may quote the file. Every other panic is shown as usual.
fn silence_panics_over_damaged_workbooks() {
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(crate::input::WORKBOOK_THREAD) {
            show(panic);
        }
    }));
}

/// Warns about guessed encodings: a wrong one shows in names only.
fn warn_guessed_encodings(checked: &crate::check::Checked, output: OutputOptions) {
    for file in checked
        .files
        .iter()
        .filter(|_| !output.quiet && !output.json)
    {
        if let Some(encoding) = file.guessed_encoding {
            print_status(&format!(
                "{}: encoding not declared, read as {encoding}; check names with accents, and \
                 use --encoding if they are wrong",
                escaped(&file.name)
            ));
        }
    }
}
