//! A server that can't be reached: the whole run pauses, what was proved not
//! sent is tried again, and a server that was never there ends the run soon.

use crate::server::{Refusing, created};
use crate::support::Home;

#[test]
fn a_server_that_was_never_there_is_tried_three_times() {
    let home = Home::new();
    home.cases(3);
    let refusing = Refusing::new();
    // More tries are for a server that has answered before.
    home.import(&refusing.url())
        .args(&["--max-retries", "100", "--max-failures", "0"])
        .run()
        .exits(5)
        .says("the server can't be reached")
        .stopped("the server can't be reached. Check the base URL and the network")
        .stopped("Connection refused")
        .counts(&[("not_sent", 1), ("untried", 2)]);
    let ledger = home.ledger();
    assert_eq!(ledger.states(3), ["not_sent", "-", "-"]);
    assert_eq!(ledger.cases["c1"].attempts, 3, "each one is kept");
}

#[test]
fn a_server_that_comes_back_gets_each_case_once() {
    let home = Home::new();
    home.cases(3);
    let refusing = Refusing::new();
    let url = refusing.url();
    let mut running = home.import(&url).start();
    running.wait_for("the server can't be reached");
    let server = refusing.serve(|request| created(&format!("x{}", request.index)));
    let mut done = running.wait();
    if done.status.code() == Some(5) {
        // Its pauses are random: both others may have been over by then.
        done = home.import(&url).run();
    }
    done.exits(0).counts(&[("imported", 3)]);
    let keys: Vec<String> = (server.requests().iter())
        .map(|request| request.json()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, ["c1", "c2", "c3"]);
    let ledger = home.ledger();
    assert!(ledger.cases["c1"].attempts > 1, "each attempt is kept");
    for waited in ["c2", "c3"] {
        assert_eq!(ledger.cases[waited].attempts, 1, "the whole run paused");
    }
}
