//! The sandbox as a command, and the one inside a test run.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::support::{Home, example};

/// The status of a call without a key.
fn call(port: u16, request: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    write!(stream, "{head}Content-Length: 7\r\n\r\n{{\"a\":1}}").unwrap();
    let mut answer = String::new();
    // It may be closed with a part of the request unread.
    let _ = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn the_command_that_it_suggests_works_as_it_stands() {
    for words in [&[][..], &["--map-id", "map_7", "--org-id", "o1"]] {
        let home = Home::new();
        std::fs::create_dir(home.path("examples")).unwrap();
        std::fs::copy(example("cases.csv"), home.path("examples/cases.csv")).unwrap();
        let mut sandbox = home
            .caseload(&["sandbox", "--port", "0"])
            .args(words)
            .start();
        let line = sandbox.wait_for("  try: LEXAMICA_PUBLIC_KEY=any ");
        let command = line.split_once("=any ").unwrap().1.trim();
        home.printed(command)
            .args(&["--yes", "--new-ledger", "--pace", "1ms"])
            .run()
            .exits(0);
        let port = command.rsplit(':').next().unwrap().parse().unwrap();
        for (host, status) in [("localhost", "200"), ("evil.example", "403")] {
            assert_eq!(call(port, "GET /__sandbox/cases", host), status);
        }
        sandbox.signal(Signal::INT);
        sandbox.wait().exits(0);
    }
}

/// The ports on which a process listens.
#[cfg(target_os = "linux")]
fn listening(process: u32) -> BTreeSet<u16> {
    let mut sockets = BTreeSet::new();
    for file in std::fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        let target = std::fs::read_link(file.unwrap().path()).unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|inode| inode.strip_suffix(']'));
        sockets.extend(inode.map(str::to_owned));
    }
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Local address, state, and inode; 0A is LISTEN.
    let ours = rows.filter(|row| row[3] == "0A" && sockets.contains(row[9]));
    let ports = ours.map(|row| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16));
    ports.map(Result::unwrap).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_one_inside_a_test_run_answers_only_this_run() {
    let home = Home::new();
    home.cases(200);
    let mut run = home
        .caseload(&["import", "cases.csv", "--sandbox", "--key-column", "id"])
        .args(&["--pace", "1s", "-v"])
        .start();
    run.wait_for("case c1: status 201");
    let ports = listening(run.id());
    let port = *ports.first().unwrap();
    assert_eq!(ports.len(), 1);
    assert_eq!(call(port, "GET /__sandbox/cases", "localhost"), "404");
    let post = "POST /case/sandbox/create-existing";
    assert_eq!(call(port, post, "localhost"), "401");
    run.kill();
}
