//! What can be made to go wrong, how often, and the rate limit.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use jiff::SignedDuration;

/// How long `slow` takes when no time is given.
const SLOW: Duration = Duration::from_secs(5);

/// Statuses that can be answered instead of the real one.
const STATUSES: [u16; 12] = [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504];

/// Something that goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No case is created; with the seconds of a `Retry-After`.
    Status(StatusCode, Option<u64>),
    /// The case is created.
    StatusAfter(StatusCode),
    /// No case is created, and the connection is closed without a response.
    Drop,
    /// The case is created, and the connection is closed without a response.
    DropAfter,
    /// The real response is late.
    Slow(Duration),
    /// The case is created, and the response has no id.
    NoId,
    /// No case is created, and the response is a web page with status 200.
    Html,
    /// The case is created, and the response is cut off in the middle.
    Half,
    /// The case is created, and the response has the id of the one before.
    SameId,
}

impl Fault {
    fn parse(kind: &str) -> Option<Self> {
        let status = |text: &str| {
            let code = text.parse().ok().filter(|code| STATUSES.contains(code))?;
            StatusCode::from_u16(code).ok()
        };
        Some(match kind {
            "drop" => Self::Drop,
            "drop-after" => Self::DropAfter,
            "slow" => Self::Slow(SLOW),
            "no-id" => Self::NoId,
            "html" => Self::Html,
            "half" => Self::Half,
            "same-id" => Self::SameId,
            _ => {
                if let Some(time) = kind.strip_prefix("slow:") {
                    Self::Slow(time.parse::<SignedDuration>().ok()?.try_into().ok()?)
                } else if let Some(code) = kind.strip_suffix("+retry-after") {
                    Self::Status(status(code)?, Some(1))
                } else if let Some(code) = kind.strip_suffix("-after") {
                    Self::StatusAfter(status(code)?)
                } else {
                    Self::Status(status(kind)?, None)
                }
            }
        })
    }
}

/// Which faults there are, each as it was written and with its probability.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults(Vec<(String, Fault, f64)>);

impl Faults {
    /// Every kind as it is written, and what it does: for a help text.
    pub(crate) fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = include_str!("faults.txt").lines();
        lines.filter_map(|line| line.split_once(": "))
    }

    /// What happens to one call; `sample` is uniform over 0 to 1.
    pub(super) fn pick(&self, sample: f64) -> Option<(&str, Fault)> {
        let mut below = 0.0;
        self.0.iter().find_map(|(kind, fault, probability)| {
            below += probability;
            (sample < below).then_some((kind.as_str(), *fault))
        })
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Vec::new();
        let mut sum = 0.0;
        let parts = text.split(',').map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            let (kind, value) = part.split_once('=').ok_or_else(|| {
                format!(
                    "`{part}` is not a valid fault; expected kind=probability, such as \
                     429=0.1,drop=0.05"
                )
            })?;
            let (kind, value) = (kind.trim(), value.trim());
            let fault = Fault::parse(kind).ok_or_else(|| {
                let kinds: Vec<&str> = Self::kinds().map(|(kind, _)| kind).collect();
                format!("unknown fault `{kind}`; the kinds are {}", kinds.join(", "))
            })?;
            let probability = value.parse().unwrap_or(f64::NAN);
            if !(0.0..=1.0).contains(&probability) {
                return Err(format!(
                    "fault `{kind}`: the probability `{value}` is not between 0 and 1"
                ));
            }
            sum += probability;
            faults.push((kind.to_owned(), fault, probability));
        }
        // Ten times 0.1 is slightly more or less than 1.
        if sum > 1.0 + 1e-9 {
            return Err(format!(
                "the probabilities of the faults add up to {sum:.3}, which is more than 1"
            ));
        }
        Ok(Self(faults))
    }
}

/// Calls per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RateLimit(f64);

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim()
            .strip_suffix("/s")
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|per_second| per_second.is_finite() && *per_second >= 0.001)
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not a valid rate; expected calls per second, such as 10/s")
            })
    }
}

impl RateLimit {
    /// A bucket that two calls may empty at once.
    pub(super) fn bucket(self) -> DefaultDirectRateLimiter {
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / self.0));
        let burst = NonZeroU32::MIN.saturating_add(1);
        // A rate above a billion a second has no period.
        let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MAX));
        RateLimiter::direct(quota.allow_burst(burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_kind() {
        let faults: Faults =
            "429=0.1, 503+retry-after=0.1,500-after=0.1,drop=0.05,drop-after=0.05,\
                              slow=0.1,slow:250ms=0.1,no-id=0.1,html=0.1,half=0.05,same-id=0.05"
                .parse()
                .unwrap();
        let kinds: Vec<Fault> = faults.0.iter().map(|(_, fault, _)| *fault).collect();
        assert_eq!(
            kinds,
            [
                Fault::Status(StatusCode::TOO_MANY_REQUESTS, None),
                Fault::Status(StatusCode::SERVICE_UNAVAILABLE, Some(1)),
                Fault::StatusAfter(StatusCode::INTERNAL_SERVER_ERROR),
                Fault::Drop,
                Fault::DropAfter,
                Fault::Slow(Duration::from_secs(5)),
                Fault::Slow(Duration::from_millis(250)),
                Fault::NoId,
                Fault::Html,
                Fault::Half,
                Fault::SameId,
            ]
        );
        assert_eq!("".parse::<Faults>().unwrap(), Faults::default());
    }

    #[test]
    fn errors_name_what_is_invalid() {
        for (text, part) in [
            ("drop", "kind=probability"),
            ("explode=0.1", "unknown fault `explode`"),
            ("418=0.1", "unknown fault `418`"),
            ("slow:fast=0.1", "unknown fault `slow:fast`"),
            ("slow:-1s=0.1", "unknown fault `slow:-1s`"),
            ("drop=2", "`2` is not between 0 and 1"),
            ("drop=NaN", "`NaN` is not between"),
            ("drop=0.7,html=0.7", "add up to 1.400"),
        ] {
            let error = text.parse::<Faults>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_call_meets_one_fault_or_none() {
        let faults: Faults = "drop=0.25,html=0.25".parse().unwrap();
        assert_eq!(faults.pick(0.0), Some(("drop", Fault::Drop)));
        assert_eq!(faults.pick(0.25), Some(("html", Fault::Html)));
        assert_eq!(faults.pick(0.5), None);
        assert_eq!(Faults::default().pick(0.0), None);
    }

    #[test]
    fn every_kind_of_the_help_is_known() {
        assert_eq!(Faults::kinds().count(), 10);
        for (kind, meaning) in Faults::kinds() {
            let kind = kind.replace("CODE", "429");
            assert!(Fault::parse(&kind).is_some(), "{kind}: {meaning}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Faults>();
        }
    }

    #[test]
    fn a_rate_is_calls_per_second() {
        assert_eq!("10/s".parse::<RateLimit>().unwrap(), RateLimit(10.0));
        assert_eq!(" 0.5 /s".parse::<RateLimit>().unwrap(), RateLimit(0.5));
        for invalid in ["", "10", "/s", "0/s", "-1/s", "inf/s", "NaN/s", "10/m"] {
            let error = invalid.parse::<RateLimit>().unwrap_err();
            assert!(error.contains("10/s"), "{invalid}: {error}");
        }
    }

    #[test]
    fn two_calls_may_come_at_once() {
        let bucket = RateLimit(0.001).bucket();
        assert!(bucket.check().is_ok());
        assert!(bucket.check().is_ok());
        assert!(bucket.check().is_err());
    }
}
