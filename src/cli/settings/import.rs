//! The settings of an import.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::account::{self, BASE_URL, MAP_ID};
use super::{LedgerChoice, ReadSettings, environment_path, in_ci, output_options};
use crate::api::{Account, Address, Contract, Secret};
use crate::cli::args::{AccountArgs, GlobalArgs, ImportArgs};
use crate::config::Config;
use crate::ledger::Location;
use crate::output::terminal::streams::{OutputOptions, is_interactive};

/// The shortest interval to a server that is not on this machine.
const SHORTEST_PACE: Duration = Duration::from_millis(100);
pub(super) const PUBLIC_KEY: &str = "LEXAMICA_PUBLIC_KEY";
/// How they are set.
pub(super) const PUBLIC_KEY_NAMES: &str = "--public-key-file or LEXAMICA_PUBLIC_KEY";
pub(super) const KEY_COLUMN_NAMES: &str = "--key-column or [case] key in the config";

#[derive(Debug)]
pub(crate) struct ImportSettings {
    /// As typed; what environment and config can say too is below.
    pub args: ImportArgs,
    pub output: OutputOptions,
    pub read: ReadSettings,
    pub destination: Destination,
    pub ledger: LedgerChoice,
    /// Where the ledger is, or will be created.
    pub ledger_location: Location,
    /// None in a dry run and a test run.
    pub public_key: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    /// The answer to a question on the terminal lets it send.
    pub asks: bool,
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

impl ImportSettings {
    pub(crate) fn new(args: ImportArgs, globals: &GlobalArgs) -> Result<Self> {
        if args.account.sandbox
            && let Some(flag) = args.ledger.given().next()
        {
            bail!("--sandbox cannot be combined with {flag}: it has a ledger of its own");
        }
        let config = super::config(globals)?;
        let (destination, ledger, public_key) = if args.account.sandbox {
            test_run(&args.account)?
        } else {
            real_account(&args, globals, &config)?
        };
        if args.pace.pace.lower < SHORTEST_PACE && !destination.is_loopback() {
            bail!("a pace under 100ms is only allowed for a server on this machine");
        }
        let asks = asks(&args)?;
        let mut ledger_location = ledger.location_of(&destination.account)?;
        if let Location::Server(address) = &mut ledger_location {
            // A claim may wait for its slot.
            address.call_timeout = args.pace.timeout + args.pace.pace.upper;
            address.max_wait = args.pace.max_wait;
        }
        let force = args.outputs.force;
        Ok(Self {
            output: output_options(globals),
            destination,
            ledger,
            ledger_location,
            public_key,
            ca_file: ca_file(&args),
            asks,
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

/// Whether nothing else than the answer to a question lets the run send.
fn asks(args: &ImportArgs) -> Result<bool> {
    let is_approved = args.sending.yes || args.sending.plan.is_some();
    let sends = !(args.sending.dry_run || args.account.sandbox || creates_ledger_only(args));
    let asks = sends && !is_approved;
    ensure!(
        !asks || is_interactive(),
        "not a terminal: use --yes or --plan HASH-N to send without the question"
    );
    Ok(asks)
}

/// In a CI job a ledger is created in a run of its own, which sends nothing.
fn creates_ledger_only(args: &ImportArgs) -> bool {
    in_ci() && args.ledger.new_ledger && !args.sending.dry_run && !args.account.sandbox
}

/// Where an import goes, its ledger, and the key.
type Target = (Destination, LedgerChoice, Option<Secret>);

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
    let sends = !args.sending.dry_run && !creates_ledger_only(args);
    let key = if sends { public_key(args)? } else { None };
    let mut missing = Vec::new();
    let mut required = |setting: account::Setting, typed: Option<&String>| {
        let value = setting.value(typed, config);
        if value.is_none() {
            missing.push(setting.missing());
        }
        value.unwrap_or_default()
    };
    let base_url = required(BASE_URL, args.account.base_url.as_ref());
    let map_id = required(MAP_ID, args.map_id.as_ref());
    if key.is_none() && sends {
        missing.push(format!("public key: {PUBLIC_KEY_NAMES}"));
    }
    if !missing.is_empty() {
        if config.mapping.key.is_empty() && args.read.key_column.is_empty() && sends {
            missing.push(format!("key columns: {KEY_COLUMN_NAMES}"));
        }
        return Err(account::missing_settings(&missing));
    }
    let address = account::address(&args.account, config, &base_url, &map_id)?;
    let account = address.account().clone();
    let id = account::ledger_id(args.ledger_id.as_ref(), config);
    let ca_file = ca_file(args);
    let of_account = Some(account.clone());
    let args = &args.account;
    let ledger = LedgerChoice::real(args, globals, config, id, of_account, ca_file.as_deref())?;
    let destination = Destination {
        account,
        address: Some(address),
        map_id,
        contract: config.api.contract(),
    };
    Ok((destination, ledger, key))
}

fn ca_file(args: &ImportArgs) -> Option<PathBuf> {
    (args.ca_file.clone()).or_else(|| environment_path("SSL_CERT_FILE"))
}

fn public_key(args: &ImportArgs) -> Result<Option<Secret>> {
    let file = args.public_key_file.as_deref();
    super::key(file, PUBLIC_KEY, "LEXAMICA_PRIVATE_KEY")
}

impl Destination {
    /// Whether the server is on this machine.
    fn is_loopback(&self) -> bool {
        self.address.as_ref().is_none_or(Address::is_loopback)
    }
}
