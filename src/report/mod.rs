//! What people and machines see of a check, a run and a ledger.

pub mod explain;
pub mod fields;
pub mod files;
pub mod problems;
pub mod progress;
pub mod run;
pub mod screen;
pub mod status;
pub mod stops;
pub mod summary;
pub mod text;
