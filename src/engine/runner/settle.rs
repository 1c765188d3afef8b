//! The end of an attempt: written to the ledger, reported, and passed to the
//! scheduler. Also the end of the run itself.

use std::sync::Arc;

use futures_util::StreamExt;
use jiff::Timestamp;

use super::super::scheduler::{AttemptResult, CaseIndex, SchedulerEvent};
use super::{Done, Runner};
use crate::ledger::{LedgerError, Settlement};
use crate::model::{
    CaseData, NextStep, Outcome, PauseReason, RunEvent, SettledAttempt, State, Verdict, abort_point,
};

/// An outcome of a case, and what the ledger did with it.
pub(super) type Settled = (Arc<CaseData>, Outcome, Result<Settlement, LedgerError>);

impl Runner<'_> {
    /// A pause that an outcome asks for begins before it is settled: that can
    /// take as long as several starts.
    pub(super) fn note_pause(&mut self, index: CaseIndex, outcome: &Outcome) {
        let reason = match outcome.next_step {
            NextStep::Busy { .. } => PauseReason::Busy,
            NextStep::Unreachable => PauseReason::Unreachable,
            _ => return,
        };
        self.pause_cause = Some((reason, outcome.answer.message.clone()));
        if let NextStep::Busy {
            retry_after: Some(wait),
        } = outcome.next_step
        {
            self.notify(SchedulerEvent::AskedToWait(wait));
            let case = self
                .in_flight
                .get(&index)
                .map(|(claim, _)| Arc::clone(claim.case()));
            self.report_stop(case.as_deref().map(|case| (case, &outcome.answer)));
        }
    }

    pub(super) fn settle(&mut self, index: CaseIndex, outcome: Outcome) {
        let Some((claim, _)) = self.in_flight.remove(&index) else {
            debug_assert!(false, "{index:?} was not in flight");
            return;
        };
        let ledger = self.run.ledger.clone();
        self.ledger_writes.push(Box::pin(async move {
            let case = Arc::clone(claim.case());
            let answer = outcome.answer.clone();
            let result = ledger
                .settle(claim, outcome.verdict, answer, Timestamp::now())
                .await;
            Done::Settled(index, Box::new((case, outcome, result)))
        }));
    }

    /// The outcome is on the disk, or never will be.
    pub(super) fn settled(&mut self, index: CaseIndex, done: Settled) {
        let (case, outcome, result) = done;
        let attempt = match result {
            Ok(settlement) => self.report_settled(index, &case, &outcome, &settlement),
            Err(error) => {
                (self.report)(RunEvent::SettleFailed {
                    case: &case,
                    verdict: outcome.verdict,
                    answer: &outcome.answer,
                    error: &error.to_string(),
                });
                self.set_state(index, Some(State::InDoubt));
                self.fail(error);
                AttemptResult {
                    verdict: Verdict::InDoubt,
                    ..AttemptResult::from(&outcome)
                }
            }
        };
        self.notify(SchedulerEvent::AttemptDone(index, attempt));
        self.report_stop(Some((&case, &outcome.answer)));
    }

    fn report_settled(
        &mut self,
        index: CaseIndex,
        case: &CaseData,
        outcome: &Outcome,
        settlement: &Settlement,
    ) -> AttemptResult {
        let answer = &outcome.answer;
        let mut attempt = AttemptResult::from(outcome);
        if settlement.same_id_as.is_some() {
            attempt.verdict = Verdict::InDoubt;
            attempt.next_step = NextStep::DuplicateId;
        }
        self.set_state(index, Some(settlement.state));
        abort_point("before-report");
        (self.report)(RunEvent::Settled(SettledAttempt {
            case,
            state: settlement.state,
            answer,
            attempts: self.scheduler.attempts(index),
            will_retry: self.scheduler.will_retry(index, &attempt),
            possible_twin: settlement.possible_twin,
            same_id_as: settlement.same_id_as.as_ref(),
            at: Timestamp::now(),
        }));
        attempt
    }

    /// The second interrupt: what is not proved unsent is in doubt.
    pub(super) async fn abort(&mut self) {
        self.aborted = true;
        self.run.ledger.hurry();
        // Quick, and what is on its way to the ledger must get there.
        self.finish_ledger_writes().await;
        // Drops the requests, which breaks their connections.
        self.requests.clear();
        let in_flight = self.in_flight.iter();
        let shut: Vec<_> = in_flight
            .map(|(index, (_, gate))| (*index, gate.shut()))
            .collect();
        for (index, nothing_written) in shut {
            let verdict = if nothing_written {
                Verdict::NotSent
            } else {
                Verdict::InDoubt
            };
            let message = "the run was interrupted while the request was in flight";
            self.settle(
                index,
                Outcome::without_answer(verdict, NextStep::Next, message),
            );
        }
        if let Some(claim) = self.prefetched.take()
            && let Err(error) = self.run.ledger.release(claim).await
        {
            self.fail(error);
        }
        self.finish_ledger_writes().await;
    }

    async fn finish_ledger_writes(&mut self) {
        while let Some(done) = self.ledger_writes.next().await {
            self.done(done);
        }
    }
}
