//! caseload bulk-imports existing legal cases into Lexamica: it reads case
//! files, checks every row, and posts each case once. A case is never lost and
//! never created twice unless the user says so.
//!
//! # The map of the code
//!
//! Data flows in one direction. Each module imports only `model` and what its
//! line names; `tests/it/layout.rs` checks that.
//!
//! | module | what it does | imports |
//! |---|---|---|
//! | `model` | plain data: record, case, key, problem, outcome, event | |
//! | `input` | case files to records: CSV, JSON, workbooks, encodings, gzip | |
//! | `mapping` | a record to a case or problems, by rules | |
//! | `check` | both over the whole input; duplicates, column profiles | `input`, `mapping` |
//! | `ledger` | every case ever claimed, in a file or on a server; all SQL is here | |
//! | `api` | the wire: contract, client, what an attempt proved | |
//! | `engine` | plan, spool, scheduler (pure) and runner | `check`, `ledger`, `api` |
//! | `webhooks` | deliveries received, stored, and read as the lives of cases | `ledger`, `api` |
//! | `output` | what people, scripts and files get to see | `ledger`, `webhooks` |
//! | `config` | `caseload.toml` | `mapping`, `api` |
//! | `init` | guesses a config from a file, and proposes key columns | `input`, `mapping`, `check` |
//! | `sandbox` | a stand-in for the API that shares no code with `api` | |
//! | `cli` | arguments, and the settings made of them once | all above |
//! | `commands` | one file a command, where the modules are joined | all above |
//!
//! # The life of a record
//!
//! `caseload import cases.csv`, from the file to the ledger:
//!
//! 1. **Settings.** `cli` parses the arguments and adds environment and config.
//!    `commands/import/mod.rs` runs the steps below in this order.
//! 2. **Read.** `input` detects format and encoding, and cuts the file into
//!    chunks of whole records with their rows and lines. One thread reads. Files
//!    that are joined were read before, into tables by id.
//! 3. **Map.** Worker threads of `check` parse the chunks and map each record,
//!    with the columns of the rows that it is joined with: `mapping` makes a
//!    payload, a partner firm and a key of it, or problems.
//! 4. **Check.** The batches come back in the order of the input, and records
//!    are compared with each other: keys used twice, the same content, the same
//!    person. Of each record only hashes and its key stay in memory.
//! 5. **Plan.** `engine/plan.rs` pulls the batches and looks each key up in the
//!    ledger: send, skip, changed, in doubt. Before that, `commands/import/origin.rs`
//!    has refused keys of other columns or of another source than before. What
//!    may be sent goes to the spool, an unlinked temporary file. When the last
//!    batch was planned, the input has been read once and is not needed any more,
//!    and `engine/holds.rs` decides which records are held: by their content,
//!    their key or their person they may be cases that exist.
//!    *On disk: the spool. Nothing was sent, and no ledger was created.*
//! 6. **Confirm.** Problems end the import here. A dry run shows the plan. Else
//!    the user answers a question, or approved the plan before.
//! 7. **Claim.** `engine/scheduler` decides which case is next and when;
//!    `engine/runner` carries that out. Before anything else the ledger commits
//!    that this case is about to be sent, at most one case ahead of its time.
//!    *On disk: the case as `sending`, with its payload.*
//! 8. **Send.** `api` posts the case. Its gate knows whether the first byte was
//!    handed to the network: if not, nothing was sent, whatever the error.
//! 9. **Classify.** `api/classify.rs` says what the answer, or its absence,
//!    proves: imported, rejected, not sent, or in doubt.
//! 10. **Settle.** The ledger commits that outcome with the case id, before
//!     anybody hears of it. *On disk: the outcome, and the attempt.*
//! 11. **Report.** The event goes to `output`: progress, the results file, the
//!     rejects file. The scheduler hears of it too, and decides to continue,
//!     pause, retry or stop.
//! 12. **End.** `commands/import/closing.rs` makes summary, exit code and next
//!     commands of the totals, and the ledger stores how the run ended.
//!
//! After the import, `webhooks/receiver.rs` verifies what the platform delivers,
//! and answers 200 when the ledger has it. To which case an event belongs is not
//! stored: `webhooks/lives.rs` finds it whenever somebody asks, so that a case id
//! that becomes known later ties the events that came before.
//!
//! Killed after 7, a case is found as `sending` by the next run and becomes in
//! doubt: it waits for the user. Killed after 10, it is skipped.
//!
//! # How a second case can come to be, and what stops it
//!
//! The server creates a case for every accepted POST. Each way to a second one
//! has a guard, and at most one flag that lets it through; no closing line ever
//! proposes such a flag. The tests are in `tests/it` and `tests/proof`.
//!
//! | way to a second case | what stops it | what lets it through | tests |
//! |---|---|---|---|
//! | a run is killed between request and answer | the claim is on disk before the first byte; what a dead run left is in doubt | `--resend-in-doubt N` | `proof::random_faults`, `abort_points` |
//! | no answer, half an answer, 5xx, 408, 409 | in doubt; calls go one at a time | `--resend-in-doubt N` | `outcomes`, `guards` |
//! | the claim never reached the disk | rollback journal, fsync read back; an unknown commit sends nothing | none | `proof::durability`, `failing_syscalls` |
//! | something below repeats a request: redirects, retries, an idle connection | `api::client` turns each off; the gate's body can't be read twice | none | `outcomes`, `proof::random_faults` |
//! | a status means "not processed", and the case exists | the lists in `api::contract` | `api.not_sent`, `api.rejected` | `proof::broken_contract` |
//! | a success without an id, or with a failure in it | in doubt; the first one stops the run | `api.case_id_field` | `guards` |
//! | the ledger was lost, or another user or machine imports | a new ledger is never created in silence; all known ones are named | `--new-ledger`, `--beside-ledger ID`, the number typed | `ledger_choice`, `prompts` |
//! | the account's address is spelled otherwise | one normal form of it; another ledger's account is refused | `--adopt-ledger` | `settings` |
//! | the ledger is copied, moved or mounted alone | one file holds every commit; a mounted file and a hard link are refused | none | `ledger_file`, `proof::worlds` |
//! | an older copy is restored, or two copies are used in turn | the state folder has the last attempt of each ledger | `--accept-older-ledger ATTEMPT` | `ledger_file`, `proof::worlds` |
//! | two runs at once, also through two paths | a lock on the ledger's own file; on a server a lease | `--wait` waits; `ledger unlock` | `ledger_file`, `ledger_choice`, `postgres` |
//! | the key columns change | their lists are in the ledger, by source | `--change-key-columns` | `keys` |
//! | ids of another system | the source is a part of the key | `--source`, `--new-source` | `keys` |
//! | a program spells keys in another way | keys are normalized; `similar-key` | `--allow-duplicate`, `--allow-duplicates N` | `held`, `proof::worlds` |
//! | the same record under another key | `same-content` | the same | `held` |
//! | the same person and incident under another key | `likely-duplicate` | the same | `held` |
//! | `setup` is repeated, or killed | each part is claimed before its call; what exists on the platform is not created | `--not-created`, `--skip-lookup` | `setup` |
//! | a placeholder as key; two rows with one key or content | problems of the input | none; `--skip-invalid` leaves them out | `keys`, `duplicates` |
//! | a user says "not imported" or "removed" of a case that exists | `resolve` asks, names the age of a doubt, and can be undone | `resolve` | `resolve` |
//!
//! The reverse, a case that is never sent, has guards too: another client under
//! a known key is `other-person` and counts as held, and a row that stops a run
//! goes last in the next one.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod check;
mod cli;
mod commands;
pub mod config;
mod engine;
mod init;
pub mod input;
pub mod ledger;
pub mod mapping;
pub mod model;
mod output;
mod sandbox;
mod webhooks;

pub use commands::run;
