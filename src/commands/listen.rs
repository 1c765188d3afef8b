//! `caseload listen`: receives webhook events, and stores them in the ledger.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Exit, block_on, ledgers};
use crate::cli::settings::ListenSettings;
use crate::model::{EventKind, local_time};
use crate::output::terminal::streams::{
    OutputOptions, print_error, print_json, print_status, print_warning,
};
use crate::webhooks::{self, Received};

/// How many deliveries there were, by what became of them.
type DeliveryCounts = Mutex<BTreeMap<String, u64>>;

/// Runs the command until it is interrupted.
pub(super) fn run(settings: ListenSettings) -> Result<Exit> {
    let output = settings.output;
    let warnings = warnings(&settings)?;
    let (ledger, info) = ledgers::open_to_resolve(&settings.ledger, None)?;
    ledgers::report_ledger(&info, output);
    if !output.quiet {
        for warning in &warnings {
            print_warning(warning);
        }
    }
    let counts = Arc::new(DeliveryCounts::default());
    let counted = Arc::clone(&counts);
    let report = move |kind, received: &Received| report(&counted, kind, received, output);
    let prefix = settings.receiver.prefix.clone();
    let (stop, mut stopped) = tokio::sync::mpsc::unbounded_channel();
    ctrlc::set_handler(move || {
        // The server may have ended by itself.
        let _ = stop.send(());
    })?;
    block_on(async {
        let listener = TcpListener::bind(settings.address).await;
        let cannot = || format!("can't listen on {}", settings.address);
        let listener = listener.with_context(cannot)?;
        let address = listener.local_addr().with_context(cannot)?;
        announce(address, &prefix, output);
        let stop = async {
            stopped.recv().await;
        };
        webhooks::serve(settings.receiver, ledger, Box::new(report), listener, stop).await?;
        if !output.quiet && !output.json {
            let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = counts
                .iter()
                .map(|(what, number)| format!("; {number} {what}"));
            print_status(&format!("stopped{}", counts.collect::<String>()));
        }
        Ok(Exit::Done)
    })?
}

/// What would keep deliveries out, or let others listen in. Without any secret
/// there is nothing to do.
fn warnings(settings: &ListenSettings) -> Result<Vec<String>> {
    let (secrets, address) = (&settings.receiver.secrets, settings.address);
    let path = secrets.path.display();
    let kinds = EventKind::ALL.iter();
    let without = kinds.filter(|kind| secrets.of(**kind).is_empty());
    let mut warnings: Vec<String> = without
        .map(|kind| format!("{path} has no secret for {kind}: every delivery to it is refused"))
        .collect();
    ensure!(
        warnings.len() < EventKind::ALL.len(),
        "there are no secrets in {path}: `caseload setup` makes them; or name their file with \
         --secrets"
    );
    if !address.ip().is_loopback() {
        warnings.push(format!(
            "{address} can be reached from other machines without encryption: put a proxy with TLS \
             in front of it (see examples/webhooks)"
        ));
    }
    Ok(warnings)
}

fn announce(address: std::net::SocketAddr, prefix: &str, output: OutputOptions) {
    let url = format!("http://{address}{prefix}");
    if output.json || address.port() == 0 {
        print_json(&json!({
            "schema": 1,
            "command": "listen",
            "address": address.to_string(),
            "url": url,
        }));
    }
    if !output.quiet {
        let paths = EventKind::ALL
            .iter()
            .map(|kind| format!("\n  {url}/{kind}  {}", kind.label()));
        print_status(&format!(
            "listening for events; press Ctrl-C to stop{}\n  http://{address}/healthz  is it up?",
            paths.collect::<String>()
        ));
    }
}

/// One line a delivery: nothing of its content.
fn report(counts: &DeliveryCounts, kind: EventKind, received: &Received, output: OutputOptions) {
    let what = received.to_string();
    let time = local_time(Timestamp::now());
    if let Received::NotStored(error) = received {
        print_error(&format!(
            "an event was not stored, and its sender will try again: {error}"
        ));
    } else if !output.quiet && !output.json {
        print_status(&format!("{time}  {}: {what}", kind.label()));
    }
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    *counts.entry(what).or_default() += 1;
}
