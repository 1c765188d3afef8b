//! Plain data that all modules share. Imports nothing else of the crate.

mod case;
mod event;
mod json;
mod outcome;
mod problem;
mod record;
mod system;

pub use case::{CaseData, Digest, Hasher, Key};
pub(crate) use event::{Event, PauseReason, SettledAttempt, StopReason};
pub(crate) use json::{Members, json_cell, json_members};
pub(crate) use outcome::StateCounts;
pub use outcome::{Answer, NextStep, Outcome, State, Totals, Verdict};
pub use problem::{Code, ColumnSummary, Problem, Severity};
pub use record::{Cell, CellKind, Columns, FileId, Format, Place, Record};
pub(crate) use record::{ColumnsVersion, reserved};
pub(crate) use system::{abort_point, private_file, readable_by_others, user_id};
