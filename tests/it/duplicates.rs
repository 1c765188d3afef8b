//! Problems that only the whole input shows, such as one key twice, with
//! `--strict` and `--skip-invalid`.

use crate::support::{Done, Home};
use serde_json::{Value, json};

const KEYED: &str = "[case]\nkey = \"id\"\n";

fn home(config: &str, rows: &str) -> Home {
    let home = Home::new();
    home.write("caseload.toml", config);
    home.write("a.csv", rows);
    home
}

fn check(home: &Home, words: &[&str]) -> Done {
    home.caseload(&["check", "a.csv"]).args(words).run()
}

fn import(home: &Home, words: &[&str]) -> Done {
    home.caseload(&["import", "a.csv", "--sandbox", "--output", "json"])
        .args(words)
        .run()
}

#[test]
fn rows_with_the_same_key_are_errors() {
    let home = home(
        KEYED,
        "id,partnerFirmId,name\n1,f1,A\n1,f1,A\n2,f1,B\n2,f2,C\n3,f1,D\n",
    );
    check(&home, &[])
        .exits(3)
        .prints("a.csv:2:id: error: 2 rows have the same key and the same values: \"1\" [duplicate-row]\n    also a.csv:3")
        .prints("a.csv:4:id: error: 2 rows have the same key but different values: \"2\" [duplicate-key]\n    also a.csv:5");
    let dry = import(&home, &["--skip-invalid", "--dry-run"]);
    let sent: Vec<Value> = dry
        .json()
        .iter()
        .filter(|document| document["action"] == "send")
        .map(|document| document["line"].clone())
        .collect();
    assert_eq!(sent, [2, 6], "the first of equals, and none of two: {dry}");
    import(&home, &["--skip-invalid"])
        .exits(1)
        .counts(&[("imported", 2), ("problems", 3)]);
}

/// Otherwise fixing those errors would bring up a new one.
#[test]
fn a_row_with_other_errors_still_counts_as_a_duplicate() {
    let home = home(
        KEYED,
        "id,partnerFirmId,name\n1042,f1,A\n1042,,B\n7,f1,C\n7,,D\n7,f2,E\n",
    );
    check(&home, &[])
        .exits(3)
        .prints("a.csv:3:partnerFirmId: error: no partner firm")
        .prints("a.csv:2:id: error: 2 rows have the same key; one of them also has errors of its own: \"1042\" [duplicate-key]\n    also a.csv:3")
        .prints("a.csv:4:id: error: 3 rows have the same key; one of them also has errors of its own: \"7\" [duplicate-key]\n    also a.csv:5, a.csv:6")
        .prints("0 of 5 records valid");
    import(&home, &["--skip-invalid"])
        .exits(1)
        .counts(&[("imported", 0), ("problems", 5)]);
}

#[test]
fn similar_keys_are_a_warning_and_skipped_when_strict() {
    let home = home(KEYED, "id,partnerFirmId,name\n007,f1,A\n7,f1,B\nx,f1,C\n");
    check(&home, &[]).exits(0).prints(
        "a.csv:2:id: warning: keys that differ only in letter case, punctuation, leading zeros, or the form of a number or date: \"007, 7\" [similar-key]\n    also a.csv:3",
    );
    import(&home, &["--strict", "--skip-invalid"])
        .exits(1)
        .counts(&[("imported", 1), ("problems", 2)]);
}

/// Skipping rows fixes neither the config nor a column.
#[test]
fn skip_invalid_cannot_skip_a_warning_about_the_whole_input() {
    for (code, config, rows) in [
        (
            "key-not-sent",
            "[case]\nkey = \"id\"\n[fields.Name]\nfrom = \"name\"\n",
            "id,partnerFirmId,name\nc1,f1,Ann\n",
        ),
        (
            "looks-confidential",
            KEYED,
            "id,partnerFirmId,Tax\nc1,f1,521-44-1234\nc2,f1,521-44-1235\n",
        ),
    ] {
        let home = home(config, rows);
        let strict = import(&home, &["--strict", "--skip-invalid"]).exits(3);
        let documents: Vec<Value> = strict.json();
        let errors = documents.iter().filter(|document| document["code"] == code);
        assert_eq!(errors.count(), 1, "{code} is reported once: {strict}");
        import(&home, &["--skip-invalid"]).exits(0);
    }
}

#[test]
fn both_positions_of_a_duplicate_key_are_shown() {
    let home = Home::new();
    home.write("a.csv", "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bob\n");
    home.write("b.csv", "id,partnerFirmId,name\nc3,f1,Cem\n c1 ,f1,Dan\n");
    let done = home
        .caseload(&["import", "a.csv", "b.csv", "--sandbox"])
        .args(&["--key-column", "id"])
        .run()
        .exits(3);
    done.prints("a.csv:2:id: error: 2 rows have the same key but different values: \"c1\"")
        .prints("also b.csv:3")
        .says("stopped: 1 problem in 4 records; nothing was sent");
}

#[test]
fn keys_are_unique_across_files() {
    let home = Home::new();
    home.write("a.csv", "id,partnerFirmId,name\nc1,f1,Ann\n");
    home.write(
        "b.json",
        "[{\"id\":\"c2\",\"partnerFirmId\":\"f1\"},\n {\"id\":\"c1\",\"partnerFirmId\":\"f1\"}]",
    );
    let done = home
        .caseload(&["import", "a.csv", "b.json", "--sandbox", "--dry-run"])
        .args(&["--key-column", "id", "--output", "json"])
        .run()
        .exits(3);
    let problem = &done.json()[0];
    assert_eq!(problem["code"], "duplicate-key");
    assert_eq!(problem["file"], "a.csv");
    assert_eq!(
        problem["also"],
        json!([{"file": "b.json", "line": 2, "row": null}])
    );
}
