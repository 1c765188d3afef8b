//! What comes back: written to the ledger, then told, then decided upon.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::super::scheduler::{self, Answered, Ticket};
use super::{Audience, Done, Driver};
use crate::ledger::{self, LedgerError};
use crate::model::{
    Answer, Event, Outcome, PauseReason, Settled, State, Then, Verdict, abort_point,
};

impl<A: Audience> Driver<'_, A> {
    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(call) = self.calls.remove(&ticket) else {
            debug_assert!(false, "{ticket:?} was not under way");
            return;
        };
        self.settling.insert(ticket, Arc::clone(call.claim.case()));
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            let answer = outcome.answer.clone();
            let settled = ledger
                .settle(call.claim, outcome.verdict, answer, Timestamp::now())
                .await;
            Done::Settled(ticket, Box::new(outcome), settled)
        }));
    }

    /// The attempt is on the disk, or never will be: tells the world, then the
    /// machine.
    pub(super) fn settled(
        &mut self,
        ticket: Ticket,
        outcome: &Outcome,
        result: Result<ledger::Settled, LedgerError>,
    ) -> scheduler::Event {
        let case = self.settling.remove(&ticket);
        let answer = &outcome.answer;
        let mut answered = Answered {
            verdict: outcome.verdict,
            then: outcome.then,
            status: answer.status,
            echo_differs: !answer.echo_differs.is_empty(),
        };
        match (result, case) {
            (Ok(settled), Some(case)) => {
                if settled.same_id_as.is_some() {
                    answered.verdict = Verdict::InDoubt;
                    answered.then = Then::SameId;
                }
                let attempts = 1 + self.retries.get(&ticket).map_or(0, |(tries, _)| *tries);
                let again = answered.verdict == Verdict::NotSent
                    && answered.then != Then::Stop
                    && attempts <= self.run.settings.max_retries;
                if again {
                    self.retries.insert(ticket, (attempts, settled.state));
                } else {
                    self.finished(ticket, Some(settled.state));
                    self.drafts +=
                        u64::from(settled.state == State::Imported && case.partner_firm.is_none());
                }
                abort_point("before-told");
                self.audience.event(Event::Settled(Settled {
                    case: &case,
                    state: settled.state,
                    verdict: answered.verdict,
                    answer,
                    attempts,
                    again,
                    possible_twin: settled.possible_twin,
                    same_id_as: settled.same_id_as.as_ref(),
                    at: Timestamp::now(),
                }));
                if answered.echo_differs && answered.verdict == Verdict::Imported {
                    self.audience.event(Event::EchoDiffers {
                        case: &case,
                        answer,
                    });
                }
            }
            (Err(error), Some(case)) => {
                self.audience.event(Event::Unwritten {
                    case: &case,
                    verdict: outcome.verdict,
                    answer,
                    error: &error.to_string(),
                });
                self.finished(ticket, Some(State::InDoubt));
                answered.verdict = Verdict::InDoubt;
                self.failed(error);
            }
            (_, None) => debug_assert!(false, "{ticket:?} was not being settled"),
        }
        let reason = match answered.then {
            Then::Busy { .. } => Some(PauseReason::Busy),
            Then::Unreachable => Some(PauseReason::Unreachable),
            Then::Next | Then::Forbidden | Then::SameId | Then::Stop => None,
        };
        if let Some(reason) = reason {
            self.trouble = Some((reason, answer.message.clone()));
        }
        scheduler::Event::Answered(ticket, answered)
    }

    pub(super) fn tell_pause(&mut self, now: Duration) {
        let until = self.machine.paused_until(now);
        if until == self.told_pause || self.machine.stopping().is_some() {
            return;
        }
        self.told_pause = until;
        match (until, &self.trouble) {
            (Some(until), Some((reason, message))) => self.audience.event(Event::Paused {
                until,
                wait: until.saturating_sub(now),
                reason: *reason,
                message: message.as_deref(),
            }),
            _ => self.audience.event(Event::Resumed),
        }
    }

    pub(super) fn tell_stop(&mut self) {
        if let Some(reason) = self.machine.stopping()
            && !self.told_stop
        {
            self.told_stop = true;
            self.audience.event(Event::Stopping {
                reason,
                under_way: self.calls.len(),
            });
        }
    }
}

pub(super) fn panicked() -> Outcome {
    Outcome {
        verdict: Verdict::InDoubt,
        then: Then::Next,
        answer: Answer {
            message: Some("caseload failed while it was under way; please report this".into()),
            ..Answer::default()
        },
    }
}
