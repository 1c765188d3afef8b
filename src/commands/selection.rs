//! Which cases of a ledger `status`, `export` and `resolve` are about.

use anyhow::{Result, bail};

use crate::cli::settings::CaseSelection;
use crate::ledger::{CaseFilter, LedgerReader, RunId};
use crate::output::terminal::text::escaped;

impl CaseSelection {
    /// Whether every case is meant.
    pub(super) fn is_all(&self) -> bool {
        self.run.is_none() && self.states.is_empty() && self.file.is_none()
    }

    /// The ledger's filter. A run or a file that it never saw is refused:
    /// nothing found would look like nothing wrong.
    pub(super) fn filter(&self, reader: &LedgerReader) -> Result<CaseFilter> {
        let run = self.run.map(RunId);
        let mut file = self.file.clone();
        if run.is_some() || file.is_some() {
            let runs = reader.runs(usize::MAX)?;
            if let Some(run) = run
                && !runs.iter().any(|known| known.id == run)
            {
                match runs.first() {
                    Some(last) => bail!("the ledger has no run {run}; the last one is {}", last.id),
                    None => bail!("the ledger has no run yet"),
                }
            }
            if file.as_deref() == Some("-") {
                file = Some(crate::input::Input::Stdin.name());
            }
            if let Some(file) = &file {
                let mut names: Vec<&str> = (runs.iter())
                    .flat_map(|run| run.start.files.iter().map(|file| file.name.as_str()))
                    .collect();
                names.sort_unstable();
                names.dedup();
                if !names.contains(&file.as_str()) {
                    let names: Vec<String> = names
                        .into_iter()
                        .take(20)
                        .map(|name| format!("\n  {}", escaped(name)))
                        .collect();
                    bail!(
                        "no run had a file of the name {file}; they had{}",
                        names.concat()
                    );
                }
            }
        }
        Ok(CaseFilter {
            keys: None,
            run,
            states: (!self.states.is_empty()).then(|| self.states.clone()),
            file,
            possible_twin: false,
            with_content: false,
        })
    }
}
