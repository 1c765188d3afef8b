//! The import itself: the plan, the spool of what it sends, the scheduler that
//! decides and the runner that acts.

mod plan;
mod runner;
pub mod scheduler;
mod spool;

pub use plan::{Plan, PlanAction, PlanBatch, PlanError, PlanOptions, PlannedCase, Planner};
pub use runner::{ImportRun, Interrupt, LocalFailure, RunResult, run_import};
pub use scheduler::{PaceError, PaceRange, parse_span};
pub use spool::{Slot, Spooled};
