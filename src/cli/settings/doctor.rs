//! The settings of an import one by one: each with its origin, or with what is
//! wrong with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::account::{self, BASE_URL, LEDGER_ID, MAP_ID, ORG_ID, Setting};
use super::import::{KEY_COLUMN_NAMES, PUBLIC_KEY, PUBLIC_KEY_NAMES};
use super::{LedgerChoice, environment_path, named_config};
use crate::api::{Address, Client, ClientOptions, Contract, Secret};
use crate::cli::args::{DoctorArgs, GlobalArgs};
use crate::config::Config;
use crate::output::terminal::diagnosis::Diagnosis;

/// For the one call.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the settings lead to, as far as they are there and right.
pub(crate) struct DoctorSettings {
    /// What was found about each.
    pub findings: Vec<Diagnosis>,
    /// The base URL.
    pub server: Option<Address>,
    /// None without a base URL, by which it would be found.
    pub ledger: Option<LedgerChoice>,
    /// Where the ledger is named.
    pub ledger_origin: String,
    pub ca_file: Option<PathBuf>,
}

impl DoctorSettings {
    /// Fails only where the arguments exclude each other.
    pub(crate) fn new(args: &DoctorArgs, globals: &GlobalArgs) -> Result<Self> {
        let mut settings = Self {
            findings: Vec::new(),
            server: None,
            ledger: None,
            ledger_origin: String::new(),
            ca_file: args
                .ca_file
                .clone()
                .or_else(|| environment_path("SSL_CERT_FILE")),
        };
        if args.account.sandbox {
            LedgerChoice::sandbox(&args.account)?;
        }
        let config = match super::config(globals) {
            Ok(config) => config,
            Err(error) => {
                // Without it nobody knows what is missing.
                settings.add(Diagnosis::error("config", error, "correct it first"));
                return Ok(settings);
            }
        };
        settings.add(about_config(&config, globals));
        if args.account.sandbox {
            let message =
                "a test run needs nothing else: it has a server, a ledger and a key of its own";
            settings.add(Diagnosis::ok("sandbox", message));
            return Ok(settings);
        }
        settings.examine(args, globals, &config);
        Ok(settings)
    }

    fn add(&mut self, finding: Diagnosis) {
        self.findings.push(finding);
    }

    fn examine(&mut self, args: &DoctorArgs, globals: &GlobalArgs, config: &Config) {
        let account = &args.account;
        let base_url = self.server(args, config);
        let org_id = ORG_ID.found(account.org_id.as_ref(), config);
        self.add(match &org_id {
            Some((id, origin)) => Diagnosis::ok(ORG_ID.name, id).from(origin),
            None => Diagnosis::ok(ORG_ID.name, "none: the short path of the API is used"),
        });
        let map_id = self.required(&MAP_ID, args.map_id.as_ref(), config);
        let key = self.public_key(args);
        self.add(match config.mapping.key.as_slice() {
            [] => Diagnosis::warning("key columns", "none in the config", KEY_COLUMN_NAMES),
            columns => Diagnosis::ok("key columns", columns.join(", "))
                .from(config.place_of(&["case", "key"]).unwrap_or_default()),
        });
        if let Some(path) = &self.ca_file {
            let origin = args
                .ca_file
                .as_ref()
                .map_or("SSL_CERT_FILE", |_| "--ca-file");
            let found = Diagnosis::ok("CA file", path.display()).from(origin);
            self.add(found);
        }
        // The account does not depend on the map.
        let map_id = map_id.unwrap_or_else(|| "any".to_owned());
        let address = base_url.map(|url| account::address(account, config, &url, &map_id));
        let address = address.and_then(|address| self.or_error("URL", address));
        if let (Some(address), Some(key)) = (&address, key) {
            // Makes the headers, and calls nothing.
            let client = self.client(address.clone(), config.api.contract(), Some(key));
            let _ = self.or_error("HTTP client", client);
        }
        self.ledger(args, globals, config, address.as_ref());
    }

    /// The base URL, if there is a valid one.
    fn server(&mut self, args: &DoctorArgs, config: &Config) -> Option<String> {
        let typed = args.account.base_url.as_ref();
        let Some((url, origin)) = BASE_URL.found(typed, config) else {
            self.required(&BASE_URL, typed, config);
            return None;
        };
        match Address::of_path(&url, None, "/") {
            Ok(address) => {
                self.add(Diagnosis::ok(BASE_URL.name, address.account()).from(origin));
                self.server = Some(address);
                Some(url)
            }
            Err(error) => {
                let hint = format!("correct it in {origin}");
                self.add(Diagnosis::error(BASE_URL.name, error, hint));
                None
            }
        }
    }

    fn required(
        &mut self,
        setting: &Setting,
        typed: Option<&String>,
        config: &Config,
    ) -> Option<String> {
        let found = setting.found(typed, config);
        self.add(match &found {
            Some((value, origin)) => Diagnosis::ok(setting.name, value).from(origin),
            None => Diagnosis::error(setting.name, "not set", setting.names()),
        });
        found.map(|(value, _)| value)
    }

    fn public_key(&mut self, args: &DoctorArgs) -> Option<Secret> {
        let file = args.public_key_file.as_deref();
        let other = "LEXAMICA_PRIVATE_KEY";
        let key = super::key_and_warning(file, PUBLIC_KEY, other);
        let Some((key, warning)) = self.or_error("public key", key)? else {
            self.add(Diagnosis::error("public key", "not set", PUBLIC_KEY_NAMES));
            return None;
        };
        let origin = file.map_or(PUBLIC_KEY.into(), Path::to_string_lossy);
        self.add(Diagnosis::ok("public key", format!("set, from {origin}")));
        if let Some(warning) = warning {
            self.add(Diagnosis::warning("public key", warning, ""));
        }
        Some(key)
    }

    fn ledger(
        &mut self,
        args: &DoctorArgs,
        globals: &GlobalArgs,
        config: &Config,
        address: Option<&Address>,
    ) {
        let id = LEDGER_ID.found(args.ledger_id.as_ref(), config);
        if let Some((id, origin)) = &id {
            self.add(Diagnosis::ok(LEDGER_ID.name, id).from(origin));
        }
        self.ledger_origin = if args.account.ledger.is_some() {
            "--ledger".to_owned()
        } else if environment_path("CASELOAD_LEDGER").is_some() {
            "CASELOAD_LEDGER".to_owned()
        } else {
            let named = config.ledger.path.is_some() || config.ledger.url.is_some();
            let place = config.place_of(&["ledger"]).filter(|_| named);
            place.unwrap_or_else(|| "default".to_owned())
        };
        let account = address.map(|address| address.account().clone());
        let choice = LedgerChoice::real(
            &args.account,
            globals,
            config,
            id.map(|(id, _)| id),
            account,
            self.ca_file.as_deref(),
        );
        let choice = self.or_error("ledger", choice);
        self.ledger = choice.filter(|it| it.location.is_some() || it.account.is_some());
    }

    fn client(&self, address: Address, contract: Contract, key: Option<Secret>) -> Result<Client> {
        let options = ClientOptions {
            timeout: TIMEOUT,
            ca_file: self.ca_file.clone(),
        };
        Ok(Client::new(address, contract, key, options)?)
    }

    /// A client that has no key.
    pub(crate) fn probe_client(&self, address: Address) -> Result<Client> {
        self.client(address, Contract::default(), None)
    }

    fn or_error<T>(&mut self, check: &'static str, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| self.add(Diagnosis::error(check, format!("{error:#}"), "")))
            .ok()
    }
}

fn about_config(config: &Config, globals: &GlobalArgs) -> Diagnosis {
    let origin = match (&globals.config, named_config(globals)) {
        (Some(_), _) => "--config",
        (None, Some(_)) => "CASELOAD_CONFIG",
        (None, None) => "default",
    };
    match &config.path {
        Some(path) => Diagnosis::ok("config", format!("{} is valid", path.display())).from(origin),
        None => Diagnosis::ok(
            "config",
            "no caseload.toml in this folder: every column is sent under its own name",
        ),
    }
}
