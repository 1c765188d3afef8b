//! When the next call may start: an absolute schedule, start to start, and the
//! pauses of the whole run.
//!
//! A start that is a little late keeps the schedule, so there is no drift; one
//! that is later moves it, so there is no burst.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::rate::RateControl;

/// The bounds of the interval between the starts of two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PaceRange {
    /// The interval at the start of a run, to which successes lead back.
    pub lower: Duration,
    /// The interval after the first 429.
    pub upper: Duration,
}

impl Default for PaceRange {
    /// As the API's guide asks.
    fn default() -> Self {
        Self {
            lower: Duration::from_millis(100),
            upper: Duration::from_millis(200),
        }
    }
}

impl FromStr for PaceRange {
    type Err = &'static str;

    /// Reads `100ms..200ms`; of a single value the range ends at twice it.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let invalid = "expected a duration such as 100ms, or a range such as 100ms..200ms";
        let read = |text| parse_duration(text).ok_or(invalid);
        let (lower, upper) = match text.split_once("..") {
            Some((lower, upper)) => (read(lower)?, read(upper)?),
            None => (read(text)?, read(text)?.saturating_mul(2)),
        };
        if lower.is_zero() {
            Err("the pace must not be zero; the shortest is 1ms")
        } else if upper < lower {
            Err("the end of the range is shorter than its start")
        } else {
            Ok(Self { lower, upper })
        }
    }
}

/// Reads a duration such as `100ms`, `1.5s`, `90s` or `10m`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.trim().parse().ok()?;
    duration.try_into().ok()
}

/// A start up to this late keeps the schedule.
const MAX_LATENESS: Duration = Duration::from_millis(3);
/// Below this interval an ordinary machine can't hold single gaps; only the
/// rate counts.
const MIN_EXACT_INTERVAL: Duration = Duration::from_millis(50);

/// Before the run's first answer nothing shows that the address is right, so
/// only this many tries are made.
const FIRST_TRIES: u32 = 3;
/// The longest first pause while the server can't be reached; doubled with each
/// further one. The first three tries fit into ten seconds.
const UNREACHABLE_FIRST: Duration = Duration::from_secs(2);
/// The first pause after a 429 without `Retry-After`; doubled likewise.
const BUSY_FIRST: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub(super) struct Pacing {
    pub(super) rate: RateControl,
    /// When the next call starts, unless a pause ends later.
    scheduled: Duration,
    paused_until: Option<Duration>,
    /// The last call started before the last pause began.
    last_before_pause: u64,
    /// Pauses in a row without an answer that processed a case.
    pauses_in_a_row: u32,
    server_answered: bool,
    rng: fastrand::Rng,
}

impl Pacing {
    /// The first call may start at once.
    pub(super) fn new(range: PaceRange, seed: u64) -> Self {
        Self {
            rate: RateControl::new(range),
            scheduled: Duration::ZERO,
            paused_until: None,
            last_before_pause: 0,
            pauses_in_a_row: 0,
            server_answered: false,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn next_start(&self) -> Duration {
        self.scheduled.max(self.paused_until.unwrap_or_default())
    }

    pub(super) fn paused_until(&self, now: Duration) -> Option<Duration> {
        self.paused_until.filter(|&until| until > now)
    }

    pub(super) fn started(&mut self, now: Duration) {
        let next_start = self.next_start();
        let late = now.saturating_sub(next_start);
        let interval = self.rate.interval();
        let allowed = if interval < MIN_EXACT_INTERVAL {
            MIN_EXACT_INTERVAL
        } else {
            MAX_LATENESS
        };
        let from = if late <= allowed { next_start } else { now };
        self.scheduled = from + interval;
    }

    pub(super) fn answered(&mut self) {
        self.server_answered = true;
    }

    /// The server accepted or rejected a case: the next pause is short again.
    pub(super) fn recovered(&mut self) {
        self.pauses_in_a_row = 0;
    }

    /// Whether a call started after the last pause began. Answers to earlier
    /// calls belong to that pause.
    pub(super) fn is_new(&self, call: u64) -> bool {
        call > self.last_before_pause
    }

    /// No call starts before the latest time that any answer has named.
    pub(super) fn wait_until(&mut self, time: Duration) {
        self.paused_until = self.paused_until.max(Some(time));
    }

    /// The server asks to wait: slows down and pauses.
    pub(super) fn busy(
        &mut self,
        now: Duration,
        call: u64,
        last_call: u64,
        retry_after: Option<Duration>,
    ) {
        let before = self.rate.interval();
        self.rate.slow_down(call, last_call);
        // The next start was set with the old interval.
        let longer = self.rate.interval().saturating_sub(before);
        self.scheduled = self.scheduled.saturating_add(longer).max(now);
        let pause = retry_after.unwrap_or_else(|| self.doubled(BUSY_FIRST));
        self.pause(now, last_call, pause);
    }

    /// The server can't be reached: pauses, or returns false when it was never
    /// reached and the tries are used up.
    pub(super) fn unreachable(&mut self, now: Duration, last_call: u64) -> bool {
        if !self.server_answered && self.pauses_in_a_row + 1 >= FIRST_TRIES {
            return false;
        }
        // Full jitter: clients that lost one server come back spread out.
        let pause = self.doubled(UNREACHABLE_FIRST).mul_f64(self.rng.f64());
        self.pause(now, last_call, pause);
        true
    }

    fn doubled(&self, first: Duration) -> Duration {
        let factor = 2_u32.saturating_pow(self.pauses_in_a_row);
        first.saturating_mul(factor).min(MAX_PAUSE)
    }

    fn pause(&mut self, now: Duration, last_call: u64, pause: Duration) {
        self.pauses_in_a_row += 1;
        self.last_before_pause = last_call;
        self.wait_until(now.saturating_add(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_pace_is_a_range_or_the_start_of_one() {
        assert_eq!("100ms..200ms".parse(), Ok(PaceRange::default()));
        assert_eq!("100ms".parse(), Ok(PaceRange::default()));
        let range = |lower, upper| PaceRange { lower, upper };
        assert_eq!("0.25s .. 1s".parse(), Ok(range(ms(250), ms(1000))));
        for (text, error) in [
            ("", "expected a duration"),
            ("100", "expected a duration"),
            ("fast", "expected a duration"),
            ("0ms", "must not be zero"),
            ("2s..1s", "shorter than its start"),
        ] {
            let found = text.parse::<PaceRange>().unwrap_err();
            assert!(found.contains(error), "{text:?}: {found}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_are_not_negative() {
        for (text, duration) in [
            ("400ms", ms(400)),
            ("1.5s", ms(1_500)),
            ("90s", ms(90_000)),
            ("10m", ms(600_000)),
            (" 1h ", ms(3_600_000)),
            ("0ms", ms(0)),
        ] {
            assert_eq!(parse_duration(text), Some(duration), "{text:?}");
        }
        for text in ["", "5", "-1s", "s", "1x", "1s ago"] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn small_lateness_causes_no_drift() {
        let mut pacing = Pacing::new(PaceRange::default(), 1);
        let mut now = Duration::ZERO;
        for call in 0..5_000 {
            now = pacing.next_start() + ms(call % 4);
            pacing.started(now);
        }
        assert_eq!(pacing.next_start(), ms(100) * 5_000);
        assert!(pacing.next_start().checked_sub(now).unwrap() >= ms(97));
    }

    #[test]
    fn late_starts_are_not_made_up_for() {
        let mut pacing = Pacing::new(PaceRange::default(), 1);
        pacing.started(ms(0));
        pacing.started(ms(5_000));
        assert_eq!(pacing.next_start(), ms(5_100));
        pacing.pause(ms(5_000), 2, ms(4_000));
        pacing.started(ms(9_001));
        assert_eq!(pacing.next_start(), ms(9_100), "no burst after a pause");
    }
}
