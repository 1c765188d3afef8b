//! Durability. A killed process loses nothing that the kernel has, so the disk
//! is tested apart: between a claim's write to the log and the first byte of its
//! request the log is synced.

use std::collections::HashMap;

use super::faults::Fault;
use super::faulty_server::{FaultyServer, OnAccept};
use super::strace;
use super::workspace::{EndBy, Workspace, run};

/// A system call of the trace that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    /// Bytes for the log, as the trace shows them.
    Log(String),
    /// The log is on the disk.
    Synced,
    /// Bytes for the server.
    Sent(String),
}

#[test]
fn the_claim_is_on_the_disk_before_the_requests_first_byte() {
    if !strace::is_available() {
        return;
    }
    let (server, workspace) = (
        FaultyServer::start(|_, _| Fault::Created(0)),
        Workspace::new(8),
    );
    server.begin(0, OnAccept::Serve);
    let mut arguments = workspace.fast_arguments(&server.url());
    // One at a time, so that the trace has one order.
    arguments.push("--in-flight=1".to_owned());
    let trace = workspace.folder.path().join("trace");
    let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync";
    let options = ["-yy", "-s", "65536", "-e", calls];
    let ended = run(
        &mut strace::traced(&workspace, &options, &trace, &arguments),
        EndBy::Itself,
    );
    assert_eq!(ended.status.code(), Some(0), "{}", workspace.stderr());
    let trace = std::fs::read_to_string(trace).unwrap();
    let calls = calls_of(&trace, server.port());
    for key in &workspace.keys {
        assert!(
            claimed_before_sent(&calls, key),
            "{key} was sent before its claim was synced: {calls:#?}"
        );
    }
    assert_journal_mode(&workspace);
}

/// The journal mode is stored in the file.
fn assert_journal_mode(workspace: &Workspace) {
    let conn = rusqlite::Connection::open(workspace.ledger()).unwrap();
    let mode: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

/// Whether the key was written to the log and synced, with no write after that
/// sync and before the request.
fn claimed_before_sent(calls: &[Call], key: &str) -> bool {
    let Some(sent) = calls
        .iter()
        .position(|call| matches!(call, Call::Sent(bytes) if bytes.contains(key)))
    else {
        return false;
    };
    let before = &calls[..sent];
    let Some(claimed) = before
        .iter()
        .position(|call| matches!(call, Call::Log(bytes) if bytes.contains(key)))
    else {
        return false;
    };
    before[claimed..].contains(&Call::Synced) && before.last() == Some(&Call::Synced)
}

/// The relevant calls in order: writes when they begin, syncs when they end.
fn calls_of(trace: &str, port: u16) -> Vec<Call> {
    let server = format!("->127.0.0.1:{port}]");
    // Syncs that the trace shows in two parts, by thread.
    let mut syncing: HashMap<&str, bool> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let log = call.contains("ledger.db-wal>");
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            if call.ends_with("<unfinished ...>") {
                syncing.insert(thread, log);
            } else if log && call.ends_with("= 0") {
                calls.push(Call::Synced);
            }
        } else if call.starts_with("<... ") {
            let resumed = call.contains("sync resumed>") && call.ends_with("= 0");
            if resumed && syncing.remove(thread) == Some(true) {
                calls.push(Call::Synced);
            }
        } else if call.contains(&server) {
            calls.push(Call::Sent(call.to_owned()));
        } else if log {
            calls.push(Call::Log(call.to_owned()));
        }
    }
    calls
}

#[test]
fn a_missing_sync_is_found_in_a_trace() {
    let log = r#"7  pwrite64(9</x/ledger.db-wal>, "c0001", 5, 0) = 5"#;
    let sync = "7  fsync(9</x/ledger.db-wal>) = 0";
    let cut = "7  fsync(9</x/ledger.db-wal> <unfinished ...>";
    let resumed = "7  <... fsync resumed>) = 0";
    let other = "8  fsync(5</x/other>) = 0";
    let send = r#"8  writev(11<TCP:[127.0.0.1:4->127.0.0.1:80]>, "c0001", 1) = 5"#;
    let holds = |lines: &[&str]| claimed_before_sent(&calls_of(&lines.join("\n"), 80), "c0001");
    assert!(holds(&[log, sync, send]));
    assert!(holds(&[log, cut, resumed, send]));
    assert!(!holds(&[log, send, sync]), "synced too late");
    assert!(!holds(&[log, cut, send, resumed]), "not over in time");
    assert!(!holds(&[log, other, send]), "another file");
    assert!(!holds(&[sync, log, send]), "synced too early");
    assert!(!holds(&[log, sync, log, send]), "written to after the sync");
}
