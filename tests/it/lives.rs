//! What becomes of the cases after their import: which case an event is about,
//! and what `status` and `export` show of it.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Done, Home, KEY, Terminal, creating_server, mixed_server};

/// A ledger of cases of firm `firm_1`; the platform has them under `id-KEY`.
fn home(keys: &[&str]) -> Home {
    home_at(&mixed_server(), keys)
}

fn home_at(server: &Server, keys: &[&str]) -> Home {
    let home = Home::new();
    home.people("cases.csv", keys);
    let in_doubt = keys.iter().any(|key| key.starts_with("doubt"));
    let import = home.import_files(&server.url(), &["cases.csv"]);
    import.run().exits(if in_doubt { 4 } else { 0 });
    home
}

/// Delivers events, each to its path.
fn deliver(home: &Home, events: &[(&str, &str)]) {
    let listener = home.listen(&[]);
    for (event, body) in events {
        assert_eq!(listener.deliver(event, body), 200, "{body}");
    }
}

/// `status` or `export` of `ledger.db`.
fn run(home: &Home, args: &[&str]) -> Done {
    home.caseload(args).args(&["--ledger", "ledger.db"]).run()
}

/// The first document of `status`.
fn status(home: &Home) -> Value {
    let done = run(home, &["status", "--output", "json"]).exits(0);
    done.json().swap_remove(0)
}

/// Every event as `export` writes it.
fn exported(home: &Home) -> Vec<Value> {
    run(home, &["export", "--events", "events.ndjson", "--force"]).exits(0);
    let text = home.read("events.ndjson");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The key of each event's case, in the order of arrival; null without one.
fn keys(home: &Home) -> Value {
    exported(home)
        .iter()
        .map(|event| event["key"].clone())
        .collect()
}

#[test]
fn an_event_belongs_to_the_case_whose_id_it_has() {
    let home = home(&["a", "b"]);
    let bodies = [
        r#"{"caseload_case_id":"id-a"}"#,
        r#"{"_id":"id-b"}"#,
        r#"{"id":"update-7","case_id":"id-a"}"#,
        r#"{"data":{"caseId":"id-b"}}"#,
        r#"{"case":{"_id":" id-a "}}"#,
        r#"{"_id":"id-b","caseload_case_id":"id-a"}"#,
        r#"{"note":"id-a"}"#,
        r#"{"refs":{"case":"id-b"}}"#,
    ];
    deliver(&home, &bodies.map(|body| ("updates", body)));
    let tied = json!(["a", "b", "a", "b", "a", "a", null, null]);
    assert_eq!(keys(&home), tied);
    assert_eq!(status(&home)["lives"]["events_of_no_case"], 2);
    // What came before the setting is read by it too.
    home.write(
        "caseload.toml",
        "[webhooks]\ncase_id_field = \"refs.case\"\n",
    );
    assert_eq!(keys(&home)[7], "b");
    assert_eq!(status(&home)["lives"]["events_of_no_case"], 1);
}

#[test]
fn an_event_without_an_id_belongs_to_the_case_whose_key_it_has() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "Lead,Office,partnerFirmId,Name\n7,LV,f1,Ann\n8,LV,f1,Bob\n",
    );
    home.write(
        "caseload.toml",
        "[case]\nkey = [\"Office\", \"Lead\"]\n[fields.office]\nfrom = \"Office\"\n\
         [fields.\"lead.number\"]\nfrom = \"Lead\"\n[fields.Name]\n",
    );
    let server = creating_server();
    let import = home.caseload(&["import", "cases.csv", "--base-url", &server.url()]);
    let import = import.args(&["--map-id", "m1", "--yes", "--pace", "1ms"]);
    let import = import.args(&["--ledger", "ledger.db", "--new-ledger"]);
    import.env("LEXAMICA_PUBLIC_KEY", KEY).run().exits(0);
    let bodies = [
        r#"{"office":"LV","lead.number":"7"}"#,
        r#"{"office":"LV","lead":{"number":8}}"#,
        r#"{"office":"LV"}"#,
        r#"{"office":"LV","lead.number":"9"}"#,
    ];
    deliver(&home, &bodies.map(|body| ("stages", body)));
    let tied = keys(&home);
    let is_tied = |at: usize| tied[at].is_string();
    assert_eq!(
        [0, 1, 2, 3].map(is_tied),
        [true, true, false, false],
        "{tied}"
    );
    assert_ne!(tied[0], tied[1]);
    // Nothing but the config says which fields have the key.
    std::fs::remove_file(home.path("caseload.toml")).unwrap();
    assert_eq!(keys(&home), json!([null, null, null, null]));
}

#[test]
fn an_event_of_no_known_case_waits_until_the_case_is_known() {
    let home = home(&["a", "doubt-1"]);
    let body = r#"{"title":"Signed","date":"2026-03-01","caseload_case_id":"case-77"}"#;
    deliver(&home, &[("updates", body)]);
    assert_eq!(keys(&home), json!([null]));
    run(&home, &["status"])
        .exits(0)
        .prints("1 event of no known case");
    run(&home, &["export", "--events", "events.csv"])
        .exits(0)
        .says("wrote 1 event to");
    let csv = home.read("events.csv");
    assert!(
        csv.lines()
            .nth(1)
            .unwrap()
            .starts_with(",Case Update Made,"),
        "{csv}"
    );
    run(
        &home,
        &["resolve", "--imported", "doubt-1=case-77", "--yes"],
    )
    .exits(0);
    assert_eq!(keys(&home), json!(["doubt-1"]));
    assert_eq!(status(&home)["lives"]["events_of_no_case"], 0);
    let done = run(&home, &["status", "--case", "doubt-1"]).exits(0);
    done.prints("Case Update Made: Signed")
        .never_prints("no known case");
}

#[test]
fn the_latest_by_its_own_date_counts_in_whatever_order_they_come() {
    let home = home(&["a"]);
    let events = [
        (
            "updates",
            r#"{"_id":"id-a","title":"third","date":"2026-03-03T10:00:00"}"#,
        ),
        (
            "updates",
            r#"{"_id":"id-a","title":"first","date":"2026-03-01"}"#,
        ),
        (
            "updates",
            r#"{"_id":"id-a","title":"second","date":1772530200}"#,
        ),
        (
            "stages",
            r#"{"_id":"id-a","stage":"Demand Sent","date":"2026-03-05"}"#,
        ),
        (
            "stages",
            r#"{"_id":"id-a","stage":"Treating","date":1772582400000}"#,
        ),
        (
            "settlements",
            r#"{"_id":"id-a","amount":9000,"date":"2026-03-08"}"#,
        ),
        (
            "settlements",
            r#"{"_id":"id-a","amount":8000,"date":"2026-03-07"}"#,
        ),
    ];
    deliver(&home, &events);
    let done = run(&home, &["export", "--json", "-"]).exits(0);
    let case = &done.json()[0];
    assert_eq!(case["last_update_title"], "third");
    assert_eq!(case["last_update_at"], "2026-03-03T10:00:00Z");
    assert_eq!(case["stage"], "Demand Sent");
    assert_eq!(case["settled_at"], "2026-03-07T00:00:00Z", "the first one");
    let done = run(&home, &["status", "--case", "a"]).exits(0);
    let in_order = [
        "2026-03-01 00:00:00 UTC  Case Update Made: first",
        "2026-03-03 09:30:00 UTC  Case Update Made: second",
        "2026-03-03 10:00:00 UTC  Case Update Made: third",
        "2026-03-04 00:00:00 UTC  Case Stage Changed: Treating",
        "2026-03-05 00:00:00 UTC  Case Stage Changed: Demand Sent",
        "2026-03-07 00:00:00 UTC  Case Settlement: 8000",
        "2026-03-08 00:00:00 UTC  Case Settlement: 9000",
    ];
    assert_in_order(&done.out, &in_order);
}

#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let found = rest.split_once(part);
        let (_, after) = found.unwrap_or_else(|| panic!("{part:?} is not next in:\n{text}"));
        rest = after;
    }
}

#[test]
fn the_life_of_one_case_is_shown_in_order() {
    let home = home(&["a", "b"]);
    let events = [
        (
            "settlements",
            r#"{"_id":"id-a","amount":"$9,000","date":"2099-01-03"}"#,
        ),
        (
            "stages",
            r#"{"_id":"id-a","stage":"Treating","date":"2099-01-02"}"#,
        ),
        ("updates", r#"{"_id":"id-b","title":"of another"}"#),
        (
            "updates",
            r#"{"_id":"id-a","title":"Called","content":"No answer","date":"2099-01-01"}"#,
        ),
    ];
    deliver(&home, &events);
    let done = run(&home, &["status", "--case", "a"]).exits(0);
    let done = done.never_prints("of another").never_prints("id-b");
    assert_in_order(
        &done.out,
        &[
            "a  imported",
            "firm       firm_1",
            "record     cases.csv:2",
            "response   201",
            "case id    id-a",
            "2099-01-01 00:00:00 UTC  Case Update Made: Called\n        No answer",
            "2099-01-02 00:00:00 UTC  Case Stage Changed: Treating",
            "2099-01-03 00:00:00 UTC  Case Settlement: $9,000",
        ],
    );
    let done = run(&home, &["status", "--case", "a", "--output", "json"]).exits(0);
    let documents = done.json();
    let case = &documents[1];
    assert_eq!(documents.len(), 2);
    assert_eq!(case["partner_firm_id"], "firm_1");
    assert_eq!(
        (&case["file"], &case["row"]),
        (&json!("cases.csv"), &json!(2))
    );
    let events = case["events"].as_array().unwrap();
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(
        names,
        ["Case Update Made", "Case Stage Changed", "Case Settlement"]
    );
    assert_eq!(events[0]["title"], "Called");
    assert_eq!(events[0]["content"], "No answer");
    assert_eq!(events[1]["stage"], "Treating");
    assert_eq!(events[2]["amount"], "$9,000");
    assert_eq!(events[2]["at"], "2099-01-03T00:00:00Z");
    let unknown = run(&home, &["status", "--case", "z"]).exits(2);
    unknown.says("no case of the ledger has the key z");
}

/// Makes the ledger say that these cases were imported a hundred days ago.
fn age(home: &Home, keys: &[&str]) {
    let conn = rusqlite::Connection::open(home.path("ledger.db")).unwrap();
    for key in keys {
        let sql = "UPDATE cases SET updated_at = updated_at - 100 * 86400000 WHERE key = ?1";
        let key = json!([key]).to_string();
        assert_eq!(conn.execute(sql, [key]).unwrap(), 1);
    }
}

#[test]
fn the_status_counts_stages_settlements_drafts_and_cases_without_news() {
    let server = mixed_server();
    let home = home_at(&server, &["a", "b", "c", "old", "won"]);
    home.write("drafts.csv", "id,partnerFirmId,Name\nd1,,Dee\nd2,,Dan\n");
    let import = home.import_files(&server.url(), &["drafts.csv"]);
    import.arg("--allow-drafts").run().exits(0);
    age(&home, &["b", "c", "old", "won"]);
    run(&home, &["status"])
        .exits(0)
        .never_prints("without news");
    let events = [
        ("stages", r#"{"_id":"id-a","stage":"Treating"}"#),
        ("stages", r#"{"_id":"id-b","stage":"Treating"}"#),
        ("stages", r#"{"_id":"id-d1","stage":"Litigation"}"#),
        ("settlements", r#"{"_id":"id-d1","amount":1}"#),
        // News of long ago; nobody waits for more of a settled case.
        ("settlements", r#"{"_id":"id-won","date":"2020-01-01"}"#),
        (
            "updates",
            r#"{"_id":"id-c","title":"Called","date":"2020-01-01"}"#,
        ),
    ];
    deliver(&home, &events);
    let done = run(&home, &["status"]).exits(0);
    for line in [
        "2 drafts: they wait",
        "2 in the stage Treating",
        "1 in the stage Litigation",
        "2 settled",
        "2 without news for 90 days",
    ] {
        assert!(done.out.contains(&format!(" {line}")), "{line}: {done}");
    }
    let lives = json!({
        "drafts": 2,
        "stages": {"Litigation": 1, "Treating": 2},
        "settled": 2,
        "stale": 2,
        "events_of_no_case": 0,
    });
    assert_eq!(status(&home)["lives"], lives);
    let stale = |age: &str| {
        let done = run(&home, &["status", "--stale", age, "--output", "json"]).exits(0);
        let documents = done.json();
        let cases = documents[1..].iter().map(|case| case["key"].clone());
        (
            cases.collect::<Value>(),
            documents[0]["lives"]["stale"].clone(),
        )
    };
    assert_eq!(stale("90d"), (json!(["c", "old"]), json!(2)));
    assert_eq!(stale("101d"), (json!([]), json!(0)));
    let done = run(&home, &["status", "--stale", "12w"]).exits(0);
    done.prints("c  imported")
        .prints("old  imported")
        .prints("without news for 84 days");
    run(&home, &["status", "--stale", "soon"])
        .exits(2)
        .says("expected a time such as 90d");
}

#[test]
fn the_results_have_what_became_of_each_case() {
    let home = home(&["a", "b"]);
    let events = [
        (
            "updates",
            r#"{"_id":"id-b","title":"=1+1","date":"2026-03-01"}"#,
        ),
        (
            "stages",
            r#"{"_id":"id-b","stage":"Treating","date":"2026-03-02"}"#,
        ),
        ("settlements", r#"{"_id":"id-b","date":"2026-03-03"}"#),
    ];
    deliver(&home, &events);
    run(&home, &["export", "--results", "results.csv"]).exits(0);
    let mut results = csv::Reader::from_path(home.path("results.csv")).unwrap();
    let header = results.headers().unwrap().clone();
    let names = [
        "caseload_last_update_at",
        "caseload_last_update_title",
        "caseload_stage",
        "caseload_settled_at",
    ];
    let rows = results.records().map(|row| {
        let row = row.unwrap();
        let at = |name| header.iter().position(|column| column == name).unwrap();
        names.map(|name| row[at(name)].to_owned())
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows[0], ["", "", "", ""]);
    let life = [
        "2026-03-01T00:00:00Z",
        "'=1+1",
        "Treating",
        "2026-03-03T00:00:00Z",
    ];
    assert_eq!(rows[1], life);
}

#[test]
fn events_are_exported_as_a_spreadsheet_and_as_json() {
    let home = home(&["a"]);
    let formula = r#"{"_id":"id-a","title":"=HYPERLINK(\"x\")","content":"@b 521-44-1234","date":"2026-03-01"}"#;
    let events = [
        ("updates", formula),
        ("settlements", "=1"),
        ("stages", "[1]"),
    ];
    deliver(&home, &events);
    let args = ["export", "--events", "events.csv", "--output", "json"];
    let done = run(&home, &args).exits(0);
    assert_eq!(done.json()[0]["files"][0]["events"], 3, "{done}");
    let mut csv = csv::Reader::from_path(home.path("events.csv")).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let columns = [
        "caseload_key",
        "event",
        "at",
        "received_at",
        "title",
        "content",
        "stage",
    ];
    assert_eq!(header[..7], columns);
    assert_eq!(header[7..9], ["amount", "body"]);
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(&rows[0][0], "key:[\"a\"]");
    assert_eq!(
        (&rows[0][1], &rows[0][2]),
        ("Case Update Made", "2026-03-01T00:00:00Z")
    );
    assert_eq!(
        (&rows[0][4], &rows[0][5]),
        ("'=HYPERLINK(\"x\")", "'@b 521-44-1234")
    );
    assert_eq!(&rows[0][8], formula);
    assert_eq!((&rows[1][0], &rows[1][8]), ("", "'=1"));
    assert_eq!((&rows[2][0], &rows[2][8]), ("", "[1]"));
    // JSON as it came.
    let events = exported(&home);
    assert_eq!(events[0]["title"], "=HYPERLINK(\"x\")");
    assert_eq!(events[0]["body"], formula);
    assert_eq!(
        (&events[1]["key"], &events[1]["body"]),
        (&Value::Null, &json!("=1"))
    );
    let done = run(&home, &["export", "--events", "events.ndjson"]).exits(2);
    done.says("events.ndjson");
}

#[test]
fn values_are_hidden_where_that_is_asked_for_and_in_ci() {
    let home = home(&["a"]);
    let events = [
        (
            "updates",
            r#"{"_id":"id-a","title":"Okafor called","content":"Okafor is ill"}"#,
        ),
        ("stages", r#"{"_id":"id-a","stage":"Okafor waits"}"#),
        (
            "settlements",
            r#"{"_id":"id-a","amount":987654,"date":"2026-03-01"}"#,
        ),
    ];
    deliver(&home, &events);
    let all: &[&[&str]] = &[
        &["status"],
        &["status", "--case", "a"],
        &["status", "--output", "json", "--case", "a"],
        &["status", "--output", "json"],
        &["export", "--json", "-"],
    ];
    for args in all {
        let in_ci = home
            .caseload(args)
            .args(&["--ledger", "ledger.db"])
            .env("CI", "true");
        let asked = run(&home, &[*args, &["--redact"][..]].concat());
        for done in [in_ci.run(), asked] {
            let done = done.exits(0).never_prints("Okafor").never_prints("987654");
            assert!(!done.err.contains("Okafor"), "{done}");
        }
    }
    let done = run(&home, &["export", "--json", "-", "--redact"]).exits(0);
    let case = &done.json()[0];
    assert_eq!(case["stage"], "Aaaaaa aaaaa");
    assert_eq!(case["settled_at"], "2026-03-01T00:00:00Z");
    let done = run(&home, &["status", "--redact", "--output", "json"]).exits(0);
    assert_eq!(
        done.json()[0]["lives"]["stages"],
        json!({"Aaaaaa aaaaa": 1})
    );
}

#[test]
fn nothing_of_a_body_steers_the_terminal() {
    let home = home(&["a"]);
    let tied = r#"{"_id":"id-a","title":"\u001b[31mred\u202e","content":"one\r\n::error::two","date":"2026-03-01"}"#;
    let stage = r#"{"_id":"id-a","stage":"\u009b2J##[group]x"}"#;
    deliver(&home, &[("updates", tied), ("stages", stage)]);
    let all: &[&[&str]] = &[
        &["status"],
        &["status", "--case", "a"],
        &["status", "--output", "json", "--case", "a"],
        &["export", "--json", "-"],
    ];
    for args in all {
        let done = run(&home, args).exits(0);
        let steers = |c: char| c != '\n' && c.is_control();
        assert!(!done.out.contains(steers), "{done:?}");
        assert!(
            !done.out.contains("##[") && !done.out.contains("\n::"),
            "{done}"
        );
    }
    let done = run(&home, &["status", "--case", "a"]).exits(0);
    done.prints("\\u{1b}[31mred\\u{202e}")
        .prints("one\\r\\n::error::two");
}

#[test]
fn json_on_a_terminal_has_no_character_that_changes_the_writing_direction() {
    if !Terminal::is_available() {
        return;
    }
    let home = home(&["a"]);
    let title = r#"{"_id":"id-a","title":"gpj.\u202exe"}"#;
    deliver(&home, &[("updates", title)]);
    let all: &[&[&str]] = &[
        &["status", "--output", "json", "--case", "a"],
        &["export", "--json", "-"],
    ];
    for args in all {
        let program = home.caseload(args).args(&["--ledger", "ledger.db"]);
        let mut terminal = program.on_a_terminal();
        terminal.wait_for(r"gpj.\u202exe").ends_with(0);
        assert!(!terminal.written().contains('\u{202e}'));
        let piped = run(&home, args).exits(0);
        assert!(piped.out.contains("gpj.\u{202e}xe"), "{piped}");
    }
}

#[test]
fn a_body_that_is_no_object_is_the_event_itself() {
    let home = home(&["a"]);
    // By a setting even a text is tied to a case only as a member.
    let bodies = ["not JSON \u{1b}[31m", "[\"id-a\"]", "\"id-a\"", "null", ""];
    deliver(&home, &bodies.map(|body| ("updates", body)));
    assert_eq!(keys(&home), json!([null, null, null, null, null]));
    let events = exported(&home);
    let exported: Vec<_> = events.iter().map(|event| event["body"].clone()).collect();
    assert_eq!(exported, bodies);
    run(&home, &["status"])
        .exits(0)
        .prints("5 events of no known case");
    // An object without any known member is shown whole, but not endlessly.
    let other = format!(r#"{{"_id":"id-a","other":"{}END"}}"#, "x".repeat(5000));
    deliver(
        &home,
        &[("stages", r#"{"_id":"id-a","b":1}"#), ("updates", &other)],
    );
    let done = run(&home, &["status", "--case", "a"]).exits(0);
    done.prints(r#"Case Stage Changed: {"_id":"id-a","b":1}"#)
        .never_prints("END");
    let done = run(&home, &["status"]).exits(0);
    done.prints(r#"in the stage {"_id":"id-a","b":1}"#);
}
