//! The runner: does what the state scheduler decides. It waits, claims, sends
//! and settles, and tells events; it decides nothing. Here is its loop.

mod end;
mod settle;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
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
use super::clocks::{MinimumGap, SleepDetector};
use super::plan::PlannedCase;
use super::scheduler::{Action, CaseIndex, Scheduler, SchedulerEvent, Settings};
use super::spool::Spooled;
use crate::api::{Client, Gate};
use crate::ledger::{self, Claim, ClaimError, ClaimRequest, Handle, LedgerError, RunId};
use crate::model::{CaseData, Event, Outcome, PauseReason, State, StopReason, Totals, abort_point};

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
    pub planned: Vec<PlannedCase>,
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
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event<'_>);

    /// Asks the user whether differing fields are as they should be. Runs in a
    /// thread that may wait.
    fn ask_echo(&mut self) -> Box<dyn FnOnce() -> bool + Send>;
}

/// What fails on this scheduler in the middle of a run, and ends it.
#[derive(Debug, thiserror::Error)]
pub enum LocalFailure {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The temporary file that holds what is to be sent.
    #[error("the temporary file that holds what is to be sent can't be read: {0}")]
    Spool(#[from] std::io::Error),
}

/// How a run ended.
#[derive(Debug)]
pub struct RunResult {
    /// Why before its end; none when the whole plan was worked off.
    pub stop: Option<StopReason>,
    /// What failed on this scheduler, if that is why.
    pub failure: Option<LocalFailure>,
    /// The cases of the plan by their state after the run.
    pub totals: Totals,
}

/// A task in the background, finished.
enum Done {
    Claimed(CaseIndex, Result<Claim, ClaimError>),
    Released(CaseIndex, Result<(), LedgerError>),
    Called(CaseIndex, Option<Outcome>),
    Settled(
        CaseIndex,
        Box<Outcome>,
        Result<ledger::Settlement, LedgerError>,
    ),
    Asked(bool),
}

type Task = Pin<Box<dyn Future<Output = Done>>>;

/// A call under way.
struct Call {
    claim: Claim,
    gate: Arc<Gate>,
}

struct Runner<'a, A> {
    run: Run,
    observer: &'a mut A,
    scheduler: Scheduler,
    began: Instant,
    minimum_gap: MinimumGap,
    /// Exchanges with the server.
    exchanges: FuturesUnordered<Task>,
    /// Exchanges with the ledger.
    writes: FuturesUnordered<Task>,
    /// Questions to the user.
    questions: FuturesUnordered<Task>,
    /// The one claim ahead of its slot.
    prefetched: Option<Claim>,
    calls: HashMap<CaseIndex, Call>,
    /// Cases being settled: their claims are with the ledger.
    settling: HashMap<CaseIndex, Arc<CaseData>>,
    /// Cases that will be tried again: attempts so far, and the state now.
    retries: HashMap<CaseIndex, (u32, State)>,
    /// Cases that this run is done with, by their state.
    totals: Totals,
    /// What the last answer that asks for a pause said.
    trouble: Option<(PauseReason, Option<Box<str>>)>,
    told_pause: Option<Duration>,
    told_stop: bool,
    failure: Option<LocalFailure>,
}

/// Works off a plan. Returns when nothing is under way any more.
pub async fn run_import<A: Observer>(run: Run, observer: &mut A) -> RunResult {
    run_with_clock(run, observer, SleepDetector::new()).await
}

async fn run_with_clock<A: Observer>(
    run: Run,
    observer: &mut A,
    sleep_detector: SleepDetector,
) -> RunResult {
    let minimum_gap = MinimumGap::new(run.settings.pace.lower);
    let mut runner = Runner {
        scheduler: Scheduler::new(run.settings.clone()),
        run,
        observer,
        began: Instant::now(),
        minimum_gap,
        exchanges: FuturesUnordered::new(),
        writes: FuturesUnordered::new(),
        questions: FuturesUnordered::new(),
        prefetched: None,
        calls: HashMap::new(),
        settling: HashMap::new(),
        retries: HashMap::new(),
        totals: Totals::default(),
        trouble: None,
        told_pause: None,
        told_stop: false,
        failure: None,
    };
    let stop = runner.work_off(sleep_detector).await;
    runner.count_left();
    RunResult {
        stop,
        failure: runner.failure,
        totals: runner.totals,
    }
}

impl<A: Observer> Runner<'_, A> {
    async fn work_off(&mut self, mut sleep_detector: SleepDetector) -> Option<StopReason> {
        loop {
            let now = self.began.elapsed();
            if sleep_detector.noticed() {
                // Connections from before can't be trusted; without fresh ones
                // the old are as good as any, and the gate tells the truth.
                let _ = self.run.client.drop_connections();
            }
            self.tell_pause(now);
            self.tell_stop();
            match self.scheduler.next(now) {
                Action::Claim(case_index) => self.claim(case_index),
                Action::Start(case_index) => self.start(case_index, now).await,
                Action::ReleaseClaim(case_index) => self.release(case_index),
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
                    self.scheduler.on(now, SchedulerEvent::Stop(StopReason::Interrupted));
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

    fn claim(&mut self, case_index: CaseIndex) {
        let planned = self.run.planned[case_index.0];
        let case = match self.run.spooled.read(planned.slot) {
            Ok(case) => Arc::new(case),
            Err(error) => {
                self.failed(error);
                self.left(case_index);
                self.scheduler
                    .on(self.began.elapsed(), SchedulerEvent::Refused(case_index));
                return;
            }
        };
        let request = ClaimRequest {
            expected: self
                .retries
                .get(&case_index)
                .map_or(planned.state, |(_, state)| Some(*state)),
            case,
            run: self.run.run,
            resend_in_doubt: self.run.resend_in_doubt,
            at: Timestamp::now(),
        };
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            Done::Claimed(case_index, ledger.claim(request).await)
        }));
    }

    async fn start(&mut self, case_index: CaseIndex, now: Duration) {
        let Some(claim) = self.prefetched.take() else {
            debug_assert!(false, "{case_index:?} was started without its claim");
            return;
        };
        self.minimum_gap.wait().await;
        let attempt = self.run.client.attempt(claim.case());
        abort_point("before-request");
        self.calls.insert(
            case_index,
            Call {
                claim,
                gate: Arc::clone(&attempt.gate),
            },
        );
        self.exchanges.push(Box::pin(async move {
            // A panic proves nothing of the case: it is in doubt.
            let outcome = AssertUnwindSafe(attempt.outcome).catch_unwind().await;
            Done::Called(case_index, outcome.ok())
        }));
        self.observer.event(Event::Started {
            at: now,
            in_flight: self.calls.len(),
        });
    }

    fn release(&mut self, case_index: CaseIndex) {
        let Some(claim) = self.prefetched.take() else {
            debug_assert!(false, "{case_index:?} was given back without its claim");
            return;
        };
        let ledger = self.run.ledger.clone();
        self.writes.push(Box::pin(async move {
            Done::Released(case_index, ledger.release(claim).await)
        }));
    }

    fn ask_echo(&mut self) {
        let ask = self.observer.ask_echo();
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
            Done::Claimed(case_index, Ok(claim)) => {
                self.prefetched = Some(claim);
                SchedulerEvent::Claimed(case_index)
            }
            Done::Claimed(case_index, Err(ClaimError::Refused { now: state })) => {
                self.finished(case_index, state);
                let slot = self.run.planned[case_index.0].slot;
                if let Ok(case) = self.run.spooled.read(slot) {
                    self.observer.event(Event::Skipped { case: &case, state });
                }
                SchedulerEvent::Refused(case_index)
            }
            Done::Claimed(case_index, Err(ClaimError::Ledger(error))) => {
                self.failed(error);
                self.left(case_index);
                SchedulerEvent::Refused(case_index)
            }
            Done::Released(case_index, result) => {
                if let Err(error) = result {
                    // The ledger still has it as under way: the next run will
                    // find it in doubt.
                    self.retries
                        .entry(case_index)
                        .or_insert((0, State::InDoubt))
                        .1 = State::InDoubt;
                    self.failed(error);
                }
                SchedulerEvent::Released(case_index)
            }
            Done::Called(case_index, outcome) => {
                abort_point("after-answer");
                self.settle(case_index, outcome.unwrap_or_else(panicked));
                return;
            }
            Done::Settled(case_index, outcome, result) => {
                self.settled(case_index, &outcome, result)
            }
            Done::Asked(accepted) => SchedulerEvent::EchoAccepted(accepted),
        };
        self.scheduler.on(now, event);
    }
}
