//! What can be made to go wrong, how often, and which of it a call meets.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;

use super::SandboxError;

/// How long `slow` waits when it is not said.
const SLOW: Duration = Duration::from_secs(5);

/// Statuses that can be answered instead of the true one.
const STATUSES: [u16; 12] = [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504];

/// Something that goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No case is made, and this is answered.
    Status {
        /// The status.
        code: StatusCode,
        /// Whether `Retry-After: 1` goes with it.
        retry_after: bool,
    },
    /// A case is made, and this is answered.
    StatusAfter(StatusCode),
    /// No case is made, and the connection is closed without an answer.
    Drop,
    /// A case is made, and the connection is closed without an answer.
    DropAfter,
    /// No case is made, and the connection is reset.
    Reset,
    /// The true answer comes late.
    Slow(Duration),
    /// A case is made, and the answer does not say its id.
    NoId,
    /// No case is made, and a web page is answered with status 200.
    Html,
    /// A case is made, and its answer breaks off in the middle.
    Half,
    /// A case is made, and the answer holds the id of the case before.
    SameId,
}

impl Fault {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "drop" => Self::Drop,
            "drop-after" => Self::DropAfter,
            "reset" => Self::Reset,
            "slow" => Self::Slow(SLOW),
            "no-id" => Self::NoId,
            "html" => Self::Html,
            "half" => Self::Half,
            "same-id" => Self::SameId,
            _ => {
                if let Some(time) = word.strip_prefix("slow:") {
                    Self::Slow(duration(time)?)
                } else if let Some(code) = word.strip_suffix("+retry-after") {
                    Self::Status {
                        code: status(code)?,
                        retry_after: true,
                    }
                } else if let Some(code) = word.strip_suffix("-after") {
                    Self::StatusAfter(status(code)?)
                } else {
                    Self::Status {
                        code: status(word)?,
                        retry_after: false,
                    }
                }
            }
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, retry_after } => {
                let suffix = if *retry_after { "+retry-after" } else { "" };
                write!(f, "{}{suffix}", code.as_u16())
            }
            Self::StatusAfter(code) => write!(f, "{}-after", code.as_u16()),
            Self::Drop => f.write_str("drop"),
            Self::DropAfter => f.write_str("drop-after"),
            Self::Reset => f.write_str("reset"),
            Self::Slow(time) => write!(f, "slow:{}ms", time.as_millis()),
            Self::NoId => f.write_str("no-id"),
            Self::Html => f.write_str("html"),
            Self::Half => f.write_str("half"),
            Self::SameId => f.write_str("same-id"),
        }
    }
}

fn status(text: &str) -> Option<StatusCode> {
    let code = text.parse().ok().filter(|code| STATUSES.contains(code))?;
    StatusCode::from_u16(code).ok()
}

/// `500ms`, `2s` or `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| *time <= Duration::from_hours(1))
}

/// Which faults there are, each with its probability.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults(Vec<(Fault, f64)>);

impl Faults {
    /// Every kind as it is written, and what it does: for a help text.
    pub const KINDS: [(&str, &str); 11] = [
        (
            "CODE",
            "answer this status and make nothing: 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503 or 504",
        ),
        ("CODE+retry-after", "the same with Retry-After: 1"),
        ("CODE-after", "make the case, then answer this status"),
        (
            "drop",
            "close the connection without an answer, make nothing",
        ),
        ("drop-after", "make the case, close without an answer"),
        ("reset", "reset the connection, make nothing"),
        ("slow", "answer after 5 s, or as long as slow:30s says"),
        ("no-id", "make the case, answer 201 without its id"),
        ("html", "answer 200 with a web page, make nothing"),
        (
            "half",
            "make the case, break off in the middle of the answer",
        ),
        (
            "same-id",
            "make the case, answer with the id of the one before",
        ),
    ];

    pub(super) fn kind_names() -> String {
        Self::KINDS.map(|(name, _)| name).join(", ")
    }

    /// What happens to one call; `sample` is evenly spread over 0 to 1.
    pub(super) fn pick(&self, sample: f64) -> Option<Fault> {
        let mut below = 0.0;
        self.0.iter().find_map(|(fault, probability)| {
            below += probability;
            (sample < below).then_some(*fault)
        })
    }
}

impl FromStr for Faults {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (kind, value) = part
                .split_once('=')
                .ok_or_else(|| SandboxError::Fault(part.to_owned()))?;
            let (kind, value) = (kind.trim(), value.trim());
            let fault = Fault::parse(kind).ok_or_else(|| SandboxError::FaultKind {
                kind: kind.to_owned(),
            })?;
            let probability = value
                .parse::<f64>()
                .ok()
                .filter(|probability| (0.0..=1.0).contains(probability))
                .ok_or_else(|| SandboxError::Probability {
                    kind: kind.to_owned(),
                    value: value.to_owned(),
                })?;
            faults.push((fault, probability));
        }
        let sum: f64 = faults.iter().map(|(_, probability)| probability).sum();
        // Ten times 0.1 is a hair off 1.
        if sum > 1.0 + 1e-9 {
            return Err(SandboxError::TooManyFaults(sum));
        }
        Ok(Self(faults))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(code: u16, retry_after: bool) -> Fault {
        let code = StatusCode::from_u16(code).unwrap();
        Fault::Status { code, retry_after }
    }

    #[test]
    fn reads_every_kind() {
        let faults: Faults = "429=0.1, 503+retry-after=0.1,500-after=0.1,drop=0.05,drop-after=0.05,\
                              reset=0.1,slow=0.1,slow:250ms=0.1,no-id=0.1,html=0.1,half=0.05,same-id=0.05"
            .parse()
            .unwrap();
        let kinds: Vec<Fault> = faults.0.iter().map(|(fault, _)| *fault).collect();
        assert_eq!(
            kinds,
            [
                status(429, false),
                status(503, true),
                Fault::StatusAfter(StatusCode::INTERNAL_SERVER_ERROR),
                Fault::Drop,
                Fault::DropAfter,
                Fault::Reset,
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
    fn says_what_is_wrong() {
        for (text, part) in [
            ("drop", "kind=probability"),
            ("explode=0.1", "there is no fault `explode`"),
            ("418=0.1", "no fault `418`"),
            ("slow:fast=0.1", "no fault `slow:fast`"),
            ("slow:-1s=0.1", "no fault `slow:-1s`"),
            ("drop=2", "`2` is not between 0 and 1"),
            ("drop=NaN", "`NaN` is not between"),
            ("drop=0.7,reset=0.7", "add up to 1.400"),
        ] {
            let error = text.parse::<Faults>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_roll_meets_one_fault_or_none() {
        let faults: Faults = "drop=0.25,html=0.25".parse().unwrap();
        assert_eq!(faults.pick(0.0), Some(Fault::Drop));
        assert_eq!(faults.pick(0.25), Some(Fault::Html));
        assert_eq!(faults.pick(0.5), None);
        assert_eq!(Faults::default().pick(0.0), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Faults>();
        }

        #[test]
        fn a_fault_reads_as_it_is_shown(kind in prop::sample::select(vec![
            "400", "503+retry-after", "504-after", "drop", "drop-after", "reset", "slow:70ms",
            "no-id", "html", "half", "same-id",
        ])) {
            prop_assert_eq!(Fault::parse(kind).unwrap().to_string(), kind);
        }
    }
}
