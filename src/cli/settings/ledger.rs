//! Which ledger is meant, for every command that has one.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{environment, environment_path, output_options};
use crate::api::Account;
use crate::cli::args::{AccountArgs, CaseSelection, GlobalArgs, LedgerArgs};
use crate::cli::shell_word;
use crate::config::Config;
use crate::output::terminal::streams::OutputOptions;

/// The ledger of test runs, in the working directory.
pub(crate) const SANDBOX_LEDGER: &str = "caseload-sandbox.db";

/// Which ledger is meant. Nothing of it was looked up on disk yet.
#[derive(Debug)]
pub(crate) struct LedgerChoice {
    /// The file, if one is named; without one it is found by the account.
    pub path: Option<PathBuf>,
    /// The account that the ledger must belong to.
    pub account: Option<Account>,
    /// The id that the ledger must have.
    pub id: Option<String>,
    /// The flags that make this choice once more, each after a space;
    /// environment and config will still be there.
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

    /// The ledger of an import, whose account is known.
    pub(super) fn of_account(
        args: &AccountArgs,
        globals: &GlobalArgs,
        config: Option<&Config>,
        id: Option<String>,
        account: Account,
    ) -> Self {
        Self {
            path: named(args, config),
            account: Some(account),
            id: id.or_else(|| expected_id(config)),
            flags: repeated_flags(args, globals),
        }
    }

    /// The ledger of a command that only looks into one. A ledger named on the
    /// command line needs no account, whatever environment and config say.
    fn of_any(args: &AccountArgs, globals: &GlobalArgs, config: Option<&Config>) -> Result<Self> {
        if args.sandbox {
            return Self::sandbox(args);
        }
        let typed = args.ledger.is_some();
        let has_account = if typed {
            args.base_url.is_some()
        } else {
            super::api::base_url(args, config).is_some() || args.org_id.is_some()
        };
        let account = has_account
            .then(|| super::api::account(args, config))
            .transpose()?;
        Ok(Self {
            path: named(args, config),
            account,
            id: (!typed).then(|| expected_id(config)).flatten(),
            flags: repeated_flags(args, globals),
        })
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.account
            .as_ref()
            .is_some_and(|account| *account == Account::sandbox())
    }
}

fn named(args: &AccountArgs, config: Option<&Config>) -> Option<PathBuf> {
    args.ledger
        .clone()
        .or_else(|| environment_path("CASELOAD_LEDGER"))
        .or_else(|| config?.ledger.path.clone())
}

fn expected_id(config: Option<&Config>) -> Option<String> {
    environment("CASELOAD_LEDGER_ID").or_else(|| config?.ledger.id.clone())
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
    pub verbose: bool,
    pub ledger: LedgerChoice,
    pub cases: CaseSelection,
    /// `[platform] case_url`.
    pub case_url: Option<String>,
    pub config_path: Option<PathBuf>,
}

impl LedgerSettings {
    pub(crate) fn new(args: LedgerArgs, globals: &GlobalArgs) -> Result<Self> {
        let config = super::config(globals)?;
        Ok(Self {
            output: output_options(globals),
            verbose: globals.verbose,
            ledger: LedgerChoice::of_any(&args.account, globals, config.as_ref())?,
            cases: args.cases,
            case_url: (config.as_ref()).and_then(|config| config.platform.case_url.clone()),
            config_path: config.map(|config| config.path),
        })
    }
}
