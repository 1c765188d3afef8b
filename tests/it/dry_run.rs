//! What a dry run shows, what a plan allows, and the closing summary.

use crate::server::{Server, created, status};
use crate::support::{Done, Home, Program, create, creating_server};
use serde_json::json;

/// A dry run against an address that is never called.
fn dry_run(home: &Home) -> Program {
    home.caseload(&["import", "cases.csv", "--dry-run"])
        .args(&["--base-url", "https://api.example.com", "--map-id", "m1"])
        .args(&["--key-column", "id", "--ledger", "ledger.db"])
}

/// The plan that a dry run of `cases.csv` prints.
fn plan(home: &Home, url: &str) -> String {
    let done = home.import(url).arg("--dry-run").run().exits(0);
    done.summary().text("plan").to_owned()
}

/// An import confirmed by a plan instead of `--yes`.
fn import_plan(home: &Home, url: &str, plan: &str) -> Done {
    home.caseload(&["import", "cases.csv", "--base-url", url, "--map-id", "m1"])
        .args(&["--key-column", "id", "--ledger", "ledger.db"])
        .args(&["--pace", "1ms", "--output", "json", "--plan", plan])
        .args(if home.path("ledger.db").exists() {
            &[]
        } else {
            &["--new-ledger"]
        })
        .env("LEXAMICA_PUBLIC_KEY", crate::support::KEY)
        .run()
}

#[test]
fn human_output() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,\"Ann \"\"Nan\"\" Roe\"\nc2,f2,Bo\nc3,,Cy\n",
    );
    let done = dry_run(&home)
        .args(&["--partner-firm-id", "f2"])
        .run()
        .exits(0);
    assert_eq!(done.err, "");
    insta::assert_snapshot!(done.out, @r#"

    first    cases.csv:2, case c1
    {
      "id": "c1",
      "name": "Ann \"Nan\" Roe",
      "partnerFirmId": "f1"
    }

    account  https://api.example.com
    url      https://api.example.com/case/m1/create-existing
    map      m1
    config   none: every column is sent under its own name
    ledger   ledger.db
    firms    2 to f2
             1 to f1
             the default, --partner-firm-id, for 1 record of the input

    3 of 3 records would be sent, in at least 0.2 s
    the ledger is new: it knows no imported case
    not checked, since only the server knows: whether the map id and the firm ids exist, and whether the case types are on the platform's list
    plan: e768ce721c57dac9-3
    next: caseload import cases.csv --base-url https://api.example.com --map-id m1 --key-column id --ledger ledger.db --partner-firm-id f2 --plan e768ce721c57dac9-3 --new-ledger
    "#);
}

#[test]
fn json_output() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,\"Ann, \"\"Nan\"\"\"\nc2,,Bo\n",
    );
    let done = dry_run(&home)
        .args(&["--allow-drafts", "--output", "json"])
        .run()
        .exits(0)
        .counts(&[("untried", 2)]);
    let documents = done.json();
    assert_eq!(
        documents[0],
        json!({
            "schema": 1,
            "file": "cases.csv",
            "line": 2,
            "row": 2,
            "key": "c1",
            "partner_firm_id": "f1",
            "payload": {"id": "c1", "partnerFirmId": "f1", "name": "Ann, \"Nan\""},
            "action": "send",
        })
    );
    assert_eq!(documents[1]["partner_firm_id"], json!(null));
    assert_eq!(documents[1]["payload"], json!({"id": "c2", "name": "Bo"}));
    assert_eq!(documents[2]["to_send"], 2);
    assert_eq!(documents.len(), 3);
}

/// With members in the same order and numbers digit by digit.
#[test]
fn payloads_are_shown_exactly_as_they_are_sent() {
    let home = Home::new();
    let body = r#"{"z":1,"id":"c1","partnerFirmId":"f1","a":12345678901234567890123,"b":1.10}"#;
    home.write("cases.ndjson", body);
    let server = Server::start(|_| created("x1"));
    let import = || home.import_files(&server.url(), &["cases.ndjson"]);
    let shown = import().arg("--dry-run").run().exits(0).out;
    import().run().exits(0);
    let sent = String::from_utf8(server.requests()[0].body.clone()).unwrap();
    assert!(
        sent.contains("\"a\":12345678901234567890123,\"b\":1.10"),
        "{sent}"
    );
    assert!(shown.contains(&sent), "{sent} is not in {shown}");
}

#[test]
fn each_case_is_shown_with_its_planned_action() {
    let home = Home::new();
    home.cases(4);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c2") => status(500).into(),
        _ => create(request),
    });
    home.import(&server.url())
        .args(&["--limit", "3"])
        .run()
        .exits(4);
    let text = std::fs::read_to_string(home.path("cases.csv")).unwrap();
    home.write("cases.csv", text.replace("Name 3", "Other"));
    let done = home
        .import(&server.url())
        .arg("--dry-run")
        .run()
        .exits(0)
        .counts(&[
            ("already_imported", 1),
            ("in_doubt", 1),
            ("changed", 1),
            ("untried", 1),
        ]);
    let actions: Vec<_> = done.json()[..4]
        .iter()
        .map(|document| document["action"].clone())
        .collect();
    assert_eq!(actions, ["skip", "in_doubt", "changed", "send"]);
    assert_eq!(done.summary().of("to_send"), 1);
    home.import_for_people(&server.url(), &["cases.csv"])
        .arg("--dry-run")
        .run()
        .exits(0)
        .prints("1 of 4 records would be sent")
        .prints("1 already imported")
        .prints("1 in doubt: check in Lexamica, then run `caseload resolve`")
        .prints("1 already imported, and changed since");
}

#[test]
fn a_dry_run_of_bad_input_exits_with_3() {
    let home = Home::new();
    home.write("cases.csv", "id,partnerFirmId,name\nc1,,Ann\nc2,f1,Bo\n");
    let done = dry_run(&home).args(&["--output", "json"]).run().exits(3);
    assert_eq!(done.summary().of("to_send"), 0);
    dry_run(&home)
        .args(&["--output", "json", "--skip-invalid"])
        .run()
        .exits(1)
        .counts(&[("problems", 1), ("untried", 1)]);
}

#[test]
fn the_same_plan_is_sent_without_a_question() {
    let home = Home::new();
    home.cases(3);
    let server = creating_server();
    let plan = plan(&home, &server.url());
    assert!(plan.ends_with("-3"), "{plan}");
    import_plan(&home, &server.url(), &plan)
        .exits(0)
        .counts(&[("imported", 3)]);
    // Cases imported since do not change the plan's hash.
    import_plan(&home, &server.url(), &plan)
        .exits(0)
        .counts(&[("already_imported", 3)]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_different_plan_is_refused_and_nothing_is_sent() {
    let server = creating_server();
    let rows = "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bo\n";
    for (kind, changed) in [
        ("a value", "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bob\n"),
        ("a firm", "id,partnerFirmId,name\nc1,f1,Ann\nc2,f2,Bo\n"),
        ("a key", "id,partnerFirmId,name\nc1,f1,Ann\nc3,f1,Bo\n"),
        ("the order", "id,partnerFirmId,name\nc2,f1,Bo\nc1,f1,Ann\n"),
        (
            "a row more",
            "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bo\nc3,f1,Cy\n",
        ),
        ("a row less", "id,partnerFirmId,name\nc1,f1,Ann\n"),
    ] {
        let home = Home::new();
        home.write("cases.csv", rows);
        let plan = plan(&home, &server.url());
        home.write("cases.csv", changed);
        import_plan(&home, &server.url(), &plan)
            .exits(2)
            .says("the plan has changed: it is now ");
        assert!(!home.path("ledger.db").exists(), "{kind}");
        // What changes no case changes no plan.
        home.write("cases.csv", rows.replace('\n', "\r\n"));
        let same = import_plan(&home, &server.url(), &plan);
        same.exits(0);
    }
    assert_eq!(server.requests().len(), 12);
}

#[test]
fn a_plan_allows_no_more_cases_than_it_named() {
    let home = Home::new();
    home.cases(3);
    let server = creating_server();
    home.import(&server.url())
        .args(&["--limit", "2"])
        .run()
        .exits(0);
    let plan = plan(&home, &server.url());
    assert!(plan.ends_with("-1"), "{plan}");
    let id = home.ledger().id;
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(home.path(name));
    }
    import_plan(&home, &server.url(), &plan)
        .exits(2)
        .says("has a ledger already");
    home.import(&server.url())
        .args(&["--plan", &plan, "--beside-ledger", &id])
        .run()
        .exits(2)
        .says("the plan allows 1 case, and 3 would be sent now");
    assert_eq!(server.requests().len(), 2);
    for wrong in ["", "abc", "abc-", "-1"] {
        import_plan(&home, &server.url(), wrong).exits(2);
    }
}

#[test]
fn there_is_no_plan_without_a_key_column() {
    let home = Home::new();
    home.cases(2);
    let dry = home.caseload(&["import", "cases.csv", "--sandbox", "--dry-run"]);
    let done = dry.args(&["--output", "json"]).run().exits(0);
    assert_eq!(done.summary().0["plan"], json!(null));
    home.caseload(&["import", "cases.csv", "--sandbox", "--dry-run"])
        .run()
        .exits(0)
        .prints("no key column: which cases are already imported can't be checked")
        .never_prints("plan:");
}

#[test]
fn the_closing_summary() {
    let home = Home::new();
    home.cases(6);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c3") => status(422)
            .json(r#"{"message":"IncidentState: unknown"}"#)
            .into(),
        Some("c4") => status(502).html("<h1>no</h1>").into(),
        Some("c5") => status(401).into(),
        _ => create(request),
    });
    let done = home
        .import_for_people(&server.url(), &["cases.csv"])
        .args(&["--in-flight", "1", "--pace", "1ms"])
        .run()
        .exits(5);
    insta::assert_snapshot!(home.stable(&done.err), @"
    cases.csv:4: case c3: rejected 422: IncidentState: unknown
    cases.csv:5: case c4: in doubt 502: <h1>no</h1>
    cases.csv:6: case c5: not sent 401
    response for cases.csv:6: case c5: status 401
    stopped: the server rejected the key (401), so no case was created. Check that the public key is complete and belongs to this organization.
    ");
    let text = done.out.replace(&server.url(), "URL");
    insta::assert_snapshot!(home.stable(&text), @"
    2 of 6 records imported in DURATION
            1 rejected by the server
              1 × 422: IncidentState: unknown (cases.csv:4: case c3)
            1 not sent; no case was created
            1 in doubt: check in Lexamica, then run `caseload resolve`
            1 not attempted
    next: caseload status --ledger ledger.db
    next: caseload resolve --ledger ledger.db
    ");
}
