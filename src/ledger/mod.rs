//! The ledger: every case ever claimed, its attempts, what came back, and every
//! run, in an `SQLite` file or on a `PostgreSQL` server. No SQL outside this room,
//! and no room above it knows which of the two it is.
//!
//! It carries the promise. What is about to be done is committed before the
//! first byte leaves ([`Handle::claim`]), what came back is committed before
//! the case counts as done ([`Handle::settle`]), and what can't be known is in
//! doubt until it is proved or the user resolves it ([`Ledger::resolve`]).
//!
//! - [`create`], [`open`]: the file, for a run; one run at a time
//! - [`open_to_resolve`], [`open_read_only`]: beside a run
//! - [`LedgerReader`]: planning, `status` and `export`
//! - [`Handle`]: a run's claims and settles, in front of the one writer
//! - [`Records`]: what this machine remembers, to recognize an older copy

mod address;
mod calls;
mod claim;
mod database;
mod error;
mod events;
mod file;
mod forget;
mod location;
mod look_alikes;
mod opened;
mod platform;
mod queries;
mod records;
mod resolution;
mod run;
mod schema;
mod server;
mod setup_items;
mod sources;
mod transfer;
mod writer;

pub use address::{AddressError, Location, ServerAddress};
pub(crate) use calls::CallCount;
pub use claim::{Claim, ClaimError, ClaimRequest, Settlement};
pub use error::LedgerError;
pub(crate) use events::{Delivery, EventRow};
pub(crate) use file::open_to_resolve;
pub use file::{LOCK_PATIENCE, Ledger, LedgerReader, create, open, open_read_only};
pub(crate) use forget::Forgotten;
pub(crate) use location::{
    KnownLedger, beside, default_path, discover, exists, known, state_folder, temporary_folder,
};
pub(crate) use look_alikes::{LookAlike, LookAlikes};
pub(crate) use platform::host_name;
pub(crate) use queries::{AttemptRow, CaseFilter, CaseRow, each};
pub use queries::{KeyLookup, KnownCase};
pub(crate) use records::MissingAttempts;
pub use records::Records;
pub(crate) use resolution::{Refusal, ResolutionReport, ResolutionRow, ResolveAction};
pub(crate) use run::{LedgerInfo, LockStatus, RunRow};
pub use run::{RunEnd, RunFile, RunId, RunStart};
pub(crate) use setup_items::SetupItem;
pub(crate) use sources::OriginStatus;
pub(crate) use transfer::transfer;
pub use writer::Handle;

#[cfg(test)]
mod tests;
