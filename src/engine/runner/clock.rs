//! The runner's clocks: the minimum gap between two starts, and whether the
//! machine was asleep.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The hard floor below the schedule: whatever the scheduler decides, no two
/// calls start closer than this.
pub(super) struct MinimumGap(
    RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
);

impl MinimumGap {
    pub(super) fn new(interval: Duration) -> Self {
        // Below 50 ms only the rate counts: as many calls as fit into 50 ms
        // may start together.
        let burst = (50_000_000 / interval.as_nanos().max(1)).clamp(1, 1_000);
        let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(interval.mul_f64(0.9).max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Self(RateLimiter::direct_with_clock(quota, MonotonicClock))
    }

    pub(super) async fn wait(&self) {
        while let Err(too_soon) = self.0.check() {
            tokio::time::sleep(too_soon.wait_time_from(MonotonicClock.now())).await;
        }
    }
}

/// Notices that the machine was asleep: the wall clock went on, the monotonic
/// clock did not.
pub(super) struct SleepDetector {
    wall_clock: Box<dyn FnMut() -> SystemTime>,
    wall: SystemTime,
    monotonic: Instant,
}

impl SleepDetector {
    /// More than a wall clock is ever corrected by during a run.
    const THRESHOLD: Duration = Duration::from_secs(5);

    pub(super) fn new(mut wall_clock: impl FnMut() -> SystemTime + 'static) -> Self {
        Self {
            wall: wall_clock(),
            monotonic: Instant::now(),
            wall_clock: Box::new(wall_clock),
        }
    }

    /// Whether the machine slept since the last call.
    pub(super) fn slept(&mut self) -> bool {
        let wall = (self.wall_clock)();
        self.slept_at(wall, Instant::now())
    }

    fn slept_at(&mut self, wall: SystemTime, monotonic: Instant) -> bool {
        // A clock that was set back is no sleep.
        let passed = wall.duration_since(self.wall).unwrap_or_default();
        let awake = monotonic.saturating_duration_since(self.monotonic);
        (self.wall, self.monotonic) = (wall, monotonic);
        passed > awake + Self::THRESHOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_noticed_once_and_a_corrected_clock_is_no_sleep() {
        let secs = Duration::from_secs;
        let mut detector = SleepDetector::new(SystemTime::now);
        let (mut wall, mut monotonic) = (detector.wall, detector.monotonic);
        for (what, passed, awake, slept) in [
            ("an hour of work", 3_600, 3_600, false),
            ("the clock is corrected by 4 s", 14, 10, false),
            ("the lid was closed for 6 s", 16, 10, true),
            ("nothing since", 0, 0, false),
            ("a night", 30_000, 1, true),
        ] {
            wall += secs(passed);
            monotonic += secs(awake);
            assert_eq!(detector.slept_at(wall, monotonic), slept, "{what}");
        }
        wall -= secs(7_200);
        assert!(
            !detector.slept_at(wall, monotonic),
            "the clock was set back"
        );
        wall += secs(60);
        assert!(detector.slept_at(wall, monotonic), "slept after that");
    }
}
