//! How an import ends: what became of every record, the exit code, and the
//! commands that come next.

use super::super::Exit;
use super::super::rerun_command::{self, Rerun};
use super::{CheckedPlan, Import};
use crate::api::Address;
use crate::engine::RunResult;
use crate::ledger::LedgerError;
use crate::model::{StopReason, Totals};
use crate::output::terminal::color;
use crate::output::terminal::streams::{is_interactive, print_json, print_status};
use crate::output::terminal::summary::{Summary, stop_message};
use crate::output::terminal::text::count;

impl CheckedPlan<'_> {
    /// Problems: nothing is sent.
    pub(super) fn close_for_problems(&self) -> Exit {
        let settings = self.import.settings;
        if settings.output.json {
            let summary = Summary {
                totals: self.totals(),
                to_send: settings.args.sending.dry_run.then_some(0),
                ..self.import.summary()
            };
            return self.import.close(summary, Exit::Problems);
        }
        print_status(&format!(
            "\n{} {} in {}; nothing was sent",
            color::red("stopped:"),
            count(self.plan.errors, "problem"),
            count(self.checked.total, "record")
        ));
        print_status(if self.checked.unskippable > 0 {
            "--skip-invalid does not help where a whole file is affected: fix that first"
        } else {
            "fix the rows and run the same command again, or send the valid ones with \
             --skip-invalid"
        });
        Exit::Problems
    }

    /// The question was answered with no.
    pub(super) fn close_declined(&self) -> Exit {
        let summary = Summary {
            totals: self.totals(),
            plan: self.name(),
            stopped: Some("declined; nothing was sent".to_owned()),
            ..self.import.summary()
        };
        self.import.close(summary, Exit::Stopped)
    }
}

impl Import<'_> {
    /// The ledger does not have the end of the run: how it ends then.
    pub(super) fn without_end(summary: &mut Summary, exit: Exit, error: &LedgerError) -> Exit {
        summary.stopped.get_or_insert(format!(
            "the end of the run could not be written to the ledger: {error}"
        ));
        let exit = match exit {
            Exit::Interrupted => exit,
            _ => Exit::Stopped,
        };
        summary.exit_code = exit.code();
        exit
    }

    /// Prints the summary of an import that ends with this exit code.
    pub(super) fn close(&self, mut summary: Summary, exit: Exit) -> Exit {
        summary.exit_code = exit.code();
        if self.settings.output.json {
            print_json(&summary.to_json());
        } else {
            summary.show();
        }
        exit
    }

    /// The summary of a run: `totals` are those of the records that it was not
    /// to send, `last_error` is what the server or the network reported last.
    pub(super) fn summary_of_run(
        &self,
        totals: Totals,
        result: &RunResult,
        last_error: Option<&str>,
    ) -> (Summary, Exit) {
        let mut totals = totals;
        totals += result.totals;
        let exit = self.exit(&totals, result.stop.as_ref());
        let summary = Summary {
            totals,
            stopped: self.why_stopped(result, last_error),
            next: self.next_commands(&totals, exit, result.stop.as_ref()),
            exit_code: exit.code(),
            ..self.summary()
        };
        (summary, exit)
    }

    fn why_stopped(&self, result: &RunResult, last_error: Option<&str>) -> Option<String> {
        let reason = result.stop.as_ref()?;
        let address = self.settings.destination.address.as_ref();
        // The sandbox of a test run is called without an organization.
        let message = stop_message(reason, address.is_none_or(Address::is_short));
        Some(match (&result.failure, last_error) {
            (Some(failure), _) => format!("{failure}; {message}"),
            (None, Some(error)) if *reason != StopReason::Interrupted => {
                format!("{message} {error}")
            }
            _ => message,
        })
    }

    fn exit(&self, totals: &Totals, stop: Option<&StopReason>) -> Exit {
        let limited = self.settings.args.sending.limit.is_some();
        let unfinished = totals.rejected + totals.not_sent + totals.held + totals.problems > 0
            || (totals.untried > 0 && !limited)
            || (totals.changed > 0 && self.settings.read.args.strict);
        match stop {
            Some(StopReason::Interrupted) => Exit::Interrupted,
            Some(_) => Exit::Stopped,
            None if totals.in_doubt > 0 => Exit::InDoubt,
            None if unfinished => Exit::Unfinished,
            None => Exit::Done,
        }
    }

    /// The exact commands that continue.
    fn next_commands(&self, totals: &Totals, exit: Exit, stop: Option<&StopReason>) -> Vec<String> {
        let mut next = Vec::new();
        if totals.in_doubt > 0 {
            let flags = &self.settings.ledger.flags;
            next.push(format!("caseload status{flags}"));
            next.push(format!("caseload resolve{flags}"));
        }
        // The same command would fail in the same way.
        let fails_again = match stop {
            Some(StopReason::Interrupted | StopReason::WaitTooLong(_)) => false,
            Some(_) => true,
            None => self.settings.args.sending.limit.is_some() && totals.imported == 0,
        };
        if fails_again {
            return next;
        }
        let left = totals.untried + totals.not_sent + totals.rejected > 0;
        let approved = self.settings.args.sending.plan.is_some();
        if left && (exit != Exit::Done || !approved || is_interactive()) {
            let when = match exit {
                Exit::Done => Rerun::WithoutLimit,
                _ => Rerun::AfterRun,
            };
            next.extend(rerun_command::command(&rerun_command::own(), when, ""));
        }
        next
    }
}
