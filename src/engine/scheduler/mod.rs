//! The run as a pure state scheduler: which case next, when it may start, what
//! an outcome leads to. No clock, no network, no disk.
//!
//! The runner asks [`Scheduler::next`] what to do and tells it what happened by
//! [`Scheduler::on`]; time comes in with both, as the span since the run began.
//! A case goes through it like this:
//!
//! ```text
//! queue -> Claim -> (claimed) -> wait for the slot -> Start -> (answered)
//!   ^                   |                                         |
//!   |     ReleaseClaim <----+ a pause, a guard or the end came first  |
//!   +---------------------- proved not sent, retries left --------+
//! ```
//!
//! At most one case is claimed ahead of its slot. Whatever an attempt proved
//! was written to the ledger before the scheduler hears of it.

mod guards;
mod waiting;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use self::guards::{Canary, EchoPolicy};
use self::guards::{GuardDecision, Guards};
use self::waiting::Pauses;
use super::pacing::{Pace, PaceRange};
use crate::model::{NextStep, StopReason, Verdict};

/// A case of the plan, by its position in the plan's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseIndex(pub usize);

/// What a run is to do, and within which bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many cases the plan holds.
    pub cases: usize,
    /// Calls under way at once.
    pub in_flight: usize,
    /// Further attempts for one that was proved not sent.
    pub max_retries: u32,
    /// The longest pause that the server may ask for.
    pub max_wait: Duration,
    /// Failures in a row that stop the run; 0 is never.
    pub max_failures: u32,
    /// The intervals between starts.
    pub pace: PaceRange,
    /// How careful the first calls are.
    pub canary: Canary,
    /// For the jitter of pauses.
    pub seed: u64,
}

/// What the runner is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write to the ledger that this case is about to be sent; then tell
    /// [`SchedulerEvent::Claimed`] or [`SchedulerEvent::Refused`].
    Claim(CaseIndex),
    /// Send it now; settle it; then tell [`SchedulerEvent::Answered`].
    Start(CaseIndex),
    /// Give its claim back; then tell [`SchedulerEvent::Released`].
    ReleaseClaim(CaseIndex),
    /// Ask whether the fields that came back otherwise are as they should be;
    /// then tell [`SchedulerEvent::EchoAccepted`].
    AskEcho(CaseIndex),
    /// Nothing to do before this time, unless something happens.
    WaitUntil(Duration),
    /// Nothing to do until something happens.
    WaitForEvent,
    /// The run is over: nothing is under way and nothing is claimed.
    Finish(Option<StopReason>),
}

/// What an attempt came to, as far as the run's decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What it proved.
    pub verdict: Verdict,
    /// What follows from the answer. [`NextStep::DuplicateId`] where the ledger found
    /// the id under another key.
    pub next_step: NextStep,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Fields came back otherwise than they were sent.
    pub echo_differs: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchedulerEvent {
    /// The claim stands in the ledger.
    Claimed(CaseIndex),
    /// The ledger knows better than the plan; this case is left alone.
    Refused(CaseIndex),
    /// The claim is gone from the ledger.
    Released(CaseIndex),
    /// An attempt is over and settled.
    Answered(CaseIndex, Answered),
    /// What the user said of [`Action::AskEcho`].
    EchoAccepted(bool),
    /// No further call, for this reason; what is under way is waited for.
    Stop(StopReason),
}

/// The one case that may be claimed ahead of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefetched {
    None,
    Claiming(CaseIndex),
    Claimed(CaseIndex),
    Releasing(CaseIndex),
}

/// A claim is made at most this long before its slot, so that a crash while
/// the run waits leaves no doubt behind.
const CLAIM_AHEAD: Duration = Duration::from_millis(250);

/// Decides what a run does.
#[derive(Debug)]
pub struct Scheduler {
    settings: Settings,
    /// The first case of the plan that was never taken.
    untaken: usize,
    /// Cases to take before that: retries, and claims that were given back.
    requeued: VecDeque<CaseIndex>,
    /// Attempts so far of cases that were proved not sent.
    tries: HashMap<CaseIndex, u32>,
    prefetched: Prefetched,
    /// Calls under way, with the number of their start.
    in_flight: HashMap<CaseIndex, u64>,
    /// How many calls have started.
    starts: u64,
    pace: Pace,
    pauses: Pauses,
    guards: Guards,
    asking: Option<(CaseIndex, bool)>,
    stop: Option<StopReason>,
}

impl Scheduler {
    /// A run that has not begun.
    pub fn new(settings: Settings) -> Self {
        Self {
            untaken: 0,
            requeued: VecDeque::new(),
            tries: HashMap::new(),
            prefetched: Prefetched::None,
            in_flight: HashMap::new(),
            starts: 0,
            pace: Pace::new(settings.pace),
            pauses: Pauses::new(settings.seed),
            guards: Guards::new(settings.canary, settings.max_failures),
            asking: None,
            stop: None,
            settings,
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Cases of the plan that wait for their order, a claim ahead among them.
    pub fn left(&self) -> impl Iterator<Item = CaseIndex> + '_ {
        let prefetched = match self.prefetched {
            Prefetched::None => None,
            Prefetched::Claiming(case_index)
            | Prefetched::Claimed(case_index)
            | Prefetched::Releasing(case_index) => Some(case_index),
        };
        let untaken = (self.untaken..self.settings.cases).map(CaseIndex);
        prefetched
            .into_iter()
            .chain(self.requeued.iter().copied())
            .chain(untaken)
    }

    /// Why no further call is made, once that is so.
    pub fn stopping(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Until when the whole run pauses, if it does.
    pub fn paused_until(&self, now: Duration) -> Option<Duration> {
        self.pauses.until().filter(|&until| until > now)
    }

    /// The interval between starts in force.
    pub fn interval(&self) -> Duration {
        self.pace.interval()
    }

    /// What to do now. Call it after every event and at every time that
    /// [`Action::WaitUntil`] named; an action is handed out once.
    pub fn next(&mut self, now: Duration) -> Action {
        if let Some((case_index, asked)) = &mut self.asking
            && !*asked
        {
            *asked = true;
            return Action::AskEcho(*case_index);
        }
        match self.prefetched {
            Prefetched::Claiming(_) | Prefetched::Releasing(_) => Action::WaitForEvent,
            Prefetched::Claimed(case_index) => self.next_with_claim(case_index, now),
            Prefetched::None => self.next_without_claim(now),
        }
    }

    fn next_with_claim(&mut self, case_index: CaseIndex, now: Duration) -> Action {
        if !self.may_start() || self.paused_until(now).is_some() {
            self.prefetched = Prefetched::Releasing(case_index);
            return Action::ReleaseClaim(case_index);
        }
        if now < self.pace.slot() {
            return Action::WaitUntil(self.pace.slot());
        }
        self.prefetched = Prefetched::None;
        self.starts += 1;
        self.in_flight.insert(case_index, self.starts);
        self.pace.started(now);
        Action::Start(case_index)
    }

    fn next_without_claim(&mut self, now: Duration) -> Action {
        let nothing_left =
            self.requeued.is_empty() && self.untaken >= self.settings.cases || self.stop.is_some();
        if nothing_left {
            return if self.in_flight.is_empty() {
                Action::Finish(self.stop.clone())
            } else {
                Action::WaitForEvent
            };
        }
        if !self.may_start() {
            return Action::WaitForEvent;
        }
        let claim_at = self.pace.slot().saturating_sub(CLAIM_AHEAD);
        let claim_at = claim_at.max(self.paused_until(now).unwrap_or_default());
        if now < claim_at {
            return Action::WaitUntil(claim_at);
        }
        let case_index = self.requeued.pop_front().unwrap_or_else(|| {
            let case_index = CaseIndex(self.untaken);
            self.untaken += 1;
            case_index
        });
        self.prefetched = Prefetched::Claiming(case_index);
        Action::Claim(case_index)
    }

    /// Whether one more call may be under way, by all but time.
    fn may_start(&self) -> bool {
        let most = if self.guards.one_at_a_time() {
            1
        } else {
            self.settings.in_flight
        };
        self.stop.is_none() && self.asking.is_none() && self.in_flight.len() < most
    }

    /// Takes in what happened.
    pub fn on(&mut self, now: Duration, event: SchedulerEvent) {
        match event {
            SchedulerEvent::Claimed(case_index) => {
                debug_assert_eq!(self.prefetched, Prefetched::Claiming(case_index));
                self.prefetched = Prefetched::Claimed(case_index);
            }
            SchedulerEvent::Refused(case_index) => {
                debug_assert_eq!(self.prefetched, Prefetched::Claiming(case_index));
                self.prefetched = Prefetched::None;
            }
            SchedulerEvent::Released(case_index) => {
                debug_assert_eq!(self.prefetched, Prefetched::Releasing(case_index));
                self.prefetched = Prefetched::None;
                self.requeued.push_front(case_index);
            }
            SchedulerEvent::Answered(case_index, answered) => {
                self.answered(now, case_index, answered)
            }
            SchedulerEvent::EchoAccepted(accepted) => {
                self.asking = None;
                if !accepted {
                    self.stop_for(StopReason::EchoDiffers);
                }
            }
            SchedulerEvent::Stop(reason) => self.stop_for(reason),
        }
    }

    fn answered(&mut self, now: Duration, case_index: CaseIndex, answered: Answered) {
        let Some(start) = self.in_flight.remove(&case_index) else {
            debug_assert!(false, "{case_index:?} was not under way");
            return;
        };
        let processed = matches!(answered.verdict, Verdict::Imported | Verdict::Rejected);
        if answered.status.is_some() {
            self.pauses.reached();
        }
        if answered.verdict == Verdict::Imported {
            self.pace.speed_up();
        }
        match answered.next_step {
            // What started before the last pause belongs to it.
            NextStep::Busy { .. } | NextStep::Unreachable if !self.pauses.is_news(start) => {}
            NextStep::Busy { retry_after } => {
                if retry_after.is_some_and(|wait| wait > self.settings.max_wait) {
                    self.stop_for(StopReason::WaitTooLong(retry_after.unwrap_or_default()));
                }
                self.pace.slow_down(now);
                let until = self.pauses.busy(now, self.starts, retry_after);
                self.pace.hold_until(until);
            }
            NextStep::Unreachable => match self.pauses.unreachable(now, self.starts) {
                Some(until) => self.pace.hold_until(until),
                None => self.stop_for(StopReason::Unreachable),
            },
            NextStep::Next | NextStep::Forbidden | NextStep::DuplicateId | NextStep::Stop => {}
        }
        if processed && answered.next_step == NextStep::Next {
            self.pauses.went_through();
        }
        let spent =
            answered.verdict == Verdict::NotSent && !self.retry(case_index, answered.next_step);
        let decision = self.guards.judge(start, self.starts, &answered, spent);
        match decision {
            GuardDecision::Fine => {}
            GuardDecision::Ask => self.asking = Some((case_index, false)),
            GuardDecision::Stop(reason) => self.stop_for(reason),
        }
    }

    /// Puts a case that was proved not sent back into the queue, while it has
    /// retries left.
    fn retry(&mut self, case_index: CaseIndex, next_step: NextStep) -> bool {
        if next_step == NextStep::Stop {
            return false;
        }
        let tries = self.tries.entry(case_index).or_default();
        *tries += 1;
        if *tries > self.settings.max_retries {
            self.tries.remove(&case_index);
            return false;
        }
        self.requeued.push_back(case_index);
        true
    }

    fn stop_for(&mut self, reason: StopReason) {
        // The first reason is the cause; the others follow from it.
        self.stop.get_or_insert(reason);
    }
}
