//! Input with problems: each is reported with its position, and nothing is
//! sent.

use crate::server::{Server, created};
use crate::support::{Done, Home, creating_server};
use serde_json::json;

/// Imports a file that has problems; the server must not receive anything.
fn refused(home: &Home, file: &str) -> Done {
    let server = Server::start(|_| created("x1"));
    let done = home.import_files(&server.url(), &[file]).run().exits(3);
    assert_eq!(server.connections(), 0, "{done}");
    assert!(!home.path("ledger.db").exists(), "a ledger was created");
    done
}

/// The errors of a run, each as `code file:line:column`.
fn problems(done: &Done) -> Vec<String> {
    let documents = done.json();
    let problems = documents
        .iter()
        .filter(|document| document["severity"] == "error");
    problems
        .map(|problem| {
            let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
            assert!(!text("message").is_empty(), "{done}");
            format!(
                "{} {}:{}:{}",
                text("code"),
                text("file"),
                problem["line"],
                text("column")
            )
        })
        .collect()
}

#[test]
fn each_kind_of_bad_input_is_reported_with_its_position() {
    let rows: [(&str, &str, &[u8], &[&str]); 16] = [
        (
            "text after a closing quote",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,\"Ann \"Bud\" B\"\nc2,f1,5\" pipe\n",
            &["misplaced-quote a.csv:2:name"],
        ),
        (
            "a backslash before a quote",
            "a.tsv",
            b"id\tpartnerFirmId\tname\nc1\tf1\t\"She said \\\"stop\\\" twice\"\n",
            &["misplaced-quote a.tsv:2:name"],
        ),
        (
            "a space before a quote",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1, \"Ann\"\n",
            &["misplaced-quote a.csv:2:name"],
        ),
        (
            "a header in the middle",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,Ann\n\xef\xbb\xbfid,partnerFirmId,name\nc2,f1,Bob\n",
            &["repeated-header a.csv:3:"],
        ),
        (
            "a short row",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,Ann\nc2,f1\n",
            &["ragged-row a.csv:3:"],
        ),
        (
            "a long row after a quoted line break",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,\"An\nn\"\nc2,f1,Bob,more\n",
            &["ragged-row a.csv:4:"],
        ),
        (
            "a duplicate header",
            "a.csv",
            b"id,partnerFirmId,name,name\nc1,f1,Ann,Bob\n",
            &["duplicate-header a.csv:1:name"],
        ),
        (
            "an empty header",
            "a.csv",
            b"id,partnerFirmId,,name\nc1,f1,Ann,Bob\n",
            &["empty-header a.csv:2:"],
        ),
        (
            "a truncated array",
            "a.json",
            b"[{\"id\":\"c1\",\"partnerFirmId\":\"f1\"},\n{\"id\":\"c2\",",
            &["truncated a.json:2:"],
        ),
        (
            "a line that is not JSON",
            "a.ndjson",
            b"{\"id\":\"c1\",\"partnerFirmId\":\"f1\"}\n{\"id\":}\n",
            &["bad-json a.ndjson:2:"],
        ),
        (
            "an empty key",
            "a.csv",
            b"id,partnerFirmId,name\n ,f1,Ann\nc2,f1,Bob\n",
            &["empty-key a.csv:2:id"],
        ),
        (
            "a duplicate key",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bob\n c1,f1,Cem\n",
            &["duplicate-key a.csv:2:id"],
        ),
        (
            "no firm",
            "a.csv",
            b"id,partnerFirmId,name\nc1,,Ann\n",
            &["missing-partner-firm a.csv:2:partnerFirmId"],
        ),
        (
            "a firm that is not an id",
            "a.csv",
            b"id,partnerFirmId,name\nc1,Smith & Partners,Ann\nc2,N/A,Bob\n",
            &[
                "bad-partner-firm a.csv:2:partnerFirmId",
                "bad-partner-firm a.csv:3:partnerFirmId",
            ],
        ),
        (
            "a duplicate row",
            "a.csv",
            b"id,partnerFirmId,name\nc1,f1,Ann\nc1,f1,Ann\n",
            &["duplicate-row a.csv:2:id"],
        ),
        (
            "all problems of all rows",
            "a.csv",
            b"id,partnerFirmId,name\n,f1,Ann\nc2,,Bob\nc3,f1\n",
            &[
                "empty-key a.csv:2:id",
                "missing-partner-firm a.csv:3:partnerFirmId",
                "ragged-row a.csv:4:",
            ],
        ),
    ];
    let mut failures = Vec::new();
    for (kind, file, text, expected) in rows {
        let home = Home::new();
        home.write(file, text);
        let found = problems(&refused(&home, file));
        if found != expected {
            failures.push(format!("{kind}: {found:?}, not {expected:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A spreadsheet counts a cell with line breaks as one row.
#[test]
fn a_problem_has_the_row_that_a_spreadsheet_shows() {
    let home = Home::new();
    let note = "\"one\ntwo\nthree\"";
    home.write(
        "a.csv",
        format!("id,partnerFirmId,note\nc1,f1,{note}\n\nc2,f1,{note}\nc3,,x\n"),
    );
    home.write("a.ndjson", "\n{\"id\":\"c4\"}\n");
    let check = |file: &str| {
        let done = home
            .caseload(&["check", file, "--output", "json"])
            .args(&["--key-column", "id"])
            .run();
        done.exits(3).json()
    };
    let problem = &check("a.csv")[0];
    assert_eq!((&problem["line"], &problem["row"]), (&json!(9), &json!(5)));
    let problem = &check("a.ndjson")[0];
    assert_eq!(
        (&problem["line"], &problem["row"]),
        (&json!(2), &json!(null))
    );
}

#[test]
fn bytes_invalid_in_the_given_encoding_are_an_error() {
    let home = Home::new();
    home.write("a.csv", b"id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,\xff\n");
    let done = home
        .caseload(&["import", "a.csv", "--sandbox", "--encoding", "utf-8"])
        .args(&["--output", "json"])
        .run()
        .exits(3);
    assert_eq!(problems(&done), ["invalid-text a.csv:3:name"]);
}

#[test]
fn twenty_problems_are_shown_and_all_are_counted() {
    let home = Home::new();
    let rows: Vec<String> = (0..25).map(|n| format!("c{n},,Name {n}\n")).collect();
    let header = "id,partnerFirmId,name\n".to_owned();
    home.write("a.csv", header + &rows.concat() + ",f1,Nobody\n");
    let import = || {
        home.caseload(&["import", "a.csv", "--sandbox"])
            .args(&["--key-column", "id"])
    };
    let done = import().run().exits(3);
    let shown = done.out.lines().filter(|line| line.contains(": error: "));
    assert_eq!(shown.count(), 20, "{done}");
    done.prints("showing 20 of 26 problems")
        .prints("25 missing-partner-firm errors in partnerFirmId")
        .prints("1 empty-key error in id");
    let done = import().args(&["--output", "json"]).run().exits(3);
    assert_eq!(problems(&done).len(), 26);
    done.counts(&[("problems", 26)]);
}

#[test]
fn skip_invalid_sends_the_good_rows() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Ann\nc2,,Bob\nc3,f1\nc4,f1,Dee\n",
    );
    let server = creating_server();
    let import = || home.import(&server.url()).arg("--skip-invalid").run();
    import()
        .exits(1)
        .counts(&[("imported", 2), ("problems", 2)]);
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.json()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["c1", "c4"]);
    import()
        .exits(1)
        .counts(&[("already_imported", 2), ("problems", 2)]);
}

#[test]
fn skip_invalid_cannot_skip_a_bad_header() {
    let home = Home::new();
    home.write("a.csv", "id,partnerFirmId,name,name\nc1,f1,Ann,Bob\n");
    home.caseload(&["import", "a.csv", "--sandbox", "--skip-invalid"])
        .run()
        .exits(3)
        .says("--skip-invalid does not help where a whole file is affected");
}

#[test]
fn check_reports_the_same_problems_as_import() {
    let home = Home::new();
    home.write(
        "a.csv",
        "id,partnerFirmId,name\nc1,f1,Ann\nc2,,Bob\nc3,f1\n",
    );
    let words = ["--key-column", "id", "--output", "json"];
    let done = home.caseload(&["check", "a.csv"]).args(&words).run();
    let done = done.exits(3);
    let found = problems(&done);
    assert_eq!(
        found,
        [
            "missing-partner-firm a.csv:3:partnerFirmId",
            "ragged-row a.csv:4:"
        ]
    );
    let closing = done.json().pop().unwrap();
    assert_eq!(closing["command"], "check");
    assert_eq!(closing["total"], 3);
    assert_eq!(closing["valid"], 1);
    assert_eq!(closing["findings"], 2);
    assert_eq!(closing["exit_code"], 3);
    let import = home
        .caseload(&["import", "a.csv", "--sandbox"])
        .args(&words);
    assert_eq!(problems(&import.run().exits(3)), found);
    assert!(!home.path("caseload-sandbox.db").exists());
}

#[test]
fn problems_in_human_output() {
    let home = Home::new();
    home.write(
        "a.csv",
        "id,partnerFirmId,name\nc1,Smith & Partners,Ann\nc2,f1\n",
    );
    let done = home.caseload(&["import", "a.csv", "--sandbox"]).run();
    let done = done
        .exits(3)
        .says("stopped: 2 problems in 2 records; nothing was sent\nfix the rows and run the same");
    insta::assert_snapshot!(done.out, @r#"
    a.csv:2:partnerFirmId: error: not a valid partner firm id: "Smith & Partners" [bad-partner-firm]
        use the firm's id, or list names with their ids under [partner_firms]
    a.csv:3: error: found 2 cells, the header has 3 columns [ragged-row]
        quote a cell that contains a line break or a `,`, and keep the delimiters of empty cells

            1 ragged-row error
            1 bad-partner-firm error in partnerFirmId
      run `caseload explain CODE` for what a code means and how to fix it
    "#);
}

#[test]
fn a_duplicate_member_of_a_nested_object_is_an_error() {
    let twice = r#"{"id":"c2","partnerFirmId":"f1","Client":{"name":"Ann","name":"Bea"}}"#;
    let good = r#"{"id":"c1","partnerFirmId":"f1","Client":{"name":"Cem"}}"#;
    for (file, text) in [
        ("a.json", format!("[{good},\n{twice}]")),
        ("a.ndjson", format!("{good}\n{twice}\n")),
    ] {
        let home = Home::new();
        home.write(file, text);
        let found = problems(&refused(&home, file));
        assert_eq!(found, [format!("duplicate-member {file}:2:Client.name")]);
    }
}

#[test]
fn bytes_undefined_in_windows_1252_are_an_error() {
    for byte in [0x81_u8, 0x8d, 0x8f, 0x90, 0x9d] {
        let home = Home::new();
        let mut text = b"id,partnerFirmId,name\nc1,f1,Jos\xe9\nc2,f1,A".to_vec();
        text.extend([byte, b'\n']);
        home.write("a.csv", text);
        let done = refused(&home, "a.csv");
        assert_eq!(problems(&done), ["invalid-text a.csv:3:name"]);
        // The first is the guess.
        let message = done.json()[1]["message"].to_string();
        assert!(
            message.contains("line 3: not valid windows-1252 text"),
            "{message}"
        );
    }
}
