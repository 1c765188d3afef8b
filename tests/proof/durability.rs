//! Durability. A killed process loses nothing that the kernel has, so the disk
//! is tested apart: between a claim's write to the ledger and the first byte of
//! its request the ledger is synced, then its journal is emptied and synced.
//! And the speed of it all on a disk that is slow to sync.

use std::collections::HashMap;

use super::faults::Fault;
use super::faulty_server::{FaultyServer, OnAccept};
use super::strace;
use super::workspace::{EndBy, Workspace, run};

/// A system call of the trace that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    /// Bytes for the ledger, as the trace shows them.
    Ledger(String),
    /// The ledger is on the disk.
    LedgerSynced,
    /// The journal is emptied: what it could undo counts now.
    Emptied,
    /// The journal is on the disk.
    JournalSynced,
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
    let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate,fsync,fdatasync";
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
    // One file is left, and it is complete.
    assert!(!workspace.ledger().with_extension("db-journal").exists());
}

/// Whether the key was written to the ledger and that commit ended, with
/// nothing written after it and before the request.
fn claimed_before_sent(calls: &[Call], key: &str) -> bool {
    let find = |calls: &[Call], wanted: &dyn Fn(&Call) -> bool| calls.iter().position(wanted);
    let is_sent = |call: &Call| matches!(call, Call::Sent(bytes) if bytes.contains(key));
    let is_claimed = |call: &Call| matches!(call, Call::Ledger(bytes) if bytes.contains(key));
    let Some(sent) = find(calls, &is_sent) else {
        return false;
    };
    let Some(claimed) = find(&calls[..sent], &is_claimed) else {
        return false;
    };
    let mut rest = &calls[claimed..sent];
    for step in [Call::LedgerSynced, Call::Emptied, Call::JournalSynced] {
        let Some(at) = find(rest, &|call| *call == step) else {
            return false;
        };
        rest = &rest[at + 1..];
    }
    calls[..sent].last() == Some(&Call::JournalSynced)
}

/// The relevant calls in order: writes when they begin, syncs when they end.
fn calls_of(trace: &str, port: u16) -> Vec<Call> {
    let server = format!("->127.0.0.1:{port}]");
    // Syncs that the trace shows in two parts, by thread.
    let mut syncing: HashMap<&str, Call> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let ledger = call.contains("/ledger.db>");
        let journal = call.contains("/ledger.db-journal>");
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let synced = match (ledger, journal) {
                (true, _) => Call::LedgerSynced,
                (_, true) => Call::JournalSynced,
                _ => continue,
            };
            if call.ends_with("<unfinished ...>") {
                syncing.insert(thread, synced);
            } else if call.ends_with("= 0") {
                calls.push(synced);
            }
        } else if call.starts_with("<... ") {
            let resumed = call.contains("sync resumed>") && call.ends_with("= 0");
            if let Some(synced) = syncing.remove(thread).filter(|_| resumed) {
                calls.push(synced);
            }
        } else if journal && call.starts_with("ftruncate(") {
            calls.push(Call::Emptied);
        } else if call.contains(&server) {
            calls.push(Call::Sent(call.to_owned()));
        } else if ledger {
            calls.push(Call::Ledger(call.to_owned()));
        }
    }
    calls
}

#[test]
fn a_missing_sync_is_found_in_a_trace() {
    let write = r#"7  pwrite64(9</x/ledger.db>, "c0001", 5, 0) = 5"#;
    let sync = "7  fdatasync(9</x/ledger.db>) = 0";
    let empty = "7  ftruncate(10</x/ledger.db-journal>, 0) = 0";
    let end = "7  fdatasync(10</x/ledger.db-journal>) = 0";
    let cut = "7  fdatasync(10</x/ledger.db-journal> <unfinished ...>";
    let resumed = "7  <... fdatasync resumed>) = 0";
    let other = "8  fsync(5</x/other>) = 0";
    let send = r#"8  writev(11<TCP:[127.0.0.1:4->127.0.0.1:80]>, "c0001", 1) = 5"#;
    let holds = |lines: &[&str]| claimed_before_sent(&calls_of(&lines.join("\n"), 80), "c0001");
    assert!(holds(&[end, write, sync, empty, end, send]));
    assert!(holds(&[write, sync, empty, cut, resumed, send]));
    assert!(!holds(&[write, sync, empty, send, end]), "synced too late");
    assert!(
        !holds(&[write, sync, empty, cut, send, resumed]),
        "not over"
    );
    assert!(!holds(&[write, empty, end, send]), "only the journal");
    assert!(!holds(&[write, sync, end, send]), "still to be undone");
    assert!(!holds(&[write, sync, empty, other, send]), "another file");
    assert!(!holds(&[sync, empty, end, write, send]), "synced too early");
    let later = [write, sync, empty, end, write, send];
    assert!(!holds(&later), "written to after the sync");
}
