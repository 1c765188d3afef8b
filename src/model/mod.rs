//! Plain data that all modules share. Imports nothing else of the crate.

mod abort_point;
mod case;
mod column_summary;
mod counts;
mod digest;
mod event;
mod format;
mod json;
mod outcome;
mod private;
mod problem;
mod record;
pub(crate) mod reserved;

pub(crate) use abort_point::abort_point;
pub use case::{CaseData, Key, KeyParseError};
pub use column_summary::ColumnSummary;
pub(crate) use counts::StateCounts;
pub use counts::Totals;
pub use digest::{Digest, Hasher};
pub(crate) use event::{Event, PauseReason, SettledAttempt, StopReason};
pub use format::{Format, UnknownFormat};
pub(crate) use json::{Members, json_cell, json_members};
pub use outcome::{Answer, NextStep, Outcome, State, UnknownState, Verdict};
pub(crate) use private::{private_file, readable_by_others, user_id};
pub use problem::{Code, Problem, Severity};
pub use record::{Cell, CellKind, Columns, FileId, Place, Record};
