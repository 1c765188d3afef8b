//! `caseload sandbox`: a local stand-in for the API.

use anyhow::{Context, Result};
use serde_json::json;

use super::exit::Exit;
use crate::cli::settings::SandboxSettings;
use crate::output::terminal::streams::{print_json, print_status};
use crate::sandbox;

/// Runs the command until it is interrupted.
pub(super) fn run(settings: SandboxSettings) -> Result<Exit> {
    let mut options = settings.options;
    options.public_key = settings
        .public_key_file
        .as_ref()
        .map(|path| {
            std::fs::read_to_string(path)
                .map(|key| key.trim_start_matches('\u{feff}').trim().to_owned())
                .with_context(|| format!("can't read {}", path.display()))
        })
        .transpose()?;
    let output = settings.output;
    let port = options.port;
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
        if port == 0 || output.json {
            print_json(&json!({
                "schema": 1,
                "command": "sandbox",
                "port": running.addr().port(),
                "base_url": url,
            }));
        }
        if !output.quiet {
            print_status(&format!(
                "sandbox listening on {url}\n  try: caseload import examples/cases.csv \
                 --base-url {url} --map-id map_1 --key-column LeadId\n  received so far: \
                 {url}/__sandbox/cases and {url}/__sandbox/calls\n  press Ctrl-C to stop; nothing \
                 is kept"
            ));
        }
        stopped.recv().await;
        running.shutdown().await;
        Ok(Exit::Done)
    })
}
