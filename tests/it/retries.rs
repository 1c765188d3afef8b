//! Retries: when the server can't be reached or asks for a pause, the whole run
//! waits and sends again what was proved not sent.

use std::time::Duration;

use crate::server::{Refusing, Server, react, status};
use crate::support::{Home, create, keys, keys_in_order};

#[test]
fn an_unreachable_server_is_tried_three_times() {
    let home = Home::new();
    home.cases(3);
    let refusing = Refusing::new();
    // More tries are made only once the server has answered.
    home.import(&refusing.url())
        .args(&["--max-retries", "100", "--max-failures", "0"])
        .run()
        .exits(5)
        .says("server unreachable: retrying in")
        .stopped("the server could not be reached. Check the base URL and the network")
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
    running.wait_for("server unreachable: retrying in");
    let server = refusing.serve(create);
    let mut done = running.wait();
    if done.status.code() == Some(5) {
        // The pauses are random: all tries may have been made by then.
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

#[test]
fn cases_not_sent_are_retried() {
    for (code, name) in [(429, "busy"), (503, "unavailable")] {
        let home = Home::new();
        home.cases(3);
        let server = Server::start(move |request| {
            if request.index < 2 {
                status(code).header("Retry-After", "0").into()
            } else {
                create(request)
            }
        });
        home.import(&server.url())
            .run()
            .exits(0)
            .counts(&[("imported", 3)]);
        assert_eq!(
            keys_in_order(&server),
            ["c1", "c1", "c1", "c2", "c3"],
            "{name}"
        );
        let ledger = home.ledger();
        assert_eq!(ledger.cases["c1"].attempts, 3, "each attempt is kept");
        assert_eq!(ledger.cases["c2"].attempts, 1);
    }
}

#[test]
fn retries_are_limited() {
    let home = Home::new();
    home.cases(2);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c1") => status(429).header("Retry-After", "0").into(),
        _ => create(request),
    });
    let done = home
        .import(&server.url())
        .args(&["--max-retries", "2"])
        .run();
    let done = done.exits(1).counts(&[("not_sent", 1), ("imported", 1)]);
    let sent = keys(&server);
    assert_eq!(sent.iter().filter(|key| *key == "c1").count(), 3, "{done}");
    assert_eq!(home.ledger().states(2), ["not_sent", "imported"]);
    // The next run starts counting from zero.
    home.import(&server.url())
        .args(&["--max-retries", "0"])
        .run()
        .exits(1)
        .counts(&[("not_sent", 1), ("already_imported", 1)]);
    assert_eq!(keys(&server).len(), sent.len() + 1);
}

#[test]
fn retry_after_sets_the_pause() {
    const DATE: (&str, &str) = ("Date", "Wed, 21 Oct 2026 07:28:00 GMT");
    let forms = [
        vec![("Retry-After", "1")],
        vec![("Retry-After", "0.2")],
        vec![("Retry-After", "0"), ("Retry-After", "1")],
        vec![DATE, ("Retry-After", "Wed, 21 Oct 2026 07:28:01 GMT")],
        vec![DATE, ("Retry-After", "Wednesday, 21-Oct-26 07:28:01 GMT")],
        vec![DATE, ("Retry-After", "Wed Oct 21 07:28:01 2026")],
    ];
    let verify = |headers: Vec<(&'static str, &'static str)>| {
        let home = Home::new();
        home.cases(1);
        let answer = headers.iter();
        let answer = answer.fold(status(429), |answer, (name, value)| {
            answer.header(name, value)
        });
        let server = Server::start(move |request| match request.index {
            0 => answer.clone().into(),
            _ => create(request),
        });
        home.import(&server.url())
            .run()
            .exits(0)
            .says("rate limited: resuming in ")
            .counts(&[("imported", 1)]);
        let [first, second] = &server.requests()[..] else {
            panic!("not sent twice");
        };
        let waited = second.first_byte.duration_since(first.received);
        assert!(waited >= Duration::from_secs(1), "{headers:?}: {waited:?}");
    };
    std::thread::scope(|scope| {
        for headers in forms {
            scope.spawn(|| verify(headers));
        }
    });
}

/// Its deadline is a promise, though the run is pausing already.
#[test]
fn a_retry_after_of_a_call_from_before_the_pause_counts() {
    let home = Home::new();
    home.write("known.csv", "id,partnerFirmId\nk1,f1\nk2,f1\n");
    home.cases(2);
    let server = Server::start(|request| {
        let busy = |seconds| status(429).header("Retry-After", seconds);
        match (request.index, request.json()["id"].as_str()) {
            (2 | 3, Some("c1")) => react().wait(Duration::from_millis(300)).answer(&busy("3")),
            (2 | 3, Some("c2")) => busy("1").into(),
            _ => create(request),
        }
    });
    home.import_files(&server.url(), &["known.csv"])
        .run()
        .exits(0);
    home.import(&server.url())
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
    let requests = server.requests();
    let busy = requests[2..4]
        .iter()
        .find(|request| request.json()["id"] == "c1");
    let named = busy.unwrap().received + Duration::from_secs(3);
    for request in &requests[4..] {
        assert!(request.first_byte >= named, "a call started too early");
    }
}

#[test]
fn a_retry_after_beyond_max_wait_stops_the_run() {
    for wait in [
        "61",
        "99999999999999999999",
        "Fri, 31 Dec 2055 00:00:00 GMT",
    ] {
        let home = Home::new();
        home.cases(3);
        let server = Server::start(move |_| status(503).header("Retry-After", wait));
        home.import(&server.url())
            .args(&["--max-wait", "1m"])
            .run()
            .exits(5)
            .stopped("--max-wait sets the limit")
            .counts(&[("not_sent", 1), ("untried", 2)]);
        assert_eq!(server.requests().len(), 1, "{wait}");
    }
}

/// A server that answers 429 and still creates the case gets it twice, unless
/// `not_sent` is emptied.
#[test]
fn a_429_leaves_doubt_when_the_config_says_so() {
    for (config, created) in [("", 2), ("[api]\nnot_sent = []\n", 1)] {
        let home = Home::new();
        home.cases(1);
        home.write("caseload.toml", config);
        let server = Server::start(|request| {
            if request.index == 0 {
                let busy = status(429).header("Retry-After", "0");
                react().creates("twin").answer(&busy)
            } else {
                create(request)
            }
        });
        let import = || home.import(&server.url()).run();
        let first = import();
        assert_eq!(first.status.code(), Some(if created == 2 { 0 } else { 4 }));
        let second = import();
        assert_eq!(second.status.code(), first.status.code(), "{second}");
        assert_eq!(server.created().len(), created);
    }
}
