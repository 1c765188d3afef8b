//! `caseload init FILE`: a config guessed from a file's header and values.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::exit::Exit;
use crate::cli::settings::InitSettings;
use crate::cli::shell_word;
use crate::init::{Draft, Guesser};
use crate::input::{self, Input, Item, ReadOptions};
use crate::model::{Columns, FileId};
use crate::output::terminal::streams::{print_json, print_status};
use crate::output::terminal::text::{count, escaped};

/// Runs the command.
pub(super) fn run(settings: &InitSettings) -> Result<Exit> {
    let path = &settings.config;
    if path.symlink_metadata().is_ok() {
        bail!(
            "{} is there already and is never overwritten; move it away, or name another with \
             --config",
            path.display()
        );
    }
    let input = Input::from_arg(settings.file.as_os_str());
    let draft = guess(&input, &settings.options)?;
    write(path, &draft.to_toml())?;
    let decisions = draft.decisions();
    if settings.output.json {
        print_json(&json!({
            "schema": 1,
            "command": "init",
            "config": path,
            "decisions": decisions,
            "exit_code": 0,
        }));
        return Ok(Exit::Done);
    }
    print_status(&format!("wrote {}", path.display()));
    if decisions > 0 {
        print_status(&format!(
            "{} to take: search it for \"# decide\"",
            count(decisions as u64, "decision")
        ));
    }
    if !draft.confidential.is_empty() {
        let columns: Vec<String> = draft
            .confidential
            .iter()
            .map(|name| escaped(name))
            .collect();
        print_status(&format!(
            "left out because they look confidential: {}",
            columns.join(", ")
        ));
    }
    let config = if settings.config_is_default {
        String::new()
    } else {
        format!(" --config {}", shell_word(&path.display().to_string()))
    };
    print_status(&format!(
        "next: caseload check {}{config}",
        shell_word(&settings.file.display().to_string())
    ));
    Ok(Exit::Done)
}

fn guess(input: &Input, options: &ReadOptions) -> Result<Draft> {
    let mut reader = input::open(input, FileId(0), options)?;
    let none = Columns::new();
    let mut guesser = match reader.columns() {
        Some(columns) => Guesser::new(columns),
        None => Guesser::new(&none),
    };
    let mut parser = reader.parser();
    while let Some(chunk) = reader.next_chunk()? {
        parser.parse(&chunk, &mut |item| {
            // What can't be read is the business of `check`.
            if let Item::Record(record) = item {
                guesser.see(&record);
            }
        });
    }
    Ok(guesser.finish())
}

/// Never over anything, and whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("can't make {}", path.display()))?;
    if let Err(error) = file.write_all(text.as_bytes()) {
        let _ = std::fs::remove_file(path);
        return Err(error).with_context(|| format!("can't write {}", path.display()));
    }
    Ok(())
}
