//! A ledger on a `PostgreSQL` server: used like a file, by one run at a time,
//! wherever that runs; through a pooler, where it is installed.

use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Reaction, Request, Server, created, react};
use crate::support::postgres::{Cluster, Database};
use crate::support::{Done, Home, Program, creating_server, keys, mixed_server, silent_server};

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
    imported_into(cluster.database(), cases)
}

/// The same without a pooler, which keeps connections to its database.
fn imported_directly(cluster: &Cluster, cases: usize) -> (Home, Server, Database) {
    let mut database = cluster.database();
    database.url.clone_from(&database.direct_url);
    imported_into(database, cases)
}

fn imported_into(database: Database, cases: usize) -> (Home, Server, Database) {
    let (home, server) = (Home::new(), Server::start(create));
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
fn a_run_whose_machine_is_gone_is_ended_by_hand() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, (silent, arrivals)) = (Home::new(), silent_server());
    let database = cluster.database();
    home.cases(1);
    let running = import(&home, &silent, &database.url).arg("--new-ledger");
    let running = running.start();
    arrivals.recv().unwrap();
    let unlock = |words: &[&str]| {
        let words = [&["ledger", "unlock"], words].concat();
        run(&home, &database.url, &words)
    };
    unlock(&[])
        .exits(2)
        .says("is using the ledger")
        .says("not a terminal: use --yes");
    let done = unlock(&["--yes", "--output", "json"]).exits(0);
    assert_eq!(done.json()[0]["command"], "ledger unlock", "{done}");
    running.kill();
    unlock(&["--yes"])
        .exits(0)
        .says("no run is using the ledger");
    import(&home, &silent, &database.url)
        .run()
        .exits(4)
        .counts(&[("in_doubt", 1)]);
}

#[test]
fn its_runs_are_listed() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, _server, database) = imported(cluster, 2);
    run(&home, &database.url, &["status", "--runs"])
        .exits(0)
        .prints("        2        2        0        0        0  finished")
        .prints("cases.csv");
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
    process.send(first.id().cast_signed()).unwrap();
    is_stopped.recv().unwrap();
    database.wait_until_lease_ends();
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

/// Asserts that a secret is in no output and in no file of a home.
#[track_caller]
fn assert_hidden(secret: &str, home: &Home, done: &[&Done]) {
    for done in done {
        assert!(!format!("{done}").contains(secret), "{done}");
    }
    for file in home.files() {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn a_password_comes_from_the_environment_or_a_private_file_and_is_shown_nowhere() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), creating_server(), cluster.database());
    home.cases(1);
    database.query(&format!(
        "CREATE ROLE locked LOGIN PASSWORD 'se/cret:77'; GRANT CREATE ON DATABASE {} TO locked",
        database.name
    ));
    let place = format!("127.0.0.1:{}/{}", database.port, database.name);
    let plain = format!("postgres://locked@{place}");
    let mut seen = Vec::new();
    for password in ["se%2Fcret%3A77", "se/cret:77"] {
        let with_password = format!("postgres://locked:{password}@{place}");
        let named = [
            import(&home, &server, &with_password),
            import_without_ledger(&home, &server)
                .input("")
                .args(&["--config", "secret.toml"]),
        ];
        let other = Home::new();
        let config = format!("[ledger]\nurl = \"{with_password}\"\n");
        home.write("secret.toml", config);
        for program in named {
            let done = program.arg("--new-ledger").run().exits(2);
            seen.push(done.says("must not have a password where others can read it"));
        }
        std::fs::remove_file(home.path("secret.toml")).unwrap();
        assert!(other.files().is_empty());
    }
    let without = import(&home, &server, &plain).arg("--new-ledger").run();
    seen.push(without.exits(2).says("password"));
    let wrong = import(&home, &server, &plain).env("PGPASSWORD", "se/cret:78");
    seen.push(wrong.run().exits(2).says("password authentication failed"));
    let in_url = format!("postgres://locked:se%2Fcret%3A77@{place}");
    let import = |variable: &str, value: &str| {
        import_without_ledger(&home, &server)
            .env("CASELOAD_LEDGER", &plain)
            .env(variable, value)
    };
    seen.push(
        import("CASELOAD_LEDGER", &in_url)
            .args(&["--new-ledger", "--out", "out"])
            .run()
            .exits(0),
    );
    seen.push(import("PGPASSWORD", "se/cret:77").run().exits(0));
    let line = format!("127.0.0.1:{}:*:locked:se/cret\\:77\n", database.port);
    let file = home.write("passwords", format!("# ours\nother:*:*:*:no\n{line}"));
    let file_name = file.display().to_string();
    seen.push(import("PGPASSFILE", &file_name).run().exits(0));
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(&file, mode(0o640)).unwrap();
    seen.push(
        import("PGPASSFILE", &file_name)
            .run()
            .exits(2)
            .says("password"),
    );
    std::fs::remove_file(&file).unwrap();
    let status = home.caseload(&["status"]).env("CASELOAD_LEDGER", &in_url);
    seen.push(status.run().exits(0).prints(&plain));
    let wrong_place = in_url.replace(&database.name, "no_such_database");
    let lost = home
        .caseload(&["status"])
        .env("CASELOAD_LEDGER", &wrong_place);
    seen.push(lost.run().exits(2).says("no_such_database"));
    let seen: Vec<&Done> = seen.iter().collect();
    for secret in ["cret:77", "cret%3A77", "cret:78"] {
        assert_hidden(secret, &home, &seen);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_connection_that_checks_nobody_is_refused() {
    let (home, server) = (Home::new(), creating_server());
    home.cases(1);
    for mode in ["require", "prefer", "allow", "verify-ca"] {
        let ledger = format!("postgres://me@db.invalid/firm?sslmode={mode}");
        import(&home, &server, &ledger)
            .run()
            .exits(2)
            .says(&format!("sslmode={mode} does not check who answers"));
    }
    for ledger in [
        "postgres://",
        "postgres://me@db.invalid:port/x",
        "postgres://me@/x",
    ] {
        import(&home, &server, ledger).run().exits(2);
    }
    import(&home, &server, "postgres://me@db.invalid/firm")
        .run()
        .exits(2)
        .says("can't be reached");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_role_that_may_not_create_tables_can_run_imports() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported(cluster, 1);
    // As the README says.
    database.query(
        "CREATE ROLE paralegal LOGIN;
         GRANT USAGE ON SCHEMA caseload TO paralegal;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA caseload TO paralegal;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA caseload TO paralegal",
    );
    let ledger = database.url.replace("postgres@", "paralegal@");
    let elsewhere = Home::new();
    elsewhere.cases(1);
    let other = cluster.database().url.replace("postgres@", "paralegal@");
    import(&elsewhere, &server, &other)
        .arg("--new-ledger")
        .run()
        .exits(2)
        .says("permission denied");
    home.people("cases.csv", &["a", "doubt-1", "bad-1"]);
    let mixed = mixed_server();
    import(&home, &mixed, &ledger)
        .arg("--adopt-ledger")
        .run()
        .exits(4)
        .counts(&[("imported", 1), ("in_doubt", 1), ("rejected", 1)]);
    run(
        &home,
        &ledger,
        &["resolve", "--yes", "--imported", "doubt-1=y"],
    )
    .exits(0);
    run(&home, &ledger, &["resolve", "--yes", "--undo", "doubt-1"]).exits(0);
    run(
        &home,
        &ledger,
        &["resolve", "--yes", "--not-imported", "doubt-1"],
    )
    .exits(0);
    run(&home, &ledger, &["export", "--json", "-"])
        .exits(0)
        .prints("bad-1");
    run(&home, &ledger, &["status", "--check"]);
    let listener = home.listen_on(&ledger, &[]);
    assert_eq!(listener.deliver("updates", "{}"), 200);
    assert_eq!(database.number("not_sent"), 1);
}

#[test]
fn a_database_that_is_no_ledger_of_this_version_is_refused() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported_directly(cluster, 1);
    let import = || import(&home, &server, &database.url).run();
    let at = format!("ALTER DATABASE {} ", database.name);
    database.query(&format!("{at} SET default_transaction_read_only = on"));
    import()
        .exits(2)
        .says("default_transaction_read_only is on");
    database.query(&format!("SET transaction_read_only = off; {at} RESET ALL"));
    database.query("UPDATE caseload.version SET schema = 9");
    import()
        .exits(2)
        .says("written by a newer version of caseload");
    run(&home, &database.url, &["status"])
        .exits(2)
        .says("upgrade caseload");
    database.query("DELETE FROM caseload.version");
    import().exits(2).says("not a caseload ledger");
    database.query("DROP SCHEMA caseload CASCADE");
    import()
        .exits(2)
        .says("with an empty one every case is sent");
    // This machine remembers that there was one.
    let new = home.import_without_ledger_flags(&server.url(), &["cases.csv"]);
    new.args(&["--ledger", &database.url, "--new-ledger"])
        .run()
        .exits(2)
        .says("has a ledger already");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_ledger_moves_from_a_file_to_a_server() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    home.cases(150);
    import(&home, &server, "old.db")
        .arg("--new-ledger")
        .run()
        .exits(0);
    home.caseload(&["ledger", "copy", "old.db", &database.url])
        .run()
        .exits(0);
    import(&home, &server, "old.db")
        .run()
        .exits(2)
        .says("moved to");
    home.cases(151);
    import(&home, &server, &database.url)
        .run()
        .exits(0)
        .counts(&[("already_imported", 150), ("imported", 1)]);
    assert_eq!(server.requests().len(), 151);
}

#[test]
fn an_older_copy_of_a_database_is_noticed() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = imported_directly(cluster, 1);
    let copy = cluster.database();
    let admin = cluster.database();
    admin.query(&format!("DROP DATABASE {}", copy.name));
    admin.query(&format!(
        "CREATE DATABASE {} TEMPLATE {}",
        copy.name, database.name
    ));
    home.cases(3);
    import(&home, &server, &database.url).run().exits(0);
    // A standby that lacks the latest commits became the server.
    admin.query(&format!("DROP DATABASE {} WITH (FORCE)", database.name));
    admin.query(&format!(
        "ALTER DATABASE {} RENAME TO {}",
        copy.name, database.name
    ));
    import(&home, &server, &database.url)
        .run()
        .exits(2)
        .says("--accept-older-ledger");
    assert_eq!(keys(&server), ["c1", "c2", "c3"]);
}

#[test]
fn no_pooler_is_needed() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, database) = (Home::new(), cluster.database());
    let ledger = database.direct_url.as_str();
    let names: Vec<String> = (0..20)
        .map(|n| format!("{}-{n}", ["a", "doubt", "b", "bad"][n % 4]))
        .collect();
    home.people("cases.csv", &names);
    let server = mixed_server();
    let import = || import(&home, &server, ledger).args(&["--max-failures", "0"]);
    let listener_after_import = || {
        let listener = home.listen_on(ledger, &[]);
        assert_eq!(listener.deliver("updates", "{}"), 200);
    };
    import().arg("--new-ledger").run().exits(4).counts(&[
        ("imported", 10),
        ("in_doubt", 5),
        ("rejected", 5),
    ]);
    listener_after_import();
    import()
        .run()
        .exits(4)
        .counts(&[("already_imported", 10), ("in_doubt", 5), ("rejected", 5)]);
    run(&home, ledger, &["status", "--case", "doubt-1"])
        .exits(0)
        .prints("502");
    run(
        &home,
        ledger,
        &["resolve", "--yes", "--not-imported", "--run", "1"],
    )
    .exits(0);
    assert_eq!(database.number("not_sent"), 5);
    run(&home, ledger, &["resolve", "--yes", "--undo", "--run", "1"]).exits(0);
    let exported = run(&home, ledger, &["export", "--json", "-"]).exits(0);
    assert_eq!(exported.json().len(), 20);
    assert_eq!(server.requests().len(), 25, "only the rejected ones again");
}

#[test]
fn setup_keeps_what_it_created_on_a_server() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, database) = (Home::new(), cluster.database());
    home.write(
        "caseload.toml",
        "[case]\nkey = \"LeadId\"\n[fields.LeadId]\n[fields.FirstName]\n\
         lexamica = \"client.firstName\"\n",
    );
    home.write("private.txt", "sk_test_9c2e7a");
    let private = home.path("private.txt").display().to_string();
    let sandbox = crate::support::Sandbox::start(&["--private-key-file", &private]);
    let setup = || {
        home.caseload(&[
            "setup",
            "--base-url",
            &sandbox.url(),
            "--org-id",
            "o1",
            "--yes",
        ])
        .args(&["--public-url", "https://hooks.example.com/lexamica"])
        .args(&["--ledger", &database.url])
        .env("LEXAMICA_PRIVATE_KEY", "sk_test_9c2e7a")
    };
    setup().arg("--new-ledger").run().exits(0);
    let states = database.query("SELECT DISTINCT state FROM caseload.setup");
    assert_eq!(states, [["imported"]]);
    let calls = sandbox.calls().len();
    setup().run().exits(0);
    let posted = sandbox.calls().split_off(calls);
    assert!(
        posted.iter().all(|call| call["method"] != "POST"),
        "{posted:?}"
    );
}
