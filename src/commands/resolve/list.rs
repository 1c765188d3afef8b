//! Keys from a file: one a line, or a file that `export` or a run wrote, as it
//! is or saved again by a spreadsheet.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::input::{self, Input, Item, ReadOptions};
use crate::model::reserved::{self, IN_DOUBT_KEY};
use crate::model::{Columns, FileId, Format, Key, Record};

/// The columns that hold a key as we write it, and the one that holds it as it
/// is typed.
const WRITTEN: [&str; 2] = [reserved::KEY, IN_DOUBT_KEY];
const TYPED: &str = "key";
const CASE_ID: &str = "case_id";

/// A case and the id that stands beside it.
type Line = (Key, Option<String>);

/// Reads a list; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Line>> {
    if path == Path::new("-") {
        // What can be read only once is read twice below.
        let mut copy = tempfile::NamedTempFile::new().context("can't keep standard input")?;
        io::copy(&mut io::stdin().lock(), &mut copy).context("can't read standard input")?;
        return read_file(copy.path(), "standard input");
    }
    read_file(path, &path.display().to_string())
}

fn read_file(path: &Path, name: &str) -> Result<Vec<Line>> {
    let opened = input::open(
        &Input::Path(path.to_owned()),
        FileId(0),
        &ReadOptions::default(),
    );
    let is_list = |columns: &Columns| {
        [WRITTEN[0], WRITTEN[1], TYPED]
            .iter()
            .any(|name| columns.position(name).is_some())
    };
    match opened {
        Ok(reader) => match reader.columns() {
            None => read_records(reader, name),
            Some(columns) if is_list(columns) => read_records(reader, name),
            Some(_) if is_table(path) => bail!(
                "{name} has none of the columns caseload_key, {IN_DOUBT_KEY} and key, so it is \
                 no file of export's; put keys into a .txt file, one a line"
            ),
            Some(_) => read_lines(path, name),
        },
        Err(error) if is_table(path) => Err(error.into()),
        Err(_) => read_lines(path, name),
    }
}

/// Whether the name says that there is a header.
fn is_table(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Format::from_name(&name).is_some() || name.to_lowercase().ends_with(".xls")
}

fn read_lines(path: &Path, name: &str) -> Result<Vec<Line>> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {name}"))?;
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("{name} is not UTF-8 text; save it as UTF-8"))?;
    Ok(text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| match line.strip_prefix("key:").map(Key::parse) {
            Some(Ok(key)) => (key, None),
            _ => (Key::from_typed(line), None),
        })
        .collect())
}

fn read_records(mut reader: input::Reader, name: &str) -> Result<Vec<Line>> {
    if let Some(problem) = reader.problems().first() {
        bail!("{name}: {}", problem.message);
    }
    let mut parser = reader.parser();
    let mut lines = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        let mut fault = None;
        parser.parse(&chunk, &mut |item| {
            let line = match item {
                Item::Record(record) => line_of(&record),
                Item::Problem(problem, _) | Item::Lost(problem) => {
                    Err((problem.place.line, problem.message))
                }
            };
            match line {
                Ok(line) => lines.push(line),
                Err(first) => {
                    fault.get_or_insert(first);
                }
            }
        });
        if let Some((line, fault)) = fault {
            bail!("{name}:{line}: {fault}; nothing was changed");
        }
    }
    Ok(lines)
}

fn line_of(record: &Record<'_>) -> Result<Line, (u64, String)> {
    let filled = |column: &str| {
        let text = record.get(column).text.trim();
        (!text.is_empty()).then_some(text)
    };
    let fault = |text: &str| (record.place.line, text.to_owned());
    let key = if let Some(text) = WRITTEN.into_iter().find_map(filled) {
        (text.strip_prefix("key:"))
            .and_then(|canonical| Key::parse(canonical).ok())
            .ok_or_else(|| fault("not a key as caseload writes it, such as key:[\"00123\"]"))?
    } else {
        Key::from_typed(filled(TYPED).ok_or_else(|| fault("no key stands here"))?)
    };
    Ok((key, filled(CASE_ID).map(str::to_owned)))
}
