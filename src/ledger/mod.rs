//! The ledger: the `SQLite` file with every case ever claimed, its attempts,
//! what came back, and every run. No SQL outside this room.
//!
//! It carries the promise. What is about to be done is committed before the
//! first byte leaves ([`Handle::claim`]), what came back is committed before
//! the case counts as done ([`Handle::settle`]), and what can't be known is in
//! doubt until it is proved or a person says what is so ([`Ledger::word`]).
//!
//! - [`Lock`]: one run at a time
//! - [`open_read_only`], [`open`], [`create`]: the file and its care
//! - [`Reader`]: planning, `status` and `export`
//! - [`Handle`]: a run's claims and settles, in front of the one writer

mod claim;
mod error;
mod file;
mod find;
mod info;
mod lock;
mod lookups;
mod place;
mod plan;
mod query;
mod run;
mod schema;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
mod values;
mod word;
mod writer;

pub use claim::{Claim, ClaimError, ClaimRequest, Settled};
pub use error::LedgerError;
pub use file::{Ledger, Reader, create, open, open_read_only};
pub use find::{Found, default_path, discover, host_of, state_dir};
pub use info::{Counts, Home, Info};
pub use lock::{Holder, Lock};
pub use lookups::Lookups;
pub use plan::{Known, SameContent};
pub use query::{AttemptRow, CaseRow, Filter};
pub use run::{RunCounts, RunEnd, RunFile, RunId, RunRow, RunStart};
pub use system::host_name;
pub use word::{Refusal, Word, WordReport, WordRow};
pub use writer::Handle;

/// How a run uses the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Payload and raw record stay after the import, instead of hashes only.
    pub keep_payloads: bool,
}

#[cfg(test)]
mod tests;
