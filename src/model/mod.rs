//! Plain data that all modules share. Imports nothing else of the crate.

mod case;
mod event;
mod folding;
mod json;
mod outcome;
mod person;
mod problem;
mod record;
pub(crate) mod reserved;
mod system;
mod text;
mod webhook;

pub use case::{CaseData, Digest, Key, KeyOrigin};
pub(crate) use case::{Hasher, normalized};
pub(crate) use event::{PauseReason, RunEvent, SettledAttempt, StopReason};
pub(crate) use folding::{Foldings, is_surely_folded};
pub(crate) use json::{Members, json_cell, json_members, push_json_string};
pub use outcome::{Answer, EchoDifference, State, Totals, Verdict};
pub(crate) use outcome::{NextStep, Outcome, StateCounts};
pub use person::Person;
pub(crate) use person::{PersonField, date_of, person_fields};
pub use problem::{Code, Problem, Severity};
pub(crate) use problem::{ColumnSummary, count, grouped};
pub(crate) use record::ColumnsVersion;
pub use record::{Cell, CellKind, Columns, FileId, Format, Place, Record};
pub(crate) use system::{
    BootTime, abort_point, local_offset, local_time, private_directory, private_file,
    readable_by_others, replace_file, terminal_width, user_name,
};
pub(crate) use text::{
    column_name, fold, invisible_names, is_invisible, is_placeholder, is_rounded_number,
    is_spreadsheet_error, without_invisible,
};
pub(crate) use webhook::EventKind;
