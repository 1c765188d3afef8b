//! Pauses of the whole run: when the server can't be reached, or asks for
//! patience.

use std::time::Duration;

/// Before the run's first answer nothing shows that the address is right, so
/// only this many tries are made.
const FIRST_TRIES: u32 = 3;
/// The bounds of the first and the longest pause while the server can't be
/// reached; the first three tries fit into ten seconds.
const UNREACHABLE_FIRST: Duration = Duration::from_secs(2);
const UNREACHABLE_LONGEST: Duration = Duration::from_mins(1);
/// The same while it answers that it is busy and doesn't say how long.
const BUSY_FIRST: Duration = Duration::from_secs(1);
const BUSY_LONGEST: Duration = Duration::from_mins(1);

/// Where the run stands with pauses.
#[derive(Debug)]
pub(super) struct Pauses {
    until: Option<Duration>,
    /// The last start before the last pause or slow-down.
    last_start: u64,
    /// Pauses in a row without an answer that let a case through.
    in_a_row: u32,
    /// Whether the server has answered at all.
    reached: bool,
    random: fastrand::Rng,
}

impl Pauses {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            until: None,
            last_start: 0,
            in_a_row: 0,
            reached: false,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn until(&self) -> Option<Duration> {
        self.until
    }

    /// The server answered, whatever it said.
    pub(super) fn reached(&mut self) {
        self.reached = true;
    }

    /// The server took or refused a case: the trouble is over.
    pub(super) fn went_through(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether a call that was started as number `start` says something new.
    pub(super) fn is_news(&self, start: u64) -> bool {
        start > self.last_start
    }

    /// The server asks for patience. Returns the pause's end.
    pub(super) fn busy(
        &mut self,
        now: Duration,
        starts: u64,
        retry_after: Option<Duration>,
    ) -> Duration {
        let pause =
            retry_after.unwrap_or_else(|| doubled(BUSY_FIRST, self.in_a_row).min(BUSY_LONGEST));
        self.pause(now, starts, pause)
    }

    /// The server can't be reached. Returns the pause's end, or none when the
    /// run should give up because it was never reached.
    pub(super) fn unreachable(&mut self, now: Duration, starts: u64) -> Option<Duration> {
        if !self.reached && self.in_a_row + 1 >= FIRST_TRIES {
            return None;
        }
        let longest = doubled(UNREACHABLE_FIRST, self.in_a_row).min(UNREACHABLE_LONGEST);
        // Full jitter: many clients that lost one server come back spread out.
        let pause = longest.mul_f64(self.random.f64());
        Some(self.pause(now, starts, pause))
    }

    fn pause(&mut self, now: Duration, starts: u64, pause: Duration) -> Duration {
        self.in_a_row += 1;
        self.last_start = starts;
        let until = now.saturating_add(pause);
        self.until = Some(until);
        until
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times))
}
