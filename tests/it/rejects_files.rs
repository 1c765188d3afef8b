//! Records that can't be read are in the rejects file with their original text:
//! a person fixes them there and imports that file.

use crate::server::{Request, Server, status};
use crate::support::{Home, create, creating_server};
use serde_json::{Value, json};

/// Imports the good records of a file; the others go to a rejects file.
fn import(home: &Home, server: &Server, file: &str, rejects: &str) {
    home.import_files(&server.url(), &[file])
        .args(&["--skip-invalid", "--rejects", rejects])
        .run()
        .exits(1);
}

#[test]
fn an_import_never_replaces_the_files_that_it_uses() {
    let home = Home::new();
    home.cases(2);
    home.write("caseload.toml", "[case]\nkey = \"id\"\n");
    home.write("key.txt", crate::support::KEY);
    let server = creating_server();
    home.import_files(&server.url(), &["cases.csv"])
        .run()
        .exits(0);
    home.cases(3);
    home.write("types.csv", "MVA,Motor Vehicle Accident\n");
    home.write(
        "caseload.toml",
        "[case]\nkey = \"id\"\n[fields.id]\nfrom = \"id\"\n\
         [fields.name]\nfrom = \"name\"\nrename_file = \"types.csv\"\n",
    );
    for used in [
        "cases.csv",
        "ledger.db",
        "caseload.toml",
        "types.csv",
        "key.txt",
    ] {
        let before = std::fs::read(home.path(used)).unwrap();
        for flag in ["--results", "--problems"] {
            home.import_files(&server.url(), &["cases.csv"])
                .args(&["--public-key-file", "key.txt", "--force", flag, used])
                .run()
                .exits(2)
                .says("is used by this command and cannot be replaced");
        }
        assert_eq!(std::fs::read(home.path(used)).unwrap(), before, "{used}");
    }
    assert_eq!(server.requests().len(), 2);
}

/// A CSV's header and rows.
fn table(home: &Home, file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(home.path(file)).unwrap();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// Writes a CSV as a spreadsheet saves it.
fn save(home: &Home, file: &str, rows: &[Vec<String>]) {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).unwrap();
    }
    home.write(file, writer.into_inner().unwrap());
}

/// The bodies that the server received after the first `before`, sorted by
/// their keys: requests in flight together arrive in any order.
fn bodies(server: &Server, before: usize) -> Vec<Value> {
    let requests = server.requests();
    let mut bodies: Vec<Value> = requests[before..].iter().map(Request::json).collect();
    bodies.sort_by_key(|body| body["id"].to_string());
    bodies
}

#[test]
fn rows_with_too_many_or_too_few_cells_can_be_fixed() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Ann\n00123,f1,Okafor, Bea,=1+1\nc3,f1\nc4,,Dee\n",
    );
    let server = creating_server();
    import(&home, &server, "cases.csv", "rejects.csv");
    let mut rows = table(&home, "rejects.csv");
    assert_eq!(
        rows[0],
        [
            "id",
            "partnerFirmId",
            "name",
            "caseload_key",
            "caseload_reason",
            "caseload_escaped",
            "caseload_text"
        ]
    );
    assert_eq!(rows[1][..4], ["00123", "f1", "Okafor", ""]);
    assert!(rows[1][4].contains("line 3: found 5 cells, the header has 3 columns [ragged-row]"));
    assert_eq!(rows[1][6], "00123,f1,Okafor, Bea,=1+1");
    assert_eq!(rows[2][..4], ["c3", "f1", "", ""]);
    assert_eq!(rows[2][6], "c3,f1");
    assert_eq!(rows[3][..3], ["c4", "", "Dee"]);
    assert_eq!(rows[3][6], "", "this row could be read");

    // A row that was not fixed is rejected again, unchanged.
    let mut unfixed = rows.clone();
    unfixed.push(
        ["c5", "f1", "Eve", "", "", "", ""]
            .map(str::to_owned)
            .into(),
    );
    save(&home, "again.csv", &unfixed);
    let done = home
        .import_files(&server.url(), &["again.csv"])
        .args(&["--skip-invalid", "--rejects", "second.csv"])
        .run()
        .exits(1)
        .counts(&[("imported", 1), ("problems", 3)]);
    assert_eq!(done.json()[0]["code"], "not-fixed");
    assert_eq!(done.json()[0]["column"], "caseload_text");
    let second = table(&home, "second.csv");
    for (first, second) in rows.iter().zip(&second) {
        assert_eq!(first[..4], second[..4]);
        assert_eq!(first[5..], second[5..]);
    }

    let sent = server.requests().len();
    rows[1][2] = "Okafor, Bea".to_owned();
    rows[2][2] = "Cem".to_owned();
    rows[3][1] = "f1".to_owned();
    rows[1][6].clear();
    rows[2][6].clear();
    save(&home, "rejects.csv", &rows);
    home.import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
    let expected = [("00123", "Okafor, Bea"), ("c3", "Cem"), ("c4", "Dee")]
        .map(|(id, name)| json!({"id": id, "name": name, "partnerFirmId": "f1"}));
    assert_eq!(bodies(&server, sent), expected);
}

#[test]
fn values_without_a_column_and_invalid_bytes_can_be_fixed() {
    let home = Home::new();
    home.write(
        "cases.csv",
        b"id,partnerFirmId,,name\nc1,f1,,Ann\nc2,f1,stray,Bob\nc3,f1,,Jos\xe9\n",
    );
    let server = creating_server();
    home.import_files(&server.url(), &["cases.csv"])
        .args(&["--skip-invalid", "--rejects", "rejects.csv"])
        .args(&["--encoding", "utf-8"])
        .run()
        .exits(1)
        .counts(&[("imported", 1), ("problems", 2)]);
    let mut rows = table(&home, "rejects.csv");
    assert_eq!(rows[1][..3], ["c2", "f1", "Bob"]);
    assert_eq!(rows[1][6], "c2,f1,stray,Bob");
    assert_eq!(rows[2][..3], ["c3", "f1", "Jos?"]);
    rows[2][2] = "José".to_owned();
    for row in &mut rows[1..] {
        row[6].clear();
    }
    save(&home, "rejects.csv", &rows);
    home.import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
    assert_eq!(bodies(&server, 1)[1]["name"], "José");
}

#[test]
fn workbook_rows_can_be_fixed() {
    let home = Home::new();
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip([
        ["id", "partnerFirmId", "name", ""],
        ["c1", "f1", "Ann", ""],
        ["c2", "f1", "Okafor", "Bea"],
    ]) {
        for (column, cell) in (0..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    book.save(home.path("book.xlsx")).unwrap();
    let server = creating_server();
    import(&home, &server, "book.xlsx", "rejects.csv");
    let mut rows = table(&home, "rejects.csv");
    assert_eq!(rows[1][..3], ["c2", "f1", "Okafor"]);
    assert_eq!(rows[1][6], "c2\tf1\tOkafor\tBea");
    rows[1][2] = "Okafor, Bea".to_owned();
    rows[1][6].clear();
    save(&home, "rejects.csv", &rows);
    home.import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0);
    assert_eq!(bodies(&server, 1)[0]["name"], "Okafor, Bea");
}

#[test]
fn json_lines_can_be_fixed() {
    let home = Home::new();
    home.write(
        "cases.ndjson",
        b"{\"id\":\"c1\",\"partnerFirmId\":\"f1\"}\n\
          {\"id\":\"c2\",\"a\":1,\"partnerFirmId\":}\n\
          {\"id\":\"c3\",\"partnerFirmId\":\"f1\",\"n\":1.10,\"n\":2}\n\
          {\"id\":\"c4\",\"partnerFirmId\":\"f1\",\"Client\":{\"name\":\"A\",\"name\":\"B\"}}\n\
          {\"id\":\"c5\",\"partnerFirmId\":\"f1\",\"name\":\"Jos\xe9\"}\n",
    );
    let server = creating_server();
    home.import_files(&server.url(), &["cases.ndjson"])
        .args(&["--skip-invalid", "--rejects", "rejects.ndjson"])
        .args(&["--encoding", "utf-8"])
        .run()
        .exits(1)
        .counts(&[("imported", 1), ("problems", 4)]);
    let text = std::fs::read_to_string(home.path("rejects.ndjson")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(
        r#"{"caseload_text":"{\"id\":\"c2\",\"a\":1,\"partnerFirmId\":}","caseload_reason":"line 2: "#
    ));
    assert!(lines[1].starts_with(r#"{"id":"c3","partnerFirmId":"f1","n":1.10,"n":2,"caseload_"#));
    assert!(lines[2].contains(r#""Client":{"name":"A","name":"B"}"#));
    assert!(lines[2].contains("line 4: Client.name: "));
    assert!(lines[3].contains(
        r#"{"caseload_text":"{\"id\":\"c5\",\"partnerFirmId\":\"f1\",\"name\":\"Jos?\"}""#
    ));

    home.write("again.ndjson", &text);
    let again = home
        .import_files(&server.url(), &["again.ndjson"])
        .run()
        .exits(3);
    let codes: Vec<Value> = again.json()[..4]
        .iter()
        .map(|problem| problem["code"].clone())
        .collect();
    assert_eq!(
        codes,
        [
            "not-fixed",
            "duplicate-member",
            "duplicate-member",
            "not-fixed"
        ]
    );

    let (_, reason) = lines[0].split_once(r#","caseload_reason""#).unwrap();
    let fixed = [
        // An empty text counts as removed, as in a spreadsheet.
        format!(
            r#"{{"id":"c2","a":1,"partnerFirmId":"f1","caseload_text":"","caseload_reason"{reason}"#
        ),
        lines[1].replace(r#","n":2"#, ""),
        lines[2].replace(r#","name":"B""#, ""),
        r#"{"id":"c5","partnerFirmId":"f1","name":"José"}"#.to_owned(),
    ];
    home.write("rejects.ndjson", fixed.join("\n"));
    home.import_files(&server.url(), &["rejects.ndjson"])
        .run()
        .exits(0)
        .counts(&[("imported", 4)]);
    let bodies = bodies(&server, 1);
    assert_eq!(
        bodies[0],
        json!({"id": "c2", "a": 1, "partnerFirmId": "f1"})
    );
    assert_eq!(bodies[1]["n"].to_string(), "1.10");
    assert_eq!(bodies[2]["Client"], json!({"name": "A"}));
    assert_eq!(bodies[3]["name"], "José");
}

#[test]
fn skipped_rows_are_written_even_when_nothing_is_sent() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Ann\nc2,,Bob\nc3,,Cem\n",
    );
    let server = creating_server();
    import(&home, &server, "cases.csv", "rejects.csv");
    let first = table(&home, "rejects.csv");
    assert_eq!(first.len(), 3, "{first:?}");
    import(&home, &server, "cases.csv", "again.csv");
    assert_eq!(table(&home, "again.csv"), first);
    assert_eq!(server.requests().len(), 1, "only c1 ever went out");
}

/// The path is the ledger, a link to it, or what `SQLite` writes beside
/// the file that a link leads to.
#[test]
fn no_output_replaces_the_ledger_under_any_name() {
    let home = Home::new();
    let server = creating_server();
    home.cases(1);
    home.import(&server.url()).run().exits(0);
    let before = std::fs::read(home.path("ledger.db")).unwrap();
    let real = home.path("ledger.db");
    std::os::unix::fs::symlink(&real, home.path("link.db")).unwrap();
    std::os::unix::fs::symlink(&real, home.path("soft.csv")).unwrap();
    std::os::unix::fs::symlink(home.path("ledger.db-journal"), home.path("dangling.csv")).unwrap();
    home.cases(2);
    for ledger in ["ledger.db", "link.db"] {
        for output in ["ledger.db", "ledger.db-journal", "soft.csv", "dangling.csv"] {
            for flag in ["--results", "--rejects", "--problems"] {
                home.import_without_ledger_flags(&server.url(), &["cases.csv"])
                    .args(&["--ledger", ledger, "--force", flag, output])
                    .run()
                    .exits(2);
            }
            home.run(&["export", "--ledger", ledger, "--force", "--results", output])
                .exits(2);
            home.run(&["export", "--ledger", ledger, "--force", "--json", output])
                .exits(2);
        }
    }
    assert_eq!(std::fs::read(home.path("ledger.db")).unwrap(), before);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_key_that_a_spreadsheet_has_changed_is_restored_and_a_corrected_one_wins() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\n00123,,Ann\n00124,,Bob\n2026-01-05,,Cem\n",
    );
    let server = creating_server();
    import(&home, &server, "cases.csv", "rejects.csv");
    let mut rows = table(&home, "rejects.csv");
    assert_eq!(rows[1][3], "key:[\"00123\"]");
    for row in &mut rows[1..] {
        row[1] = "f1".to_owned();
    }
    rows[1][0] = "123".to_owned();
    rows[2][0] = "00224".to_owned();
    rows[3][0] = "1/5/2026".to_owned();
    save(&home, "rejects.csv", &rows);
    let done = home
        .import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
    let notes = done.json();
    let notes: Vec<&Value> = notes
        .iter()
        .filter(|note| note["code"] == "corrected-key")
        .collect();
    assert_eq!(notes.len(), 1, "{done}");
    assert_eq!(notes[0]["value"], "00224");
    assert_eq!(notes[0]["severity"], "warning");
    let ids: Vec<Value> = bodies(&server, 0)
        .iter()
        .map(|body| body["id"].clone())
        .collect();
    assert_eq!(ids, ["00123", "00224", "2026-01-05"]);
    assert_eq!(home.ledger().number("imported"), 3);
    assert_eq!(home.ledger().state("00224"), "imported");
}

/// Escape sequences and bells in a file that is shown in a terminal could do
/// anything there; a carriage return hides what is before it.
#[test]
fn control_characters_are_escaped_in_every_file_and_come_back_as_they_were() {
    let home = Home::new();
    let notes = "a\u{1b}[2Jb\u{7}\\u0041 \\ c\rd\u{9b}";
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in [
        ["id", "partnerFirmId", "no\u{1b}tes"],
        ["c1", "f1", "\u{1b}[31mred"],
        ["c2", "", notes],
        ["c3", "f1", "two\r\nlines"],
    ] {
        writer.write_record(row).unwrap();
    }
    home.write("cases.csv", writer.into_inner().unwrap());
    let server = Server::start(|request| match request.index {
        0 => status(502)
            .json(r#"{"message":"\u001b[2Jgone\u0007\u009b1m"}"#)
            .into(),
        _ => create(request),
    });
    home.import_files(&server.url(), &["cases.csv"])
        .args(&[
            "--skip-invalid",
            "--results",
            "results.csv",
            "--rejects",
            "rejects.csv",
        ])
        .args(&["--in-doubt", "in-doubt.csv", "--problems", "problems.csv"])
        .run();
    home.run(&["export", "--ledger", "ledger.db", "--json", "all.ndjson"])
        .exits(0);
    for file in [
        "results.csv",
        "rejects.csv",
        "in-doubt.csv",
        "problems.csv",
        "all.ndjson",
    ] {
        let text = home.read(file).replace("\r\n", "");
        let is_raw = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(is_raw), "{file}: {text:?}");
    }
    assert!(
        home.read("in-doubt.csv")
            .contains("\\u001b[2Jgone\\u0007\\u009b1m")
    );
    let mut rows = table(&home, "rejects.csv");
    assert_eq!(rows[0][2], "'no\\u001btes");
    assert_eq!(
        rows[1][2],
        "'a\\u001b[2Jb\\u0007\\\\u0041 \\\\ c\\u000dd\\u009b"
    );
    rows[1][1] = "f1".to_owned();
    save(&home, "rejects.csv", &rows);
    home.import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 1)]);
    let bodies = server.requests();
    let fixed = bodies.last().unwrap().json();
    assert_eq!(fixed["id"], "c2");
    assert_eq!(fixed["no\u{1b}tes"], notes);
}

#[test]
fn results_begin_with_the_new_id_and_end_with_the_columns_as_they_were() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "Notes,id,partnerFirmId\n\"two\nlines\",a,f1\n+1,doubt-1,f1\n",
    );
    let server = crate::support::mixed_server();
    home.import_files(&server.url(), &["cases.csv"])
        .args(&["--results", "results.csv", "--out", "runs"])
        .run()
        .exits(4);
    let mut rows = table(&home, "results.csv");
    for row in &mut rows[1..] {
        row[5] = "TIME".to_owned();
    }
    rows[1..].sort();
    let expected = [
        "caseload_key,caseload_state,caseload_case_id,caseload_status,caseload_attempts,\
         caseload_time,caseload_message,Notes,id,partnerFirmId,caseload_escaped",
        "key:[\"a\"],imported,id-a,201,1,TIME,,two\nlines,a,f1,",
    ]
    .map(|row| row.split(',').collect::<Vec<_>>());
    assert_eq!(rows[0], expected[0]);
    assert_eq!(rows[1], expected[1]);
    assert_eq!(rows[2][0..2], ["key:[\"doubt-1\"]", "in_doubt"]);
    assert_eq!(
        rows[2][7..],
        ["'+1", "doubt-1", "f1", "escaped:[\"Notes\"]"]
    );
    let mut names: Vec<_> = std::fs::read_dir(home.path("runs/1"))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    names.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = names.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(
        names,
        [
            "in-doubt.csv",
            "problems.csv",
            "rejects.csv",
            "report.html",
            "results.csv",
            "summary.json"
        ]
    );
    // The file of cases in doubt is no input.
    home.import_files(&server.url(), &["runs/1/in-doubt.csv"])
        .run()
        .exits(2)
        .says("lists cases in doubt");
    // The ledger has dropped the record of the imported case.
    let exported = home
        .run(&["export", "--ledger", "ledger.db", "--results", "again.csv"])
        .exits(0);
    let again = table(&home, "again.csv");
    // What became of the cases since is in an export only.
    let life = [
        "caseload_last_update_at",
        "caseload_last_update_title",
        "caseload_stage",
        "caseload_settled_at",
    ];
    assert_eq!(again[0][7..11], life);
    assert_eq!([&again[0][..7], &again[0][11..]].concat(), rows[0]);
    assert_eq!(again[1][7..], [""; 8]);
    assert_eq!(again[2][11..], rows[2][7..]);
    exported.says("1 case without the columns of the input");
}

#[test]
fn temporary_files_with_cases_are_in_the_state_folder() {
    let home = Home::new();
    home.cases(3);
    let (server, arrivals) = crate::support::silent_server();
    let running = home
        .import(&server.url())
        .arg("--rejects")
        .arg("r.csv")
        .start();
    arrivals.recv().unwrap();
    let open = std::fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap();
    let open: Vec<String> = open
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|path| path.display().to_string())
        .filter(|path| path.ends_with("(deleted)"))
        .collect();
    assert!(!open.is_empty());
    let state = home
        .folder()
        .canonicalize()
        .unwrap()
        .join("state/caseload/");
    for path in &open {
        assert!(path.starts_with(state.to_str().unwrap()), "{open:?}");
    }
    running.kill();
}

#[test]
fn a_row_fixed_in_a_rejects_file_is_no_problem_of_the_original() {
    let home = Home::new();
    home.write("cases.csv", "id,partnerFirmId,name\n001,f1,Ann\n002,,Bob\n");
    let server = creating_server();
    import(&home, &server, "cases.csv", "rejects.csv");
    let mut rows = table(&home, "rejects.csv");
    rows[1][0] = "2".to_owned();
    rows[1][1] = "f1".to_owned();
    save(&home, "rejects.csv", &rows);
    home.import_files(&server.url(), &["rejects.csv"])
        .run()
        .exits(0)
        .counts(&[("imported", 1)]);
    home.import_files(&server.url(), &["cases.csv"])
        .run()
        .exits(0)
        .counts(&[("already_imported", 2)]);
    assert_eq!(server.requests().len(), 2);
}
