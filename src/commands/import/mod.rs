//! `caseload import`: check every row, then post each case once.

pub(super) mod account;
mod args;
pub(super) mod ask;
mod files;
mod finish;
mod leftovers;
mod plan_reporter;
mod planning;
mod send;

use std::time::Instant;

use anyhow::{Result, bail};

use self::account::{Destination, LedgerLookup};
pub(crate) use self::args::ImportArgs;
use self::planning::{Planned, check_options, check_plan, plan};
use super::exit::Exit;
use super::interrupts::Interrupts;
use super::{again, ledger_choice};
use crate::api::PublicKey;
use crate::check::{self, Checked};
use crate::cli::args::{Globals, in_ci};
use crate::cli::settings;
use crate::config::Config;
use crate::input::Input;
use crate::mapping::MappingOptions;
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, is_interactive, print_json, print_status};
use crate::output::terminal::summary::Summary;

/// The shortest interval against a server that is not on this machine.
const SHORTEST_PACE: std::time::Duration = std::time::Duration::from_millis(100);

/// All that is settled before a file is read.
struct Job<'a> {
    args: &'a ImportArgs,
    output: OutputOptions,
    config: Option<Config>,
    destination: Destination,
    inputs: Vec<Input>,
    /// The flags by which `status` and `resolve` find the ledger.
    ledger_flags: String,
    began: Instant,
}

impl Job<'_> {
    fn file_names(&self) -> Vec<String> {
        self.inputs.iter().map(Input::name).collect()
    }

    fn summary(&self) -> Summary {
        Summary {
            account: self.destination.account.to_string(),
            elapsed: self.began.elapsed(),
            ..Summary::default()
        }
    }
}

/// Runs the command; the summary is printed on every exit.
pub(crate) fn run(
    args: &ImportArgs,
    globals: &Globals,
    matches: &clap::ArgMatches,
) -> Result<Exit> {
    let output = globals.output_options();
    match import(args, globals, matches) {
        Ok(exit) => Ok(exit),
        Err(error) => {
            // Whoever fails has not printed it yet.
            if output.json {
                let summary = Summary {
                    stopped: Some(format!("{error:#}")),
                    exit_code: Exit::Usage.code(),
                    ..Summary::default()
                };
                print_json(&summary.to_json());
            }
            Err(error)
        }
    }
}

fn import(args: &ImportArgs, globals: &Globals, matches: &clap::ArgMatches) -> Result<Exit> {
    settings::refuse_with_sandbox(&args.account, matches)?;
    let output = globals.output_options();
    let config = settings::config(globals)?;
    let destination = Destination::find(args, config.as_ref())?;
    let mut job = Job {
        args,
        output,
        destination,
        inputs: settings::inputs(&args.files)?,
        config,
        ledger_flags: ledger_choice::typed_flags(&args.account, globals, matches),
        began: Instant::now(),
    };
    refuse(&job)?;
    if args.fresh && !args.dry_run {
        account::forget_rehearsals(output)?;
    }
    let interrupts = catch_interrupts(&job)?;
    let key = public_key(&job)?;
    let mapping = settings::mapping(&args.read, job.config.as_ref());
    if !args.account.sandbox && !args.dry_run && mapping.key.is_empty() {
        return propose_key(&job, &mapping);
    }
    let rules = settings::rules(mapping)?;
    let found = account::open(args, &job.destination, output)?;
    if in_ci() && args.new_ledger && !job.destination.is_sandbox() && !args.dry_run {
        return make_ledger_only(&job, found);
    }
    let planned = plan(&job, &rules, &found)?;
    if planned.blocked(args) {
        return Ok(finish::problems(&job, &planned));
    }
    if args.dry_run {
        return finish::dry_run(&job, planned, &found, &rules);
    }
    if let Some(expected) = &args.plan {
        check_plan(expected, &planned)?;
    }
    send::send(&mut job, planned, found, key, &interrupts, globals)
}

/// What can be refused before anything is read.
fn refuse(job: &Job<'_>) -> Result<()> {
    let args = job.args;
    if args.fresh && !args.account.sandbox {
        bail!("--fresh forgets rehearsals and needs --sandbox");
    }
    if args.pace.lower < SHORTEST_PACE && !job.destination.is_loopback() {
        bail!("a pace under 100ms is only for a server on this machine");
    }
    let makes_ledger_only = in_ci() && args.new_ledger;
    let sends = !(args.dry_run || job.destination.is_sandbox() || makes_ledger_only);
    let answered = args.yes || args.plan.is_some();
    if sends && !answered && !is_interactive() {
        bail!("there is no terminal to ask on: sending needs --yes or --plan HASH-N");
    }
    Ok(())
}

/// An interrupt before anything was sent still ends with a summary.
fn catch_interrupts(job: &Job<'_>) -> Result<Interrupts> {
    let mut summary = job.summary();
    let output = job.output;
    let began = job.began;
    Interrupts::catch(move || {
        summary.elapsed = began.elapsed();
        summary.stopped = Some("interrupted before anything was sent".to_owned());
        summary.exit_code = Exit::Interrupted.code();
        if output.json {
            print_json(&summary.to_json());
        } else {
            // A question's line is not closed by an answer.
            let line = if is_interactive() { "\n" } else { "" };
            print_status(&format!("{line}interrupted before anything was sent"));
        }
    })
}

/// The key, from the file or the environment; a rehearsal and a dry run need
/// none.
fn public_key(job: &Job<'_>) -> Result<Option<PublicKey>> {
    const VARIABLE: &str = "LEXAMICA_PUBLIC_KEY";
    if job.destination.is_sandbox() || job.args.dry_run {
        return Ok(None);
    }
    if let Some(path) = &job.args.public_key_file {
        let (key, warning) = PublicKey::from_file(path)?;
        if let Some(warning) = warning {
            print_status(&color::yellow(&warning));
        }
        return Ok(Some(key));
    }
    match std::env::var(VARIABLE) {
        Ok(text) => Ok(Some(PublicKey::from_text(&text, VARIABLE)?)),
        Err(_) => bail!("no public key: give --public-key-file FILE or set {VARIABLE}"),
    }
}

/// Sending needs a key; says which column could be one.
fn propose_key(job: &Job<'_>, mapping: &MappingOptions) -> Result<Exit> {
    let look = |key: &[String], fields: bool| -> Result<Checked> {
        let rules = settings::rules(MappingOptions {
            key: key.to_vec(),
            ..mapping.clone()
        })?;
        let explained = |error| settings::check_error(error, &job.inputs, job.config.as_ref());
        let mut check =
            check::check(check_options(job, &rules, false, fields)).map_err(explained)?;
        for batch in &mut check {
            batch.map_err(explained)?;
        }
        Ok(check.finish())
    };
    let checked = look(&[], true)?;
    // Standard input can't be read a second time.
    let once = job.inputs.contains(&Input::Stdin);
    let proposal = match super::key::propose(&checked, |columns| {
        once || look(columns, false)
            .is_ok_and(|keyed| keyed.excluded.is_empty() && keyed.errors <= checked.errors)
    }) {
        columns if columns.is_empty() => {
            "no column and no pair of columns is filled and distinct in every row; \
             add a column with an id of your own"
                .to_owned()
        }
        columns => {
            let flags: Vec<String> = columns
                .iter()
                .map(|column| format!("--key-column {}", super::quoted(column)))
                .collect();
            format!("this looks like one: {}", flags.join(" "))
        }
    };
    bail!(
        "no key: a key column tells one case from another, so that none is sent twice; {proposal}"
    )
}

/// In a CI job a ledger is made in a run of its own, which sends nothing.
fn make_ledger_only(job: &Job<'_>, found: LedgerLookup) -> Result<Exit> {
    let LedgerLookup::New {
        lock: Some(lock), ..
    } = found
    else {
        bail!("the ledger is there already");
    };
    let ledger = account::create(&job.destination, &lock)?;
    let info = ledger.reader().info()?;
    let named = format!(" --ledger-id {}", info.id);
    let next = again::command(&again::own(), again::AFTER_RUN, &named);
    if job.output.json {
        print_json(&serde_json::json!({
            "schema": 1,
            "command": "import",
            "new_ledger": info.id,
            "path": info.path,
            "account": info.account,
            "next": Vec::from_iter(next),
            "exit_code": 0,
        }));
    } else {
        print_status(&format!(
            "made the ledger {} at {}; nothing was sent.\nKeep the file, and let the jobs that \
             send name it: CASELOAD_LEDGER_ID={}",
            info.id,
            info.path.display(),
            info.id
        ));
        if let Some(next) = next {
            print_status(&format!("next: {next}"));
        }
    }
    Ok(Exit::Done)
}
