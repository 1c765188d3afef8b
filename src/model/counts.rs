//! Cases counted by state: of one run, and of a whole ledger.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::State;

/// What became of the records of an input, under the names of the closing
/// summary. Each record is in exactly one of the numbers between `total` and
/// `drafts`; drafts are part of the imported ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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

    /// All that was counted, whatever `total` says.
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

impl AddAssign for Totals {
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
