//! Reading files of each format, on one thread.

use std::path::Path;

use caseload::input::{self, Input, Item, ReadOptions};
use caseload::model::FileId;
use criterion::{Criterion, Throughput};

use super::{COLUMNS, csv, objects, rows};

const ROWS: usize = 10_000;

/// Reads a file to its end and counts its records.
fn read(path: &Path) -> usize {
    let mut reader = input::open(
        &Input::Path(path.to_owned()),
        FileId(0),
        &ReadOptions::default(),
    )
    .unwrap();
    let mut parser = reader.parser();
    let mut records = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        parser.parse(&chunk, &mut |item| {
            records += usize::from(matches!(item, Item::Record(_)));
        });
    }
    records
}

fn workbook(path: &Path) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, COLUMNS).unwrap();
    for (number, row) in (1..).zip(rows(ROWS)) {
        sheet.write_row(number, 0, row).unwrap();
    }
    book.save(path).unwrap();
}

pub(super) fn measure(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = objects(ROWS).collect();
    let texts = [
        ("csv", csv(ROWS)),
        ("ndjson", lines.join("\n")),
        ("json", format!("[{}]", lines.join(",\n"))),
    ];
    for (format, text) in texts {
        std::fs::write(folder.path().join(format!("cases.{format}")), text).unwrap();
    }
    workbook(&folder.path().join("cases.xlsx"));

    let mut group = criterion.benchmark_group("read 10,000 records");
    group.throughput(Throughput::Elements(ROWS as u64));
    for format in ["csv", "ndjson", "json", "xlsx"] {
        let path = folder.path().join(format!("cases.{format}"));
        assert_eq!(read(&path), ROWS, "{format}");
        group.bench_function(format, |bencher| bencher.iter(|| read(&path)));
    }
    group.finish();
}
