//! The import itself: the plan, the spool of what it sends, the scheduler that
//! decides and the runner that acts.

mod holds;
mod plan;
mod runner;
pub(crate) mod scheduler;
mod spool;

pub(crate) use holds::AllowedDuplicates;
pub(crate) use plan::{Plan, PlanAction, PlanError, PlanOptions, PlannedCase, Planner};
pub(crate) use runner::{ImportRun, Interrupt, RunResult, run_import};
pub(crate) use scheduler::{PaceRange, parse_duration};
