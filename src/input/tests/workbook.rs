//! XLSX.

use rust_xlsxwriter::{ExcelDateTime, Format as CellFormat, Formula, Workbook, Worksheet};

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

fn fill(sheet: &mut Worksheet, rows: &[&[&str]]) {
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            if !cell.is_empty() {
                sheet.write(row, column, *cell).unwrap();
            }
        }
    }
}

#[test]
fn numbers_are_read_as_their_formats_show_them() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        fill(sheet, &[&["id", "ssn", "rate", "amount"]]);
        for (column, code, value) in [
            (0, "00000", 123.0),
            (1, "000-00-0000", 12_345_678.0),
            (2, "0.0%", 0.335),
            (3, "#,##0.00", 1234.5),
        ] {
            let format = CellFormat::new().set_num_format(code);
            sheet.write_with_format(1, column, value, &format).unwrap();
        }
    });
    let read = read("a.xlsx", bytes);
    assert_eq!(
        read.records[0].texts(),
        ["00123", "012-34-5678", "33.5%", "1234.5"]
    );
    assert_eq!(read.records[0].kind("id"), Text);
    assert_eq!(read.records[0].kind("amount"), Number);
}

#[test]
fn a_formula_without_a_value_is_a_problem() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        fill(
            sheet,
            &[&["id", "name"], &["1", "Ann"], &["2"], &[], &["4", "Dee"]],
        );
        // Blank results are texts, and no value at all is none.
        sheet
            .write_formula(2, 1, Formula::new("=\"\"").set_result(""))
            .unwrap();
        sheet
            .write_formula(3, 0, Formula::new("=1+2").set_result("X"))
            .unwrap();
        sheet
            .write_formula(4, 1, Formula::new("=A1").set_result("Y"))
            .unwrap();
    });
    let computed = read("a.xlsx", &bytes);
    assert_eq!(computed.codes(), []);
    assert_eq!(computed.records.len(), 4);
    let bytes = super::fuzz::with_part(&bytes, "sheet1.xml", |xml| {
        assert!(xml.contains("<v>X</v>"), "{xml}");
        // The row has nothing but that.
        xml.replace(" t=\"str\"><f>1+2</f><v>X</v>", "><f>1+2</f><v></v>")
            .replace(" t=\"str\"><f>A1</f><v>Y</v>", "><f>A1</f>")
    });
    let read = read("a.xlsx", &bytes);
    assert_eq!(
        read.codes(),
        [
            (Code::FormulaWithoutValue, 4),
            (Code::FormulaWithoutValue, 5)
        ]
    );
    assert_eq!(read.problems[0].column.as_deref(), Some("id"));
    assert_eq!(read.problems[1].column.as_deref(), Some("name"));
    assert_eq!(read.records.len(), 2);
    let header = super::fuzz::with_part(&bytes, "sheet1.xml", |xml| {
        xml.replacen("<c r=\"B1\"", "<c r=\"B1\"><f>A9</f></c><c r=\"C1\"", 1)
    });
    assert!(refused("a.xlsx", header).contains("row 1, the header: the formula has no"));
}

#[test]
fn merged_cells_have_their_value_in_each_row() {
    let plain = CellFormat::new();
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        let rows: [&[&str]; 7] = [
            &["id", "firm", "name", "note"],
            &["1", "", "Ann", "x"],
            &["2", "", "Bea"],
            &["3", "", "Cem"],
            &["4", "f2", "Dee"],
            &["5", "f2"],
            &["6", "f2", "Eve"],
        ];
        fill(sheet, &rows);
        sheet.merge_range(1, 1, 3, 1, "f1", &plain).unwrap();
        sheet.merge_range(5, 2, 5, 3, "Fay Lee", &plain).unwrap();
    });
    let merged = read("a.xlsx", bytes);
    let firms: Vec<_> = merged.records.iter().map(|row| row.get("firm")).collect();
    assert_eq!(firms, ["f1", "f1", "f1", "f2", "f2"]);
    assert_eq!(merged.records[2].texts(), ["3", "f1", "Cem", ""]);
    assert_eq!(merged.codes(), [(Code::MergedCells, 6)]);
    assert_eq!(merged.problems[0].column.as_deref(), Some("name"));
    assert_eq!(merged.problems[0].value.as_deref(), Some("Fay Lee"));
    // A header of two rows.
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        let rows: [&[&str]; 3] = [
            &["", "client", "note"],
            &["", "Ann", "x"],
            &["1", "Bea", "y"],
        ];
        fill(sheet, &rows);
        sheet.merge_range(0, 0, 1, 0, "id", &plain).unwrap();
    });
    let header = read("a.xlsx", bytes);
    assert_eq!(header.codes(), [(Code::MergedCells, 2)]);
    assert_eq!(header.records.len(), 1);
}

#[test]
fn what_people_do_not_see_of_a_workbook_is_told() {
    let rows: [&[&str]; 4] = [&["id", "name"], &["1", "Ann"], &["2", "Bea"], &["3", "Cem"]];
    let bytes = saved(|workbook| {
        workbook.add_worksheet().set_name("Blank").unwrap();
        let hidden = workbook.add_worksheet().set_name("Old").unwrap();
        fill(hidden.set_hidden(true), &rows);
        let sheet = workbook.add_worksheet().set_name("Cases").unwrap();
        fill(sheet, &rows);
        sheet.set_row_hidden(1).unwrap();
        sheet.set_row_hidden(3).unwrap();
        sheet.set_row_hidden(9).unwrap();
        sheet.set_active(true);
        fill(workbook.add_worksheet().set_name("Nevada").unwrap(), &rows);
    });
    let first = read("a.xlsx", &bytes);
    assert_eq!(first.records.len(), 3);
    let found = first
        .header
        .iter()
        .map(|problem| (problem.code, problem.message.as_str()));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (
                Code::UnreadSheets,
                "only the sheet \"Cases\" is read, and not \"Nevada\", \"Old\""
            ),
            (
                Code::HiddenRows,
                "2 rows hidden, by a filter or by hand, and read like any other"
            ),
        ]
    );
    let chosen = ReadOptions {
        sheet: Some("Nevada".to_owned()),
        ..ReadOptions::default()
    };
    assert_eq!(read_with("a.xlsx", &bytes, &chosen).header, []);
    let blank = ReadOptions {
        sheet: Some("Blank".to_owned()),
        ..ReadOptions::default()
    };
    let message = refused_with("a.xlsx", &bytes, &blank);
    assert!(
        message.contains("others with rows are \"Cases\", \"Nevada\", \"Old\""),
        "{message}"
    );
}

#[test]
fn workbooks_of_other_programs_are_read() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        fill(sheet, &[&["id", "date"], &["1"]]);
        let date = CellFormat::new().set_num_format("m/d/yyyy");
        sheet.write_with_format(1, 1, 44_565.0, &date).unwrap();
        sheet.set_row_hidden(1).unwrap();
    });
    let absolute = super::fuzz::with_part(&bytes, "workbook.xml.rels", |xml| {
        xml.replace("\"worksheets/", "\"/xl/worksheets/")
    });
    let strict = super::fuzz::with_part(&bytes, "", |xml| {
        xml.replace(
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            "http://purl.oclc.org/ooxml/spreadsheetml/main",
        )
        .replace(
            "http://schemas.openxmlformats.org/officeDocument/2006/",
            "http://purl.oclc.org/ooxml/officeDocument/",
        )
    });
    let epoch = super::fuzz::with_part(&bytes, "workbook.xml", |xml| {
        xml.replace("<workbookPr", "<workbookPr date1904=\"1\"")
    });
    let backslashes: Vec<_> = super::fuzz::parts(&bytes)
        .into_iter()
        .map(|(name, part)| (name.replace('/', "\\"), part))
        .collect();
    for (bytes, date) in [
        (&absolute, "2022-01-04"),
        (&strict, "2022-01-04"),
        (&epoch, "2026-01-05"),
        (&super::fuzz::packed(&backslashes), "2022-01-04"),
    ] {
        let read = read("a.xlsx", bytes);
        assert_eq!(read.records[0].get("date"), date);
        // The same sheet was scanned.
        assert_eq!(read.header[0].code, Code::HiddenRows);
    }
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
