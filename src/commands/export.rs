//! `caseload export`: the ledger's cases as files.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::exit::Exit;
use super::ledgers;
use crate::cli::settings::ExportSettings;
use crate::ledger::{CaseFilter, LedgerError, LedgerReader};
use crate::model::State;
use crate::output::files::{
    CasesFile, ExportFiles, FileError, Flush, InputFile, Kind, Opened, Opener, Output, ShapeSeen,
    Wanted, export_json,
};
use crate::output::terminal::color;
use crate::output::terminal::status::case_line;
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::output::terminal::text::{count, escaped, shape};

/// Runs the command.
pub(super) fn run(settings: &ExportSettings) -> Result<Exit> {
    let wanted = Wanted {
        results: settings.results.clone(),
        rejects: settings.rejects.clone(),
        in_doubt: settings.in_doubt.clone(),
    };
    let output = settings.output;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    ledgers::report_ledger(&info, output);
    let filter = settings.cases.filter(&reader)?;
    let registry = super::outputs::registry();
    // The ledger is what this command reads.
    let mut opener = Opener::new(&registry, files_of(&info.path), Flush::Chunks);
    let streams = settings.json.as_deref() == Some(Path::new("-"));
    let json = match settings.json.as_deref().filter(|_| !streams) {
        Some(path) => Some(opener.open(path, Kind::Ndjson)?),
        None => None,
    };
    let stream_only = wanted == Wanted::default() && json.is_none();
    let inputs = inputs(&reader, &filter, &wanted)?;
    let outputs = Opened::open(&mut opener, &[wanted], inputs)?;
    let mut sinks = Sinks {
        files: outputs.begin_export()?,
        json: json.map(CasesFile::begin).transpose()?,
        stream: streams.then(|| BufWriter::new(io::stdout().lock())),
        stream_only,
        redact: output.redact,
    };
    let filter = CaseFilter {
        with_content: settings.rejects.is_some() || settings.in_doubt.is_some(),
        ..filter
    };
    let ended = reader.cases(&filter, |case| sinks.case(&case_line(&case)));
    match ended {
        Ok(()) | Err(End::ReaderLeft) => {}
        Err(End::Ledger(error)) => return Err(error.into()),
        Err(End::Output(error)) => return Err(error).context("standard output"),
    }
    sinks.finish(settings.json.as_deref(), output)
}

/// Why no further case is written.
enum End {
    Ledger(LedgerError),
    ReaderLeft,
    Output(io::Error),
}

impl From<LedgerError> for End {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Everything that is written.
struct Sinks<'a> {
    files: ExportFiles,
    json: Option<CasesFile>,
    stream: Option<BufWriter<io::StdoutLock<'a>>>,
    /// No file is written beside it.
    stream_only: bool,
    redact: bool,
}

impl Sinks<'_> {
    fn case(&mut self, case: &crate::output::files::CaseLine<'_>) -> Result<(), End> {
        self.files.case(case);
        if let Some(json) = &mut self.json {
            json.case(case);
        }
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut document = export_json(case);
        if self.redact {
            // A server's message may quote the case.
            document["message"] = case.message.map(shape).into();
        }
        match writeln!(stream, "{document}") {
            // Who read it has seen enough; files are to be whole all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stream = None;
                if self.stream_only {
                    return Err(End::ReaderLeft);
                }
                Ok(())
            }
            written => written.map_err(End::Output),
        }
    }

    fn finish(mut self, json_path: Option<&Path>, output: OutputOptions) -> Result<Exit> {
        let streamed = json_path == Some(Path::new("-"));
        if let Some(stream) = &mut self.stream {
            match stream.flush() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(error).context("standard output");
                }
                _ => {}
            }
        }
        let written = self.files.finish();
        let mut files: Vec<(&str, PathBuf, u64)> = written
            .files
            .into_iter()
            .map(|file| (word(file.output), file.path, file.rows))
            .collect();
        let mut errors = written.errors;
        if let Some((json, path)) = self.json.zip(json_path) {
            match json.finish() {
                Ok(rows) => files.push(("json", path.to_owned(), rows)),
                Err(error) => errors.push(error),
            }
        }
        let exit = if errors.is_empty() {
            Exit::Done
        } else {
            Exit::Stopped
        };
        report_files(&files, &errors, output);
        if output.json && !streamed {
            print_json(&json!({
                "schema": 1,
                "command": "export",
                "files": files.iter().map(|(output, path, rows)| json!({
                    "output": output,
                    "path": path,
                    "cases": rows,
                })).collect::<Vec<_>>(),
                "errors": errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "exit_code": exit.code(),
            }));
        }
        Ok(exit)
    }
}

fn report_files(files: &[(&str, PathBuf, u64)], errors: &[FileError], output: OutputOptions) {
    if !output.quiet {
        for (_, path, rows) in files {
            print_status(&format!(
                "{}: {}",
                escaped(&path.display().to_string()),
                count(*rows, "case")
            ));
        }
    }
    for error in errors {
        print_status(&format!(
            "{} {}",
            color::red("error:"),
            escaped(&error.to_string())
        ));
    }
}

const fn word(output: Output) -> &'static str {
    match output {
        Output::Results => "results",
        Output::Rejects => "rejects",
        Output::InDoubt => "in_doubt",
    }
}

/// The files that the selected records came from, with what they are made of:
/// rejects and cases in doubt have the columns that their inputs had.
fn inputs(reader: &LedgerReader, filter: &CaseFilter, wanted: &Wanted) -> Result<Vec<InputFile>> {
    let mut seen: Vec<(String, ShapeSeen)> = Vec::new();
    for (state, path) in [
        (State::Rejected, &wanted.rejects),
        (State::InDoubt, &wanted.in_doubt),
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
        reader.cases(&of_state, |case| {
            let position = seen.iter().position(|(name, _)| *name == case.file);
            let position = position.unwrap_or_else(|| {
                seen.push((case.file, ShapeSeen::new()));
                seen.len() - 1
            });
            if let Some(raw) = &case.raw {
                seen[position].1.see(raw);
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(seen
        .into_iter()
        .map(|(name, shape)| InputFile {
            // The ledger holds cases only.
            unread: false,
            path: (name != crate::input::Input::Stdin.name()).then(|| PathBuf::from(&name)),
            shape: shape.finish(&name),
            name,
        })
        .collect())
}

/// The ledger and what lies beside it.
fn files_of(ledger: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm", ".lock"]
        .iter()
        .map(|ending| {
            let mut path = ledger.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        })
        .collect()
}
