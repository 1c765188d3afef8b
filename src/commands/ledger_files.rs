//! `caseload ledger`: which ledgers there are, a backup of one, a move to a
//! server, the end of a run there that has not ended, and forgetting.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Exit, close, ledgers, print_closing};
use crate::cli::settings::{LedgerChoice, LedgerSettings};
use crate::ledger::{self, Forgotten, KnownLedger, Records, ServerAddress};
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
    let members = json!({
        "account": info.account,
        "ledger_id": info.id,
        "path": file.display().to_string(),
        "cases": counts_json(&info.counts),
    });
    let cases = count(info.counts.total(), "case");
    let done = format!("wrote {cases} to {}", escaped_path(file));
    Ok(close("ledger backup", Exit::Done, members, &done, output))
}

/// `ledger copy`: a file moves to a server.
pub(super) fn copy(file: &Path, to: &ServerAddress, output: OutputOptions) -> Result<Exit> {
    let cases = ledger::transfer(file, to, Records::of_user().ok())?;
    let members = json!({
        "from": file.display().to_string(),
        "to": to.name(),
        "cases": cases,
    });
    let done = format!(
        "copied {} to {}; {} says that it was moved there",
        count(cases, "case"),
        escaped(to.name()),
        escaped_path(file),
    );
    Ok(close("ledger copy", Exit::Done, members, &done, output))
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
    let mut forgotten = Forgotten::default();
    let exit = ask_unless(yes, "Forget them? This can't be undone.")?;
    if exit == Exit::Done {
        forgotten = ledger.forget(&cases, &events, since)?;
    }
    let members = json!({
        "account": info.account,
        "ledger_id": info.id,
        "cases": forgotten.cases,
        "events": forgotten.events,
        "runs": forgotten.runs,
    });
    let done = format!("forgot {}", what(forgotten.cases, forgotten.events));
    Ok(close("ledger forget", exit, members, &done, output))
}

/// Done where the user agrees, by the flag or by an answer.
fn ask_unless(yes: bool, question: &str) -> Result<Exit> {
    ensure!(yes || is_interactive(), "not a terminal: use --yes");
    if yes || confirm(question)? {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Stopped)
    }
}

/// `ledger unlock`: the cases that the run is sending become in doubt when the
/// next one begins.
pub(super) fn unlock(choice: &LedgerChoice, yes: bool, output: OutputOptions) -> Result<Exit> {
    let (reader, _) = ledgers::open_to_read(choice)?;
    let end = |exit, done| close("ledger unlock", exit, json!({}), done, output);
    let Some(holder) = reader.lock_holder()? else {
        return Ok(end(Exit::Done, "no run is using the ledger"));
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
    let exit = ask_unless(yes, "End it?")?;
    if exit != Exit::Done {
        return Ok(end(exit, "nothing was changed"));
    }
    reader.unlock(&holder)?;
    Ok(end(exit, "the next run can begin"))
}
