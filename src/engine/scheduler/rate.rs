//! The interval between calls, found by trying, since no answer names the
//! server's limit.
//!
//! A 429 slows the run down. The interval at which it came was too short and is
//! remembered. Successes lead back to the shortest interval that held, and from
//! there halfway towards the one that was too short, again and again until the
//! two are close. Only after a long quiet stretch is that one tried again, so
//! that a steady limit is not hit every few seconds.

use std::time::Duration;

use super::PaceRange;

/// The longest interval that 429s lead to.
const SLOWEST: Duration = Duration::from_secs(5);
/// So many successes in a row mean that an interval holds.
const QUIET: u32 = 10;
/// Within this factor of the interval that was too short there is little to gain.
const CLOSE: f64 = 1.1;
/// After so many successes in a row the server's limit may have changed.
const LONG_QUIET: u32 = 1_000;
/// How much longer than the one that was too short the next interval is, doubled
/// with each 429 that comes before a quiet stretch.
const MARGIN: f64 = 0.05;
/// Doublings after which the margin has no effect: before an interval has held,
/// nothing better is known than the one that the run was slowed down to.
const UNKNOWN: u32 = 5;

#[derive(Debug, Clone)]
pub(super) struct RateControl {
    range: PaceRange,
    interval: Duration,
    /// The interval at which the last 429 came.
    too_short: Option<Duration>,
    /// The shortest interval that held, or that is hoped to.
    held: Duration,
    /// Successes in a row at this interval.
    quiet: u32,
    /// 429s since the last quiet stretch.
    slow_downs: u32,
    /// The last call before the interval was chosen; answers to calls up to it
    /// prove nothing about the interval.
    chosen_after: u64,
}

impl RateControl {
    pub(super) fn new(range: PaceRange) -> Self {
        Self {
            range,
            interval: range.lower,
            too_short: None,
            held: Duration::ZERO,
            quiet: 0,
            slow_downs: UNKNOWN,
            chosen_after: 0,
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// The server answered this call with a 429: to the range's end, and from
    /// there to twice the interval each time.
    pub(super) fn slow_down(&mut self, call: u64, last_call: u64) {
        let failed = if call > self.chosen_after {
            self.interval
        } else {
            self.held
        };
        self.interval = if self.interval < self.range.upper {
            self.range.upper
        } else {
            (self.interval * 2).min(SLOWEST.max(self.range.upper))
        };
        self.too_short = Some(failed);
        if self.held <= failed {
            let margin = MARGIN * f64::from(1 << self.slow_downs);
            self.held = failed.mul_f64(1.0 + margin).min(self.interval);
        }
        self.slow_downs = (self.slow_downs + 1).min(UNKNOWN);
        self.quiet = 0;
        self.chosen_after = last_call;
    }

    /// The server accepted the case of this call.
    pub(super) fn speed_up(&mut self, call: u64, last_call: u64) {
        let Some(too_short) = self.too_short.filter(|_| call > self.chosen_after) else {
            return;
        };
        self.interval = self.interval.min(self.held);
        self.quiet += 1;
        if self.quiet == QUIET {
            self.held = self.interval;
            self.slow_downs = 0;
        }
        let is_close = self.interval <= too_short.mul_f64(CLOSE);
        if self.quiet < if is_close { LONG_QUIET } else { QUIET } {
            return;
        }
        let bound = if is_close {
            too_short.div_f64(CLOSE)
        } else {
            too_short
        };
        self.too_short = Some(bound);
        self.interval = ((bound + self.held) / 2).max(self.range.lower);
        self.quiet = 0;
        self.chosen_after = last_call;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Ten successes of calls that start one after another.
    fn quiet_stretch(rate: &mut RateControl, call: &mut u64) {
        for _ in 0..QUIET {
            *call += 1;
            rate.speed_up(*call, *call);
        }
    }

    #[test]
    fn a_429_slows_down_and_quiet_stretches_lead_halfway_back() {
        let mut rate = RateControl::new(PaceRange::default());
        let mut call = 1;
        rate.slow_down(call, call);
        assert_eq!(rate.interval(), ms(200));
        call += 1;
        rate.slow_down(call, call);
        assert_eq!(rate.interval(), ms(400));
        for expected in [300, 250, 225, 212] {
            quiet_stretch(&mut rate, &mut call);
            assert_eq!(rate.interval().as_millis(), expected);
        }
        quiet_stretch(&mut rate, &mut call);
        assert_eq!(rate.interval().as_millis(), 212, "close to what failed");
        for _ in 0..LONG_QUIET {
            call += 1;
            rate.speed_up(call, call);
        }
        assert!(rate.interval() < ms(205), "after a long stretch");
        for _ in 0..10 {
            call += 1;
            rate.slow_down(call, call);
        }
        assert_eq!(rate.interval(), SLOWEST);
    }

    #[test]
    fn successes_of_calls_from_before_a_slow_down_do_not_count() {
        let mut rate = RateControl::new(PaceRange::default());
        rate.slow_down(1, 40);
        for call in 2..=40 {
            rate.speed_up(call, 40);
        }
        assert_eq!((rate.interval(), rate.quiet), (ms(200), 0));
        rate.slow_down(41, 41);
        rate.speed_up(42, 42);
        assert_eq!(rate.quiet, 1);
    }

    #[test]
    fn without_a_429_the_pace_never_changes() {
        let mut rate = RateControl::new(PaceRange::default());
        let mut call = 0;
        quiet_stretch(&mut rate, &mut call);
        assert_eq!(rate.interval(), ms(100));
    }
}
