//! The main job: files are imported, and every payload that arrives is
//! compared with its row.

use std::collections::BTreeMap;

use crate::server::{Server, created};
use crate::support::{Home, KEY, Sandbox, creating_server, example};
use serde_json::{Map, Value, json};

/// The rows of a CSV file as the payloads that they must become.
fn rows_of_csv(path: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let filled = header.iter().zip(record.iter());
            let filled = filled.filter(|(_, value)| !value.is_empty());
            let fields: Map<String, Value> = filled
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            Value::Object(fields)
        })
        .collect()
}

/// Payloads by lead id.
fn by_lead<'a>(payloads: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, Value> {
    payloads
        .into_iter()
        .map(|payload| {
            let lead = payload["LeadId"].as_str().unwrap().to_owned();
            (lead, payload.clone())
        })
        .collect()
}

/// Imports an example into a sandbox, and compares what arrived with `rows`.
fn import_example(name: &str, rows: &[Value]) {
    let home = Home::new();
    let sandbox = Sandbox::start(&[]);
    let file = example(name);
    let import = || {
        home.caseload(&["import", &file, "--base-url", &sandbox.url()])
            .args(&["--map-id", "m1", "--key-column", "LeadId", "--yes"])
            .args(&["--pace", "1ms", "--output", "json"])
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    };
    import()
        .arg("--new-ledger")
        .run()
        .exits(0)
        .counts(&[("imported", 25)]);

    let cases = sandbox.cases();
    assert_eq!(cases.len(), 25);
    assert_eq!(sandbox.calls().len(), 25);
    let payloads: Vec<&Value> = cases.iter().map(|case| &case["payload"]).collect();
    assert_eq!(by_lead(payloads), by_lead(rows));
    for case in &cases {
        assert_eq!(case["partner_firm_id"], case["payload"]["partnerFirmId"]);
        assert_eq!(case["draft"], false);
        assert_eq!(case["map_id"], "m1");
    }

    import().run().exits(0).counts(&[("already_imported", 25)]);
    assert_eq!(sandbox.calls().len(), 25, "the second run sends nothing");
}

#[test]
fn every_csv_row_is_sent() {
    let rows = rows_of_csv(&example("cases.csv"));
    assert_eq!(rows.len(), 25);
    let text = Value::from(rows.clone()).to_string();
    for special in ["\\\"", "\\n", ", ", "é"] {
        assert!(text.contains(special), "the example has no {special}");
    }
    import_example("cases.csv", &rows);
}

#[test]
fn every_object_of_a_json_array_is_sent() {
    let text = std::fs::read_to_string(example("cases.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(by_lead(&rows), by_lead(&rows_of_csv(&example("cases.csv"))));
    import_example("cases.json", &rows);
}

#[test]
fn every_ndjson_line_is_sent() {
    let text = std::fs::read_to_string(example("cases.ndjson")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    import_example("cases.ndjson", &rows);
}

#[test]
fn a_crm_export_is_sent_as_the_config_maps_it() {
    let home = Home::new();
    let sandbox = Sandbox::start(&["--org-id", "org_1", "--map-id", "map_1"]);
    home.caseload(&["import", &example("export.csv")])
        .args(&["--config", &example("caseload.toml")])
        .args(&["--base-url", &sandbox.url()])
        .args(&["--new-ledger", "--yes", "--pace", "1ms", "--output", "json"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .run()
        .exits(0);
    let cases = sandbox.cases();
    let rows = rows_of_csv(&example("export.csv"));
    assert_eq!(cases.len(), rows.len());
    let first = &cases[0];
    assert_eq!(first["partner_firm_id"], "firm_smith");
    assert_eq!(first["payload"]["LeadId"], "20417");
    assert_eq!(first["payload"]["FirstName"], "Denise");
    assert_eq!(first["payload"]["LastName"], "Pruitt");
    assert_eq!(first["payload"]["Phone"], "+17025550131");
    let sent = Value::from(cases).to_string();
    assert!(
        !sent.contains("000-12-4821"),
        "a column that is not in the config was sent"
    );
}

#[test]
fn a_test_run_needs_only_the_file() {
    let home = Home::new();
    let file = example("cases.csv");
    let import = |words: &[&str]| {
        home.caseload(&["import", &file, "--sandbox", "--pace", "1ms"])
            .args(words)
            .run()
    };
    import(&["--output", "json"])
        .exits(0)
        .counts(&[("imported", 25)]);
    import(&[])
        .exits(0)
        .prints("nothing to do: all 25 already imported");
    import(&["--output", "json", "--fresh"])
        .exits(0)
        .counts(&[("imported", 25)]);
}

#[test]
fn standard_input_with_one_firm_for_all_rows() {
    let home = Home::new();
    let words = ["import", "-", "--sandbox", "--output", "json"];
    for flag in ["--partner-firm", "--partner-firm-id"] {
        home.caseload(&words)
            .args(&[flag, "f1", "--fresh"])
            .input("a,b\n1,2\n")
            .run()
            .exits(0)
            .counts(&[("imported", 1)]);
    }
}

#[test]
fn the_firm_is_sent_in_the_query_and_the_body() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,firm_&1,\"a, \"\"b\"\"\nc\"\n",
    );
    let server = Server::start(|_| created("x1"));
    home.import(&server.url()).run().exits(0);
    let requests = server.requests();
    let [request] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/case/m1/create-existing");
    let query: Vec<_> = form_urlencoded::parse(request.query.as_ref().unwrap().as_bytes())
        .into_owned()
        .collect();
    assert_eq!(query, [("partnerFirmId".to_owned(), "firm_&1".to_owned())]);
    assert_eq!(
        request.json(),
        json!({"id": "c1", "partnerFirmId": "firm_&1", "name": "a, \"b\"\nc"})
    );
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Key {KEY}"))
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    let agent = request.header("user-agent").unwrap();
    assert_eq!(agent, concat!("caseload/", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_organization_id_selects_the_full_path() {
    let home = Home::new();
    home.cases(1);
    let server = Server::start(|_| created("x1"));
    home.import(&server.url())
        .args(&["--org-id", "o1"])
        .run()
        .exits(0);
    let path = &server.requests()[0].path;
    assert_eq!(
        path,
        "/organization/o1/inbound-webhooks/case/m1/create-existing"
    );
}

#[test]
fn a_row_without_a_firm_is_an_error_unless_drafts_are_allowed() {
    let home = Home::new();
    home.write("cases.csv", "id,partnerFirmId,name\nc1,,Ann\nc2,f1,Bob\n");
    let server = creating_server();
    home.import(&server.url())
        .run()
        .exits(3)
        .counts(&[("problems", 1), ("untried", 1)]);
    assert!(server.requests().is_empty());
    let done = home.import(&server.url()).arg("--allow-drafts").run();
    let done = done.exits(0).counts(&[("imported", 2)]);
    assert_eq!(done.summary().of("drafts"), 1);
    let draft = &server.requests()[0];
    assert_eq!(draft.query, None);
    assert_eq!(draft.json(), json!({"id": "c1", "name": "Ann"}));
}

#[test]
fn the_config_sets_where_the_firm_is_sent() {
    for (place, in_query, in_body) in [("query", true, false), ("body", false, true)] {
        let home = Home::new();
        home.cases(1);
        home.write(
            "caseload.toml",
            format!("[api]\npartner_firm_id_in = \"{place}\"\n"),
        );
        let server = Server::start(|_| created("x1"));
        home.import(&server.url()).run().exits(0);
        let request = &server.requests()[0];
        assert_eq!(request.query.is_some(), in_query, "{place}");
        let body = request.json();
        assert_eq!(body.get("partnerFirmId").is_some(), in_body, "{place}");
    }
}

#[test]
fn all_missing_settings_are_listed_and_empty_variables_count_as_not_set() {
    let home = Home::new();
    home.cases(1);
    home.caseload(&["import", "cases.csv", "--key-column", "id", "--yes"])
        .env("LEXAMICA_BASE_URL", "")
        .env("LEXAMICA_MAP_ID", "")
        .env("LEXAMICA_PUBLIC_KEY", "")
        .env("CASELOAD_CONFIG", "")
        .run()
        .exits(2)
        .says("missing settings:")
        .says("base URL: --base-url, LEXAMICA_BASE_URL or [api] base_url")
        .says("map id: --map-id, LEXAMICA_MAP_ID or [api] map_id")
        .says("public key: --public-key-file or LEXAMICA_PUBLIC_KEY");
}
