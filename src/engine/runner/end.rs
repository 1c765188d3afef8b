//! The end of a run: where each case was left, what failed here, and the
//! second interrupt.

use std::sync::Arc;

use futures_util::StreamExt;

use super::super::scheduler::{self, Ticket};
use super::{Audience, Driver, Failure};
use crate::api::Gate;
use crate::model::{Answer, Outcome, State, StopReason, Then, Verdict};

impl<A: Audience> Driver<'_, A> {
    pub(super) fn finished(&mut self, ticket: Ticket, state: Option<State>) {
        self.retries.remove(&ticket);
        *self.done.entry(state).or_default() += 1;
    }

    /// Counts what the run did not come to, by the state that it was left in.
    pub(super) fn count_left(&mut self) {
        let left: Vec<Ticket> = self.machine.left().collect();
        for ticket in left {
            self.left(ticket);
        }
    }

    /// Counts a case by the state that it had before it could be claimed.
    pub(super) fn left(&mut self, ticket: Ticket) {
        let planned = self.run.planned[ticket.0].state;
        let state = self.retries.get(&ticket).map(|(_, state)| *state);
        self.finished(ticket, state.or(planned));
    }

    pub(super) fn failed(&mut self, error: impl Into<Failure>) {
        self.failure.get_or_insert(error.into());
        let now = self.began.elapsed();
        self.machine
            .on(now, scheduler::Event::Stop(StopReason::Ledger));
    }

    /// The second interrupt: whatever is not proved unsent is in doubt.
    pub(super) async fn abort(&mut self) {
        // What the ledger is told already is waited for: that is quick.
        while let Some(done) = self.writes.next().await {
            self.done(done);
        }
        // Drops the calls; a connection in use breaks off with its call.
        self.exchanges.clear();
        for (ticket, gate) in self.gates() {
            let verdict = if gate.shut() {
                Verdict::NotSent
            } else {
                Verdict::InDoubt
            };
            self.settle(ticket, interrupted(verdict));
        }
        if let Some(claim) = self.ahead.take()
            && let Err(error) = self.run.ledger.give_back(claim).await
        {
            self.failed(error);
        }
        // Aborted in the middle of things: nothing more is decided.
        while let Some(done) = self.writes.next().await {
            self.done(done);
        }
    }

    fn gates(&self) -> Vec<(Ticket, Arc<Gate>)> {
        self.calls
            .iter()
            .map(|(ticket, call)| (*ticket, Arc::clone(&call.gate)))
            .collect()
    }
}

fn interrupted(verdict: Verdict) -> Outcome {
    Outcome {
        verdict,
        then: Then::Next,
        answer: Answer {
            message: Some("the run was interrupted while it was under way".into()),
            ..Answer::default()
        },
    }
}
