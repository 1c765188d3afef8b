//! The scheduler under random schedules: any order of answers, delays, pauses
//! and crashes keeps the promise.

use std::collections::{BTreeMap, BinaryHeap};

use super::*;

/// The state of a case in the ledger of these tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Sending,
    Imported,
    Rejected,
    NotSent,
    InDoubt,
}

/// An event to come; the soonest is the greatest.
#[derive(Debug, PartialEq, Eq)]
struct Due(Duration, u64, SchedulerEvent);

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The world around the scheduler: a ledger and a server, as hostile as the seed
/// makes them.
struct World {
    seed: u64,
    random: fastrand::Rng,
    ledger: BTreeMap<usize, Known>,
    /// What each complete request of a case proved.
    requests: BTreeMap<usize, Vec<Verdict>>,
    serial: u64,
    /// Calls that go wrong, in percent.
    error_percent: u32,
}

struct RunResult {
    stop: Option<StopReason>,
    crashed: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            seed,
            error_percent: random.u32(0..=60),
            random,
            ledger: BTreeMap::new(),
            requests: BTreeMap::new(),
            serial: 0,
        }
    }

    fn check(&self, condition: bool, what: &str) {
        assert!(condition, "seed {}: {what}", self.seed);
    }

    fn answer(&mut self) -> AttemptResult {
        let answered = |verdict, next_step, status| AttemptResult {
            verdict,
            next_step,
            status,
            echo_differs: false,
        };
        if self.random.u32(0..100) >= self.error_percent {
            return answered(Verdict::Imported, NextStep::Next, Some(201));
        }
        let seconds = self.random.u64(0..20);
        match self.random.u32(0..12) {
            0 | 1 => answered(Verdict::Rejected, NextStep::Next, Some(422)),
            2 => answered(Verdict::Rejected, NextStep::Forbidden, Some(404)),
            3 => answered(Verdict::InDoubt, NextStep::Next, Some(500)),
            4 => answered(Verdict::InDoubt, NextStep::Next, None),
            5 => answered(Verdict::InDoubt, NextStep::DuplicateId, Some(200)),
            6 | 7 => answered(Verdict::NotSent, NextStep::Unreachable, None),
            8 => answered(
                Verdict::InDoubt,
                NextStep::Busy { retry_after: None },
                Some(500),
            ),
            9 if self.random.u32(0..20) == 0 => {
                answered(Verdict::NotSent, NextStep::Stop, Some(401))
            }
            _ => {
                let retry_after = self.random.bool().then_some(Duration::from_secs(seconds));
                answered(Verdict::NotSent, NextStep::Busy { retry_after }, Some(429))
            }
        }
    }

    /// One run over what the ledger leaves to send; crashes after `steps`.
    fn run(&mut self, cases: usize, steps: usize) -> RunResult {
        for state in self.ledger.values_mut() {
            if *state == Known::Sending {
                *state = Known::InDoubt;
            }
        }
        let plan: Vec<usize> = (0..cases)
            .filter(|case| {
                matches!(
                    self.ledger.get(case),
                    None | Some(Known::Rejected | Known::NotSent)
                )
            })
            .collect();
        let imported = self
            .ledger
            .values()
            .filter(|&&state| state == Known::Imported)
            .count();
        let settings = RunSettings {
            cases: plan.len(),
            in_flight: self.random.usize(1..=8),
            max_retries: self.random.u32(0..4),
            max_wait: Duration::from_secs(15),
            max_failures: self.random.u32(0..25),
            pace: PaceRange::default(),
            canary: Canary {
                needed: 2_u32.saturating_sub(imported as u32),
                echo: EchoPolicy::Show,
            },
            seed: self.seed,
        };
        let mut scheduler = Scheduler::new(settings.clone());
        let mut due: BinaryHeap<Due> = BinaryHeap::new();
        let mut now = Duration::ZERO;
        let mut in_flight: Vec<usize> = Vec::new();
        let mut claimed: Option<usize> = None;
        let mut last_start: Option<Duration> = None;
        // The latest time that any answer asked to wait for.
        let mut promised = Duration::ZERO;
        let mut stopped = false;

        for _ in 0..steps {
            let action = scheduler.next(now);
            match action.clone() {
                SchedulerAction::Claim(index) => {
                    let case = plan[index.0];
                    self.check(claimed.is_none(), "two cases claimed ahead");
                    self.check(
                        matches!(
                            self.ledger.get(&case),
                            None | Some(Known::Rejected | Known::NotSent)
                        ),
                        "claimed a case that must not be sent",
                    );
                    self.ledger.insert(case, Known::Sending);
                    claimed = Some(case);
                    self.later(&mut due, now, 20, SchedulerEvent::Claimed(index));
                }
                SchedulerAction::Release(index) => {
                    let case = plan[index.0];
                    self.check(
                        claimed == Some(case),
                        "released a case that was not claimed",
                    );
                    self.ledger.insert(case, Known::NotSent);
                    claimed = None;
                    self.later(&mut due, now, 20, SchedulerEvent::Released(index));
                }
                SchedulerAction::Start(index) => {
                    let case = plan[index.0];
                    self.check(claimed.take() == Some(case), "started without a claim");
                    self.check(!stopped, "started after the stop");
                    self.check(
                        scheduler.paused_until(now).is_none(),
                        "started during a pause",
                    );
                    self.check(now >= promised, "started before a Retry-After was over");
                    let gap =
                        last_start.map_or(Duration::MAX, |last| now.checked_sub(last).unwrap());
                    self.check(gap >= Duration::from_millis(97), "started too soon");
                    last_start = Some(now);
                    in_flight.push(case);
                    self.check(
                        in_flight.len() <= settings.in_flight,
                        "more calls in flight than allowed",
                    );
                    let answered = self.answer();
                    self.later(
                        &mut due,
                        now,
                        3_000,
                        SchedulerEvent::AttemptDone(index, answered),
                    );
                }
                SchedulerAction::AskEcho => self.check(false, "asked although nothing differs"),
                SchedulerAction::WaitUntil(time) => {
                    self.check(time > now, "waits for a time that has passed");
                    // A timer is never early and often late.
                    let late = Duration::from_millis(self.random.u64(0..8));
                    match due.peek() {
                        Some(next) if next.0 <= time => now = now.max(next.0),
                        _ => now = time + late,
                    }
                }
                SchedulerAction::WaitForEvent => {
                    let next = due.peek().map(|due| due.0);
                    self.check(next.is_some(), "waits for an event that never comes");
                    now = now.max(next.unwrap_or_default());
                }
                SchedulerAction::Finish(stop) => {
                    self.check(in_flight.is_empty(), "finished with calls in flight");
                    self.check(claimed.is_none(), "finished with a claim");
                    self.check(
                        stop.is_some() || plan.iter().all(|case| self.ledger.contains_key(case)),
                        "finished and left a case untried",
                    );
                    return RunResult {
                        stop,
                        crashed: false,
                    };
                }
            }
            while due.peek().is_some_and(|due| due.0 <= now) {
                let Some(Due(_, _, event)) = due.pop() else {
                    break;
                };
                if let SchedulerEvent::AttemptDone(index, answered) = &event {
                    let case = plan[index.0];
                    in_flight.retain(|&other| other != case);
                    if let NextStep::Busy {
                        retry_after: Some(wait),
                    } = answered.next_step
                    {
                        promised = promised.max(now + wait);
                    }
                    self.settle(case, answered.verdict);
                }
                scheduler.on(now, event);
            }
            if self.random.u32(0..5_000) == 0 {
                scheduler.on(now, SchedulerEvent::Stop(StopReason::Interrupted));
            }
            stopped |= scheduler.stopping().is_some();
        }
        RunResult {
            stop: None,
            crashed: true,
        }
    }

    /// Unless proved not sent, a complete request counts as sent.
    fn settle(&mut self, case: usize, verdict: Verdict) {
        if verdict != Verdict::NotSent {
            self.requests.entry(case).or_default().push(verdict);
        }
        self.ledger.insert(
            case,
            match verdict {
                Verdict::Imported => Known::Imported,
                Verdict::Rejected => Known::Rejected,
                Verdict::NotSent => Known::NotSent,
                Verdict::InDoubt => Known::InDoubt,
            },
        );
    }

    fn later(
        &mut self,
        due: &mut BinaryHeap<Due>,
        now: Duration,
        most: u64,
        event: SchedulerEvent,
    ) {
        self.serial += 1;
        let delay = Duration::from_millis(self.random.u64(0..=most));
        due.push(Due(now + delay, self.serial, event));
    }
}

#[test]
fn any_schedule_keeps_the_promise() {
    run_schedules(2_000);
}

/// Takes minutes: for a change of the scheduler itself.
#[test]
#[ignore = "takes minutes"]
fn a_million_schedules_keep_the_promise() {
    run_schedules(1_000_000);
}

fn run_schedules(seeds: u64) {
    let mut finished = 0;
    let mut stopped = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed);
        let cases = world.random.usize(1..40);
        for _ in 0..6 {
            let steps = world.random.usize(1..2_000);
            let ended = world.run(cases, steps);
            stopped += usize::from(ended.stop.is_some());
            if ended.stop.is_none() && !ended.crashed {
                finished += 1;
                break;
            }
        }
        for (case, requests) in &world.requests {
            let before_last = &requests[..requests.len() - 1];
            assert!(
                before_last
                    .iter()
                    .all(|verdict| *verdict == Verdict::Rejected),
                "seed {seed}: case {case} was sent again after {before_last:?}"
            );
        }
    }
    // Unless both ends are reached often, this proves little.
    assert!(finished > 200, "only {finished} runs finished");
    assert!(stopped > 200, "only {stopped} runs stopped early");
}
