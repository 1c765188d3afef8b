//! What a run does next, as a pure state machine: no clock, no network, no disk.
//!
//! The runner asks [`Scheduler::next`] for an action and reports what happened
//! to [`Scheduler::on`]. Times are counted from the start of the run. The way
//! of a case:
//!
//! ```text
//! queue -> Claim -> claimed -> wait for its start -> Start -> attempt done
//!   ^                  |                                           |
//!   |    Release <-----+ a pause, a guard or the end comes first   |
//!   +--------------------- proved not sent, and retries left ------+
//! ```
//!
//! At most one case is claimed ahead of its start. The outcome of an attempt is
//! in the ledger before the scheduler learns of it; only a wait that the server
//! asks for is reported before.

mod guards;
mod pacing;
mod rate;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub(crate) use self::guards::{Canary, EchoPolicy};
use self::guards::{GuardDecision, Guards};
use self::pacing::Pacing;
pub(crate) use self::pacing::{PaceRange, parse_duration};
use crate::model::{NextStep, Outcome, StopReason, Verdict};

/// A case by its position in the plan's order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CaseIndex(pub usize);

/// What a run is to do, and its limits.
#[derive(Debug, Clone)]
pub(crate) struct RunSettings {
    /// How many cases the plan sends.
    pub cases: usize,
    pub in_flight: usize,
    pub max_retries: u32,
    pub max_wait: Duration,
    /// Failures in a row that stop the run; 0 is never.
    pub max_failures: u32,
    pub pace: PaceRange,
    pub canary: Canary,
    /// For the jitter of pauses.
    pub seed: u64,
}

/// What the runner is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchedulerAction {
    /// Claim the case in the ledger, then report [`SchedulerEvent::Claimed`] or
    /// [`SchedulerEvent::ClaimRefused`].
    Claim(CaseIndex),
    /// Send the claimed case, settle it, then report
    /// [`SchedulerEvent::AttemptDone`].
    Start(CaseIndex),
    /// Undo the claim, then report [`SchedulerEvent::Released`].
    Release(CaseIndex),
    /// Ask whether the fields that came back different are acceptable, then
    /// report [`SchedulerEvent::EchoAccepted`].
    AskEcho,
    /// Nothing to do before this time, unless something happens.
    WaitUntil(Duration),
    WaitForEvent,
    /// The run is over: nothing is in flight and nothing is claimed.
    Finish(Option<StopReason>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchedulerEvent {
    Claimed(CaseIndex),
    /// The ledger has the case in another state than the plan; it is left alone.
    ClaimRefused(CaseIndex),
    Released(CaseIndex),
    /// An answer asked to wait this long. To be reported as soon as the answer
    /// is there, before it is settled.
    AskedToWait(Duration),
    /// An attempt is over and settled.
    AttemptDone(CaseIndex, AttemptResult),
    EchoAccepted(bool),
    /// Start nothing more; what is in flight is waited for.
    Stop(StopReason),
}

/// What the scheduler needs to know of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptResult {
    pub verdict: Verdict,
    /// [`NextStep::DuplicateId`] where the ledger has the id under another key.
    pub next_step: NextStep,
    pub status: Option<u16>,
    pub echo_differs: bool,
}

impl From<&Outcome> for AttemptResult {
    fn from(outcome: &Outcome) -> Self {
        Self {
            verdict: outcome.verdict,
            next_step: outcome.next_step,
            status: outcome.answer.status,
            echo_differs: !outcome.answer.echo_differs.is_empty(),
        }
    }
}

/// How far the claim of a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClaimStage {
    Claiming,
    Claimed,
    Releasing,
}

/// The question about fields that came back different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EchoQuestion {
    None,
    Due,
    Asked,
}

/// A claim is made at most this long before its start, so that a crash while
/// the run waits leaves nothing in doubt.
const CLAIM_AHEAD: Duration = Duration::from_millis(250);

/// Decides what a run does next.
#[derive(Debug)]
pub(crate) struct Scheduler {
    settings: RunSettings,
    /// The first case of the plan that was never taken.
    untaken: usize,
    /// Cases to take before that: retries and released claims.
    requeued: VecDeque<CaseIndex>,
    /// Attempts of cases that were proved not sent.
    failed_attempts: HashMap<CaseIndex, u32>,
    /// The one case that may be claimed ahead of its start.
    prefetched: Option<(CaseIndex, ClaimStage)>,
    /// Each with the number of its call.
    in_flight: HashMap<CaseIndex, u64>,
    /// The number of the last call started.
    last_call: u64,
    pacing: Pacing,
    guards: Guards,
    echo_question: EchoQuestion,
    stop: Option<StopReason>,
}

impl Scheduler {
    pub(crate) fn new(settings: RunSettings) -> Self {
        Self {
            untaken: 0,
            requeued: VecDeque::new(),
            failed_attempts: HashMap::new(),
            prefetched: None,
            in_flight: HashMap::new(),
            last_call: 0,
            pacing: Pacing::new(settings.pace, settings.seed),
            guards: Guards::new(settings.canary, settings.max_failures),
            echo_question: EchoQuestion::None,
            stop: None,
            settings,
        }
    }

    /// Why the run starts nothing more, if so.
    pub(crate) fn stopping(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    pub(crate) fn paused_until(&self, now: Duration) -> Option<Duration> {
        self.pacing.paused_until(now)
    }

    /// Between the starts of two calls.
    pub(crate) fn interval(&self) -> Duration {
        self.pacing.rate.interval()
    }

    /// Attempts of a case in flight, this one included.
    pub(crate) fn attempts(&self, case: CaseIndex) -> u32 {
        1 + self.failed_attempts.get(&case).copied().unwrap_or_default()
    }

    /// Whether a case in flight that ends like this is tried again.
    pub(crate) fn will_retry(&self, case: CaseIndex, result: &AttemptResult) -> bool {
        result.verdict == Verdict::NotSent
            && result.next_step != NextStep::Stop
            && self.attempts(case) <= self.settings.max_retries
    }

    /// What to do now. Each action is handed out once. To be called after every
    /// event, and at the time that [`SchedulerAction::WaitUntil`] names.
    pub(crate) fn next(&mut self, now: Duration) -> SchedulerAction {
        if self.echo_question == EchoQuestion::Due {
            self.echo_question = EchoQuestion::Asked;
            return SchedulerAction::AskEcho;
        }
        match self.prefetched {
            Some((case, ClaimStage::Claimed)) => self.next_with_claim(case, now),
            Some(_) => SchedulerAction::WaitForEvent,
            None => self.next_without_claim(now),
        }
    }

    fn next_with_claim(&mut self, case: CaseIndex, now: Duration) -> SchedulerAction {
        if !self.may_start() || self.paused_until(now).is_some() {
            self.prefetched = Some((case, ClaimStage::Releasing));
            return SchedulerAction::Release(case);
        }
        let next_start = self.pacing.next_start();
        if now < next_start {
            return SchedulerAction::WaitUntil(next_start);
        }
        self.prefetched = None;
        self.last_call += 1;
        self.in_flight.insert(case, self.last_call);
        self.pacing.started(now);
        SchedulerAction::Start(case)
    }

    fn next_without_claim(&mut self, now: Duration) -> SchedulerAction {
        let nothing_left = self.requeued.is_empty() && self.untaken >= self.settings.cases;
        if nothing_left || self.stop.is_some() {
            return if self.in_flight.is_empty() {
                SchedulerAction::Finish(self.stop.clone())
            } else {
                SchedulerAction::WaitForEvent
            };
        }
        if !self.may_start() {
            return SchedulerAction::WaitForEvent;
        }
        let claim_at = self.pacing.next_start().saturating_sub(CLAIM_AHEAD);
        let claim_at = claim_at.max(self.paused_until(now).unwrap_or_default());
        if now < claim_at {
            return SchedulerAction::WaitUntil(claim_at);
        }
        let case = self.requeued.pop_front().unwrap_or_else(|| {
            self.untaken += 1;
            CaseIndex(self.untaken - 1)
        });
        self.prefetched = Some((case, ClaimStage::Claiming));
        SchedulerAction::Claim(case)
    }

    /// Whether one more call may be in flight, time aside.
    fn may_start(&self) -> bool {
        let limit = if self.guards.one_at_a_time() {
            1
        } else {
            self.settings.in_flight
        };
        self.stop.is_none()
            && self.echo_question == EchoQuestion::None
            && self.in_flight.len() < limit
    }

    pub(crate) fn on(&mut self, now: Duration, event: SchedulerEvent) {
        match event {
            SchedulerEvent::Claimed(case) => {
                debug_assert_eq!(self.prefetched, Some((case, ClaimStage::Claiming)));
                self.prefetched = Some((case, ClaimStage::Claimed));
            }
            SchedulerEvent::ClaimRefused(case) => {
                debug_assert_eq!(self.prefetched, Some((case, ClaimStage::Claiming)));
                self.prefetched = None;
            }
            SchedulerEvent::Released(case) => {
                debug_assert_eq!(self.prefetched, Some((case, ClaimStage::Releasing)));
                self.prefetched = None;
                self.requeued.push_front(case);
            }
            SchedulerEvent::AskedToWait(wait) => self.asked_to_wait(now, wait),
            SchedulerEvent::AttemptDone(case, result) => self.attempt_done(now, case, result),
            SchedulerEvent::EchoAccepted(accepted) => {
                self.echo_question = EchoQuestion::None;
                if !accepted {
                    self.stop_for(StopReason::EchoDiffers);
                }
            }
            SchedulerEvent::Stop(reason) => self.stop_for(reason),
        }
    }

    fn attempt_done(&mut self, now: Duration, case: CaseIndex, result: AttemptResult) {
        let will_retry = self.will_retry(case, &result);
        let Some(call) = self.in_flight.remove(&case) else {
            debug_assert!(false, "{case:?} was not in flight");
            return;
        };
        self.adjust_pace(now, call, &result);
        if will_retry {
            *self.failed_attempts.entry(case).or_default() += 1;
            self.requeued.push_back(case);
        } else {
            self.failed_attempts.remove(&case);
        }
        let gave_up = result.verdict == Verdict::NotSent && !will_retry;
        match self.guards.check(call, self.last_call, &result, gave_up) {
            GuardDecision::Continue => {}
            GuardDecision::AskEcho => self.echo_question = EchoQuestion::Due,
            GuardDecision::Stop(reason) => self.stop_for(reason),
        }
    }

    /// A promise, whichever call the answer belongs to.
    fn asked_to_wait(&mut self, now: Duration, wait: Duration) {
        if wait > self.settings.max_wait {
            self.stop_for(StopReason::WaitTooLong(wait));
        } else {
            self.pacing.wait_until(now + wait);
        }
    }

    fn adjust_pace(&mut self, now: Duration, call: u64, result: &AttemptResult) {
        if result.status.is_some() {
            self.pacing.answered();
        }
        if result.verdict == Verdict::Imported {
            self.pacing.rate.speed_up(call, self.last_call);
        }
        if let NextStep::Busy {
            retry_after: Some(wait),
        } = result.next_step
        {
            self.asked_to_wait(now, wait);
        }
        match result.next_step {
            NextStep::Busy { .. } | NextStep::Unreachable if !self.pacing.is_new(call) => {}
            NextStep::Busy { retry_after } => {
                self.pacing.busy(now, call, self.last_call, retry_after);
            }
            NextStep::Unreachable => {
                if !self.pacing.unreachable(now, self.last_call) {
                    self.stop_for(StopReason::Unreachable);
                }
            }
            NextStep::Next => {
                if matches!(result.verdict, Verdict::Imported | Verdict::Rejected) {
                    self.pacing.recovered();
                }
            }
            NextStep::Forbidden | NextStep::DuplicateId | NextStep::SaysFailed | NextStep::Stop => {
            }
        }
    }

    /// The first reason is the cause; later ones follow from it.
    fn stop_for(&mut self, reason: StopReason) {
        self.stop.get_or_insert(reason);
    }
}
