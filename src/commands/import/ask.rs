//! The question before sending: everything that a person must see to say yes.

use anyhow::Result;

use super::super::ledgers::{ImportLedger, listed};
use super::{Job, Planned};
use crate::model::{CaseData, State};
use crate::output::terminal::color;
use crate::output::terminal::streams::{confirm, print_status};
use crate::output::terminal::text::{
    count, escaped, escaped_lines, grouped, pretty_json, redacted_json, span,
};

/// Firms are listed up to here.
const MOST_FIRMS: usize = 12;

/// Shows what would be sent, and asks. False is no.
pub(super) fn ask(
    job: &Job<'_>,
    planned: &Planned,
    found: &ImportLedger,
    first: &CaseData,
) -> Result<bool> {
    describe(job, planned, found, first)?;
    let number = count(planned.to_send(), "case");
    Ok(confirm(&format!(
        "Send {number} to {}?",
        job.settings.destination.account
    ))?)
}

/// What would be sent, in words.
pub(super) fn describe(
    job: &Job<'_>,
    planned: &Planned,
    found: &ImportLedger,
    first: &CaseData,
) -> Result<()> {
    let destination = &job.settings.destination;
    print_status("");
    print_status(&format!(
        "{}  {}",
        color::bold("account"),
        destination.account
    ));
    print_status(&format!(
        "{}      {}",
        color::bold("map"),
        destination.map_id
    ));
    let path = job.settings.ledger_path.display();
    let ledger = match found.reader() {
        Some(reader) => {
            let known = reader.info()?.counts.total();
            format!("{path}, with {}", count(known, "case"))
        }
        None => format!("{path}, {}", color::yellow("new: every case will be sent")),
    };
    print_status(&format!("{}   {ledger}", color::bold("ledger")));
    if let ImportLedger::Missing { others, .. } = found
        && !others.is_empty()
    {
        print_status(&color::yellow(&format!(
            "         other ledgers of this host:{}",
            listed(others)
        )));
    }
    firms(job, planned);
    if let Some(config) = &job.settings.read.config {
        print_status(&format!(
            "{}  {}",
            color::bold("config"),
            config.path.display()
        ));
    } else {
        print_status(&format!(
            "{}  none: every column is sent under its own name",
            color::bold("config")
        ));
    }
    print_status(&format!(
        "{}     at least {}",
        color::bold("time"),
        span(shortest(job, planned.to_send()))
    ));
    print_status(&format!(
        "{}    {}",
        color::bold("first"),
        place(planned, first)
    ));
    print_status(&payload(job, first));
    Ok(())
}

fn firms(job: &Job<'_>, planned: &Planned) {
    let mut firms: Vec<_> = planned.plan.firms.iter().collect();
    firms.sort_by_key(|(firm, number)| (std::cmp::Reverse(**number), (*firm).clone()));
    let names = job
        .settings
        .read
        .config
        .as_ref()
        .map(|config| config.mapping.partner_firms.as_slice())
        .unwrap_or_default();
    print_status(&format!(
        "{}    {}{}",
        color::bold("firms"),
        count(planned.to_send(), "case"),
        match planned.checked.default_firm {
            0 => String::new(),
            number => format!(
                ", {} of the input without a firm of their own took --partner-firm-id",
                grouped(number)
            ),
        }
    ));
    for (firm, number) in firms.iter().take(MOST_FIRMS) {
        let name = names
            .iter()
            .find(|(_, id)| **id == ***firm)
            .map(|(name, _)| format!("  {}", escaped(name)))
            .unwrap_or_default();
        print_status(&format!(
            "  {:>7} to {}{name}",
            grouped(**number),
            escaped(firm)
        ));
    }
    if firms.len() > MOST_FIRMS {
        print_status(&format!(
            "          … and {}",
            count((firms.len() - MOST_FIRMS) as u64, "more firm")
        ));
    }
    let doubts = planned
        .plan
        .planned
        .iter()
        .filter(|planned| planned.state == Some(State::InDoubt))
        .count() as u64;
    if doubts > 0 {
        print_status(&color::red(&format!(
            "  {:>7} in doubt, sent once more: the platform may then hold them twice",
            grouped(doubts)
        )));
    }
    if planned.plan.drafts > 0 {
        print_status(&color::yellow(&format!(
            "  {:>7} without a firm, as drafts",
            grouped(planned.plan.drafts)
        )));
    }
}

/// The bound that the pace sets.
pub(super) fn shortest(job: &Job<'_>, cases: u64) -> std::time::Duration {
    let gaps = u32::try_from(cases.saturating_sub(1)).unwrap_or(u32::MAX);
    job.settings.pace.lower.saturating_mul(gaps)
}

/// The body exactly as it would go out, or its shape.
pub(super) fn payload(job: &Job<'_>, case: &CaseData) -> String {
    let body = job
        .settings
        .destination
        .contract
        .body(&case.payload, case.partner_firm.as_deref());
    let shown = if job.settings.output.redact {
        // What can't be read can't be redacted, and is not shown.
        let json = serde_json::from_str(&body).unwrap_or_default();
        redacted_json(&json).to_string()
    } else {
        body
    };
    escaped_lines(&pretty_json(&shown))
}

fn place(planned: &Planned, case: &CaseData) -> String {
    let file = crate::output::terminal::problems::file_name(case.place, &planned.files);
    format!(
        "{}:{}, case {}",
        escaped(file),
        case.place.line,
        escaped(&case.key.to_string())
    )
}
