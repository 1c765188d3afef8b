//! Clocks of a run: the floor under its pace, and whether the scheduler slept.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The hard floor below the schedule: whatever the state scheduler decides, no
/// two calls start closer than this.
pub(super) struct MinimumGap(
    RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
);

impl MinimumGap {
    pub(super) fn new(interval: Duration) -> Self {
        // Below 50 ms only the rate counts: as many calls as fit into 50 ms
        // may come together.
        let together = (50_000_000 / interval.as_nanos().max(1)).clamp(1, 1_000);
        let together = NonZeroU32::new(together as u32).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(interval.mul_f64(0.9).max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(together);
        Self(RateLimiter::direct_with_clock(quota, MonotonicClock))
    }

    pub(super) async fn wait(&self) {
        while let Err(too_soon) = self.0.check() {
            tokio::time::sleep(too_soon.wait_time_from(MonotonicClock.now())).await;
        }
    }
}

/// Notices that the scheduler slept: the wall clock went on without the other.
pub(super) struct SleepDetector {
    clock: Box<dyn FnMut() -> SystemTime>,
    wall: SystemTime,
    steady: Instant,
}

impl SleepDetector {
    /// More than a clock is ever corrected by while a run goes on.
    const NOTABLE: Duration = Duration::from_secs(5);

    /// By the scheduler's own clock on the wall.
    pub(super) fn new() -> Self {
        Self::by(SystemTime::now)
    }

    /// By another clock.
    pub(super) fn by(mut clock: impl FnMut() -> SystemTime + 'static) -> Self {
        Self {
            wall: clock(),
            steady: Instant::now(),
            clock: Box::new(clock),
        }
    }

    /// Whether it slept since this was asked last.
    pub(super) fn noticed(&mut self) -> bool {
        let wall = (self.clock)();
        self.noticed_at(wall, Instant::now())
    }

    fn noticed_at(&mut self, wall: SystemTime, steady: Instant) -> bool {
        // A clock that was set back is no sleep.
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let awake = steady.saturating_duration_since(self.steady);
        (self.wall, self.steady) = (wall, steady);
        by_wall > awake + Self::NOTABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_noticed_once_and_a_corrected_clock_is_none() {
        let secs = Duration::from_secs;
        let mut slept = SleepDetector::new();
        let (mut wall, mut steady) = (slept.wall, slept.steady);
        for (what, by_wall, awake, noticed) in [
            ("an hour of work", 3_600, 3_600, false),
            ("the clock is put right by 4 s", 14, 10, false),
            ("the lid was closed for 6 s", 16, 10, true),
            ("nothing since", 0, 0, false),
            ("a night", 30_000, 1, true),
        ] {
            wall += secs(by_wall);
            steady += secs(awake);
            assert_eq!(slept.noticed_at(wall, steady), noticed, "{what}");
        }
        wall -= secs(7_200);
        assert!(!slept.noticed_at(wall, steady), "the clock was set back");
        wall += secs(60);
        assert!(slept.noticed_at(wall, steady), "slept after that");
    }
}
