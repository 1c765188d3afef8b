//! `caseload check`: the same checks with no network, no key and no ledger.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::export::report_written;
use super::findings::{Findings, KeptFindings};
use super::import::files::sources;
use super::{Exit, print_closing};
use crate::check::{self, CheckOptions, Checked};
use crate::cli::settings::ReadSettings;
use crate::cli::shell_word;
use crate::input::Input;
use crate::output::files::{CaseFiles, FlushPolicy, OutputOpener, OutputPaths};
use crate::output::terminal::check_report::column_table;
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_result};
use crate::output::terminal::text::{count, escaped, escaped_list, grouped};

/// Runs the command.
pub(super) fn run(read: &ReadSettings, output: OutputOptions) -> Result<Exit> {
    let began = Instant::now();
    let collect_invalid = read.rejects.is_some();
    let mut findings = Findings::new(read, output, read.paths(), collect_invalid)?;
    let options = CheckOptions {
        collect_invalid,
        summarize_columns: !output.json && !output.quiet,
        ..read.check.clone()
    };
    let explained = |error| read.check_error(error);
    let mut check = check::check(options).map_err(explained)?;
    for batch in &mut check {
        let batch = batch.map_err(explained)?;
        findings.add(batch.problems, batch.invalid)?;
    }
    let checked = check.finish();
    let kept = findings.finish(checked.total)?;
    if collect_invalid {
        write_rejects(read, &checked, kept, output)?;
    }
    let exit = match checked.errors {
        0 => Exit::Done,
        _ => Exit::Problems,
    };
    if output.json {
        let members = json!({
            "total": checked.total,
            "valid": checked.valid,
            "findings": checked.errors + checked.warnings,
            "errors": checked.errors,
            "warnings": checked.warnings,
            "drafts": checked.drafts,
            "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        });
        print_closing("check", exit, members);
    } else {
        show(read, &checked, output);
    }
    Ok(exit)
}

/// Writes the rows with errors, to be fixed and imported.
fn write_rejects(
    read: &ReadSettings,
    checked: &Checked,
    mut findings: KeptFindings,
    output: OutputOptions,
) -> Result<()> {
    let protected = read.paths().into_iter().chain(read.args.problems.clone());
    let mut opener = OutputOpener::new(read.force, FlushPolicy::Chunks, protected);
    let paths = OutputPaths {
        rejects: read.rejects.clone(),
        ..OutputPaths::default()
    };
    let mut files = CaseFiles::open(&mut opener, &paths, sources(read, checked), None)?;
    findings.write(&mut files, None)?;
    report_written(&files.finish(), "row", output.quiet || output.json, "");
    Ok(())
}

/// Columns that are named one by one.
const MAX_COLUMNS: usize = 12;

fn show(read: &ReadSettings, checked: &Checked, output: OutputOptions) {
    if !output.quiet {
        let table = column_table(&checked.columns, checked.total, output.redact);
        print_result(&table);
        for file in checked.files.iter().filter(|file| !file.unused.is_empty()) {
            let columns = count(file.unused.len() as u64, "column");
            let mut names = escaped_list(file.unused.iter().take(MAX_COLUMNS));
            if file.unused.len() > MAX_COLUMNS {
                names += ", …";
            }
            print_result(&format!(
                "{}: {columns} not sent: {names}",
                escaped(&file.name)
            ));
        }
    }
    let valid = format!(
        "{} of {} valid",
        grouped(checked.valid),
        count(checked.total, "record")
    );
    let valid = match checked.errors {
        0 => color::green(&valid),
        _ => color::red(&valid),
    };
    let errors = count(checked.errors, "error");
    let warnings = count(checked.warnings, "warning");
    print_result(&format!("{valid}; {errors}, {warnings}"));
    let found = checked.errors + checked.warnings;
    if found > 0 && read.config.path.is_none() {
        let file = read.check.inputs.first().and_then(Input::path);
        let file = file.map_or("FILE".to_owned(), |file| {
            shell_word(&file.to_string_lossy())
        });
        print_result(&format!(
            "there is no caseload.toml, so every column is sent under its own name; to name the \
             key, the partner firm and the fields, run `caseload init {}`",
            escaped(&file)
        ));
    }
}
