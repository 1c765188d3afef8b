//! What people and machines see of a check, a run and a ledger.

pub mod screen;
pub mod text;
