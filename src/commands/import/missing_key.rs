//! Sending needs key columns: without them one is proposed.

use anyhow::{Result, bail};

use super::checked_plan::check_options;
use crate::check::{self, Checked};
use crate::cli::settings::ImportSettings;
use crate::cli::shell_word;
use crate::commands::exit::Exit;
use crate::commands::key;
use crate::input::Input;

/// Fails with a key to use, if the input has one.
pub(super) fn refuse(settings: &ImportSettings) -> Result<Exit> {
    let checked = check_with_key(settings, &[])?;
    // Standard input can't be read a second time.
    let read_once = settings.read.inputs.contains(&Input::Stdin);
    let columns = key::propose(&checked, |columns| {
        read_once
            || check_with_key(settings, columns)
                .is_ok_and(|keyed| keyed.excluded.is_empty() && keyed.errors <= checked.errors)
    });
    let proposal = if columns.is_empty() {
        "no column and no pair of columns is filled and distinct in every row; add a column with \
         an id of your own"
            .to_owned()
    } else {
        let flags: Vec<String> = (columns.iter())
            .map(|column| format!("--key-column {}", shell_word(column)))
            .collect();
        format!("this looks like one: {}", flags.join(" "))
    };
    bail!("no key: a key column identifies a case, so that none is sent twice; {proposal}")
}

fn check_with_key(settings: &ImportSettings, columns: &[String]) -> Result<Checked> {
    let rules = settings.read.rules_with_key(columns)?;
    let explained = |error| settings.read.check_error(error);
    let mut check = check::check(check_options(settings, &rules, false)).map_err(explained)?;
    for batch in &mut check {
        batch.map_err(explained)?;
    }
    Ok(check.finish())
}
