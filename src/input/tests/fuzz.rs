//! Raw bytes at every reader: files that are nearly right, mutated at random.
//!
//! Whatever the bytes are, nothing panics, every record is an item in its
//! order, and neither the size of the chunks nor the packing matters. The suite
//! runs some dozens of files each. The long form runs for a time, on one thread
//! and within a limit of memory:
//!
//! ```text
//! (ulimit -v 2000000; CASELOAD_FUZZ_SECONDS=600 cargo test --release --lib fuzz:: -- --test-threads=1)
//! ```
//!
//! A failure names its seed, which `CASELOAD_FUZZ_SEED=n` begins with.

use std::io::{Cursor, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use strum::VariantArray as _;

use super::super::{Format, ReadOptions};
use super::files::gzipped;
use super::mutation::mutated;
use super::*;

const CASES: u64 = 60;
/// Small, so that a file soon has more than the limit.
pub(super) const RECORD: usize = 2_000;

/// Runs a test for many seeds, or for the time that the environment gives.
fn fuzz(test: impl Fn(&mut Rng)) {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap())
    };
    let time = number("CASELOAD_FUZZ_SECONDS").map(Duration::from_secs);
    let fresh = || if time.is_some() { fastrand::u64(..) } else { 0 };
    let first = number("CASELOAD_FUZZ_SEED").unwrap_or_else(fresh);
    let began = Instant::now();
    let mut case = 0;
    while time.map_or(case < CASES, |time| began.elapsed() < time) {
        let seed = first.wrapping_add(case);
        let run = || test(&mut Rng::with_seed(seed));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("CASELOAD_FUZZ_SEED={seed}");
            resume_unwind(panic);
        }
        case += 1;
    }
    if time.is_some() {
        eprintln!("{case} cases from seed {first}");
    }
}

/// What reading these bytes gives, the same in chunks of every size.
fn read_consistently(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Read, String> {
    let mut options = options.clone();
    options.limits.record = RECORD;
    options.limits.columns = 50;
    options.limits.unpacked = 200_000;
    let (_folder, input) = file(name, bytes);
    let mut read = |chunk: usize| {
        options.limits.chunk = chunk;
        let mut reader = open(&input, FileId(0), &options).map_err(|error| error.kind)?;
        let mut parser = reader.parser();
        drain(&mut reader, &mut parser).map_err(|error| error.kind)
    };
    let whole = read(512 << 10).map_err(|fault| fault.to_string());
    for chunk in [1, 61] {
        let pieces = read(chunk).map_err(|fault| fault.to_string());
        // What was given up is not looked at to its end, where a packed file
        // shows that it is damaged.
        let gave_up = |read: &Result<Read, _>| matches!(read, Ok(read) if !read.lost.is_empty());
        if pieces.is_err() != whole.is_err() && (gave_up(&pieces) || gave_up(&whole)) {
            continue;
        }
        assert_eq!(
            pieces,
            whole,
            "chunks of {chunk} bytes: {}",
            bytes.escape_ascii()
        );
    }
    if let Ok(read) = &whole {
        let mut places: Vec<(u64, u64)> = Vec::new();
        places.extend(read.records.iter().map(|row| (row.index, row.line)));
        let problems = read.problems.iter().chain(&read.lost);
        places.extend(problems.map(|problem| (problem.place.index, problem.place.line)));
        places.sort_unstable();
        let monotone = places.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        assert!(monotone, "{places:?}: {}", bytes.escape_ascii());
        assert_eq!(read.unread.len(), read.problems.len());
    }
    whole
}

fn options(format: Format) -> ReadOptions {
    ReadOptions {
        format: Some(format),
        ..ReadOptions::default()
    }
}

fn items(read: &Read) -> usize {
    read.records.len() + read.problems.len()
}

const CSV: &[u8] =
    b"id,partnerFirmId,name,caseload_escaped\r\nc1,f1,\"An\nn\",\nc2,f1,\"B \"\"b\"\"\",\
\nc3,f1,'=x,\"escaped:[\"\"name\"\"]\"\n\n,,,\nc4,f1,Zo\xc3\xab,";
const OBJECTS: [&[u8]; 4] = [
    b"{\"id\":\"c1\",\"Client\":{\"name\":\"A\",\"tags\":[1,true,null]},\"n\":-1.50e3}",
    b" {\"id\" : \"c\\u0032\", \"deep\":[[[{\"a\":{}}]]]}",
    b"{\"id\":3,\"n\":12345678901234567890,\"name\":\"Zo\xc3\xab \\\"x\\\"\",\"caseload_reason\":\"r\"}",
    b"{}",
];

fn array() -> Vec<u8> {
    [b"[", &OBJECTS.join(&b",\n"[..])[..], b"]\n"].concat()
}

/// Rows that the `csv` crate finds: those with anything in them, and all.
fn rows_by_csv_crate(bytes: &[u8], delimiter: u8) -> (usize, usize) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut counts = (0, 0);
    for row in reader.byte_records() {
        let row = row.unwrap();
        let filled = row
            .iter()
            .any(|cell| cell.iter().any(|byte| !matches!(byte, b' ' | b'\t')));
        counts.0 += usize::from(filled);
        counts.1 += 1;
    }
    counts
}

#[test]
fn csv() {
    fuzz(|rng| {
        let bytes = mutated(rng, CSV);
        let mut options = options(Format::Csv);
        options.delimiter = Some(b',');
        options.encoding = Some("utf-8".to_owned());
        let Ok(read) = read_consistently("x", &bytes, &options) else {
            return;
        };
        let declared = bytes
            .windows(4)
            .any(|part| part.eq_ignore_ascii_case(b"sep="));
        if read.lost.is_empty() && !declared && !bytes.starts_with(b"\xef\xbb\xbf") {
            let (filled, all) = rows_by_csv_crate(&bytes, b',');
            // The header is one of them.
            let found = items(&read) + 1;
            let text = bytes.escape_ascii();
            assert!(
                filled <= found && found <= all,
                "{filled} {found} {all} {text}"
            );
        }
    });
}

#[test]
fn delimiters_that_are_detected() {
    fuzz(|rng| {
        let delimiter = *rng.choice(b",;\t|").unwrap();
        let text: Vec<u8> = CSV
            .iter()
            .map(|byte| if *byte == b',' { delimiter } else { *byte })
            .collect();
        let bytes = mutated(rng, &text);
        let _ = read_consistently(
            rng.choice(["x.csv", "x.tsv", "x"]).unwrap(),
            &bytes,
            &ReadOptions::default(),
        );
    });
}

#[test]
fn json() {
    fuzz(|rng| {
        let around = |name: &str| [format!("{{\"{name}\":").as_bytes(), &array(), b"}"].concat();
        let seed = match rng.u8(..4) {
            0 => around("cases"),
            1 => [&around("x")[..], b" "].concat(),
            _ => array(),
        };
        let bytes = mutated(rng, &seed);
        let mut options = options(Format::Json);
        options.encoding = Some("utf-8".to_owned());
        options.records = rng
            .choice([None, None, Some("cases"), Some("."), Some("Client.tags")])
            .unwrap()
            .map(str::to_owned);
        let Ok(read) = read_consistently("x", &bytes, &options) else {
            return;
        };
        let parsed = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(&bytes);
        if let Ok(values) = parsed
            && values.iter().all(|value| value.get().len() <= RECORD)
        {
            assert_eq!(read.lost, [], "{}", bytes.escape_ascii());
            assert_eq!(items(&read), values.len(), "{}", bytes.escape_ascii());
        }
    });
}

#[test]
fn ndjson() {
    fuzz(|rng| {
        let bytes = mutated(rng, &OBJECTS.join(&b"\n"[..]));
        let mut options = options(Format::Ndjson);
        options.encoding = Some("utf-8".to_owned());
        let Ok(read) = read_consistently("x", &bytes, &options) else {
            return;
        };
        if read.lost.is_empty() {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
            let lines = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.iter().all(is_space));
            assert_eq!(items(&read), lines.count(), "{}", bytes.escape_ascii());
        }
    });
}

#[test]
fn json_of_either_kind() {
    fuzz(|rng| {
        let seed = if rng.bool() {
            array()
        } else {
            OBJECTS.join(&b"\n"[..])
        };
        let name = rng.choice(["x", "x.json", "x.ndjson", "x.csv"]).unwrap();
        let _ = read_consistently(name, &mutated(rng, &seed), &ReadOptions::default());
    });
}

#[test]
fn gzip() {
    fuzz(|rng| {
        let seed = if rng.bool() { CSV } else { OBJECTS[0] };
        let text = mutated(rng, seed);
        let plain = read_consistently("x", &text, &ReadOptions::default());
        // What is packed twice, or is a workbook, is something else.
        if !text.starts_with(b"\x1f\x8b") && !text.starts_with(b"PK") {
            assert_eq!(
                read_consistently("x", &gzipped(&text), &ReadOptions::default()),
                plain
            );
        }
        let mut packed = gzipped(&text);
        packed.extend(gzipped(CSV));
        let _ = read_consistently("x", &mutated(rng, &packed), &ReadOptions::default());
    });
}

#[test]
fn utf_16() {
    fuzz(|rng| {
        let seed = String::from_utf8(if rng.bool() { CSV.to_vec() } else { array() }).unwrap();
        let wide = |text: &str, little: bool| {
            let units = format!("\u{feff}{text}");
            super::files::utf_16(&units, little)
        };
        let little = rng.bool();
        let text = mutated(rng, seed.as_bytes());
        if let Ok(text) = String::from_utf8(text) {
            let plain = read_consistently(
                "x",
                format!("\u{feff}{text}").as_bytes(),
                &ReadOptions::default(),
            );
            let read = read_consistently("x", &wide(&text, little), &ReadOptions::default());
            // Their names of the encoding differ.
            if plain.is_ok() && text.len() < 30_000 {
                assert_eq!(read, plain, "{text:?}");
            }
        }
        let _ = read_consistently(
            "x",
            &mutated(rng, &wide(&seed, little)),
            &ReadOptions::default(),
        );
        let mut named = options(*rng.choice(Format::VARIANTS).unwrap());
        named.encoding = Some("utf-16le".to_owned());
        let _ = read_consistently("x", &mutated(rng, &wide(&seed, little)), &named);
    });
}

#[test]
fn windows_1252() {
    fuzz(|rng| {
        let bytes = mutated(rng, CSV);
        let mut options = options(Format::Csv);
        options.encoding = Some("windows-1252".to_owned());
        options.delimiter = Some(b',');
        let Ok(read) = read_consistently("x", &bytes, &options) else {
            return;
        };
        // Each undefined byte is read_consistently, or is in what was not read.
        let undefined = bytes
            .iter()
            .any(|byte| matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D));
        let read_consistently = read
            .codes()
            .iter()
            .any(|(code, _)| *code == Code::InvalidText);
        assert!(
            !undefined || read_consistently || !read.lost.is_empty(),
            "{}",
            bytes.escape_ascii()
        );
    });
}

/// The parts of a workbook, which mutate better than their packed bytes.
pub(super) fn parts(workbook: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    (0..archive.len())
        .map(|number| {
            let mut entry = archive.by_index(number).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

pub(super) fn packed(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The workbook with the parts changed whose names end so.
pub(super) fn with_part(workbook: &[u8], name: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut parts = parts(workbook);
    for (part, bytes) in &mut parts {
        if part.ends_with(name) {
            *bytes = change(std::str::from_utf8(bytes).unwrap()).into_bytes();
        }
    }
    packed(&parts)
}

#[test]
fn xlsx() {
    let workbook = super::workbook::saved(|book| {
        let sheet = book.add_worksheet();
        for (row, cells) in (0..).zip([["id", "name", "n"], ["c1", "Ann", "x"], ["c2", "Bob", "y"]])
        {
            for (column, cell) in (0..).zip(cells) {
                sheet.write(row, column, cell).unwrap();
            }
        }
        let day = rust_xlsxwriter::ExcelDateTime::from_ymd(2026, 6, 14).unwrap();
        let format = rust_xlsxwriter::Format::new().set_num_format("m/d/yyyy");
        sheet.write_with_format(3, 0, &day, &format).unwrap();
        sheet.write(3, 1, 12.0).unwrap();
        sheet.write(3, 2, true).unwrap();
        let zip_code = rust_xlsxwriter::Format::new().set_num_format("00000");
        sheet.write_with_format(4, 0, 2134, &zip_code).unwrap();
        sheet.merge_range(4, 1, 5, 1, "Cem", &zip_code).unwrap();
        sheet.write(5, 0, "c5").unwrap();
        sheet.write_formula(5, 2, "=A1").unwrap();
        sheet.set_row_hidden(5).unwrap();
    });
    let parts = parts(&workbook);
    fuzz(|rng| {
        let _ = read_consistently("x.xlsx", &mutated(rng, &workbook), &ReadOptions::default());
        let mut parts = parts.clone();
        let wanted = rng
            .choice(["sheet1.xml", "sharedStrings.xml", "styles.xml", ".rels", ""])
            .unwrap();
        let number = rng.usize(..parts.len());
        let chosen = parts.iter().position(|(name, _)| name.ends_with(wanted));
        let (_, bytes) = &mut parts[chosen.unwrap_or(number)];
        *bytes = mutated(rng, bytes);
        let _ = read_consistently("x.xlsx", &packed(&parts), &ReadOptions::default());
    });
}
