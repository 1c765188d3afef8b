//! What people and machines see of a check, a run and a ledger.

pub mod explain;
pub mod files;
pub mod problems;
pub mod screen;
pub mod text;
