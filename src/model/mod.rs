//! Plain data that every room shares. Imports nothing of the house.

mod abort_point;
mod case;
mod column_summary;
mod counts;
mod digest;
mod event;
mod format;
mod outcome;
mod private;
mod problem;
mod record;
pub(crate) mod reserved;

pub use abort_point::abort_point;
pub use case::{CaseData, Key, KeyParseError};
pub use column_summary::ColumnSummary;
pub use counts::{StateCounts, Totals};
pub use digest::{Digest, Hasher};
pub use event::{Event, PauseReason, SettledAttempt, StopReason};
pub use format::{Format, UnknownFormat};
pub use outcome::{Answer, NextStep, Outcome, State, UnknownState, Verdict};
pub use private::{Exposed, private_file, readable_by_others, user_id};
pub use problem::{Code, Problem, Severity};
pub use record::{Cell, CellKind, Columns, FileId, Place, Record};
