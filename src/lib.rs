//! caseload imports existing legal cases in bulk: it reads case files, checks
//! every row, and posts each case once.
//!
//! The map of the house; data flows from the top to the bottom, and a room
//! imports only what stands above it in its own line:
//!
//! - [`model`]: plain data that every room shares; imports nothing of the house
//! - [`source`]: case files to records
//! - [`mapping`]: a record to a case, or to problems
//! - [`check`]: both over the whole input; duplicates, field summaries
//! - [`ledger`]: the `SQLite` file with every case ever claimed
//! - [`api`]: the wire: contract, client, what an attempt proved
//! - [`import`]: plan, spool, the run's decisions, the driver around them
//! - [`report`]: what people and machines see of a run
//! - [`config`]: `caseload.toml` to settings; guesses one and writes it
//! - [`sandbox`]: a stand-in of the API, written apart from `api`
//! - [`cli`]: one file a command, where the rooms are joined

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub(crate) mod api;
pub mod check;
mod cli;
mod commands;
pub mod config;
pub(crate) mod engine;
mod init;
pub mod input;
pub mod ledger;
pub mod mapping;
pub mod model;
pub(crate) mod output;
pub(crate) mod sandbox;

pub use commands::run;
