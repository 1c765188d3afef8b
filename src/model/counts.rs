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
    pub total: u64,
    pub imported: u64,
    pub already_imported: u64,
    pub rejected: u64,
    pub not_sent: u64,
    pub in_doubt: u64,
    pub changed: u64,
    pub held: u64,
    pub problems: u64,
    pub untried: u64,
    pub drafts: u64,
}

impl Totals {
    /// Counts cases by their state after the run; `total` stays as it is.
    pub fn add(&mut self, state: Option<State>, count: u64) {
        *match state {
            Some(State::Imported) => &mut self.imported,
            Some(State::Rejected) => &mut self.rejected,
            Some(State::NotSent) => &mut self.not_sent,
            Some(State::InDoubt | State::Sending) => &mut self.in_doubt,
            Some(State::Removed) | None => &mut self.untried,
        } += count;
    }

    /// All that was counted, whatever `total` says.
    pub fn sum(&self) -> u64 {
        self.imported
            + self.already_imported
            + self.rejected
            + self.not_sent
            + self.in_doubt
            + self.changed
            + self.held
            + self.problems
            + self.untried
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.imported += other.imported;
        self.already_imported += other.already_imported;
        self.rejected += other.rejected;
        self.not_sent += other.not_sent;
        self.in_doubt += other.in_doubt;
        self.changed += other.changed;
        self.held += other.held;
        self.problems += other.problems;
        self.untried += other.untried;
        self.drafts += other.drafts;
    }
}

/// The cases of a ledger by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateCounts {
    by_state: [u64; State::ALL.len()],
    /// Cases in any state that were imported after a doubt.
    pub possible_twins: u64,
}

impl StateCounts {
    pub fn total(&self) -> u64 {
        self.by_state.iter().sum()
    }

    pub fn of(&self, state: State) -> u64 {
        self.by_state[state as usize]
    }

    pub fn add(&mut self, state: State, count: u64) {
        self.by_state[state as usize] += count;
    }
}
