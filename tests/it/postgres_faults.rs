//! What a ledger on a server survives: the server stops, connections break at any
//! statement, machines vanish.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::server::{Reaction, Request, Server, created};
use crate::support::postgres::{Cluster, Database};
use crate::support::{Done, Home, Program, keys};

/// Creates a case under an id of its own.
fn create(request: &Request) -> Reaction {
    let body = request.json();
    created(&format!("id-{}", body["id"].as_str().unwrap()))
}

/// An import of `cases.csv` with a lease of some 2 s.
fn import(home: &Home, server: &Server, ledger: &str) -> Program {
    import_with(home, server, ledger, &["--pace", "1ms", "--timeout", "1s"])
}

fn import_with(home: &Home, server: &Server, ledger: &str, flags: &[&str]) -> Program {
    home.import_without_ledger_flags(&server.url(), &["cases.csv"])
        .args(&["--output", "json", "--ledger", ledger])
        .args(flags)
}

/// Creates a ledger without cases of its own.
fn with_ledger(home: &Home, server: &Server, database: &Database) {
    home.cases(1);
    import(home, server, &database.direct_url)
        .arg("--new-ledger")
        .run()
        .exits(0);
}

#[test]
fn a_server_that_stops_in_the_middle_however_it_does_loses_nothing() {
    let Some(cluster) = Cluster::start() else {
        return Cluster::skip();
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(60);
    let flags = ["--pace", "5ms", "--timeout", "60s"];
    let importing = import_with(&home, &server, &database.direct_url, &flags).start();
    for (restart, mode) in [(1, "immediate"), (2, "fast"), (3, "immediate"), (4, "fast")] {
        server.wait_for_requests(restart * 10);
        cluster.stop_by(mode);
        cluster.start_again();
    }
    server.wait_for_requests(50);
    thread::scope(|scope| {
        // Waits for those that are connected, and lets nobody in.
        scope.spawn(|| cluster.stop_by("smart"));
        importing
            .wait()
            .exits(0)
            .counts(&[("already_imported", 1), ("imported", 59)]);
    });
    cluster.start_again();
    assert_eq!(server.requests().len(), 60, "each once");
    assert_eq!(database.number("imported"), 60);
}

#[test]
fn a_connection_that_is_ended_on_the_server_counts_as_lost() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(20);
    let importing = import_with(&home, &server, &database.direct_url, &["--pace", "20ms"]).start();
    server.wait_for_requests(5);
    // In the middle of a claim, which waits for this lock.
    database.query(
        "DO $$ DECLARE waiting integer; BEGIN
           LOCK TABLE caseload.runs IN EXCLUSIVE MODE;
           WHILE waiting IS NULL LOOP
             PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
             SELECT pid INTO waiting FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND datname = current_database();
           END LOOP;
           PERFORM pg_terminate_backend(waiting);
         END $$",
    );
    importing
        .wait()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 19)]);
    assert_eq!(server.requests().len(), 20, "each once");
}

#[test]
fn what_a_lost_server_could_not_store_is_in_a_file_for_resolve() {
    let Some(cluster) = Cluster::start() else {
        return Cluster::skip();
    };
    let (home, database) = (Home::new(), cluster.database());
    let (arrived, arrivals) = channel();
    let (go_on, gate) = channel();
    let server = Server::start(move |request| {
        if request.index > 0 {
            arrived.send(()).unwrap();
            // The test has failed if it is closed.
            let _ = gate.recv();
        }
        create(request)
    });
    with_ledger(&home, &server, &database);
    home.cases(3);
    let flags = ["--pace", "1ms", "--max-wait", "1s", "--timeout", "20s"];
    let importing = import_with(&home, &server, &database.direct_url, &flags).start();
    arrivals.recv().unwrap();
    cluster.stop();
    go_on.send(()).unwrap();
    let done = importing.wait().exits(5).says("caseload-unsaved-");
    assert_eq!(done.summary().of("in_doubt"), 1, "{done}");
    let next = done
        .err
        .split('`')
        .find(|part| part.starts_with("caseload resolve"));
    let next = next.unwrap_or_else(|| panic!("{done}")).to_owned();
    cluster.start_again();
    // Its lease, which nobody waits for in a test.
    database.query("DELETE FROM caseload.lock");
    let states = || database.states(2);
    assert_eq!(states(), ["imported", "sending"]);
    home.printed(&next).arg("--yes").run().exits(0);
    assert_eq!(states(), ["imported", "imported"]);
    let ids = database.value("SELECT case_id FROM caseload.cases WHERE key LIKE '%c2%'");
    assert_eq!(ids, "id-c2");
    go_on.send(()).unwrap();
    import(&home, &server, &database.direct_url).run().exits(0);
    assert_eq!(keys(&server), ["c1", "c2", "c3"]);
}

#[test]
fn a_server_that_never_answers_counts_as_lost() {
    let Some(cluster) = Cluster::start() else {
        return Cluster::skip();
    };
    let cluster = Arc::new(cluster);
    let (home, database, freezing) = (Home::new(), cluster.database(), Arc::clone(&cluster));
    let server = Server::start(move |request| {
        if request.index == 1 {
            freezing.freeze();
        }
        create(request)
    });
    with_ledger(&home, &server, &database);
    home.cases(3);
    let flags = ["--pace", "1ms", "--max-wait", "1s", "--timeout", "7s"];
    import_with(&home, &server, &database.direct_url, &flags)
        .run()
        .exits(5)
        .says("has not answered for 8 s")
        .says("caseload-unsaved-");
    cluster.go_on();
    // What it had got before is done late.
    database
        .wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()");
    let done = import(&home, &server, &database.direct_url)
        .args(&["--wait", "60s"])
        .run();
    assert!(matches!(done.status.code(), Some(0 | 4)), "{done}");
    let mut sent = keys(&server);
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), server.requests().len(), "{sent:?}");
}

#[test]
fn a_server_that_can_lose_commits_or_only_be_read_is_refused() {
    let Some(cluster) = Cluster::start() else {
        return Cluster::skip();
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    let import = |ledger: &str| import(&home, &server, ledger);
    // With TLS, and roles that must use it.
    for name in ["server.pem", "server.key"] {
        let file = format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        cluster.shell(&format!("umask 077 && printf '%s' '{text}' > data/{name}"));
    }
    cluster.set("ssl = on");
    cluster.set("ssl_cert_file = 'server.pem'");
    cluster.set("ssl_key_file = 'server.key'");
    cluster.shell(
        "printf 'hostnossl all all all reject\n' | cat - data/pg_hba.conf > hba \
         && cat hba > data/pg_hba.conf",
    );
    let (database_name, port) = (&database.name, database.port);
    let unsafe_server = |line: &str, message: &str| {
        cluster.set(line);
        cluster.stop();
        cluster.start_again();
        import(&cluster.socket_url(&database))
            .run()
            .exits(2)
            .says(message);
    };
    unsafe_server("fsync = off", "fsync is off");
    cluster.set("fsync = on");
    cluster.stop();
    cluster.start_again();
    let ledger = format!("postgres://postgres@localhost:{port}/{database_name}");
    import(&ledger).run().exits(2).says("no encryption");
    let encrypted = format!("{ledger}?sslmode=verify-full");
    import(&encrypted).run().exits(2).says("certificate");
    let certificate = format!("{}/tests/it/tls/server.pem", env!("CARGO_MANIFEST_DIR"));
    import(&encrypted)
        .args(&["--ca-file", &certificate])
        .run()
        .exits(0);
    // The certificate is for localhost.
    import(&encrypted.replace("localhost", "127.0.0.1"))
        .args(&["--ca-file", &certificate])
        .run()
        .exits(2)
        .says("certificate");
    cluster.shell("touch data/standby.signal");
    unsafe_server("hot_standby = on", "a replica that can only be read");
    assert_eq!(server.requests().len(), 1);
}

/// What a proxy does at a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtStatement {
    Forward,
    /// The connection breaks before it reaches the server.
    Break,
    /// The connection breaks when the server has answered it.
    LoseAnswer,
    /// The client's machine vanishes, and the server does not hear of it.
    Vanish,
    /// From now on no answer is passed on, until the test lets them pass.
    HoldAnswers,
}

/// A proxy in front of a server, which looks at each statement: its number, over
/// all connections, and its text.
struct Proxy {
    port: u16,
    passed: Arc<Passed>,
}

type Decide = dyn Fn(usize, &str) -> AtStatement + Send + Sync;

/// What passes over all its connections.
struct Passed {
    decide: Box<Decide>,
    statements: AtomicUsize,
    /// How often the client waited: what it sends before it has the answer to
    /// what it sent before belongs to the same round trip.
    round_trips: AtomicUsize,
    /// Before each end of an answer.
    delay: Duration,
    holds_answers: Mutex<bool>,
    let_pass: Condvar,
}

impl Proxy {
    fn start(to: u16, decide: impl Fn(usize, &str) -> AtStatement + Send + Sync + 'static) -> Self {
        Self::with_delay(to, Duration::ZERO, decide)
    }

    fn with_delay(
        to: u16,
        delay: Duration,
        decide: impl Fn(usize, &str) -> AtStatement + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(Passed {
            decide: Box::new(decide),
            statements: AtomicUsize::new(0),
            round_trips: AtomicUsize::new(0),
            delay,
            holds_answers: Mutex::new(false),
            let_pass: Condvar::new(),
        });
        let all = Arc::clone(&passed);
        // Ends with the test process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let passed = Arc::clone(&all);
                let server = TcpStream::connect(("127.0.0.1", to));
                let (Ok(client), Ok(server)) = (client, server) else {
                    continue;
                };
                thread::spawn(move || serve(&client, &server, &passed));
            }
        });
        Self { port, passed }
    }

    fn let_answers_pass(&self) {
        *self.passed.holds_answers.lock().unwrap() = false;
        self.passed.let_pass.notify_all();
    }

    fn url(&self, database: &Database) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{}",
            self.port, database.name
        )
    }
}

/// How far a server has answered.
#[derive(Default)]
struct Answers {
    /// How often it was ready for the next statement.
    ready: Mutex<usize>,
    changed: Condvar,
    /// Nothing more is passed on.
    lost: std::sync::atomic::AtomicBool,
}

fn serve(client: &TcpStream, server: &TcpStream, passed: &Arc<Passed>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let answers = Arc::new(Answers::default());
    let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let (returned, all) = (Arc::clone(&answers), Arc::clone(passed));
    thread::spawn(move || pass_answers(&from, &to, &returned, &all));
    if pass_statements(client, server, &answers, passed).is_none() {
        let _ = (
            client.shutdown(Shutdown::Both),
            server.shutdown(Shutdown::Both),
        );
    }
}

/// None when the connection is to be closed.
fn pass_statements(
    client: &TcpStream,
    mut server: &TcpStream,
    answers: &Answers,
    passed: &Passed,
) -> Option<()> {
    server.write_all(&message(client, false)?).ok()?;
    passed.round_trips.fetch_add(1, Ordering::SeqCst);
    let mut asked = 1;
    loop {
        let next = message(client, true)?;
        let mut at = AtStatement::Forward;
        // `Query`, or `Parse` as the first of several messages up to `Sync`.
        if matches!(next[0], b'Q' | b'P') {
            let waited = *answers.ready.lock().unwrap() >= asked;
            passed
                .round_trips
                .fetch_add(waited.into(), Ordering::SeqCst);
            asked += 1;
            let number = passed.statements.fetch_add(1, Ordering::SeqCst);
            at = (passed.decide)(number, &String::from_utf8_lossy(&next[5..]));
        }
        match at {
            AtStatement::Forward => server.write_all(&next).ok()?,
            AtStatement::HoldAnswers => {
                *passed.holds_answers.lock().unwrap() = true;
                server.write_all(&next).ok()?;
            }
            AtStatement::Break => return None,
            AtStatement::Vanish => {
                // Both ends stay open as long as the test process.
                std::mem::forget((client.try_clone(), server.try_clone()));
                return Some(());
            }
            AtStatement::LoseAnswer => {
                answers.lost.store(true, Ordering::SeqCst);
                let mut kind = next[0];
                server.write_all(&next).ok()?;
                while kind != b'Q' && kind != b'S' {
                    let more = message(client, true)?;
                    kind = more[0];
                    server.write_all(&more).ok()?;
                }
                let ready = answers.ready.lock().unwrap();
                let waits = |ready: &mut usize| *ready < asked;
                drop(answers.changed.wait_while(ready, waits).unwrap());
                return None;
            }
        }
    }
}

fn pass_answers(server: &TcpStream, mut client: &TcpStream, answers: &Answers, passed: &Passed) {
    while let Some(answer) = message(server, true) {
        let is_end = answer[0] == b'Z';
        if is_end {
            thread::sleep(passed.delay);
        }
        let holds = passed.holds_answers.lock().unwrap();
        drop(passed.let_pass.wait_while(holds, |holds| *holds).unwrap());
        if !answers.lost.load(Ordering::SeqCst) && client.write_all(&answer).is_err() {
            break;
        }
        if is_end {
            *answers.ready.lock().unwrap() += 1;
            answers.changed.notify_all();
        }
    }
    // Whoever waits for an answer gets none.
    *answers.ready.lock().unwrap() = usize::MAX;
    answers.changed.notify_all();
    let _ = client.shutdown(Shutdown::Both);
}

/// The next message; the first one of a client has no type.
fn message(mut from: &TcpStream, typed: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; 4 + usize::from(typed)];
    from.read_exact(&mut message).ok()?;
    let length = message.last_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let start = message.len();
    message.resize(start + length - 4, 0);
    from.read_exact(&mut message[start..]).ok()?;
    Some(message)
}

/// Whether every statement is tried.
fn long() -> bool {
    std::env::var("CASELOAD_PROOF").is_ok_and(|form| form == "long")
}

/// Breaks the connection at each statement of an import in turn. Returns how many
/// statements that were.
fn break_at_each(what: AtStatement, first: usize) -> usize {
    let Some(cluster) = Cluster::shared() else {
        return 0;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    let step = if long() { 1 } else { 8 };
    for at in (first..).step_by(step) {
        home.write(
            "cases.csv",
            format!("id,partnerFirmId,name\na{at},f1,A {at}\nb{at},f1,B {at}\n"),
        );
        let before = server.requests().len();
        let proxy = Proxy::start(database.port, move |number, _| {
            if number == at {
                what
            } else {
                AtStatement::Forward
            }
        });
        let done = import(&home, &server, &proxy.url(&database)).run();
        let context = format!("{what:?} {at}: {done}");
        if proxy.passed.statements.load(Ordering::SeqCst) <= at {
            done.exits(0);
            return at;
        }
        if done.status.code() == Some(2) {
            // Before the run began.
            assert_eq!(server.requests().len(), before, "{context}");
            assert!(done.err.contains("ledger postgres://"), "{context}");
            let again = import(&home, &server, &database.direct_url).args(&["--wait", "60s"]);
            again.run().exits(0).counts(&[("imported", 2)]);
        } else {
            assert_eq!(done.status.code(), Some(0), "{context}");
            done.counts(&[("imported", 2)]);
        }
        let sent = keys(&server);
        for key in [format!("a{at}"), format!("b{at}")] {
            let times = sent.iter().filter(|sent| **sent == key).count();
            assert_eq!(times, 1, "{key}: {context}");
        }
        let open = "SELECT count(*) FROM caseload.cases WHERE state <> 'imported'";
        assert_eq!(database.value(open), "0", "{context}");
    }
    unreachable!()
}

#[test]
fn a_connection_that_breaks_before_any_statement_loses_and_repeats_nothing() {
    let statements = break_at_each(AtStatement::Break, 0);
    println!("broken before each of {statements} statements");
}

#[test]
fn a_lost_answer_to_any_statement_loses_and_repeats_nothing() {
    let statements = break_at_each(AtStatement::LoseAnswer, 4);
    println!("the answers to each of {statements} statements lost");
}

#[test]
fn the_begin_and_the_end_of_a_run_are_committed_in_spite_of_a_lost_connection() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    let mut number = 1;
    for of in ["INSERT INTO files", "SET ended_at"] {
        for what in [AtStatement::Break, AtStatement::LoseAnswer] {
            number += 1;
            home.cases(number);
            let state = Mutex::new((false, false));
            let proxy = Proxy::start(database.port, move |_, text| {
                let (is_next, is_done) = &mut *state.lock().unwrap();
                *is_next |= text.contains(of);
                if *is_next && !*is_done && text.starts_with("COMMIT") {
                    *is_done = true;
                    return what;
                }
                AtStatement::Forward
            });
            import(&home, &server, &proxy.url(&database))
                .run()
                .exits(0)
                .counts(&[("already_imported", number as u64 - 1), ("imported", 1)]);
            let runs = "SELECT count(*) FROM caseload.runs WHERE ended = 'finished'";
            assert_eq!(database.value(runs), number.to_string(), "{of} {what:?}");
        }
    }
}

/// A machine vanishes at the statement after one with this text, in the middle of
/// a transaction.
fn vanish_after(statement: &'static str) {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(2);
    let (vanished, has_vanished) = channel();
    let vanished = Mutex::new((vanished, false));
    let proxy = Proxy::start(database.port, move |_, text| {
        let (vanished, is_next) = &mut *vanished.lock().unwrap();
        if *is_next {
            let _ = vanished.send(());
            return AtStatement::Vanish;
        }
        *is_next = text.contains(statement);
        AtStatement::Forward
    });
    let first = import(&home, &server, &proxy.url(&database)).start();
    has_vanished.recv().unwrap();
    first.kill();
    database.wait_until(
        "SELECT count(*) = 1 FROM pg_stat_activity
         WHERE state = 'idle in transaction' AND datname = current_database()",
    );
    import(&home, &server, &database.direct_url)
        .args(&["--wait", "60s"])
        .run()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 1)]);
    assert_eq!(keys(&server), ["c1", "c2"]);
}

#[test]
fn a_machine_that_vanishes_at_the_begin_of_its_run_keeps_nobody_out() {
    vanish_after("INSERT INTO files");
}

#[test]
fn a_machine_that_vanishes_in_a_claim_keeps_nobody_out() {
    vanish_after("WITH mine AS");
}

#[test]
fn a_case_that_was_claimed_before_a_long_stop_is_not_sent_after_it() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(2);
    import(&home, &server, &database.direct_url).run().exits(0);
    home.cases(4);
    // The run hears of the claim of the last case after a long stop.
    let (claims, claimed) = (AtomicUsize::new(0), "WITH mine AS");
    let proxy = Proxy::start(database.port, move |_, text| {
        if text.contains(claimed) && claims.fetch_add(1, Ordering::SeqCst) == 1 {
            AtStatement::HoldAnswers
        } else {
            AtStatement::Forward
        }
    });
    let first = import(&home, &server, &proxy.url(&database)).start();
    server.wait_for_requests(3);
    database.wait_until("SELECT count(*) = 4 FROM caseload.cases");
    first.signal(Signal::STOP);
    database.wait_until_lease_ends();
    import(&home, &server, &database.direct_url).run().exits(4);
    proxy.let_answers_pass();
    first.signal(Signal::CONT);
    first.wait().exits(5).stopped("another run took over");
    assert_eq!(keys(&server), ["c1", "c2", "c3"], "it sent nothing more");
}

#[test]
fn an_answer_that_is_settled_after_a_take_over_counts() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(2);
    // From the first settle on nothing gets through.
    let (blocked, is_blocked) = channel();
    let (blocked, gate) = (
        Mutex::new(Some(blocked)),
        Arc::new((Mutex::new(false), Condvar::new())),
    );
    let opened = Arc::clone(&gate);
    let proxy = Proxy::start(database.port, move |_, text| {
        if text.contains("WITH ended AS")
            && let Some(blocked) = blocked.lock().unwrap().take()
        {
            blocked.send(()).unwrap();
        }
        if blocked.lock().unwrap().is_none() {
            let (open, changed) = &*gate;
            let closed = changed.wait_while(open.lock().unwrap(), |open| !*open);
            drop(closed.unwrap());
        }
        AtStatement::Forward
    });
    let first = import(&home, &server, &proxy.url(&database)).start();
    is_blocked.recv().unwrap();
    database.wait_until_lease_ends();
    import(&home, &server, &database.direct_url)
        .run()
        .exits(4)
        .says("1 case that it was sending is in doubt now");
    assert_eq!(database.states(2), ["imported", "in_doubt"]);
    *opened.0.lock().unwrap() = true;
    opened.1.notify_all();
    first.wait().exits(5).stopped("another run took over");
    assert_eq!(database.states(2), ["imported", "imported"]);
    import(&home, &server, &database.direct_url)
        .run()
        .exits(0)
        .counts(&[("already_imported", 2)]);
    assert_eq!(keys(&server), ["c1", "c2"]);
}

#[test]
fn a_second_interrupt_does_not_wait_for_a_lost_server() {
    let Some(cluster) = Cluster::start() else {
        return Cluster::skip();
    };
    let (home, database) = (Home::new(), cluster.database());
    let (arrived, arrivals) = channel();
    let server = Server::start(move |request| {
        if request.index == 1 {
            arrived.send(()).unwrap();
        }
        create(request)
    });
    with_ledger(&home, &server, &database);
    home.cases(50);
    let importing = import_with(&home, &server, &database.direct_url, &["--pace", "20ms"]).start();
    arrivals.recv().unwrap();
    cluster.stop();
    // Without it the run would try for `--max-wait`, which is 10 min.
    let done: Done = importing.signal_until_it_ends(Signal::TERM);
    assert!(matches!(done.status.code(), Some(130)), "{done}");
}

#[test]
fn an_import_waits_for_a_distant_server_as_seldom_as_possible() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (home, server, database) = (Home::new(), Server::start(create), cluster.database());
    with_ledger(&home, &server, &database);
    home.cases(11);
    // Or an answer could be there before all of a round trip was sent.
    let delay = Duration::from_millis(5);
    let proxy = Proxy::with_delay(database.port, delay, |_, _| AtStatement::Forward);
    let flags = ["--pace", "1ms", "--timeout", "60s"];
    let import = import_with(&home, &server, &proxy.url(&database), &flags);
    import
        .run()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 10)]);
    // Ten claims and ten settles.
    let others = proxy.passed.round_trips.load(Ordering::SeqCst) - 20;
    println!("{others} round trips besides claims and settles");
    assert!(others <= 22, "{others} round trips");
}
