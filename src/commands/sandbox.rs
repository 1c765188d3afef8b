//! `caseload sandbox`: a local stand-in for the API.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::{Exit, block_on};
use crate::cli::args::SandboxArgs;
use crate::cli::settings::key_from;
use crate::cli::shell_word;
use crate::output::terminal::streams::{OutputOptions, print_json, print_status};
use crate::sandbox::{self, SandboxOptions};

/// Runs the command until it is interrupted.
pub(super) fn run(args: SandboxArgs, output: OutputOptions) -> Result<Exit> {
    let key = |path: &Option<PathBuf>| path.as_deref().map(key_from).transpose();
    let public_key = key(&args.public_key_file)?;
    let private_key = key(&args.private_key_file)?;
    let import = example_import(&args);
    let options = SandboxOptions {
        private_key: private_key.map(|key| key.reveal().to_owned()),
        simulate_updates: args.simulate_updates,
        port: args.port,
        latency: args.latency,
        rate_limit: args.rate_limit,
        faults: args.faults.unwrap_or_default(),
        seed: args.seed,
        org_id: args.org_id,
        map_id: args.map_id,
        public_key: public_key.map(|key| key.reveal().to_owned()),
        private: false,
    };
    let (stop, mut stopped) = tokio::sync::mpsc::unbounded_channel();
    ctrlc::set_handler(move || {
        // The server may have ended by itself.
        let _ = stop.send(());
    })?;
    block_on(async {
        let running = sandbox::start(options).await?;
        let url = running.base_url();
        if args.port == 0 || output.json {
            print_json(&json!({
                "schema": 1,
                "command": "sandbox",
                "port": running.addr().port(),
                "base_url": url,
            }));
        }
        if !output.quiet {
            print_status(&format!(
                "sandbox listening on {url}\n  try: {import} --base-url {url}\n  received so far: \
                 {url}/__sandbox/cases and {url}/__sandbox/calls\n  press Ctrl-C to stop; nothing \
                 is kept"
            ));
        }
        stopped.recv().await;
        running.shutdown().await;
        Ok(Exit::Done)
    })?
}

/// A command that this sandbox accepts, up to its address.
fn example_import(args: &SandboxArgs) -> String {
    // Any key will do where none is set, but an import has one.
    let mut command = match &args.public_key_file {
        Some(path) => {
            let path = shell_word(&path.to_string_lossy());
            format!("caseload import --public-key-file {path}")
        }
        None => "LEXAMICA_PUBLIC_KEY=any caseload import".to_owned(),
    };
    command += if Path::new("examples/cases.csv").exists() {
        " examples/cases.csv --key-column LeadId"
    } else {
        " cases.csv --key-column \"Lead ID\""
    };
    let map_id = args.map_id.as_deref().unwrap_or("map_1");
    command = format!("{command} --map-id {}", shell_word(map_id));
    if let Some(org_id) = &args.org_id {
        command = format!("{command} --org-id {}", shell_word(org_id));
    }
    command
}
