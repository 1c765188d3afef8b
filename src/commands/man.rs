//! `caseload man DIR`: man pages, one a command.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{Exit, close};
use crate::cli::args::ManArgs;
use crate::cli::man_pages;
use crate::output::terminal::streams::OutputOptions;
use crate::output::terminal::text::{count, escaped_path};

/// Writes all pages, or none where one exists.
pub(super) fn run(args: &ManArgs, output: OutputOptions) -> Result<Exit> {
    let pages = man_pages()?.into_iter();
    let pages: Vec<_> = pages
        .map(|(name, text)| (args.folder.join(name), text))
        .collect();
    let existing = pages
        .iter()
        .find(|(path, _)| path.symlink_metadata().is_ok());
    if let Some((path, _)) = existing {
        ensure!(
            args.force,
            "{} already exists (use --force to replace it)",
            path.display()
        );
    }
    let folder = args.folder.display();
    fs::create_dir_all(&args.folder).with_context(|| format!("can't create {folder}"))?;
    for (path, text) in &pages {
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    let paths = pages.iter().map(|(path, _)| path.display().to_string());
    let members = json!({ "pages": paths.collect::<Vec<_>>() });
    let number = count(pages.len() as u64, "page");
    let done = format!("wrote {number} to {}", escaped_path(&args.folder));
    Ok(close("man", Exit::Done, members, &done, output))
}
