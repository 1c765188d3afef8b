//! Guards: when calls go one at a time, and when a run stops.

use super::AttemptResult;
use crate::model::{NextStep, StopReason, Verdict};

/// How careful the first calls into an account are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canary {
    /// How many more cases with different ids must be imported before calls may
    /// overlap.
    pub needed: u32,
    pub echo: EchoPolicy,
}

/// What to do when a canary's answer has other values than were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EchoPolicy {
    /// Show them and continue.
    Show,
    /// Ask the user.
    Ask,
    /// Stop the run: `--strict`.
    Stop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GuardDecision {
    Continue,
    AskEcho,
    Stop(StopReason),
}

/// 403 and 404 in a row, before any success, that stop a run.
const MAX_FORBIDDEN: usize = 3;
/// Answers in a row with an id of another key that stop a run.
const MAX_DUPLICATE_IDS: u32 = 2;

#[derive(Debug)]
pub(super) struct Guards {
    canary: Canary,
    max_failures: u32,
    failures_in_a_row: u32,
    /// The last answers, as long as each was 403 or 404.
    forbidden_in_a_row: Vec<u16>,
    duplicate_ids_in_a_row: u32,
    succeeded: bool,
    /// After a doubt calls go one at a time, until a call with a higher number
    /// than this is answered imported or rejected.
    doubt: Option<u64>,
}

impl Guards {
    pub(super) fn new(canary: Canary, max_failures: u32) -> Self {
        Self {
            canary,
            max_failures,
            failures_in_a_row: 0,
            forbidden_in_a_row: Vec::new(),
            duplicate_ids_in_a_row: 0,
            succeeded: false,
            doubt: None,
        }
    }

    pub(super) fn one_at_a_time(&self) -> bool {
        self.canary.needed > 0 || self.doubt.is_some()
    }

    /// Takes the result of one call. `gave_up`: it was not sent, and no retries
    /// are left.
    pub(super) fn check(
        &mut self,
        call: u64,
        last_call: u64,
        result: &AttemptResult,
        gave_up: bool,
    ) -> GuardDecision {
        let canary = self.canary.needed > 0;
        self.count(call, last_call, result, gave_up);
        if let Some(reason) = self.stop_reason(canary, result) {
            return GuardDecision::Stop(reason);
        }
        if canary && result.echo_differs && result.verdict == Verdict::Imported {
            return match self.canary.echo {
                EchoPolicy::Show => GuardDecision::Continue,
                EchoPolicy::Ask => GuardDecision::AskEcho,
                EchoPolicy::Stop => GuardDecision::Stop(StopReason::EchoDiffers),
            };
        }
        GuardDecision::Continue
    }

    fn count(&mut self, call: u64, last_call: u64, result: &AttemptResult, gave_up: bool) {
        if matches!(result.verdict, Verdict::Imported | Verdict::Rejected) {
            self.doubt = self.doubt.filter(|&since| call <= since);
        }
        match result.verdict {
            Verdict::Imported => {
                self.failures_in_a_row = 0;
                self.succeeded = true;
                self.canary.needed = self.canary.needed.saturating_sub(1);
            }
            // Once cases are accepted, a rejection is about its case alone.
            Verdict::Rejected if self.succeeded => self.failures_in_a_row = 0,
            Verdict::Rejected => self.failures_in_a_row += 1,
            Verdict::InDoubt => {
                self.failures_in_a_row += 1;
                self.doubt = Some(last_call);
            }
            Verdict::NotSent => self.failures_in_a_row += u32::from(gave_up),
        }
        match (result.next_step, result.status) {
            (NextStep::Forbidden, Some(status)) => {
                // Where they stop nothing, they need not pile up.
                self.forbidden_in_a_row.truncate(MAX_FORBIDDEN - 1);
                self.forbidden_in_a_row.push(status);
            }
            _ => self.forbidden_in_a_row.clear(),
        }
        if result.next_step == NextStep::DuplicateId {
            self.duplicate_ids_in_a_row += 1;
        } else if result.verdict == Verdict::Imported {
            self.duplicate_ids_in_a_row = 0;
        }
    }

    fn stop_reason(&self, canary: bool, result: &AttemptResult) -> Option<StopReason> {
        let status = result.status.unwrap_or_default();
        if result.next_step == NextStep::Stop {
            return Some(match status {
                0 => StopReason::ConnectionRejected,
                401 => StopReason::Unauthorized,
                407 => StopReason::ProxyAuth,
                200..=299 => StopReason::WebPage,
                _ => StopReason::Redirected(status),
            });
        }
        if canary && matches!(status, 403..=405) {
            return Some(StopReason::CanaryRejected(status));
        }
        let no_id = result.verdict == Verdict::InDoubt && self.duplicate_ids_in_a_row == 0;
        if canary && no_id && matches!(status, 200..=299) {
            return Some(match result.next_step {
                NextStep::SaysFailed => StopReason::CanaryFailed,
                _ => StopReason::CanaryWithoutId,
            });
        }
        if self.duplicate_ids_in_a_row >= MAX_DUPLICATE_IDS {
            return Some(StopReason::DuplicateIds);
        }
        if self.max_failures == 0 {
            return None;
        }
        if !self.succeeded && self.forbidden_in_a_row.len() >= MAX_FORBIDDEN {
            return Some(StopReason::Forbidden(self.forbidden_in_a_row.clone()));
        }
        (self.failures_in_a_row >= self.max_failures)
            .then_some(StopReason::Failures(self.failures_in_a_row))
    }
}
