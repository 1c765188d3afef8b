//! The import itself: the plan against the ledger, the spool, the run's
//! decisions and the driver around them.

pub mod decide;
mod pace;
pub mod spool;

pub use pace::{PaceError, PaceRange, parse_span};
