//! The ledger: the `SQLite` file with every case ever claimed, its attempts,
//! what came back, and every run. No SQL outside this room.
//!
//! It carries the promise. What is about to be done is committed before the
//! first byte leaves ([`Handle::claim`]), what came back is committed before
//! the case counts as done ([`Handle::settle`]), and what can't be known is in
//! doubt until it is proved or a person says what is so ([`Ledger::resolve`]).
//!
//! - [`LedgerLock`]: one run at a time
//! - [`open_read_only`], [`open`], [`create`]: the file and its care
//! - [`LedgerReader`]: planning, `status` and `export`
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
mod resolution;
mod run;
mod schema;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
mod values;
mod writer;

pub use claim::{Claim, ClaimError, ClaimRequest, Settlement};
pub use error::LedgerError;
pub use file::{Ledger, LedgerReader, create, open, open_read_only};
pub use find::{DiscoveredLedger, default_path, discover, host_of, state_folder};
pub use info::{LastUsed, LedgerInfo};
pub use lock::{LedgerLock, LockHolder};
pub use lookups::KeyLookup;
pub use plan::{KnownCase, SameContent};
pub use query::{AttemptRow, CaseFilter, CaseRow};
pub use resolution::{Refusal, Resolution, ResolutionReport, ResolutionRow};
pub use run::{RunEnd, RunFile, RunId, RunRow, RunStart};
pub use system::host_name;
pub use writer::Handle;

/// How a run uses the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerOptions {
    /// Payload and raw record stay after the import, instead of hashes only.
    pub keep_payloads: bool,
}

#[cfg(test)]
mod tests;
