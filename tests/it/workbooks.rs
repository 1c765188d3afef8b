//! Results, rejects and cases in doubt as workbooks: every cell is text, so a
//! spreadsheet changes nothing on the way from caseload and back.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use calamine::{Data, Reader as _};
use serde_json::Value;

use crate::server::{Request, Server, status};
use crate::support::{Done, Home, creating_server, mixed_server};

/// The texts of a workbook's cells. A cell of another type fails the test.
fn rows(home: &Home, file: &str) -> Vec<Vec<String>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(home.path(file)).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    let text = |cell: &Data| match cell {
        Data::String(text) => text.clone(),
        Data::Empty => String::new(),
        other => panic!("a cell of {file} is {other:?} and no text"),
    };
    let rows = sheet.rows();
    rows.map(|row| row.iter().map(text).collect()).collect()
}

/// Writes a workbook as a spreadsheet saves it.
fn save(home: &Home, file: &str, rows: &[Vec<String>]) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (number, row) in (0..).zip(rows) {
        sheet.write_row(number, 0, row).unwrap();
    }
    book.save(home.path(file)).unwrap();
}

fn sheet_xml(home: &Home, file: &str) -> String {
    let mut archive = zip::ZipArchive::new(File::open(home.path(file)).unwrap()).unwrap();
    let mut text = String::new();
    let mut sheet = archive.by_name("xl/worksheets/sheet1.xml").unwrap();
    sheet.read_to_string(&mut text).unwrap();
    text
}

/// Cells that a spreadsheet changes when it opens a CSV.
const DIRTY: [(&str, &str); 7] = [
    ("00123", "=1+1"),
    ("12345678901234567890", "+17025550101"),
    ("1e5", "two\r\nlines"),
    ("3-4", "_x000D_"),
    ("c5", "  between spaces  "),
    ("c6", "a \u{1b}[31m red\\cell"),
    ("T1", "Müller, \"Ana\""),
];

fn dirty_cases(home: &Home) {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (id, name) in [("id", "name")].into_iter().chain(DIRTY) {
        writer.write_record([id, name]).unwrap();
    }
    home.write("cases.csv", writer.into_inner().unwrap());
}

fn import(home: &Home, server: &Server, file: &str, flags: &[&str]) -> Done {
    home.import_files(&server.url(), &[file])
        .args(&["--partner-firm-id", "f1"])
        .args(flags)
        .run()
}

/// The bodies, sorted by what was sent as their ids.
fn bodies(requests: &[Request]) -> Vec<Value> {
    let mut bodies: Vec<Value> = requests.iter().map(Request::json).collect();
    bodies.sort_by_key(|body| body["id"].to_string());
    bodies
}

#[test]
fn a_rejects_workbook_sends_what_was_rejected() {
    let home = Home::new();
    dirty_cases(&home);
    let server = Server::start(|_| status(422).json(r#"{"message":"no"}"#));
    import(&home, &server, "cases.csv", &["--rejects", "rejects.xlsx"]).exits(1);
    let table = rows(&home, "rejects.xlsx");
    let columns = ["id", "name", "caseload_key", "caseload_reason"];
    assert_eq!(table[0][..4], columns);
    assert_eq!(table.len(), 1 + DIRTY.len());
    let phone = table.iter().find(|row| row[0] == "12345678901234567890");
    assert_eq!(
        phone.unwrap()[1],
        "+17025550101",
        "no quote before the plus"
    );

    // As it was written, and as a spreadsheet saves it again.
    save(&home, "saved.xlsx", &table);
    for file in ["rejects.xlsx", "saved.xlsx"] {
        import(&home, &server, file, &[]).exits(1);
    }
    let requests = server.requests();
    let sent: Vec<_> = requests.chunks(DIRTY.len()).map(bodies).collect();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[1], sent[0], "rejects.xlsx as it was written");
    assert_eq!(sent[2], sent[0], "saved again");
}

#[test]
fn decisions_in_a_workbook_are_recorded() {
    let home = Home::new();
    home.write("cases.csv", "id,name\ndoubt-1,Ann\ndoubt-2,Bea\n007,Cy\n");
    let server = mixed_server();
    let flags = ["--in-doubt", "doubt.xlsx", "--results", "results.xlsx"];
    import(&home, &server, "cases.csv", &flags).exits(4);
    let results = rows(&home, "results.xlsx");
    let seven = results.iter().find(|row| row.contains(&"007".to_owned()));
    assert_eq!(seven.unwrap()[2], "id-007", "{results:?}");
    let mut table = rows(&home, "doubt.xlsx");
    assert_eq!(table[0][0], "caseload_decision");
    for row in &mut table[1..] {
        row[0] = match &*row[1] {
            r#"key:["doubt-1"]"# => "imported".to_owned(),
            _ => "not-imported".to_owned(),
        };
    }
    save(&home, "doubt.xlsx", &table);
    home.run(&[
        "resolve",
        "--list",
        "doubt.xlsx",
        "--yes",
        "--ledger",
        "ledger.db",
    ])
    .exits(0);
    let ledger = home.ledger();
    assert_eq!(ledger.state("doubt-1"), "imported");
    assert_eq!(ledger.state("doubt-2"), "not_sent");

    let flags = [
        "--results",
        "exported.xlsx",
        "--rejects",
        "none.xlsx",
        "--ledger",
        "ledger.db",
    ];
    home.caseload(&["export"]).args(&flags).run().exits(0);
    let exported = rows(&home, "exported.xlsx");
    let seven = exported.iter().find(|row| row[0] == r#"key:["007"]"#);
    assert_eq!(seven.unwrap()[2], "id-007", "{exported:?}");
    assert_eq!(rows(&home, "none.xlsx").len(), 1, "the header");
}

#[test]
fn the_header_stays_in_sight_and_decisions_are_chosen_from_a_list() {
    let home = Home::new();
    home.write("cases.csv", "id,name\ndoubt-1,Ann\n");
    import(
        &home,
        &mixed_server(),
        "cases.csv",
        &["--in-doubt", "doubt.xlsx"],
    )
    .exits(4);
    let sheet = sheet_xml(&home, "doubt.xlsx");
    for part in [
        r#"<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#,
        r#"<autoFilter ref="A1:"#,
        r#"<formula1>"imported,not-imported"</formula1>"#,
        r#"numberStoredAsText="1""#,
    ] {
        assert!(sheet.contains(part), "{part} is not in {sheet}");
    }
}

#[test]
fn a_workbook_takes_its_name_when_it_is_complete() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.write("results.xlsx", "mine");
    import(&home, &server, "cases.csv", &["--results", "results.xlsx"])
        .exits(2)
        .says("results.xlsx: already exists (use --force to replace it)");
    assert_eq!(home.read("results.xlsx"), "mine");
    assert_eq!(server.requests().len(), 0);
    import(
        &home,
        &server,
        "cases.csv",
        &["--results", "results.xlsx", "--force"],
    )
    .exits(0);
    assert_eq!(rows(&home, "results.xlsx").len(), 2);
    let mode = std::fs::metadata(home.path("results.xlsx")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = home
        .files()
        .into_iter()
        .filter(|file| is_part(file))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn is_part(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "part")
}

#[test]
fn what_is_no_workbook_is_not_named_like_one() {
    let home = Home::new();
    home.cases(1);
    home.write("cases.json", r#"[{"id":"c1","name":"Ann"}]"#);
    let server = creating_server();
    for (file, rejects, told) in [
        (
            "cases.csv",
            "rejects.xlsm",
            "the output is CSV, but the name ends in .xlsm",
        ),
        (
            "cases.json",
            "rejects.xlsx",
            "the output is NDJSON, but the name ends in .xlsx",
        ),
        (
            "cases.csv",
            "none/rejects.xlsx",
            "its folder does not exist",
        ),
    ] {
        import(&home, &server, file, &["--rejects", rejects])
            .exits(2)
            .says(told);
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_cell_too_long_for_excel_costs_the_workbook_and_not_the_run() {
    let home = Home::new();
    let long = "x".repeat(40_000);
    home.write("cases.csv", format!("id,name\nc1,{long}\nc2,Bea\n"));
    let server = creating_server();
    import(&home, &server, "cases.csv", &["--results", "results.xlsx"])
        .counts(&[("imported", 2)])
        .says("results.xlsx: cannot be written as a workbook: ")
        .says("name a .csv file instead");
    assert!(!home.path("results.xlsx").exists());
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_half_workbook() {
    let home = Home::new();
    home.cases(400);
    let flags = ["--partner-firm-id", "f1", "--key-column", "id", "--yes"];
    home.caseload(&["import", "cases.csv", "--sandbox", "--pace", "1ms"])
        .args(&flags)
        .run()
        .exits(0);
    // Enough for rows of CSV, but not for those of a workbook.
    home.caseload(&["export", "--sandbox", "--results", "results.xlsx"])
        .with_file_size_limit(120)
        .run()
        .exits(5)
        .says("its rows can't be written, the disk may be full; name a .csv file instead")
        .never_says("panicked");
    assert!(!home.path("results.xlsx").exists());
}
