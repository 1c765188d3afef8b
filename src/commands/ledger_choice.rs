//! Which ledger `status`, `export` and `resolve` are about: the one that is
//! named, that of the account, or the only one that there is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use super::import::account::SANDBOX_LEDGER;
use super::quoted;
use crate::cli::args::{AccountArgs, Globals};
use crate::cli::settings;
use crate::config::Config;
use crate::ledger::{self, DiscoveredLedger, LedgerInfo, LedgerReader};
use crate::model::State;
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::text::{count, escaped};

/// Which ledger.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("sandbox", |arg| arg
    .help("The ledger of rehearsals: caseload-sandbox.db in the working directory")))]
pub(crate) struct LedgerArgs {
    #[command(flatten)]
    account: AccountArgs,
}

/// A ledger that is there.
pub(super) struct Choice {
    /// Where it lies.
    pub path: PathBuf,
    /// The flags that choose it again, with a space in front.
    pub flags: String,
    /// It must be this account's.
    account: Option<String>,
    /// Only the ledger of this id will do.
    id: Option<String>,
}

impl LedgerArgs {
    /// Chooses by flags, environment and config.
    pub(super) fn choose(
        &self,
        globals: &Globals,
        config: Option<&Config>,
        matches: &ArgMatches,
    ) -> Result<Choice> {
        let account = &self.account;
        settings::refuse_with_sandbox(account, matches)?;
        if account.sandbox {
            return sandbox(typed_flags(account, globals, matches));
        }
        let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let settings = config.map(|config| &config.ledger);
        let named = account
            .ledger
            .clone()
            .or_else(|| settings.and_then(|ledger| ledger.path.clone()));
        // A ledger that is typed stands for itself, whatever account the
        // environment or the config is about.
        let by_account = if typed("ledger") {
            typed("base_url")
        } else {
            account.base_url.is_some()
                || typed("org_id")
                || config.is_some_and(|config| config.api.base_url.is_some())
        };
        let account_name = by_account
            .then(|| {
                // No account depends on its mappings.
                let map_id = config.and_then(|config| config.api.map_id.as_deref());
                settings::address(account, config, Some(map_id.unwrap_or("any")))
                    .map(|address| address.account().to_string())
            })
            .transpose()?;
        let path = match (named, &account_name) {
            (Some(path), _) => path,
            (None, Some(account)) => ledger::default_path(&ledger::state_folder()?, account),
            (None, None) => only()?,
        };
        if !path.try_exists().unwrap_or(true) {
            return missing(&path, account_name.as_deref());
        }
        Ok(Choice {
            path,
            flags: typed_flags(account, globals, matches),
            account: account_name,
            id: (!typed("ledger"))
                .then(|| {
                    std::env::var("CASELOAD_LEDGER_ID")
                        .ok()
                        .or_else(|| settings.and_then(|ledger| ledger.id.clone()))
                })
                .flatten(),
        })
    }
}

/// The flags that choose a command's ledger once more, with a space in front:
/// what was typed; environment and config are there again.
pub(super) fn typed_flags(
    account: &AccountArgs,
    globals: &Globals,
    matches: &ArgMatches,
) -> String {
    if account.sandbox {
        return " --sandbox".to_owned();
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let mut flags = String::new();
    for (id, flag, value) in [
        ("config", "--config", path(&globals.config)),
        ("ledger", "--ledger", path(&account.ledger)),
        ("base_url", "--base-url", account.base_url.clone()),
        ("org_id", "--org-id", account.org_id.clone()),
    ] {
        if let Some(value) = value
            && matches.value_source(id) == Some(ValueSource::CommandLine)
        {
            // Writing to a String can't fail.
            let _ = write!(flags, " {flag} {}", quoted(&value));
            if id == "ledger" {
                // It stands for itself.
                break;
            }
        }
    }
    flags
}

impl Choice {
    /// Opens it to read, and makes sure that it is the one that is meant.
    pub(super) fn read(&self) -> Result<(LedgerReader, LedgerInfo)> {
        let reader = ledger::open_read_only(&self.path)?;
        let info = reader.info()?;
        self.check(&info)?;
        Ok((reader, info))
    }

    /// Refuses another account's ledger, and one of another id.
    pub(super) fn check(&self, info: &LedgerInfo) -> Result<()> {
        if let Some(account) = &self.account
            && *account != info.account
        {
            bail!(
                "{} is the ledger of {}, not of {account}; name this account's ledger with \
                 --ledger, or leave the account out",
                info.path.display(),
                escaped(&info.account)
            );
        }
        if let Some(id) = &self.id
            && *id != info.id
        {
            bail!(
                "{} is the ledger {}, and only {id} will do (CASELOAD_LEDGER_ID or [ledger] id); \
                 --ledger looks into it all the same",
                info.path.display(),
                info.id
            );
        }
        Ok(())
    }
}

/// Says which ledger it is, for commands that show nothing of it otherwise.
pub(super) fn report_ledger(info: &LedgerInfo, output: OutputOptions) {
    if output.quiet {
        return;
    }
    print_status(&color::dim(&format!(
        "ledger {}, with {} of {}",
        escaped(&info.path.display().to_string()),
        count(info.counts.total(), "case"),
        escaped(&info.account)
    )));
    if let Some(home) = &info.moved_from {
        print_status(&color::yellow(&crate::output::terminal::status::moved(
            home,
        )));
    }
}

fn sandbox(flags: String) -> Result<Choice> {
    let path = PathBuf::from(SANDBOX_LEDGER);
    if !path.try_exists().unwrap_or(true) {
        bail!(
            "there is no {SANDBOX_LEDGER} in this folder: `caseload import FILE --sandbox` makes one"
        );
    }
    Ok(Choice {
        path,
        flags,
        account: Some(crate::api::Account::sandbox().to_string()),
        id: None,
    })
}

/// The only ledger in the state folder.
fn only() -> Result<PathBuf> {
    let folder = ledger::state_folder()?;
    let mut found = ledger::discover(&folder)?;
    match found.len() {
        0 => bail!(
            "there is no ledger in {}: the first import of an account makes one. Name one that \
             lies elsewhere with --ledger{}",
            folder.display(),
            rehearsals()
        ),
        1 => Ok(found.remove(0).path),
        number => bail!(
            "there are {}; name one with --ledger, or its account with --base-url and \
             --org-id{}{}",
            count(number as u64, "ledger"),
            listed(&found),
            rehearsals()
        ),
    }
}

fn missing<T>(path: &Path, account: Option<&str>) -> Result<T> {
    let others = ledger::state_folder()
        .and_then(|folder| ledger::discover(&folder))
        .unwrap_or_default();
    let of = account
        .map(|account| format!(" for {}", escaped(account)))
        .unwrap_or_default();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!("; these are there, for --ledger:{}", listed(others)),
    };
    bail!("there is no ledger{of} at {}{others}", path.display())
}

/// Rehearsals have a ledger of their own, which is easily meant.
fn rehearsals() -> &'static str {
    if Path::new(SANDBOX_LEDGER).exists() {
        "\nRehearsals in this folder are looked at with --sandbox"
    } else {
        ""
    }
}

/// Ledgers with their counts, one a line.
fn listed(found: &[DiscoveredLedger]) -> String {
    let mut listed = String::new();
    for DiscoveredLedger { path, info } in found {
        // Writing to a String can't fail.
        let _ = match info {
            Ok(info) => write!(
                listed,
                "\n  {} has {} of {}, {} in doubt",
                path.display(),
                count(info.counts.total(), "case"),
                escaped(&info.account),
                info.counts.of(State::InDoubt) + info.counts.of(State::Sending)
            ),
            Err(error) => write!(listed, "\n  {} can't be used: {error}", path.display()),
        };
    }
    listed
}
