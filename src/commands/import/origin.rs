//! Where the keys of an import come from: the same columns and the same source
//! as in earlier runs, or what the user says about others. Otherwise known cases
//! would count as new, and be sent again.

use anyhow::{Error, Result, anyhow, bail, ensure};

use super::super::ledgers;
use super::plan::CheckedPlan;
use crate::cli::settings::ImportSettings;
use crate::cli::shell_word;
use crate::init::{self, InputProfile};
use crate::ledger::{LedgerReader, OriginStatus};
use crate::output::terminal::text::{count, escaped, escaped_list};

/// Refuses keys of other columns or of another source than those of earlier
/// runs, and flags without effect.
pub(super) fn check(settings: &ImportSettings, ledger: Option<&LedgerReader>) -> Result<()> {
    let args = &settings.args;
    let origin = settings.read.check.rules.key_origin();
    let status = match ledger {
        Some(ledger) => ledger.origin_status(&origin)?,
        None => OriginStatus::Known,
    };
    let other_columns = matches!(status, OriginStatus::OtherColumns(_));
    let new_source = matches!(status, OriginStatus::NewSource(_));
    for (flag, is_unused) in [
        (
            "--change-key-columns",
            args.change_key_columns && !other_columns,
        ),
        ("--new-source", args.new_source && !new_source),
    ] {
        ensure!(
            !is_unused,
            "{flag} has no effect: the ledger has no case that it is about; remove it"
        );
    }
    match status {
        OriginStatus::NewSource(known) if !args.new_source => {
            let known: Vec<String> = known
                .iter()
                .map(|(name, cases)| named(name, *cases))
                .collect();
            bail!(
                "the ledger has no case of {}, but {}. In another source the same key is another \
                 case, so every row would be sent:\n  keys of a system that is named here: use its \
                 --source, or none\n  keys of another system:                add --new-source",
                source(&origin.source),
                known.join(" and ")
            )
        }
        OriginStatus::OtherColumns(known) if !args.change_key_columns => {
            let lists: Vec<String> = known.iter().map(escaped_list).collect();
            let flags = known.last().map(|columns| key_flags(columns));
            bail!(
                "the key columns are {}, and earlier runs used {}. Under another key a known case \
                 would be sent again:\n  the same columns as before:     {}\n  the same ids in other \
                 columns:  add --change-key-columns\n  ids of another system:          name it with \
                 --source NAME",
                escaped_list(&origin.columns),
                lists.join(" or "),
                flags.unwrap_or_default()
            )
        }
        _ => Ok(()),
    }
}

/// Refuses other key columns that lead to no known case: these are other ids.
pub(super) fn refuse_unknown_ids(plan: &CheckedPlan<'_>) -> Result<()> {
    ensure!(
        plan.plan.known > 0 || !plan.import.settings.args.change_key_columns,
        "--change-key-columns is refused: the ledger knows none of the keys of these {}, so they \
         are not the same ids, and every case would be sent again. If they are ids of another \
         system, name it with --source NAME",
        count(plan.checked.total, "record")
    );
    Ok(())
}

/// Sending needs key columns: the error proposes those of earlier runs, or what
/// looks like some.
pub(super) fn no_key_columns(settings: &ImportSettings) -> Result<Error> {
    let check = &settings.read.check;
    let source = check.rules.key_origin().source;
    let used = ledgers::open_to_read(&settings.ledger)
        .and_then(|(ledger, _)| Ok(ledger.key_columns(&source)?))
        .ok()
        .and_then(|mut lists| lists.pop());
    let proposal = if let Some(used) = used {
        format!("earlier runs used {}", key_flags(&used))
    } else {
        let key = init::propose_key(&InputProfile::read(&check.inputs, &check.read)?).columns;
        match key.as_slice() {
            [] => "no column and no pair of columns looks like one; add a column with an id of \
                   your own"
                .to_owned(),
            key => format!("try {}", key_flags(key)),
        }
    };
    Ok(anyhow!(
        "no key columns: they identify a case, so that none is imported twice; {proposal}"
    ))
}

fn key_flags(columns: &[String]) -> String {
    let flags = columns
        .iter()
        .map(|column| format!("--key-column {}", shell_word(column)));
    flags.collect::<Vec<_>>().join(" ")
}

fn source(name: &str) -> String {
    match name {
        "" => "the source without a name".to_owned(),
        name => format!("source {}", escaped(name)),
    }
}

fn named(name: &str, cases: u64) -> String {
    format!("{} of {}", count(cases, "case"), source(name))
}
