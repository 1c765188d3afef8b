//! `caseload status`: which ledger, what it knows, and what needs attention.

use crate::server::{Server, created, status};
use crate::support::{Home, Program, keys, mixed_server, silent_server};
use regex::Regex;
use rustix::process::Signal;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

const CONFIG: &str = "[platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n";

/// An import into the account's ledger in the state folder.
fn import(home: &Home, server: &Server, file: &str) -> Program {
    home.import_without_ledger_flags(&server.url(), &[file])
        .args(&["--pace", "1ms"])
}

/// A ledger with cases in several states, and its server.
fn mixed() -> (Home, Server) {
    let home = Home::new();
    let server = mixed_server();
    home.people("cases.csv", &["a", "doubt-1", "bad-1", "b", "doubt-2"]);
    import(&home, &server, "cases.csv")
        .arg("--new-ledger")
        .run()
        .exits(4);
    (home, server)
}

#[test]
fn everything_that_needs_attention_is_shown() {
    let (home, _server) = mixed();
    home.write("caseload.toml", CONFIG);
    let done = home.run(&["status"]).exits(0);
    assert_eq!(done.err, "");
    insta::assert_snapshot!(home.stable(&done.out));
}

#[test]
fn runs_are_a_table_that_fits_a_terminal() {
    let home = Home::new();
    let server = Server::start(|request| match request.json()["id"].as_str().unwrap() {
        "stop" => status(401).json("{}").into(),
        key if key.starts_with("bad") => status(422).json("{}").into(),
        key => created(&format!("id-{key}")),
    });
    let wide = format!("{}.csv", "案件".repeat(30));
    home.people("a.csv", &["a", "b", "bad-1"]);
    home.people(&wide, &["c", "stop", "d"]);
    home.people("more.csv", &["e"]);
    import(&home, &server, "a.csv")
        .arg("--new-ledger")
        .run()
        .exits(1);
    import(&home, &server, &wide)
        .args(&["more.csv", "--in-flight", "1"])
        .env("GITHUB_RUN_ID", "77")
        .run()
        .exits(5);
    let done = home.run(&["status", "--runs"]).exits(0);
    assert!(done.out.lines().all(|line| line.width() <= 80), "{done}");
    let stable = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d").unwrap();
    let out = stable.replace_all(&done.out, "2026-07-14 09:30");
    let machine = Regex::new(r"tess on [^\s:,]+").unwrap();
    insta::assert_snapshot!(machine.replace_all(&out, "tess on MACHINE"));
    let documents = home
        .run(&["status", "--runs", "--output", "json"])
        .exits(0)
        .json();
    let [second, first, closing] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!((&second["run"], &first["run"]), (&json!(2), &json!(1)));
    assert_eq!(second["ci_job"], "77");
    assert_eq!(first["counts"]["rejected"], 1);
    assert_eq!(
        (&first["schema"], &closing["schema"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&closing["total"], &closing["exit_code"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn a_check_fails_while_a_case_needs_attention() {
    let home = Home::new();
    let server = mixed_server();
    home.people("cases.csv", &["a"]);
    import(&home, &server, "cases.csv")
        .arg("--new-ledger")
        .run()
        .exits(0);
    home.run(&["status", "--check"]).exits(0);
    home.people("more.csv", &["doubt-1"]);
    import(&home, &server, "more.csv").run().exits(4);
    home.run(&["status", "--check"]).exits(1);
    home.run(&["resolve", "--imported", "doubt-1", "--yes"])
        .exits(0);
    home.run(&["status", "--check"]).exits(0);
    home.people("more.csv", &["bad-1"]);
    import(&home, &server, "more.csv").run().exits(1);
    home.run(&["status", "--check"]).exits(1);
}

#[test]
fn json_output_is_the_ledger_and_then_the_cases() {
    let (home, server) = mixed();
    let documents = home.run(&["status", "--output", "json"]).exits(0).json();
    let (ledger, cases) = documents.split_first().unwrap();
    assert!(documents.iter().all(|document| document["schema"] == 1));
    assert_eq!(ledger["account"], server.url());
    assert_eq!(
        ledger["cases"],
        json!({"total": 5, "imported": 2, "in_doubt": 2, "rejected": 1, "not_sent": 0,
               "removed": 0, "sending": 0, "possible_twins": 0})
    );
    assert_eq!(ledger["is_running"], false);
    assert_eq!(ledger["runs"][0]["user"], "tess");
    assert_eq!(ledger["runs"][0]["counts"]["in_doubt"], 2);
    assert_eq!(
        ledger["next"],
        json!(["caseload resolve", "caseload export --rejects rejects.csv"])
    );
    assert_eq!(cases.len(), 2);
    assert_eq!(cases[0]["key"], "doubt-1");
    assert_eq!(cases[0]["person"], "Renée Okafor");
    assert_eq!(cases[0]["status"], 502);
    assert_eq!(cases[0]["history"][0]["map_id"], "m1");
}

#[test]
fn filters_select_cases() {
    let (home, _server) = mixed();
    home.write("caseload.toml", CONFIG);
    home.run(&["status", "--state", "imported"])
        .exits(0)
        .prints("https://app.example.com/cases/id-a\n")
        .never_prints("doubt-1");
    let args = ["--state", "rejected", "--run", "1", "--output", "json"];
    let rejected = home.caseload(&["status"]).args(&args).run();
    let documents = rejected.exits(0).json();
    assert_eq!(documents[0]["selected"]["total"], 1);
    assert_eq!(documents[1]["key"], "bad-1");
    home.run(&["status", "--file", "cases.cvs"])
        .exits(2)
        .says("cases.csv");
    home.run(&["status", "--run", "2"]).exits(2);
    home.run(&["status", "--state", "lost"]).exits(2);
}

#[test]
fn values_are_redacted_in_ci() {
    let (home, _server) = mixed();
    home.caseload(&["status", "--state", "rejected", "--state", "in_doubt"])
        .env("CI", "true")
        .run()
        .exits(0)
        .never_prints("Okafor")
        .prints("Aaaaa Aaaaaa");
    home.caseload(&["status", "--redact", "--state", "rejected"])
        .args(&["--output", "json"])
        .run()
        .exits(0)
        .never_prints("Okafor");
}

#[test]
fn a_long_list_is_cut_with_a_note() {
    let home = Home::new();
    let server = mixed_server();
    let doubts: Vec<String> = (0..25).map(|number| format!("doubt-{number}")).collect();
    home.people("cases.csv", &doubts);
    import(&home, &server, "cases.csv")
        .args(&["--max-failures", "0", "--new-ledger"])
        .run()
        .exits(4);
    let done = home
        .run(&["status"])
        .exits(0)
        .prints("showing 6 of 25 cases")
        .prints("doubt-5")
        .never_prints("doubt-6")
        .prints("25 in doubt: may or may not exist")
        .prints("next: caseload export --in-doubt in-doubt.csv");
    assert!(done.out.lines().count() <= 24, "more than a screen: {done}");
    home.run(&["status", "--state", "in_doubt"])
        .exits(0)
        .prints("showing 20 of 25 cases")
        .never_prints("doubt-20");
    let all = home.run(&["status", "--output", "json"]).exits(0);
    assert_eq!(all.json().len(), 1 + 25);
}

#[test]
fn a_running_import_is_shown_and_a_killed_one_leaves_its_case_in_doubt() {
    let home = Home::new();
    let (server, arrivals) = silent_server();
    home.people("cases.csv", &["a"]);
    let run = import(&home, &server, "cases.csv")
        .arg("--new-ledger")
        .start();
    arrivals.recv().unwrap();

    home.run(&["status"])
        .exits(0)
        .prints("running: tess on ")
        .prints("1 in flight")
        .never_prints("next:");
    let json = home.run(&["status", "--output", "json"]).exits(0).json();
    assert_eq!(json[0]["running"]["user"], "tess");
    assert_eq!(json[0]["cases"]["sending"], 1);
    assert_eq!(json.len(), 1);

    run.signal(Signal::KILL);
    run.wait();
    home.run(&["status"])
        .exits(0)
        .prints("ended unexpectedly")
        .never_prints("running:");
    home.run(&["status", "--state", "in_doubt"])
        .exits(0)
        .prints("unknown: the run ended before a response was recorded");
    let json = home.run(&["status", "--output", "json"]).exits(0).json();
    assert_eq!(json[0]["cases"]["in_doubt"], 1);
    assert_eq!(json[1]["key"], "a");
}

#[test]
fn a_possible_twin_is_shown_with_its_link() {
    let home = Home::new();
    let server = Server::start(|request| match request.index {
        0 => status(502).into(),
        _ => created("the-second"),
    });
    home.people("cases.csv", &["a"]);
    home.write("caseload.toml", CONFIG);
    import(&home, &server, "cases.csv")
        .arg("--new-ledger")
        .run()
        .exits(4);
    import(&home, &server, "cases.csv")
        .args(&["--resend-in-doubt", "1", "--min-doubt-age", "0s"])
        .run()
        .exits(0);
    home.run(&["status"])
        .exits(0)
        .prints("1 imported after being in doubt");
    home.run(&["status", "--state", "imported"])
        .exits(0)
        .prints("https://app.example.com/cases/the-second")
        .prints("response   502\n")
        .prints("response   201\n");
    let json = home.run(&["status", "--output", "json"]).exits(0).json();
    assert_eq!(json[1]["possible_twin"], true);
}

#[test]
fn the_next_command_finishes_the_import() {
    let home = Home::new();
    let server = mixed_server();
    home.people("my cases.csv", &["a", "b", "c"]);
    import(&home, &server, "my cases.csv")
        .args(&["--new-ledger", "--limit", "1"])
        .run()
        .exits(0);
    let json = home.run(&["status", "--output", "json"]).exits(0).json();
    let next = json[0]["next"][0].as_str().unwrap();
    assert!(
        !next.contains("--limit") && !next.contains("--new-ledger"),
        "{next}"
    );
    home.printed(next).arg("--yes").run().exits(0);
    assert_eq!(keys(&server), ["a", "b", "c"]);
}

#[test]
fn the_ledger_is_found_or_asked_for() {
    let home = Home::new();
    home.run(&["status"]).exits(2).says("there is no ledger in");
    home.people("cases.csv", &["a", "b"]);
    home.run(&["import", "cases.csv", "--sandbox", "--key-column", "id"])
        .exits(0);
    home.run(&["status"]).exits(2).says("--sandbox");
    let sandbox = home.run(&["status", "--sandbox"]).exits(0);
    assert!(sandbox.out.starts_with("account  sandbox\n"), "{sandbox}");
    let named = home.run(&["status", "--ledger", "caseload-sandbox.db"]);
    assert_eq!(named.exits(0).out, sandbox.out);

    let (first, second) = (mixed_server(), mixed_server());
    import(&home, &first, "cases.csv")
        .arg("--new-ledger")
        .run()
        .exits(0);
    home.run(&["status"]).exits(0).prints(&first.url());

    import(&home, &second, "cases.csv")
        .args(&["--limit", "1", "--new-ledger"])
        .run()
        .exits(0);
    home.run(&["status"])
        .exits(2)
        .says("there are 2 ledgers")
        .says(&format!("has 2 cases of {}", first.url()))
        .says(&format!("has 1 case of {}", second.url()));
    home.run(&["status", "--base-url", &second.url()])
        .exits(0)
        .prints(&second.url());
    let other = ["status", "--base-url", "https://api.example.com"];
    home.run(&other)
        .exits(2)
        .says("there is no ledger for https://api.example.com");
    home.caseload(&other)
        .args(&["--ledger", "caseload-sandbox.db"])
        .run()
        .exits(2)
        .says("is the ledger of sandbox");
    home.run(&["status", "--sandbox", "--ledger", "caseload-sandbox.db"])
        .exits(2);
}
