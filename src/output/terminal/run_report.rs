//! The events of a run as people see them.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use indexmap::IndexMap;

use super::check_report::place_text;
use super::color;
use super::progress::Progress;
use super::streams::OutputOptions;
use super::text::{
    MAX_BODY_SHOWN, count, cut, escaped, escaped_lines, escaped_list, escaped_or_redacted,
    first_of, grouped, response, span, value,
};
use crate::model::{
    Answer, CaseData, PauseReason, RunEvent, SettledAttempt, State, StopReason, Totals,
};

/// How many cases that were not imported are shown.
const MAX_CASES_SHOWN: u64 = 20;
/// The same of pauses, where there is no bar.
const MAX_PAUSES_SHOWN: u64 = 20;
/// Reasons of rejects that are counted apart, and how many are shown.
const MAX_REASONS: usize = 1_000;
const MAX_REASONS_SHOWN: usize = 5;

/// Shows a run while it goes on.
#[derive(Debug)]
pub(crate) struct RunReport {
    output: OutputOptions,
    files: Vec<String>,
    progress: Progress,
    counts: Totals,
    shown: u64,
    /// Imported cases with a warning, or cases that were not sent.
    noted: u64,
    pauses: u64,
    /// Rejected cases by the server's reason: how many, and the first one's place.
    rejects: IndexMap<String, (u64, String)>,
    /// Show every response in full: `--limit 1`, `-v`.
    show_answers: bool,
    last_error: Option<String>,
}

impl RunReport {
    /// For a run of so many cases of these files.
    pub(crate) fn new(
        total: u64,
        files: Vec<String>,
        output: OutputOptions,
        show_answers: bool,
    ) -> Self {
        Self {
            output,
            files,
            progress: Progress::new(total, output),
            counts: Totals::default(),
            shown: 0,
            noted: 0,
            pauses: 0,
            rejects: IndexMap::new(),
            show_answers,
            last_error: None,
        }
    }

    /// The last server response or network error, if the last case was not
    /// imported.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Why cases were rejected, the most frequent reason first, one a line.
    pub(crate) fn reject_reasons(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.rejects.iter().collect();
        reasons.sort_by_key(|(_, (number, _))| Reverse(*number));
        let lines = reasons.into_iter().map(|(reason, (number, first))| {
            let which = if *number > 1 { "first: " } else { "" };
            format!("{} × {reason} ({which}{first})", grouped(*number))
        });
        first_of(lines, MAX_REASONS_SHOWN, "other reason")
    }

    /// Removes the progress bar.
    pub(crate) fn finish(&mut self) {
        self.progress.finish();
    }

    pub(crate) fn add_event(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Settled(settled) => self.add_settled(settled),
            RunEvent::Skipped { case, state } if self.may_note() => {
                let state = state.map_or("unknown", State::label);
                self.println(&format!(
                    "{}: not sent; its state in the ledger is now {state}",
                    self.place(case)
                ));
            }
            RunEvent::Paused {
                wait,
                reason,
                message,
            } => self.show_pause(*wait, *reason, *message),
            RunEvent::Resumed => self.progress.set_pause(None),
            RunEvent::Skipped { .. } | RunEvent::PaceChanged(_) => {}
            RunEvent::AskEcho => self.progress.hide(),
            RunEvent::Stopping {
                reason,
                in_flight,
                cause,
            } => self.show_stop(reason, *in_flight, *cause),
            RunEvent::SettleFailed {
                case,
                verdict,
                answer,
                error,
            } => {
                // Known nowhere else, so it is printed with --quiet too.
                self.progress.println(&color::red(&format!(
                    "could not write to the ledger, keep this line: key {}, {}, case id {}, \
                     {} ({})",
                    escaped(case.key.canonical()),
                    status_text(answer),
                    escaped(answer.case_id.as_deref().unwrap_or("unknown")),
                    verdict.state().label(),
                    escaped(error),
                )));
            }
        }
    }

    fn show_stop(
        &self,
        reason: &StopReason,
        in_flight: usize,
        cause: Option<(&CaseData, &Answer)>,
    ) {
        if self.progress.is_hidden() {
            // Ends the line of the question.
            self.progress.println("");
        }
        if matches!(reason, StopReason::Interrupted) && in_flight > 0 {
            self.println(&format!(
                "waiting for {} in flight; press Ctrl-C again to stop now and leave them in doubt",
                count(in_flight as u64, "request")
            ));
        }
        // Different values were shown with their answer already.
        let shown = self.show_answers || *reason == StopReason::EchoDiffers;
        if let Some((case, answer)) = cause
            && answer.status.is_some()
            && !shown
        {
            self.show_answer(case, answer);
        }
    }

    fn show_differences(&self, case: &CaseData, answer: &Answer) {
        let fields = answer.echo_differs.iter().map(|differs| &differs.field);
        self.println(&color::yellow(&format!(
            "{}: imported, but the server returned different values for: {} [echo-differs]",
            self.place(case),
            escaped_list(fields)
        )));
        for differs in &answer.echo_differs {
            self.println(&format!(
                "    {}: sent {}, returned {}",
                escaped(&differs.field),
                value(&differs.sent, self.output.redact),
                value(&differs.returned, self.output.redact)
            ));
        }
    }

    fn show_pause(&mut self, wait: Duration, reason: PauseReason, message: Option<&str>) {
        let why = match reason {
            PauseReason::Busy => "rate limited: resuming",
            PauseReason::Unreachable => "server unreachable: retrying",
        };
        self.progress.set_pause(Some((wait, why)));
        self.pauses += 1;
        if !self.progress.is_bar() && self.pauses <= MAX_PAUSES_SHOWN {
            let message = message
                .map(|message| format!(" ({})", escaped(message)))
                .unwrap_or_default();
            let last = match self.pauses {
                MAX_PAUSES_SHOWN => "; further pauses are not shown",
                _ => "",
            };
            self.println(&format!("{why} in {}{message}{last}", span(wait)));
        }
    }

    fn add_settled(&mut self, settled: &SettledAttempt<'_>) {
        let answer = settled.answer;
        if settled.state != State::Imported {
            let title = match answer.status {
                Some(_) => "Server response",
                None => "Last error",
            };
            let message = answer.message.as_ref();
            self.last_error = message.map(|_| format!("{title}: {}", self.response(answer)));
        }
        if self.show_answers {
            self.show_answer(settled.case, answer);
        }
        if settled.will_retry {
            return;
        }
        self.counts.add(Some(settled.state), 1);
        if settled.state != State::Imported {
            self.show_failure(settled);
        } else if settled.possible_twin && self.may_note() {
            self.println(&color::yellow(&format!(
                "{}: imported, but an earlier attempt was in doubt: it may exist twice \
                 [possible-twin]",
                self.place(settled.case)
            )));
        }
        self.progress.update(&self.counts);
        let differs = settled.state == State::Imported && !answer.echo_differs.is_empty();
        if differs && self.may_note() {
            self.show_differences(settled.case, answer);
        }
    }

    fn show_failure(&mut self, settled: &SettledAttempt<'_>) {
        if settled.state == State::Rejected {
            self.add_reject(settled);
        }
        self.shown += 1;
        if !self.may_show(self.shown) {
            return;
        }
        let state = match settled.state {
            State::InDoubt => color::yellow("in doubt"),
            State::Rejected => color::red("rejected"),
            _ => "not sent".to_owned(),
        };
        let separator = if settled.answer.status.is_some() {
            " "
        } else {
            ": "
        };
        let mut text = format!(
            "{}: {state}{separator}{}",
            self.place(settled.case),
            self.response(settled.answer)
        );
        if let Some(key) = settled.same_id_as {
            let key = self.server_text(&key.to_string());
            // Writing to a String can't fail.
            let _ = write!(text, ": the response has the id of case {key}");
        }
        self.println(&text);
    }

    fn may_note(&mut self) -> bool {
        self.noted += 1;
        self.may_show(self.noted)
    }

    /// Whether the case with this number of its sort is shown. Of the first that is
    /// not, it says so.
    fn may_show(&self, number: u64) -> bool {
        if number == MAX_CASES_SHOWN + 1 {
            self.println("… more cases are not shown here; `caseload status` has them");
        }
        number <= MAX_CASES_SHOWN
    }

    fn add_reject(&mut self, settled: &SettledAttempt<'_>) {
        let mut reason = self.response(settled.answer);
        if self.rejects.len() == MAX_REASONS && !self.rejects.contains_key(&reason) {
            "other reasons".clone_into(&mut reason);
        }
        let first = (0, self.place(settled.case));
        self.rejects.entry(reason).or_insert(first).0 += 1;
    }

    fn show_answer(&self, case: &CaseData, answer: &Answer) {
        self.println(&format!(
            "response for {}: {}",
            self.place(case),
            status_text(answer)
        ));
        if let Some(body) = answer.body.as_deref().filter(|body| !body.is_empty()) {
            self.println(&if self.output.redact {
                value(body, true)
            } else {
                escaped_lines(&cut(body, MAX_BODY_SHOWN))
            });
        }
    }

    /// `422: no such case type`
    fn response(&self, answer: &Answer) -> String {
        let message = answer.message.as_deref();
        let message = message.map(|message| self.server_text(message));
        response(answer.status, message.as_deref()).unwrap_or_default()
    }

    /// A server's message may quote values of the case.
    fn server_text(&self, text: &str) -> String {
        escaped_or_redacted(text, self.output.redact)
    }

    fn place(&self, case: &CaseData) -> String {
        format!(
            "{}: case {}",
            place_text(case.place, &self.files),
            escaped_or_redacted(&case.key.to_string(), self.output.redact)
        )
    }

    fn println(&self, text: &str) {
        if !self.output.quiet {
            self.progress.println(text);
        }
    }
}

fn status_text(answer: &Answer) -> String {
    match answer.status {
        Some(status) => format!("status {status}"),
        None => "no response".to_owned(),
    }
}
