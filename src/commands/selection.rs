//! Which cases of a ledger `status`, `export` and `resolve` are about.

use anyhow::{Result, bail};
use clap::Args;

use crate::ledger::{CaseFilter, LedgerReader, RunId};
use crate::model::State;
use crate::output::terminal::text::escaped;

/// Cases, narrowed by each part that is given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which cases")]
pub(super) struct Selection {
    /// Those that this run tried last
    #[arg(long, value_name = "N")]
    run: Option<i64>,
    /// Those in this state; again for more states
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Vec<State>,
    /// Those that came last from this file, named as it was when imported
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

impl Selection {
    /// Whether every case is meant.
    pub(super) fn is_all(&self) -> bool {
        self.run.is_none() && self.state.is_empty() && self.file.is_none()
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
            states: (!self.state.is_empty()).then(|| self.state.clone()),
            file,
            possible_twin: false,
            with_content: false,
        })
    }
}

fn state(word: &str) -> Result<State, crate::model::UnknownState> {
    word.to_lowercase().replace(['-', ' '], "_").parse()
}
