//! What every command that writes files needs: what it may overwrite, and what
//! it reads.

use std::path::PathBuf;

use crate::input::Input;
use crate::ledger;
use crate::output::files::Registry;

/// What caseload left behind so far. Without a state folder nothing that is
/// there may be overwritten.
pub(super) fn registry() -> Registry {
    ledger::state_folder()
        .ok()
        .and_then(|folder| Registry::open(&folder.join("files")).ok())
        .unwrap_or_else(Registry::nowhere)
}

/// The inputs that are files.
pub(super) fn paths(inputs: &[Input]) -> Vec<PathBuf> {
    inputs
        .iter()
        .filter_map(|input| match input {
            Input::Path(path) => Some(path.clone()),
            Input::Stdin => None,
        })
        .collect()
}
