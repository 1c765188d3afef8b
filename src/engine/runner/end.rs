//! The end of a run: where each case was left, what failed here, and the
//! second interrupt.

use std::sync::Arc;

use futures_util::StreamExt;

use super::super::scheduler::{CaseIndex, SchedulerEvent};
use super::{LocalFailure, Observer, Runner};
use crate::api::Gate;
use crate::model::{Answer, NextStep, Outcome, State, StopReason, Verdict};

impl<A: Observer> Runner<'_, A> {
    pub(super) fn finished(&mut self, case_index: CaseIndex, state: Option<State>) {
        self.retries.remove(&case_index);
        self.totals.add(state, 1);
    }

    /// Counts what the run did not come to, by the state that it was left in.
    pub(super) fn count_left(&mut self) {
        let left: Vec<CaseIndex> = self.scheduler.left().collect();
        for case_index in left {
            self.left(case_index);
        }
    }

    /// Counts a case by the state that it had before it could be claimed.
    pub(super) fn left(&mut self, case_index: CaseIndex) {
        let planned = self.run.planned[case_index.0].state;
        let state = self.retries.get(&case_index).map(|(_, state)| *state);
        self.finished(case_index, state.or(planned));
    }

    pub(super) fn failed(&mut self, error: impl Into<LocalFailure>) {
        self.failure.get_or_insert(error.into());
        let now = self.began.elapsed();
        self.scheduler
            .on(now, SchedulerEvent::Stop(StopReason::Ledger));
    }

    /// The second interrupt: whatever is not proved unsent is in doubt.
    pub(super) async fn abort(&mut self) {
        // What the ledger is told already is waited for: that is quick.
        while let Some(done) = self.writes.next().await {
            self.done(done);
        }
        // Drops the calls; a connection in use breaks off with its call.
        self.exchanges.clear();
        for (case_index, gate) in self.gates() {
            let verdict = if gate.shut() {
                Verdict::NotSent
            } else {
                Verdict::InDoubt
            };
            self.settle(case_index, interrupted(verdict));
        }
        if let Some(claim) = self.prefetched.take()
            && let Err(error) = self.run.ledger.release(claim).await
        {
            self.failed(error);
        }
        // Aborted in the middle of things: nothing more is decided.
        while let Some(done) = self.writes.next().await {
            self.done(done);
        }
    }

    fn gates(&self) -> Vec<(CaseIndex, Arc<Gate>)> {
        self.calls
            .iter()
            .map(|(case_index, call)| (*case_index, Arc::clone(&call.gate)))
            .collect()
    }
}

fn interrupted(verdict: Verdict) -> Outcome {
    Outcome {
        verdict,
        next_step: NextStep::Next,
        answer: Answer {
            message: Some("the run was interrupted while it was under way".into()),
            ..Answer::default()
        },
    }
}
