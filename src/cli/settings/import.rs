//! The settings of an import.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use super::account::{self, setting};
use super::{LedgerChoice, ReadSettings, environment, environment_path, in_ci, output_options};
use crate::api::{Account, Address, Contract, PublicKey};
use crate::cli::args::{AccountArgs, ApprovedPlan, GlobalArgs, ImportArgs};
use crate::config::Config;
use crate::ledger::{default_path, state_folder};
use crate::output::terminal::streams::{OutputOptions, is_interactive};

/// The shortest interval to a server that is not on this machine.
const SHORTEST_PACE: Duration = Duration::from_millis(100);
const PUBLIC_KEY: &str = "LEXAMICA_PUBLIC_KEY";

#[derive(Debug)]
pub(crate) struct ImportSettings {
    /// What environment and config have no part in.
    pub args: ImportArgs,
    pub output: OutputOptions,
    pub read: ReadSettings,
    pub destination: Destination,
    pub ledger: LedgerChoice,
    /// Where the ledger is, or will be created.
    pub ledger_path: PathBuf,
    /// None in a dry run and a test run.
    pub public_key: Option<PublicKey>,
    pub ca_file: Option<PathBuf>,
    pub confirmation: Confirmation,
    /// Shown first: the key file can be read by others.
    pub warning: Option<String>,
}

/// Where an import goes.
#[derive(Debug)]
pub(crate) struct Destination {
    pub account: Account,
    /// None in a test run until its sandbox has started.
    pub address: Option<Address>,
    pub map_id: String,
    pub contract: Contract,
}

/// What lets a run send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The answer to a question on the terminal.
    Ask,
    /// `--yes`, a test run, or a run that sends nothing.
    Given,
    /// `--plan`.
    Plan(ApprovedPlan),
}

impl ImportSettings {
    pub(crate) fn new(args: ImportArgs, globals: &GlobalArgs) -> Result<Self> {
        if args.account.sandbox
            && let Some(flag) = args.ledger.given().next()
        {
            bail!("--sandbox cannot be combined with {flag}: it has a ledger of its own");
        }
        let config = super::config(globals)?;
        let (destination, ledger, key) = if args.account.sandbox {
            test_run(&args.account)?
        } else {
            real_account(&args, globals, &config)?
        };
        if args.pace.pace.lower < SHORTEST_PACE && !destination.is_loopback() {
            bail!("a pace under 100ms is only allowed for a server on this machine");
        }
        let confirmation = Confirmation::of(&args)?;
        let (public_key, warning) = key.unzip();
        let ledger_path = match &ledger.path {
            Some(path) => path.clone(),
            None => default_path(&state_folder()?, destination.account.as_str()),
        };
        let force = args.outputs.force;
        Ok(Self {
            output: output_options(globals),
            destination,
            ledger,
            ledger_path,
            public_key,
            ca_file: (args.ca_file.clone()).or_else(|| environment_path("SSL_CERT_FILE")),
            confirmation,
            warning: warning.flatten(),
            read: ReadSettings::new(&args.files, args.read.clone(), force, config)?,
            args,
        })
    }

    /// Sending needs to know which cases are the same.
    pub(crate) fn needs_key_columns(&self) -> bool {
        !self.ledger.is_sandbox()
            && !self.args.sending.dry_run
            && self.read.check.rules.options().key.is_empty()
    }

    pub(crate) fn creates_ledger_only(&self) -> bool {
        creates_ledger_only(&self.args)
    }
}

impl Confirmation {
    fn of(args: &ImportArgs) -> Result<Self> {
        let (sending, sandbox) = (&args.sending, args.account.sandbox);
        if let Some(plan) = &sending.plan {
            return Ok(Self::Plan(plan.clone()));
        }
        if sending.yes || sending.dry_run || sandbox || creates_ledger_only(args) {
            return Ok(Self::Given);
        }
        if !is_interactive() {
            bail!("not a terminal: use --yes or --plan HASH-N to send without the question");
        }
        Ok(Self::Ask)
    }
}

/// In a CI job a ledger is created in a run of its own, which sends nothing.
fn creates_ledger_only(args: &ImportArgs) -> bool {
    in_ci() && args.ledger.new_ledger && !args.sending.dry_run && !args.account.sandbox
}

/// A key, and the warning about the file that it came from.
type LoadedKey = (PublicKey, Option<String>);

/// Where an import goes, its ledger, and the key.
type Target = (Destination, LedgerChoice, Option<LoadedKey>);

fn test_run(args: &AccountArgs) -> Result<Target> {
    let destination = Destination {
        account: Account::sandbox(),
        address: None,
        map_id: "sandbox".to_owned(),
        contract: Contract::default(),
    };
    Ok((destination, LedgerChoice::sandbox(args)?, None))
}

/// Everything that only an import into a real account needs; what is missing
/// is listed in one error.
fn real_account(args: &ImportArgs, globals: &GlobalArgs, config: &Config) -> Result<Target> {
    let dry_run = args.sending.dry_run;
    let key = if dry_run { None } else { public_key(args)? };
    let mut missing = Vec::new();
    let mut required = |value: Option<String>, name| {
        if value.is_none() {
            missing.push(name);
        }
        value.unwrap_or_default()
    };
    let base_url = required(account::base_url(&args.account, config), account::BASE_URL);
    let in_config = config.api.map_id.as_ref();
    let map_id = required(
        setting(args.map_id.as_ref(), "LEXAMICA_MAP_ID", in_config),
        "map id: --map-id, LEXAMICA_MAP_ID or [api] map_id in the config",
    );
    if key.is_none() && !dry_run {
        missing.push("public key: --public-key-file or LEXAMICA_PUBLIC_KEY");
    }
    if !missing.is_empty() {
        if config.mapping.key.is_empty() && args.read.key_column.is_empty() && !dry_run {
            missing.push("key columns: --key-column or [case] key in the config");
        }
        return Err(account::missing_settings(&missing));
    }
    let address = account::address(&args.account, config, &base_url, &map_id)?;
    let account = address.account().clone();
    let id = account::ledger_id(args.ledger_id.as_ref(), config);
    let ledger = LedgerChoice::real(&args.account, globals, config, id, Some(account.clone()));
    let destination = Destination {
        account,
        address: Some(address),
        map_id,
        contract: config.api.contract(),
    };
    Ok((destination, ledger, key))
}

fn public_key(args: &ImportArgs) -> Result<Option<LoadedKey>> {
    if let Some(path) = &args.public_key_file {
        return Ok(Some(PublicKey::from_file(path)?));
    }
    environment(PUBLIC_KEY)
        .map(|text| Ok((PublicKey::from_text(&text, PUBLIC_KEY)?, None)))
        .transpose()
}

impl Destination {
    /// Whether the server is on this machine.
    fn is_loopback(&self) -> bool {
        self.address.as_ref().is_none_or(Address::is_loopback)
    }
}
