//! Importing the same file again, or a changed one: what is sent, what is held
//! back, and what is reported.

use crate::server::{Server, react, status};
use crate::support::{Home, create, creating_server, keys, keys_in_order};

#[test]
fn only_new_cases_are_sent() {
    let home = Home::new();
    home.cases(3);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    home.cases(5);
    home.import(&server.url())
        .run()
        .exits(0)
        .counts(&[("already_imported", 3), ("imported", 2)]);
    assert_eq!(keys(&server), ["c1", "c2", "c3", "c4", "c5"]);
}

#[test]
fn the_same_key_in_another_file_is_the_same_case() {
    let home = Home::new();
    home.cases(2);
    home.write(
        "again.ndjson",
        r#"{"partnerFirmId":"f1","name":"Name 1","id":"c1"}"#,
    );
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    home.import_files(&server.url(), &["again.ndjson"])
        .run()
        .exits(0)
        .counts(&[("already_imported", 1)]);
}

/// A row that the server never accepts must not block the others.
#[test]
fn rejected_cases_are_sent_last_and_changed_ones_first() {
    let home = Home::new();
    home.cases(3);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c1" | "c2") => status(422).into(),
        _ => create(request),
    });
    let import = || home.import(&server.url()).args(&["--in-flight", "1"]);
    import()
        .run()
        .exits(1)
        .counts(&[("rejected", 2), ("imported", 1)]);
    let text = std::fs::read_to_string(home.path("cases.csv")).unwrap();
    home.write("cases.csv", text.replace("Name 2", "Fixed") + "c4,f1,New\n");
    import()
        .run()
        .exits(1)
        .counts(&[("rejected", 2), ("already_imported", 1), ("imported", 1)]);
    assert_eq!(keys_in_order(&server)[3..], ["c4", "c2", "c1"]);
    assert_eq!(home.ledger().cases["c1"].attempts, 2);
}

#[test]
fn a_case_in_doubt_is_not_sent_until_the_user_allows_it() {
    let home = Home::new();
    home.cases(2);
    let server = Server::start(|request| match request.index {
        0 => react().creates("first").close(),
        _ => create(request),
    });
    let import = |words: &[&str]| home.import(&server.url()).args(words).run();
    import(&[])
        .exits(4)
        .counts(&[("in_doubt", 1), ("imported", 1)]);
    import(&[])
        .exits(4)
        .counts(&[("in_doubt", 1), ("already_imported", 1)]);
    import(&["--resend-in-doubt", "1"])
        .exits(2)
        .says("0 cases of this input can be sent once more");
    for other in ["0", "2"] {
        import(&["--resend-in-doubt", other, "--min-doubt-age", "0s"])
            .exits(2)
            .says("1 case of this input can be sent once more");
    }
    assert_eq!(server.requests().len(), 2);
    import(&["--resend-in-doubt", "1", "--min-doubt-age", "0s"])
        .exits(0)
        .says("an earlier attempt was in doubt: it may exist twice")
        .counts(&[("imported", 1), ("already_imported", 1)]);
    assert_eq!(keys_in_order(&server), ["c1", "c2", "c1"]);
    let ledger = home.ledger();
    assert!(ledger.cases["c1"].possible_twin);
    assert!(!ledger.cases["c2"].possible_twin);
}

/// An answer to the second attempt proves nothing about the first.
#[test]
fn a_failed_second_attempt_leaves_the_doubt() {
    for answer in [422, 429, 401, 500] {
        let home = Home::new();
        home.cases(1);
        let server = Server::start(move |request| match request.index {
            0 => react().close(),
            _ => status(answer).header("Retry-After", "0").into(),
        });
        let import = |words: &[&str]| home.import(&server.url()).args(words).run();
        import(&[]).exits(4);
        let words = [
            "--resend-in-doubt",
            "1",
            "--min-doubt-age",
            "0s",
            "--max-retries",
            "0",
        ];
        let done = import(&words).counts(&[("in_doubt", 1)]);
        assert_eq!(home.ledger().state("c1"), "in_doubt", "{answer}: {done}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn a_changed_row_is_reported_and_not_sent() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    let text = std::fs::read_to_string(home.path("cases.csv")).unwrap();
    home.write("cases.csv", text.replace("Name 2", "Another"));
    let counts = [("already_imported", 1), ("changed", 1)];
    home.import(&server.url()).run().exits(0).counts(&counts);
    home.import(&server.url())
        .arg("--strict")
        .run()
        .exits(1)
        .counts(&counts);
    home.import_for_people(&server.url(), &["cases.csv"])
        .run()
        .exits(0)
        .says("cases.csv:3: skipped, changed since import: case c2 was imported as x1")
        .prints("1 skipped (changed since import)");
    home.write(
        "caseload.toml",
        "[platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n",
    );
    home.import_for_people(&server.url(), &["cases.csv"])
        .run()
        .exits(0)
        .says(
            "case c2 was imported as x1 (https://app.example.com/cases/x1) and is not sent again",
        );
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_key_of_several_columns_is_one_key() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,party,partnerFirmId\n1,A,f1\n1,B,f1\n2,A,f1\n",
    );
    let server = creating_server();
    let import = || {
        home.import(&server.url())
            .args(&["--key-column", "party"])
            .run()
            .exits(0)
    };
    import().counts(&[("imported", 3)]);
    import().counts(&[("already_imported", 3)]);
}

#[test]
fn a_key_column_is_proposed_when_none_is_given() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "State,Lead ID,partnerFirmId\nNV,7,f1\nNV,8,f1\n",
    );
    let server = creating_server();
    home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--new-ledger", "--yes"])
        .env("LEXAMICA_PUBLIC_KEY", crate::support::KEY)
        .run()
        .exits(2)
        .says("try --key-column 'Lead ID'");
    assert_eq!(server.connections(), 0);
}
