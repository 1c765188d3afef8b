//! `caseload listen`: receives webhook events, and stores them in the ledger.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Exit, block_on, ledgers};
use crate::cli::settings::ListenSettings;
use crate::model::{EventKind, count, local_time};
use crate::output::terminal::streams::{
    OutputOptions, print_error, print_json, print_status, print_warning,
};
use crate::webhooks::{Received, Receiver, ReceiverOptions, Secrets};

/// How many deliveries of each kind there were.
#[derive(Debug, Default)]
struct DeliveryCounts {
    stored: AtomicU64,
    known: AtomicU64,
    unsigned: AtomicU64,
    refused: AtomicU64,
    not_stored: AtomicU64,
}

/// Runs the command until it is interrupted.
pub(super) fn run(settings: ListenSettings) -> Result<Exit> {
    let output = settings.output;
    let (secrets, warning) = Secrets::read(&settings.secrets)?;
    let warnings = warnings(&settings, &secrets)?;
    let (ledger, info) = ledgers::open_to_resolve(&settings.ledger, None)?;
    ledgers::report_ledger(&info, output);
    if !output.quiet {
        for warning in warning.iter().chain(&warnings) {
            print_warning(warning);
        }
    }
    let counts = Arc::new(DeliveryCounts::default());
    let counted = Arc::clone(&counts);
    let report = move |kind, received: &Received| report(&counted, kind, received, output);
    let prefix = settings.prefix.clone();
    let options = ReceiverOptions {
        prefix: settings.prefix,
        secrets,
        signature_header: settings.signature_header,
        delivery_id_header: settings.delivery_id_header,
        read_timeout: settings.read_timeout,
    };
    let receiver = Receiver::new(options, ledger, Box::new(report))?;
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
        receiver
            .serve(listener, async {
                stopped.recv().await;
            })
            .await;
        if !output.quiet && !output.json {
            print_status(&closing(&counts));
        }
        Ok(Exit::Done)
    })?
}

/// What would keep deliveries out, or let others listen in. Without any secret
/// there is nothing to do.
fn warnings(settings: &ListenSettings, secrets: &Secrets) -> Result<Vec<String>> {
    let (path, address) = (settings.secrets.display(), settings.address);
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
    let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed) + 1;
    let line = match received {
        Received::Stored => {
            add(&counts.stored);
            "stored".to_owned()
        }
        Received::Known => {
            add(&counts.known);
            "delivered again".to_owned()
        }
        Received::Unsigned => {
            add(&counts.unsigned);
            "refused: its signature is missing or wrong".to_owned()
        }
        Received::Refused(status) => {
            add(&counts.refused);
            format!("refused: {status}")
        }
        Received::NotStored(error) => {
            add(&counts.not_stored);
            print_error(&format!(
                "an event was not stored, and its sender will try again: {error}"
            ));
            return;
        }
    };
    if !output.quiet && !output.json {
        print_status(&format!(
            "{}  {}: {line}",
            local_time(Timestamp::now()),
            kind.label()
        ));
    }
}

fn closing(counts: &DeliveryCounts) -> String {
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut text = format!("stored {}", count(number(&counts.stored), "event"));
    for (counter, what) in [
        (&counts.known, "delivered again"),
        (&counts.unsigned, "without a valid signature"),
        (&counts.refused, "too long, too slow or broken off"),
        (&counts.not_stored, "not stored"),
    ] {
        if number(counter) > 0 {
            // Writing to a String can't fail.
            let _ = write!(text, "; {} {what}", number(counter));
        }
    }
    text
}
