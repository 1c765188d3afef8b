//! The ledger: the `SQLite` file with every case ever claimed, its attempts, what
//! came back, and every run. No SQL outside this room.
//!
//! It carries the promise. What is about to be done is committed before the
//! first byte leaves ([`Handle::claim`]), what came back is committed before
//! the case counts as done ([`Handle::settle`]), and what can't be known is in
//! doubt until it is proved or the user resolves it ([`Ledger::resolve`]).
//!
//! - [`LedgerLock`]: one run at a time
//! - [`open_read_only`], [`open`], [`create`]: the file
//! - [`LedgerReader`]: planning, `status` and `export`
//! - [`Handle`]: a run's claims and settles, in front of the one writer

mod claim;
mod error;
mod file;
mod location;
mod lock;
mod queries;
mod resolution;
mod run;
mod schema;
mod sources;
mod writer;

pub use claim::{Claim, ClaimError, ClaimRequest, Settlement};
pub use error::LedgerError;
pub use file::{Ledger, LedgerReader, create, open, open_read_only};
pub(crate) use location::{
    DiscoveredLedger, default_path, discover, host_name, host_of, state_folder,
};
pub(crate) use lock::LockStatus;
pub use lock::{LedgerLock, LockHolder};
pub(crate) use queries::{AttemptRow, CaseFilter, CaseRow, SameContent};
pub use queries::{KeyLookup, KnownCase};
pub(crate) use resolution::{Refusal, ResolutionReport, ResolutionRow, ResolveAction};
pub(crate) use run::{LastUsed, LedgerInfo, RunRow};
pub use run::{RunEnd, RunFile, RunId, RunStart};
pub(crate) use sources::OriginStatus;
pub use writer::Handle;

#[cfg(test)]
mod tests;
