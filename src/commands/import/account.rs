//! Which account, which ledger: found, refused or made by the rules that keep
//! an empty one from being made in silence.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::args::ImportArgs;
use crate::api::{Account, Address, Contract};
use crate::cli::args::in_ci;
use crate::cli::settings;
use crate::config::Config;
use crate::ledger::{self, Ledger, LedgerInfo, LedgerLock, LedgerReader, LockHolder};
use crate::model;
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::text::{count, escaped};
use crate::sandbox;

/// The ledger of rehearsals, in the working directory.
pub(crate) const SANDBOX_LEDGER: &str = "caseload-sandbox.db";

/// Where an import goes.
pub(super) struct Destination {
    /// The call's address; none for a rehearsal whose sandbox isn't started.
    pub address: Option<Address>,
    /// The account.
    pub account: Account,
    /// The mapping.
    pub map_id: String,
    /// What is assumed of the server.
    pub contract: Contract,
    /// The ledger's file.
    pub ledger_path: PathBuf,
    /// The ledger was named, not found by its account.
    pub ledger_named: bool,
    /// The id that the ledger must have.
    pub ledger_id: Option<String>,
}

impl Destination {
    /// By flags, environment and config.
    pub(super) fn find(args: &ImportArgs, config: Option<&Config>) -> Result<Self> {
        if args.account.sandbox {
            return Ok(Self {
                address: None,
                account: Account::sandbox(),
                map_id: "rehearsal".to_owned(),
                contract: Contract::default(),
                ledger_path: PathBuf::from(SANDBOX_LEDGER),
                ledger_named: false,
                ledger_id: None,
            });
        }
        let address = settings::address(&args.account, config, args.map_id.as_deref())?;
        let ledger_settings = config.map(|config| &config.ledger);
        let named = args
            .account
            .ledger
            .clone()
            .or_else(|| ledger_settings.and_then(|ledger| ledger.path.clone()));
        let account = address.account().clone();
        let map_id = args
            .map_id
            .clone()
            .or_else(|| config.and_then(|config| config.api.map_id.clone()))
            .unwrap_or_default();
        Ok(Self {
            contract: config
                .map(|config| config.api.contract())
                .unwrap_or_default(),
            map_id,
            ledger_named: named.is_some(),
            ledger_path: match named {
                Some(path) => path,
                None => ledger::default_path(&ledger::state_folder()?, account.as_str()),
            },
            ledger_id: args
                .ledger_id
                .clone()
                .or_else(|| ledger_settings.and_then(|ledger| ledger.id.clone())),
            account,
            address: Some(address),
        })
    }

    /// Whether it is a rehearsal.
    pub(super) fn is_sandbox(&self) -> bool {
        self.account == Account::sandbox()
    }

    /// Whether the server is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.as_ref().is_none_or(Address::is_loopback)
    }

    /// The call's address, once a rehearsal's sandbox runs.
    pub(super) fn sandbox_address(&mut self, running: &sandbox::RunningSandbox) -> Result<()> {
        let address = Address::new(&running.base_url(), None, &self.map_id, None)?;
        self.address = Some(address.for_sandbox());
        Ok(())
    }
}

/// Forgets earlier rehearsals, and nothing else.
pub(super) fn forget_rehearsals(output: OutputOptions) -> Result<()> {
    let path = Path::new(SANDBOX_LEDGER);
    if !path.exists() {
        return Ok(());
    }
    let lock = LedgerLock::take(path, &holder("import --sandbox --fresh"))?;
    let ledger = ledger::open(path, &lock)?;
    let account = ledger.reader().info()?.account;
    if account != Account::sandbox().as_str() {
        bail!(
            "{SANDBOX_LEDGER} is the ledger of {}, not of the sandbox; it was not deleted",
            escaped(&account)
        );
    }
    ledger.delete()?;
    if !output.quiet && !output.json {
        print_status("earlier rehearsals are forgotten");
    }
    Ok(())
}

/// Who we are, for the lock.
pub(crate) fn holder(command: &str) -> LockHolder {
    LockHolder {
        user: user(),
        host: ledger::host_name(),
        pid: std::process::id(),
        since: Timestamp::now(),
        command: command.to_owned(),
    }
}

/// The user's name as the environment has it, or what the system knows them by.
pub(crate) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .or_else(model::user_id)
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The ledger as the plan finds it.
pub(super) enum LedgerLookup {
    /// There is one.
    There(Box<Ledger>),
    /// A dry run only looks.
    Seen(LedgerReader),
    /// There is none; it may be made once the user has agreed.
    New {
        /// Held from now on, so that nobody else makes it meanwhile.
        lock: Option<LedgerLock>,
        /// Other ledgers of the same host.
        others: Vec<LedgerInfo>,
    },
}

impl LedgerLookup {
    /// To plan by.
    pub(super) fn reader(&self) -> Option<&LedgerReader> {
        match self {
            Self::There(ledger) => Some(ledger.reader()),
            Self::Seen(reader) => Some(reader),
            Self::New { .. } => None,
        }
    }
}

/// Opens the ledger, by the rules.
pub(super) fn open(
    args: &ImportArgs,
    destination: &Destination,
    output: OutputOptions,
) -> Result<LedgerLookup> {
    let path = &destination.ledger_path;
    if args.dry_run {
        // Forgetting is for the run that sends.
        let there = path.try_exists().unwrap_or(true) && !args.fresh;
        return if there {
            let reader = ledger::open_read_only(path)?;
            check_identity(&reader.info()?, args, destination, output)?;
            Ok(LedgerLookup::Seen(reader))
        } else {
            refuse_missing(destination)?;
            Ok(LedgerLookup::New {
                lock: None,
                others: others(destination),
            })
        };
    }
    let lock = LedgerLock::take(path, &holder("import"))?;
    if !path.try_exists().unwrap_or(true) {
        refuse_missing(destination)?;
        let others = others(destination);
        refuse_new(args, destination, &others)?;
        return Ok(LedgerLookup::New {
            lock: Some(lock),
            others,
        });
    }
    let mut ledger = ledger::open(path, &lock)?;
    let info = ledger.reader().info()?;
    let moved = check_identity(&info, args, destination, output)?;
    if args.new_ledger && !destination.is_sandbox() {
        bail!(
            "{} is there already, with {}; leave --new-ledger out",
            path.display(),
            count(info.counts.total(), "case")
        );
    }
    if in_ci() && !destination.is_sandbox() && destination.ledger_id.is_none() {
        bail!(
            "in a CI job the ledger must be named by its id, so that a job that lost it sends \
             nothing twice: set CASELOAD_LEDGER_ID={} or [ledger] id in caseload.toml",
            info.id
        );
    }
    if moved {
        ledger.adopt(destination.account.as_str())?;
    }
    if ledger.recovered() > 0 && !output.quiet {
        print_status(&color::yellow(&format!(
            "a run before this one ended in the middle of things: {} it had under way {} in \
             doubt now",
            count(ledger.recovered(), "case"),
            if ledger.recovered() == 1 { "is" } else { "are" }
        )));
    }
    Ok(LedgerLookup::There(Box::new(ledger)))
}

/// True when the ledger is this account's under its former address.
fn check_identity(
    info: &LedgerInfo,
    args: &ImportArgs,
    destination: &Destination,
    output: OutputOptions,
) -> Result<bool> {
    if let Some(id) = &destination.ledger_id
        && *id != info.id
    {
        bail!(
            "{} is the ledger {}, and only {id} will do; a lost ledger is restored from a \
             backup, never replaced by another",
            info.path.display(),
            info.id
        );
    }
    if let Some(home) = &info.moved_from
        && !output.quiet
    {
        print_status(&color::yellow(&format!(
            "this ledger was last used as {} on {}: if both files are still in use, each knows \
             only half of what was imported",
            escaped(&home.path),
            escaped(&home.host)
        )));
    }
    if info.account == destination.account.as_str() {
        return Ok(false);
    }
    if args.adopt_ledger {
        return Ok(true);
    }
    bail!(
        "{} is the ledger of {}, not of {}; name this account's ledger with --ledger, or say \
         with --adopt-ledger that the address has moved",
        info.path.display(),
        escaped(&info.account),
        destination.account
    )
}

fn refuse_missing(destination: &Destination) -> Result<()> {
    if let Some(id) = &destination.ledger_id {
        bail!(
            "there is no ledger at {}, and only the ledger {id} will do: nothing is sent \
             without it; restore it from a backup",
            destination.ledger_path.display()
        );
    }
    Ok(())
}

/// Ledgers of the same host, beside the one that would be made.
fn others(destination: &Destination) -> Vec<LedgerInfo> {
    let Some(address) = &destination.address else {
        return Vec::new();
    };
    let Ok(folder) = ledger::state_folder() else {
        return Vec::new();
    };
    let host = ledger::host_of(address.account().as_str()).to_owned();
    ledger::discover(&folder)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|found| found.info.ok())
        .filter(|info| ledger::host_of(&info.account) == host)
        .collect()
}

/// Without a question, a new ledger must be asked for.
fn refuse_new(args: &ImportArgs, destination: &Destination, others: &[LedgerInfo]) -> Result<()> {
    if destination.is_sandbox() || asks(args) {
        return Ok(());
    }
    let path = destination.ledger_path.display();
    if !args.new_ledger {
        bail!(
            "no ledger for {} at {path}: with an empty one every case is sent. If this is this \
             account's first import, add --new-ledger; if not, find the ledger (another user, \
             another machine, --ledger){}",
            destination.account,
            listed(others)
        );
    }
    if !others.is_empty() && !destination.ledger_named {
        bail!(
            "there are other ledgers of this host; say with --ledger which file to make, if a \
             new one is really meant{}",
            listed(others)
        );
    }
    Ok(())
}

/// Whether the user will be asked before anything is sent.
pub(super) fn asks(args: &ImportArgs) -> bool {
    !args.yes && args.plan.is_none() && crate::output::terminal::streams::is_interactive()
}

/// Ledgers with their counts, one a line.
pub(super) fn listed(ledgers: &[LedgerInfo]) -> String {
    let mut listed = String::new();
    for info in ledgers {
        // Writing to a String can't fail.
        let _ = write!(
            listed,
            "\n  {} has {} of {}",
            info.path.display(),
            count(info.counts.total(), "case"),
            escaped(&info.account)
        );
    }
    listed
}

/// Makes the ledger, in a CI job to be named from then on.
pub(super) fn create(destination: &Destination, lock: &LedgerLock) -> Result<Ledger> {
    Ok(ledger::create(
        &destination.ledger_path,
        lock,
        destination.account.as_str(),
    )?)
}
