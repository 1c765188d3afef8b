//! What an attempt proved, and the states that a case can be in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What the ledger knows of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Claimed; committed before the request's first byte.
    Sending,
    /// The server accepted it.
    Imported,
    /// The server said no, so nothing exists.
    Rejected,
    /// Proved never processed, or so by the user's word.
    NotSent,
    /// May or may not exist.
    InDoubt,
    /// The user says that it is gone on the platform.
    Removed,
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}: expected sending, imported, rejected, not_sent, in_doubt or removed")]
pub struct UnknownState(pub String);

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Sending,
        Self::Imported,
        Self::Rejected,
        Self::NotSent,
        Self::InDoubt,
        Self::Removed,
    ];

    /// The word in the ledger and in output.
    pub const fn as_str(self) -> &'static str {
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
    pub const fn label(self) -> &'static str {
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

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| UnknownState(word.to_owned()))
    }
}

/// What one attempt proved of its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The server made it.
    Imported,
    /// The server refused it, so this attempt made nothing.
    Rejected,
    /// The server never processed it.
    NotSent,
    /// It can't be known.
    InDoubt,
}

impl Verdict {
    /// The state of a new case after this.
    pub const fn state(self) -> State {
        match self {
            Self::Imported => State::Imported,
            Self::Rejected => State::Rejected,
            Self::NotSent => State::NotSent,
            Self::InDoubt => State::InDoubt,
        }
    }

    pub const fn from_state(state: State) -> Option<Self> {
        match state {
            State::Imported => Some(Self::Imported),
            State::Rejected => Some(Self::Rejected),
            State::NotSent => Some(Self::NotSent),
            State::InDoubt => Some(Self::InDoubt),
            State::Sending | State::Removed => None,
        }
    }
}

/// What the run does after an outcome, beside settling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Go on.
    Next,
    /// The server could not be reached: pause the whole run, retry.
    Unreachable,
    /// The server asked for patience: pause the whole run, slow down, retry.
    Busy {
        /// What `Retry-After` said, measured against the answer's own date.
        retry_after: Option<Duration>,
    },
    /// 403 or 404: organization, map or key may be wrong.
    Forbidden,
    /// An id that another key already holds.
    DuplicateId,
    /// No further call: redirects, 401, 407, a certificate or proxy error.
    Stop,
}

/// What came back, as far as anything did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status, when there was a whole head.
    pub status: Option<u16>,
    /// The new case's id.
    pub case_id: Option<Box<str>>,
    /// The server's message or the error's, cut to 500 characters; unescaped.
    pub message: Option<Box<str>>,
    /// The body, cut to 64 KiB, for who must look at it.
    pub body: Option<Box<str>>,
    /// Fields that came back otherwise than sent, by name.
    pub echo_differs: Vec<Box<str>>,
}

/// What one attempt proved, what came back, and what follows for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is proved of the case.
    pub verdict: Verdict,
    /// What the run does.
    pub next_step: NextStep,
    /// What came back.
    pub answer: Answer,
}

impl Outcome {
    /// The outcome of an attempt without a response.
    pub fn without_answer(verdict: Verdict, next_step: NextStep, message: &str) -> Self {
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
