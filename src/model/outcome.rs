//! The states that a case can be in, how many are in each, and what an attempt
//! proved.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What the ledger knows of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, EnumString, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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

impl State {
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    /// As in the ledger and in output.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// For people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Sending => "in flight",
            Self::NotSent => "not sent",
            Self::InDoubt => "in doubt",
            Self::Imported | Self::Rejected | Self::Removed => self.as_str(),
        }
    }
}

/// What one attempt proved about its case. Named as the state that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
}

/// What the run does after an attempt, besides settling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
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
    /// A success by its status, a failure by its body.
    SaysFailed,
    /// No further request: redirects, 401, 407, a web page, a certificate or
    /// proxy error.
    Stop,
}

/// What came back, if anything did.
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
    /// Fields that came back with other values than were sent.
    pub echo_differs: Vec<EchoDifference>,
    /// When its request began, and how long it took, where that was seen.
    pub took: Option<(Timestamp, Duration)>,
}

/// A field that came back with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoDifference {
    pub(crate) field: Box<str>,
    /// As text, or as JSON.
    pub(crate) sent: Box<str>,
    pub(crate) returned: Box<str>,
}

/// What one attempt proved, what came back, and what the run does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
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

/// What became of the records of an input, under the names of the closing
/// summary. Each record is in exactly one of the numbers between `total` and
/// `drafts`; drafts are part of the imported ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    pub(crate) total: u64,
    pub(crate) imported: u64,
    pub(crate) already_imported: u64,
    pub(crate) rejected: u64,
    pub(crate) not_sent: u64,
    pub(crate) in_doubt: u64,
    pub(crate) changed: u64,
    pub(crate) held: u64,
    pub(crate) problems: u64,
    pub(crate) untried: u64,
    pub(crate) drafts: u64,
}

impl Totals {
    /// Counts cases by their state after the run; `total` stays as it is.
    pub(crate) fn add(&mut self, state: Option<State>, count: u64) {
        *match state {
            Some(State::Imported) => &mut self.imported,
            Some(State::Rejected) => &mut self.rejected,
            Some(State::NotSent) => &mut self.not_sent,
            Some(State::InDoubt | State::Sending) => &mut self.in_doubt,
            Some(State::Removed) | None => &mut self.untried,
        } += count;
    }

    /// The sum of all counts; ignores `total`.
    pub(crate) fn sum(mut self) -> u64 {
        self.parts().into_iter().map(|part| *part).sum()
    }

    fn parts(&mut self) -> [&mut u64; 9] {
        [
            &mut self.imported,
            &mut self.already_imported,
            &mut self.rejected,
            &mut self.not_sent,
            &mut self.in_doubt,
            &mut self.changed,
            &mut self.held,
            &mut self.problems,
            &mut self.untried,
        ]
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, mut other: Self) {
        self.total += other.total;
        self.drafts += other.drafts;
        for (part, other) in self.parts().into_iter().zip(other.parts()) {
            *part += *other;
        }
    }
}

/// The cases of a ledger by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StateCounts {
    by_state: [u64; State::ALL.len()],
    /// Cases in any state that were imported after a doubt.
    pub(crate) possible_twins: u64,
}

impl StateCounts {
    pub(crate) fn total(&self) -> u64 {
        self.by_state.iter().sum()
    }

    pub(crate) fn of(&self, state: State) -> u64 {
        self.by_state[state as usize]
    }

    pub(crate) fn add(&mut self, state: State, count: u64) {
        self.by_state[state as usize] += count;
    }
}
