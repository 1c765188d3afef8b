//! A run that is cut short: by signals, by pipes that nobody reads, by a kill,
//! and by a ledger that can no longer be written.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::mpsc::channel;

use crate::server::{Server, created, react, status};
use crate::support::{Home, LedgerFile, create, creating_server, keys, silent_server};
use rustix::process::Signal;

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

#[test]
fn the_first_signal_lets_requests_in_flight_finish() {
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
        arrivals.recv().unwrap();
        run.signal(signal);
        run.wait_for("waiting for 1 request in flight; press Ctrl-C again");
        release.send(()).unwrap();
        let done = run
            .wait()
            .exits(130)
            .counts(&[("imported", 1), ("untried", 2)])
            .stopped("interrupted; no more requests were sent");
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
        let (server, arrivals) = silent_server();
        let mut run = home.import(&server.url()).start();
        arrivals.recv().unwrap();
        run.signal(signal);
        run.wait_for("waiting for 1 request in flight");
        run.signal_until_it_ends(signal)
            .exits(130)
            .counts(&[("in_doubt", 1), ("untried", 2)]);
        assert_eq!(home.ledger().states(3), ["in_doubt", "-", "-"]);
        assert_eq!(server.requests().len(), 1);
    }
}

/// As a wrapper does that passes on the Ctrl-C that the terminal sent to both.
#[test]
fn a_second_signal_soon_after_the_first_is_the_same() {
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
    arrivals.recv().unwrap();
    run.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(5));
    run.signal(Signal::INT);
    run.wait_for("waiting for 1 request in flight");
    release.send(()).unwrap();
    run.wait()
        .exits(130)
        .counts(&[("imported", 1), ("untried", 2)]);
}

/// The summary goes to a pipe that is full.
#[test]
fn an_interrupt_after_the_end_of_a_run_exits_with_what_happened() {
    let home = Home::new();
    home.cases(3);
    let server = Server::start(|_| status(401));
    let pipe = home.pipe("pipe");
    let mut full = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(&pipe)
        .unwrap();
    while full.write(&[b' '; 4096]).is_ok() {}
    let mut run = home
        .import_for_people(&server.url(), &["cases.csv"])
        .into_file("pipe")
        .start();
    run.wait_for("stopped:");
    run.signal_until_it_ends(Signal::INT).exits(5);
    assert_eq!(home.ledger().states(3), ["not_sent", "-", "-"]);
}

#[test]
fn every_request_in_flight_is_in_doubt_after_the_second_signal() {
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
    // Requests overlap: four are in flight though none is answered.
    for _ in 0..4 {
        arrivals.recv().unwrap();
    }
    run.signal(Signal::INT);
    run.wait_for("waiting for 4 requests in flight");
    run.signal_until_it_ends(Signal::INT)
        .exits(130)
        .counts(&[("in_doubt", 4), ("untried", 2)]);
    assert_eq!(server.requests().len(), 2 + 4);
    assert_eq!(home.ledger().number("in_doubt"), 4);
    assert_eq!(home.ledger().number("sending"), 0);
}

#[test]
fn a_signal_before_anything_is_sent_ends_with_a_summary() {
    let home = Home::new();
    let pipe = home.pipe("pipe.csv");
    let words = ["import", "pipe.csv", "--sandbox", "--output", "json"];
    let run = home.caseload(&words).start();
    // Opening waits until the process has begun to read.
    let input = std::fs::File::options().write(true).open(pipe).unwrap();
    run.signal(Signal::INT);
    run.wait()
        .exits(130)
        .stopped("interrupted before anything was sent")
        .counts(&[]);
    drop(input);
    assert!(!home.path("caseload-sandbox.db").exists());
}

#[test]
fn a_run_continues_when_nobody_reads_its_output() {
    for form in ["human", "json"] {
        let home = Home::new();
        home.cases(4);
        let server = Server::start(|request| match request.json()["id"].as_str() {
            // So that there is a failure to report, too.
            Some("c3") => status(422).into(),
            _ => create(request),
        });
        let ended = home
            .import_for_people(&server.url(), &["cases.csv"])
            .args(&["--pace", "1ms", "-v"])
            .args(&["--output", form])
            .run_with_closed_outputs();
        assert_eq!(ended.code(), Some(1), "{form}");
        let states = ["imported", "imported", "rejected", "imported"];
        assert_eq!(home.ledger().states(4), states);
    }
}

#[test]
fn a_request_in_flight_when_a_run_is_killed_is_in_doubt() {
    let home = Home::new();
    home.cases(3);
    let (server, arrivals) = silent_server();
    let run = home.import(&server.url()).start();
    arrivals.recv().unwrap();
    let killed = run.kill();
    assert_eq!(killed.status.code(), None);
    assert_eq!(home.ledger().states(3), ["sending", "-", "-"]);
    drop(server);

    let server = creating_server();
    let import = |words: &[&str]| home.import(&server.url()).args(words).run().exits(4);
    // The same account at another port.
    import(&["--adopt-ledger"])
        .says("the previous run did not finish")
        .says("1 case that it was sending is in doubt now")
        .counts(&[("in_doubt", 1), ("imported", 2)]);
    import(&[])
        .never_says("the previous run did not finish")
        .counts(&[("in_doubt", 1), ("already_imported", 2)]);
    assert_eq!(
        home.ledger().states(3),
        ["in_doubt", "imported", "imported"]
    );
    assert_eq!(server.requests().len(), 2);
}

/// Whenever the kill comes, also after the last case.
#[test]
fn a_killed_test_run_creates_no_case_twice() {
    let home = Home::new();
    home.cases(12);
    let ledger = home.path("caseload-sandbox.db");
    let import = |args: &[&str]| {
        home.caseload(&["import", "cases.csv", "--sandbox", "--key-column", "id"])
            .args(args)
    };
    let mut run = import(&["--pace", "100ms", "-v"]).start();
    run.wait_for("case c3: status 201");
    run.kill();
    let killed = LedgerFile::read(&ledger);
    let (imported, sending) = (killed.number("imported"), killed.number("sending"));
    assert!(imported >= 3, "{killed:?}");

    let done = import(&["--pace", "1ms", "--output", "json"]).run();
    let done = done.counts(&[
        ("already_imported", imported as u64),
        ("in_doubt", sending as u64),
        ("imported", (12 - imported - sending) as u64),
    ]);
    if sending > 0 {
        done.exits(4).says("the previous run did not finish");
    } else {
        done.exits(0);
    }
    let after = LedgerFile::read(&ledger);
    assert_eq!(after.cases.len(), 12);
    for (key, case) in &after.cases {
        assert_eq!(case.attempts, 1, "{key} was sent twice");
    }
}

/// A server with ids so long that each case makes the ledger grow.
fn server_with_long_ids() -> Server {
    Server::start(|request| created(&format!("{:x>190}", request.index)))
}

/// Imports 80 cases where no file may become larger than this many blocks, and
/// then the rest without that limit. Returns how many answers could not be
/// stored.
fn import_on_a_full_disk(blocks: u32, in_flight: &str) -> u64 {
    let home = Home::new();
    home.cases(80);
    let server = server_with_long_ids();
    let done = home
        .import(&server.url())
        .args(&["--in-flight", in_flight])
        .with_file_size_limit(blocks)
        .run()
        .exits(5)
        .stopped("the ledger can no longer be written, so nothing more was sent");
    // Each record is in one count, whatever failed.
    let summary = done.summary();
    assert!(summary.of("untried") > 0, "{done}");
    // An answer that could not be stored is printed.
    let unwritten: Vec<&str> = (done.err.lines())
        .filter_map(|line| line.strip_prefix("could not write to the ledger, keep this line: "))
        .collect();
    for line in &unwritten {
        assert!(line.contains("status 201, case id x"), "{line}");
        assert!(line.contains(", imported ("), "{line}");
    }
    let unwritten = unwritten.len() as u64;
    let created = server.created().len() as u64;
    assert_eq!(created, summary.of("imported") + unwritten, "{done}");
    // A claim whose commit failed may be on the disk.
    let claims = summary.of("in_doubt") - unwritten;
    assert!(claims <= 1, "{done}");

    // With room again the rest is sent, and the cases in doubt are not.
    let code = if unwritten > 0 { 4 } else { 0 };
    home.import(&server.url()).run().exits(code);
    let mut every_key: Vec<String> = (1..=80).map(|n| format!("c{n}")).collect();
    every_key.sort();
    assert_eq!(keys(&server), every_key, "each case was sent once");
    unwritten
}

#[test]
fn a_run_whose_ledger_cannot_be_written_stops_and_prints_what_it_could_not_store() {
    let home = Home::new();
    home.cases(80);
    home.import(&server_with_long_ids().url()).run().exits(0);
    let bytes = std::fs::metadata(home.path("ledger.db")).unwrap().len();
    let full = bytes as u32 / 512;
    import_on_a_full_disk(full - 24, "32");
    // One at a time, a claim shares the commit of the result before it.
    for pages in 1..=4 {
        assert_eq!(import_on_a_full_disk(full - 16 - 8 * pages, "1"), 1);
    }
}

/// The reading threads wait for whoever writes the spool: they end with it.
#[test]
fn a_spool_that_can_not_grow_ends_the_run_with_an_error() {
    let home = Home::new();
    let row = |number| format!("c{number},f1,{}\n", "x".repeat(300));
    let rows: String = (0..20_000).map(row).collect();
    home.write("big.csv", format!("id,partnerFirmId,name\n{rows}"));
    home.caseload(&["import", "big.csv", "--sandbox", "--dry-run"])
        .args(&["--key-column", "id"])
        .with_file_size_limit(100)
        .run()
        .exits(2)
        .says("error: can't write the temporary file in ")
        .says("that holds the cases to send: File too large");
}
