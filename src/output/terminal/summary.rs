//! The end of a run: one JSON object for scripts, a few lines for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::color;
use super::streams::{print_result, print_status};
use super::text::{count, grouped, rounded_seconds, span};
use crate::model::{StopReason, Totals};

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Summary {
    /// The run's number in the ledger, if it began.
    pub run: Option<i64>,
    pub account: String,
    #[serde(flatten)]
    pub totals: Totals,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// `HASH-N`.
    pub plan: Option<String>,
    /// Why it stopped early.
    pub stopped: Option<String>,
    /// Why cases were rejected, for people.
    #[serde(skip)]
    pub reject_reasons: Vec<String>,
    /// Commands to run next.
    pub next: Vec<String>,
    pub exit_code: u8,
    /// Only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_send: Option<u64>,
}

fn seconds<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded_seconds(*elapsed))
}

impl Summary {
    /// The closing object, on every exit.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({ "schema": 1, "command": "import" });
        if let (Value::Object(json), Value::Object(members)) = (&mut json, json!(self)) {
            json.extend(members);
        }
        if self.to_send.is_some() {
            json["dry_run"] = true.into();
        }
        json
    }

    /// Prints it for people; why it stopped is an error.
    pub(crate) fn show(&self) {
        let totals = &self.totals;
        if let Some(stopped) = &self.stopped {
            print_status(&format!("{} {stopped}", color::red("stopped:")));
        }
        let is_done = totals.total > 0 && totals.already_imported == totals.total;
        self.show_headline(is_done);
        for (number, meaning, advice) in parts(totals) {
            let advice = match advice {
                // It may be the setting that is wrong, and not the case.
                FIX if self.stopped.is_some() => " by the server",
                advice => advice,
            };
            if number > 0 && !is_done {
                print_result(&format!("  {:>7} {meaning}{advice}", grouped(number)));
            }
            if meaning == "rejected" {
                for reason in &self.reject_reasons {
                    print_result(&format!("          {reason}"));
                }
            }
        }
        for next in &self.next {
            print_result(&format!("next: {next}"));
        }
    }

    fn show_headline(&self, is_done: bool) {
        let totals = &self.totals;
        let headline = if is_done {
            format!(
                "nothing to do: all {} already imported",
                grouped(totals.total)
            )
        } else {
            let drafts = match totals.drafts {
                0 => String::new(),
                drafts => format!(" ({} as drafts)", grouped(drafts)),
            };
            format!(
                "{} of {} imported{drafts} in {}",
                grouped(totals.imported),
                count(totals.total, "record"),
                span(self.elapsed)
            )
        };
        print_result(&if self.exit_code == 0 {
            color::green(&headline)
        } else {
            color::bold(&headline)
        });
    }
}

const FIX: &str = " by the server: fix and import again";

/// What a run did besides importing: how many records, what that means, and what
/// to do about them at its end.
fn parts(totals: &Totals) -> [(u64, &'static str, &'static str); 8] {
    let resolve = ": check in Lexamica, then run `caseload resolve`";
    let update = ": update them in Lexamica";
    let decide = ": decide about each";
    [
        (totals.already_imported, "already imported", ""),
        (totals.changed, "skipped (changed since import)", update),
        (totals.rejected, "rejected", FIX),
        (totals.not_sent, "not sent", "; no case was created"),
        (totals.in_doubt, "in doubt", resolve),
        (totals.held, "held as possible duplicates", decide),
        (totals.problems, "skipped (validation errors)", ""),
        (totals.untried, "not attempted", ""),
    ]
}

/// `, 5 rejected, 2 in doubt`: what a run did besides importing.
pub(crate) fn other_counts(totals: &Totals) -> String {
    let mut text = String::new();
    for (number, meaning, _) in parts(totals) {
        if number > 0 {
            // Writing to a String can't fail.
            let _ = write!(text, ", {} {meaning}", grouped(number));
        }
    }
    text
}

/// Why a run stopped early, with a hint where a missing organization may be the
/// cause.
pub(crate) fn stop_message(reason: &StopReason, uses_short_path: bool) -> String {
    use StopReason::{CanaryRejected, Forbidden, Redirected};
    let mut message = cause_and_remedy(reason);
    if uses_short_path && matches!(reason, Redirected(_) | Forbidden(_) | CanaryRejected(_)) {
        message += " No organization id is set, so the short path was used: try --org-id.";
    }
    message
}

/// The likely cause of a stop and the way out, in one or two sentences.
pub(crate) fn cause_and_remedy(reason: &StopReason) -> String {
    match reason {
        StopReason::Interrupted => "interrupted; no more requests were sent".to_owned(),
        StopReason::Unreachable => "the server could not be reached. Check the base URL and the \
             network, then run the same command again."
            .to_owned(),
        StopReason::ConnectionRejected => "the connection failed before anything was sent, and \
             retrying will not help. Use --ca-file for a company's own certificate authority, \
             and HTTPS_PROXY and NO_PROXY for a proxy."
            .to_owned(),
        StopReason::Redirected(status) => format!(
            "the server answered with a redirect ({status}). Redirects are not followed; check \
             the base URL and the organization id."
        ),
        StopReason::Unauthorized => "the server rejected the key (401), so no case was created. \
             Check that the public key is complete and belongs to this organization."
            .to_owned(),
        StopReason::ProxyAuth => "the proxy requires a login (407). Set user and password in \
             HTTPS_PROXY."
            .to_owned(),
        StopReason::Forbidden(statuses) => format!(
            "{} in a row and no case imported. Check the organization, the map id and the key. \
             To continue anyway, use --max-failures 0.",
            responses(statuses)
        ),
        StopReason::WebPage => "the server answered with a web page or plain text instead of \
             JSON, such as a sign-in page. Check the base URL, then run `caseload resolve`."
            .to_owned(),
        StopReason::CanaryFailed => "the server answered one of the first cases with a success \
             status, but the response says that it failed. Check in Lexamica whether the case \
             exists, then record its outcome with `caseload resolve`."
            .to_owned(),
        StopReason::CanaryWithoutId => "the server accepted one of the first cases, but the \
             response has no case id. Look at the response above, and set api.case_id_field in \
             caseload.toml to the field with the id, or to \"none\" if responses have no id. \
             Then record the outcome of the case with `caseload resolve`."
            .to_owned(),
        StopReason::CanaryRejected(status) => format!(
            "one of the first cases was answered with {status}. Check the organization, the map \
             id and the path."
        ),
        StopReason::EchoDiffers => "the server returned different values than were sent. Check \
             the mapping in Lexamica before you continue."
            .to_owned(),
        StopReason::DuplicateIds => "two responses in a row had the id of another case. Either \
             the server merges cases, or api.case_id_field names the wrong field."
            .to_owned(),
        StopReason::Failures(number) => format!(
            "{} failed in a row. See the messages above; --max-failures sets the limit.",
            count(u64::from(*number), "case")
        ),
        StopReason::WaitTooLong(wait) => format!(
            "the server asked for a pause of {}. --max-wait sets the limit.",
            span(*wait)
        ),
        StopReason::Ledger => "the ledger can no longer be written, so nothing more was sent. \
             Fix the cause, then check `caseload status` before you continue."
            .to_owned(),
    }
}

/// `three 403 responses`, or `responses 403, 404 and 403` where they differ.
fn responses(statuses: &[u16]) -> String {
    match statuses {
        [one, two, three] if one == two && two == three => format!("three {one} responses"),
        [before @ .., last] if !before.is_empty() => {
            let before: Vec<String> = before.iter().map(u16::to_string).collect();
            format!("responses {} and {last}", before.join(", "))
        }
        _ => "refusals".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_named_by_their_statuses() {
        let message = |statuses: &[u16]| {
            let reason = StopReason::Forbidden(statuses.to_vec());
            let message = stop_message(&reason, false);
            message.split_once('.').unwrap().0.to_owned()
        };
        assert_eq!(
            message(&[404, 404, 404]),
            "three 404 responses in a row and no case imported"
        );
        assert_eq!(
            message(&[403, 404, 403]),
            "responses 403, 404 and 403 in a row and no case imported"
        );
    }
}
