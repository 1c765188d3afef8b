//! When the next call may start: an absolute schedule, start to start.
//!
//! Pure: time comes in as the span since the run began. A start that is a
//! little late keeps the schedule, so that there is no drift; one that is late
//! by more moves it, so that there is no burst.

#[cfg(test)]
mod schedule;

use std::str::FromStr;
use std::time::Duration;

/// The intervals between starts that a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceRange {
    /// Where it begins and comes back to.
    pub lower: Duration,
    /// Where the first "too many requests" takes it.
    pub upper: Duration,
}

impl Default for PaceRange {
    /// What the guide asks for: 100 to 200 ms.
    fn default() -> Self {
        Self {
            lower: Duration::from_millis(100),
            upper: Duration::from_millis(200),
        }
    }
}

/// A text that is no pace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaceError {
    /// Neither a span nor two.
    #[error("expected a span such as 100ms, or a range such as 100ms..200ms")]
    Unreadable,
    /// The wrong way round.
    #[error("the range's end is below its start")]
    Reversed,
    /// No span at all.
    #[error("a pace of zero would be no pace; the shortest is 1ms")]
    Zero,
}

impl FromStr for PaceRange {
    type Err = PaceError;

    /// Reads `100ms..200ms`; one value fixes the start, and the end is twice it.
    fn from_str(text: &str) -> Result<Self, PaceError> {
        let (lower, upper) = match text.split_once("..") {
            Some((lower, upper)) => (span(lower)?, span(upper)?),
            None => (span(text)?, span(text)?.saturating_mul(2)),
        };
        if lower.is_zero() {
            Err(PaceError::Zero)
        } else if upper < lower {
            Err(PaceError::Reversed)
        } else {
            Ok(Self { lower, upper })
        }
    }
}

fn span(text: &str) -> Result<Duration, PaceError> {
    parse_span(text).ok_or(PaceError::Unreadable)
}

/// Reads a span of time such as `90s`, `100ms`, `10m` or `1.5s`.
pub fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// The slowest that "too many requests" makes a run.
const SLOWEST: Duration = Duration::from_secs(5);
/// Lateness up to this keeps the schedule.
const LATE: Duration = Duration::from_millis(3);
/// Below this interval single gaps are too short to hold on an ordinary
/// scheduler; only the rate counts.
const ONLY_THE_RATE: Duration = Duration::from_millis(50);

/// The schedule of a run.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    range: PaceRange,
    interval: Duration,
    /// How far one success brings the interval back down.
    step: Duration,
    slot: Duration,
}

impl Pace {
    /// Starts at the range's lower bound; the first slot is now.
    pub(super) fn new(range: PaceRange) -> Self {
        Self {
            range,
            interval: range.lower,
            step: Duration::ZERO,
            slot: Duration::ZERO,
        }
    }

    /// When the next call may start.
    pub(super) fn slot(&self) -> Duration {
        self.slot
    }

    /// The interval in force.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// A call has started.
    pub(super) fn started(&mut self, now: Duration) {
        let late = now.saturating_sub(self.slot);
        let from = if late <= self.allowed_lateness() {
            self.slot
        } else {
            now
        };
        self.slot = from + self.interval;
    }

    fn allowed_lateness(&self) -> Duration {
        if self.interval < ONLY_THE_RATE {
            ONLY_THE_RATE
        } else {
            LATE
        }
    }

    /// No call before this.
    pub(super) fn hold_until(&mut self, time: Duration) {
        self.slot = self.slot.max(time);
    }

    /// "Too many requests": to the upper bound, and from there twice as slow.
    /// Ten successes lead back.
    pub(super) fn slow_down(&mut self, now: Duration) {
        let before = self.interval;
        self.interval = if self.interval < self.range.upper {
            self.range.upper
        } else {
            (self.interval * 2).min(SLOWEST.max(self.range.upper))
        };
        self.step = self.interval.saturating_sub(self.range.lower) / 10;
        // The slot was made with the old interval.
        self.slot = (self.slot + self.interval.saturating_sub(before)).max(now);
    }

    /// A success: a tenth of the way back down.
    pub(super) fn speed_up(&mut self) {
        self.interval = self
            .interval
            .saturating_sub(self.step)
            .max(self.range.lower);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_pace_is_read_as_a_range_or_its_start() {
        assert_eq!("100ms..200ms".parse(), Ok(PaceRange::default()));
        assert_eq!("100ms".parse(), Ok(PaceRange::default()));
        let range = |lower, upper| PaceRange { lower, upper };
        assert_eq!("0.25s .. 1s".parse(), Ok(range(ms(250), ms(1000))));
        for (text, error) in [
            ("", PaceError::Unreadable),
            ("100", PaceError::Unreadable),
            ("fast", PaceError::Unreadable),
            ("0ms", PaceError::Zero),
            ("2s..1s", PaceError::Reversed),
        ] {
            assert_eq!(text.parse::<PaceRange>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_little_lateness_makes_no_drift() {
        let mut pace = Pace::new(PaceRange::default());
        let mut now = Duration::ZERO;
        for call in 0..5_000 {
            now = pace.slot() + ms(call % 4);
            pace.started(now);
        }
        assert_eq!(pace.slot(), ms(100) * 5_000);
        assert!(pace.slot().checked_sub(now).unwrap() >= ms(97));
    }

    #[test]
    fn what_is_late_is_not_made_up() {
        let mut pace = Pace::new(PaceRange::default());
        pace.started(ms(0));
        pace.started(ms(5_000));
        assert_eq!(pace.slot(), ms(5_100));
        pace.hold_until(ms(9_000));
        pace.started(ms(9_001));
        assert_eq!(pace.slot(), ms(9_100), "no burst behind a pause");
    }

    #[test]
    fn it_slows_down_and_comes_back() {
        let mut pace = Pace::new(PaceRange::default());
        pace.started(ms(0));
        pace.slow_down(ms(50));
        assert_eq!((pace.interval(), pace.slot()), (ms(200), ms(200)));
        pace.slow_down(ms(50));
        assert_eq!(pace.interval(), ms(400));
        for _ in 0..10 {
            pace.slow_down(ms(50));
        }
        assert_eq!(pace.interval(), SLOWEST);
        for _ in 0..9 {
            pace.speed_up();
            assert!(pace.interval() > ms(100));
        }
        pace.speed_up();
        assert_eq!(pace.interval(), ms(100));
        pace.speed_up();
        assert_eq!(pace.interval(), ms(100));
    }
}
