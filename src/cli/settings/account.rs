//! The account and the ledger that a command uses.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Error, Result, anyhow, bail};

use super::webhooks::event_fields;
use super::{environment, environment_path, output_options};
use crate::api::{Account, Address};
use crate::cli::args::{AccountArgs, CaseSelection, GlobalArgs, LedgerArgs};
use crate::cli::shell_word;
use crate::config::Config;
use crate::ledger;
use crate::output::terminal::streams::OutputOptions;
use crate::webhooks::EventFields;

/// The ledger of test runs, in the working directory.
pub(crate) const SANDBOX_LEDGER: &str = "caseload-sandbox.db";

/// How to set the base URL, for messages.
pub(super) const BASE_URL: &str =
    "base URL: --base-url, LEXAMICA_BASE_URL or [api] base_url in the config";

/// A setting by its flag, its environment variable or the config.
pub(super) fn setting(
    flag: Option<&String>,
    variable: &str,
    config: Option<&String>,
) -> Option<String> {
    flag.cloned()
        .or_else(|| environment(variable))
        .or_else(|| config.cloned())
}

pub(super) fn base_url(args: &AccountArgs, config: &Config) -> Option<String> {
    let in_config = config.api.base_url.as_ref();
    setting(args.base_url.as_ref(), "LEXAMICA_BASE_URL", in_config)
}

pub(super) fn missing_settings(missing: &[&str]) -> Error {
    anyhow!(
        "missing settings:\n  {}\n--sandbox makes a test run without them",
        missing.join("\n  ")
    )
}

pub(super) fn org_id(args: &AccountArgs, config: &Config) -> Option<String> {
    let in_config = config.api.org_id.as_ref();
    setting(args.org_id.as_ref(), "LEXAMICA_ORG_ID", in_config)
}

/// The address of the call.
pub(super) fn address(
    args: &AccountArgs,
    config: &Config,
    base_url: &str,
    map_id: &str,
) -> Result<Address> {
    let org_id = org_id(args, config);
    let template = config.api.path.as_deref();
    Ok(Address::new(base_url, org_id.as_deref(), map_id, template)?)
}

/// The ledger that was chosen; nothing was looked up on disk yet.
#[derive(Debug)]
pub(crate) struct LedgerChoice {
    /// The file, if one is named; without one it is found by the account.
    pub path: Option<PathBuf>,
    /// The account that the ledger must belong to.
    pub account: Option<Account>,
    /// The id that the ledger must have.
    pub id: Option<String>,
    /// The flags that repeat this choice, each after a space; environment and
    /// config will still be there.
    pub flags: String,
}

impl LedgerChoice {
    pub(super) fn sandbox(args: &AccountArgs) -> Result<Self> {
        let with = if args.base_url.is_some() {
            "--base-url"
        } else if args.ledger.is_some() {
            "--ledger"
        } else {
            return Ok(Self {
                path: Some(PathBuf::from(SANDBOX_LEDGER)),
                account: Some(Account::sandbox()),
                id: None,
                flags: " --sandbox".to_owned(),
            });
        };
        bail!(
            "--sandbox cannot be combined with {with}; to use a ledger of your own, start \
             `caseload sandbox` and import into its address"
        );
    }

    /// The ledger of an account, if that is known.
    pub(super) fn real(
        args: &AccountArgs,
        globals: &GlobalArgs,
        config: &Config,
        id: Option<String>,
        account: Option<Account>,
    ) -> Self {
        let path = args.ledger.clone();
        Self {
            path: path
                .or_else(|| environment_path("CASELOAD_LEDGER"))
                .or_else(|| config.ledger.path.clone()),
            account,
            id,
            flags: repeated_flags(args, globals),
        }
    }

    /// That of a command without further settings.
    pub(crate) fn of_backup(args: &AccountArgs, globals: &GlobalArgs) -> Result<Self> {
        Self::existing(args, globals, &super::config(globals)?)
    }

    /// The ledger of a command that only looks into one. A ledger named on the
    /// command line needs no account, whatever environment and config say.
    pub(super) fn existing(
        args: &AccountArgs,
        globals: &GlobalArgs,
        config: &Config,
    ) -> Result<Self> {
        if args.sandbox {
            return Self::sandbox(args);
        }
        let typed = args.ledger.is_some();
        let account = match base_url(args, config) {
            Some(base_url) if !typed || args.base_url.is_some() => {
                // The account does not depend on the map.
                let map_id = config.api.map_id.as_deref().unwrap_or("any");
                let address = address(args, config, &base_url, map_id)?;
                Some(address.account().clone())
            }
            None if !typed && args.org_id.is_some() => return Err(missing_settings(&[BASE_URL])),
            _ => None,
        };
        let id = if typed { None } else { ledger_id(None, config) };
        Ok(Self::real(args, globals, config, id, account))
    }

    /// The file, or where that of the account is, or will be.
    pub(crate) fn path_of(&self, account: &Account) -> Result<PathBuf> {
        match &self.path {
            Some(path) => Ok(path.clone()),
            None => Ok(ledger::default_path(
                &ledger::state_folder()?,
                account.as_str(),
            )),
        }
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.account == Some(Account::sandbox())
    }
}

pub(super) fn ledger_id(flag: Option<&String>, config: &Config) -> Option<String> {
    setting(flag, "CASELOAD_LEDGER_ID", config.ledger.id.as_ref())
}

fn repeated_flags(args: &AccountArgs, globals: &GlobalArgs) -> String {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let mut flags = String::new();
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a String can't fail.
            let _ = write!(flags, " {flag} {}", shell_word(&value));
        }
    };
    add("--config", path(&globals.config));
    if args.ledger.is_some() {
        // It needs no account.
        add("--ledger", path(&args.ledger));
    } else {
        add("--base-url", args.base_url.clone());
        add("--org-id", args.org_id.clone());
    }
    flags
}

/// What every command on an existing ledger needs.
#[derive(Debug)]
pub(crate) struct LedgerSettings {
    pub output: OutputOptions,
    pub ledger: LedgerChoice,
    pub cases: CaseSelection,
    pub config: Config,
}

impl LedgerSettings {
    pub(crate) fn new(args: &LedgerArgs, globals: &GlobalArgs) -> Result<Self> {
        let config = super::config(globals)?;
        Ok(Self {
            output: output_options(globals),
            ledger: LedgerChoice::existing(&args.account, globals, &config)?,
            cases: args.cases.clone(),
            config,
        })
    }

    /// How events are read and tied to cases.
    pub(crate) fn event_fields(&self) -> EventFields {
        event_fields(&self.config)
    }
}
