//! The outputs that several commands write, and the files that they must not
//! replace.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::settings::ReadSettings;
use crate::input::Input;
use crate::model::Format;
use crate::output::files::{FlushPolicy, OutputOpener, ProblemsFile};
use crate::output::terminal::check_report::ProblemReporter;
use crate::output::terminal::streams::OutputOptions;

/// What a command reads and must not write to: inputs and config.
pub(super) fn read_paths(read: &ReadSettings) -> Vec<PathBuf> {
    let inputs = read.inputs.iter().filter_map(|input| match input {
        Input::Path(path) => Some(path.clone()),
        Input::Stdin => None,
    });
    let config = read.config.iter().map(|config| config.path.clone());
    inputs.chain(config).collect()
}

/// A ledger and the files that belong to it.
pub(super) fn ledger_paths(ledger: &Path) -> Vec<PathBuf> {
    ["", "-journal", "-wal", "-shm", ".lock"]
        .iter()
        .map(|ending| {
            let mut path = ledger.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        })
        .collect()
}

/// Where the problems of an input go. The spreadsheet of `--problems` never
/// replaces one of the protected files.
pub(super) fn problem_reporter(
    output: OutputOptions,
    read: &ReadSettings,
    max_shown: u64,
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
    let github = read.github_annotations;
    Ok(ProblemReporter::new(
        output,
        files,
        max_shown,
        github,
        spreadsheet,
    ))
}
