//! The arguments of `setup` and `listen`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::import::LedgerPermissions;
use super::{AccountArgs, positive_duration};

/// Where the platform posts events to, and how they are signed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Webhooks")]
pub(crate) struct WebhookArgs {
    /// Address that the platform posts to, such as https://hooks.example.com/lexamica
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub public_url: Option<String>,
    /// File of the secrets that deliveries are signed with
    /// [default: webhook-secrets.toml, beside the config]
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListenArgs {
    /// Address to listen on; port 0 picks one and prints it as JSON
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8789")]
    pub address: SocketAddr,
    /// Close a delivery whose head, or then its body, takes longer than this
    #[arg(long, value_name = "T", default_value = "10s", value_parser = positive_duration,
          hide_short_help = true)]
    pub read_timeout: Duration,
    #[command(flatten)]
    pub webhooks: WebhookArgs,
    #[command(flatten)]
    pub account: AccountArgs,
}

#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SetupArgs {
    #[command(subcommand)]
    pub action: Option<SetupAction>,
    #[command(flatten)]
    pub options: SetupOptions,
    /// Mapping to use instead of creating one [env: LEXAMICA_MAP_ID]
    #[arg(long, value_name = "ID")]
    pub map_id: Option<String>,
    #[command(flatten)]
    pub webhooks: WebhookArgs,
    #[command(flatten)]
    pub permissions: LedgerPermissions,
    #[command(flatten)]
    pub platform: ManagementArgs,
}

/// What is created.
#[derive(Debug, Clone, Args)]
pub(crate) struct SetupOptions {
    /// Name of the mapping on the platform
    #[arg(long, value_name = "NAME", default_value = "caseload")]
    pub name: String,
    /// Show each request, and send none
    #[arg(long)]
    pub dry_run: bool,
    /// Show each request as it is sent, without the secret
    #[arg(long)]
    pub print: bool,
    /// Create without asking
    #[arg(long)]
    pub yes: bool,
    /// Write the mapping's id into the config without asking
    #[arg(long)]
    pub write_config: bool,
    /// Create without looking whether it exists on the platform
    #[arg(long, hide_short_help = true)]
    pub skip_lookup: bool,
    /// It exists on the platform, such as mapping=ID or updates=ID: record it
    #[arg(long, value_name = "NAME=ID", value_parser = created, hide_short_help = true)]
    pub created: Vec<(String, String)>,
    /// It does not exist on the platform, such as mapping or updates: create it
    #[arg(long, value_name = "NAME", value_parser = PARTS, hide_short_help = true)]
    pub not_created: Vec<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SetupAction {
    /// List the mappings and subscriptions on the platform
    List(ManagementArgs),
    /// Show a mapping or a subscription
    Show {
        id: String,
        #[command(flatten)]
        args: ManagementArgs,
    },
    /// Delete a subscription
    Delete {
        id: String,
        /// Delete without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        args: ManagementArgs,
    },
}

impl SetupAction {
    pub(crate) fn args(&self) -> &ManagementArgs {
        match self {
            Self::List(args) | Self::Show { args, .. } | Self::Delete { args, .. } => args,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ManagementArgs {
    // Never a plain flag, since argv is public.
    /// File with the private key [env: LEXAMICA_PRIVATE_KEY, the key itself]
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// What there is to create: the mapping, and a subscription to each event.
const PARTS: [&str; 4] = ["mapping", "updates", "stages", "settlements"];

fn created(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, id)) if PARTS.contains(&name) && !id.is_empty() => {
            Ok((name.to_owned(), id.to_owned()))
        }
        _ => Err(format!(
            "expected a name and an id, such as mapping=64f0…; the names are {}",
            PARTS.join(", ")
        )),
    }
}
