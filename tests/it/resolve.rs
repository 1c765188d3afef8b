//! `caseload resolve`: the user's word on cases, and what the next import makes
//! of it.

use std::process::Stdio;
use std::sync::mpsc;

use crate::ledger_support::{Home, all_made, by_key, cases, keys_got, silent};
use crate::server::Server;
use serde_json::Value;

const KEYS: [&str; 5] = ["a", "doubt-1", "doubt-2", "bad-1", "doubt-3"];

/// A ledger with three cases in doubt.
fn doubtful() -> Home {
    let home = Home::new();
    let server = Server::start(by_key);
    home.write("cases.csv", &cases(KEYS));
    home.import(
        &server,
        &["cases.csv", "--ledger", "l.db", "--adopt-ledger"],
    )
    .ended(4);
    home
}

fn resolve(home: &Home, args: &[&str]) -> crate::ledger_support::Ran {
    let mut all = vec!["resolve", "--ledger", "l.db", "--yes"];
    all.extend(args);
    home.run(&all)
}

fn state_of(home: &Home, key: &str) -> Value {
    let export = home.run(&["export", "--ledger", "l.db", "--json", "-"]);
    let cases = export.ended(0).json();
    cases
        .into_iter()
        .find(|case| case["key"] == key)
        .map(|mut case| case["state"].take())
        .unwrap()
}

/// What the next import of the same file sends.
fn sent_next(home: &Home) -> Vec<String> {
    let server = Server::start(all_made);
    home.import(
        &server,
        &["cases.csv", "--ledger", "l.db", "--adopt-ledger"],
    );
    keys_got(&server)
}

#[test]
fn what_is_not_there_is_sent_and_what_is_there_is_not() {
    let home = doubtful();
    let said = resolve(&home, &["--not-imported", "doubt-1"]).ended(0);
    assert!(
        said.err.contains("in doubt for less than 10 min"),
        "{}",
        said.err
    );
    resolve(
        &home,
        &["--imported", "doubt-2=id-9", "--imported", "doubt-3"],
    )
    .ended(0);
    assert_eq!(state_of(&home, "doubt-1"), "not_sent");
    assert_eq!(state_of(&home, "doubt-2"), "imported");
    assert_eq!(sent_next(&home), ["doubt-1", "bad-1"]);
    let status = home.run(&["status", "--ledger", "l.db", "--state", "imported"]);
    let status = status.ended(0);
    assert!(status.out.contains("case id    id-9"), "{}", status.out);
    assert!(
        status
            .out
            .contains("it is on the platform as id-9: said anna on")
    );
}

#[test]
fn cases_gone_on_the_platform_are_sent_again() {
    let home = doubtful();
    resolve(&home, &["--removed", "--file", "cases.csv"]).ended(0);
    assert_eq!(state_of(&home, "a"), "removed");
    assert_eq!(state_of(&home, "doubt-1"), "in_doubt");
    assert_eq!(sent_next(&home), ["a", "bad-1"]);
}

#[test]
fn a_word_can_be_taken_back() {
    let home = doubtful();
    resolve(&home, &["--not-imported", "--run", "1"]).ended(0);
    let undone = resolve(&home, &["--undo", "doubt-1", "a"]).ended(1);
    assert!(
        undone.err.contains("a: there is no word to take back"),
        "{}",
        undone.err
    );
    assert_eq!(state_of(&home, "doubt-1"), "in_doubt");
    assert_eq!(state_of(&home, "doubt-2"), "not_sent");
    resolve(&home, &["--undo", "--run", "1"]).ended(0);
    assert_eq!(state_of(&home, "doubt-2"), "in_doubt");
    resolve(&home, &["--undo", "--run", "1"]).ended(2);
}

#[test]
fn each_refusal_is_told_and_the_others_are_done() {
    let home = doubtful();
    let said = resolve(
        &home,
        &[
            "--imported",
            "doubt-1=id-a",
            "a",
            "bad-1",
            "nobody",
            "doubt-2",
            "--output",
            "json",
        ],
    )
    .ended(1);
    let documents = said.json();
    let refused = |key: &str| {
        let document = documents.iter().find(|document| document["key"] == key);
        document.unwrap()["refused"].as_str().map(str::to_owned)
    };
    assert!(refused("doubt-1").unwrap().contains("already held by a"));
    assert!(refused("a").unwrap().contains("the case is imported"));
    assert!(refused("bad-1").unwrap().contains("the case is rejected"));
    assert!(refused("nobody").unwrap().contains("no case of this key"));
    assert_eq!(refused("doubt-2"), None);
    let closing = documents.last().unwrap();
    assert_eq!(closing["command"], "resolve");
    assert_eq!(closing["done"], 1);
    assert_eq!(closing["refused"], 4);
    assert_eq!(closing["exit_code"], 1);
    let people = resolve(&home, &["--removed", "doubt-3", "bad-1"]).ended(1);
    insta::assert_snapshot!(home.steady(&people.err));
}

#[test]
fn a_list_that_export_wrote_and_a_person_filled_in_is_taken() {
    let home = doubtful();
    home.run(&["export", "--ledger", "l.db", "--in-doubt", "found.csv"])
        .ended(0);
    let exported = home.read("found.csv");
    let filled = exported.replacen("firm_1,,502", "firm_1,id-77,502", 1);
    home.write("some.csv", &filled);
    // Whether the others were found too can't be known.
    let unclear = resolve(&home, &["--imported", "--list", "some.csv"]).ended(2);
    assert!(unclear.err.contains("for 1 of 3 cases"), "{}", unclear.err);
    // Only the second was found; a spreadsheet has saved the file its own way.
    let kept: Vec<String> = exported
        .lines()
        .filter(|line| line.contains("in_doubt_key") || line.contains("doubt-2"))
        .map(|line| line.replace("firm_1,,502", "firm_1,id-77,502"))
        .collect();
    home.write("found.csv", &kept.join("\r\n"));
    resolve(&home, &["--imported", "--list", "found.csv"]).ended(0);
    assert_eq!(state_of(&home, "doubt-2"), "imported");
    let status = home.run(&["status", "--ledger", "l.db", "--state", "imported"]);
    assert!(status.ended(0).out.contains("case id    id-77"));
    assert_eq!(state_of(&home, "doubt-1"), "in_doubt");
}

#[test]
fn lists_come_in_other_forms_too() {
    let home = doubtful();
    home.write(
        "keys.txt",
        "\u{feff}doubt-1\r\n\r\n  [\"doubt-2\"] \nkey:[\"doubt-3\"]\n",
    );
    resolve(&home, &["--not-imported", "--list", "keys.txt"]).ended(0);
    assert_eq!(state_of(&home, "doubt-3"), "not_sent");
    resolve(&home, &["--undo", "--run", "1"]).ended(0);

    home.run(&["export", "--ledger", "l.db", "--results", "all.csv"])
        .ended(0);
    let all = resolve(
        &home,
        &["--not-imported", "--list", "all.csv", "--state", "in-doubt"],
    );
    all.ended(0);
    assert_eq!(state_of(&home, "doubt-1"), "not_sent");
    resolve(&home, &["--undo", "--run", "1"]).ended(0);

    home.run(&["export", "--ledger", "l.db", "--json", "all.ndjson"])
        .ended(0);
    resolve(
        &home,
        &["--removed", "--list", "all.ndjson", "--state", "imported"],
    )
    .ended(0);
    assert_eq!(state_of(&home, "a"), "removed");

    let wrong = resolve(&home, &["--removed", "--list", "cases.csv"]).ended(2);
    assert!(wrong.err.contains("none of the columns"), "{}", wrong.err);
    home.write("bad.csv", "in_doubt_key\nkey:[\"doubt-1\"]\ndoubt-2\n");
    let wrong = resolve(&home, &["--not-imported", "--list", "bad.csv"]).ended(2);
    assert!(wrong.err.contains("bad.csv:3"), "{}", wrong.err);
    assert_eq!(state_of(&home, "doubt-1"), "in_doubt");
}

#[test]
fn keys_of_several_columns_are_typed_as_an_array() {
    let home = Home::new();
    let server = Server::start(by_key);
    home.write("cases.csv", &cases(["doubt=1"]));
    home.import(
        &server,
        &["cases.csv", "--key-column", "LastName", "--ledger", "l.db"],
    )
    .ended(4);
    resolve(&home, &["--imported", r#"["doubt=1","Okafor"]=id-5"#]).ended(0);
    assert_eq!(state_of(&home, r#"["doubt=1","Okafor"]"#), "imported");
}

#[test]
fn nothing_happens_without_a_clear_word() {
    let home = doubtful();
    for (args, said) in [
        (&["resolve", "--ledger", "l.db"][..], "no terminal"),
        (
            &["resolve", "--ledger", "l.db", "doubt-1", "--yes"],
            "no terminal",
        ),
        (
            &["resolve", "--ledger", "l.db", "--not-imported", "doubt-1"],
            "add --yes",
        ),
        (
            &["resolve", "--ledger", "l.db", "--not-imported", "--yes"],
            "of which cases?",
        ),
        (
            &[
                "resolve",
                "--ledger",
                "l.db",
                "--imported",
                "--state",
                "rejected",
                "--yes",
            ],
            "nothing is selected",
        ),
        (
            &[
                "resolve",
                "--ledger",
                "l.db",
                "--removed",
                "--undo",
                "a",
                "--yes",
            ],
            "cannot be used with",
        ),
        (
            &[
                "resolve",
                "--ledger",
                "l.db",
                "--imported",
                "a=1",
                "a=2",
                "--yes",
            ],
            "two case ids",
        ),
    ] {
        let ran = home.run(args).ended(2);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
    assert_eq!(state_of(&home, "doubt-1"), "in_doubt");
}

#[test]
fn a_run_that_goes_on_is_not_interfered_with() {
    let home = doubtful();
    let (arrived, has_arrived) = mpsc::channel();
    let server = Server::start(silent(arrived));
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
            "--ledger",
            "l.db",
            "--adopt-ledger",
            "--yes",
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    has_arrived.recv().unwrap();
    let held = resolve(&home, &["--not-imported", "doubt-1"]).ended(2);
    assert!(
        held.err.contains("another run holds the ledger"),
        "{}",
        held.err
    );
    import.kill().unwrap();
    import.wait().unwrap();
    // What the dead run had under way is in doubt, and can be settled at once.
    resolve(&home, &["--not-imported", "bad-1"]).ended(0);
    assert_eq!(state_of(&home, "bad-1"), "not_sent");
}
