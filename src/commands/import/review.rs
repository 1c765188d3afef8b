//! What a person reviews before anything is sent, and the question.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::ledgers::{ImportLedger, listed};
use super::{CheckedPlan, Import};
use crate::cli::settings::ImportSettings;
use crate::model::{CaseData, State};
use crate::output::terminal::check_report::file_name;
use crate::output::terminal::color;
use crate::output::terminal::streams::{confirm, print_status};
use crate::output::terminal::text::{
    count, escaped, escaped_lines, escaped_path, grouped, pretty_json, redacted_json, span,
};

/// Firms are listed up to here.
const MOST_FIRMS: usize = 12;

/// Shows what would be sent, and asks. False is no.
pub(super) fn ask(
    import: &mut Import<'_>,
    plan: &mut CheckedPlan,
    ledger: &ImportLedger,
) -> Result<bool> {
    let asked = Instant::now();
    let settings = import.settings;
    if let Some(first) = plan.first()? {
        describe(settings, plan, ledger, &first, print_status)?;
    }
    let cases = count(plan.to_send(), "case");
    let yes = confirm(&format!(
        "Send {cases} to {}?",
        settings.destination.account
    ))?;
    // The time that a person takes to answer is not the import's.
    import.began += asked.elapsed();
    Ok(yes)
}

/// Shows what would be sent.
pub(super) fn describe(
    settings: &ImportSettings,
    plan: &CheckedPlan,
    ledger: &ImportLedger,
    first: &CaseData,
    print: fn(&str),
) -> Result<()> {
    let line = |name: &str, text: &str| print(&format!("{}{text}", color::bold(name)));
    print("");
    line("account  ", settings.destination.account.as_str());
    line("map      ", &settings.destination.map_id);
    let path = escaped_path(&settings.ledger_path);
    let known = match ledger.reader() {
        Some(reader) => format!("with {}", count(reader.info()?.counts.total(), "case")),
        None => color::yellow("new: every case will be sent"),
    };
    line("ledger   ", &format!("{path}, {known}"));
    if let ImportLedger::Missing { others, .. } = ledger
        && !others.is_empty()
    {
        print(&color::yellow(&format!(
            "         other ledgers of this host:{}",
            listed(others)
        )));
    }
    let default_firm = match plan.checked.default_firm {
        0 => String::new(),
        number => format!(
            "; --partner-firm-id applies to {} of the input",
            count(number, "record")
        ),
    };
    let to_send = count(plan.to_send(), "case");
    line("firms    ", &format!("{to_send}{default_firm}"));
    firms(settings, plan, print);
    let config = match &settings.read.config {
        Some(config) => escaped_path(&config.path),
        None => "none: every column is sent under its own name".to_owned(),
    };
    line("config   ", &config);
    let time = span(shortest(settings, plan.to_send()));
    line("time     ", &format!("at least {time}"));
    let place = format!(
        "{}:{}, case {}",
        escaped(file_name(first.place, &plan.files)),
        first.place.line,
        escaped(&first.key.to_string())
    );
    line("first    ", &place);
    print(&escaped_lines(&pretty_json(&body(settings, first)?)));
    Ok(())
}

fn firms(settings: &ImportSettings, plan: &CheckedPlan, print: fn(&str)) {
    let line = |cases: u64, text: &str| format!("  {:>7} {text}", grouped(cases));
    let mut firms: Vec<_> = plan.plan.firms.iter().collect();
    firms.sort_by_key(|(firm, cases)| (Reverse(**cases), (*firm).clone()));
    let names = &settings.read.mapping.partner_firms;
    for (firm, cases) in firms.iter().take(MOST_FIRMS) {
        let name = (names.iter())
            .find(|(_, id)| **id == ***firm)
            .map(|(name, _)| format!("  {}", escaped(name)))
            .unwrap_or_default();
        print(&line(**cases, &format!("to {}{name}", escaped(firm))));
    }
    if firms.len() > MOST_FIRMS {
        let more = count((firms.len() - MOST_FIRMS) as u64, "more firm");
        print(&format!("          … and {more}"));
    }
    let states = plan.plan.planned.iter().map(|planned| planned.state);
    let doubts = states
        .filter(|state| *state == Some(State::InDoubt))
        .count() as u64;
    if doubts > 0 {
        print(&color::red(&line(
            doubts,
            "in doubt, sent once more: this can create second cases",
        )));
    }
    if plan.plan.drafts > 0 {
        print(&color::yellow(&line(
            plan.plan.drafts,
            "without a firm, as drafts",
        )));
    }
}

/// The time that the pace alone takes.
pub(super) fn shortest(settings: &ImportSettings, cases: u64) -> Duration {
    let gaps = u32::try_from(cases.saturating_sub(1)).unwrap_or(u32::MAX);
    settings.pace.pace.lower.saturating_mul(gaps)
}

/// The body exactly as it would go out, or its shape.
pub(super) fn body(settings: &ImportSettings, case: &CaseData) -> Result<String> {
    let contract = &settings.destination.contract;
    let body = contract.body(&case.payload, case.partner_firm.as_deref());
    if settings.output.redact {
        return Ok(redacted_json(&serde_json::from_str(&body)?).to_string());
    }
    Ok(body)
}
