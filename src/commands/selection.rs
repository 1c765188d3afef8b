//! Which cases of a ledger `status`, `export` and `resolve` are about.

use anyhow::{Result, bail};

use crate::cli::args::CaseSelection;
use crate::input::Input;
use crate::ledger::{CaseFilter, LedgerReader, RunId};
use crate::output::terminal::text::escaped;

/// Known file names that an error lists.
const NAMES_SHOWN: usize = 20;

impl CaseSelection {
    /// Whether every case is selected.
    pub(super) fn is_all(&self) -> bool {
        self.run.is_none() && self.state.is_empty() && self.file.is_none()
    }

    /// The ledger's filter. A run or a file that the ledger does not know is an
    /// error: an empty result would look as if all were well.
    pub(super) fn filter(&self, reader: &LedgerReader) -> Result<CaseFilter> {
        let run = self.run.map(RunId);
        let mut file = self.file.clone();
        if file.as_deref() == Some("-") {
            file = Some(Input::Stdin.name());
        }
        if run.is_some() || file.is_some() {
            let runs = reader.runs(usize::MAX)?;
            if let Some(run) = run
                && !runs.iter().any(|known| known.id == run)
            {
                match runs.first() {
                    Some(last) => bail!("no run {run} in the ledger; the last one is {}", last.id),
                    None => bail!("no run {run} in the ledger: it has no runs yet"),
                }
            }
            let files = runs.iter().flat_map(|run| &run.start.files);
            let mut names: Vec<&str> = files.map(|file| file.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            if let Some(file) = &file
                && !names.contains(&file.as_str())
            {
                names.truncate(NAMES_SHOWN);
                let names: Vec<String> = names.into_iter().map(escaped).collect();
                bail!(
                    "no run imported a file named {file}; imported files:\n  {}",
                    names.join("\n  ")
                );
            }
        }
        Ok(CaseFilter {
            run,
            states: (!self.state.is_empty()).then(|| self.state.clone()),
            file,
            ..CaseFilter::default()
        })
    }
}
