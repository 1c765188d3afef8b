//! Durability. A kill does not lose what the kernel holds, so it is looked for
//! by itself: between the claim's write to the log and the first byte of the
//! request there is an fsync of the log.

use std::collections::HashMap;

use super::binary::{Scene, Until, run};
use super::faults::Fault;
use super::strace;
use super::world::{Door, World};

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
    if !strace::is_there() {
        return;
    }
    let (world, scene) = (World::start(|_, _| Fault::Created(0)), Scene::new(8));
    world.begin(0, Door::Open);
    let mut arguments = scene.fast_arguments(&world.url());
    // One at a time: everything in the trace is then in one order.
    arguments.push("--in-flight=1".to_owned());
    let trace = scene.folder.path().join("trace");
    let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync";
    let options = ["-yy", "-s", "65536", "-e", calls];
    let ended = run(
        &mut strace::traced(&scene, &options, &trace, &arguments),
        Until::Itself,
    );
    assert_eq!(ended.status.code(), Some(0), "{}", scene.said());
    let trace = std::fs::read_to_string(trace).unwrap();
    let calls = calls_of(&trace, world.port());
    for key in &scene.keys {
        assert!(
            claimed_before_sent(&calls, key),
            "{key} went out before its claim was on the disk: {calls:#?}"
        );
    }
    is_a_log(&scene);
}

/// The log mode is a property of the file, so it can be read back.
fn is_a_log(scene: &Scene) {
    let conn = rusqlite::Connection::open(scene.ledger()).unwrap();
    let mode: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

/// Whether the key stands in the log, the log was synced, and nothing was
/// written to it from there to the request's first byte.
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

/// The calls that matter, each where it took effect: bytes when they were
/// handed over, a sync when it was over.
fn calls_of(trace: &str, port: u16) -> Vec<Call> {
    let server = format!("->127.0.0.1:{port}]");
    // Syncs that another thread's call interrupted in the trace, by thread.
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
fn the_reader_of_the_trace_tells_a_missing_sync() {
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
