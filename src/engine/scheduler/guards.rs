//! Guards: what makes a run careful, and what makes it stop.

use super::Answered;
use crate::model::{NextStep, StopReason, Verdict};

/// How careful the first calls into an account are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// Cases with different ids that must still be imported before calls may
    /// overlap.
    pub needed: u32,
    /// What to do when fields come back otherwise than they were sent.
    pub echo: EchoPolicy,
}

/// What differing fields in a canary's answer lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoPolicy {
    /// They are shown, and the run goes on: `--yes` or a plan has answered.
    Show,
    /// The user is asked.
    Ask,
    /// The run stops: `--strict`.
    Stop,
}

/// What the guards say after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GuardDecision {
    Fine,
    Ask,
    Stop(StopReason),
}

/// 403 and 404 in a row, while nothing has succeeded, that stop a run.
const MOST_FORBIDDEN: usize = 3;
/// Answers in a row with an id of another key that stop a run.
const MOST_SAME_IDS: u32 = 2;

#[derive(Debug)]
pub(super) struct Guards {
    canary: Canary,
    max_failures: u32,
    failures: u32,
    /// The answers 403 and 404 of the last calls, in a row.
    forbidden: Vec<u16>,
    same_ids: u32,
    succeeded: bool,
    /// After a doubt: calls go one at a time until one that started after
    /// this number is answered imported or rejected.
    doubt: Option<u64>,
}

impl Guards {
    pub(super) fn new(canary: Canary, max_failures: u32) -> Self {
        Self {
            canary,
            max_failures,
            failures: 0,
            forbidden: Vec::new(),
            same_ids: 0,
            succeeded: false,
            doubt: None,
        }
    }

    pub(super) fn one_at_a_time(&self) -> bool {
        self.canary.needed > 0 || self.doubt.is_some()
    }

    /// Takes in one answer: `start` is its call's number, `starts` the number
    /// of the last call started, `spent` whether it was not sent for good.
    pub(super) fn judge(
        &mut self,
        start: u64,
        starts: u64,
        answered: &Answered,
        spent: bool,
    ) -> GuardDecision {
        let canary = self.canary.needed > 0;
        self.count(start, starts, answered, spent);
        if let Some(reason) = self.stop(canary, answered) {
            return GuardDecision::Stop(reason);
        }
        if canary && answered.echo_differs && answered.verdict == Verdict::Imported {
            return match self.canary.echo {
                EchoPolicy::Show => GuardDecision::Fine,
                EchoPolicy::Ask => GuardDecision::Ask,
                EchoPolicy::Stop => GuardDecision::Stop(StopReason::EchoDiffers),
            };
        }
        GuardDecision::Fine
    }

    fn count(&mut self, start: u64, starts: u64, answered: &Answered, spent: bool) {
        match answered.verdict {
            Verdict::Imported => {
                self.failures = 0;
                self.succeeded = true;
                self.canary.needed = self.canary.needed.saturating_sub(1);
                self.clear_doubt(start);
            }
            Verdict::Rejected => {
                // Once cases go through, a refusal is about its case alone.
                self.failures = if self.succeeded { 0 } else { self.failures + 1 };
                self.clear_doubt(start);
            }
            Verdict::InDoubt => {
                self.failures += 1;
                self.doubt = Some(starts);
            }
            Verdict::NotSent => self.failures += u32::from(spent),
        }
        match (answered.next_step, answered.status) {
            (NextStep::Forbidden, Some(status)) => {
                // Where they stop nothing, they need not be kept.
                self.forbidden.truncate(MOST_FORBIDDEN - 1);
                self.forbidden.push(status);
            }
            _ => self.forbidden.clear(),
        }
        match (answered.next_step, answered.verdict) {
            (NextStep::DuplicateId, _) => self.same_ids += 1,
            (_, Verdict::Imported) => self.same_ids = 0,
            _ => {}
        }
    }

    fn clear_doubt(&mut self, start: u64) {
        self.doubt = self.doubt.filter(|&since| start <= since);
    }

    fn stop(&self, canary: bool, answered: &Answered) -> Option<StopReason> {
        let status = answered.status.unwrap_or_default();
        let accepted = (200..300).contains(&status);
        if answered.next_step == NextStep::Stop {
            return Some(match status {
                0 => StopReason::ConnectionRejected,
                401 => StopReason::Unauthorized,
                407 => StopReason::ProxyAuth,
                _ => StopReason::Redirected(status),
            });
        }
        if canary && matches!(status, 403..=405) {
            return Some(StopReason::CanaryRejected(status));
        }
        if canary && accepted && answered.verdict == Verdict::InDoubt && self.same_ids == 0 {
            return Some(StopReason::CanaryWithoutId);
        }
        if self.same_ids >= MOST_SAME_IDS {
            return Some(StopReason::DuplicateIds);
        }
        if self.max_failures == 0 {
            return None;
        }
        if !self.succeeded && self.forbidden.len() >= MOST_FORBIDDEN {
            return Some(StopReason::Forbidden(self.forbidden.clone()));
        }
        (self.failures >= self.max_failures).then_some(StopReason::Failures(self.failures))
    }
}
