//! A ledger that can no longer be written in the middle of a run.

use std::collections::BTreeSet;

use crate::server::{Server, created};
use crate::support::Home;

/// Runs 20 cases, one at a time or not, where no file may become larger than
/// so many blocks. Returns how many were in doubt.
fn run(blocks: u32, in_flight: &str) -> u64 {
    let home = Home::new();
    home.cases(20);
    let server = Server::start(|request| created(&format!("x{}", request.index)));
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
    let keys: Vec<String> = (server.requests().iter())
        .map(|request| request.json()["id"].as_str().unwrap().to_owned())
        .collect();
    let different: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(different.len(), keys.len(), "none was sent twice");
    assert_eq!(keys.len(), 20, "none was left");
    in_doubt
}

#[test]
fn a_run_whose_ledger_fails_stops_and_says_what_it_could_not_write_down() {
    run(256, "32");
    // Some fail where a case is claimed, and some where it is settled.
    let in_doubt: Vec<u64> = (0..6).map(|step| run(250 + 7 * step, "1")).collect();
    assert!(
        in_doubt.contains(&0),
        "none failed at a claim: {in_doubt:?}"
    );
    assert!(
        in_doubt.contains(&1),
        "none failed at a settle: {in_doubt:?}"
    );
}
