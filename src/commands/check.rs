//! `caseload check`: the same checks with no network, no key and no ledger.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Exit;
use super::export::report_written;
use super::findings::{Finding, FindingsSpool};
use super::import::files::sources;
use crate::check::{self, CheckOptions, Checked};
use crate::cli::settings::ReadSettings;
use crate::cli::shell_word;
use crate::input::Input;
use crate::ledger;
use crate::model::Format;
use crate::output::files::{CaseFiles, FlushPolicy, OutputOpener, OutputPaths, ProblemsFile};
use crate::output::terminal::check_report::{ProblemReporter, column_table};
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_json, print_result};
use crate::output::terminal::text::{count, escaped, escaped_list, grouped};

/// Runs the command.
pub(super) fn run(read: &ReadSettings, output: OutputOptions) -> Result<Exit> {
    let began = Instant::now();
    let mut problems = problem_reporter(output, read, read.paths())?;
    let options = CheckOptions {
        inputs: read.inputs.clone(),
        read: read.options.clone(),
        rules: Arc::clone(&read.rules),
        strict: read.strict,
        allow_empty: read.allow_empty,
        collect_cases: false,
        collect_invalid: read.rejects.is_some(),
        summarize_columns: !output.json && !output.quiet,
    };
    let mut findings = (read.rejects.is_some())
        .then(|| FindingsSpool::create(&ledger::temporary_folder()))
        .transpose()
        .context("can't create a temporary file")?;
    let explained = |error| read.check_error(error);
    let mut check = check::check(options).map_err(explained)?;
    for batch in &mut check {
        let batch = batch.map_err(explained)?;
        for problem in &batch.problems {
            problems.add(problem);
        }
        if let Some(findings) = &mut findings {
            let written = findings.add(Vec::new(), batch.invalid);
            written.context("can't write a temporary file")?;
        }
    }
    let checked = check.finish();
    problems.finish(checked.total)?;
    if let Some(findings) = findings {
        write_rejects(read, &checked, findings, output)?;
    }
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
        show(read, &checked, output);
    }
    Ok(exit)
}

/// Writes the rows with errors, to be fixed and imported.
fn write_rejects(
    read: &ReadSettings,
    checked: &Checked,
    findings: FindingsSpool,
    output: OutputOptions,
) -> Result<()> {
    let protected = read.paths().into_iter().chain(read.problems_file.clone());
    let mut opener = OutputOpener::new(read.force, FlushPolicy::Chunks, protected);
    let paths = OutputPaths {
        rejects: read.rejects.clone(),
        ..OutputPaths::default()
    };
    let mut files = CaseFiles::open(&mut opener, &paths, sources(read, checked))?;
    for finding in findings.read().context("the temporary file")? {
        if let Finding::Invalid(invalid) = finding.context("the temporary file")? {
            let file = usize::from(invalid.file.0);
            let (raw, key) = (Some(&*invalid.raw_record), invalid.key.as_ref());
            files.add_reject(file, raw, key, &invalid.reason);
        }
    }
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
        let file = read.inputs.first().and_then(Input::path);
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

/// Where the problems of an input go. The spreadsheet of `--problems` never
/// replaces one of the protected files.
pub(super) fn problem_reporter(
    output: OutputOptions,
    read: &ReadSettings,
    protected: Vec<PathBuf>,
) -> Result<ProblemReporter> {
    let files = read.file_names();
    let spreadsheet = match &read.problems_file {
        Some(path) => {
            let mut opener = OutputOpener::new(read.force, FlushPolicy::Chunks, protected);
            let file = opener.open(path, Format::Csv)?;
            Some(ProblemsFile::create(file, files.clone(), output.redact)?)
        }
        None => None,
    };
    let mut reporter = ProblemReporter::new(output, files, read.max_shown);
    reporter.github = read.github_annotations;
    reporter.spreadsheet = spreadsheet;
    Ok(reporter)
}
