//! XLSX.

use rust_xlsxwriter::{ExcelDateTime, Format as CellFormat, Formula, Workbook};

use super::super::ReadOptions;
use super::CellKind::{Bool, Date, DateTime, Number, Text};
use super::*;

pub(super) fn saved(fill: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    fill(&mut workbook);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn cells_are_what_people_see() {
    let date = CellFormat::new().set_num_format("m/d/yy");
    let time = CellFormat::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let clock = CellFormat::new().set_num_format("hh:mm");
    let hours = CellFormat::new().set_num_format("[h]:mm:ss");
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        let names = [
            "id", "count", "big", "small", "date", "time", "clock", "hours", "yes", "error", "sum",
        ];
        for (column, name) in (0..).zip(names) {
            sheet.write(2, column, name).unwrap();
        }
        sheet.write(4, 0, "00123").unwrap();
        sheet.write(4, 1, 12.0).unwrap();
        sheet.write(4, 2, 441_000_000_001.0).unwrap();
        sheet.write(4, 3, 0.1).unwrap();
        let day = ExcelDateTime::from_ymd(2026, 6, 14).unwrap();
        sheet.write_with_format(4, 4, &day, &date).unwrap();
        let moment = ExcelDateTime::from_ymd(2026, 6, 14)
            .unwrap()
            .and_hms(23, 59, 59)
            .unwrap();
        sheet.write_with_format(4, 5, &moment, &time).unwrap();
        sheet.write_with_format(4, 6, 0.75, &clock).unwrap();
        sheet.write_with_format(4, 7, 1.5, &hours).unwrap();
        sheet.write(4, 8, true).unwrap();
        sheet
            .write_formula(4, 9, Formula::new("=NA()").set_result("#N/A"))
            .unwrap();
        sheet
            .write_formula(4, 10, Formula::new("=1+2").set_result("3"))
            .unwrap();
        sheet.write(5, 0, "  ").unwrap();
        sheet.write(6, 0, "last").unwrap();
    });
    let read = read("a.xlsx", bytes);
    assert_eq!(read.codes(), []);
    let [row, last] = &read.records[..] else {
        panic!("{read:?}")
    };
    assert_eq!((row.line, last.line), (5, 7));
    assert_eq!(
        row.texts(),
        [
            "00123",
            "12",
            "441000000001",
            "0.1",
            "2026-06-14",
            "2026-06-14T23:59:59",
            "18:00:00",
            "36:00:00",
            "true",
            "#N/A",
            "3"
        ]
    );
    let kinds = ["id", "count", "date", "time", "clock", "yes", "error"].map(|name| row.kind(name));
    assert_eq!(kinds, [Text, Number, Date, DateTime, Text, Bool, Text]);
    assert_eq!(last.get("count"), "");
    assert_eq!(last.kind("count"), Text);
}

#[test]
fn a_sheet_is_chosen_by_name() {
    let bytes = saved(|workbook| {
        for (name, value) in [("Closed", "1"), ("Open cases", "2")] {
            let sheet = workbook.add_worksheet().set_name(name).unwrap();
            sheet.write(0, 0, "a").unwrap();
            sheet.write(1, 0, value).unwrap();
        }
    });
    assert_eq!(read("a.xlsx", &bytes).records[0].get("a"), "1");
    let options = |sheet: &str| ReadOptions {
        sheet: Some(sheet.to_owned()),
        ..ReadOptions::default()
    };
    let second = read_with("a.xlsx", &bytes, &options("Open cases"));
    assert_eq!(second.records[0].get("a"), "2");
    let message = refused_with("a.xlsx", &bytes, &options("Opened"));
    assert!(message.contains("\"Closed\", \"Open cases\""), "{message}");
}

#[test]
fn headers_of_sheets_have_the_same_rules() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        for (column, name) in [(0, "a"), (1, "b"), (3, "a"), (4, "caseload_escaped")] {
            sheet.write(0, column, name).unwrap();
        }
        sheet.write(1, 0, "'=x").unwrap();
        sheet.write(1, 4, "escaped:[\"a\"]").unwrap();
        sheet.write(2, 2, "nameless").unwrap();
        sheet.write(3, 9, "far out").unwrap();
    });
    let read = read("a.xlsx", bytes);
    assert_eq!(read.header[0].code, Code::DuplicateHeader);
    assert_eq!(
        read.codes(),
        [(Code::EmptyHeader, 3), (Code::EmptyHeader, 4)]
    );
    assert_eq!(read.records[0].texts(), ["=x", ""]);
}

#[test]
fn a_workbook_need_not_be_a_plain_file() {
    use std::io::Write as _;
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        for row in 0..5_000 {
            sheet.write(row, 0, format!("value {row}")).unwrap();
        }
    });
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bytes).unwrap();
    let packed = read("a.xlsx.gz", encoder.finish().unwrap());
    assert_eq!(packed.records.len(), 4_999);
    assert_eq!(packed, read("a", &bytes));
}

#[test]
fn empty_and_damaged_workbooks_are_refused() {
    let empty = saved(|workbook| {
        workbook.add_worksheet();
    });
    assert_eq!(refused("a.xlsx", &empty), "is empty: it has no records");
    let message = refused("a.xlsx", &empty[..empty.len() / 2]);
    assert!(message.contains("the workbook can't be read"), "{message}");
}

#[test]
fn a_workbook_that_is_a_bomb_is_refused_before_it_is_read() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        sheet.write(0, 0, "a").unwrap();
        sheet.write(1, 0, "x".repeat(30_000)).unwrap();
    });
    let mut options = ReadOptions::default();
    options.limits.unpacked = 20_000;
    let message = refused_with("a.xlsx", &bytes, &options);
    assert!(
        message.contains("texts are larger than the limit of 20000"),
        "{message}"
    );
    options.limits.unpacked = 35_000;
    options.limits.ratio = 2;
    let message = refused_with("a.xlsx", &bytes, &options);
    assert!(
        message.contains("unpacks to more than 35000 bytes"),
        "{message}"
    );
    assert_eq!(read("a.xlsx", &bytes).records.len(), 1);
}
