//! The files that a run leaves: those that were named, and those of `--out`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::super::export::report_written;
use super::super::{ledgers, report};
use super::plan::CheckedPlan;
use crate::check::Checked;
use crate::cli::settings::{ImportSettings, ReadSettings};
use crate::ledger::{CaseFilter, RunId, RunStart};
use crate::model::{Format, RunEvent};
use crate::output::files::{
    CaseFiles, FlushPolicy, OutputOpener, OutputPaths, ProblemsFile, RecordShape, RunDirectory,
    RunFiles, RunLog, SourceFile, WrittenFiles,
};
use crate::output::terminal::streams::print_error;
use crate::output::terminal::summary::Summary;

/// The files that were named, open.
pub(super) type NamedFiles = (CaseFiles, Option<RunLog>);

/// Files that the run writes.
pub(super) struct Outputs {
    files: RunFiles,
    log: Option<RunLog>,
    directory: Option<RunDirectory>,
}

/// Opens the files that are named, before the question is asked. Dropped, they
/// are removed again.
pub(super) fn open_named(plan: &CheckedPlan<'_>) -> Result<NamedFiles> {
    let settings = plan.import.settings;
    let outputs = &settings.args.outputs;
    let paths = OutputPaths {
        results: outputs.results.clone(),
        rejects: outputs.rejects.clone(),
        in_doubt: outputs.in_doubt.clone(),
        json: None,
    };
    let sources = sources(&settings.read, &plan.checked);
    let mut opener = opener(settings);
    let files = CaseFiles::open(&mut opener, &paths, sources, None)?;
    let (names, redact) = (settings.read.file_names(), settings.output.redact);
    let log = outputs.log_file.as_ref();
    let log = log.map(|path| RunLog::open(&mut opener, path, names, redact));
    Ok((files, log.transpose()?))
}

/// The inputs as their outputs need them.
pub(in crate::commands) fn sources(read: &ReadSettings, checked: &Checked) -> Vec<SourceFile> {
    let inputs = read.check.inputs.iter().zip(&checked.files);
    let sources = inputs.map(|(input, file)| SourceFile {
        name: file.name.clone(),
        path: input.path().map(Path::to_owned),
        shape: match &file.columns {
            Some(columns) => RecordShape::table(columns),
            None => RecordShape::Json,
        },
        has_unread: file.unread > 0,
        has_rejects: true,
    });
    sources.collect()
}

pub(super) fn opener(settings: &ImportSettings) -> OutputOpener {
    OutputOpener::new(
        settings.read.force,
        FlushPolicy::EachRow,
        protected(settings),
    )
}

/// What an output of this command never replaces.
pub(super) fn protected(settings: &ImportSettings) -> Vec<PathBuf> {
    let mut paths = settings.read.paths();
    paths.extend(ledgers::paths(settings.ledger_location.path()));
    paths.extend(settings.args.public_key_file.clone());
    paths.extend(settings.ca_file.clone());
    paths
}

/// Whether the findings of the check are needed for the files.
pub(super) fn want_findings(settings: &ImportSettings) -> bool {
    let outputs = &settings.args.outputs;
    outputs.rejects.is_some() || outputs.results.is_some() || outputs.out.is_some()
}

/// Opens the files of `--out` beside those that were named, and writes what the
/// check has left out. Without a run there is no directory for it.
pub(super) fn begin(
    (mut files, mut log): NamedFiles,
    plan: &mut CheckedPlan<'_>,
    run: Option<(RunId, &RunStart)>,
) -> Result<Outputs> {
    let settings = plan.import.settings;
    if let (Some(log), Some((run, start))) = (&mut log, run) {
        log.begin(run, start, plan.to_send());
    }
    let mut directory = None;
    let mut problems = None;
    if let (Some(parent), Some((run, _))) = (&settings.args.outputs.out, run) {
        let created = RunDirectory::create(parent, &run.to_string())?;
        let mut opener = opener(settings);
        let paths = created.paths(files.sources());
        files.open_more(&mut opener, &paths)?;
        let file = opener.open(&created.problems(), Format::Csv)?;
        let names = settings.read.file_names();
        let redact = settings.output.redact;
        problems = Some(ProblemsFile::create(file, names, redact)?);
        directory = Some(created);
    }
    plan.findings.write(&mut files, problems.as_mut())?;
    if let Some(problems) = problems {
        problems.finish()?;
    }
    for slot in &plan.plan.excluded {
        let case = plan.plan.spooled.read(*slot).context("the spool")?;
        files.add_reject(
            usize::from(case.place.file.0),
            &case.raw_record,
            Some(&case.key),
            "another record of the input is, or may be, the same case",
        );
    }
    let files = RunFiles::new(files);
    Ok(Outputs {
        files,
        log,
        directory,
    })
}

impl Outputs {
    pub(super) fn add_event(&mut self, event: &RunEvent<'_>) {
        self.files.add_event(event);
        if let Some(log) = &mut self.log {
            log.add_event(event);
        }
    }

    /// Completes the files, and reports what was written. The report is read
    /// from the ledger, which the run must have closed.
    pub(super) fn finish(
        self,
        summary: &Summary,
        settings: &ImportSettings,
        ledger_is_closed: bool,
    ) {
        let output = settings.output;
        let written = self.files.finish();
        let quiet = output.quiet || output.json;
        report_written(&written, "row", quiet, HINT);
        if let Some(Err(error)) = self.log.map(|log| log.end(summary)) {
            print_error(&format!("{error}; the run went on without its log"));
        }
        let Some(directory) = self.directory else {
            return;
        };
        if let Err(error) = directory.write_summary(&summary.to_json()) {
            print_error(&error.to_string());
        }
        if ledger_is_closed {
            match write_report(&directory, summary, settings) {
                Ok(written) => report_written(&written, "case", quiet, HINT),
                Err(error) => print_error(&format!("no report was written: {error:#}{HINT}")),
            }
        }
    }
}

const HINT: &str = "; `caseload export` can write it again";

/// Writes the web page about the run.
fn write_report(
    directory: &RunDirectory,
    summary: &Summary,
    settings: &ImportSettings,
) -> Result<WrittenFiles> {
    let file = opener(settings).open_page(&directory.report())?;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    let filter = CaseFilter {
        run: summary.run.map(RunId),
        ..CaseFilter::default()
    };
    let shown = [false, settings.output.redact];
    let page = report::page((&reader, &info), &settings.read.config, filter, shown)?;
    let mut written = WrittenFiles::default();
    written.add_page(&page, file);
    Ok(written)
}
