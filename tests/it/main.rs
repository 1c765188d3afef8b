//! Integration tests: the behavior of the real binary, one file per behavior.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod check;
mod confidentiality;
mod config;
mod dry_run;
mod duplicates;
mod export;
mod file_formats;
mod guards;
mod help;
mod import;
mod init;
mod input_problems;
mod interrupted_runs;
mod keys;
mod layout;
mod ledger_choice;
mod ledger_file;
mod mapping_rules;
mod next_commands;
mod outcomes;
mod prompts;
mod rejects_files;
mod repeat_import;
mod resolve;
mod retries;
mod screens;
mod server;
mod settings;
mod status;
mod support;
mod test_server;
mod tls_and_proxies;
mod untrusted_files;
mod walkthrough;
