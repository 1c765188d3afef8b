//! The settings of `setup` and `listen`, and how events are read.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use http::Uri;
use http::header::HeaderName;

use super::{LedgerChoice, account, output_options};
use crate::api::{Account, Address, Client, ClientOptions, Collection, Contract};
use crate::cli::args::{
    GlobalArgs, LedgerPermissions, ListenArgs, ManagementArgs, SetupArgs, SetupOptions, WebhookArgs,
};
use crate::config::Config;
use crate::mapping::Rules;
use crate::output::terminal::streams::{OutputOptions, is_interactive, print_warning};
use crate::webhooks::{EventFields, ReceiverOptions, Secrets};

/// The file of secrets, beside the config, unless one is named.
const SECRETS: &str = "webhook-secrets.toml";

/// What `listen` needs.
#[derive(Debug)]
pub(crate) struct ListenSettings {
    pub output: OutputOptions,
    pub address: SocketAddr,
    pub ledger: LedgerChoice,
    pub receiver: ReceiverOptions,
}

impl ListenSettings {
    pub(crate) fn new(args: &ListenArgs, globals: &GlobalArgs) -> Result<Self> {
        let config = super::config(globals)?;
        let prefix = match public_url(&args.webhooks, &config)? {
            Some(url) => url.path().trim_end_matches('/').to_owned(),
            None => String::new(),
        };
        let header = |name: &Option<String>, usual: &str, setting| {
            let name = name.as_deref().unwrap_or(usual);
            let invalid = || format!("[webhooks] {setting}: invalid header name {name:?}");
            HeaderName::try_from(name).with_context(invalid)
        };
        let section = &config.webhooks;
        Ok(Self {
            output: output_options(globals),
            address: args.address,
            ledger: LedgerChoice::existing(&args.account, globals, &config)?,
            receiver: ReceiverOptions {
                prefix,
                secrets: secrets(&args.webhooks, &config)?,
                signature_header: header(
                    &section.signature_header,
                    "x-lexamica-signature",
                    "signature_header",
                )?,
                delivery_id_header: header(
                    &section.delivery_id_header,
                    "x-lexamica-delivery",
                    "delivery_id_header",
                )?,
                read_timeout: args.read_timeout,
            },
        })
    }
}

/// Where the platform posts to, without the events' names.
pub(super) fn public_url(args: &WebhookArgs, config: &Config) -> Result<Option<Uri>> {
    let in_config = config.webhooks.public_url.as_ref();
    let Some(text) = args.public_url.as_ref().or(in_config) else {
        return Ok(None);
    };
    let url = text.parse::<Uri>().ok();
    let url = url
        .filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none());
    match url {
        Some(url) => Ok(Some(url)),
        None => bail!(
            "{text:?} is not an address that events can be posted to; expected one such as \
             https://hooks.example.com/lexamica"
        ),
    }
}

/// The secrets in their file. One that others can read is a warning.
fn secrets(args: &WebhookArgs, config: &Config) -> Result<Secrets> {
    let beside = config.path.as_deref().unwrap_or(Path::new(""));
    let in_config = config.webhooks.secrets.clone();
    let named = args.secrets.clone().or(in_config);
    let path = named.unwrap_or_else(|| beside.with_file_name(SECRETS));
    let (secrets, warning) = Secrets::read(&path)?;
    if let Some(warning) = warning {
        print_warning(&warning);
    }
    Ok(secrets)
}

/// How events are read and tied to cases.
pub(crate) fn event_fields(config: &Config) -> EventFields {
    let section = &config.webhooks;
    let or =
        |setting: &Option<String>, usual: &str| setting.clone().unwrap_or_else(|| usual.to_owned());
    let rules = Rules::compile(config.mapping.clone());
    let case_ids = section.case_id_field.iter();
    EventFields {
        case_ids: case_ids
            .cloned()
            .chain([CASE_ID_FIELD.to_owned()])
            .collect(),
        title: or(&section.title_field, "title"),
        content: or(&section.content_field, "content"),
        date: or(&section.date_field, "date"),
        stage: or(&section.stage_field, "stage"),
        amount: or(&section.amount_field, "amount"),
        key: rules.as_ref().map(Rules::key_fields).unwrap_or_default(),
        source: rules
            .map(|rules| rules.key_origin().source)
            .unwrap_or_default(),
    }
}

/// The field of ours that `setup` pairs with the platform's `_id`, so that
/// answers and events carry the case's id.
pub(crate) const CASE_ID_FIELD: &str = "caseload_case_id";

/// How `setup` reaches the platform.
pub(crate) struct ManagementSettings {
    pub output: OutputOptions,
    pub account: Account,
    pub ledger: LedgerChoice,
    pub mappings: Collection,
    pub subscriptions: Collection,
    pub config: Config,
}

impl ManagementSettings {
    /// Without a key, which `--dry-run` does not need, nothing can be sent.
    pub(crate) fn new(
        args: &ManagementArgs,
        globals: &GlobalArgs,
        needs_key: bool,
    ) -> Result<Self> {
        let config = super::config(globals)?;
        if args.account.sandbox {
            bail!("start `caseload sandbox`, and set it up with --base-url and --org-id");
        }
        let file = args.private_key_file.as_deref();
        let key = needs_key
            .then(|| super::key(file, "LEXAMICA_PRIVATE_KEY", "LEXAMICA_PUBLIC_KEY"))
            .transpose()?
            .flatten();
        let base_url = account::base_url(&args.account, &config);
        let mut missing = Vec::new();
        if base_url.is_none() {
            missing.push(account::BASE_URL.missing());
        }
        if needs_key && key.is_none() {
            missing.push("private key: --private-key-file or LEXAMICA_PRIVATE_KEY".to_owned());
        }
        let (Some(base_url), []) = (base_url, missing.as_slice()) else {
            return Err(account::missing_settings(&missing));
        };
        let map_id = config.api.map_id.as_deref().unwrap_or("any");
        let address = account::address(&args.account, &config, &base_url, map_id)?;
        let account = address.account().clone();
        let id = account::ledger_id(None, &config);
        let org_id = account::org_id(&args.account, &config);
        let ca_file = super::environment_path("SSL_CERT_FILE");
        let (args, of_account) = (&args.account, Some(account.clone()));
        let ledger =
            LedgerChoice::real(args, globals, &config, id, of_account, ca_file.as_deref())?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            ca_file,
        };
        let collection = |path: &str, setting| -> Result<Collection> {
            let address = Address::of_path(&base_url, org_id.as_deref(), path)?;
            let contract = Contract {
                auth: config.api.private_auth.clone(),
                ..Contract::default()
            };
            let client = Client::new(address, contract, key.clone(), options.clone())?;
            Ok(Collection { client, setting })
        };
        let paths = &config.api.paths;
        Ok(Self {
            output: output_options(globals),
            ledger,
            account,
            mappings: collection(&paths.mappings, "api.paths.mappings")?,
            subscriptions: collection(&paths.subscriptions, "api.paths.subscriptions")?,
            config,
        })
    }
}

/// What `setup` itself needs.
pub(crate) struct SetupSettings {
    pub platform: ManagementSettings,
    pub options: SetupOptions,
    pub permissions: LedgerPermissions,
    /// Pairs of our field and the platform's.
    pub pairs: Vec<(String, String)>,
    /// The mapping to use instead of creating one.
    pub map_id: Option<String>,
    pub public_url: Option<Uri>,
    pub secrets: Secrets,
}

impl SetupSettings {
    pub(crate) fn new(args: SetupArgs, globals: &GlobalArgs) -> Result<Self> {
        let sends = !args.options.dry_run;
        let platform = ManagementSettings::new(&args.platform, globals, sends)?;
        if sends && !args.options.yes && !is_interactive() {
            bail!("not a terminal: use --yes to create without the question");
        }
        let config = &platform.config;
        let rules = Rules::compile(config.mapping.clone());
        let rules = rules.map_err(|errors| anyhow!("{}", errors[0]))?;
        let mut pairs = rules.platform_pairs();
        let map_id = account::MAP_ID.value(args.map_id.as_ref(), config);
        if pairs.is_empty() && map_id.is_none() {
            bail!(
                "no field of the config names its counterpart on the platform, so the mapping \
                 would be empty: add lines such as lexamica = \"client.firstName\" to [fields.X]"
            );
        }
        // By this, answers and events carry the case's id.
        pairs.push((CASE_ID_FIELD.to_owned(), "_id".to_owned()));
        Ok(Self {
            options: args.options,
            permissions: args.permissions,
            pairs,
            map_id,
            public_url: public_url(&args.webhooks, config)?,
            secrets: secrets(&args.webhooks, config)?,
            platform,
        })
    }
}

/// For one call.
const TIMEOUT: Duration = Duration::from_secs(30);
