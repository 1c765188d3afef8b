//! Clocks of a run: the floor under its pace, and whether the machine slept.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The hard floor below the schedule: whatever the state machine decides, no
/// two calls start closer than this.
pub(super) struct Floor(
    RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
);

impl Floor {
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

/// Notices that the machine slept: the wall clock went on without the other.
pub(super) struct Slept {
    wall: SystemTime,
    steady: Instant,
}

impl Slept {
    /// More than a clock is ever corrected by while a run goes on.
    const NOTABLE: Duration = Duration::from_secs(5);

    pub(super) fn new() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    pub(super) fn noticed(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        let wall = self.wall.duration_since(before.wall).unwrap_or_default();
        let steady = self.steady.saturating_duration_since(before.steady);
        wall > steady + Self::NOTABLE
    }
}
