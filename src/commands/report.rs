//! The web page about the cases of a ledger, for `export` and after a run.

use anyhow::Result;
use askama::Template as _;

use super::cases;
use crate::cli::settings::event_fields;
use crate::config::Config;
use crate::ledger::{CaseFilter, LedgerInfo, LedgerReader};
use crate::output::report::{Report, ReportOptions};
use crate::webhooks::Lives;

/// Makes the page, and tells how many cases it is about. With personal data
/// nothing is redacted.
pub(super) fn page(
    (reader, info): (&LedgerReader, &LedgerInfo),
    config: &Config,
    filter: CaseFilter,
    [personal, redact]: [bool; 2],
) -> Result<(String, u64)> {
    let lives = Lives::read(reader, &event_fields(config))?;
    let about = match filter.run {
        Some(run) => format!("run {run}"),
        None if filter == CaseFilter::default() => "all imports".to_owned(),
        None => "selected cases".to_owned(),
    };
    let options = ReportOptions {
        about,
        personal,
        redact: redact && !personal,
        firms: &config.mapping.partner_firms,
        case_url: config.platform.case_url.as_deref(),
    };
    let filter = CaseFilter {
        with_content: personal,
        ..filter
    };
    let mut report = Report::new(info, &lives, &reader.calls(&filter)?, options);
    for page in reader.pages(&filter) {
        let mut page = page?;
        page.retain(|case| report.count(case));
        for view in &cases::views(reader, page, None)? {
            report.list(view);
        }
    }
    Ok((report.render()?, report.counts.total()))
}
