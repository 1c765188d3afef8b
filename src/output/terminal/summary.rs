//! The end of a run: one JSON object for scripts, a few lines for people.

use std::time::Duration;

use serde_json::{Value, json};

use super::color;
use super::streams::print_status;
use super::text::{count, grouped, span};
use crate::model::Totals;

/// All that a closing summary says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    /// The run's number in the ledger, once it began.
    pub run: Option<i64>,
    /// The account.
    pub account: String,
    /// The counts.
    pub totals: Totals,
    /// How long it took.
    pub elapsed: Duration,
    /// `HASH-N`, where there is a plan.
    pub plan: Option<String>,
    /// Why it stopped early, in words.
    pub stopped: Option<String>,
    /// Commands that come next.
    pub next: Vec<String>,
    /// The process's exit code.
    pub exit_code: u8,
    /// Members of a dry run.
    pub to_send: Option<u64>,
}

impl Summary {
    /// The JSON form, on every exit.
    pub(crate) fn to_json(&self) -> Value {
        let totals = &self.totals;
        let mut json = json!({
            "schema": 1,
            "command": "import",
            "run": self.run,
            "account": self.account,
            "total": totals.total,
            "imported": totals.imported,
            "already_imported": totals.already_imported,
            "rejected": totals.rejected,
            "not_sent": totals.not_sent,
            "in_doubt": totals.in_doubt,
            "changed": totals.changed,
            "held": totals.held,
            "problems": totals.problems,
            "untried": totals.untried,
            "drafts": totals.drafts,
            "seconds": (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            "plan": self.plan,
            "stopped": self.stopped,
            "next": self.next,
            "exit_code": self.exit_code,
        });
        if let Some(to_send) = self.to_send {
            json["to_send"] = to_send.into();
            json["dry_run"] = true.into();
        }
        json
    }

    /// The lines for people.
    pub(crate) fn show(&self) {
        let totals = &self.totals;
        if let Some(stopped) = &self.stopped {
            print_status(&format!("{} {stopped}", color::red("stopped:")));
        }
        if totals.already_imported == totals.total && totals.total > 0 {
            let all = grouped(totals.total);
            print_status(&color::green(&format!(
                "nothing to do: all {all} already imported"
            )));
            return;
        }
        let drafts = match totals.drafts {
            0 => String::new(),
            drafts => format!(" ({} as drafts)", grouped(drafts)),
        };
        let sent = format!(
            "{} of {} imported{drafts} in {}",
            grouped(totals.imported),
            count(totals.total, "record"),
            span(self.elapsed)
        );
        print_status(&if self.exit_code == 0 {
            color::green(&sent)
        } else {
            color::bold(&sent)
        });
        for (number, text) in [
            (totals.already_imported, "imported before, skipped"),
            (
                totals.changed,
                "imported before and changed since: change them on the platform; they are not sent again",
            ),
            (
                totals.rejected,
                "rejected by the server: mend them and import again",
            ),
            (totals.not_sent, "not sent: nothing was made"),
            (
                totals.in_doubt,
                "in doubt: may or may not exist; look them up, then `caseload resolve`",
            ),
            (totals.problems, "left out for problems"),
            (totals.untried, "not tried"),
        ] {
            if number > 0 {
                print_status(&format!("  {:>7} {text}", grouped(number)));
            }
        }
        for next in &self.next {
            print_status(&format!("next: {next}"));
        }
    }
}
