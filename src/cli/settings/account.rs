//! The account and the ledger that a command uses.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Error, Result, anyhow, bail};

use super::webhooks::event_fields;
use super::{environment, environment_path, output_options};
use crate::api::{Account, Address, tls};
use crate::cli::args::{AccountArgs, CaseSelection, GlobalArgs, LedgerArgs};
use crate::cli::shell_word;
use crate::config::Config;
use crate::ledger::{self, Location, ServerAddress};
use crate::model::readable_by_others;
use crate::output::terminal::streams::OutputOptions;
use crate::webhooks::EventFields;

/// The ledger of test runs, in the working directory.
pub(crate) const SANDBOX_LEDGER: &str = "caseload-sandbox.db";

/// A setting by its flag, its environment variable or the config.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    flag: &'static str,
    variable: &'static str,
    key: [&'static str; 2],
    in_config: fn(&Config) -> Option<&String>,
}

pub(crate) const BASE_URL: Setting = Setting {
    name: "base URL",
    flag: "--base-url",
    variable: "LEXAMICA_BASE_URL",
    key: ["api", "base_url"],
    in_config: |config| config.api.base_url.as_ref(),
};

pub(crate) const ORG_ID: Setting = Setting {
    name: "organization",
    flag: "--org-id",
    variable: "LEXAMICA_ORG_ID",
    key: ["api", "org_id"],
    in_config: |config| config.api.org_id.as_ref(),
};

pub(crate) const MAP_ID: Setting = Setting {
    name: "map id",
    flag: "--map-id",
    variable: "LEXAMICA_MAP_ID",
    key: ["api", "map_id"],
    in_config: |config| config.api.map_id.as_ref(),
};

pub(crate) const LEDGER_ID: Setting = Setting {
    name: "ledger id",
    flag: "--ledger-id",
    variable: "CASELOAD_LEDGER_ID",
    key: ["ledger", "id"],
    in_config: |config| config.ledger.id.as_ref(),
};

impl Setting {
    pub(crate) fn value(&self, typed: Option<&String>, config: &Config) -> Option<String> {
        self.found(typed, config).map(|(value, _)| value)
    }

    /// Its value, and where that is from.
    pub(crate) fn found(
        &self,
        typed: Option<&String>,
        config: &Config,
    ) -> Option<(String, String)> {
        let typed = typed.map(|value| (value.clone(), self.flag.to_owned()));
        let found = typed.or_else(|| Some((environment(self.variable)?, self.variable.to_owned())));
        let in_config = || {
            let value = (self.in_config)(config)?.clone();
            Some((value, config.place_of(&self.key).unwrap_or_default()))
        };
        found.or_else(in_config)
    }

    /// How to set it.
    pub(crate) fn names(&self) -> String {
        let [table, key] = self.key;
        format!(
            "{}, {} or [{table}] {key} in the config",
            self.flag, self.variable
        )
    }

    pub(super) fn missing(&self) -> String {
        format!("{}: {}", self.name, self.names())
    }
}

pub(super) fn base_url(args: &AccountArgs, config: &Config) -> Option<String> {
    BASE_URL.value(args.base_url.as_ref(), config)
}

pub(super) fn missing_settings(missing: &[String]) -> Error {
    anyhow!(
        "missing settings:\n  {}\n--sandbox makes a test run without them",
        missing.join("\n  ")
    )
}

pub(super) fn org_id(args: &AccountArgs, config: &Config) -> Option<String> {
    ORG_ID.value(args.org_id.as_ref(), config)
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
    /// Where it is, if that is named; without it is found by the account.
    pub location: Option<Location>,
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
                location: Some(Location::File(SANDBOX_LEDGER.into())),
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
        ca_file: Option<&Path>,
    ) -> Result<Self> {
        Ok(Self {
            location: location(args, config, ca_file)?,
            account,
            id,
            flags: repeated_flags(args, globals),
        })
    }

    /// That of a command without further settings.
    pub(crate) fn of_other(args: &AccountArgs, globals: &GlobalArgs) -> Result<Self> {
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
            None if !typed && args.org_id.is_some() => {
                return Err(missing_settings(&[BASE_URL.missing()]));
            }
            _ => None,
        };
        let id = if typed { None } else { ledger_id(None, config) };
        let ca_file = environment_path("SSL_CERT_FILE");
        Self::real(args, globals, config, id, account, ca_file.as_deref())
    }

    /// Where it is, or that of the account is, or will be.
    pub(crate) fn location_of(&self, account: &Account) -> Result<Location> {
        if let Some(location) = &self.location {
            return Ok(location.clone());
        }
        let folder = ledger::state_folder()?;
        Ok(ledger::default_path(&folder, account.as_str()).into())
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.account == Some(Account::sandbox())
    }
}

/// Where the ledger is, if that is named. An address has no password but in the
/// environment, which nobody else can read.
fn location(
    args: &AccountArgs,
    config: &Config,
    ca_file: Option<&Path>,
) -> Result<Option<Location>> {
    let from_environment = environment_path("CASELOAD_LEDGER");
    let (name, is_in_environment) = match (&args.ledger, &from_environment, &config.ledger.url) {
        (Some(path), ..) => (path.as_path(), false),
        (None, Some(path), _) => (path.as_path(), true),
        (None, None, Some(url)) => (Path::new(url), false),
        (None, None, None) => return Ok(config.ledger.path.clone().map(Location::File)),
    };
    let Some(address) = name.to_str().filter(|_| Location::is_address(name)) else {
        return Ok(Some(Location::File(name.to_owned())));
    };
    let address = server_address(address, is_in_environment, ca_file)?;
    Ok(Some(Location::Server(Box::new(address))))
}

/// A server that an argument names.
pub(crate) fn server(address: &str) -> Result<ServerAddress> {
    let ca_file = environment_path("SSL_CERT_FILE");
    server_address(address, false, ca_file.as_deref())
}

fn server_address(
    address: &str,
    is_in_environment: bool,
    ca_file: Option<&Path>,
) -> Result<ServerAddress> {
    let mut address = ServerAddress::parse(address, is_in_environment)?;
    if !address.has_password()
        && let Some(password) = environment("PGPASSWORD").or_else(|| password_in_file(&address))
    {
        address.set_password(&password);
    }
    if address.is_encrypted() {
        address.tls = Some(Arc::new(tls(true, ca_file)?));
    }
    Ok(address)
}

/// From the password file of `PostgreSQL`'s own programs, which ignore one that
/// others can read.
fn password_in_file(address: &ServerAddress) -> Option<String> {
    let named = environment_path("PGPASSFILE");
    let path = named.or_else(|| Some(std::env::home_dir()?.join(".pgpass")))?;
    let mut file = File::open(path).ok()?;
    if readable_by_others(&file).unwrap_or(true) {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    address.password_in(&text)
}

pub(super) fn ledger_id(flag: Option<&String>, config: &Config) -> Option<String> {
    LEDGER_ID.value(flag, config)
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

    /// Those of a command on all cases.
    pub(crate) fn of_other(account: AccountArgs, globals: &GlobalArgs) -> Result<Self> {
        let cases = CaseSelection::default();
        Self::new(&LedgerArgs { cases, account }, globals)
    }

    /// How events are read and tied to cases.
    pub(crate) fn event_fields(&self) -> EventFields {
        event_fields(&self.config)
    }
}
