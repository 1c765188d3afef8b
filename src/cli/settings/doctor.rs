//! The settings of an import one by one: each with its origin, or with what is
//! wrong with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::account::{self, BASE_URL, LEDGER_ID, MAP_ID, ORG_ID, Setting};
use super::import::{KEY_COLUMN_NAMES, PUBLIC_KEY, PUBLIC_KEY_NAMES};
use super::{LedgerChoice, environment_path, named_config};
use crate::api::{Account, Address, Client, ClientOptions, Contract, Secret};
use crate::cli::args::{DoctorArgs, GlobalArgs};
use crate::config::Config;
use crate::output::terminal::diagnosis::{Diagnosis, ok};

/// For the one call.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the settings lead to, as far as they are there and right.
#[derive(Default)]
pub(crate) struct DoctorSettings {
    /// What was found about each.
    pub findings: Vec<Diagnosis>,
    /// Calls the base URL, without a key.
    pub probe: Option<Client>,
    /// None without a base URL, by which it would be found.
    pub ledger: Option<LedgerChoice>,
    /// Where the ledger is named.
    pub ledger_origin: String,
    ca_file: Option<PathBuf>,
}

impl DoctorSettings {
    /// Fails only where the arguments exclude each other.
    pub(crate) fn new(args: &DoctorArgs, globals: &GlobalArgs) -> Result<Self> {
        let mut settings = Self::default();
        if args.account.sandbox {
            LedgerChoice::sandbox(&args.account)?;
        }
        let config = match super::config(globals) {
            Ok(config) => config,
            Err(error) => {
                // Without it nobody knows what is missing.
                settings.add(ok("config", error).error("correct it first"));
                return Ok(settings);
            }
        };
        settings.add(about_config(&config, globals));
        if args.account.sandbox {
            let message =
                "a test run needs nothing else: it has a server, a ledger and a key of its own";
            settings.add(ok("sandbox", message));
        } else {
            settings.examine(args, globals, &config);
        }
        Ok(settings)
    }

    fn add(&mut self, finding: Diagnosis) {
        self.findings.push(finding);
    }

    fn examine(&mut self, args: &DoctorArgs, globals: &GlobalArgs, config: &Config) {
        let account = &args.account;
        let base_url = BASE_URL.found(account.base_url.as_ref(), config);
        let base_url = self.required(&BASE_URL, base_url, |url| {
            let server = Address::of_path(url, None, "/")?;
            Ok((server.account().to_string(), server))
        });
        let org_id = ORG_ID.found(account.org_id.as_ref(), config);
        self.add(match org_id {
            Some((id, origin)) => ok(ORG_ID.name, id).from(origin),
            None => ok(ORG_ID.name, "none: the short path of the API is used"),
        });
        let map_id = MAP_ID.found(args.map_id.as_ref(), config);
        let map_id = self.required(&MAP_ID, map_id, |id| Ok((id.to_owned(), ())));
        let key = self.public_key(args.public_key_file.as_deref());
        self.add(match config.mapping.key.as_slice() {
            [] => ok("key columns", "none in the config").warning(KEY_COLUMN_NAMES),
            columns => ok("key columns", columns.join(", "))
                .from(config.place_of(&["case", "key"]).unwrap_or_default()),
        });
        let typed = args.ca_file.clone().map(|path| (path, "--ca-file"));
        let ca_file = typed.or_else(|| Some((environment_path("SSL_CERT_FILE")?, "SSL_CERT_FILE")));
        if let Some((path, origin)) = ca_file {
            self.add(ok("CA file", path.display()).from(origin));
            self.ca_file = Some(path);
        }
        // The account does not depend on the map.
        let map_id = map_id.map_or_else(|| "any".to_owned(), |(id, ())| id);
        let address = base_url.and_then(|(url, server)| {
            self.probe = self.client("TLS", server, Contract::default(), None);
            let address = account::address(account, config, &url, &map_id);
            self.or_error("URL", address)
        });
        if let (Some(address), Some(key), true) = (&address, key, self.probe.is_some()) {
            // Makes the headers, and calls nothing.
            self.client(
                "HTTP client",
                address.clone(),
                config.api.contract(),
                Some(key),
            );
        }
        let account = address.map(|address| address.account().clone());
        self.ledger(args, globals, config, account);
    }

    /// A setting that an import needs, if it is there and right, and what `read`
    /// makes of it, besides how it is shown.
    fn required<T>(
        &mut self,
        setting: &Setting,
        found: Option<(String, String)>,
        read: impl FnOnce(&str) -> Result<(String, T)>,
    ) -> Option<(String, T)> {
        let Some((value, origin)) = found else {
            self.add(ok(setting.name, "not set").error(setting.names()));
            return None;
        };
        match read(&value) {
            Ok((shown, read)) => {
                self.add(ok(setting.name, shown).from(origin));
                Some((value, read))
            }
            Err(error) => {
                let hint = format!("correct it in {origin}");
                self.add(ok(setting.name, error).error(hint));
                None
            }
        }
    }

    fn public_key(&mut self, file: Option<&Path>) -> Option<Secret> {
        let name = "public key";
        let key = super::key_and_warning(file, PUBLIC_KEY, "LEXAMICA_PRIVATE_KEY");
        let Some((key, warning)) = self.or_error(name, key)? else {
            self.add(ok(name, "not set").error(PUBLIC_KEY_NAMES));
            return None;
        };
        let origin = file.map_or(PUBLIC_KEY.into(), Path::to_string_lossy);
        self.add(ok(name, format!("set, from {origin}")));
        if let Some(warning) = warning {
            self.add(ok(name, warning).warning(""));
        }
        Some(key)
    }

    fn ledger(
        &mut self,
        args: &DoctorArgs,
        globals: &GlobalArgs,
        config: &Config,
        account: Option<Account>,
    ) {
        let mut id = None;
        if let Some((found, origin)) = LEDGER_ID.found(args.ledger_id.as_ref(), config) {
            self.add(ok(LEDGER_ID.name, &found).from(origin));
            id = Some(found);
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
        let ca_file = self.ca_file.as_deref();
        let choice = LedgerChoice::real(&args.account, globals, config, id, account, ca_file);
        let choice = self.or_error("ledger", choice);
        self.ledger = choice.filter(|it| it.location.is_some() || it.account.is_some());
    }

    fn client(
        &mut self,
        check: &'static str,
        address: Address,
        contract: Contract,
        key: Option<Secret>,
    ) -> Option<Client> {
        let options = ClientOptions {
            timeout: TIMEOUT,
            ca_file: self.ca_file.clone(),
        };
        let client = Client::new(address, contract, key, options);
        self.or_error(check, client.map_err(Into::into))
    }

    fn or_error<T>(&mut self, check: &'static str, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| self.add(ok(check, format!("{error:#}")).error("")))
            .ok()
    }
}

fn about_config(config: &Config, globals: &GlobalArgs) -> Diagnosis {
    let origin = match (&globals.config, named_config(globals)) {
        (Some(_), _) => "--config",
        (None, Some(_)) => "CASELOAD_CONFIG",
        (None, None) => "default",
    };
    let none = "no caseload.toml in this folder: every column is sent under its own name";
    match &config.path {
        Some(path) => ok("config", format!("{} is valid", path.display())).from(origin),
        None => ok("config", none),
    }
}
