//! The sandbox as a command, and the one inside a test run.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use serde_json::{Value, json};

use crate::support::{Home, KEY, Program, Sandbox, creating_server, example};

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

const CONFIG: &str = "\
[case]
key = \"id\"
[fields.id]
[fields.name]
lexamica = \"client.name\"
";

/// `setup` or `import` of the sandbox's organization `o1`.
fn at_sandbox(home: &Home, sandbox: &Sandbox, args: &[&str]) -> Program {
    let program = home.caseload(args);
    program
        .args(&["--base-url", &sandbox.url(), "--org-id", "o1", "--yes"])
        .args(&["--ledger", "ledger.db", "--output", "json"])
}

fn import(home: &Home, sandbox: &Sandbox, map_id: &str) -> Program {
    at_sandbox(home, sandbox, &["import", "cases.csv", "--map-id", map_id])
        .args(&["--pace", "1ms"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
}

/// The id of the mapping that `setup` makes, with subscriptions at this address.
fn set_up(home: &Home, sandbox: &Sandbox, public_url: &str, ledger: &str) -> String {
    home.write("caseload.toml", CONFIG);
    let args = [
        "setup",
        "--public-url",
        public_url,
        "--write-config",
        ledger,
    ];
    let setup = at_sandbox(home, sandbox, &args).env("LEXAMICA_PRIVATE_KEY", "sk_test_1");
    let done = setup.run().exits(0);
    let id = &done.json()[0]["created"]["mapping"];
    id.as_str().unwrap().to_owned()
}

#[test]
fn through_the_mapping_of_a_setup_only_paired_fields_come_back_and_the_id_among_them() {
    let home = Home::new();
    home.cases(3);
    let sandbox = Sandbox::start(&[]);
    let map_id = set_up(&home, &sandbox, "http://127.0.0.1:9", "--new-ledger");
    let case = json!({"id": "c9", "partnerFirmId": "f1", "name": "Name 9"});
    let mut response = sandbox.post(&format!("/case/{map_id}/create-existing"), &case);
    let id = response["caseload_case_id"].take();
    assert!(id.as_str().is_some_and(|id| !id.is_empty()), "{response}");
    assert_eq!(
        response,
        json!({"name": "Name 9", "caseload_case_id": null})
    );
    import(&home, &sandbox, &map_id)
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
    let ledger = home.ledger();
    let mut ids: Vec<_> = ledger
        .cases
        .values()
        .map(|case| case.id.as_deref())
        .collect();
    let created = sandbox.cases();
    let mut created: Vec<_> = created[1..]
        .iter()
        .map(|case| case["id"].as_str())
        .collect();
    ids.sort_unstable();
    created.sort_unstable();
    assert_eq!(ids, created);
}

#[test]
fn through_a_mapping_without_the_id_the_first_case_is_in_doubt_and_the_run_stops() {
    let home = Home::new();
    home.cases(3);
    home.write("caseload.toml", CONFIG);
    let sandbox = Sandbox::start(&[]);
    let mapping = json!({
        "name": "by hand",
        "model": "Case",
        "fields": [{"source": "name", "target": "client.name"}],
    });
    let made = sandbox.post("/organization/o1/mappings", &mapping);
    let map_id = made["_id"].as_str().unwrap();
    let done = import(&home, &sandbox, map_id).arg("--new-ledger").run();
    done.exits(5).counts(&[("in_doubt", 1), ("untried", 2)]);
    assert_eq!(sandbox.cases().len(), 1);
    assert_eq!(home.ledger().states(3), ["in_doubt", "-", "-"]);
}

#[test]
fn simulated_lives_reach_a_listening_ledger() {
    let home = Home::new();
    home.cases(1);
    home.import(&creating_server().url()).run().exits(0);
    let listener = home.listen(&["--output", "json"]);
    let sandbox = Sandbox::start(&["--simulate-updates", "--seed", "7"]);
    let hooks = format!("http://127.0.0.1:{}", listener.port);
    let map_id = set_up(&home, &sandbox, &hooks, "--adopt-ledger");
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\ns1,f1,Ann\ns2,f1,Bob\ns3,f1,Cal\n",
    );
    import(&home, &sandbox, &map_id).run().exits(0);
    let mut lives: Vec<Value> = Vec::new();
    let names = ["last_update_title", "stage", "settled_at"];
    // Every delivery comes, whatever the order; those sent twice count once.
    let has_all = |case: &Value| names.iter().all(|name| case[name].is_string());
    while lives.is_empty() || !lives.iter().all(has_all) {
        let done = home.run(&[
            "export",
            "--json",
            "-",
            "--ledger",
            "ledger.db",
            "--run",
            "2",
        ]);
        lives = done.exits(0).json();
    }
    assert_eq!(lives.len(), 3);
    assert_eq!(home.events().len(), 9);
    assert!(
        lives
            .iter()
            .all(|case| case["last_update_title"] == "Client contacted")
    );
}
