//! `caseload export`: the ledger's cases as files.

use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::exit::Exit;
use super::{ledgers, outputs};
use crate::cli::args::ExportFiles;
use crate::cli::settings::LedgerSettings;
use crate::input::Input;
use crate::ledger::{CaseFilter, CaseRow, LedgerReader};
use crate::model::State;
use crate::output::files::{
    CaseFiles, CaseOutput, FlushPolicy, OutputOpener, OutputPaths, ShapeDetector, SourceFile,
    WrittenFiles, case_json,
};
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::output::terminal::text::{count, escaped, escaped_path, shape};

/// Runs the command.
pub(super) fn run(settings: &LedgerSettings, files: &ExportFiles) -> Result<Exit> {
    let streams = files.json.as_deref() == Some(Path::new("-"));
    let paths = OutputPaths {
        results: files.results.clone(),
        rejects: files.rejects.clone(),
        in_doubt: files.in_doubt.clone(),
        json: files.json.clone().filter(|_| !streams),
    };
    let stream_only = paths == OutputPaths::default();
    if stream_only && !streams {
        bail!(
            "nothing to write: name at least one of --results FILE, --rejects FILE, \
             --in-doubt FILE and --json - (standard output)"
        );
    }
    let output = settings.output;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    ledgers::report_ledger(&info, output);
    let filter = settings.cases.filter(&reader)?;
    let mut protected = outputs::ledger_paths(&info.path);
    protected.extend(settings.config_path.clone());
    let mut opener = OutputOpener::new(files.force, FlushPolicy::Chunks, protected);
    let sources = sources(&reader, &filter, &paths)?;
    let mut exporter = Exporter {
        files: CaseFiles::open(&mut opener, &paths, sources)?,
        stream: streams.then(|| BufWriter::new(io::stdout().lock())),
        stream_only,
        redact: output.redact,
    };
    let filter = CaseFilter {
        with_content: files.rejects.is_some() || files.in_doubt.is_some(),
        ..filter
    };
    for case in reader.cases(&filter) {
        if exporter.add(&case?).context("standard output")?.is_break() {
            break;
        }
    }
    exporter.finish(streams, output)
}

struct Exporter<'a> {
    files: CaseFiles,
    stream: Option<BufWriter<io::StdoutLock<'a>>>,
    /// No file is written.
    stream_only: bool,
    redact: bool,
}

impl Exporter<'_> {
    /// Breaks when nobody reads what is written any more.
    fn add(&mut self, case: &CaseRow) -> io::Result<ControlFlow<()>> {
        let mut sources = self.files.sources().iter();
        // A file that a run added meanwhile counts as the first one.
        let source = sources.position(|source| source.name == case.file);
        self.files.add_case(source, case);
        let Some(stream) = &mut self.stream else {
            return Ok(ControlFlow::Continue(()));
        };
        let mut document = case_json(case);
        if self.redact {
            // A server's message may quote the case.
            document["message"] = case.message.as_deref().map(shape).into();
        }
        match writeln!(stream, "{document}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stream = None;
                if self.stream_only {
                    return Ok(ControlFlow::Break(()));
                }
            }
            written => written?,
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(mut self, streamed: bool, output: OutputOptions) -> Result<Exit> {
        match self.stream.as_mut().map(BufWriter::flush) {
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(error).context("standard output");
            }
            _ => {}
        }
        let written = self.files.finish();
        let exit = if written.errors.is_empty() {
            Exit::Done
        } else {
            Exit::Stopped
        };
        report_files(&written, output);
        if output.json && !streamed {
            print_json(&json!({
                "schema": 1,
                "command": "export",
                "files": written.files.iter().map(|file| json!({
                    "output": output_name(file.output),
                    "path": file.path,
                    "cases": file.rows,
                })).collect::<Vec<_>>(),
                "errors": written.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "exit_code": exit.code(),
            }));
        }
        Ok(exit)
    }
}

fn report_files(written: &WrittenFiles, output: OutputOptions) {
    if !output.quiet {
        for file in &written.files {
            print_status(&format!(
                "wrote {} to {}",
                count(file.rows, "case"),
                escaped_path(&file.path)
            ));
        }
    }
    for error in &written.errors {
        print_status(&format!(
            "{} {}",
            color::red("error:"),
            escaped(&error.to_string())
        ));
    }
}

const fn output_name(output: CaseOutput) -> &'static str {
    match output {
        CaseOutput::Results => "results",
        CaseOutput::Rejects => "rejects",
        CaseOutput::InDoubt => "in_doubt",
        CaseOutput::Json => "json",
    }
}

/// The files that the selected records came from: rejects and cases in doubt
/// have the columns of their inputs.
fn sources(
    reader: &LedgerReader,
    filter: &CaseFilter,
    paths: &OutputPaths,
) -> Result<Vec<SourceFile>> {
    let mut found: Vec<(String, ShapeDetector)> = Vec::new();
    for (state, path) in [
        (State::Rejected, &paths.rejects),
        (State::InDoubt, &paths.in_doubt),
    ] {
        let selected = (filter.states.as_ref()).is_none_or(|states| states.contains(&state));
        if path.is_none() || !selected {
            continue;
        }
        let of_state = CaseFilter {
            states: Some(vec![state]),
            with_content: true,
            ..filter.clone()
        };
        for case in reader.cases(&of_state) {
            let case = case?;
            let position = found.iter().position(|(name, _)| *name == case.file);
            let position = position.unwrap_or_else(|| {
                found.push((case.file, ShapeDetector::default()));
                found.len() - 1
            });
            if let Some(raw) = &case.raw {
                found[position].1.add(raw);
            }
        }
    }
    Ok(found
        .into_iter()
        .map(|(name, shape)| SourceFile {
            // The ledger has only cases.
            has_unread: false,
            path: (name != Input::Stdin.name()).then(|| PathBuf::from(&name)),
            shape: shape.finish(&name),
            name,
        })
        .collect())
}
