//! What an attempt proved, and the states that a case can be in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// What the ledger knows of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Claimed; committed before the request's first byte.
    Sending,
    /// The server accepted it.
    Imported,
    /// The server rejected it, so nothing was created.
    Rejected,
    /// Proved never processed, or so by the user's resolution.
    NotSent,
    /// May or may not exist.
    InDoubt,
    /// The user says that it was deleted on the platform.
    Removed,
}

/// A text that is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}: expected sending, imported, rejected, not_sent, in_doubt or removed")]
pub struct UnknownState(pub String);

impl State {
    pub const ALL: [Self; 6] = [
        Self::Sending,
        Self::Imported,
        Self::Rejected,
        Self::NotSent,
        Self::InDoubt,
        Self::Removed,
    ];

    /// As in the ledger and in output.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Imported => "imported",
            Self::Rejected => "rejected",
            Self::NotSent => "not_sent",
            Self::InDoubt => "in_doubt",
            Self::Removed => "removed",
        }
    }

    /// For people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Sending => "in flight",
            Self::NotSent => "not sent",
            Self::InDoubt => "in doubt",
            Self::Imported | Self::Rejected | Self::Removed => self.as_str(),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// What one attempt proved about its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The server created it.
    Imported,
    /// The server rejected it, so this attempt created nothing.
    Rejected,
    /// The server never processed it.
    NotSent,
    /// Nothing.
    InDoubt,
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state().serialize(serializer)
    }
}

impl Verdict {
    /// The state of a new case after this.
    pub(crate) const fn state(self) -> State {
        match self {
            Self::Imported => State::Imported,
            Self::Rejected => State::Rejected,
            Self::NotSent => State::NotSent,
            Self::InDoubt => State::InDoubt,
        }
    }

    pub(crate) const fn from_state(state: State) -> Option<Self> {
        match state {
            State::Imported => Some(Self::Imported),
            State::Rejected => Some(Self::Rejected),
            State::NotSent => Some(Self::NotSent),
            State::InDoubt => Some(Self::InDoubt),
            State::Sending | State::Removed => None,
        }
    }
}

/// What the run does after an attempt, besides settling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    Next,
    /// The server could not be reached: pause and retry.
    Unreachable,
    /// The server asked to wait: pause, slow down and retry.
    Busy {
        /// From `Retry-After`, measured against the response's own date.
        retry_after: Option<Duration>,
    },
    /// 403 or 404: organization, map or key may be wrong.
    Forbidden,
    /// The id belongs to another key.
    DuplicateId,
    /// No further request: redirects, 401, 407, a certificate or proxy error.
    Stop,
}

/// What came back, as far as anything did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status, when there was a complete head.
    pub status: Option<u16>,
    /// The new case's id.
    pub case_id: Option<Box<str>>,
    /// From the server or of the error, cut to 500 characters; not escaped.
    pub message: Option<Box<str>>,
    /// Cut to 64 KiB.
    pub body: Option<Box<str>>,
    /// Names of fields that came back with other values than were sent.
    pub echo_differs: Vec<Box<str>>,
}

/// What one attempt proved, what came back, and what the run does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    pub next_step: NextStep,
    pub answer: Answer,
}

impl Outcome {
    /// The outcome of an attempt without a response.
    pub(crate) fn without_answer(verdict: Verdict, next_step: NextStep, message: &str) -> Self {
        Self {
            verdict,
            next_step,
            answer: Answer {
                message: Some(message.into()),
                ..Answer::default()
            },
        }
    }
}
