//! The import itself: the plan against the ledger, the spool, the run's
//! decisions and the driver around them.

mod clocks;
mod pacing;
mod plan;
mod runner;
pub mod scheduler;
mod spool;

pub use pacing::{PaceError, PaceRange, parse_span};
pub use plan::{Action, Options as PlanOptions, Plan, PlanError, Planned, Planner, Told};
pub use runner::{Audience, Ended, Failure, Interrupt, Run, drive};
pub use spool::{Slot, Spooled};
