//! Files that would take too much memory or time, or that lie about themselves:
//! each is a clear error, and nothing is sent.

use std::io::{Cursor, Read as _, Write as _};

use crate::support::{Done, Home};

fn checked(home: &Home, file: &str) -> Done {
    home.caseload(&["check", file, "--key-column", "id"]).run()
}

/// Writes up to a gigabyte of one letter after a beginning. Returns how much of
/// it was read.
fn pour(pipe: std::path::PathBuf, beginning: &'static str) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
        let block = vec![b'x'; 64 << 10];
        let mut taken = 0;
        if file.write_all(beginning.as_bytes()).is_ok() {
            while taken < 1 << 30 && file.write_all(&block).is_ok() {
                taken += block.len();
            }
        }
        taken
    })
}

#[test]
fn a_gigabyte_field_is_read_only_up_to_the_limit() {
    for (file, beginning, code) in [
        ("a.csv", "id,partnerFirmId,name\nc1,f1,", 3),
        ("b.csv", "id,partnerFirmId,name\nc1,f1,\"", 3),
        ("c.json", "[{\"id\":\"c1\",\"name\":\"", 3),
        ("d.json", "{\"id\":\"c1\",\"name\":\"", 2),
        ("e.ndjson", "{\"id\":\"c1\"}\n{\"id\":\"c2\",\"name\":\"", 3),
        ("f.csv", "id,", 2),
    ] {
        let home = Home::new();
        let writer = pour(home.pipe(file), beginning);
        let done = checked(&home, file).exits(code);
        let message = "larger than the limit of 16777216 bytes";
        // A problem of a record is a result, that of a file an error.
        if code == 3 {
            done.prints(message);
        } else {
            done.says(message);
        }
        let taken = writer.join().unwrap();
        assert!(taken < 100 << 20, "{file}: {taken} bytes were read");
    }
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_gigabyte_in_a_gzip_field_is_read_only_up_to_the_limit() {
    let home = Home::new();
    let block = gzipped(&vec![b'x'; 1 << 20]);
    let mut packed = gzipped(b"id,partnerFirmId,name\nc1,f1,");
    packed.extend(block.repeat(1 << 10));
    home.write("a.csv.gz", packed);
    checked(&home, "a.csv.gz")
        .exits(3)
        .prints("a.csv.gz:2: error: row larger than the limit of 16777216 bytes")
        .prints("[too-large]");
}

fn workbook(texts: &[&str]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["id", "partnerFirmId", "name"]) {
        sheet.write(0, column, name).unwrap();
    }
    for (column, text) in (0..).zip(texts) {
        sheet.write(1, column, *text).unwrap();
    }
    book.save_to_buffer().unwrap()
}

/// The same workbook with one part changed.
fn with_part(workbook: &[u8], part: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut changed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if name.ends_with(part) {
            text = change(text);
        }
        let options = zip::write::SimpleFileOptions::default();
        changed.start_file(name, options).unwrap();
        changed.write_all(text.as_bytes()).unwrap();
    }
    changed.finish().unwrap().into_inner()
}

#[test]
fn a_workbook_that_declares_more_strings_than_fit_is_refused() {
    let home = Home::new();
    let honest = workbook(&["c1", "f1", "Ann"]);
    home.write("honest.xlsx", &honest);
    checked(&home, "honest.xlsx").exits(0);
    for count in ["5000000000", "99999999999999999999"] {
        let forged = with_part(&honest, "sharedStrings.xml", |text| {
            let (before, after) = text.split_once("uniqueCount=\"").unwrap();
            let (_, after) = after.split_once('"').unwrap();
            format!("{before}uniqueCount=\"{count}\"{after}")
        });
        home.write("forged.xlsx", forged);
        checked(&home, "forged.xlsx")
            .exits(2)
            .says("it claims more texts than fit into it");
    }
}

#[test]
fn a_workbook_with_a_cell_outside_the_sheet_is_refused() {
    let home = Home::new();
    let honest = workbook(&["c1", "f1", "Ann"]);
    for (from, to, said) in [
        ("r=\"C2\"", "r=\"ZZZZ2\"", "cell outside the sheet's range"),
        ("r=\"C2\"", "r=\"A2\"", "row 2 has the same cell twice"),
    ] {
        let forged = with_part(&honest, "sheet1.xml", |text| {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        });
        home.write("forged.xlsx", forged);
        checked(&home, "forged.xlsx").exits(2).says(said);
    }
}

/// The panic message of the library must not be shown.
#[test]
fn a_workbook_that_panics_the_library_is_an_error() {
    let home = Home::new();
    let honest = workbook(&["c1", "f1", "Ann"]);
    for (from, to) in [
        ("r=\"C2\"", "r=\"ZZZZZZZZZZ2\""),
        ("r=\"C2\"", "r=\"C99999999999999\""),
        ("<row r=\"2\"", "<row r=\"99999999999\""),
        ("ref=\"A1:C2\"", "ref=\"C2:A1\""),
    ] {
        let forged = with_part(&honest, "sheet1.xml", |text| {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        });
        home.write("forged.xlsx", forged);
        checked(&home, "forged.xlsx")
            .exits(2)
            .says("the workbook can't be read")
            .never_says("panicked");
    }
}

/// The declared sizes decide whether a workbook is read, so they must hold.
#[test]
fn a_workbook_larger_than_it_declares_is_refused() {
    let home = Home::new();
    let mut seed = 1_u32;
    let texts = (0..60_000).fold(String::new(), |texts, _| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        texts + &format!("<si><t>{seed:x}</t></si>")
    });
    let mut forged = with_part(
        &workbook(&["c1", "f1", "Ann"]),
        "sharedStrings.xml",
        |text| text.replace("</sst>", &format!("{texts}</sst>")),
    );
    // Sizes are in the directory at the end, before each name.
    let name = b"xl/sharedStrings.xml";
    let entry = (0..forged.len() - name.len())
        .rev()
        .find(|at| forged[*at..].starts_with(name))
        .unwrap()
        - 46;
    assert!(forged[entry..].starts_with(b"PK\x01\x02"));
    forged[entry + 24..entry + 28].copy_from_slice(&1_000_u32.to_le_bytes());
    home.write("forged.xlsx", forged);
    checked(&home, "forged.xlsx")
        .exits(2)
        .says("larger than its declared uncompressed size");
}

#[test]
fn a_workbook_with_an_oversized_cell_is_refused() {
    let home = Home::new();
    let long = "x".repeat(70_000_000);
    let forged = with_part(
        &workbook(&["c1", "f1", "Ann"]),
        "sharedStrings.xml",
        |text| text.replace("Ann", &long),
    );
    home.write("long.xlsx", forged);
    checked(&home, "long.xlsx")
        .exits(2)
        .says("a cell is larger than the limit of 16777216 bytes");
}

/// Half a row at its end could look like a complete one.
#[test]
fn a_file_that_grows_while_it_is_read_is_refused() {
    let home = Home::new();
    home.write("cases.csv", "id,partnerFirmId,name\nc1,f1,Ann\n");
    let waiting = home.pipe("more.csv");
    // The pipe can be opened when the reader opens it; by then it has opened
    // the file before.
    let cases = home.path("cases.csv");
    let writer = std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new()
            .write(true)
            .open(waiting)
            .unwrap();
        let mut cases = std::fs::OpenOptions::new()
            .append(true)
            .open(cases)
            .unwrap();
        cases.write_all(b"c2,f1,Oka").unwrap();
        drop(cases);
        pipe.write_all(b"id,partnerFirmId,name\nc3,f1,Cem\n")
            .unwrap();
    });
    home.caseload(&["import", "cases.csv", "more.csv", "--sandbox", "--yes"])
        .args(&["--key-column", "id", "--skip-invalid"])
        .run()
        .exits(2)
        .says("cases.csv: changed while it was read: something is still writing to it");
    writer.join().unwrap();
    assert!(
        !home.path("caseload-sandbox.db").exists(),
        "something was sent"
    );
    // When it is complete, it is accepted.
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Ann\nc2,f1,Okafor\n",
    );
    checked(&home, "cases.csv").exits(0);
}
