//! When the calls of a whole run start, in virtual time: timers fire late, the
//! ledger takes its time, and the server answers late.

use super::*;
use std::collections::BTreeMap;

/// What surrounds the scheduler.
struct World {
    interval: Duration,
    latency: Duration,
    /// How late a timer may fire.
    late: Duration,
    /// How long a claim takes.
    claim: Duration,
    in_flight: usize,
    random: fastrand::Rng,
    /// The answer by the number and the time of its call.
    answer: Box<dyn FnMut(usize, Duration) -> AttemptResult>,
    /// How far the clock jumps after a start, as when the machine slept.
    sleep: fn(usize) -> Duration,
}

/// What happened in a run.
struct Seen {
    starts: Vec<Duration>,
    /// When the last answer came.
    end: Duration,
    most_in_flight: usize,
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn imported() -> AttemptResult {
    AttemptResult {
        verdict: Verdict::Imported,
        next_step: NextStep::Next,
        status: Some(201),
        echo_differs: false,
    }
}

fn busy(retry_after: Duration) -> AttemptResult {
    AttemptResult {
        verdict: Verdict::NotSent,
        next_step: NextStep::Busy {
            retry_after: Some(retry_after),
        },
        status: Some(429),
        echo_differs: false,
    }
}

fn world(interval: Duration, latency: Duration) -> World {
    World {
        interval,
        latency,
        late: ms(3),
        claim: ms(2),
        in_flight: 32,
        random: fastrand::Rng::with_seed(11),
        answer: Box::new(|_, _| imported()),
        sleep: |_| Duration::ZERO,
    }
}

impl World {
    fn run(mut self, cases: usize) -> Seen {
        let mut scheduler = Scheduler::new(RunSettings {
            cases,
            in_flight: self.in_flight,
            max_retries: 5,
            max_wait: Duration::from_mins(10),
            max_failures: 20,
            pace: PaceRange {
                lower: self.interval,
                upper: self.interval * 2,
            },
            canary: Canary {
                needed: 2,
                echo: EchoPolicy::Show,
            },
            seed: 1,
        });
        let mut now = Duration::ZERO;
        // What will happen, in order.
        let mut due: BTreeMap<(Duration, usize), SchedulerEvent> = BTreeMap::new();
        let mut serial = 0;
        let mut seen = Seen {
            starts: Vec::new(),
            end: Duration::ZERO,
            most_in_flight: 0,
        };
        loop {
            let mut later = |at: Duration, event| {
                serial += 1;
                due.insert((at, serial), event);
            };
            let wake = match scheduler.next(now) {
                SchedulerAction::Claim(case) => {
                    later(now + self.claim, SchedulerEvent::Claimed(case));
                    continue;
                }
                SchedulerAction::Release(case) => {
                    later(now + self.claim, SchedulerEvent::Released(case));
                    continue;
                }
                SchedulerAction::Start(case) => {
                    let number = seen.starts.len();
                    seen.starts.push(now);
                    seen.most_in_flight = seen.most_in_flight.max(scheduler.in_flight.len());
                    let answered = (self.answer)(number, now);
                    later(
                        now + self.latency,
                        SchedulerEvent::AttemptDone(case, answered),
                    );
                    now += (self.sleep)(number);
                    continue;
                }
                SchedulerAction::AskEcho => panic!("asked although nothing differs"),
                SchedulerAction::Finish(stop) => {
                    assert_eq!(stop, None);
                    return seen;
                }
                SchedulerAction::WaitUntil(time) => Some(time),
                SchedulerAction::WaitForEvent => None,
            };
            let next = due.first_key_value().map(|(&(at, _), _)| at);
            match (wake, next) {
                (Some(wake), next) if next.is_none_or(|next| wake < next) => {
                    now = now.max(wake) + self.late.mul_f64(self.random.f64());
                }
                (_, Some(_)) => {
                    let ((at, _), event) = due.pop_first().unwrap();
                    now = now.max(at);
                    if matches!(event, SchedulerEvent::AttemptDone(..)) {
                        seen.end = now;
                    }
                    scheduler.on(now, event);
                }
                (_, None) => panic!("waits for nothing at {now:?}"),
            }
        }
    }
}

impl Seen {
    fn gaps(&self) -> impl Iterator<Item = Duration> {
        self.starts.windows(2).map(|pair| pair[1].abs_diff(pair[0]))
    }

    /// No two starts closer than the pace allows.
    #[track_caller]
    fn keeps_its_gaps(&self, interval: Duration) {
        let shortest = self.gaps().min().unwrap();
        let least = interval.mul_f64(0.9).max(interval.saturating_sub(ms(3)));
        assert!(shortest >= least, "a gap of {shortest:?} at {interval:?}");
    }
}

#[test]
fn five_thousand_calls_take_as_long_as_the_pace_says_at_any_latency() {
    for interval in [50, 100, 200].map(ms) {
        for latency in [0, 5, 400, 2_000].map(ms) {
            let seen = World {
                // Answers in 2 s at 50 ms need 40, more than the default.
                in_flight: 48,
                ..world(interval, latency)
            }
            .run(5_000);
            seen.keeps_its_gaps(interval);
            // Two canaries wait for their answers, and the last call for its.
            let bound = interval * 4_999 + latency * 3;
            let ratio = seen.end.as_secs_f64() / bound.as_secs_f64();
            assert!(ratio <= 1.01, "{interval:?}, {latency:?}: {ratio}");
            assert_eq!(seen.starts.len(), 5_000);
        }
    }
}

#[test]
fn calls_start_on_time_until_the_end_of_a_run() {
    let seen = world(ms(100), ms(5)).run(5_000);
    let lateness = |call: usize| {
        let slot = seen.starts[2] + ms(100) * (call - 2) as u32;
        seen.starts[call].abs_diff(slot)
    };
    for call in [3, 1_000, 2_500, 4_999] {
        assert!(lateness(call) <= ms(3), "call {call}: {:?}", lateness(call));
    }
}

#[test]
fn calls_in_flight_follow_the_latency() {
    for (latency, expected) in [(5, 1..=1), (90, 1..=1), (400, 4..=5), (2_000, 20..=21)] {
        let seen = world(ms(100), ms(latency)).run(500);
        assert!(
            expected.contains(&seen.most_in_flight),
            "answers in {latency} ms: {} in flight",
            seen.most_in_flight
        );
    }
}

#[test]
fn a_slow_claim_delays_no_start() {
    let slow = World {
        claim: ms(80),
        ..world(ms(100), ms(5))
    };
    let seen = slow.run(1_000);
    seen.keeps_its_gaps(ms(100));
    let bound = ms(100) * 999 + ms(15);
    let ratio = seen.end.as_secs_f64() / bound.as_secs_f64();
    assert!(ratio <= 1.01, "{ratio}");
}

#[test]
fn after_a_sleep_of_the_machine_no_starts_are_made_up_for() {
    let seen = World {
        sleep: |number| match number {
            100 => Duration::from_mins(60),
            // A short stall, several slots long.
            300 => ms(730),
            _ => Duration::ZERO,
        },
        ..world(ms(100), ms(5))
    }
    .run(500);
    seen.keeps_its_gaps(ms(100));
}

#[test]
fn after_a_pause_and_its_retries_there_is_no_burst() {
    let seen = World {
        // Busy now and then, with many calls in flight.
        answer: Box::new(|number, _| {
            if number % 60 == 50 {
                busy(Duration::from_secs(3))
            } else {
                imported()
            }
        }),
        ..world(ms(100), ms(2_000))
    }
    .run(400);
    seen.keeps_its_gaps(ms(100));
    assert_eq!(
        seen.starts.len(),
        400 + 6,
        "each busy answer is tried again"
    );
    let pauses = seen.gaps().filter(|gap| *gap >= ms(2_900)).count();
    assert_eq!(pauses, 6, "each busy answer pauses the run");
}

#[test]
fn below_50_ms_the_rate_holds_though_each_timer_is_late() {
    let seen = World {
        late: ms(2),
        claim: Duration::from_micros(300),
        ..world(ms(1), ms(2))
    }
    .run(10_000);
    let bound = ms(9_999 + 6);
    let ratio = seen.end.as_secs_f64() / bound.as_secs_f64();
    assert!(ratio <= 1.01, "{ratio}");
    // Lateness is made up for, but never more than 50 ms of it.
    let most = (0..seen.starts.len())
        .map(|first| {
            let until = seen.starts[first] + ms(10);
            seen.starts[first..]
                .iter()
                .take_while(|start| **start < until)
                .count()
        })
        .max();
    assert!(most.unwrap() <= 60, "{most:?} starts within 10 ms");
}

/// A server that allows so many calls a second: a bucket that two calls may
/// empty at once.
struct Bucket {
    rate: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn answer(&mut self, now: Duration) -> AttemptResult {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(2.0);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return imported();
        }
        let wait = ((1.0 - self.tokens) / self.rate).ceil().max(1.0);
        busy(Duration::from_secs_f64(wait))
    }
}

#[test]
fn a_steady_limit_is_found_and_not_hit_again_and_again() {
    for rate in [2.0, 3.0, 5.0, 7.0, 9.5] {
        for latency in [0, 500, 2_000] {
            for seed in 1..=3 {
                let mut bucket = Bucket {
                    rate,
                    tokens: 2.0,
                    at: Duration::ZERO,
                };
                let (counted, counts) = std::sync::mpsc::channel();
                let world = World {
                    random: fastrand::Rng::with_seed(seed),
                    answer: Box::new(move |_, now| {
                        let answer = bucket.answer(now);
                        if (20..120).contains(&now.as_secs()) {
                            counted.send(answer.verdict).unwrap();
                        }
                        answer
                    }),
                    ..world(ms(100), ms(latency))
                };
                world.run((rate * 125.0) as usize);
                let verdicts: Vec<Verdict> = counts.iter().collect();
                let calls = verdicts.len() as f64;
                let imported = |verdict: &&Verdict| **verdict == Verdict::Imported;
                let imported = verdicts.iter().filter(imported).count() as f64;
                let what = format!("{rate}/s, answers in {latency} ms, seed {seed}");
                let too_many = 1.0 - imported / calls;
                assert!(too_many <= 0.03, "{what}: {too_many} of the calls were 429");
                let used = imported / (rate * 100.0);
                assert!(used >= 0.9, "{what}: {used} of the rate was used");
            }
        }
    }
}
