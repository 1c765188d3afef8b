//! `caseload export`: the ledger's cases as JSON and as files.

use crate::server::Server;
use crate::support::{Home, creating_server, keys, mixed_server};
use serde_json::json;

/// A ledger with one case imported, one in doubt and one rejected, and its
/// server.
fn mixed() -> (Home, Server) {
    let home = Home::new();
    let server = mixed_server();
    home.people("cases.csv", &["a", "doubt-1", "bad-1"]);
    import(&home, &server, "cases.csv", 4);
    (home, server)
}

fn import(home: &Home, server: &Server, file: &str, exit_code: i32) {
    let import = home.import_without_ledger_flags(&server.url(), &[file]);
    let new: &[&str] = if home.path("state").exists() {
        &[]
    } else {
        &["--new-ledger"]
    };
    import
        .args(&["--pace", "1ms"])
        .args(new)
        .run()
        .exits(exit_code);
}

#[test]
fn json_has_one_object_per_case() {
    let (home, _server) = mixed();
    let mut cases = home.run(&["export", "--json", "-"]).exits(0).json();
    assert_eq!(cases.len(), 3);
    for case in &mut cases {
        assert!(case["updated_at"].take().as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(
        cases[0],
        json!({"schema": 1, "key": "a", "state": "imported", "case_id": "id-a",
               "file": "cases.csv", "line": 2, "row": 2, "partner_firm_id": "firm_1", "status": 201,
               "attempts": 1, "possible_twin": false, "updated_at": null,
               "forgotten_at": null, "message": null})
    );
    assert_eq!(cases[1]["state"], "in_doubt");
    assert_eq!(cases[2]["message"], "unknown CaseType of Okafor");
}

#[test]
fn filters_apply_to_every_export() {
    let (home, _server) = mixed();
    let keys = |args: &[&str]| -> Vec<String> {
        let export = home.caseload(&["export", "--json", "-"]).args(args).run();
        let cases = export.exits(0).json();
        cases
            .iter()
            .map(|case| case["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&["--state", "rejected"]), ["bad-1"]);
    assert_eq!(
        keys(&["--state", "rejected", "--state", "imported"]),
        ["a", "bad-1"]
    );
    assert_eq!(keys(&["--run", "1", "--file", "cases.csv"]).len(), 3);
    assert_eq!(keys(&["--state", "removed"]).len(), 0);
    home.run(&["export", "--json", "-", "--run", "9"]).exits(2);
    home.run(&["export", "--results", "r.csv", "--state", "imported"])
        .exits(0);
    assert_eq!(home.read("r.csv").lines().count(), 2);
}

#[test]
fn a_corrected_rejects_file_is_imported_without_extra_flags() {
    let (home, _server) = mixed();
    home.run(&["export", "--rejects", "rejects.csv"]).exits(0);
    let rejects = home.read("rejects.csv");
    assert_eq!(rejects.lines().count(), 2);
    assert!(
        rejects.contains("HTTP 422: unknown CaseType of Okafor"),
        "{rejects}"
    );
    home.write("rejects.csv", rejects.replace("Fell over", "Slipped on"));
    let server = creating_server();
    let status = home.run(&["status", "--output", "json"]).exits(0).json();
    let ledger = status[0]["ledger"].as_str().unwrap();
    // The same account at another address.
    home.import_without_ledger_flags(&server.url(), &["rejects.csv"])
        .args(&["--ledger", ledger, "--adopt-ledger"])
        .run()
        .exits(0);
    assert_eq!(keys(&server), ["bad-1"]);
    let body = server.requests()[0].json();
    assert_eq!(body["Summary"], "Slipped on bad-1");
    assert!(body.get("caseload_reason").is_none());
    home.run(&["export", "--rejects", "rejects.csv"])
        .exits(2)
        .says("already exists (use --force to replace it)");
}

#[test]
fn each_input_file_gets_its_own_rejects() {
    let (home, server) = mixed();
    home.write(
        "more.ndjson",
        "{\"id\":\"bad-2\",\"partnerFirmId\":\"f\",\"Injured\":{\"at\":12345678901234567890}}\n",
    );
    import(&home, &server, "more.ndjson", 1);
    home.run(&["export", "--rejects", "rejects.csv"])
        .exits(2)
        .says("must be a folder");
    home.run(&["export", "--rejects", "rejects"]).exits(0);
    assert!(home.read("rejects/cases.rejects.csv").contains("bad-1"));
    let lines = home.read("rejects/more.rejects.ndjson");
    assert!(
        lines.contains("\"Injured\":{\"at\":12345678901234567890}"),
        "{lines}"
    );
    home.run(&["export", "--rejects", "one.ndjson", "--file", "more.ndjson"])
        .exits(0);
}

#[test]
fn empty_exports_contain_only_a_header() {
    let (home, _server) = mixed();
    let files = ["--results", "r.csv", "--rejects", "b.csv"];
    home.caseload(&["export", "--in-doubt", "d.csv", "--state", "removed"])
        .args(&files)
        .run()
        .exits(0);
    for name in ["r.csv", "b.csv", "d.csv"] {
        assert_eq!(home.read(name).lines().count(), 1, "{name}");
    }
}

#[test]
fn existing_files_are_replaced_only_with_force() {
    let (home, _server) = mixed();
    home.write("mine.csv", "my own\n");
    for flag in ["--results", "--rejects", "--in-doubt"] {
        home.run(&["export", flag, "mine.csv"]).exits(2);
    }
    assert_eq!(home.read("mine.csv"), "my own\n");
    home.run(&["export", "--results", "same.csv", "--in-doubt", "same.csv"])
        .exits(2);
    assert!(!home.path("same.csv").exists());
    home.run(&["export"]).exits(2);
    home.run(&["export", "--results", "mine.csv", "--force"])
        .exits(0);
    assert_eq!(home.read("mine.csv").lines().count(), 4);
    let status = home.run(&["status", "--output", "json"]).exits(0).json();
    let ledger = status[0]["ledger"].as_str().unwrap();
    home.run(&["export", "--results", ledger, "--force"])
        .exits(2)
        .says("is used by this command and cannot be replaced");
}

#[test]
fn only_the_owner_can_read_exported_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, _server) = mixed();
    home.run(&["export", "--json", "all.ndjson", "--results", "r.csv"])
        .exits(0);
    for name in ["all.ndjson", "r.csv"] {
        let metadata = std::fs::metadata(home.path(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn messages_are_redacted_only_on_standard_output() {
    let (home, _server) = mixed();
    home.run(&["export", "--json", "-", "--redact"])
        .exits(0)
        .never_prints("Okafor");
    home.run(&["export", "--json", "all.ndjson", "--redact"])
        .exits(0);
    assert!(home.read("all.ndjson").contains("Okafor"));
}

#[test]
fn json_output_lists_the_files_written() {
    let (home, _server) = mixed();
    let done = home.run(&["export", "--results", "r.csv", "--output", "json"]);
    assert_eq!(
        done.exits(0).json(),
        [
            json!({"schema": 1, "command": "export", "errors": [], "exit_code": 0,
                "files": [{"output": "results", "path": "r.csv", "cases": 3}]})
        ]
    );
}
