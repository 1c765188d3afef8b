//! `caseload ledger`: which ledgers there are, a backup of one, a move to a
//! server, the end of a run there that has not ended, and forgetting.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Exit, ledgers, print_closing};
use crate::cli::settings::{LedgerChoice, LedgerSettings};
use crate::ledger::{self, KnownLedger, Records, ServerAddress};
use crate::output::terminal::color;
use crate::output::terminal::status::{counts_json, time};
use crate::output::terminal::streams::{
    OutputOptions, confirm, is_interactive, print_result, print_status,
};
use crate::output::terminal::text::{count, escaped, escaped_path, span};
use crate::webhooks::silent_since;

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

/// `ledger copy`: a file moves to a server.
pub(super) fn copy(file: &Path, to: &ServerAddress, output: OutputOptions) -> Result<Exit> {
    let cases = ledger::transfer(file, to, Records::of_user().ok())?;
    if output.json {
        let members = json!({
            "from": file.display().to_string(),
            "to": to.name(),
            "cases": cases,
        });
        print_closing("ledger copy", Exit::Done, members);
    } else if !output.quiet {
        print_status(&format!(
            "copied {} to {}; {} says that it was moved there",
            count(cases, "case"),
            escaped(to.name()),
            escaped_path(file),
        ));
    }
    Ok(Exit::Done)
}

/// `ledger forget`: of cases that are done only that remains which prevents
/// second ones.
pub(super) fn forget(settings: &LedgerSettings, age: Duration, yes: bool) -> Result<Exit> {
    let output = settings.output;
    let (ledger, info) = ledgers::open_to_forget(&settings.ledger)?;
    ledgers::report_ledger(&info, output);
    let since = Timestamp::now() - age;
    let (cases, events) = silent_since(ledger.reader(), &settings.event_fields(), since)?;
    let what = |cases: u64, events: u64| {
        let (cases, events) = (count(cases, "case"), count(events, "webhook event"));
        format!("{cases} and {events} from before {}", time(since))
    };
    print_status(&format!(
        "{} will be forgotten: payloads, records, files and rows, messages of the server. Keys, \
         states, case ids and hashes stay, so that no case is created twice. Not in your ledger, \
         and yours to delete: files that import and export wrote, backups, and what a database \
         server keeps until its next vacuum",
        what(cases.len() as u64, events.len() as u64)
    ));
    ensure!(yes || is_interactive(), "not a terminal: use --yes");
    if !yes && !confirm("Forget them? This can't be undone.")? {
        print_status("nothing was changed");
        return Ok(Exit::Stopped);
    }
    let forgotten = ledger.forget(&cases, &events, since)?;
    if output.json {
        let members = json!({
            "account": info.account,
            "ledger_id": info.id,
            "cases": forgotten.cases,
            "events": forgotten.events,
            "runs": forgotten.runs,
        });
        print_closing("ledger forget", Exit::Done, members);
    } else if !output.quiet {
        print_status(&format!(
            "forgot {}",
            what(forgotten.cases, forgotten.events)
        ));
    }
    Ok(Exit::Done)
}

/// `ledger unlock`: the cases that the run is sending become in doubt when the
/// next one begins.
pub(super) fn unlock(choice: &LedgerChoice, yes: bool, output: OutputOptions) -> Result<Exit> {
    let (reader, _) = ledgers::open_to_read(choice)?;
    let Some(holder) = reader.lock_holder()? else {
        print_status("no run is using the ledger");
        return Ok(Exit::Done);
    };
    let run = reader.runs(1)?.pop().filter(|run| run.end.is_none());
    let run = run.map_or_else(String::new, |run| {
        format!("\n  {}", escaped(&run.start.to_string()))
    });
    print_status(&format!(
        "{} is using the ledger, last heard of {} ago{run}\nEnd it only if that process is gone: \
         what it is sending will be in doubt, and it sends nothing more",
        escaped(&holder.holder),
        span(holder.silent_for),
    ));
    ensure!(yes || is_interactive(), "not a terminal: use --yes");
    if !yes && !confirm("End it?")? {
        print_status("nothing was changed");
        return Ok(Exit::Stopped);
    }
    reader.unlock(&holder)?;
    if !output.quiet {
        print_status("the next run can begin");
    }
    Ok(Exit::Done)
}
