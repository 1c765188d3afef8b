//! One file a command, where the rooms of the crate are joined.

mod cases;
mod check;
mod doctor;
mod export;
mod findings;
mod import;
mod init;
mod interrupts;
mod ledger_files;
mod ledgers;
mod listen;
mod man;
mod report;
mod rerun_command;
mod resolve;
mod sandbox;
mod setup;
mod status;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use serde_json::{Value, json};

use crate::cli::args::{GlobalArgs, LedgerAction};
use crate::cli::settings::{
    self, DoctorSettings, ImportSettings, LedgerChoice, LedgerSettings, ListenSettings,
    ManagementSettings, ReadSettings, SetupSettings,
};
use crate::cli::{self, Cli, Command};
use crate::config;
use crate::input::InputError;
use crate::mapping::names;
use crate::output::explain::{self, Explanation};
use crate::output::terminal::streams::{
    OutputOptions, print_error, print_json, print_result, print_status,
};
use crate::output::terminal::summary::Summary;

/// How the process ends. Where several fit: 130, 5, 4, 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Everything in the input is imported, or `--limit` was reached with
    /// nothing failed.
    Done = 0,
    /// Finished, but some cases were rejected, not sent or skipped.
    Unfinished = 1,
    /// Wrong usage or configuration, or a ledger that can't be used; nothing was sent.
    Usage = 2,
    /// The files have problems or no records; nothing was sent.
    Problems = 3,
    /// Cases of this input are in doubt.
    InDoubt = 4,
    /// Stopped early, declined, or the ledger failed during the run.
    Stopped = 5,
    Interrupted = 130,
}

impl Exit {
    /// Of an error before anything was sent.
    fn of(error: &anyhow::Error) -> Self {
        let of_input = error.downcast_ref::<InputError>();
        match of_input.and_then(|error| error.kind.content_code()) {
            Some(_) => Self::Problems,
            None => Self::Usage,
        }
    }

    const fn code(self) -> u8 {
        self as u8
    }
}

/// Runs the process's command.
pub fn run() -> ExitCode {
    silence_panics_over_damaged_workbooks();
    interrupts::catch_file_size_limit();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error),
    };
    settings::set_color(&cli.globals);
    let output = settings::output_options(&cli.globals);
    let name: &str = (&cli.command).into();
    let exit = run_command(cli.command, &cli.globals, output).unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        let error = in_full(&error);
        if output.json {
            print_json_error(name, &error, exit);
        }
        print_error(&error);
        exit
    });
    ExitCode::from(exit.code())
}

/// Prints what is wrong with the arguments, or the help that they ask for.
fn explain_usage(error: &clap::Error) -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if error.use_stderr()
        && let Some(command) = cli::command_with_json(&args)
    {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        print_json_error(command, message, Exit::Usage);
    }
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

/// The closing object of a command that could not begin: one is printed on
/// every exit.
fn print_json_error(command: &str, error: &str, exit: Exit) {
    if command == "import" {
        let summary = Summary {
            stopped: Some(error.to_owned()),
            exit_code: exit.code(),
            ..Summary::default()
        };
        return print_json(&summary.to_json());
    }
    print_closing(command, exit, json!({ "error": error }));
}

/// Ends a command: the closing object for scripts, a sentence for people.
fn close(command: &str, exit: Exit, members: Value, done: &str, output: OutputOptions) -> Exit {
    if output.json {
        print_closing(command, exit, members);
    } else if !output.quiet {
        print_status(done);
    }
    exit
}

/// The closing object of a command.
fn print_closing(command: &str, exit: Exit, members: Value) {
    let mut closing = json!({ "schema": 1, "command": command });
    if let (Value::Object(closing), Value::Object(members)) = (&mut closing, members) {
        closing.extend(members);
    }
    closing["exit_code"] = exit.code().into();
    print_json(&closing);
}

fn run_command(command: Command, globals: &GlobalArgs, output: OutputOptions) -> Result<Exit> {
    match command {
        Command::Import(args) => import::run(&ImportSettings::new(*args, globals)?),
        Command::Check(args) => check::run(&ReadSettings::of_check(args, globals)?, output),
        Command::Init(args) => init::run(&args, settings::named_config(globals).as_deref(), output),
        Command::Doctor(args) => doctor::run(DoctorSettings::new(&args, globals)?, output),
        Command::Status(args) => status::run(&LedgerSettings::new(&args.ledger, globals)?, &args),
        Command::Export(args) => export::run(&LedgerSettings::new(&args.ledger, globals)?, &args),
        Command::Resolve(args) => resolve::run(&LedgerSettings::new(&args.ledger, globals)?, &args),
        Command::Setup(args) => match &args.action {
            None => setup::run(SetupSettings::new(*args, globals)?),
            Some(action) => setup::manage(
                &ManagementSettings::new(action.args(), globals, true)?,
                action,
            ),
        },
        Command::Listen(args) => listen::run(ListenSettings::new(&args, globals)?),
        Command::Ledger { action } => match action {
            LedgerAction::List => Ok(ledger_files::list(output)),
            LedgerAction::Backup { file, account } => {
                ledger_files::back_up(&LedgerChoice::of_other(&account, globals)?, &file, output)
            }
            LedgerAction::Copy { file, server } => {
                ledger_files::copy(&file, &settings::server(&server)?, output)
            }
            LedgerAction::Forget {
                older_than,
                account,
                yes,
            } => {
                let settings = LedgerSettings::of_other(account, globals)?;
                ledger_files::forget(&settings, older_than, yes)
            }
            LedgerAction::Unlock { account, yes } => {
                ledger_files::unlock(&LedgerChoice::of_other(&account, globals)?, yes, output)
            }
        },
        Command::Sandbox(args) => sandbox::run(args, output),
        Command::Explain { code } => explain(code.as_deref(), output),
        Command::Completions { shell } => {
            cli::print_completions(shell);
            Ok(Exit::Done)
        }
        Command::Man(args) => man::run(&args, output),
        Command::Schema => {
            print_result(&serde_json::to_string_pretty(&config::schema())?);
            Ok(Exit::Done)
        }
    }
}

/// The error and its causes. Many errors show their cause themselves.
fn in_full(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// `caseload explain CODE`: what a problem or a state means.
fn explain(code: Option<&str>, output: OutputOptions) -> Result<Exit> {
    let Some(code) = code else {
        if output.json {
            let codes: Vec<Explanation> = explain::entries().collect();
            print_closing("explain", Exit::Done, json!({ "codes": codes }));
            return Ok(Exit::Done);
        }
        for Explanation { name, title, .. } in explain::entries() {
            print_result(&format!("{name:22} {title}"));
        }
        return Ok(Exit::Done);
    };
    let Some(found) = explain::find(code) else {
        match names::closest(code, explain::entries().map(|entry| entry.name)) {
            Some(closest) => bail!("unknown code {code:?}; did you mean {closest:?}?"),
            None => bail!("unknown code {code:?}; run `caseload explain` for a list"),
        }
    };
    if output.json {
        print_closing("explain", Exit::Done, json!(found));
    } else {
        let Explanation { name, title, text } = found;
        print_result(&format!("{name}: {title}\n\n{text}"));
    }
    Ok(Exit::Done)
}

/// Runs a future to its end, on this thread.
fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build();
    Ok(runtime.context("can't start the runtime")?.block_on(future))
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
