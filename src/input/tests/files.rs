//! Files as such: names, encodings, gzip, pipes, second readings.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::{InputErrorKind, ReadOptions};
use super::*;

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn utf_16(text: &str, little: bool) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        })
        .collect()
}

#[test]
fn inputs_are_named_as_they_were_given() {
    assert_eq!(Input::from_arg(OsStr::new("-")), Input::Stdin);
    assert_eq!(Input::Stdin.name(), "standard input");
    let path = Input::from_arg(OsStr::new("../a b.csv"));
    assert_eq!(path, Input::Path(PathBuf::from("../a b.csv")));
    assert_eq!(path.name(), "../a b.csv");
}

#[test]
fn what_is_no_case_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let of = |path: PathBuf| {
        open(&Input::Path(path), FileId(0), &ReadOptions::default())
            .err()
            .unwrap()
            .kind
    };
    assert!(matches!(
        of(folder.path().to_owned()),
        InputErrorKind::Directory
    ));
    assert!(matches!(
        of(folder.path().join("gone.csv")),
        InputErrorKind::Missing
    ));
    std::fs::write(folder.path().join("~$a.xlsx"), "x").unwrap();
    let lock = of(folder.path().join("~$a.xlsx")).to_string();
    assert!(lock.contains("/a.xlsx instead"), "{lock}");
    std::fs::write(folder.path().join("a.xlsx"), "PK\x03\x04 broken").unwrap();
    let held = of(folder.path().join("a.xlsx")).to_string();
    assert!(held.contains("~$a.xlsx exists"), "{held}");
    assert!(refused("a.xlsx", "a,b\n").contains("is not an Excel workbook"));
    assert!(refused("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").contains("save it as .xlsx"));
    assert!(refused("a.csv", "PK\x03\x04 xl/workbook.xml").contains("--format xlsx"));
    let mut tar = vec![b'x'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, what) in [
        (&b"\x89PNG\x00\x01\x02\xff\x00\xfe"[..], "an image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"{\\rtf1 Ann}", "an RTF document"),
        (b"PK\x03\x04\x14\0cases.csv", "a ZIP archive"),
        (&gzipped(&tar), "a tar archive"),
        (&tar, "a tar archive"),
        (b"\n <!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"<table><tr><td>id</td></tr></table>", "a web page"),
        (b"<?xml version=\"1.0\"?><Workbook/>", "XML"),
        (&[0; 4096], "binary data"),
        (b"a,b\n1,\0\0\0\0\0\0\0\0", "binary data"),
    ] {
        let message = refused("a.csv", bytes);
        assert!(message.contains(what), "{what}: {message}");
    }
    assert_eq!(read("a.csv", "<id>,b\n1,2\n").records[0].get("<id>"), "1");
}

#[test]
fn encodings_are_detected_and_shown() {
    let text = "Name,Note\nJos\u{e9},\u{2013}\nAda,x\n";
    let mut with_mark = b"\xef\xbb\xbf".to_vec();
    with_mark.extend(text.bytes());
    let mut little = b"\xff\xfe".to_vec();
    little.extend(utf_16(text, true));
    let mut big = b"\xfe\xff".to_vec();
    big.extend(utf_16(text, false));
    for (bytes, encoding, guessed) in [
        (text.as_bytes().to_vec(), "UTF-8", false),
        (with_mark, "UTF-8", false),
        (little, "UTF-16LE", false),
        (big, "UTF-16BE", false),
        (utf_16(text, true), "UTF-16LE", true),
        (utf_16(text, false), "UTF-16BE", true),
        (
            b"Name,Note\nJos\xe9,\x96\nAda,x\n".to_vec(),
            "windows-1252",
            true,
        ),
    ] {
        let (_folder, input) = file("a.csv", &bytes);
        let reader = open(&input, FileId(0), &ReadOptions::default()).unwrap();
        assert_eq!(reader.parser().encoding, encoding);
        let read = read("a.csv", &bytes);
        let guesses = read
            .header
            .iter()
            .filter(|problem| problem.code == Code::GuessedEncoding);
        assert_eq!(guesses.count(), usize::from(guessed));
        assert_eq!(read.records[0].get("Name"), "Jos\u{e9}", "{encoding}");
        assert_eq!(read.records[0].get("Note"), "\u{2013}");
        assert_eq!(read.records[1].line, 3);
    }
}

#[test]
fn an_encoding_can_be_named() {
    let named = |name: &str| ReadOptions {
        encoding: Some(name.to_owned()),
        ..ReadOptions::default()
    };
    let mut bytes = b"Name\n".to_vec();
    bytes.extend("Ada\n".repeat(30_000).bytes());
    bytes.extend(b"Jos\xe9\n");
    assert_eq!(read("a.csv", &bytes).codes(), [(Code::InvalidText, 30_002)]);
    let mended = read_with("a.csv", &bytes, &named("windows-1252"));
    assert_eq!(mended.records.last().unwrap().get("Name"), "Jos\u{e9}");
    assert!(refused_with("a.csv", "a\n", &named("klingon")).contains("unknown encoding"));
    assert!(
        refused_with("a.csv", b"a\xff,b\n1,2\n", &named("utf-8")).contains("line 1: the header")
    );
    // Half a pair of surrogates is no text, in its own cell.
    let mut lone = utf_16("a,b\n1,x", true);
    lone.extend([0x00, 0xd8]);
    lone.extend(utf_16("y\n2,3\n", true));
    let read = read_with("a.csv", &lone, &named("utf-16le"));
    assert_eq!(read.codes(), [(Code::InvalidText, 2)]);
    assert_eq!(read.problems[0].column.as_deref(), Some("b"));
    assert_eq!(read.records.len(), 1);
}

#[test]
fn gzip_is_opened_as_it_is() {
    let mut members = gzipped(b"a,b\n1,2\n");
    members.extend(gzipped(b"3,4\n"));
    let read = read("cases.csv.gz", &members);
    assert_eq!(read.records.len(), 2);
    assert_eq!(super::read("x", gzipped(b"[{\"a\":1}]")).records.len(), 1);
    assert_eq!(
        refused("a.csv.gz", gzipped(b"")),
        "is empty: it has no records"
    );
    let cut = gzipped("a,b\n".repeat(100_000).as_bytes());
    let message = refused("a.csv.gz", &cut[..cut.len() / 2]);
    assert!(message.contains("invalid gzip data"), "{message}");
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let mut options = ReadOptions::default();
    options.limits.unpacked = 200_000;
    let bomb = gzipped(format!("a\n{}", "0\n".repeat(1 << 20)).as_bytes());
    assert!(bomb.len() * 200 < 2 << 20);
    let message = refused_with("a.csv.gz", &bomb, &options);
    assert!(
        message.contains("unpacks to more than 200000 bytes"),
        "{message}"
    );
    assert_eq!(
        try_read("a.csv.gz", &bomb, &ReadOptions::default())
            .unwrap()
            .records
            .len(),
        1 << 20
    );
}

#[test]
fn the_digest_covers_the_compressed_bytes() {
    use sha2::{Digest as _, Sha256};
    let bytes = gzipped(b"a,b\n1,2\n");
    let (_folder, input) = file("a.csv.gz", &bytes);
    let options = ReadOptions {
        digest: true,
        ..chunked(1)
    };
    let mut reader = open(&input, FileId(0), &options).unwrap();
    while reader.next_chunk().unwrap().is_some() {}
    let expected = Sha256::digest(&bytes);
    let hex = reader.sha256().unwrap();
    assert_eq!(hex.len(), 64);
    for (byte, digits) in expected.iter().zip(hex.as_bytes().chunks(2)) {
        assert_eq!(format!("{byte:02x}").as_bytes(), digits);
    }
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, "{\"a\":1}\n{\"a\":2}\n".repeat(20_000)).unwrap()
    });
    let mut reader = open(&Input::Path(path), FileId(0), &ReadOptions::default()).unwrap();
    let mut parser = reader.parser();
    let read = drain(&mut reader, &mut parser).unwrap();
    writer.join().unwrap();
    assert_eq!(read.records.len(), 40_000);
}

#[test]
fn bytes_that_a_code_page_leaves_undefined_are_no_text() {
    let rows = b"Name,Note\nJos\xe9,\x80\nA\x81a,x\n\xc3\x81,x\nBob,y\x9d\nEve,\xc2\xa0z\n";
    let read = read("a.csv", rows);
    let found = [3, 4, 5].map(|line| (Code::InvalidText, line));
    assert_eq!(read.codes(), found);
    assert_eq!(
        read.problems[0].message,
        "line 3: not valid windows-1252 text"
    );
    assert_eq!(read.problems[2].column.as_deref(), Some("Note"));
    assert_eq!(read.records[0].texts(), ["Jos\u{e9}", "\u{20ac}"]);
    assert_eq!(read.records[1].texts(), ["Eve", "\u{c2}\u{a0}z"]);
}
