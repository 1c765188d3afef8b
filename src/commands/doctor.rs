//! `caseload doctor`: what is set and whether it works, without sending a case.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

use super::{Exit, block_on, ledgers, print_closing};
use crate::api::{Address, Certificate, Probe, proxy};
use crate::cli::settings::DoctorSettings;
use crate::model::State;
use crate::output::terminal::color;
use crate::output::terminal::diagnosis::{Diagnosis, Health};
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
    found.extend(ledger(&settings));
    if let Some(address) = settings.server.clone() {
        found.extend(network(&settings, &address)?);
    }
    let number = |health| found.iter().filter(|it| it.health == health).count() as u64;
    let (errors, warnings) = (number(Health::Error), number(Health::Warning));
    let exit = if errors > 0 { Exit::Usage } else { Exit::Done };
    if output.json {
        let members = json!({ "findings": found, "errors": errors, "warnings": warnings });
        print_closing("doctor", exit, members);
        return Ok(exit);
    }
    for it in found
        .iter()
        .filter(|it| !output.quiet || it.health != Health::Ok)
    {
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
fn ledger(settings: &DoctorSettings) -> Option<Diagnosis> {
    let choice = settings.ledger.as_ref()?;
    let found = match ledgers::look(choice) {
        Ok(Some(info)) => {
            let path = info.path.display();
            let cases = count(info.counts.total(), "case");
            let in_doubt = info.counts.of(State::InDoubt) + info.counts.of(State::Sending);
            let imported = info.counts.of(State::Imported);
            let last_run = info
                .last_run_at
                .map(|at| format!("; last import {}", time(at)));
            let message = format!(
                "{path}: {cases}, {imported} imported, {in_doubt} in doubt{}",
                last_run.unwrap_or_default()
            );
            match &info.moved_from {
                Some(from) => Diagnosis::warning("ledger", message, moved_warning(from)),
                None => Diagnosis::ok("ledger", message),
            }
        }
        Ok(None) => Diagnosis::warning(
            "ledger",
            "none yet, so every case would be sent",
            "right for the first import, which creates it; else find the ledger and name it with \
             --ledger",
        ),
        Err(error) => Diagnosis::error("ledger", format!("{error:#}"), ""),
    };
    Some(found.from(&settings.ledger_origin))
}

/// The way to the server, step by step, up to the first that fails.
fn network(settings: &DoctorSettings, address: &Address) -> Result<Vec<Diagnosis>> {
    let mut found = Vec::new();
    let proxy = proxy(address);
    found.push(match &proxy {
        Some(proxy) => Diagnosis::ok("proxy", proxy).from("HTTPS_PROXY or the system"),
        None => Diagnosis::ok("proxy", "none"),
    });
    // With one it is the proxy that looks the host up.
    if proxy.is_none() {
        let addresses = address.url().socket_addrs(|| None);
        let failed = addresses.is_err();
        found.push(match addresses {
            Ok(addresses) => {
                let mut ips: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
                ips.dedup();
                let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
                Diagnosis::ok("DNS", ips.join(", "))
            }
            Err(error) => {
                let host = address.url().host_str().unwrap_or_default();
                let message = format!("the host {host} was not found: {error}");
                Diagnosis::error(
                    "DNS",
                    message,
                    "check the base URL and this machine's network",
                )
            }
        });
        if failed {
            return Ok(found);
        }
    }
    let client = match settings.probe_client(address.clone()) {
        Ok(client) => client,
        Err(error) => {
            found.push(Diagnosis::error("TLS", format!("{error:#}"), ""));
            return Ok(found);
        }
    };
    match block_on(client.probe())? {
        Ok(probe) => found.extend(answered(address, &probe)),
        Err(error) if error.in_tls => {
            let hint = "if your network inspects TLS, name its authority with --ca-file";
            found.push(Diagnosis::ok("connection", address.url().authority()));
            found.push(Diagnosis::error("TLS", error.message, hint));
        }
        Err(error) => {
            let hint = "check the base URL, the proxy and the firewall";
            found.push(Diagnosis::error("connection", error.message, hint));
        }
    }
    Ok(found)
}

fn answered(address: &Address, probe: &Probe) -> Vec<Diagnosis> {
    let now = SystemTime::now();
    let host = address.url().authority();
    let message = format!("{host} answers ({})", probe.status);
    let mut found = vec![match probe.status {
        500.. => Diagnosis::warning("connection", message, "the server has a problem; try later"),
        _ => Diagnosis::ok("connection", message),
    }];
    found.extend(probe.certificate.as_ref().map(|it| certificate(it, now)));
    found.push(match probe.date {
        Some(date) => clock(now, date),
        None => Diagnosis::ok("clock", "not compared: the server names no time"),
    });
    found
}

fn certificate(certificate: &Certificate, now: SystemTime) -> Diagnosis {
    let left = certificate.expires.duration_since(now).unwrap_or_default();
    let days = count(left.as_secs() / (24 * 60 * 60), "day");
    let message = format!("certificate issued by {}, {days} left", certificate.issuer);
    if left < RENEWAL {
        return Diagnosis::warning("TLS", message, "it must be renewed soon, on the server");
    }
    Diagnosis::ok("TLS", message)
}

fn clock(now: SystemTime, of_server: SystemTime) -> Diagnosis {
    let (off, direction) = match now.duration_since(of_server) {
        Ok(off) => (off, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off <= CLOCK_TOLERANCE {
        return Diagnosis::ok("clock", "as the server's");
    }
    let message = format!(
        "this machine's clock is {} {direction} the server's",
        span(off)
    );
    Diagnosis::warning("clock", message, "set it: times in the ledger are by it")
}
