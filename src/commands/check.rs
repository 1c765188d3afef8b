//! `caseload check`: the same checks with no network, no key and no ledger.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::exit::Exit;
use super::outputs;
use crate::check::{self, CheckOptions, Checked};
use crate::cli::settings::ReadSettings;
use crate::output::terminal::check_report::column_table;
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_json, print_result};
use crate::output::terminal::text::{count, escaped};

/// Runs the command.
pub(super) fn run(read: &ReadSettings, output: OutputOptions) -> Result<Exit> {
    let began = Instant::now();
    let protected = outputs::read_paths(read);
    let mut problems = outputs::problem_reporter(output, read, u64::MAX, protected)?;
    let options = CheckOptions {
        inputs: read.inputs.clone(),
        read: read.options.clone(),
        rules: read.rules()?,
        strict: read.strict,
        collect_cases: false,
        collect_invalid: false,
        summarize_columns: !output.json && !output.quiet,
    };
    let explained = |error| read.check_error(error);
    let mut check = check::check(options).map_err(explained)?;
    for batch in &mut check {
        for problem in batch.map_err(explained)?.problems {
            problems.add(&problem);
        }
    }
    let checked = check.finish();
    problems.finish()?;
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
        let table = column_table(&checked.columns, checked.total, output.redact);
        print_result(&table);
        super::warn_guessed_encodings(checked, output);
        for file in checked.files.iter().filter(|file| !file.unused.is_empty()) {
            let unused: Vec<String> = file.unused.iter().map(|name| escaped(name)).collect();
            print_result(&format!(
                "{}: {} not sent: {}",
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
    print_result(&if checked.errors > 0 {
        format!("{}; {found}", color::red(&valid))
    } else {
        format!("{}; {found}", color::green(&valid))
    });
}
