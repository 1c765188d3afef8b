//! The rate limit: a bucket that fills steadily and holds two calls.

use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use super::SandboxError;

/// Calls that may come at once after a rest.
const BURST: f64 = 2.0;

/// Calls per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit(f64);

impl FromStr for RateLimit {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim()
            .strip_suffix("/s")
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|per_second| per_second.is_finite() && *per_second >= 0.001)
            .map(Self)
            .ok_or_else(|| SandboxError::RateLimit(text.to_owned()))
    }
}

/// What is left of the limit.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            tokens: BURST,
            filled: now,
        }
    }

    /// Lets one call through, or says after how long one would be.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.limit.0).min(BURST);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - self.tokens) / self.limit.0))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_calls_per_second() {
        assert_eq!("10/s".parse::<RateLimit>().unwrap(), RateLimit(10.0));
        assert_eq!(" 0.5 /s".parse::<RateLimit>().unwrap(), RateLimit(0.5));
        for wrong in ["", "10", "/s", "0/s", "-1/s", "inf/s", "NaN/s", "10/m"] {
            let error = wrong.parse::<RateLimit>().unwrap_err().to_string();
            assert!(error.contains("10/s"), "{wrong}: {error}");
        }
    }

    #[test]
    fn two_calls_at_once_then_the_rate() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::new(RateLimit(10.0), start);
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(after(60)), Err(Duration::from_millis(40)));
        assert_eq!(bucket.take(after(101)), Ok(()));
        // A long rest earns no more than the burst.
        assert_eq!(bucket.take(after(60_000)), Ok(()));
        assert_eq!(bucket.take(after(60_000)), Ok(()));
        assert!(bucket.take(after(60_000)).is_err());
    }
}
