//! When the next call may start: an absolute schedule, start to start, and the
//! pauses of the whole run.
//!
//! A start that is a little late keeps the schedule, so there is no drift; one
//! that is later moves it, so there is no burst.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

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

/// The longest interval that 429s lead to.
const SLOWEST: Duration = Duration::from_secs(5);
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
    range: PaceRange,
    pub(super) interval: Duration,
    /// By how much one success shortens the interval.
    step: Duration,
    next_start: Duration,
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
            range,
            interval: range.lower,
            step: Duration::ZERO,
            next_start: Duration::ZERO,
            paused_until: None,
            last_before_pause: 0,
            pauses_in_a_row: 0,
            server_answered: false,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn next_start(&self) -> Duration {
        self.next_start
    }

    pub(super) fn paused_until(&self, now: Duration) -> Option<Duration> {
        self.paused_until.filter(|&until| until > now)
    }

    pub(super) fn started(&mut self, now: Duration) {
        let late = now.saturating_sub(self.next_start);
        let allowed = if self.interval < MIN_EXACT_INTERVAL {
            MIN_EXACT_INTERVAL
        } else {
            MAX_LATENESS
        };
        let from = if late <= allowed {
            self.next_start
        } else {
            now
        };
        self.next_start = from + self.interval;
    }

    pub(super) fn answered(&mut self) {
        self.server_answered = true;
    }

    /// The server accepted or rejected a case: the next pause is short again.
    pub(super) fn recovered(&mut self) {
        self.pauses_in_a_row = 0;
    }

    /// After an import: a tenth of the way back to the range's start.
    pub(super) fn speed_up(&mut self) {
        let faster = self.interval.saturating_sub(self.step);
        self.interval = faster.max(self.range.lower);
    }

    /// Whether a call started after the last pause began. Answers to earlier
    /// calls belong to that pause.
    pub(super) fn is_new(&self, call: u64) -> bool {
        call > self.last_before_pause
    }

    /// The server asks to wait: pauses and slows down.
    pub(super) fn busy(&mut self, now: Duration, last_call: u64, retry_after: Option<Duration>) {
        self.slow_down(now);
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
        let until = now.saturating_add(pause);
        self.paused_until = Some(until);
        self.next_start = self.next_start.max(until);
    }

    /// To the range's end, and from there to twice the interval each time. Ten
    /// successes lead back.
    fn slow_down(&mut self, now: Duration) {
        let before = self.interval;
        self.interval = if before < self.range.upper {
            self.range.upper
        } else {
            (before * 2).min(SLOWEST.max(self.range.upper))
        };
        self.step = self.interval.saturating_sub(self.range.lower) / 10;
        // The next start was set with the old interval.
        let longer = self.interval.saturating_sub(before);
        self.next_start = self.next_start.saturating_add(longer).max(now);
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

    #[test]
    fn a_429_slows_the_pace_and_successes_speed_it_up() {
        let mut pacing = Pacing::new(PaceRange::default(), 1);
        pacing.started(ms(0));
        pacing.slow_down(ms(50));
        assert_eq!((pacing.interval, pacing.next_start()), (ms(200), ms(200)));
        pacing.slow_down(ms(50));
        assert_eq!(pacing.interval, ms(400));
        for _ in 0..10 {
            pacing.slow_down(ms(50));
        }
        assert_eq!(pacing.interval, SLOWEST);
        for _ in 0..9 {
            pacing.speed_up();
            assert!(pacing.interval > ms(100));
        }
        pacing.speed_up();
        assert_eq!(pacing.interval, ms(100));
        pacing.speed_up();
        assert_eq!(pacing.interval, ms(100));
    }
}
