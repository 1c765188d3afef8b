//! `import --log-file`: what happened in each run, for whoever looks later.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::server::{Server, created, react, status};
use crate::support::{Home, Program, create, creating_server, mixed_server};

fn import(home: &Home, server: &Server) -> Program {
    home.import(&server.url())
        .args(&["--log-file", "runs.log", "--in-flight", "1"])
}

fn lines(home: &Home) -> Vec<Value> {
    let log = home.read("runs.log");
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The lines of these events.
fn of(lines: &[Value], event: &str) -> Vec<Value> {
    let lines = lines.iter().filter(|line| line["event"] == event);
    lines.cloned().collect()
}

#[test]
fn each_attempt_is_a_line_with_its_outcome_and_no_value_of_a_case() {
    let (home, server) = (Home::new(), mixed_server());
    home.people("cases.csv", &["a", "bad-1", "doubt-1"]);
    import(&home, &server).run().exits(4);
    let log = home.read("runs.log");
    for value in ["Okafor", "Renée", "Fell", "unknown CaseType", "gone"] {
        assert!(!log.contains(value), "{value}: {log}");
    }
    let mode = home.path("runs.log").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let lines = lines(&home);
    assert!(
        lines
            .iter()
            .all(|line| line["schema"] == 1 && line["run"] == 1)
    );
    let start = &lines[0];
    assert_eq!(start["event"], "run_started");
    assert_eq!(start["account"], server.url());
    assert_eq!(start["map_id"], "m1");
    assert_eq!(start["to_send"], 3);
    assert_eq!(start["files"][0]["name"], "cases.csv");
    let attempts = of(&lines, "attempt");
    let facts = ["key", "line", "state", "status", "case_id", "attempt"];
    let facts = |line: &Value| facts.map(|name| line[name].clone()).to_vec();
    let facts: Vec<Value> = attempts.iter().map(|line| facts(line).into()).collect();
    assert_eq!(
        facts,
        [
            json!(["a", 2, "imported", 201, "id-a", 1]),
            json!(["bad-1", 3, "rejected", 422, null, 1]),
            json!(["doubt-1", 4, "in_doubt", 502, null, 1]),
        ]
    );
    assert!(attempts.iter().all(|line| line["seconds"].is_f64()));
    let end = lines.last().unwrap();
    assert_eq!(end["event"], "run_ended");
    assert_eq!((&end["imported"], &end["in_doubt"]), (&json!(1), &json!(1)));
    assert_eq!(end["exit_code"], 4);
}

#[test]
fn the_next_run_is_added_and_keys_can_be_redacted() {
    let (home, server) = (Home::new(), mixed_server());
    home.people("cases.csv", &["Okafor-1999"]);
    import(&home, &server).arg("--redact").run().exits(0);
    let first = home.read("runs.log");
    assert!(first.contains("id-Okafor-1999") && !first.contains("\"Okafor-1999\""));
    // A line that was cut off, and a run with nothing to send.
    home.write("runs.log", first.trim_end());
    import(&home, &server).run().exits(0);
    assert!(home.read("runs.log").starts_with(&first));
    let ends = of(&lines(&home), "run_ended");
    assert_eq!(ends[0]["run"], 1);
    assert_eq!(
        (&ends[1]["run"], &ends[1]["already_imported"]),
        (&Value::Null, &json!(1))
    );
}

#[test]
fn pauses_and_changes_of_the_pace_are_lines() {
    let home = Home::new();
    let server = Server::start(|request| match request.index {
        0 => status(429).header("Retry-After", "1").json("{}").into(),
        _ => create(request),
    });
    home.cases(2);
    import(&home, &server).run().exits(0);
    let lines = lines(&home);
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    for event in ["paused", "pace_changed", "resumed"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let paused = &of(&lines, "paused")[0];
    assert_eq!(
        (&paused["reason"], &paused["error"]),
        (&json!("rate_limited"), &Value::Null)
    );
    assert_eq!(of(&lines, "pace_changed")[0]["seconds"], 0.002);
    assert_eq!(of(&lines, "attempt")[0]["will_retry"], true);
}

#[test]
fn a_stop_and_an_outcome_without_an_answer_say_why() {
    let home = Home::new();
    let server = Server::start(|request| match request.index {
        0 | 1 => create(request),
        2 => react().reset(),
        _ => status(401).json("{}").into(),
    });
    home.cases(5);
    import(&home, &server).run().exits(5);
    let lines = lines(&home);
    let doubt = &of(&lines, "attempt")[2];
    assert_eq!(doubt["state"], "in_doubt");
    assert!(
        doubt["error"].as_str().unwrap().contains("connection"),
        "{doubt}"
    );
    let reason = &of(&lines, "stopping")[0]["reason"];
    assert!(
        reason.as_str().unwrap().contains("rejected the key (401)"),
        "{reason}"
    );
    assert_eq!(lines.last().unwrap()["exit_code"], 5);
}

#[test]
fn what_is_no_log_is_refused_and_stays_as_it_is() {
    let (home, server) = (Home::new(), creating_server());
    home.cases(1);
    import(&home, &server).run().exits(0);
    let ledger = std::fs::read(home.path("ledger.db")).unwrap();
    home.cases(2);
    home.write("key.txt", "pk_1");
    home.write("notes.txt", "{\"schema\":1}\nmine\n");
    symlink(home.path("runs.log"), home.path("link.log")).unwrap();
    for (name, reason) in [
        ("notes.txt", "is not a log of caseload"),
        ("link.log", "is a symbolic link"),
        ("tmp", "is a folder"),
        ("/dev/null", "is not a regular file"),
        ("cases.csv", "is used by this command"),
        ("key.txt", "is used by this command"),
        ("ledger.db", "is used by this command"),
        ("out.csv", "is named for two outputs"),
    ] {
        home.import(&server.url())
            .args(&["--log-file", name, "--results", "out.csv"])
            .args(&["--public-key-file", "key.txt"])
            .run()
            .exits(2)
            .says(reason);
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(std::fs::read(home.path("ledger.db")).unwrap(), ledger);
    assert_eq!(home.read("notes.txt"), "{\"schema\":1}\nmine\n");
}

#[test]
fn a_log_that_can_not_grow_does_not_stop_the_run() {
    let (home, server) = (
        Home::new(),
        Server::start(|request| created(&format!("y{}", request.index))),
    );
    home.cases(3);
    let line = format!(
        "{}\n",
        json!({"schema": 1, "event": "run_ended", "note": "x".repeat(990)})
    );
    home.write("runs.log", line.repeat(1000));
    let blocks = u32::try_from(line.len() * 1000 / 512).unwrap();
    let done = import(&home, &server)
        .with_file_size_limit(blocks)
        .run()
        .exits(0)
        .counts(&[("imported", 3)])
        .says("runs.log: writing failed after 0 rows")
        .says("the run went on without its log");
    assert_eq!(done.err.matches("runs.log").count(), 1, "{done}");
}
