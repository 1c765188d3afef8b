//! What people and programs see of a check, a run and a ledger.

pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod report;
pub(crate) mod terminal;
