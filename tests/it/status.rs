//! `caseload status`: which ledger, what it knows, what waits for the user.

use std::process::Stdio;
use std::sync::mpsc;

use crate::ledger_support::{Home, by_key, cases, silent};
use crate::server::{Server, created, status};
use serde_json::json;

const CONFIG: &str = "[platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n";

/// A ledger with cases in several states, and its server.
fn mixed() -> (Home, Server) {
    let home = Home::new();
    let server = Server::start(by_key);
    home.write(
        "cases.csv",
        &cases(["a", "doubt-1", "bad-1", "b", "doubt-2"]),
    );
    home.import(&server, &["cases.csv"]).ended(4);
    (home, server)
}

#[test]
fn everything_that_waits_is_told() {
    let (home, _server) = mixed();
    home.write("caseload.toml", CONFIG);
    let told = home.run(&["status"]).ended(0);
    assert_eq!(told.err, "");
    insta::assert_snapshot!(home.steady(&told.out));
}

#[test]
fn scripts_get_the_ledger_first_and_then_the_cases() {
    let (home, server) = mixed();
    let documents = home.run(&["status", "--output", "json"]).ended(0).json();
    let (ledger, cases) = documents.split_first().unwrap();
    assert!(documents.iter().all(|document| document["schema"] == 1));
    assert_eq!(ledger["account"], server.url());
    assert_eq!(
        ledger["cases"],
        json!({"total": 5, "imported": 2, "in_doubt": 2, "rejected": 1, "not_sent": 0,
               "removed": 0, "sending": 0, "possible_twins": 0})
    );
    assert_eq!(ledger["is_running"], false);
    assert_eq!(ledger["runs"][0]["user"], "anna");
    assert_eq!(ledger["runs"][0]["counts"]["in_doubt"], 2);
    assert_eq!(
        ledger["next"],
        json!(["caseload resolve", "caseload export --rejects rejects.csv"])
    );
    assert_eq!(cases.len(), 2);
    assert_eq!(cases[0]["key"], "doubt-1");
    assert_eq!(cases[0]["person"], "Renée Okafor");
    assert_eq!(cases[0]["status"], 502);
    assert_eq!(cases[0]["tries"][0]["map_id"], "m1");
}

#[test]
fn a_selection_is_told_case_by_case() {
    let (home, _server) = mixed();
    home.write("caseload.toml", CONFIG);
    let told = home.run(&["status", "--state", "imported"]).ended(0);
    assert!(
        told.out.contains("https://app.example.com/cases/id-a\n"),
        "{}",
        told.out
    );
    assert!(!told.out.contains("doubt-1"), "{}", told.out);
    let rejected = home.run(&[
        "status", "--state", "rejected", "--run", "1", "--output", "json",
    ]);
    let documents = rejected.ended(0).json();
    assert_eq!(documents[0]["selected"]["total"], 1);
    assert_eq!(documents[1]["key"], "bad-1");
    let none = home.run(&["status", "--file", "cases.cvs"]).ended(2);
    assert!(none.err.contains("cases.csv"), "{}", none.err);
    home.run(&["status", "--run", "2"]).ended(2);
    home.run(&["status", "--state", "lost"]).ended(2);
}

#[test]
fn values_are_shown_by_their_shape_where_ci_runs() {
    let (home, _server) = mixed();
    let mut command = home.command(&["status", "--state", "rejected", "--state", "in_doubt"]);
    command.env("CI", "true");
    let told = crate::ledger_support::ran(command).ended(0);
    assert!(!told.out.contains("Okafor"), "{}", told.out);
    assert!(told.out.contains("Aaaaa Aaaaaa"), "{}", told.out);
    let json = home.run(&[
        "status", "--redact", "--state", "rejected", "--output", "json",
    ]);
    assert!(!json.ended(0).out.contains("Okafor"));
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let home = Home::new();
    let server = Server::start(by_key);
    let keys: Vec<String> = (0..25).map(|number| format!("doubt-{number}")).collect();
    home.write("cases.csv", &cases(keys.iter().map(String::as_str)));
    home.import(&server, &["cases.csv", "--max-failures", "0"])
        .ended(4);
    let told = home.run(&["status"]).ended(0);
    assert!(told.out.contains("showing 20 of 25 cases"), "{}", told.out);
    assert!(told.out.contains("doubt-19") && !told.out.contains("doubt-20"));
    assert!(
        told.out
            .contains("next: caseload export --in-doubt in-doubt.csv")
    );
    let all = home.run(&["status", "--output", "json"]).ended(0);
    assert_eq!(all.json().len(), 1 + 25);
}

#[test]
fn a_run_that_goes_on_is_told_and_one_that_died_leaves_doubt() {
    let home = Home::new();
    let (arrived, has_arrived) = mpsc::channel();
    let server = Server::start(silent(arrived));
    home.write("cases.csv", &cases(["a"]));
    let url = server.url();
    let mut import = home
        .command(&[
            "import",
            "cases.csv",
            "--base-url",
            &url,
            "--map-id",
            "m1",
            "--key-column",
            "LeadId",
            "--new-ledger",
            "--yes",
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    has_arrived.recv().unwrap();

    let running = home.run(&["status"]).ended(0);
    assert!(
        running.out.contains("import is running: anna on"),
        "{}",
        running.out
    );
    assert!(running.out.contains("1 under way now"), "{}", running.out);
    assert!(!running.out.contains("next:"), "{}", running.out);
    let json = home.run(&["status", "--output", "json"]).ended(0).json();
    assert_eq!(json[0]["running"]["user"], "anna");
    assert_eq!(json[0]["cases"]["sending"], 1);
    assert_eq!(json.len(), 1);

    import.kill().unwrap();
    import.wait().unwrap();
    let died = home.run(&["status"]).ended(0);
    assert!(died.out.contains("nobody works with it"), "{}", died.out);
    assert!(
        died.out.contains("broke off without a word"),
        "{}",
        died.out
    );
    assert!(
        died.out
            .contains("not known: the run ended before an answer was written down"),
        "{}",
        died.out
    );
    let json = home.run(&["status", "--output", "json"]).ended(0).json();
    assert_eq!(json[0]["cases"]["in_doubt"], 1);
    assert_eq!(json[1]["key"], "a");
}

#[test]
fn a_possible_twin_is_told_with_its_link() {
    let home = Home::new();
    let mut calls = 0;
    let server = Server::start(move |_| {
        calls += 1;
        match calls {
            1 => status(502).into(),
            _ => created("the-second"),
        }
    });
    home.write("cases.csv", &cases(["a"]));
    home.write("caseload.toml", CONFIG);
    home.import(&server, &["cases.csv"]).ended(4);
    home.import(
        &server,
        &["cases.csv", "--resend-in-doubt", "--min-doubt-age", "0s"],
    )
    .ended(0);
    let told = home.run(&["status"]).ended(0);
    assert!(
        told.out
            .contains("1 imported after a doubt (possible twins)"),
        "{}",
        told.out
    );
    assert!(
        told.out
            .contains("https://app.example.com/cases/the-second"),
        "{}",
        told.out
    );
    assert!(told.out.contains("came back  502\n"), "{}", told.out);
    assert!(told.out.contains("came back  201\n"), "{}", told.out);
    let json = home.run(&["status", "--output", "json"]).ended(0).json();
    assert_eq!(json[1]["possible_twin"], true);
}

#[test]
fn the_command_that_goes_on_does_go_on() {
    let home = Home::new();
    let server = Server::start(by_key);
    home.write("my cases.csv", &cases(["a", "b", "c"]));
    home.import(&server, &["my cases.csv", "--limit", "1"])
        .ended(0);
    let json = home.run(&["status", "--output", "json"]).ended(0).json();
    let next = json[0]["next"][0].as_str().unwrap();
    assert!(
        !next.contains("--limit") && !next.contains("--new-ledger"),
        "{next}"
    );
    let mut shell = std::process::Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_caseload");
    let home_command = home.command(&[]);
    shell
        .args([
            "-c",
            &format!("caseload() {{ '{binary}' \"$@\"; }}; {next} --yes"),
        ])
        .current_dir(home.path())
        .env_clear()
        .stdin(Stdio::null());
    for (name, value) in home_command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    crate::ledger_support::ran(shell).ended(0);
    assert_eq!(crate::ledger_support::keys_got(&server), ["a", "b", "c"]);
}

#[test]
fn the_ledger_is_found_or_asked_for() {
    let home = Home::new();
    let none = home.run(&["status"]).ended(2);
    assert!(none.err.contains("there is no ledger in"), "{}", none.err);
    home.write("cases.csv", &cases(["a", "b"]));
    home.run(&["import", "cases.csv", "--sandbox", "--key-column", "LeadId"])
        .ended(0);
    let hint = home.run(&["status"]).ended(2);
    assert!(hint.err.contains("--sandbox"), "{}", hint.err);
    let sandbox = home.run(&["status", "--sandbox"]).ended(0);
    assert!(
        sandbox.out.starts_with("account  sandbox\n"),
        "{}",
        sandbox.out
    );
    let named = home.run(&["status", "--ledger", "caseload-sandbox.db"]);
    assert_eq!(named.ended(0).out, sandbox.out);

    let first = Server::start(by_key);
    home.import(&first, &["cases.csv"]).ended(0);
    let only = home.run(&["status"]).ended(0);
    assert!(only.out.contains(&first.url()), "{}", only.out);

    let second = Server::start(by_key);
    home.import(&second, &["cases.csv", "--limit", "1", "--new-ledger"])
        .ended(0);
    let many = home.run(&["status"]).ended(2);
    assert!(many.err.contains("there are 2 ledgers"), "{}", many.err);
    assert!(
        many.err
            .contains(&format!("has 2 cases of {}", first.url())),
        "{}",
        many.err
    );
    assert!(
        many.err
            .contains(&format!("has 1 case of {}", second.url())),
        "{}",
        many.err
    );
    let account = home.run(&["status", "--base-url", &second.url()]).ended(0);
    assert!(account.out.contains(&second.url()), "{}", account.out);
    let other = home.run(&["status", "--base-url", "https://api.example.com"]);
    assert!(
        other
            .ended(2)
            .err
            .contains("there is no ledger for https://api.example.com")
    );
    let wrong = home.run(&[
        "status",
        "--base-url",
        "https://api.example.com",
        "--ledger",
        "caseload-sandbox.db",
    ]);
    assert!(wrong.ended(2).err.contains("is the ledger of sandbox"));
    home.run(&["status", "--sandbox", "--ledger", "caseload-sandbox.db"])
        .ended(2);
}
