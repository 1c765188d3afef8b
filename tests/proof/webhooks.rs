//! SIGKILLs of the receiver at random moments, while a sender delivers until it
//! is answered with 200: each event is in the ledger, once.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use sha2::Sha256;

use super::checker::Stage;
use super::faults::Fault;
use super::faulty_server::{FaultyServer, OnAccept};
use super::workspace::{EndBy, Workspace, run};

const SECRET: &str = "whsec_of_the_proof";

struct Form {
    deliveries: usize,
    kills: usize,
    records: usize,
}

fn form() -> Form {
    if super::long() {
        Form {
            deliveries: 10_000,
            kills: 60,
            records: 400,
        }
    } else {
        Form {
            deliveries: 400,
            kills: 6,
            records: 40,
        }
    }
}

/// Delivers once; whether it was answered with 200.
fn deliver(port: u16, body: &str) -> bool {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let bytes = mac.chain_update(body).finalize().into_bytes();
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = digits.concat();
    let post = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let length = body.len();
        write!(
            stream,
            "POST /updates HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
             x-lexamica-signature: {signature}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    post().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// A receiver on this port.
fn listen(workspace: &Workspace, port: u16) -> Child {
    let arguments = ["listen", "--ledger=ledger.db", "--output=json"].map(str::to_owned);
    let mut arguments = arguments.to_vec();
    arguments.push(format!("--address=127.0.0.1:{port}"));
    let mut command = workspace.binary(&arguments);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Kills the receiver again and again while everything is delivered.
fn deliver_through_kills(workspace: &Workspace, form: &Form) {
    let secrets = format!("updates = [\"{SECRET}\"]\n");
    std::fs::write(
        workspace.folder.path().join("webhook-secrets.toml"),
        secrets,
    )
    .unwrap();
    let port = free_port();
    let next = AtomicUsize::new(0);
    let delivered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= form.deliveries {
                        return;
                    }
                    while !deliver(port, &format!("{{\"number\":{number}}}")) {
                        thread::yield_now();
                    }
                    delivered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut rng = Rng::new();
        for kill in 0..form.kills {
            let mut child = listen(workspace, port);
            // After some part of the deliveries, and a moment.
            let until = form.deliveries * kill / (form.kills + 1) + rng.usize(0..8);
            while delivered.load(Ordering::SeqCst) < until.min(form.deliveries) {
                thread::yield_now();
            }
            thread::sleep(Duration::from_micros(rng.u64(0..60_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut child = listen(workspace, port);
        while delivered.load(Ordering::SeqCst) < form.deliveries {
            thread::yield_now();
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success(), "{}", workspace.stderr());
    });
    check(workspace, form);
}

/// Every event was answered with 200, so each is there; none is there twice.
fn check(workspace: &Workspace, form: &Form) {
    let conn = Connection::open(workspace.ledger()).unwrap();
    let counts = "SELECT count(*), count(DISTINCT body) FROM events";
    let counts: (usize, usize) = conn
        .query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let expected = (form.deliveries, form.deliveries);
    assert_eq!(counts, expected, "stored, and different");
    println!(
        "{} deliveries through {} kills",
        form.deliveries, form.kills
    );
}

/// A workspace with a ledger of one case.
fn workspace(server: &FaultyServer, records: usize) -> Workspace {
    let workspace = Workspace::new(records);
    server.begin(0, OnAccept::Serve);
    let mut arguments = workspace.fast_arguments(&server.url());
    arguments.push("--limit=1".to_owned());
    let ended = run(&mut workspace.binary(&arguments), EndBy::Itself);
    assert!(ended.status.success(), "{}", workspace.stderr());
    workspace
}

#[test]
fn no_kill_of_the_receiver_loses_or_doubles_an_event() {
    let server = FaultyServer::start(|_, _| Fault::Created(0));
    deliver_through_kills(&workspace(&server, 1), &form());
}

#[test]
fn no_kill_of_the_receiver_harms_an_import_on_its_ledger() {
    let form = form();
    let server = FaultyServer::start(|_, _| Fault::Created(0));
    let workspace = workspace(&server, form.records);
    thread::scope(|scope| {
        let import = scope.spawn(|| {
            server.begin(1, OnAccept::Serve);
            let mut arguments = workspace.arguments(&server.url());
            arguments.push("--pace=20ms".to_owned());
            run(&mut workspace.binary(&arguments), EndBy::Itself)
        });
        deliver_through_kills(&workspace, &form);
        let ended = import.join().unwrap();
        assert!(ended.status.success(), "{}", workspace.stderr());
    });
    let rows = workspace.check(&server.log(), &[false, false], Stage::Done, 0);
    assert!(rows.values().all(|row| row.state == "imported"));
}
