//! `caseload resolve`: what the user says became of cases, and what the next
//! import does with them.

use std::sync::Arc;

use crate::server::Server;
use crate::support::{Done, Home, create, creating_server, keys, mixed_server, silent_server};

/// A ledger with three cases in doubt, one imported and one rejected.
fn doubtful() -> Home {
    let home = Home::new();
    let keys = ["a", "doubt-1", "doubt-2", "bad-1", "doubt-3"];
    home.people("cases.csv", &keys);
    home.import(&mixed_server().url()).run().exits(4);
    home
}

/// `caseload` on that ledger.
fn run(home: &Home, args: &[&str]) -> Done {
    home.caseload(args).args(&["--ledger", "ledger.db"]).run()
}

fn resolve(home: &Home, args: &[&str]) -> Done {
    run(home, &[&["resolve", "--yes"], args].concat())
}

fn state(home: &Home, key: &str) -> String {
    home.ledger().state(key).to_owned()
}

/// What the next import of the same file sends.
fn sent_next(home: &Home) -> Vec<String> {
    let server = creating_server();
    home.import(&server.url()).arg("--adopt-ledger").run();
    keys(&server)
}

#[test]
fn a_case_resolved_as_not_imported_is_sent_and_an_imported_one_is_not() {
    let home = doubtful();
    resolve(&home, &["--not-imported", "doubt-1"])
        .exits(0)
        .says("1 case has been in doubt for less than 10 min");
    let imported = ["--imported", "doubt-2=id-9", "--imported", "doubt-3"];
    resolve(&home, &imported).exits(0);
    assert_eq!(state(&home, "doubt-1"), "not_sent");
    assert_eq!(state(&home, "doubt-2"), "imported");
    assert_eq!(sent_next(&home), ["bad-1", "doubt-1"]);
    run(&home, &["status", "--state", "imported"])
        .exits(0)
        .prints("case id    id-9")
        .prints("imported as id-9, marked by tess on");
}

#[test]
fn removed_cases_are_sent_again() {
    let home = doubtful();
    resolve(&home, &["--removed", "--file", "cases.csv"]).exits(0);
    assert_eq!(state(&home, "a"), "removed");
    assert_eq!(state(&home, "doubt-1"), "in_doubt");
    assert_eq!(sent_next(&home), ["a", "bad-1"]);
}

#[test]
fn a_resolution_can_be_undone() {
    let home = doubtful();
    resolve(&home, &["--not-imported", "--run", "1"]).exits(0);
    resolve(&home, &["--undo", "doubt-1", "a"])
        .exits(1)
        .says("a: no resolution to undo");
    assert_eq!(state(&home, "doubt-1"), "in_doubt");
    assert_eq!(state(&home, "doubt-2"), "not_sent");
    resolve(&home, &["--undo", "--run", "1"]).exits(0);
    assert_eq!(state(&home, "doubt-2"), "in_doubt");
    resolve(&home, &["--undo", "--run", "1"]).exits(2);
}

#[test]
fn each_refusal_is_reported_and_the_others_are_resolved() {
    let home = doubtful();
    let keys = ["doubt-1=id-a", "a", "bad-1", "nobody=id-a", "doubt-2"];
    let args = [&["--output", "json", "--imported"], &keys[..]].concat();
    let documents = resolve(&home, &args).exits(1).json();
    let refused = |key: &str| {
        let document = documents.iter().find(|document| document["key"] == key);
        document.unwrap()["refused"].as_str().map(str::to_owned)
    };
    assert!(
        refused("doubt-1")
            .unwrap()
            .contains("case a already has this case id")
    );
    assert!(refused("a").unwrap().contains("the case is imported"));
    assert!(refused("bad-1").unwrap().contains("the case is rejected"));
    assert!(
        refused("nobody")
            .unwrap()
            .contains("already has this case id")
    );
    assert_eq!(refused("doubt-2"), None);
    let closing = documents.last().unwrap();
    assert_eq!(closing["command"], "resolve");
    assert_eq!(closing["done"], 1);
    assert_eq!(closing["refused"], 4);
    assert_eq!(closing["exit_code"], 1);
    let done = resolve(&home, &["--removed", "doubt-3", "bad-1"]).exits(1);
    insta::assert_snapshot!(home.stable(&done.err));
}

#[test]
fn cases_entered_by_hand_are_added_and_not_sent() {
    let home = doubtful();
    // Rejected, and then entered by hand: only its id says so.
    let imported = ["--imported", "hand=1=id-h", "--imported", "bad-1=id-b"];
    resolve(&home, &imported)
        .exits(0)
        .says("hand=1, unknown so far: added; imported as id-h")
        .says("the ledger does not know 1 of 2 cases");
    home.people("cases.csv", &["a", "hand=1", "bad-1", "new"]);
    assert_eq!(sent_next(&home), ["new"]);
    // The whole text is a key now.
    resolve(&home, &["--undo", "hand=1"]).exits(0);
    resolve(&home, &["--imported", r#"["hand=1"]"#]).exits(0);
    resolve(&home, &["--removed", "hand=1"]).exits(0);
    resolve(&home, &["--imported", "hand=1"])
        .exits(1)
        .says("hand=1: the case is removed");
    run(&home, &["status", "--state", "removed"])
        .exits(0)
        .prints("added by `caseload resolve`");
    resolve(&home, &["--not-imported", "nobody"])
        .exits(1)
        .says("nobody: no case with this key");
}

#[test]
fn a_lost_ledger_comes_back_from_its_results() {
    let home = doubtful();
    let (url, lost) = (home.ledger().account, home.ledger().id);
    home.write(
        "results.csv",
        "caseload_key,caseload_state,caseload_case_id\n\
         \"key:[\"\"a\"\"]\",imported,id-a\n\
         \"key:[\"\"bad-1\"\"]\",rejected,\n",
    );
    std::fs::remove_file(home.path("ledger.db")).unwrap();
    let list = ["--imported", "--list", "results.csv"];
    resolve(&home, &list)
        .exits(2)
        .says("CI=true caseload import FILE --new-ledger");
    let create = home.import(&url).args(&["--beside-ledger", &lost]);
    let create = create.env("CI", "true");
    let id = create.run().exits(0).json()[0]["new_ledger"].clone();
    resolve(&home, &list)
        .exits(0)
        .says("1 row of cases that are not on the platform: skipped")
        .says("1 case marked as imported");
    assert_eq!(home.ledger().id, id);
    assert_eq!(sent_next(&home), ["bad-1", "doubt-1", "doubt-2", "doubt-3"]);
}

#[test]
fn decisions_are_read_from_the_list() {
    let home = doubtful();
    let list = |rows: &str| {
        let header = "caseload_key,caseload_decision,caseload_case_id,record: id\n";
        home.write("found.csv", header.to_owned() + rows);
        resolve(&home, &["--list", "found.csv"])
    };
    let row = |key: &str, rest: &str| format!("\"key:[\"\"{key}\"\"]\",{rest},{key}\n");
    list(&row("doubt-1", "perhaps,"))
        .exits(2)
        .says("found.csv:2: unknown decision \"perhaps\"; write imported or not-imported");
    let rows = [
        row("doubt-1", "imported,id-1"),
        row("doubt-2", "Not imported,id-2"),
        row("doubt-3", ","),
    ];
    list(&rows.concat())
        .exits(0)
        .says("1 row without a decision: skipped")
        .says("1 case marked as imported")
        .says("1 case marked as not imported");
    let ledger = home.ledger();
    assert_eq!(ledger.cases["doubt-1"].id.as_deref(), Some("id-1"));
    assert_eq!(state(&home, "doubt-2"), "not_sent");
    assert_eq!(state(&home, "doubt-3"), "in_doubt");
    resolve(&home, &["--imported", "--list", "found.csv"])
        .exits(2)
        .says("the list has decisions of its own");
}

#[test]
fn an_exported_list_with_case_ids_filled_in_is_read() {
    let home = doubtful();
    run(&home, &["export", "--in-doubt", "found.csv"]).exits(0);
    let exported = home.read("found.csv");
    let with_id = |line: &str| line.replacen("in_doubt,,502", "in_doubt,id-77,502", 1);
    home.write("some.csv", with_id(&exported));
    // Whether the others were found too can't be known.
    resolve(&home, &["--imported", "--list", "some.csv"])
        .exits(2)
        .says("for 1 of 3 cases");
    // Only the second was found; a spreadsheet has saved the file its own way.
    let kept: Vec<String> = exported
        .lines()
        .filter(|line| line.contains("caseload_key") || line.contains("doubt-2"))
        .map(with_id)
        .collect();
    home.write("found.csv", kept.join("\r\n"));
    resolve(&home, &["--imported", "--list", "found.csv"]).exits(0);
    assert_eq!(state(&home, "doubt-2"), "imported");
    run(&home, &["status", "--state", "imported"])
        .exits(0)
        .prints("case id    id-77");
    assert_eq!(state(&home, "doubt-1"), "in_doubt");
}

#[test]
fn lists_may_be_text_or_any_export() {
    let home = doubtful();
    let undo = || resolve(&home, &["--undo", "--run", "1"]).exits(0);
    home.write(
        "keys.txt",
        "\u{feff}doubt-1\r\n\r\n  [\"doubt-2\"] \nkey:[\"doubt-3\"]\n",
    );
    resolve(&home, &["--not-imported", "--list", "keys.txt"]).exits(0);
    assert_eq!(state(&home, "doubt-3"), "not_sent");
    undo();

    run(&home, &["export", "--results", "all.csv"]).exits(0);
    let list = ["--list", "all.csv", "--state", "in-doubt"];
    resolve(&home, &[&["--not-imported"], &list[..]].concat()).exits(0);
    assert_eq!(state(&home, "doubt-1"), "not_sent");
    undo();

    run(&home, &["export", "--json", "all.ndjson"]).exits(0);
    let list = ["--list", "all.ndjson", "--state", "imported"];
    resolve(&home, &[&["--removed"], &list[..]].concat()).exits(0);
    assert_eq!(state(&home, "a"), "removed");

    resolve(&home, &["--removed", "--list", "cases.csv"])
        .exits(2)
        .says("has no column caseload_key");
    home.write("bad.csv", "caseload_key\nkey:[\"doubt-1\"]\ndoubt-2\n");
    resolve(&home, &["--not-imported", "--list", "bad.csv"])
        .exits(2)
        .says("bad.csv:3");
    assert_eq!(state(&home, "doubt-1"), "in_doubt");
}

#[test]
fn a_key_of_several_columns_is_given_as_a_json_array() {
    let home = Home::new();
    home.people("cases.csv", &["doubt=1"]);
    home.import(&mixed_server().url())
        .args(&["--key-column", "LastName"])
        .run()
        .exits(4);
    resolve(&home, &["--imported", r#"["doubt=1","Okafor"]=id-5"#]).exits(0);
    assert_eq!(state(&home, r#"["doubt=1","Okafor"]"#), "imported");
}

#[test]
fn an_unclear_request_changes_nothing() {
    let home = doubtful();
    for (args, message) in [
        (&[][..], "not a terminal"),
        (&["doubt-1", "--yes"], "not a terminal"),
        (&["--not-imported", "doubt-1"], "use --yes"),
        (&["--not-imported", "--yes"], "which cases?"),
        (
            &["--imported", "--state", "rejected", "--yes"],
            "no cases selected",
        ),
        (
            &["--removed", "--undo", "a", "--yes"],
            "cannot be used with",
        ),
        (&["--imported", "a=1", "a=2", "--yes"], "two case ids"),
    ] {
        run(&home, &[&["resolve"], args].concat())
            .exits(2)
            .says(message);
    }
    assert_eq!(state(&home, "doubt-1"), "in_doubt");
}

#[test]
fn cases_are_resolved_while_an_import_runs_but_not_those_in_flight() {
    let home = doubtful();
    let (server, arrivals) = silent_server();
    let import = home.import(&server.url()).arg("--adopt-ledger").start();
    arrivals.recv().unwrap();
    resolve(&home, &["--not-imported", "doubt-1"]).exits(0);
    assert_eq!(state(&home, "doubt-1"), "not_sent");
    resolve(&home, &["--not-imported", "bad-1"]);
    assert_eq!(state(&home, "bad-1"), "sending");
    import.kill();
    // What the killed run had in flight is in doubt, and can be resolved.
    resolve(&home, &["--not-imported", "bad-1"]).exits(0);
    assert_eq!(state(&home, "bad-1"), "not_sent");
}

#[test]
fn a_case_that_is_resolved_before_its_turn_is_not_sent_and_is_in_the_results() {
    let home = Arc::new(Home::new());
    home.cases(5);
    let server = Server::start({
        let home = Arc::clone(&home);
        move |request| {
            if request.index == 0 {
                // By hand, since the import began.
                let resolve = ["resolve", "--imported", "c4=x-4", "--yes"];
                home.caseload(&resolve)
                    .args(&["--ledger", "ledger.db"])
                    .run()
                    .exits(0);
            }
            create(request)
        }
    });
    home.import(&server.url())
        .args(&["--in-flight", "1", "--results", "results.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 5)]);
    assert_eq!(keys(&server), ["c1", "c2", "c3", "c5"]);
    let results = home.read("results.csv");
    let row = results.lines().find(|line| line.contains("c4")).unwrap();
    assert!(row.contains("imported"), "{row}");
}
