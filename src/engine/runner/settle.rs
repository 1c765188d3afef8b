//! What comes back: written to the ledger, then told, then decided upon.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::super::scheduler::{Answered, CaseIndex, SchedulerEvent};
use super::{Done, Observer, Runner};
use crate::ledger::{self, LedgerError};
use crate::model::{
    Answer, Event, NextStep, Outcome, PauseReason, SettledAttempt, State, Verdict, abort_point,
};

impl<A: Observer> Runner<'_, A> {
    pub(super) fn settle(&mut self, case_index: CaseIndex, outcome: Outcome) {
        let Some(call) = self.calls.remove(&case_index) else {
            debug_assert!(false, "{case_index:?} was not under way");
            return;
        };
        self.settling
            .insert(case_index, Arc::clone(call.claim.case()));
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            let answer = outcome.answer.clone();
            let settled = ledger
                .settle(call.claim, outcome.verdict, answer, Timestamp::now())
                .await;
            Done::Settled(case_index, Box::new(outcome), settled)
        }));
    }

    /// The attempt is on the disk, or never will be: tells the world, then the
    /// scheduler.
    pub(super) fn settled(
        &mut self,
        case_index: CaseIndex,
        outcome: &Outcome,
        result: Result<ledger::Settlement, LedgerError>,
    ) -> SchedulerEvent {
        let case = self.settling.remove(&case_index);
        let answer = &outcome.answer;
        let mut answered = Answered {
            verdict: outcome.verdict,
            next_step: outcome.next_step,
            status: answer.status,
            echo_differs: !answer.echo_differs.is_empty(),
        };
        match (result, case) {
            (Ok(settled), Some(case)) => {
                if settled.same_id_as.is_some() {
                    answered.verdict = Verdict::InDoubt;
                    answered.next_step = NextStep::DuplicateId;
                }
                let attempts = 1 + self.retries.get(&case_index).map_or(0, |(tries, _)| *tries);
                let will_retry = answered.verdict == Verdict::NotSent
                    && answered.next_step != NextStep::Stop
                    && attempts <= self.run.settings.max_retries;
                if will_retry {
                    self.retries.insert(case_index, (attempts, settled.state));
                } else {
                    self.finished(case_index, Some(settled.state));
                    self.totals.drafts +=
                        u64::from(settled.state == State::Imported && case.partner_firm.is_none());
                }
                abort_point("before-told");
                self.observer.event(Event::Settled(SettledAttempt {
                    case: &case,
                    state: settled.state,
                    verdict: answered.verdict,
                    answer,
                    attempts,
                    will_retry,
                    possible_twin: settled.possible_twin,
                    same_id_as: settled.same_id_as.as_ref(),
                    at: Timestamp::now(),
                }));
                if answered.echo_differs && answered.verdict == Verdict::Imported {
                    self.observer.event(Event::EchoDiffers {
                        case: &case,
                        answer,
                    });
                }
            }
            (Err(error), Some(case)) => {
                self.observer.event(Event::SettleFailed {
                    case: &case,
                    verdict: outcome.verdict,
                    answer,
                    error: &error.to_string(),
                });
                self.finished(case_index, Some(State::InDoubt));
                answered.verdict = Verdict::InDoubt;
                self.failed(error);
            }
            (_, None) => debug_assert!(false, "{case_index:?} was not being settled"),
        }
        let reason = match answered.next_step {
            NextStep::Busy { .. } => Some(PauseReason::Busy),
            NextStep::Unreachable => Some(PauseReason::Unreachable),
            NextStep::Next | NextStep::Forbidden | NextStep::DuplicateId | NextStep::Stop => None,
        };
        if let Some(reason) = reason {
            self.trouble = Some((reason, answer.message.clone()));
        }
        SchedulerEvent::Answered(case_index, answered)
    }

    pub(super) fn tell_pause(&mut self, now: Duration) {
        let until = self.scheduler.paused_until(now);
        if until == self.told_pause || self.scheduler.stopping().is_some() {
            return;
        }
        self.told_pause = until;
        match (until, &self.trouble) {
            (Some(until), Some((reason, message))) => self.observer.event(Event::Paused {
                until,
                wait: until.saturating_sub(now),
                reason: *reason,
                message: message.as_deref(),
            }),
            _ => self.observer.event(Event::Resumed),
        }
    }

    pub(super) fn tell_stop(&mut self) {
        if let Some(reason) = self.scheduler.stopping()
            && !self.told_stop
        {
            self.told_stop = true;
            self.observer.event(Event::Stopping {
                reason,
                in_flight: self.calls.len(),
            });
        }
    }
}

pub(super) fn panicked() -> Outcome {
    Outcome {
        verdict: Verdict::InDoubt,
        next_step: NextStep::Next,
        answer: Answer {
            message: Some("caseload failed while it was under way; please report this".into()),
            ..Answer::default()
        },
    }
}
