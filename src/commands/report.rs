//! The web page about the cases of a ledger, for `export` and after a run.

use anyhow::Result;

use super::cases;
use crate::cli::settings::event_fields;
use crate::config::Config;
use crate::ledger::{CaseFilter, LedgerInfo, LedgerReader};
use crate::output::report::{LeftOut, Page, Report, ReportOptions};
use crate::webhooks::{Lives, STALE_AFTER};

/// What a page shows.
pub(super) struct PageSettings<'a> {
    pub(super) config: &'a Config,
    pub(super) filter: CaseFilter,
    /// Names of people, and messages as they are.
    pub(super) personal: bool,
    pub(super) redact: bool,
    /// Records of a run that were not sent.
    pub(super) left_out: Vec<LeftOut>,
}

/// Makes the page.
pub(super) fn page(
    reader: &LedgerReader,
    info: &LedgerInfo,
    settings: PageSettings<'_>,
) -> Result<Page> {
    let PageSettings { config, filter, .. } = settings;
    let lives = Lives::read(reader, &event_fields(config))?;
    let mut report = Report::new(ReportOptions {
        lives: &lives,
        stale_after: STALE_AFTER,
        personal: settings.personal,
        redact: settings.redact && !settings.personal,
        firms: &config.mapping.partner_firms,
        case_url: config.platform.case_url.as_deref(),
    });
    let filter = CaseFilter {
        with_content: settings.personal,
        ..filter
    };
    for case in reader.cases(&filter) {
        let case = case?;
        if report.count(&case) {
            report.list(&cases::view(reader, case, None)?);
        }
    }
    for left_out in &settings.left_out {
        report.list_left_out(left_out);
    }
    let calls = reader.calls(&filter)?;
    let all = CaseFilter {
        with_content: settings.personal,
        ..CaseFilter::default()
    };
    let about = match filter.run {
        Some(run) => format!("run {run}"),
        None if filter == all => "all imports".to_owned(),
        None => "selected cases".to_owned(),
    };
    Ok(report.page(info, &about, &calls))
}
