//! The import itself: the plan against the ledger, the spool, the run's
//! decisions and the driver around them.

mod clocks;
pub mod decide;
mod drive;
mod pace;
mod plan;
mod spool;

pub use drive::{Audience, Ended, Failure, Interrupt, Run, drive};
pub use pace::{PaceError, PaceRange, parse_span};
pub use plan::{Action, Options as PlanOptions, Plan, PlanError, Planned, Planner, Told};
pub use spool::{Slot, Spooled};
