//! The proof of the one promise: a case is never lost and never made twice
//! without the user saying so.
//!
//! The real binary runs against a server on raw sockets that keeps its own
//! book of whole requests and of cases made. Both are made to fail, and after
//! every end of the binary, of whatever kind, an outside checker compares the
//! server's book with the ledger.
//!
//! - [`rounds`]: random faults, SIGKILL and signals at random moments, started
//!   again until done
//! - [`syscalls`]: SIGKILL, EIO and ENOSPC at the Nth system call
//! - [`durable`]: the fsync between the claim and the request's first byte, seen
//! - [`assumption`]: what happens when the server breaks the contract, and what
//!   a user can do about it
//! - `abort_points`: a crash between any two steps of an attempt, with
//!   `cargo test --features abort-points --test proof`
//! - [`checker`]: what must hold; it is shown to fail where it must
//!
//! `cargo test --test proof` takes some seconds. The long form:
//! `CASELOAD_PROOF=long cargo test --test proof -- --nocapture`; with
//! `CASELOAD_PROOF_SEED=n` the rounds begin at seed n, to repeat a failure.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[cfg(feature = "abort-points")]
mod abort_points;
mod assumption;
mod binary;
mod checker;
mod durable;
mod faults;
mod ledger;
mod rounds;
#[path = "../it/server/mod.rs"]
mod server;
mod strace;
mod syscalls;
mod world;

/// Whether the long form was asked for.
fn long() -> bool {
    std::env::var("CASELOAD_PROOF").is_ok_and(|form| form == "long")
}
