//! SIGKILL, EIO and ENOSPC at the Nth system call that writes to the disk, by
//! `strace`; then the import is started again.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use super::checker::{Rows, ServerLog, Stage};
use super::faults::{Case, Fault, RetryAfter};
use super::faulty_server::{FaultyServer, OnAccept};
use super::strace;
use super::workspace::{EndBy, Ended, Workspace, run};

const RECORDS: usize = 6;
const SIGKILL: i32 = 9;

/// What is done to the Nth call.
#[derive(Debug, Clone, Copy)]
struct Injection {
    call: &'static str,
    /// In the syntax of `strace`.
    effect: &'static str,
    nth: usize,
    /// Every later call fails too, as on a disk that is full or broken.
    lasting: bool,
    /// Start without a ledger; otherwise the injection meets the run's own
    /// commits.
    new_ledger: bool,
}

const INJECTIONS: [(&str, &str, bool); 10] = [
    ("pwrite64", "signal=SIGKILL", false),
    ("fsync", "signal=SIGKILL", false),
    ("ftruncate", "signal=SIGKILL", false),
    // Names a ledger, and what the machine remembers of it.
    ("renameat2", "signal=SIGKILL", false),
    ("renameat", "signal=SIGKILL", false),
    ("renameat", "error=EIO", true),
    ("pwrite64", "error=ENOSPC", true),
    ("pwrite64", "error=EIO", false),
    ("fsync", "error=EIO", false),
    ("fsync", "error=EIO", true),
];

#[test]
fn no_system_call_that_fails_or_kills_breaks_the_promise() {
    if !strace::is_available() {
        return;
    }
    let both = |injection| [(injection, true), (injection, false)];
    let work = Mutex::new(INJECTIONS.iter().flat_map(both));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = work.lock().unwrap().next();
                    let Some((&(call, effect, lasting), new_ledger)) = next else {
                        return;
                    };
                    inject_at_each_call(Injection {
                        call,
                        effect,
                        nth: 1,
                        lasting,
                        new_ledger,
                    });
                }
            });
        }
    });
}

/// Injects at every call, or at some of them in the short form.
fn inject_at_each_call(mut injection: Injection) {
    let mut hit = 0;
    while inject(&injection) {
        hit += 1;
        injection.nth += if super::long() {
            1
        } else {
            5 + injection.nth / 2
        };
    }
    println!("{hit:>4} calls were hit: {injection:?}");
    // A ledger is named once; everything else happens again and again.
    let least = match injection.call {
        "renameat2" => usize::from(injection.new_ledger),
        "ftruncate" | "renameat" => 1,
        _ => 3,
    };
    assert!(hit >= least, "too few calls were hit: {injection:?}");
}

/// Five cases of six are created, one of them after a 429.
fn server() -> FaultyServer {
    FaultyServer::start(|key, nth| match (key, nth) {
        ("c0002", _) => Fault::Status(422, RetryAfter::None, Case::NotCreated),
        ("c0003", 0) => Fault::Status(429, RetryAfter::Seconds(0), Case::NotCreated),
        _ => Fault::Created(0),
    })
}

/// Runs an import with an injection, checks, and finishes it without one.
/// False when there are fewer such calls.
fn inject(injection: &Injection) -> bool {
    let (server, workspace) = (server(), Workspace::new(RECORDS));
    server.begin(0, OnAccept::Serve);
    if !injection.new_ledger {
        // One case, so that there is a ledger: the main thread then writes no
        // more, and the calls counted are those of the run's writer.
        let mut arguments = workspace.fast_arguments(&server.url());
        arguments.push("--limit=1".to_owned());
        let ended = run(&mut workspace.binary(&arguments), EndBy::Itself);
        assert_eq!(ended.status.code(), Some(0), "{}", workspace.stderr());
    }
    let mut arguments = workspace.fast_arguments(&server.url());
    arguments.push("--in-flight=2".to_owned());
    let from_then_on = if injection.lasting { "+" } else { "" };
    let inject = format!(
        "inject={}:{}:when={}{from_then_on}",
        injection.call, injection.effect, injection.nth
    );
    let trace = workspace.folder.path().join("trace");
    let options = ["-e", &format!("trace={}", injection.call), "-e", &inject];
    let mut command = strace::traced(&workspace, &options, &trace, &arguments);
    server.begin(1, OnAccept::Serve);
    let ended = run(&mut command, EndBy::Itself);
    let log = server.log();
    let rows = workspace.check(&log, &[false, false], stage(&ended), 0);
    if !was_hit(&ended, &trace) {
        let code = ended.status.code();
        assert_eq!(code, Some(1), "{injection:?}\n{}", workspace.stderr());
        return false;
    }
    if ended.status.code() == Some(2) {
        let sent = log.sent.iter().any(|sent| sent.run == 1);
        assert!(
            !sent,
            "{injection:?}: exit code 2 means that nothing was sent"
        );
    }
    if ended.status.code().is_some() {
        every_case_id_is_known(injection, &log, &rows, &workspace.stderr());
        every_doubt_is_counted(injection, &ended, &rows);
    }
    finish(injection, &server, &workspace);
    true
}

/// `strace` dies by the signal that its process died by.
fn stage(ended: &Ended) -> Stage {
    match (ended.status.signal(), ended.status.code()) {
        (None, Some(0 | 1 | 4)) => Stage::Ended,
        // A disk that fails may leave a claim behind, as a crash does.
        (Some(SIGKILL), _) | (None, Some(2 | 5)) => Stage::Crashed,
        _ => panic!("it ended with {}", ended.status),
    }
}

fn was_hit(ended: &Ended, trace: &Path) -> bool {
    let trace = std::fs::read_to_string(trace).unwrap();
    ended.status.signal() == Some(SIGKILL) || trace.contains("(INJECTED)")
}

/// Every case id that the server returned is in the ledger or was printed.
fn every_case_id_is_known(injection: &Injection, log: &ServerLog, rows: &Rows, stderr: &str) {
    for sent in &log.sent {
        let Some(id) = &sent.case_id else { continue };
        let stored = rows
            .get(&sent.key)
            .is_some_and(|row| row.case_id.as_ref() == Some(id));
        let printed = stderr.lines().any(|line| {
            line.contains(&sent.key) && line.contains(id.as_str()) && line.contains("201")
        });
        assert!(
            stored || printed,
            "{injection:?}: case {} is {id}, which is neither stored nor printed\n{stderr}",
            sent.key
        );
    }
}

/// What the next run will find in doubt was counted as in doubt: nobody knows
/// whether a commit that failed is on the disk.
fn every_doubt_is_counted(injection: &Injection, ended: &Ended, rows: &Rows) {
    let Some(summary) = &ended.summary else {
        return;
    };
    let is_doubt = |state: &str| matches!(state, "sending" | "in_doubt");
    let doubts = rows.values().filter(|row| is_doubt(&row.state)).count();
    let counted = summary["in_doubt"].as_u64().unwrap_or_default();
    assert!(
        counted >= doubts as u64,
        "{injection:?}: {counted} of {doubts} cases in doubt were counted: {summary}"
    );
}

/// The same import once more, on a disk that works again.
fn finish(injection: &Injection, server: &FaultyServer, workspace: &Workspace) {
    server.begin(2, OnAccept::Serve);
    let arguments = workspace.fast_arguments(&server.url());
    let ended = run(&mut workspace.binary(&arguments), EndBy::Itself);
    assert!(
        ended.finished(),
        "{injection:?}: the next start ended with {}\n{}",
        ended.status,
        workspace.stderr()
    );
    let rows = workspace.check(&server.log(), &[false; 3], Stage::Done, 0);
    // Only what was in flight at that one moment.
    let doubts = rows.values().filter(|row| row.state == "in_doubt").count();
    assert!(doubts <= 3, "{injection:?}: {doubts} cases in doubt");
}
