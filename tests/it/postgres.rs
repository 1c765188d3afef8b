//! A ledger on a PostgreSQL server: used like a file, by one run at a time,
//! wherever that runs.

use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Reaction, Request, Server, created, react};
use crate::support::postgres::{Cluster, Database};
use crate::support::{Done, Home, Program, creating_server, keys, mixed_server};

/// An import of `cases.csv` into a ledger on a server.
fn import(home: &Home, server: &Server, ledger: &str) -> Program {
    import_without_ledger(home, server).args(&["--ledger", ledger])
}

fn import_without_ledger(home: &Home, server: &Server) -> Program {
    home.import_without_ledger_flags(&server.url(), &["cases.csv"])
        .args(&["--pace", "1ms", "--output", "json"])
}

/// Creates a case under an id that no other server gives to another case.
fn create(request: &Request) -> Reaction {
    let body = request.json();
    created(&format!("id-{}", body["id"].as_str().unwrap()))
}

/// A home with this many cases, and a database with a ledger of them.
fn imported(cluster: &Cluster, cases: usize) -> (Home, Server, Database) {
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    home.cases(cases);
    import(&home, &server, &database.url)
        .arg("--new-ledger")
        .run()
        .exits(0)
        .counts(&[("imported", cases as u64)]);
    (home, server, database)
}

/// `caseload` on a ledger.
fn run(home: &Home, ledger: &str, args: &[&str]) -> Done {
    home.caseload(args).args(&["--ledger", ledger]).run()
}

#[test]
fn a_ledger_is_created_only_on_request() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), creating_server(), cluster.database());
    home.cases(2);
    let import = |words: &[&str]| import(&home, &server, &database.url).args(words).run();
    import(&[])
        .exits(2)
        .says("If this is this account's first import, add --new-ledger");
    run(&home, &database.url, &["status"])
        .exits(2)
        .says("there is no ledger at postgres://postgres@127.0.0.1");
    import(&["--new-ledger", "--dry-run"]).exits(0);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'caseload'";
    assert_eq!(database.value(schemas), "0");
    import(&["--new-ledger"])
        .exits(0)
        .counts(&[("imported", 2)]);
    import(&["--new-ledger"])
        .exits(2)
        .says("already exists, with 2 cases; leave --new-ledger out");
    import(&["--adopt-ledger"])
        .exits(2)
        .says("leave --adopt-ledger out");
    assert_eq!(server.requests().len(), 2);
    assert_eq!(database.states(2), ["imported", "imported"]);
}

#[test]
fn an_account_has_one_ledger_wherever_it_is() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported(cluster, 1);
    home.import(&server.url())
        .run()
        .exits(2)
        .says("has a ledger already")
        .says(&database.url);
    let other = cluster.database();
    import(&home, &server, &other.url)
        .arg("--new-ledger")
        .run()
        .exits(2)
        .says("has a ledger already");
    import(&home, &creating_server(), &database.url)
        .run()
        .exits(2)
        .says("is the ledger of");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_second_import_skips_and_a_changed_row_is_reported() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported(cluster, 3);
    // Another machine, by the socket.
    let other = Home::new();
    other.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Name 1\nc2,f1,Another\nc3,f1,Name 3\nc4,f1,Name 4\n",
    );
    let socket = cluster.socket_url(&database);
    import(&other, &server, &socket).run().exits(0).counts(&[
        ("already_imported", 2),
        ("changed", 1),
        ("imported", 1),
    ]);
    import(&home, &server, &database.url)
        .run()
        .exits(0)
        .counts(&[("already_imported", 3)]);
    assert_eq!(keys(&server), ["c1", "c2", "c3", "c4"]);
}

#[test]
fn a_case_of_another_key_is_held() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported(cluster, 2);
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nC1,f1,Somebody\nd2,f1,Name 2\nc003,f1,Name 9\n",
    );
    let done = import(&home, &server, &database.url).run().exits(1);
    let done = done.counts(&[("held", 2), ("imported", 1)]);
    assert!(
        done.out.contains("same-content") && done.out.contains("similar-key"),
        "{done}"
    );
    assert_eq!(keys(&server), ["c003", "c1", "c2"]);
}

#[test]
fn doubts_are_shown_resolved_and_exported() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, database) = (Home::new(), cluster.database());
    home.people("cases.csv", &["a", "doubt-1", "doubt-2", "bad-1"]);
    let server = mixed_server();
    import(&home, &server, &database.url)
        .arg("--new-ledger")
        .run()
        .exits(4)
        .counts(&[("imported", 1), ("in_doubt", 2), ("rejected", 1)]);
    let run = |args: &[&str]| run(&home, &database.url, args);
    run(&["status"]).exits(0).prints("in doubt");
    run(&["status", "--case", "doubt-1"])
        .exits(0)
        .prints("doubt-1")
        .prints("502");
    run(&["resolve", "--yes", "--not-imported", "doubt-1"]).exits(0);
    run(&["resolve", "--yes", "--imported", "doubt-2=id-9"]).exits(0);
    assert_eq!(database.number("not_sent"), 1);
    run(&["resolve", "--yes", "--undo", "doubt-1"]).exits(0);
    assert_eq!(database.number("in_doubt"), 1);
    run(&["resolve", "--yes", "--imported", "x=id-9"])
        .exits(1)
        .says("doubt-2 already has this case id");
    run(&["status", "--state", "imported"])
        .exits(0)
        .prints("imported as id-9, marked by tess on");
    let exported = run(&["export", "--json", "-"]).exits(0);
    for part in ["doubt-1", "in_doubt", "id-9", "unknown CaseType"] {
        assert!(exported.out.contains(part), "{part}: {exported}");
    }
    run(&[
        "export",
        "--results",
        "results.csv",
        "--html",
        "report.html",
    ])
    .exits(0);
    assert!(home.read("results.csv").contains("id-9"));
    run(&["ledger", "backup", "copy.db"])
        .exits(2)
        .says("pg_dump");
    let url = database.url.as_str();
    home.caseload(&["ledger", "list"])
        .run()
        .exits(0)
        .prints(url);
}

/// A server whose requests wait, each for a message; and a message for each that
/// arrives.
fn gated_server() -> (Server, Receiver<()>, Sender<()>) {
    let (arrived, arrivals) = channel();
    let (go_on, gate) = channel();
    let server = Server::start(move |request| {
        arrived.send(()).unwrap();
        // The test has failed if it is closed.
        let _ = gate.recv();
        create(request)
    });
    (server, arrivals, go_on)
}

#[test]
fn deliveries_are_stored_beside_an_import() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, _, database) = imported(cluster, 1);
    let listener = home.listen_on(&database.url, &[]);
    assert_eq!(listener.deliver("updates", r#"{"title":"before"}"#), 200);
    // Each request waits until a delivery was stored.
    let (server, arrivals, go_on) = gated_server();
    home.cases(4);
    let importing = import(&home, &server, &database.url)
        .arg("--adopt-ledger")
        .start();
    for number in 0..3 {
        arrivals.recv().unwrap();
        let body = format!("{{\"title\":\"during {number}\"}}");
        assert_eq!(listener.deliver("updates", &body), 200);
        assert_eq!(listener.deliver("updates", &body), 200, "again");
        go_on.send(()).unwrap();
    }
    importing
        .wait()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 3)]);
    let events =
        database.query("SELECT convert_from(body, 'UTF8') FROM caseload.events ORDER BY no");
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(events[3], [r#"{"title":"during 2"}"#]);
    run(
        &home,
        &database.url,
        &["export", "--events", "events.ndjson"],
    )
    .exits(0);
    assert_eq!(home.read("events.ndjson").lines().count(), 4);
}

#[test]
fn a_second_run_is_told_who_has_the_ledger_and_waits_when_asked() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, _, database) = imported(cluster, 1);
    home.cases(2);
    let (server, arrivals, go_on) = gated_server();
    let first = import(&home, &server, &database.url)
        .arg("--adopt-ledger")
        .start();
    arrivals.recv().unwrap();
    let second = import(&home, &server, &database.url).args(&["--wait", "0s"]);
    second
        .run()
        .exits(2)
        .says("another run is using it: tess on ")
        .says("(import cases.csv ");
    run(&home, &database.url, &["status"])
        .exits(0)
        .prints("tess on ");
    let waiting = import(&home, &server, &database.url)
        .args(&["--wait", "60s"])
        .start();
    go_on.send(()).unwrap();
    first.wait().exits(0);
    waiting.wait().exits(0).counts(&[("already_imported", 2)]);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(database.value("SELECT count(*) FROM caseload.lock"), "0");
}

/// The lease of the run has ended.
const EXPIRED: &str =
    "(SELECT heartbeat + lease * interval '1 ms' < clock_timestamp() FROM caseload.lock)";

#[test]
fn the_cases_of_a_killed_run_are_in_doubt_after_its_lease() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, _, database) = imported(cluster, 1);
    home.cases(3);
    let (arrived, arrivals) = channel();
    let server = Server::start(move |request| {
        arrived.send(()).unwrap();
        match request.index {
            0 => react().silence(),
            _ => create(request),
        }
    });
    let first = import(&home, &server, &database.url)
        .args(&["--adopt-ledger", "--timeout", "1s"])
        .start();
    arrivals.recv().unwrap();
    first.kill();
    let second = import(&home, &server, &database.url)
        .args(&["--wait", "0s"])
        .run();
    // A slow machine may need longer than the lease to come here.
    if second.status.code() == Some(2) {
        second.says("another run is using it: tess on ");
        run(&home, &database.url, &["status"]).prints("sending");
    }
    import(&home, &server, &database.url)
        .args(&["--wait", "60s"])
        .run()
        .exits(4);
    let sent = keys(&server);
    assert_eq!(sent, ["c2", "c3"], "each once");
    assert_eq!(database.states(3), ["imported", "in_doubt", "imported"]);
    let ended = database.query("SELECT ended FROM caseload.runs ORDER BY no");
    assert_eq!(ended[1], ["ended unexpectedly"]);
}

#[test]
fn a_stopped_run_sends_nothing_after_another_took_over() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, _, database) = imported(cluster, 1);
    home.cases(5);
    let (process, id) = channel();
    let (stopped, is_stopped) = channel();
    let server = Server::start(move |request| {
        if request.index == 0 {
            let id = Pid::from_raw(id.recv().unwrap()).unwrap();
            kill_process(id, Signal::STOP).unwrap();
            stopped.send(()).unwrap();
        }
        create(request)
    });
    let first = import(&home, &server, &database.url)
        .args(&["--adopt-ledger", "--timeout", "1s"])
        .start();
    process.send(first.id() as i32).unwrap();
    is_stopped.recv().unwrap();
    database.wait_until(EXPIRED);
    import(&home, &server, &database.url)
        .args(&["--timeout", "60s"])
        .run()
        .exits(4)
        .says("1 case that it was sending is in doubt now");
    let sent = server.requests().len();
    assert_eq!(database.states(2), ["imported", "in_doubt"]);
    first.signal(Signal::CONT);
    let first = first.wait().exits(5);
    first.stopped("another run took over");
    assert_eq!(server.requests().len(), sent, "it sent nothing more");
    assert_eq!(keys(&server), ["c2", "c3", "c4", "c5"]);
    // Its answer had come, but later than the timeout.
    assert_eq!(database.number("imported") + database.number("in_doubt"), 5);
    assert_eq!(database.number("sending"), 0);
}
