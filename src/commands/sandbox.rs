//! `caseload sandbox`: a local stand-in for the API.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use crate::cli::args::Globals;
use crate::engine::parse_span;
use crate::output::terminal::streams::{print_json, print_status};
use crate::sandbox::{self, Faults, RateLimit, SandboxOptions};

/// Arguments of `caseload sandbox`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SandboxArgs {
    /// The port on 127.0.0.1; 0 picks one and prints it as JSON
    #[arg(long, value_name = "P", default_value = "8788")]
    port: u16,
    /// How long every answer takes
    #[arg(long, value_name = "T", default_value = "0ms",
          value_parser = |text: &str| parse_span(text).ok_or("expected a span such as 400ms"))]
    latency: Duration,
    /// More calls than this are answered 429; a bucket with a burst of 2
    #[arg(long, value_name = "N/s")]
    rate_limit: Option<RateLimit>,
    /// What goes wrong and how often: 429=0.1,drop=0.05; kinds are below
    #[arg(long, value_name = "KIND=P,…", long_help = faults_help())]
    faults: Option<Faults>,
    /// Makes faults and case ids repeatable; ids then repeat with every start
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The only organization there is
    #[arg(long, value_name = "ID")]
    org_id: Option<String>,
    /// The only mapping there is
    #[arg(long, value_name = "ID")]
    map_id: Option<String>,
    /// The key that a call must carry, in a file
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

fn faults_help() -> String {
    let mut help = "What goes wrong and how often, such as 429=0.1,drop=0.05. Kinds:".to_owned();
    for (kind, meaning) in Faults::KINDS {
        // Writing to a String can't fail.
        let _ = write!(help, "\n  {kind:18} {meaning}");
    }
    help
}

/// Runs the command until it is interrupted.
pub(crate) fn run(args: &SandboxArgs, globals: &Globals) -> Result<Exit> {
    let public_key = args
        .public_key_file
        .as_ref()
        .map(|path| {
            std::fs::read_to_string(path)
                .map(|key| key.trim_start_matches('\u{feff}').trim().to_owned())
                .with_context(|| format!("can't read {}", path.display()))
        })
        .transpose()?;
    let options = SandboxOptions {
        port: args.port,
        latency: args.latency,
        rate_limit: args.rate_limit,
        faults: args.faults.clone().unwrap_or_default(),
        seed: args.seed,
        org_id: args.org_id.clone(),
        map_id: args.map_id.clone(),
        public_key,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start the runtime")?;
    let (stop, mut stopped) = tokio::sync::mpsc::unbounded_channel();
    ctrlc::set_handler(move || {
        // The server may have ended by itself.
        let _ = stop.send(());
    })?;
    runtime.block_on(async {
        let running = sandbox::start(options).await?;
        let url = running.base_url();
        if args.port == 0 || globals.output_options().json {
            print_json(&json!({
                "schema": 1,
                "command": "sandbox",
                "port": running.addr().port(),
                "base_url": url,
            }));
        }
        if !globals.quiet {
            print_status(&format!(
                "the sandbox listens on {url}\n  try: caseload import examples/cases.csv \
                 --base-url {url} --map-id map_1 --key-column LeadId\n  what it received: \
                 {url}/__sandbox/cases and {url}/__sandbox/calls\n  Ctrl-C ends it; it forgets \
                 everything"
            ));
        }
        stopped.recv().await;
        running.shutdown().await;
        Ok(Exit::Done)
    })
}
