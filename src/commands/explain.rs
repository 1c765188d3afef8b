//! `caseload explain CODE`: what a problem or a state means.

use anyhow::{Result, bail};

use super::exit::Exit;
use crate::mapping::names;
use crate::output::explain::{self, Explanation};
use crate::output::terminal::streams::print_result;

/// Runs the command.
pub(super) fn run(code: Option<&str>) -> Result<Exit> {
    let Some(code) = code else {
        let lines: Vec<String> = explain::entries()
            .map(|Explanation { name, title, .. }| format!("{name:22} {title}"))
            .collect();
        print_result(&lines.join("\n"));
        return Ok(Exit::Done);
    };
    let Some(Explanation { name, title, text }) = explain::find(code) else {
        match names::closest(code, explain::entries().map(|entry| entry.name)) {
            Some(closest) => bail!("unknown code {code:?}; did you mean {closest:?}?"),
            None => bail!("unknown code {code:?}; run `caseload explain` for a list"),
        }
    };
    print_result(&format!("{name}: {title}\n\n{text}"));
    Ok(Exit::Done)
}
