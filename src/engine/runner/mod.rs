//! The driver: does what the state machine decides. It waits, claims, sends
//! and settles, and tells events; it decides nothing. Here is its loop.

mod end;
mod settle;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use self::settle::panicked;
use super::clocks::{Floor, Slept};
use super::plan::Planned;
use super::scheduler::{self, Action, Machine, Settings, Ticket};
use super::spool::Spooled;
use crate::api::{Client, Gate};
use crate::ledger::{self, Claim, ClaimError, ClaimRequest, Handle, LedgerError, RunId};
use crate::model::{CaseData, Event, Outcome, PauseReason, State, StopReason, abort_point};

/// What the user wants of a run on Ctrl-C and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// The first: no further call, wait for those under way.
    Finish,
    /// The second: stop at once, what is under way is in doubt.
    Abort,
}

/// Everything that a run needs.
pub struct Run {
    /// What is to be sent, in the order of sending.
    pub planned: Vec<Planned>,
    /// The same, as cases.
    pub spooled: Spooled,
    /// The wire.
    pub client: Arc<Client>,
    /// The ledger.
    pub ledger: Handle,
    /// This run's number there.
    pub run: RunId,
    /// Send cases in doubt once more, if the plan holds any.
    pub resend_in_doubt: bool,
    /// How to decide.
    pub settings: Settings,
    /// Signals.
    pub interrupts: UnboundedReceiver<Interrupt>,
}

/// Who takes part in a run from outside.
pub trait Audience {
    /// Something happened.
    fn event(&mut self, event: Event<'_>);

    /// Asks the user whether differing fields are as they should be. Runs in a
    /// thread that may wait.
    fn ask_echo(&mut self) -> Box<dyn FnOnce() -> bool + Send>;
}

/// What fails on this machine in the middle of a run, and ends it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The temporary file that holds what is to be sent.
    #[error("the temporary file that holds what is to be sent can't be read: {0}")]
    Spool(#[from] std::io::Error),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Why before its end; none when the whole plan was worked off.
    pub stop: Option<StopReason>,
    /// What failed on this machine, if that is why.
    pub failure: Option<Failure>,
    /// Every case of the plan by its state after the run; none for those that
    /// the ledger doesn't know.
    pub states: BTreeMap<Option<State>, u64>,
    /// Cases imported without a partner firm.
    pub drafts: u64,
}

/// A task in the background, finished.
enum Done {
    Claimed(Ticket, Result<Claim, ClaimError>),
    GivenBack(Ticket, Result<(), LedgerError>),
    Called(Ticket, Option<Outcome>),
    Settled(Ticket, Box<Outcome>, Result<ledger::Settled, LedgerError>),
    Asked(bool),
}

type Task = Pin<Box<dyn Future<Output = Done>>>;

/// A call under way.
struct Call {
    claim: Claim,
    gate: Arc<Gate>,
}

struct Driver<'a, A> {
    run: Run,
    audience: &'a mut A,
    machine: Machine,
    began: Instant,
    floor: Floor,
    /// Exchanges with the server.
    exchanges: FuturesUnordered<Task>,
    /// Exchanges with the ledger.
    writes: FuturesUnordered<Task>,
    /// Questions to the user.
    questions: FuturesUnordered<Task>,
    /// The one claim ahead of its slot.
    ahead: Option<Claim>,
    calls: HashMap<Ticket, Call>,
    /// Cases being settled: their claims are with the ledger.
    settling: HashMap<Ticket, Arc<CaseData>>,
    /// Cases that will be tried again: attempts so far, and the state now.
    retries: HashMap<Ticket, (u32, State)>,
    /// Cases that this run is done with, by their state.
    done: BTreeMap<Option<State>, u64>,
    drafts: u64,
    /// What the last answer that asks for a pause said.
    trouble: Option<(PauseReason, Option<Box<str>>)>,
    told_pause: Option<Duration>,
    told_stop: bool,
    failure: Option<Failure>,
}

/// Works off a plan. Returns when nothing is under way any more.
pub async fn drive<A: Audience>(run: Run, audience: &mut A) -> Ended {
    drive_by(run, audience, Slept::new()).await
}

async fn drive_by<A: Audience>(run: Run, audience: &mut A, slept: Slept) -> Ended {
    let floor = Floor::new(run.settings.pace.lower);
    let mut driver = Driver {
        machine: Machine::new(run.settings.clone()),
        run,
        audience,
        began: Instant::now(),
        floor,
        exchanges: FuturesUnordered::new(),
        writes: FuturesUnordered::new(),
        questions: FuturesUnordered::new(),
        ahead: None,
        calls: HashMap::new(),
        settling: HashMap::new(),
        retries: HashMap::new(),
        done: BTreeMap::new(),
        drafts: 0,
        trouble: None,
        told_pause: None,
        told_stop: false,
        failure: None,
    };
    let stop = driver.work_off(slept).await;
    driver.count_left();
    Ended {
        stop,
        failure: driver.failure,
        states: driver.done,
        drafts: driver.drafts,
    }
}

impl<A: Audience> Driver<'_, A> {
    async fn work_off(&mut self, mut slept: Slept) -> Option<StopReason> {
        loop {
            let now = self.began.elapsed();
            if slept.noticed() {
                // Connections from before can't be trusted; without fresh ones
                // the old are as good as any, and the gate tells the truth.
                let _ = self.run.client.drop_connections();
            }
            self.tell_pause(now);
            self.tell_stop();
            match self.machine.next(now) {
                Action::Claim(ticket) => self.claim(ticket),
                Action::Start(ticket) => self.start(ticket, now).await,
                Action::GiveBack(ticket) => self.give_back(ticket),
                Action::AskEcho(_) => self.ask_echo(),
                Action::WaitUntil(time) => {
                    let time = tokio::time::Instant::from_std(self.began + time);
                    if !self.wait(Some(time)).await {
                        return Some(StopReason::Interrupted);
                    }
                }
                Action::WaitForEvent => {
                    if !self.wait(None).await {
                        return Some(StopReason::Interrupted);
                    }
                }
                Action::Finish(stop) => return stop,
            }
        }
    }

    /// Waits for the next thing to happen; false after the second interrupt.
    async fn wait(&mut self, until: Option<tokio::time::Instant>) -> bool {
        let timer = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(interrupt) = self.run.interrupts.recv() => match interrupt {
                Interrupt::Finish => {
                    let now = self.began.elapsed();
                    self.machine.on(now, scheduler::Event::Stop(StopReason::Interrupted));
                }
                Interrupt::Abort => {
                    self.abort().await;
                    return false;
                }
            },
            Some(done) = self.writes.next() => self.done(done),
            Some(done) = self.exchanges.next() => self.done(done),
            Some(done) = self.questions.next() => self.done(done),
            () = timer => {}
        }
        true
    }

    fn claim(&mut self, ticket: Ticket) {
        let planned = self.run.planned[ticket.0];
        let case = match self.run.spooled.read(planned.slot) {
            Ok(case) => Arc::new(case),
            Err(error) => {
                self.failed(error);
                self.left(ticket);
                self.machine
                    .on(self.began.elapsed(), scheduler::Event::Refused(ticket));
                return;
            }
        };
        let request = ClaimRequest {
            expected: self
                .retries
                .get(&ticket)
                .map_or(planned.state, |(_, state)| Some(*state)),
            case,
            run: self.run.run,
            resend_in_doubt: self.run.resend_in_doubt,
            at: Timestamp::now(),
        };
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            Done::Claimed(ticket, ledger.claim(request).await)
        }));
    }

    async fn start(&mut self, ticket: Ticket, now: Duration) {
        let Some(claim) = self.ahead.take() else {
            debug_assert!(false, "{ticket:?} was started without its claim");
            return;
        };
        self.floor.wait().await;
        let attempt = self.run.client.attempt(claim.case());
        abort_point("before-request");
        self.calls.insert(
            ticket,
            Call {
                claim,
                gate: Arc::clone(&attempt.gate),
            },
        );
        self.exchanges.push(Box::pin(async move {
            // A panic proves nothing of the case: it is in doubt.
            let outcome = AssertUnwindSafe(attempt.outcome).catch_unwind().await;
            Done::Called(ticket, outcome.ok())
        }));
        self.audience.event(Event::Started {
            at: now,
            under_way: self.calls.len(),
        });
    }

    fn give_back(&mut self, ticket: Ticket) {
        let Some(claim) = self.ahead.take() else {
            debug_assert!(false, "{ticket:?} was given back without its claim");
            return;
        };
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            Done::GivenBack(ticket, ledger.give_back(claim).await)
        }));
    }

    fn ask_echo(&mut self) {
        let ask = self.audience.ask_echo();
        let (answer, answered) = oneshot::channel();
        // A thread of its own: a question that is never answered must not
        // hold back the end of a run that was interrupted.
        let asking = std::thread::Builder::new().spawn(move || {
            // Nobody waits for it after an interrupt.
            let _ = answer.send(ask());
        });
        debug_assert!(asking.is_ok(), "{asking:?}");
        self.questions.push(Box::pin(async move {
            // A question that can't be asked is not answered with yes.
            Done::Asked(answered.await.unwrap_or(false))
        }));
    }

    fn done(&mut self, done: Done) {
        let now = self.began.elapsed();
        let event = match done {
            Done::Claimed(ticket, Ok(claim)) => {
                self.ahead = Some(claim);
                scheduler::Event::Claimed(ticket)
            }
            Done::Claimed(ticket, Err(ClaimError::Refused { now: state })) => {
                self.finished(ticket, state);
                let slot = self.run.planned[ticket.0].slot;
                if let Ok(case) = self.run.spooled.read(slot) {
                    self.audience.event(Event::LeftAlone { case: &case, state });
                }
                scheduler::Event::Refused(ticket)
            }
            Done::Claimed(ticket, Err(ClaimError::Ledger(error))) => {
                self.failed(error);
                self.left(ticket);
                scheduler::Event::Refused(ticket)
            }
            Done::GivenBack(ticket, result) => {
                if let Err(error) = result {
                    // The ledger still has it as under way: the next run will
                    // find it in doubt.
                    self.retries.entry(ticket).or_insert((0, State::InDoubt)).1 = State::InDoubt;
                    self.failed(error);
                }
                scheduler::Event::GivenBack(ticket)
            }
            Done::Called(ticket, outcome) => {
                abort_point("after-answer");
                self.settle(ticket, outcome.unwrap_or_else(panicked));
                return;
            }
            Done::Settled(ticket, outcome, result) => self.settled(ticket, &outcome, result),
            Done::Asked(accepted) => scheduler::Event::EchoAccepted(accepted),
        };
        self.machine.on(now, event);
    }
}
