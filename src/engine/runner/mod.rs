//! Does what the scheduler decides: waits, claims, sends, settles and reports
//! events. It decides nothing itself.

mod settle;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use self::settle::Settled;
use super::plan::PlannedCase;
use super::scheduler::{CaseIndex, RunSettings, Scheduler, SchedulerAction, SchedulerEvent};
use super::spool::Spool;
use crate::api::{Client, Gate};
use crate::ledger::{Claim, ClaimError, ClaimRequest, Handle, LedgerError, RunId};
use crate::model::{
    Answer, CaseData, NextStep, Outcome, PauseReason, RunEvent, State, StopReason, Totals, Verdict,
    abort_point,
};

/// What the user asks of a run by Ctrl-C or another signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The first: start nothing more, wait for what is in flight.
    Finish,
    /// The second: stop at once; what is in flight is in doubt.
    Abort,
}

/// Everything that a run needs.
pub(crate) struct ImportRun {
    /// What to send, in the order of sending, each with its state in the ledger.
    pub planned: Vec<PlannedCase>,
    pub spooled: Spool,
    pub client: Arc<Client>,
    pub ledger: Handle,
    pub run: RunId,
    /// The plan may hold cases in doubt, to be sent once more.
    pub resend_in_doubt: bool,
    pub settings: RunSettings,
    pub interrupts: UnboundedReceiver<Interrupt>,
    /// Asks the user whether fields that came back different are acceptable,
    /// after [`RunEvent::AskEcho`]; called in a thread that may wait.
    pub ask_echo: fn() -> bool,
    /// Goes on while the machine is asleep.
    pub wall_clock: Box<dyn FnMut() -> SystemTime>,
}

/// A failure on this machine that ends a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalFailure {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("can't read the temporary file of cases to send: {0}")]
    Spool(#[from] std::io::Error),
}

/// How a run ended.
#[derive(Debug, Default)]
pub(crate) struct RunResult {
    /// Why it stopped early, if it did.
    pub stop: Option<StopReason>,
    /// What failed on this machine, if that is why.
    pub failure: Option<LocalFailure>,
    /// The cases of the plan by their state after the run.
    pub totals: Totals,
}

/// A background task that is done.
enum Done {
    Claimed(CaseIndex, Result<Claim, ClaimError>),
    Released(CaseIndex, Result<(), LedgerError>),
    /// Without an outcome the task panicked.
    Sent(CaseIndex, Option<Outcome>),
    Settled(CaseIndex, Box<Settled>),
    EchoAnswered(bool),
}

type Task = Pin<Box<dyn Future<Output = Done>>>;

struct Runner<'a> {
    run: ImportRun,
    scheduler: Scheduler,
    report: &'a mut dyn FnMut(RunEvent<'_>),
    began: Instant,
    minimum_gap: MinimumGap,
    sleep_detector: SleepDetector,
    /// Requests, and the question to the user: a second interrupt drops them.
    requests: FuturesUnordered<Task>,
    ledger_writes: FuturesUnordered<Task>,
    /// The one claim ahead of its start.
    prefetched: Option<Claim>,
    in_flight: HashMap<CaseIndex, (Claim, Arc<Gate>)>,
    /// Why the run has to pause, and what the server or network said.
    pause_cause: Option<(PauseReason, Option<Box<str>>)>,
    reported_pause: Option<Duration>,
    reported_interval: Duration,
    reported_stop: bool,
    aborted: bool,
    failure: Option<LocalFailure>,
}

/// Works through a plan. Returns when nothing is in flight any more.
pub(crate) async fn run_import(
    mut run: ImportRun,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> RunResult {
    let began = Instant::now();
    let scheduler = Scheduler::new(run.settings.clone());
    let mut runner = Runner {
        reported_interval: scheduler.interval(),
        scheduler,
        minimum_gap: MinimumGap::new(run.settings.pace.lower),
        sleep_detector: SleepDetector {
            wall: (run.wall_clock)(),
            monotonic: began,
        },
        run,
        report,
        began,
        requests: FuturesUnordered::new(),
        ledger_writes: FuturesUnordered::new(),
        prefetched: None,
        in_flight: HashMap::new(),
        pause_cause: None,
        reported_pause: None,
        reported_stop: false,
        aborted: false,
        failure: None,
    };
    let stop = runner.work().await;
    let mut totals = Totals::default();
    for planned in &runner.run.planned {
        totals.add(planned.state, 1);
        totals.drafts += u64::from(planned.is_draft() && planned.state == Some(State::Imported));
    }
    RunResult {
        stop,
        failure: runner.failure,
        totals,
    }
}

impl Runner<'_> {
    async fn work(&mut self) -> Option<StopReason> {
        loop {
            let now = self.began.elapsed();
            let wall = (self.run.wall_clock)();
            if self.sleep_detector.slept(wall, Instant::now()) {
                // Connections from before are dead. If no new ones can be set
                // up, the gate still proves what was sent.
                let _ = self.run.client.drop_connections();
            }
            self.report_pause(now);
            self.report_pace();
            self.report_stop(None);
            match self.scheduler.next(now) {
                SchedulerAction::Claim(case) => self.claim(case),
                SchedulerAction::Start(case) => self.start(case).await,
                SchedulerAction::Release(case) => self.release(case),
                SchedulerAction::AskEcho => self.ask_echo(),
                SchedulerAction::WaitUntil(time) => self.wait(Some(self.began + time)).await,
                SchedulerAction::WaitForEvent => self.wait(None).await,
                SchedulerAction::Finish(stop) => return stop,
            }
            if self.aborted {
                return Some(StopReason::Interrupted);
            }
        }
    }

    /// Waits for the next thing to happen.
    async fn wait(&mut self, until: Option<Instant>) {
        let timer = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(interrupt) = self.run.interrupts.recv() => match interrupt {
                Interrupt::Finish => self.stop(StopReason::Interrupted),
                Interrupt::Abort => self.abort().await,
            },
            Some(done) = self.ledger_writes.next() => self.done(done),
            Some(done) = self.requests.next() => self.done(done),
            () = timer => {}
        }
    }

    fn notify(&mut self, event: SchedulerEvent) {
        self.scheduler.on(self.began.elapsed(), event);
    }

    fn stop(&mut self, reason: StopReason) {
        self.notify(SchedulerEvent::Stop(reason));
    }

    fn fail(&mut self, error: impl Into<LocalFailure>) {
        self.failure.get_or_insert(error.into());
        self.stop(StopReason::Ledger);
    }

    fn claim(&mut self, index: CaseIndex) {
        let planned = self.run.planned[index.0];
        let case = match self.run.spooled.read(planned.slot) {
            Ok(case) => Arc::new(case),
            Err(error) => {
                self.fail(error);
                return self.notify(SchedulerEvent::ClaimRefused(index));
            }
        };
        let request = ClaimRequest {
            expected: planned.state,
            case,
            run: self.run.run,
            resend_in_doubt: self.run.resend_in_doubt,
            at: Timestamp::now(),
        };
        let ledger = self.run.ledger.clone();
        self.ledger_writes.push(Box::pin(async move {
            Done::Claimed(index, ledger.claim(request).await)
        }));
    }

    async fn start(&mut self, index: CaseIndex) {
        let Some(claim) = self.prefetched.take() else {
            debug_assert!(false, "{index:?} was started without its claim");
            return;
        };
        self.minimum_gap.wait().await;
        let (gate, request) = self.run.client.attempt(claim.case(), claim.valid_until());
        abort_point("before-request");
        self.in_flight.insert(index, (claim, gate));
        let (started_at, began) = (Timestamp::now(), Instant::now());
        self.requests.push(Box::pin(async move {
            let outcome = AssertUnwindSafe(request).catch_unwind().await;
            let outcome = outcome.map(|mut outcome| {
                outcome.answer.took = Some((started_at, began.elapsed()));
                outcome
            });
            Done::Sent(index, outcome.ok())
        }));
    }

    fn release(&mut self, index: CaseIndex) {
        let Some(claim) = self.prefetched.take() else {
            debug_assert!(false, "{index:?} was released without its claim");
            return;
        };
        let ledger = self.run.ledger.clone();
        self.ledger_writes.push(Box::pin(async move {
            Done::Released(index, ledger.release(claim).await)
        }));
    }

    fn ask_echo(&mut self) {
        (self.report)(RunEvent::AskEcho);
        let ask = self.run.ask_echo;
        let (answer, answered) = oneshot::channel();
        // A thread of its own, since a question that is never answered must not
        // delay the end of an interrupted run.
        let asking = std::thread::Builder::new().spawn(move || {
            // Fails when the run was interrupted meanwhile.
            let _ = answer.send(ask());
        });
        debug_assert!(asking.is_ok(), "{asking:?}");
        self.requests.push(Box::pin(async move {
            // A question that could not be asked counts as a no.
            Done::EchoAnswered(answered.await.unwrap_or(false))
        }));
    }

    fn done(&mut self, done: Done) {
        let event = match done {
            Done::Claimed(index, Ok(claim)) => {
                self.prefetched = Some(claim);
                SchedulerEvent::Claimed(index)
            }
            Done::Claimed(index, Err(ClaimError::Refused { now })) => self.skip(index, now),
            Done::Claimed(index, Err(ClaimError::Ledger(error))) => {
                self.fail(error);
                SchedulerEvent::ClaimRefused(index)
            }
            Done::Claimed(index, Err(ClaimError::Unknown(error))) => {
                self.fail(error);
                self.skip(index, Some(State::InDoubt))
            }
            Done::Released(index, result) => {
                if let Err(error) = result {
                    // The ledger still has it as sending, which the next run
                    // turns into in doubt.
                    self.set_state(index, Some(State::InDoubt));
                    self.fail(error);
                }
                SchedulerEvent::Released(index)
            }
            Done::Sent(index, outcome) => {
                abort_point("after-answer");
                // A panic proves nothing.
                let outcome = outcome.unwrap_or_else(|| {
                    let message =
                        "caseload failed while the request was in flight; please report this";
                    Outcome::without_answer(Verdict::InDoubt, NextStep::Next, message)
                });
                self.note_pause(index, &outcome);
                return self.settle(index, outcome);
            }
            Done::Settled(index, done) => return self.settled(index, *done),
            Done::EchoAnswered(accepted) => SchedulerEvent::EchoAccepted(accepted),
        };
        self.notify(event);
    }

    fn set_state(&mut self, index: CaseIndex, state: Option<State>) {
        self.run.planned[index.0].state = state;
    }

    /// A case that is not sent, and is in this state now.
    fn skip(&mut self, index: CaseIndex, state: Option<State>) -> SchedulerEvent {
        self.set_state(index, state);
        let slot = self.run.planned[index.0].slot;
        if let Ok(case) = self.run.spooled.read(slot) {
            (self.report)(RunEvent::Skipped { case: &case, state });
        }
        SchedulerEvent::ClaimRefused(index)
    }

    fn report_pause(&mut self, now: Duration) {
        let until = self.scheduler.paused_until(now);
        if until == self.reported_pause || self.scheduler.stopping().is_some() {
            return;
        }
        self.reported_pause = until;
        (self.report)(match (until, &self.pause_cause) {
            (Some(until), Some((reason, message))) => RunEvent::Paused {
                wait: until.saturating_sub(now),
                reason: *reason,
                message: message.as_deref(),
            },
            _ => RunEvent::Resumed,
        });
    }

    fn report_pace(&mut self) {
        let interval = self.scheduler.interval();
        if interval != self.reported_interval {
            self.reported_interval = interval;
            (self.report)(RunEvent::PaceChanged(interval));
        }
    }

    /// Reports that the run stops, once: with the answer that is the reason.
    fn report_stop(&mut self, cause: Option<(&CaseData, &Answer)>) {
        if let Some(reason) = self.scheduler.stopping()
            && !self.reported_stop
        {
            self.reported_stop = true;
            (self.report)(RunEvent::Stopping {
                reason,
                in_flight: self.in_flight.len(),
                cause,
            });
        }
    }
}

/// The hard floor below the schedule: whatever the scheduler decides, no two
/// calls start closer than this.
struct MinimumGap(RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>);

impl MinimumGap {
    fn new(interval: Duration) -> Self {
        // Below 50 ms only the rate counts: as many calls as fit into 50 ms
        // may start together.
        let burst = (50_000_000 / interval.as_nanos().max(1)).clamp(1, 1_000);
        let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(interval.mul_f64(0.9).max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Self(RateLimiter::direct_with_clock(quota, MonotonicClock))
    }

    async fn wait(&self) {
        while let Err(too_soon) = self.0.check() {
            tokio::time::sleep(too_soon.wait_time_from(MonotonicClock.now())).await;
        }
    }
}

/// Notices that the machine was asleep: the wall clock went on, the monotonic
/// clock did not.
struct SleepDetector {
    wall: SystemTime,
    monotonic: Instant,
}

impl SleepDetector {
    /// More than a wall clock is ever corrected by during a run.
    const THRESHOLD: Duration = Duration::from_secs(5);

    /// Whether the machine slept since the last call.
    fn slept(&mut self, wall: SystemTime, monotonic: Instant) -> bool {
        // A clock that was set back is no sleep.
        let passed = wall.duration_since(self.wall).unwrap_or_default();
        let awake = monotonic.saturating_duration_since(self.monotonic);
        (self.wall, self.monotonic) = (wall, monotonic);
        passed > awake + Self::THRESHOLD
    }
}
