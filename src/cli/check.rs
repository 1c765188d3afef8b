//! `caseload check`: the same checks with no network, no key and no ledger.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::{Globals, ReadArgs};
use super::exit::Exit;
use super::problems::ProblemsOut;
use super::settings;
use crate::check::{self, Checked};
use crate::report::fields;
use crate::report::screen::{Style, print_json, say};
use crate::report::text::{count, escaped};
use crate::source::Input;

/// Arguments of `caseload check`.
#[derive(Debug, Clone, Args)]
pub(super) struct CheckArgs {
    /// Case files; "-" reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs, globals: &Globals) -> Result<Exit> {
    let style = globals.style();
    let began = Instant::now();
    let profile = settings::profile(globals)?;
    let inputs = settings::inputs(&args.files)?;
    let rules = settings::rules(settings::mapping(&args.read, profile.as_ref()))?;
    let files: Vec<String> = inputs.iter().map(Input::name).collect();
    let mut problems =
        ProblemsOut::new(style, files, u64::MAX, &args.read, &inputs)?.with_json(style.json);
    let options = check::Options {
        source: settings::source(&args.read),
        inputs,
        rules,
        strict: args.read.strict,
        want_cases: false,
        want_invalid: false,
        want_fields: !style.json && !style.quiet,
        workers: 0,
    };
    let checked = check::check(&options, &mut problems)
        .map_err(|error| settings::check_error(error, &options.inputs, profile.as_ref()))?;
    problems.close();
    let exit = if checked.errors > 0 {
        Exit::Problems
    } else {
        Exit::Done
    };
    if style.json {
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
        show(&checked, style);
    }
    Ok(exit)
}

fn show(checked: &Checked, style: Style) {
    if !style.quiet {
        say(&fields::table(&checked.fields, checked.total, style));
        super::tell_encodings(checked);
        for file in checked.files.iter().filter(|file| !file.unused.is_empty()) {
            let unused: Vec<String> = file.unused.iter().map(|name| escaped(name)).collect();
            say(&format!(
                "{}: nothing uses {}: {}",
                escaped(&file.name),
                count(unused.len() as u64, "column"),
                unused.join(", ")
            ));
        }
    }
    let valid = format!(
        "{} of {} valid",
        crate::report::text::grouped(checked.valid),
        count(checked.total, "record")
    );
    let found = format!(
        "{}, {}",
        count(checked.errors, "error"),
        count(checked.warnings, "warning")
    );
    say(&if checked.errors > 0 {
        format!("{}; {found}", style.red(&valid))
    } else {
        format!("{}; {found}", style.green(&valid))
    });
}
