//! The proof of the promise: a case is never lost and never created twice
//! unless the user says so.
//!
//! The real binary runs against a server on raw sockets that keeps its own log
//! of complete requests and of the cases that it created. Both are made to
//! fail. However the binary ends, a checker that shares no code with it
//! compares the server's log with the ledger.
//!
//! - [`random_faults`]: random faults, SIGKILLs and signals at random moments;
//!   the same import is started again until it is done
//! - [`worlds`]: what people do between two starts: the ledger is copied, moved,
//!   restored and mounted, the keys are spelled in another way
//! - [`failing_syscalls`]: SIGKILL, EIO and ENOSPC at the Nth system call
//! - [`durability`]: the fsync between a claim and the request's first byte
//! - [`broken_contract`]: a server that breaks the contract, and the setting
//!   that helps
//! - `abort_points`: a crash between any two steps of an attempt, and of a setup,
//!   with `cargo test --features abort-points --test proof`
//! - [`postgres`]: several importers on a ledger on a server, which are killed,
//!   stopped and taken over, while the server crashes
//! - [`webhooks`]: SIGKILLs of the receiver of webhooks
//! - [`checker`]: the rules, with tests that each violation is found
//!
//! `cargo test --test proof` takes seconds. The long form runs for some minutes,
//! until at least 200 kills and 20,000 attempts:
//!
//! ```sh
//! CASELOAD_PROOF=long cargo test --test proof -- --nocapture
//! ```
//!
//! It prints its seed; `CASELOAD_PROOF_SEED=N` starts from that one again.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[cfg(feature = "abort-points")]
mod abort_points;
mod broken_contract;
mod checker;
mod durability;
mod failing_syscalls;
mod faults;
mod faulty_server;
mod ledger_file;
mod postgres;
#[path = "../it/support/postgres.rs"]
mod postgres_cluster;
mod random_faults;
#[path = "../it/server/mod.rs"]
mod server;
mod strace;
mod webhooks;
mod workspace;
mod worlds;

/// Whether the long form was requested.
fn long() -> bool {
    std::env::var("CASELOAD_PROOF").is_ok_and(|form| form == "long")
}
