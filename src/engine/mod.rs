//! The import itself: the plan against the ledger, the spool, the run's
//! decisions and the runner around them.

mod clocks;
mod pacing;
mod plan;
mod runner;
pub mod scheduler;
mod spool;

pub use pacing::{PaceError, PaceRange, parse_span};
pub use plan::{Plan, PlanAction, PlanBatch, PlanError, PlanOptions, PlannedCase, Planner};
pub use runner::{Interrupt, LocalFailure, Observer, Run, RunResult, run_import};
pub use spool::{Slot, Spooled};
