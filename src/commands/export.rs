//! `caseload export`: the ledger's cases as files.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde_json::json;

use super::{Exit, ledgers, print_closing, report};
use crate::cli::args::ExportArgs;
use crate::cli::settings::LedgerSettings;
use crate::input::Input;
use crate::ledger::{CaseFilter, LedgerReader};
use crate::model::State;
use crate::output::files::{
    CaseFiles, EventsFile, FlushPolicy, OutputOpener, OutputPaths, ShapeDetector, SourceFile,
    WrittenFiles, case_json,
};
use crate::output::terminal::streams::{OutputOptions, json_line, print_error, print_status};
use crate::output::terminal::text::{count, escaped_path};
use crate::webhooks::{EventFields, Lives, events};

/// Runs the command.
pub(super) fn run(settings: &LedgerSettings, args: &ExportArgs) -> Result<Exit> {
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let paths = OutputPaths {
        results: args.results.clone(),
        rejects: args.rejects.clone(),
        in_doubt: args.in_doubt.clone(),
        json: args.json.clone().filter(|_| !to_stdout),
    };
    let no_files = paths == OutputPaths::default();
    ensure!(
        to_stdout || !no_files || args.events.is_some() || args.html.is_some(),
        "nothing to write: name at least one of --results FILE, --rejects FILE, --in-doubt \
         FILE, --events FILE, --html FILE and --json - (standard output)"
    );
    let output = settings.output;
    let (reader, info) = ledgers::open_to_read(&settings.ledger)?;
    ledgers::report_ledger(&info, output);
    let filter = CaseFilter {
        with_content: !no_files,
        ..settings.cases.filter(&reader)?
    };
    let config_files = settings.config.files().map(Path::to_owned);
    let protected = ledgers::paths(&info.path).into_iter().chain(config_files);
    let mut opener = OutputOpener::new(args.force, FlushPolicy::Chunks, protected);
    let sources = if no_files {
        Vec::new()
    } else {
        sources(&reader, &filter)?
    };
    let page = args.html.is_some().then(|| {
        let filter = settings.cases.filter(&reader)?;
        let shown = [args.with_personal_data, output.redact];
        report::page((&reader, &info), &settings.config, filter, shown)
    });
    let page = page.transpose()?;
    let fields = settings.event_fields();
    let lives = Lives::read(&reader, &fields)?;
    let mut case_files = CaseFiles::open(&mut opener, &paths, sources, Some(lives))?;
    let events_file = args.events.as_deref();
    let events_file = events_file.map(|path| EventsFile::create(&mut opener, path));
    let events_file = events_file.transpose()?;
    let page_file = args.html.as_deref().map(|path| opener.open_page(path));
    let page_file = page_file.transpose()?;
    write_cases(&reader, &filter, &mut case_files, to_stdout, output.redact)?;
    let mut written = case_files.finish();
    if let Some(file) = events_file {
        write_events(&reader, &fields, file, &mut written)?;
    }
    if let (Some(page), Some(file)) = (&page, page_file) {
        written.add_page(page, file);
    }
    Ok(close(&written, output, to_stdout))
}

/// Writes every event, whatever cases are selected.
fn write_events(
    reader: &LedgerReader,
    fields: &EventFields,
    mut file: EventsFile,
    written: &mut WrittenFiles,
) -> Result<()> {
    for event in events(reader, fields) {
        let (event, key) = event?;
        file.add(&event, key.as_ref());
    }
    written.add("events", file.into_file());
    Ok(())
}

/// Writes the selected cases to the files, and to standard output.
fn write_cases(
    reader: &LedgerReader,
    filter: &CaseFilter,
    files: &mut CaseFiles,
    to_stdout: bool,
    redact: bool,
) -> Result<()> {
    let mut stream = to_stdout.then(|| BufWriter::new(io::stdout().lock()));
    for case in reader.cases(filter) {
        let case = case?;
        let mut sources = files.sources().iter();
        // A file that a run added meanwhile counts as the first one.
        let source = sources.position(|source| Some(&source.name) == case.file.as_ref());
        files.add_case(source, &case);
        if let Some(out) = &mut stream {
            let document = case_json(&case, files.life(&case.key), redact).to_string();
            if is_closed(writeln!(out, "{}", json_line(&document)))? {
                stream = None;
            }
        }
    }
    if let Some(out) = &mut stream {
        is_closed(out.flush())?;
    }
    Ok(())
}

/// Reports what was written.
fn close(written: &WrittenFiles, output: OutputOptions, to_stdout: bool) -> Exit {
    let exit = match written.errors.len() {
        0 => Exit::Done,
        _ => Exit::Stopped,
    };
    report_written(written, "case", output.quiet, "");
    if written.without_record > 0 && !output.quiet {
        print_status(&format!(
            "{} without the columns of the input: of an imported case the ledger keeps only \
             hashes, unless [ledger] keep_payloads = true. The results that `import --results` \
             or `--out` wrote have them",
            count(written.without_record, "case")
        ));
    }
    if output.json && !to_stdout {
        let members = json!({
            "files": written.files.iter().map(|file| json!({
                "output": file.output,
                "path": file.path.display().to_string(),
                (file.noun("cases", "events")): file.rows,
            })).collect::<Vec<_>>(),
            "errors": written.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        print_closing("export", exit, members);
    }
    exit
}

/// Whether the reader of standard output has closed it, which is not an error.
fn is_closed(written: io::Result<()>) -> Result<bool> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        written => written.map(|()| false).context("standard output"),
    }
}

/// Reports the files of a command, and what could not be written, with a hint.
pub(super) fn report_written(written: &WrittenFiles, noun: &str, quiet: bool, hint: &str) {
    for file in written.files.iter().filter(|_| !quiet) {
        let rows = count(file.rows, file.noun(noun, "event"));
        let path = escaped_path(&file.path);
        print_status(&format!("wrote {rows} to {path}"));
    }
    for error in &written.errors {
        print_error(&format!("{error}{hint}"));
    }
}

/// The files that the selected cases came from, with the columns of the records
/// that the ledger still has.
fn sources(reader: &LedgerReader, filter: &CaseFilter) -> Result<Vec<SourceFile>> {
    let filter = CaseFilter {
        with_content: true,
        ..filter.clone()
    };
    let mut shapes: IndexMap<String, (ShapeDetector, bool)> = IndexMap::new();
    for case in reader.cases(&filter) {
        let case = case?;
        let file = case.file.unwrap_or_default();
        let (shape, has_rejects) = shapes.entry(file).or_default();
        *has_rejects |= case.state == State::Rejected;
        if let Some(raw) = &case.raw_record {
            shape.add(raw);
        }
    }
    let sources = shapes
        .into_iter()
        .map(|(name, (shape, has_rejects))| SourceFile {
            // The ledger has only cases.
            has_unread: false,
            has_rejects,
            path: (name != Input::Stdin.name()).then(|| PathBuf::from(&name)),
            shape: shape.finish(&name),
            name,
        });
    Ok(sources.collect())
}
