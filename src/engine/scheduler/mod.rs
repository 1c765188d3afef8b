//! The run as a pure state machine: which case next, when it may start, what
//! an outcome leads to. No clock, no network, no disk.
//!
//! The driver asks [`Machine::next`] what to do and tells it what happened by
//! [`Machine::on`]; time comes in with both, as the span since the run began.
//! A case goes through it like this:
//!
//! ```text
//! queue -> Claim -> (claimed) -> wait for the slot -> Start -> (answered)
//!   ^                   |                                         |
//!   |     GiveBack <----+ a pause, a guard or the end came first  |
//!   +---------------------- proved not sent, retries left --------+
//! ```
//!
//! At most one case is claimed ahead of its slot. Whatever an attempt proved
//! was written to the ledger before the machine hears of it.

mod guards;
mod waiting;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use self::guards::{Canary, EchoPolicy};
use self::guards::{Guards, Standing};
use self::waiting::Waiting;
use super::pacing::{Pace, PaceRange};
use crate::model::{StopReason, Then, Verdict};

/// A case of the plan, by its position in the plan's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub usize);

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

/// What the driver is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write to the ledger that this case is about to be sent; then tell
    /// [`Event::Claimed`] or [`Event::Refused`].
    Claim(Ticket),
    /// Send it now; settle it; then tell [`Event::Answered`].
    Start(Ticket),
    /// Give its claim back; then tell [`Event::GivenBack`].
    GiveBack(Ticket),
    /// Ask whether the fields that came back otherwise are as they should be;
    /// then tell [`Event::EchoAccepted`].
    AskEcho(Ticket),
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
    /// What follows from the answer. [`Then::SameId`] where the ledger found
    /// the id under another key.
    pub then: Then,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Fields came back otherwise than they were sent.
    pub echo_differs: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The claim stands in the ledger.
    Claimed(Ticket),
    /// The ledger knows better than the plan; this case is left alone.
    Refused(Ticket),
    /// The claim is gone from the ledger.
    GivenBack(Ticket),
    /// An attempt is over and settled.
    Answered(Ticket, Answered),
    /// What the user said of [`Action::AskEcho`].
    EchoAccepted(bool),
    /// No further call, for this reason; what is under way is waited for.
    Stop(StopReason),
}

/// The one case that may be claimed ahead of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Nobody,
    Claiming(Ticket),
    Claimed(Ticket),
    GivingBack(Ticket),
}

/// A claim is made at most this long before its slot, so that a crash while
/// the run waits leaves no doubt behind.
const CLAIM_AHEAD: Duration = Duration::from_millis(250);

/// Decides what a run does.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    /// The first case of the plan that was never taken.
    untaken: usize,
    /// Cases to take before that: retries, and claims that were given back.
    again: VecDeque<Ticket>,
    /// Attempts so far of cases that were proved not sent.
    tries: HashMap<Ticket, u32>,
    ahead: Ahead,
    /// Calls under way, with the number of their start.
    under_way: HashMap<Ticket, u64>,
    /// How many calls have started.
    starts: u64,
    pace: Pace,
    waiting: Waiting,
    guards: Guards,
    asking: Option<(Ticket, bool)>,
    stop: Option<StopReason>,
}

impl Machine {
    /// A run that has not begun.
    pub fn new(settings: Settings) -> Self {
        Self {
            untaken: 0,
            again: VecDeque::new(),
            tries: HashMap::new(),
            ahead: Ahead::Nobody,
            under_way: HashMap::new(),
            starts: 0,
            pace: Pace::new(settings.pace),
            waiting: Waiting::new(settings.seed),
            guards: Guards::new(settings.canary, settings.max_failures),
            asking: None,
            stop: None,
            settings,
        }
    }

    /// Calls under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Cases of the plan that wait for their turn, a claim ahead among them.
    pub fn left(&self) -> impl Iterator<Item = Ticket> + '_ {
        let ahead = match self.ahead {
            Ahead::Nobody => None,
            Ahead::Claiming(ticket) | Ahead::Claimed(ticket) | Ahead::GivingBack(ticket) => {
                Some(ticket)
            }
        };
        let untaken = (self.untaken..self.settings.cases).map(Ticket);
        ahead
            .into_iter()
            .chain(self.again.iter().copied())
            .chain(untaken)
    }

    /// Why no further call is made, once that is so.
    pub fn stopping(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Until when the whole run pauses, if it does.
    pub fn paused_until(&self, now: Duration) -> Option<Duration> {
        self.waiting.until().filter(|&until| until > now)
    }

    /// The interval between starts in force.
    pub fn interval(&self) -> Duration {
        self.pace.interval()
    }

    /// What to do now. Call it after every event and at every time that
    /// [`Action::WaitUntil`] named; an action is handed out once.
    pub fn next(&mut self, now: Duration) -> Action {
        if let Some((ticket, asked)) = &mut self.asking
            && !*asked
        {
            *asked = true;
            return Action::AskEcho(*ticket);
        }
        match self.ahead {
            Ahead::Claiming(_) | Ahead::GivingBack(_) => Action::WaitForEvent,
            Ahead::Claimed(ticket) => self.next_with_claim(ticket, now),
            Ahead::Nobody => self.next_without_claim(now),
        }
    }

    fn next_with_claim(&mut self, ticket: Ticket, now: Duration) -> Action {
        if !self.may_start() || self.paused_until(now).is_some() {
            self.ahead = Ahead::GivingBack(ticket);
            return Action::GiveBack(ticket);
        }
        if now < self.pace.slot() {
            return Action::WaitUntil(self.pace.slot());
        }
        self.ahead = Ahead::Nobody;
        self.starts += 1;
        self.under_way.insert(ticket, self.starts);
        self.pace.started(now);
        Action::Start(ticket)
    }

    fn next_without_claim(&mut self, now: Duration) -> Action {
        let nothing_left =
            self.again.is_empty() && self.untaken >= self.settings.cases || self.stop.is_some();
        if nothing_left {
            return if self.under_way.is_empty() {
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
        let ticket = self.again.pop_front().unwrap_or_else(|| {
            let ticket = Ticket(self.untaken);
            self.untaken += 1;
            ticket
        });
        self.ahead = Ahead::Claiming(ticket);
        Action::Claim(ticket)
    }

    /// Whether one more call may be under way, by all but time.
    fn may_start(&self) -> bool {
        let most = if self.guards.one_at_a_time() {
            1
        } else {
            self.settings.in_flight
        };
        self.stop.is_none() && self.asking.is_none() && self.under_way.len() < most
    }

    /// Takes in what happened.
    pub fn on(&mut self, now: Duration, event: Event) {
        match event {
            Event::Claimed(ticket) => {
                debug_assert_eq!(self.ahead, Ahead::Claiming(ticket));
                self.ahead = Ahead::Claimed(ticket);
            }
            Event::Refused(ticket) => {
                debug_assert_eq!(self.ahead, Ahead::Claiming(ticket));
                self.ahead = Ahead::Nobody;
            }
            Event::GivenBack(ticket) => {
                debug_assert_eq!(self.ahead, Ahead::GivingBack(ticket));
                self.ahead = Ahead::Nobody;
                self.again.push_front(ticket);
            }
            Event::Answered(ticket, answered) => self.answered(now, ticket, answered),
            Event::EchoAccepted(accepted) => {
                self.asking = None;
                if !accepted {
                    self.stop_for(StopReason::EchoDiffers);
                }
            }
            Event::Stop(reason) => self.stop_for(reason),
        }
    }

    fn answered(&mut self, now: Duration, ticket: Ticket, answered: Answered) {
        let Some(start) = self.under_way.remove(&ticket) else {
            debug_assert!(false, "{ticket:?} was not under way");
            return;
        };
        let processed = matches!(answered.verdict, Verdict::Imported | Verdict::Rejected);
        if answered.status.is_some() {
            self.waiting.reached();
        }
        if answered.verdict == Verdict::Imported {
            self.pace.speed_up();
        }
        match answered.then {
            // What started before the last pause belongs to it.
            Then::Busy { .. } | Then::Unreachable if !self.waiting.is_news(start) => {}
            Then::Busy { retry_after } => {
                if retry_after.is_some_and(|wait| wait > self.settings.max_wait) {
                    self.stop_for(StopReason::WaitTooLong(retry_after.unwrap_or_default()));
                }
                self.pace.slow_down(now);
                let until = self.waiting.busy(now, self.starts, retry_after);
                self.pace.hold_until(until);
            }
            Then::Unreachable => match self.waiting.unreachable(now, self.starts) {
                Some(until) => self.pace.hold_until(until),
                None => self.stop_for(StopReason::Unreachable),
            },
            Then::Next | Then::Forbidden | Then::SameId | Then::Stop => {}
        }
        if processed && answered.then == Then::Next {
            self.waiting.went_through();
        }
        let spent = answered.verdict == Verdict::NotSent && !self.try_again(ticket, answered.then);
        let standing = self.guards.judge(start, self.starts, &answered, spent);
        match standing {
            Standing::Fine => {}
            Standing::Ask => self.asking = Some((ticket, false)),
            Standing::Stop(reason) => self.stop_for(reason),
        }
    }

    /// Puts a case that was proved not sent back into the queue, while it has
    /// retries left.
    fn try_again(&mut self, ticket: Ticket, then: Then) -> bool {
        if then == Then::Stop {
            return false;
        }
        let tries = self.tries.entry(ticket).or_default();
        *tries += 1;
        if *tries > self.settings.max_retries {
            self.tries.remove(&ticket);
            return false;
        }
        self.again.push_back(ticket);
        true
    }

    fn stop_for(&mut self, reason: StopReason) {
        // The first reason is the cause; the others follow from it.
        self.stop.get_or_insert(reason);
    }
}
