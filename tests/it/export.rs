//! `caseload export`: the ledger's cases as JSON and as files.

use crate::ledger_support::{Home, all_made, by_key, cases, keys_got};
use crate::server::Server;
use serde_json::json;

fn mixed() -> (Home, Server) {
    let home = Home::new();
    let server = Server::start(by_key);
    home.write("cases.csv", &cases(["a", "doubt-1", "bad-1"]));
    home.import(&server, &["cases.csv"]).ended(4);
    (home, server)
}

#[test]
fn json_has_one_object_a_case() {
    let (home, _server) = mixed();
    let mut cases = home.run(&["export", "--json", "-"]).ended(0).json();
    assert_eq!(cases.len(), 3);
    for case in &mut cases {
        assert!(case["updated_at"].take().as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(
        cases[0],
        json!({"schema": 1, "key": "a", "state": "imported", "case_id": "id-a",
               "file": "cases.csv", "line": 2, "partner_firm_id": "firm_1", "status": 201,
               "attempts": 1, "possible_twin": false, "updated_at": null, "message": null})
    );
    assert_eq!(cases[1]["state"], "in_doubt");
    assert_eq!(cases[2]["message"], "unknown CaseType of Okafor");
}

#[test]
fn filters_narrow_every_export() {
    let (home, _server) = mixed();
    let keys = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["export", "--json", "-"];
        all.extend(args);
        let cases = home.run(&all).ended(0).json();
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
    home.run(&["export", "--json", "-", "--run", "9"]).ended(2);
    home.run(&["export", "--results", "r.csv", "--state", "imported"])
        .ended(0);
    assert_eq!(home.read("r.csv").lines().count(), 2);
}

#[test]
fn a_mended_rejects_file_is_imported_without_a_new_flag() {
    let (home, _server) = mixed();
    home.run(&["export", "--rejects", "rejects.csv"]).ended(0);
    let rejects = home.read("rejects.csv");
    assert_eq!(rejects.lines().count(), 2);
    assert!(
        rejects.contains("HTTP 422: unknown CaseType of Okafor"),
        "{rejects}"
    );
    home.write("rejects.csv", &rejects.replace("Fell over", "Slipped on"));
    let server = Server::start(all_made);
    let url = server.url();
    let ledger = home.run(&["status", "--output", "json"]).ended(0).json();
    let ledger = ledger[0]["ledger"].as_str().unwrap();
    home.run(&[
        "import",
        "rejects.csv",
        "--base-url",
        &url,
        "--map-id",
        "m1",
        "--key-column",
        "LeadId",
        "--yes",
        "--ledger",
        ledger,
        "--adopt-ledger",
    ])
    .ended(0);
    assert_eq!(keys_got(&server), ["bad-1"]);
    let body = server.requests()[0].json();
    assert_eq!(body["Summary"], "Slipped on bad-1");
    assert!(body.get("caseload_reason").is_none());
    let changed = home.run(&["export", "--rejects", "rejects.csv"]).ended(2);
    assert!(
        changed.err.contains("not as caseload left it"),
        "{}",
        changed.err
    );
}

#[test]
fn several_files_get_rejects_of_their_own() {
    let (home, server) = mixed();
    home.write(
        "more.ndjson",
        "{\"LeadId\":\"bad-2\",\"partnerFirmId\":\"f\",\"Injured\":{\"at\":12345678901234567890}}\n",
    );
    home.import(&server, &["more.ndjson"]).ended(1);
    let no_folder = home.run(&["export", "--rejects", "rejects.csv"]).ended(2);
    assert!(no_folder.err.contains("folder"), "{}", no_folder.err);
    home.run(&["export", "--rejects", "rejects"]).ended(0);
    assert!(home.read("rejects/cases.rejects.csv").contains("bad-1"));
    let lines = home.read("rejects/more.rejects.ndjson");
    assert!(
        lines.contains("\"Injured\":{\"at\":12345678901234567890}"),
        "{lines}"
    );
    home.run(&["export", "--rejects", "one.ndjson", "--file", "more.ndjson"])
        .ended(0);
}

#[test]
fn empty_exports_have_their_header_only() {
    let (home, _server) = mixed();
    home.run(&[
        "export",
        "--results",
        "r.csv",
        "--rejects",
        "b.csv",
        "--in-doubt",
        "d.csv",
        "--state",
        "removed",
    ])
    .ended(0);
    for name in ["r.csv", "b.csv", "d.csv"] {
        assert_eq!(home.read(name).lines().count(), 1, "{name}");
    }
}

#[test]
fn what_is_not_ours_is_never_written_over() {
    let (home, _server) = mixed();
    home.write("mine.csv", "my own\n");
    for flag in ["--results", "--rejects", "--in-doubt"] {
        home.run(&["export", flag, "mine.csv"]).ended(2);
    }
    assert_eq!(home.read("mine.csv"), "my own\n");
    home.run(&["export", "--results", "same.csv", "--in-doubt", "same.csv"])
        .ended(2);
    assert!(!home.file("same.csv").exists());
    home.run(&["export"]).ended(2);
    // A file as we left it may be written anew.
    home.run(&["export", "--json", "all.ndjson"]).ended(0);
    home.run(&["export", "--json", "all.ndjson"]).ended(0);
    assert_eq!(home.read("all.ndjson").lines().count(), 3);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, _server) = mixed();
    home.run(&["export", "--json", "all.ndjson", "--results", "r.csv"])
        .ended(0);
    for name in ["all.ndjson", "r.csv"] {
        let mode = std::fs::metadata(home.file(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn messages_are_redacted_on_standard_output_only() {
    let (home, _server) = mixed();
    let shown = home.run(&["export", "--json", "-", "--redact"]).ended(0);
    assert!(!shown.out.contains("Okafor"), "{}", shown.out);
    home.run(&["export", "--json", "all.ndjson", "--redact"])
        .ended(0);
    assert!(home.read("all.ndjson").contains("Okafor"));
}

#[test]
fn scripts_are_told_what_was_written() {
    let (home, _server) = mixed();
    let ran = home.run(&["export", "--results", "r.csv", "--output", "json"]);
    let documents = ran.ended(0).json();
    assert_eq!(documents.len(), 1);
    assert_eq!(
        documents[0],
        json!({"schema": 1, "command": "export", "errors": [], "exit_code": 0,
               "files": [{"output": "results", "path": "r.csv", "cases": 3}]})
    );
}
