//! Every file format, and what is irregular in real files: what is read is
//! exactly what would be sent, and what can't be read is reported with its
//! position.

use std::io::Write as _;

use crate::support::{Done, Home, creating_server};
use serde_json::{Value, json};

/// A dry run of these files in the sandbox.
fn dry_run(home: &Home, files: &[&str]) -> Done {
    home.caseload(&["import"])
        .args(files)
        .args(&["--sandbox", "--dry-run", "--output", "json"])
        .args(&["--key-column", "id"])
        .run()
}

/// The payloads of a dry run without problems.
fn payloads(home: &Home, files: &[&str]) -> Vec<Value> {
    let done = dry_run(home, files).exits(0);
    let documents = done.json();
    documents
        .iter()
        .filter_map(|document| document.get("payload").cloned())
        .collect()
}

fn checked(home: &Home, file: &str) -> Done {
    home.caseload(&["check", file, "--key-column", "id"]).run()
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_without_records_is_a_problem_unless_it_is_allowed() {
    let home = Home::new();
    home.write("head.csv", "id,partnerFirmId,name\n");
    home.write("empty.csv", "");
    home.write("blank.json", " \n\n");
    home.write("list.json", "[]");
    home.write("none.json", "{\"cases\": []}");
    rust_xlsxwriter::Workbook::new()
        .save(home.path("empty.xlsx"))
        .unwrap();
    for file in [
        "head.csv",
        "empty.csv",
        "blank.json",
        "list.json",
        "none.json",
        "empty.xlsx",
    ] {
        for command in [
            &["check", file][..],
            &["import", file, "--sandbox", "--dry-run"],
            &["import", file, "--sandbox", "--skip-invalid"],
        ] {
            let run = || home.caseload(command).args(&["--key-column", "id"]);
            let done = run().run().exits(3).prints(file).prints("no records");
            assert!(done.out.contains("[no-records]"), "{done}");
            let done = run().args(&["--output", "json"]).run().exits(3);
            let documents = done.json();
            assert_eq!(documents[0]["code"], "no-records", "{done}");
            assert_eq!(documents[0]["file"], file);
            assert_eq!(documents.last().unwrap()["exit_code"], 3, "{done}");
            let allowed = run()
                .args(&["--allow-empty", "--output", "json"])
                .run()
                .exits(0);
            assert_eq!(allowed.json().last().unwrap()["total"], 0, "{allowed}");
        }
    }
    assert!(!home.path("caseload-sandbox.db").exists());
    // One of several files.
    home.write("a.csv", "id,partnerFirmId\n1,f1\n");
    home.caseload(&["check", "a.csv", "head.csv"])
        .run()
        .exits(3)
        .prints("head.csv: error: no records");
}

#[test]
fn three_hundred_columns_are_read() {
    let home = Home::new();
    let names: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
    let cells: Vec<String> = (0..300).map(|n| format!("v{n}")).collect();
    let text = format!(
        "id,partnerFirmId,{}\n1,f1,{}\n",
        names.join(","),
        cells.join(",")
    );
    home.write("wide.csv", text);
    let payload = &payloads(&home, &["wide.csv"])[0];
    assert_eq!(payload.as_object().unwrap().len(), 302);
    assert_eq!(payload["c299"], "v299");
}

/// No escape sequence of a cell, a header or a file name reaches a terminal.
#[test]
fn control_characters_are_reported_escaped_and_sent_unchanged() {
    let home = Home::new();
    let file = "\u{1b}[2Jnul.csv";
    home.write(
        file,
        "id,partnerFirmId,\u{1b}[1mname\nc1,f1,A\0nn\nc2,f1,\u{1b}[31mred\nc3,\u{1b}[5m firm,x\n",
    );
    let done = checked(&home, file).exits(3);
    assert!(!done.to_string().contains(['\u{1b}', '\0']), "{done}");
    let done = done
        .prints(":2:\\u{1b}[1mname: warning: ")
        .prints("A\\u{0}nn")
        .prints("\\u{1b}[31mred");
    assert_eq!(done.out.matches("[control-character]").count(), 2, "{done}");
    home.write("a.csv", "id,partnerFirmId,name\nc1,f1,A\0n\u{1b}[31mn\n");
    let payload = &payloads(&home, &["a.csv"])[0];
    assert_eq!(payload["name"], "A\0n\u{1b}[31mn");
}

#[test]
fn ten_megabytes_fit_in_one_cell() {
    let home = Home::new();
    let cell = "x".repeat(10_000_000);
    home.write("big.csv", format!("id,partnerFirmId,name\nc1,f1,{cell}\n"));
    let done = checked(&home, "big.csv").exits(0);
    assert!(done.out.len() < 1_000, "a long cell is not shown in full");
    let sent = payloads(&home, &["big.csv"]);
    assert_eq!(sent[0]["name"].as_str().unwrap().len(), 10_000_000);
}

/// A formula is dangerous only where a spreadsheet opens it.
#[test]
fn a_formula_is_sent_unchanged_and_escaped_in_spreadsheets() {
    let home = Home::new();
    let cell = "=HYPERLINK(\"http://x\",\"y y\")";
    let quoted = cell.replace('"', "\"\"");
    let text = format!("id,partnerFirmId,name\nc1,f1,\"{quoted}\"\nc2,\"{quoted} \",x\n");
    home.write("a.csv", text);
    home.caseload(&["check", "a.csv", "--problems", "out.csv"])
        .run()
        .exits(3);
    let out = std::fs::read_to_string(home.path("out.csv")).unwrap();
    assert!(out.contains(&format!("\"'{quoted}")), "{out}");
    assert!(!out.contains(&format!("\"{quoted}")), "{out}");
    home.write(
        "b.csv",
        format!("id,partnerFirmId,name\nc1,f1,\"{quoted}\"\n"),
    );
    assert_eq!(payloads(&home, &["b.csv"])[0]["name"], cell);
}

#[test]
fn all_line_endings_work_in_one_file() {
    let home = Home::new();
    home.write(
        "a.csv",
        "id,partnerFirmId,name\r\nc1,f1,A\nc2,f1,\"B\nb\"\r\n\r\nc3,f1,C\rc4,f1,D",
    );
    let names: Vec<Value> = payloads(&home, &["a.csv"])
        .iter()
        .map(|payload| payload["name"].clone())
        .collect();
    assert_eq!(names, ["A", "B\nb", "C", "D"]);
}

#[test]
fn an_unclosed_quote_is_reported_where_it_was_opened() {
    let home = Home::new();
    home.write(
        "a.csv",
        "id,partnerFirmId,name\nc1,f1,A\nc2,f1,\"B\nc3,f1,C\n",
    );
    checked(&home, "a.csv")
        .exits(3)
        .prints("a.csv:3:name: error: the quote opened in line 3 is never closed")
        .prints("[unclosed-quote]");
}

#[test]
fn a_duplicate_json_member_is_an_error() {
    let home = Home::new();
    home.write(
        "a.json",
        "[{\"id\":\"1\",\"partnerFirmId\":\"f1\"},\n{\"id\":\"2\",\"partnerFirmId\":\"f1\",\"id\":\"3\"}]",
    );
    checked(&home, "a.json")
        .exits(3)
        .prints("a.json:2:id: error: line 2, column 32: ")
        .prints("the object has the member \"id\" twice [duplicate-member]")
        .prints("1 of 2 records valid");
}

#[test]
fn numbers_keep_every_digit() {
    let home = Home::new();
    let numbers = "\"n\":-123456789012345678901234567890,\"d\":0.10000000000000000000000000010";
    home.write(
        "a.json",
        format!("[{{\"id\":18446744073709551617,\"partnerFirmId\":\"f1\",{numbers}}}]"),
    );
    let done = dry_run(&home, &["a.json"]).exits(0);
    assert!(done.out.contains("\"key\":\"18446744073709551617\""));
    assert!(done.out.contains("\"id\":18446744073709551617,"), "{done}");
    assert!(done.out.contains(numbers), "{done}");
}

#[test]
fn json_nested_too_deeply_is_an_error_of_one_record() {
    let home = Home::new();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    home.write(
        "a.ndjson",
        format!(
            "{{\"id\":1,\"partnerFirmId\":\"f1\",\"a\":{}}}\n{{\"id\":2,\"partnerFirmId\":\"f1\",\"a\":{}}}\n",
            nested(200),
            nested(100)
        ),
    );
    checked(&home, "a.ndjson")
        .exits(3)
        .prints("a.ndjson:1: error: line 1, column ")
        .prints("nested more than 127 levels deep [too-large]")
        .prints("1 of 2 records valid; 1 error");
}

#[test]
fn a_bad_ndjson_line_does_not_affect_the_others() {
    let home = Home::new();
    home.write(
        "a.ndjson",
        "{\"id\":1,\"partnerFirmId\":\"f1\"}\n\n{\"id\":}\n{\"id\":2}\n[1]\n{\"id\":3,\"partnerFirmId\":\"f1\"}\n",
    );
    checked(&home, "a.ndjson")
        .exits(3)
        .prints("a.ndjson:3: error: line 3, column 7: expected value [bad-json]")
        .prints("a.ndjson:4:partnerFirmId: error: ")
        .prints("a.ndjson:5: error: ")
        .prints("2 of 5 records valid; 3 errors");
}

#[test]
fn a_named_pipe_is_read_like_a_file() {
    let home = Home::new();
    let pipe = home.pipe("pipe.csv");
    let writer = std::thread::spawn(move || {
        std::fs::write(pipe, "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bob\n").unwrap();
    });
    let done = home
        .caseload(&["import", "pipe.csv", "--sandbox", "--output", "json"])
        .args(&["--key-column", "id"])
        .run()
        .exits(0);
    writer.join().unwrap();
    done.counts(&[("imported", 2)]);
}

#[test]
fn encodings_that_excel_writes_are_detected() {
    let home = Home::new();
    let text = "id;partnerFirmId;name\nc1;f1;Zoë – “Ltd” €\n";
    let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(bytes).collect()
    };
    home.write("le.csv", wide(u16::to_le_bytes));
    home.write("be.csv", wide(u16::to_be_bytes));
    home.write("bom.csv", format!("\u{feff}{text}"));
    home.write(
        "ansi.csv",
        b"id;partnerFirmId;name\nc1;f1;Zo\xeb \x96 \x93Ltd\x94 \x80\n",
    );
    for file in ["le.csv", "be.csv", "bom.csv", "ansi.csv"] {
        let expected = json!({"id": "c1", "name": "Zoë – “Ltd” €", "partnerFirmId": "f1"});
        assert_eq!(payloads(&home, &[file]), [expected], "{file}");
    }
}

#[test]
fn a_guessed_encoding_is_a_warning_for_people_and_scripts() {
    let home = Home::new();
    home.write("ansi.csv", b"id,partnerFirmId,name\nc1,f1,Zo\xeb\n");
    home.write("mac.csv", b"id,partnerFirmId,name\rc1,f1,Jos\x8e\r");
    home.write(
        "utf16.csv",
        "id,partnerFirmId,name\nc1,f1,Jo\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>(),
    );
    home.write("plain.csv", "id,partnerFirmId,name\nc1,f1,Zo\u{eb}\n");
    for (file, encoding, name) in [
        ("ansi.csv", "windows-1252", "Zo\u{eb}"),
        ("mac.csv", "macintosh", "Jos\u{e9}"),
        ("utf16.csv", "UTF-16LE", "Jo"),
    ] {
        checked(&home, file).exits(0).prints(&format!(
            "{file}: warning: the file does not say its encoding: read as {encoding}"
        ));
        let done = dry_run(&home, &[file]).exits(0);
        let documents = done.json();
        assert_eq!(documents[0]["code"], "guessed-encoding", "{done}");
        assert_eq!(payloads(&home, &[file])[0]["name"], name);
        let strict = home.caseload(&["import", file, "--sandbox", "--strict", "--skip-invalid"]);
        strict.args(&["--key-column", "id"]).run().exits(3);
        home.caseload(&["check", file, "--encoding", encoding])
            .run()
            .exits(0)
            .never_prints("encoding");
    }
    checked(&home, "plain.csv").never_prints("encoding");
}

#[test]
fn gzip_files_are_read_and_truncated_ones_refused() {
    let home = Home::new();
    let text = (0..2_000).fold(String::new(), |text, n| {
        text + &format!("c{n},f1,Name {n}\n")
    });
    let packed = gzipped(format!("id,partnerFirmId,name\n{text}").as_bytes());
    home.write("a.csv.gz", &packed);
    assert_eq!(payloads(&home, &["a.csv.gz"]).len(), 2_000);
    home.write("cut.csv.gz", &packed[..packed.len() - 12]);
    checked(&home, "cut.csv.gz")
        .exits(2)
        .says("cut.csv.gz: invalid gzip data")
        .says("copy it again");
}

#[test]
fn files_that_cannot_be_read_are_refused_with_the_reason() {
    let home = Home::new();
    home.write("~$book.xlsx", "lock");
    home.write("text.xlsx", "id,name\n1,2\n");
    home.write("two.json", r#"{"a":[{"id":"1"}],"b":[{"id":"2"}]}"#);
    for (file, said) in [
        (".", "is a directory; name the files in it"),
        (
            "~$book.xlsx",
            "lock file of an open workbook; close it in Excel and name book.xlsx",
        ),
        ("two.json", "--records"),
        ("nowhere.csv", "nowhere.csv"),
    ] {
        checked(&home, file).exits(2).says(said);
    }
    home.write("~$text.xlsx", "lock");
    checked(&home, "text.xlsx")
        .exits(2)
        .says("seems to be open in Excel");
}

#[test]
fn content_that_is_no_table_is_a_problem_of_the_file() {
    let page = "<html><body><table><tr><td>id</td></tr>\n<tr><td>c1</td></tr></table>";
    let rows = "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Bob\n";
    for (file, bytes, code, what) in [
        (
            "page.xls",
            page.as_bytes(),
            "not-a-table",
            "is a web page (HTML), not a table",
        ),
        (
            "page.csv",
            page.as_bytes(),
            "not-a-table",
            "is a web page (HTML), not a table",
        ),
        (
            "old.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest",
            "not-a-table",
            "old or password-protected",
        ),
        ("paper.csv", b"%PDF-1.7\n", "not-a-table", "a PDF document"),
        ("cases.zip", b"PK\x03\x04\x14\0 not complete", "", ""),
        (
            "text.xlsx",
            b"id,name\n1,2\n",
            "not-a-table",
            "is not an Excel workbook",
        ),
        (
            "title.csv",
            &[b"Open Matters\n\n", rows.as_bytes()].concat(),
            "title-above-header",
            "use --header-row 3",
        ),
        (
            "note.csv",
            &[b"# exported today\n", rows.as_bytes()].concat(),
            "title-above-header",
            "use --header-row 2",
        ),
    ] {
        let home = Home::new();
        home.write(file, bytes);
        if code.is_empty() {
            checked(&home, file).exits(2).says("workbook can't be read");
            continue;
        }
        checked(&home, file).exits(3).prints(what).prints(code);
        // With a default firm every line of a page would be a case.
        let import = home.caseload(&[
            "import",
            file,
            "--sandbox",
            "--skip-invalid",
            "--output",
            "json",
        ]);
        let done = import.args(&["--partner-firm-id", "f1"]).run().exits(3);
        assert_eq!(done.json()[0]["code"], code, "{done}");
        assert_eq!(done.json().last().unwrap()["exit_code"], 3, "{done}");
        assert!(!home.path("caseload-sandbox.db").exists());
        // Before there is any check: no key columns, no config.
        let server = creating_server();
        let done = home.import_files(&server.url(), &[file]).run().exits(3);
        assert_eq!(server.connections(), 0, "{done}");
        home.caseload(&["init", file]).run().exits(3).says(what);
    }
}

#[test]
fn the_header_row_can_be_named() {
    let home = Home::new();
    home.write(
        "title.csv",
        "Open Matters, all\n\n\"Printed\nby Ann\"\nid,partnerFirmId,name\nc1,f1,Ann\n",
    );
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "Open Matters").unwrap();
    for (row, cells) in (3..).zip([["id", "partnerFirmId", "name"], ["c1", "f1", "Ann"]]) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    book.save(home.path("title.xlsx")).unwrap();
    checked(&home, "title.xlsx")
        .exits(3)
        .prints("use --header-row 4")
        .prints("\"id\", \"partnerFirmId\"");
    for file in ["title.csv", "title.xlsx"] {
        let done = home
            .caseload(&["import", file, "--sandbox", "--dry-run", "--output", "json"])
            .args(&["--key-column", "id", "--header-row", "4"])
            .run()
            .exits(0);
        let case = &done.json()[0];
        assert_eq!(case["payload"]["name"], "Ann", "{done}");
        assert_eq!(case["row"], 5);
        home.caseload(&["check", file, "--header-row", "9"])
            .run()
            .exits(2)
            .says("row 9 (from --header-row)");
    }
}

/// A workbook with a sheet of notes before the cases.
fn workbook(home: &Home) {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
    let mut book = Workbook::new();
    let notes = book.add_worksheet().set_name("Notes").unwrap();
    notes.write(0, 0, "Exported for the import").unwrap();
    notes.write(1, 0, "nothing here").unwrap();
    let cases = book.add_worksheet().set_name("Cases").unwrap();
    let names = ["id", "partnerFirmId", "Age", "Rate", "Date of Loss", "Open"];
    for (column, name) in (0..).zip(names) {
        cases.write(0, column, name).unwrap();
    }
    let date = Format::new().set_num_format("m/d/yyyy");
    let day = ExcelDateTime::from_ymd(2026, 6, 14).unwrap();
    cases.write(1, 0, "00123").unwrap();
    cases.write(1, 1, "f1").unwrap();
    cases.write(1, 2, 12.0).unwrap();
    cases.write(1, 3, 0.1).unwrap();
    cases.write_with_format(1, 4, &day, &date).unwrap();
    cases.write(1, 5, true).unwrap();
    cases.write(2, 0, 441_000_000_123_i64).unwrap();
    cases.write(2, 1, "f1").unwrap();
    cases.write(2, 2, 46_187).unwrap();
    book.save(home.path("book.xlsx")).unwrap();
}

#[test]
fn workbook_cells_keep_their_meaning() {
    let home = Home::new();
    workbook(&home);
    let import = || {
        home.caseload(&["import", "book.xlsx", "--sheet", "Cases", "--sandbox"])
            .args(&["--key-column", "id", "--dry-run", "--output", "json"])
    };
    let done = import().run().exits(0);
    let cases = done.json();
    assert_eq!(cases[0]["key"], "00123");
    assert_eq!(cases[0]["line"], 2);
    let first = &cases[0]["payload"];
    let text = |name: &str| first[name].to_string().replace('"', "");
    assert_eq!(first["id"], "00123", "text stays as it is: {done}");
    assert_eq!(text("Age"), "12");
    assert_eq!(text("Rate"), "0.1");
    assert_eq!(first["Date of Loss"], "2026-06-14");
    assert_eq!(text("Open"), "true");
    assert_eq!(cases[1]["key"], "441000000123");
    let age = cases[1]["payload"]["Age"].to_string();
    assert_eq!(
        age.replace('"', ""),
        "46187",
        "a number is not a date: {done}"
    );
}

#[test]
fn a_sheet_is_chosen_by_name() {
    let home = Home::new();
    workbook(&home);
    home.caseload(&["check", "book.xlsx", "--sheet", "Cses"])
        .run()
        .exits(2)
        .says("no sheet named \"Cses\"; its sheets are ")
        .says("Cases");
    // By default it is the first one, which has no cases here.
    home.caseload(&["check", "book.xlsx"])
        .run()
        .exits(3)
        .prints("book.xlsx:2: error: no partner firm");
}

/// The case of a workbook and of the CSV that was saved from it is one case.
#[test]
fn a_workbook_and_its_csv_are_the_same_cases() {
    let home = Home::new();
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["id", "partnerFirmId", "Zip"]) {
        sheet.write(0, column, name).unwrap();
    }
    let format = rust_xlsxwriter::Format::new().set_num_format("00000");
    sheet.write_with_format(1, 0, 123, &format).unwrap();
    sheet.write(1, 1, "f1").unwrap();
    sheet.write_with_format(1, 2, 2134, &format).unwrap();
    book.save(home.path("a.xlsx")).unwrap();
    home.write("a.csv", "id,partnerFirmId,Zip\n00123,f1,02134\n");
    assert_eq!(payloads(&home, &["a.xlsx"]), payloads(&home, &["a.csv"]));
    let import = |file: &str| {
        home.caseload(&["import", file, "--sandbox", "--output", "json"])
            .args(&["--key-column", "id"])
            .run()
            .exits(0)
    };
    import("a.xlsx").counts(&[("imported", 1)]);
    import("a.csv").counts(&[("already_imported", 1)]);
}

#[test]
fn what_a_workbook_hides_is_told_to_people_and_scripts() {
    let home = Home::new();
    let mut book = rust_xlsxwriter::Workbook::new();
    for name in ["Cases", "Nevada"] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        for (row, cells) in (0..).zip([["id", "partnerFirmId"], ["c1", "f1"], ["c2", "f1"]]) {
            for (column, cell) in (0..).zip(cells) {
                sheet.write(row, column, cell).unwrap();
            }
        }
        sheet.set_row_hidden(2).unwrap();
    }
    book.save(home.path("a.xlsx")).unwrap();
    checked(&home, "a.xlsx")
        .exits(0)
        .prints(
            "a.xlsx: warning: only the sheet \"Cases\" is read, and not \"Nevada\" [unread-sheets]",
        )
        .prints("a.xlsx: warning: 1 row hidden");
    let done = dry_run(&home, &["a.xlsx"]).exits(0);
    assert_eq!(done.json()[0]["code"], "unread-sheets", "{done}");
    assert_eq!(payloads(&home, &["a.xlsx"]).len(), 2);
}
