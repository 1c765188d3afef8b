//! `caseload ledger`: which ledgers there are, and a backup of one.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Exit, ledgers, print_closing};
use crate::cli::settings::LedgerChoice;
use crate::ledger::KnownLedger;
use crate::output::terminal::color;
use crate::output::terminal::status::counts_json;
use crate::output::terminal::streams::{OutputOptions, print_result, print_status};
use crate::output::terminal::text::{count, escaped_path};

/// `ledger list`: those of the state folder, and the others that were used on
/// this machine.
pub(super) fn list(output: OutputOptions) -> Exit {
    let known = ledgers::known();
    if output.json {
        let ledgers = known.iter().map(to_json).collect::<Vec<_>>();
        print_closing("ledger list", Exit::Done, json!({ "ledgers": ledgers }));
    } else if known.is_empty() {
        print_status("no ledger is known on this machine");
    }
    for ledger in known.iter().filter(|_| !output.json) {
        let path = color::bold(&escaped_path(&ledger.path));
        print_result(&format!("{path}\n  {}", ledgers::about(ledger)));
    }
    Exit::Done
}

fn to_json(ledger: &KnownLedger) -> Value {
    let info = ledger.info.as_ref();
    json!({
        "path": ledger.path.display().to_string(),
        "account": ledger.account,
        "ledger_id": ledger.id,
        "cases": info.map(|info| counts_json(&info.counts)).ok(),
        "last_import": info.ok().and_then(|info| info.last_run_at),
        "error": info.err().map(ToString::to_string),
    })
}

/// `ledger backup`: a copy that another file can be compared with or restored
/// from.
pub(super) fn back_up(choice: &LedgerChoice, file: &Path, output: OutputOptions) -> Result<Exit> {
    let (reader, info) = ledgers::open_to_read(choice)?;
    ledgers::report_ledger(&info, output);
    reader.back_up(file)?;
    if output.json {
        let members = json!({
            "account": info.account,
            "ledger_id": info.id,
            "path": file.display().to_string(),
            "cases": counts_json(&info.counts),
        });
        print_closing("ledger backup", Exit::Done, members);
    } else if !output.quiet {
        let cases = count(info.counts.total(), "case");
        print_status(&format!("wrote {cases} to {}", escaped_path(file)));
    }
    Ok(Exit::Done)
}
