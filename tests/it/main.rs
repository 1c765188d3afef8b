//! Behavior of the real binary: one file a behavior, one crate to link.

#![allow(clippy::unwrap_used)]

mod bad_input;
mod checking;
mod confidential;
mod config_init;
mod dry_run;
mod duplicates;
mod encrypted;
mod export;
mod first_import;
mod fixing;
mod formats;
mod going_on;
mod guards;
mod hostile;
mod interrupts;
mod layout;
mod ledger_fails;
mod ledger_support;
mod ledgers;
mod outcomes;
mod resolve;
mod rules;
mod second_run;
mod server;
mod server_selftest;
mod status;
mod support;
mod systems;
mod terminal;
mod unreachable;
mod walkthrough;
