//! A crash between any two steps of an attempt, at points that are named in the
//! code. What each leaves behind is known exactly: how many complete requests
//! were sent, and how many cases are in doubt after the next run.

mod setup;

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::thread;

use super::checker::{Rows, Stage};
use super::faults::{Case, Fault, RetryAfter};
use super::faulty_server::{FaultyServer, OnAccept};
use super::workspace::{EndBy, Ended, Workspace, run};

const SIGABRT: i32 = 6;
const RECORDS: usize = 4;

/// A point, the complete requests before it, and the cases in doubt after it.
type Point = (&'static str, usize, usize);

/// With one request at a time, all of them answered 201.
const POINTS: [Point; 27] = [
    ("before-ledger-named", 0, 0),
    ("after-ledger-named", 0, 0),
    ("before-recover", 0, 0),
    ("after-recover", 0, 0),
    ("before-begin-run", 0, 0),
    ("after-begin-run", 0, 0),
    ("before-claim", 0, 0),
    ("before-claim:3", 2, 0),
    // Commits: the run's beginning, then claim and settle of each case.
    ("before-commit:1", 0, 0),
    ("after-commit:1", 0, 0),
    ("before-commit:2", 0, 0),
    ("after-commit:2", 0, 1),
    ("before-commit:3", 1, 1),
    ("after-commit:3", 1, 0),
    ("after-claim", 0, 1),
    ("after-claim:3", 2, 1),
    ("before-request", 0, 1),
    ("gate-open", 0, 1),
    ("gate-open:3", 2, 1),
    ("after-answer", 1, 1),
    ("before-settle", 1, 1),
    ("after-settle", 1, 0),
    ("after-settle:4", 4, 0),
    ("before-report", 1, 0),
    ("before-end-run", 4, 0),
    ("after-end-run", 4, 0),
    ("before-close", 4, 0),
];

/// The third case is answered 429 while the fourth is already claimed.
const POINTS_OF_A_PAUSE: [Point; 2] = [("before-release", 3, 1), ("after-release", 3, 0)];

#[test]
fn a_crash_at_any_step_leaves_exactly_what_it_should() {
    let work = Mutex::new(POINTS.iter());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(point) = work.lock().unwrap().next() else {
                        return;
                    };
                    let server = FaultyServer::start(|_, _| Fault::Created(0));
                    let reached = crash(point, &server, &["--in-flight=1", "--pace=1ms"]);
                    assert!(reached, "{} was not reached", point.0);
                }
            });
        }
    });
}

#[test]
fn a_crash_around_a_pause_leaves_exactly_what_it_should() {
    for point in &POINTS_OF_A_PAUSE {
        // On a busy machine the fourth case may start before the 429 arrives.
        let reached = (0..20).any(|_| {
            let server = FaultyServer::start(|key, nth| match (key, nth) {
                ("c0002", 0) => Fault::Status(429, RetryAfter::Seconds(1), Case::NotCreated),
                _ => Fault::Created(0),
            });
            crash(point, &server, &["--in-flight=2", "--pace=240ms"])
        });
        assert!(reached, "{} was not reached", point.0);
    }
}

/// A crash during the recovery from a crash changes nothing.
#[test]
fn a_crash_during_recovery_leaves_one_case_in_doubt() {
    let server = FaultyServer::start(|_, _| Fault::Created(0));
    let workspace = Workspace::new(RECORDS);
    let flags = ["--in-flight=1", "--pace=1ms"];
    let points = ["after-claim:2", "before-recover", "after-recover"];
    for (number, point) in points.into_iter().enumerate() {
        let ended = start(number, Some(point), &server, &workspace, &flags);
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{point}");
    }
    start(3, None, &server, &workspace, &flags);
    let rows = workspace.check(&server.log(), &[false; 4], Stage::Done, 0);
    assert_eq!(imported_and_in_doubt(&rows), (RECORDS - 1, 1));
}

/// Crashes at a point and starts again. False when the run ended without
/// reaching it.
fn crash(point: &Point, server: &FaultyServer, flags: &[&str]) -> bool {
    let (name, sent, doubts) = *point;
    let workspace = Workspace::new(RECORDS);
    let ended = start(0, Some(name), server, &workspace, flags);
    if ended.status.success() {
        return false;
    }
    let signal = ended.status.signal();
    assert_eq!(signal, Some(SIGABRT), "{name}\n{}", workspace.stderr());
    let log = server.log();
    workspace.check(&log, &[false], Stage::Crashed, 0);
    assert_eq!(log.sent.len(), sent, "complete requests before {name}");
    let ended = start(1, None, server, &workspace, flags);
    let exit = if doubts == 0 { 0 } else { 4 };
    let code = ended.status.code();
    assert_eq!(code, Some(exit), "{name}\n{}", workspace.stderr());
    let rows = workspace.check(&server.log(), &[false; 2], Stage::Done, 0);
    let expected = (RECORDS - doubts, doubts);
    assert_eq!(imported_and_in_doubt(&rows), expected, "after {name}");
    true
}

fn start(
    number: usize,
    point: Option<&str>,
    server: &FaultyServer,
    workspace: &Workspace,
    flags: &[&str],
) -> Ended {
    server.begin(number, OnAccept::Serve);
    let mut arguments = workspace.arguments(&server.url());
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut command = workspace.binary(&arguments);
    if let Some(point) = point {
        command.env("CASELOAD_ABORT_AT", point);
    }
    run(&mut command, EndBy::Itself)
}

fn imported_and_in_doubt(rows: &Rows) -> (usize, usize) {
    let count = |state: &str| rows.values().filter(|row| row.state == state).count();
    (count("imported"), count("in_doubt"))
}
