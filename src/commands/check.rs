//! `caseload check`: the same checks with no network, no key and no ledger.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::problems::ProblemsOut;
use crate::check::{self, CheckOptions, Checked};
use crate::cli::args::{Globals, ReadArgs};
use crate::cli::settings;
use crate::input::Input;
use crate::output::terminal::color;
use crate::output::terminal::fields;
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::output::terminal::text::{count, escaped};

/// Arguments of `caseload check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Case files; "-" reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs the command.
pub(crate) fn run(args: &CheckArgs, globals: &Globals) -> Result<Exit> {
    let output = globals.output_options();
    let began = Instant::now();
    let config = settings::config(globals)?;
    let inputs = settings::inputs(&args.files)?;
    let rules = settings::rules(settings::mapping(&args.read, config.as_ref()))?;
    let files: Vec<String> = inputs.iter().map(Input::name).collect();
    let mut problems =
        ProblemsOut::new(output, files, u64::MAX, &args.read, &inputs)?.with_json(output.json);
    let options = CheckOptions {
        read: settings::source(&args.read),
        inputs: inputs.clone(),
        rules,
        strict: args.read.strict,
        collect_cases: false,
        collect_invalid: false,
        summarize_columns: !output.json && !output.quiet,
        workers: 0,
    };
    let explained = |error| settings::check_error(error, &inputs, config.as_ref());
    let mut check = check::check(options).map_err(explained)?;
    for batch in &mut check {
        for problem in batch.map_err(explained)?.problems {
            problems.add(&problem);
        }
    }
    let checked = check.finish();
    problems.close();
    let exit = if checked.errors > 0 {
        Exit::Problems
    } else {
        Exit::Done
    };
    if output.json {
        print_json(&json!({
            "schema": 1,
            "command": "check",
            "total": checked.total,
            "valid": checked.valid,
            "findings": checked.errors + checked.warnings,
            "errors": checked.errors,
            "warnings": checked.warnings,
            "drafts": checked.drafts,
            "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            "exit_code": exit.code(),
        }));
    } else {
        show(&checked, output);
    }
    Ok(exit)
}

fn show(checked: &Checked, output: OutputOptions) {
    if !output.quiet {
        print_status(&fields::table(&checked.columns, checked.total, output));
        super::warn_guessed_encodings(checked);
        for file in checked.files.iter().filter(|file| !file.unused.is_empty()) {
            let unused: Vec<String> = file.unused.iter().map(|name| escaped(name)).collect();
            print_status(&format!(
                "{}: nothing uses {}: {}",
                escaped(&file.name),
                count(unused.len() as u64, "column"),
                unused.join(", ")
            ));
        }
    }
    let valid = format!(
        "{} of {} valid",
        crate::output::terminal::text::grouped(checked.valid),
        count(checked.total, "record")
    );
    let found = format!(
        "{}, {}",
        count(checked.errors, "error"),
        count(checked.warnings, "warning")
    );
    print_status(&if checked.errors > 0 {
        format!("{}; {found}", color::red(&valid))
    } else {
        format!("{}; {found}", color::green(&valid))
    });
}
