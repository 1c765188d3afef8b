//! `caseload init FILE`: drafts a config from a file's headers and values.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Exit, print_closing};
use crate::cli::args::InitArgs;
use crate::cli::settings::{CONFIG, read_options};
use crate::cli::shell_word;
use crate::init::{InputProfile, draft_config};
use crate::input::Input;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::text::{count, escaped, escaped_list, escaped_path};

/// Runs the command, for the config that is named, or the usual one.
pub(super) fn run(args: &InitArgs, named: Option<&Path>, output: OutputOptions) -> Result<Exit> {
    let path = named.unwrap_or(Path::new(CONFIG));
    if path.symlink_metadata().is_ok() {
        bail!(
            "{} already exists; move it away, or write to another file with --config",
            path.display()
        );
    }
    let input = Input::from_arg(args.file.as_os_str());
    let draft = draft_config(&InputProfile::read(&[input], &read_options(&args.read))?);
    write(path, &draft.to_toml())?;
    let decisions = draft.decisions();
    if output.json {
        let config = path.display().to_string();
        let members = json!({ "config": config, "decisions": decisions });
        print_closing("init", Exit::Done, members);
        return Ok(Exit::Done);
    }
    print_status(&format!("wrote {}", escaped_path(path)));
    if decisions > 0 {
        print_status(&format!(
            "{} to make: search the file for \"# decide\"",
            count(decisions as u64, "decision")
        ));
    }
    if !draft.confidential.is_empty() {
        let columns = escaped_list(&draft.confidential);
        print_status(&format!(
            "not sent because they look confidential: {columns}"
        ));
    }
    let shell_path = |path: &Path| escaped(&shell_word(&path.display().to_string()));
    let mut next = format!("next: caseload check {}", shell_path(&args.file));
    if path != Path::new(CONFIG) {
        next = format!("{next} --config {}", shell_path(path));
    }
    print_status(&next);
    Ok(Exit::Done)
}

/// Writes all of a new file or nothing.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("can't create {}", path.display()))?;
    if let Err(error) = file.write_all(text.as_bytes()) {
        let _ = std::fs::remove_file(path);
        return Err(error).with_context(|| format!("can't write {}", path.display()));
    }
    Ok(())
}
