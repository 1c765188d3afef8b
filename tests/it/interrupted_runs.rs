//! A run that is cut short: by signals, by pipes that nobody reads, by a kill.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::server::{Server, react, status};
use crate::support::{Home, LedgerFile, create, creating_server, keys};
use rustix::process::Signal;

/// Far longer than anything takes; only a test that hangs meets it.
const LONG: Duration = Duration::from_mins(1);

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// A server that never answers, and tells of each request.
fn silent() -> (Server, Receiver<()>) {
    let (arrived, arrivals) = channel();
    let server = Server::start(move |_| {
        arrived.send(()).unwrap();
        react().silence()
    });
    (server, arrivals)
}

#[test]
fn the_first_signal_lets_calls_under_way_finish() {
    for signal in SIGNALS {
        let home = Home::new();
        home.cases(3);
        let (arrived, arrivals) = channel();
        let (release, released) = channel::<()>();
        let server = Server::start(move |request| {
            arrived.send(()).unwrap();
            released.recv().unwrap();
            create(request)
        });
        let mut run = home.import(&server.url()).start();
        arrivals.recv_timeout(LONG).unwrap();
        run.signal(signal);
        run.wait_for("waiting for 1 call under way; press Ctrl-C again");
        release.send(()).unwrap();
        let done = run
            .wait()
            .exits(130)
            .counts(&[("imported", 1), ("untried", 2)])
            .stopped("interrupted: no further call was made");
        let summary = done.summary();
        let next = summary.next();
        assert!(next[0].starts_with("caseload import cases.csv"), "{done}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(home.ledger().states(3), ["imported", "-", "-"]);
    }
}

#[test]
fn the_second_signal_stops_at_once_and_leaves_doubt() {
    for signal in SIGNALS {
        let home = Home::new();
        home.cases(3);
        let (server, arrivals) = silent();
        let mut run = home.import(&server.url()).start();
        arrivals.recv_timeout(LONG).unwrap();
        run.signal(signal);
        run.wait_for("waiting for 1 call under way");
        run.signal(signal);
        run.wait()
            .exits(130)
            .counts(&[("in_doubt", 1), ("untried", 2)]);
        assert_eq!(home.ledger().states(3), ["in_doubt", "-", "-"]);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn all_calls_under_way_are_in_doubt_after_the_second_signal() {
    let home = Home::new();
    home.write("known.csv", "id,partnerFirmId\nk1,f1\nk2,f1\n");
    home.cases(6);
    let (arrived, arrivals) = channel();
    let server = Server::start(move |request| {
        if request.index < 2 {
            return create(request);
        }
        arrived.send(()).unwrap();
        react().silence()
    });
    home.import_files(&server.url(), &["known.csv"])
        .run()
        .exits(0);
    let mut run = home
        .import(&server.url())
        .args(&["--in-flight", "4"])
        .start();
    // Latency costs nothing: none is answered, and four are under way.
    for _ in 0..4 {
        arrivals.recv_timeout(LONG).unwrap();
    }
    run.signal(Signal::INT);
    run.wait_for("waiting for 4 calls under way");
    run.signal(Signal::INT);
    run.wait()
        .exits(130)
        .counts(&[("in_doubt", 4), ("untried", 2)]);
    assert_eq!(server.requests().len(), 2 + 4);
    assert_eq!(home.ledger().number("in_doubt"), 4);
    assert_eq!(home.ledger().number("sending"), 0);
}

#[test]
fn a_signal_before_anything_is_sent_ends_with_a_summary() {
    let home = Home::new();
    let words = ["import", "-", "--sandbox", "--output", "json"];
    let (run, input) = home.caseload(&words).start_with_open_input();
    // The lock is taken before the input is read.
    while !home.path("caseload-sandbox.db.lock").exists() {
        std::thread::yield_now();
    }
    run.signal(Signal::INT);
    run.wait()
        .exits(130)
        .stopped("interrupted before anything was sent")
        .counts(&[]);
    drop(input);
    assert!(!home.path("caseload-sandbox.db").exists());
}

#[test]
fn a_run_goes_on_where_nobody_listens() {
    for form in ["human", "json"] {
        let home = Home::new();
        home.cases(4);
        let server = Server::start(|request| match request.json()["id"].as_str() {
            // Something has to be told, too.
            Some("c3") => status(422).into(),
            _ => create(request),
        });
        let ended = home
            .import_for_people(&server.url(), &["cases.csv"])
            .args(&["--pace", "1ms", "-v"])
            .args(&["--output", form])
            .run_unheard();
        assert_eq!(ended.code(), Some(1), "{form}");
        let states = ["imported", "imported", "rejected", "imported"];
        assert_eq!(home.ledger().states(4), states);
    }
}

#[test]
fn what_was_under_way_when_a_run_was_killed_is_in_doubt() {
    let home = Home::new();
    home.cases(3);
    let (server, arrivals) = silent();
    let run = home.import(&server.url()).start();
    arrivals.recv_timeout(LONG).unwrap();
    run.signal(Signal::KILL);
    let killed = run.wait();
    assert_eq!(killed.status.code(), None);
    assert_eq!(home.ledger().states(3), ["sending", "-", "-"]);
    drop(server);

    let server = creating_server();
    let again = || {
        let import = home.import(&server.url());
        // The same account at another port.
        import.arg("--adopt-ledger").run().exits(4)
    };
    again()
        .says("a run before this one ended in the middle of things")
        .says("1 case it had under way is in doubt now")
        .counts(&[("in_doubt", 1), ("imported", 2)]);
    again()
        .never_says("ended in the middle of things")
        .counts(&[("in_doubt", 1), ("already_imported", 2)]);
    assert_eq!(
        home.ledger().states(3),
        ["in_doubt", "imported", "imported"]
    );
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_rehearsal_that_was_killed_makes_no_case_twice() {
    let home = Home::new();
    home.cases(12);
    let ledger = home.path("caseload-sandbox.db");
    let rehearse = |pace: &str| {
        home.caseload(&["import", "cases.csv", "--sandbox", "--key-column", "id"])
            .args(&["--output", "json", "--pace", pace])
    };
    let run = rehearse("100ms").start();
    LedgerFile::wait_for(&ledger, "imported", 3);
    run.signal(Signal::KILL);
    run.wait();
    let killed = LedgerFile::read(&ledger);
    let (made, sending) = (killed.number("imported"), killed.number("sending"));
    assert!((3..12).contains(&made), "{killed:?}");
    assert!(sending <= 2, "one under way, one ahead");

    let done = rehearse("1ms").run();
    let done = done.counts(&[
        ("already_imported", made as u64),
        ("in_doubt", sending as u64),
        ("imported", (12 - made - sending) as u64),
    ]);
    if sending > 0 {
        done.exits(4).says("ended in the middle of things");
    } else {
        done.exits(0);
    }
    let after = LedgerFile::read(&ledger);
    assert_eq!(after.cases.len(), 12);
    for (key, case) in &after.cases {
        assert_eq!(case.attempts, 1, "{key} was tried twice");
    }
}

/// Runs 20 cases, one at a time or not, where no file may become larger than
/// so many blocks. Returns how many were in doubt.
fn run_with_small_files(blocks: u32, in_flight: &str) -> u64 {
    let home = Home::new();
    home.cases(20);
    let server = creating_server();
    let done = home
        .import(&server.url())
        .args(&["--in-flight", in_flight])
        .with_small_files(blocks)
        .run()
        .exits(5)
        .stopped("what happens can no longer be written down, so nothing more was sent");
    // Each record stands in one count, whatever failed.
    let summary = done.summary();
    let in_doubt = summary.of("in_doubt");
    assert_eq!(
        server.made().len() as u64,
        summary.of("imported") + in_doubt,
        "{done}"
    );
    assert!(summary.of("untried") > 0, "{done}");
    // What came back and could not be written down is told.
    let unwritten: Vec<&str> = (done.err.lines())
        .filter_map(|line| line.strip_prefix("could not be written to the ledger, keep this: "))
        .collect();
    assert_eq!(unwritten.len() as u64, in_doubt, "{done}");
    for line in unwritten {
        assert!(line.contains("status 201, case id x"), "{line}");
    }

    // With room again the rest is sent, and what was under way is not.
    let code = if in_doubt > 0 { 4 } else { 0 };
    home.import(&server.url()).run().exits(code);
    let mut every_key: Vec<String> = (1..=20).map(|n| format!("c{n}")).collect();
    every_key.sort();
    assert_eq!(keys(&server), every_key, "each case went out once");
    in_doubt
}

#[test]
fn a_run_whose_ledger_fails_stops_and_says_what_it_could_not_write_down() {
    run_with_small_files(256, "32");
    // Some fail where a case is claimed, and some where it is settled.
    let in_doubt: Vec<u64> = (0..6)
        .map(|step| run_with_small_files(250 + 7 * step, "1"))
        .collect();
    assert!(
        in_doubt.contains(&0),
        "none failed at a claim: {in_doubt:?}"
    );
    assert!(
        in_doubt.contains(&1),
        "none failed at a settle: {in_doubt:?}"
    );
}
