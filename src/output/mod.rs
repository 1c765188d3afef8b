//! What people and machines see of a check, a run and a ledger.

pub mod files;
pub mod problems;
pub mod terminal;
