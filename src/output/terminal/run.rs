//! A run's events as people see them while it goes on.

use super::color;
use super::progress::Progress;
use super::streams::OutputOptions;
use super::text::{count, escaped, escaped_lines, span, value};
use crate::model::{
    Answer, CaseData, Event, PauseReason, SettledAttempt, State, StopReason, Totals,
};

/// Rejections and the like are shown in full up to here; the files and
/// `caseload status` have them all.
const MOST_SHOWN: u64 = 20;
/// The body of an answer is shown up to here.
const MOST_BODY: usize = 2_000;

/// Shows a run, and counts what its end will tell.
#[derive(Debug)]
pub(crate) struct RunReport {
    output: OutputOptions,
    files: Vec<String>,
    progress: Progress,
    counts: Totals,
    shown: u64,
    /// The whole answer of every call is wanted: `--limit 1`, `-v`.
    whole_answers: bool,
    /// What the server or the network said last, when something went wrong.
    said: Option<String>,
    paused: bool,
}

impl RunReport {
    /// For a run over so many cases of these files.
    pub(crate) fn new(
        total: u64,
        files: Vec<String>,
        output: OutputOptions,
        whole_answers: bool,
    ) -> Self {
        Self {
            output,
            files,
            progress: Progress::new(total, output),
            counts: Totals::default(),
            shown: 0,
            whole_answers,
            said: None,
            paused: false,
        }
    }

    /// What the server or the network said last, when something went wrong.
    pub(crate) fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// Where the run stands.
    pub(crate) fn counts(&self) -> &Totals {
        &self.counts
    }

    /// The progress that is shown, for who must ask a question meanwhile.
    pub(crate) fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    /// Takes the next event.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { .. } => {}
            Event::Settled(settled) => self.settled(settled),
            Event::Skipped { case, state } => {
                let state = state.map_or("unknown", State::as_str);
                self.println(&format!(
                    "{}: the ledger has it as {state} meanwhile; it was not sent",
                    self.place(case)
                ));
            }
            Event::Paused {
                wait,
                reason,
                message,
                ..
            } => {
                self.paused = true;
                let why = match reason {
                    PauseReason::Busy => "the server asks for a pause",
                    PauseReason::Unreachable => "the server can't be reached",
                };
                self.progress.pause(*wait, why);
                if !self.progress.is_bar() && !self.output.quiet {
                    let said = message
                        .map(|message| format!(" ({})", escaped(message)))
                        .unwrap_or_default();
                    self.progress
                        .println(&format!("{why}{said}; going on in {}", span(*wait)));
                }
            }
            Event::Resumed => {
                if std::mem::take(&mut self.paused) {
                    self.progress.resume();
                }
            }
            Event::AskEcho => self.progress.step_aside(),
            Event::EchoDiffers { case, answer } => self.echo_differs(case, answer),
            Event::Stopping { reason, in_flight } => {
                if self.progress.is_aside() {
                    // The question's line is not closed by an answer.
                    self.progress.println("");
                }
                if matches!(reason, StopReason::Interrupted) && *in_flight > 0 {
                    self.println(&format!(
                        "waiting for {} under way; press Ctrl-C again to stop at once and leave \
                         them in doubt",
                        count(*in_flight as u64, "call")
                    ));
                }
            }
            Event::SettleFailed {
                case,
                verdict,
                answer,
                error,
            } => {
                // The only place where this is known: it must be said whole.
                let status = answer.status.map_or_else(
                    || "no answer".to_owned(),
                    |status| format!("status {status}"),
                );
                let id = answer.case_id.as_deref().unwrap_or("no case id");
                self.progress.println(&color::red(&format!(
                    "could not be written to the ledger, keep this: key {}, {status}, case id {}, {verdict:?} ({})",
                    escaped(case.key.canonical()),
                    escaped(id),
                    escaped(error),
                )));
            }
        }
    }

    fn settled(&mut self, settled: &SettledAttempt<'_>) {
        let answer = settled.answer;
        if settled.state != State::Imported {
            // One without words must not stand there with another's.
            self.said = answer
                .message
                .as_deref()
                .map(|message| match answer.status {
                    Some(status) => format!("{status}: {message}"),
                    None => message.to_owned(),
                });
        }
        if self.whole_answers {
            self.show_answer(settled.case, answer);
        }
        if settled.will_retry {
            return;
        }
        self.counts.add(Some(settled.state), 1);
        if settled.state != State::Imported {
            self.failure(settled);
        } else if settled.possible_twin {
            self.println(&color::yellow(&format!(
                "{}: imported, but it was in doubt before: the platform may hold it twice",
                self.place(settled.case)
            )));
        }
        self.progress.update(&self.counts);
    }

    fn failure(&mut self, settled: &SettledAttempt<'_>) {
        self.shown += 1;
        if self.shown > MOST_SHOWN {
            if self.shown == MOST_SHOWN + 1 {
                self.println("… further cases are not shown; the ledger has them all");
            }
            return;
        }
        let word = match settled.state {
            State::InDoubt => color::yellow("in doubt"),
            State::Rejected => color::red("rejected"),
            State::NotSent | State::Imported | State::Removed | State::Sending => {
                "not sent".to_owned()
            }
        };
        let status = settled
            .answer
            .status
            .map(|status| format!(" {status}"))
            .unwrap_or_default();
        let message = settled
            .answer
            .message
            .as_deref()
            .map(|message| format!(": {}", self.server_text(message)))
            .unwrap_or_default();
        let twin = settled
            .same_id_as
            .map(|key| {
                format!(
                    ": the answer holds the id of case {}",
                    escaped(&key.to_string())
                )
            })
            .unwrap_or_default();
        self.println(&format!(
            "{}: {word}{status}{message}{twin}",
            self.place(settled.case)
        ));
    }

    fn echo_differs(&mut self, case: &CaseData, answer: &Answer) {
        let fields: Vec<String> = answer
            .echo_differs
            .iter()
            .map(|field| escaped(field))
            .collect();
        self.println(&color::yellow(&format!(
            "{}: imported, but these fields came back otherwise than they were sent: {} \
             [echo-differs]",
            self.place(case),
            fields.join(", ")
        )));
        self.show_answer(case, answer);
    }

    fn show_answer(&self, case: &CaseData, answer: &Answer) {
        let status = answer
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        self.println(&format!("answer to {}: {status}", self.place(case)));
        if let Some(body) = answer.body.as_deref() {
            let shown = if self.output.redact {
                value(body, true)
            } else {
                escaped_lines(&body[..body.floor_char_boundary(MOST_BODY)])
            };
            self.println(&shown);
        }
    }

    /// Shows the answer that a stop is about.
    pub(crate) fn show_last(&self, case: &CaseData, answer: &Answer) {
        self.show_answer(case, answer);
    }

    /// A server's message may quote the case's values.
    fn server_text(&self, text: &str) -> String {
        if self.output.redact {
            value(text, true)
        } else {
            escaped(text)
        }
    }

    fn place(&self, case: &CaseData) -> String {
        let file = crate::output::terminal::problems::file_name(case.place, &self.files);
        format!(
            "{}:{}: case {}",
            escaped(file),
            case.place.line,
            escaped(&case.key.to_string())
        )
    }

    fn println(&self, text: &str) {
        if !self.output.quiet {
            self.progress.println(text);
        }
    }
}
