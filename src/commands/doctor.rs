//! `caseload doctor`: what is set and whether it works, without sending a case.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

use super::{Exit, block_on, ledgers, print_closing};
use crate::api::{Address, Client, Probe, proxy};
use crate::cli::settings::DoctorSettings;
use crate::ledger::LedgerInfo;
use crate::model::State;
use crate::output::terminal::color;
use crate::output::terminal::diagnosis::{Diagnosis, Health, ok};
use crate::output::terminal::status::{moved_warning, time};
use crate::output::terminal::streams::{OutputOptions, print_result};
use crate::output::terminal::text::{count, span};

/// A clock further off is a finding.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// A certificate that expires sooner is a finding.
const RENEWAL: Duration = Duration::from_hours(14 * 24);

/// Runs the command.
pub(super) fn run(mut settings: DoctorSettings, output: OutputOptions) -> Result<Exit> {
    let mut found = std::mem::take(&mut settings.findings);
    if let Some(choice) = &settings.ledger {
        let ledger = ledger(ledgers::look(choice));
        found.push(ledger.from(&settings.ledger_origin));
    }
    if let Some(client) = &settings.probe {
        network(client, &mut found)?;
    }
    let number = |health| found.iter().filter(|it| it.health == health).count() as u64;
    let (errors, warnings) = (number(Health::Error), number(Health::Warning));
    let exit = if errors > 0 { Exit::Usage } else { Exit::Done };
    if output.json {
        let members = json!({ "findings": found, "errors": errors, "warnings": warnings });
        print_closing("doctor", exit, members);
        return Ok(exit);
    }
    found.retain(|it| !output.quiet || it.health != Health::Ok);
    for it in &found {
        print_result(&it.line());
    }
    let ready = match exit {
        Exit::Done => color::green("an import can start"),
        _ => color::red("an import can't start"),
    };
    let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
    print_result(&format!("{ready}; {errors}, {warnings}"));
    Ok(exit)
}

/// The ledger that an import would use.
fn ledger(found: Result<Option<LedgerInfo>>) -> Diagnosis {
    let info = match found {
        Ok(Some(info)) => info,
        Ok(None) => {
            return ok("ledger", "none yet, so every case would be sent").warning(
                "right for the first import, which creates it; else find the ledger and name it \
                 with --ledger",
            );
        }
        Err(error) => return ok("ledger", format!("{error:#}")).error(""),
    };
    let mut message = format!(
        "{}: {}, {} imported, {} in doubt",
        info.path.display(),
        count(info.counts.total(), "case"),
        info.counts.of(State::Imported),
        info.counts.of(State::InDoubt) + info.counts.of(State::Sending)
    );
    message.extend(
        info.last_run_at
            .map(|at| format!("; last import {}", time(at))),
    );
    match &info.moved_from {
        Some(from) => ok("ledger", message).warning(moved_warning(from)),
        None => ok("ledger", message),
    }
}

/// The way to the server, step by step, up to the first that fails.
fn network(client: &Client, found: &mut Vec<Diagnosis>) -> Result<()> {
    let address = client.address();
    if let Some(proxy) = proxy(address) {
        found.push(ok("proxy", proxy).from("HTTPS_PROXY or the system"));
    } else {
        // With one it is the proxy that looks the host up.
        found.extend([ok("proxy", "none"), host(address)]);
    }
    if found.last().is_some_and(|it| it.health == Health::Error) {
        return Ok(());
    }
    let host = address.url().authority();
    match block_on(client.probe())? {
        Ok(probe) => found.extend(answered(host, &probe)),
        Err(error) if error.in_tls => found.extend([
            ok("connection", host),
            ok("TLS", error.message)
                .error("if your network inspects TLS, name its authority with --ca-file"),
        ]),
        Err(error) => found.push(
            ok("connection", error.message).error("check the base URL, the proxy and the firewall"),
        ),
    }
    Ok(())
}

fn host(address: &Address) -> Diagnosis {
    match address.url().socket_addrs(|| None) {
        Ok(addresses) => {
            let mut ips: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
            ips.dedup();
            ok("DNS", ips.join(", "))
        }
        Err(error) => {
            let host = address.url().host_str().unwrap_or_default();
            ok("DNS", format!("the host {host} was not found: {error}"))
                .error("check the base URL and this machine's network")
        }
    }
}

fn answered(host: &str, probe: &Probe) -> Vec<Diagnosis> {
    let now = SystemTime::now();
    let mut connection = ok("connection", format!("{host} answers ({})", probe.status));
    if probe.status >= 500 {
        connection = connection.warning("the server has a problem; try later");
    }
    let certificate = probe.certificate.as_ref().map(|(issuer, expires)| {
        let left = expires.duration_since(now).unwrap_or_default();
        let days = count(left.as_secs() / (24 * 60 * 60), "day");
        let shown = ok(
            "TLS",
            format!("certificate issued by {issuer}, {days} left"),
        );
        if left < RENEWAL {
            shown.warning("it must be renewed soon, on the server")
        } else {
            shown
        }
    });
    let clock = clock(now, probe.date);
    [connection]
        .into_iter()
        .chain(certificate)
        .chain([clock])
        .collect()
}

fn clock(now: SystemTime, of_server: Option<SystemTime>) -> Diagnosis {
    let Some(of_server) = of_server else {
        return ok("clock", "not compared: the server names no time");
    };
    let (off, direction) = match now.duration_since(of_server) {
        Ok(off) => (off, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off <= CLOCK_TOLERANCE {
        return ok("clock", "as the server's");
    }
    let off = span(off);
    ok(
        "clock",
        format!("this machine's clock is {off} {direction} the server's"),
    )
    .warning("set it: times in the ledger are by it")
}
