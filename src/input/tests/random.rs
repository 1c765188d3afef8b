//! Properties over random inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use strum::VariantArray as _;

use super::super::{Format, ReadOptions};
use super::*;

fn csv_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c,;\"\r\n \u{e9}]{0,8}",
        "[a-z0-9]{0,12}",
        Just("x\"\"y".to_owned()),
    ]
}

fn options(format: Format, chunk: usize) -> ReadOptions {
    ReadOptions {
        format: Some(format),
        ..chunked(chunk)
    }
}

/// What the `csv` crate makes of it, with the line each record begins in.
fn by_csv_crate(bytes: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes)
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        rows in vec(vec(csv_cell(), 3), 0..12),
        crlf: bool,
        bom: bool,
        always: bool,
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        chunk in 1_usize..200,
    ) {
        let mut bytes = if bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        let mut lines = Vec::new();
        let mut line = 2;
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut write = |row: &[String]| {
            let mut writer = csv::WriterBuilder::new()
                .delimiter(delimiter)
                .terminator(end)
                .quote_style(style)
                .from_writer(Vec::new());
            writer.write_record(row).unwrap();
            let row = writer.into_inner().unwrap();
            bytes.extend(&row);
            let row = String::from_utf8(row).unwrap().replace("\r\n", "\n").replace('\r', "\n");
            row.matches('\n').count() as u64
        };
        write(&["A".to_owned(), "B".to_owned(), "C".to_owned()]);
        for row in &rows {
            lines.push(line);
            line += write(row);
        }
        let mut options = options(Format::Csv, chunk);
        options.delimiter = Some(delimiter);
        let read = try_read("x", &bytes, &options).unwrap();
        prop_assert_eq!(read.codes(), []);
        // A row of blank cells is skipped, quoted or not.
        let blank = |row: &Vec<String>| row.iter().all(|cell| {
            cell.chars().all(|character| character == ' ')
        });
        let expected: Vec<_> = rows.iter().zip(lines).filter(|(row, _)| !blank(row)).collect();
        prop_assert_eq!(read.records.len(), expected.len());
        for (found, (row, line)) in read.records.iter().zip(expected) {
            prop_assert_eq!(found.texts(), row.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(found.line, line);
        }
    }

    #[test]
    fn rows_and_cells_are_those_of_the_csv_crate(
        text in "[ab,,,\"\"\"\r\n\n]{0,60}",
        chunk in 1_usize..40,
    ) {
        // A header far wider than any row shows how many cells were found.
        let header = "h,".repeat(70) + "end\n";
        let bytes = format!("{header}{text}");
        let mut options = options(Format::Csv, chunk);
        options.delimiter = Some(b',');
        let read = try_read("x", bytes.as_bytes(), &options).unwrap();
        let unclosed = read.lost.len();
        let mut expected: Vec<_> = by_csv_crate(text.as_bytes(), b',')
            .into_iter()
            .map(|row| row.len())
            .collect();
        if unclosed == 1 {
            expected.pop();
        }
        let mut found = Vec::new();
        for problem in &read.problems {
            if problem.code == Code::MisplacedQuote {
                continue;
            }
            prop_assert_eq!(problem.code, Code::RaggedRow);
            let count = problem.message.split(' ').nth(1).unwrap();
            found.push(count.parse::<usize>().unwrap());
        }
        // Blank rows are skipped here, and returned by the crate.
        let mut crate_rows = expected.into_iter();
        for count in found {
            prop_assert!(crate_rows.any(|expected| expected == count));
        }
    }

    #[test]
    fn cells_of_one_column_are_those_of_the_csv_crate(
        text in "[ab,\"\"\"\r\n\n]{0,60}",
        chunk in 1_usize..40,
    ) {
        let bytes = format!("h,i\n{text}");
        let mut options = options(Format::Csv, chunk);
        options.delimiter = Some(b',');
        let read = try_read("x", bytes.as_bytes(), &options).unwrap();
        let mut expected: Vec<_> = by_csv_crate(text.as_bytes(), b',')
            .into_iter()
            .filter(|row| row.len() >= 2 && row[2..].iter().all(|cell| cell.trim().is_empty()))
            .map(|row| row[..2].to_vec())
            .collect();
        if let Some(lost) = read.lost.first() {
            prop_assert_eq!(lost.code, Code::UnclosedQuote);
            if by_csv_crate(text.as_bytes(), b',').last().is_some_and(|row| {
                row.len() >= 2 && row[2..].iter().all(|cell| cell.trim().is_empty())
            }) {
                expected.pop();
            }
        }
        let blank = |row: &[String]| row.iter().all(|cell| cell.trim().is_empty());
        let expected: Vec<_> = expected.into_iter().filter(|row| !blank(row)).collect();
        let found: Vec<Vec<String>> = read
            .records
            .iter()
            .map(|row| row.texts().into_iter().map(str::to_owned).collect())
            .filter(|row: &Vec<String>| !blank(row))
            .collect();
        // Rows with misplaced quotes are problems, and all others are the same.
        let misquoted = read.codes().iter().filter(|(code, _)| *code == Code::MisplacedQuote).count();
        prop_assert!(found.len() + misquoted >= expected.len());
        let mut expected = expected.into_iter();
        for row in found {
            prop_assert!(expected.any(|other| other == row), "{row:?}");
        }
    }

    #[test]
    fn no_bytes_make_a_panic(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..200),
            vec(prop::sample::select(b"{}[]\"\\:,u0d8-1.e \n\r\tatrue\xff\xef\xbb\xbf\x00".to_vec()), 0..200),
        ],
        format in prop::sample::select(Format::VARIANTS.to_vec()),
        chunk in 1_usize..20,
        named: bool,
        records in prop::option::of(prop::sample::select(vec![".", "a", "a.a", ""])),
        encoding in prop::option::of(prop::sample::select(vec!["utf-8", "utf-16le", "shift_jis"])),
    ) {
        let mut options = chunked(chunk);
        options.format = named.then_some(format);
        options.records = records.map(str::to_owned);
        options.encoding = encoding.map(str::to_owned);
        options.limits.record = 64;
        let _ = try_read("x", &bytes, &options);
        let mut packed = b"\x1f\x8b\x08\0\0\0\0\0\0\0".to_vec();
        packed.extend(bytes);
        let _ = try_read("x", &packed, &options);
    }

    #[test]
    fn damaged_workbooks_make_no_panic(
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut workbook = rust_xlsxwriter::Workbook::new();
        workbook.add_worksheet().write(0, 0, "a").unwrap();
        let mut bytes = workbook.save_to_buffer().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = try_read("a.xlsx", &bytes, &ReadOptions::default());
    }

    #[test]
    fn json_records_are_read_back(
        objects in vec(
            prop::collection::btree_map("[a-d\u{e9}\"\\\\]{0,3}", json_value(), 0..5),
            0..8,
        ),
        pretty: bool,
        lines: bool,
        chunk in 1_usize..200,
    ) {
        let objects: Vec<serde_json::Value> = objects
            .into_iter()
            .map(|object| serde_json::Value::Object(object.into_iter().collect()))
            .collect();
        let (text, format) = if lines {
            let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
            (lines.join("\n"), Format::Ndjson)
        } else if pretty {
            (serde_json::to_string_pretty(&objects).unwrap(), Format::Json)
        } else {
            (serde_json::to_string(&objects).unwrap(), Format::Json)
        };
        prop_assume!(!text.is_empty());
        let read = try_read("x", text.as_bytes(), &options(format, chunk)).unwrap();
        prop_assert_eq!(read.codes(), []);
        prop_assert_eq!(read.records.len(), objects.len());
        let lines: Vec<_> = text.lines().collect();
        for (row, object) in read.records.iter().zip(&objects) {
            let own: serde_json::Value = serde_json::from_str(row.json.as_deref().unwrap()).unwrap();
            prop_assert_eq!(&own, object);
            let begins = lines[row.line as usize - 1].contains('{');
            prop_assert!(begins, "line {}", row.line);
            prop_assert_eq!(row.cells.len(), object.as_object().unwrap().len());
            for (name, kind, text) in &row.cells {
                let value = &object[name.as_str()];
                let found = match kind {
                    CellKind::Text => serde_json::Value::from(text.as_str()),
                    CellKind::Null => serde_json::Value::Null,
                    _ => serde_json::from_str(text).unwrap(),
                };
                prop_assert_eq!(&found, value);
            }
        }
    }

    #[test]
    fn a_line_is_a_record_exactly_when_serde_json_takes_it(
        text in r#"\{"a":([\[\]{}:,"\\uadt0-9.eE+ -]{0,12}|"[\\uD89a-f0-9"]{0,14}"|-?[0-9]{1,3}(\.[0-9]{0,2})?([eE][+-]?[0-9]?)?)\}"#,
    ) {
        let read = try_read("x", text.as_bytes(), &options(Format::Ndjson, 64)).unwrap();
        // Their map keeps the last of two members; ours reports them.
        let codes: Vec<_> = read.codes().iter().map(|(code, _)| *code).collect();
        let taken = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        match taken {
            Ok(_) => prop_assert!(codes.is_empty() || codes == [Code::DuplicateMember], "{codes:?}"),
            Err(error) if error.to_string().contains("number out of range") => {}
            Err(error) => prop_assert_eq!(codes.len(), 1, "{}", error),
        }
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "[ -~\u{e9}\n\t\u{1f600}]{0,10}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
