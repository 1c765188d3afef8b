//! CSV and TSV.

use super::super::ReadOptions;
use super::*;

#[test]
fn cells_come_under_their_columns_with_their_line_and_row() {
    let read = read(
        "a.csv",
        "Name,Summary\r\nAda,\"two\r\nlines\"\r\n\r\nBob,\"say \"\"hi\"\"\"\n , \n,,\nEve,\"x\"\rZed,5\" pipe",
    );
    let rows: Vec<_> = read
        .records
        .iter()
        .map(|row| {
            let row_number = row.number.unwrap();
            (row.line, row_number, row.get("Name"), row.get("Summary"))
        })
        .collect();
    assert_eq!(
        rows,
        [
            (2, 2, "Ada", "two\r\nlines"),
            (5, 4, "Bob", "say \"hi\""),
            (8, 7, "Eve", "x"),
            (9, 8, "Zed", "5\" pipe"),
        ]
    );
    assert_eq!(read.codes(), []);
}

#[test]
fn delimiters_are_detected_with_quotes_in_mind() {
    for (text, delimiter) in [
        ("a,b\n1,2\n", b','),
        ("a;b\n\"1,5;,,,\";2\n", b';'),
        ("Last, First;Phone\n\"A, B\";1\nC;2\n", b';'),
        ("a\tb\n1,2\t3\n", b'\t'),
        ("a|b\n1|2\n", b'|'),
        ("only\n1\n", b','),
        ("sep=;\na,x;b\n1;2\n", b';'),
        ("\"sep=|\"\r\na|b\r\n1|2\r\n", b'|'),
    ] {
        let (_folder, input) = file("a.csv", text.as_bytes());
        let reader = open(&input, FileId(0), &ReadOptions::default()).unwrap();
        assert_eq!(reader.header().unwrap().delimiter, delimiter, "{text}");
    }
    let tsv = read("a.tsv", "a,b\tc\n1\t2\n");
    assert_eq!(tsv.records[0].get("a,b"), "1");
}

#[test]
fn a_declared_delimiter_counts_as_a_line() {
    let read = read("a.csv", "sep=;\r\na;b\r\n1;2\r\n");
    // Excel does not show that line.
    assert_eq!((read.records[0].line, read.records[0].number), (3, Some(2)));
    assert_eq!(read.records[0].get("b"), "2");
}

#[test]
fn a_ragged_row_is_a_problem_and_never_a_shifted_column() {
    let read = read(
        "a.csv",
        "a,b,c\n1,2,3\n1,2\n1,2,3,4\n1,2,3,,\n4,\"5\n6\n,7\",8,9\n",
    );
    assert_eq!(
        read.codes(),
        [
            (Code::RaggedRow, 3),
            (Code::RaggedRow, 4),
            (Code::RaggedRow, 6)
        ]
    );
    assert_eq!(read.records.len(), 2);
    assert_eq!(read.records[1].texts(), ["1", "2", "3"]);
    assert_eq!(
        read.problems[0].message,
        "found 2 cells, the header has 3 columns"
    );
    let hint = read.problems[2].hint.as_deref().unwrap();
    assert!(
        hint.contains("a quote opened in line 6 closes in line 8"),
        "{hint}"
    );
}

/// A row whose quotes are misplaced: the cell and the row as they stand.
fn misquoted(name: &str, text: &str) -> (String, String, String) {
    let read = read(name, text);
    assert_eq!(read.codes(), [(Code::MisplacedQuote, 3)], "{text}");
    assert_eq!(read.records.len(), 2, "{text}");
    let problem = &read.problems[0];
    let members: serde_json::Value = serde_json::from_str(&read.unread[0]).unwrap();
    let column = problem.column.as_deref().unwrap();
    let value = problem.value.as_deref().unwrap();
    assert_eq!(members[column], value, "{text}");
    let row = members["caseload_text"].as_str().unwrap();
    (column.to_owned(), value.to_owned(), row.to_owned())
}

#[test]
fn a_misplaced_quote_is_a_problem_and_the_row_stands_as_it_is() {
    for (row, column, value) in [
        (r#"2,"Ann "Bud" B",x"#, "Name", r#""Ann "Bud" B""#),
        (r#"2,"Ann ""A"" B"C,x"#, "Name", r#""Ann ""A"" B"C"#),
        (
            r#"2,"She said \"stop\" twice",x"#,
            "Name",
            r#""She said \"stop\" twice""#,
        ),
        (r#"2,"Ann" ,x"#, "Name", r#""Ann" "#),
        (r#"2, "Ann",x"#, "Name", r#" "Ann""#),
        ("2,\t\"Ann\",x", "Name", "\t\"Ann\""),
        ("\u{feff}\"2\",Ann,x", "Id", "\u{feff}\"2\""),
        ("2,\"a\nb\",\"x\"y", "Note", "\"x\"y"),
        ("2,\"a,b\", \"x\"", "Note", " \"x\""),
    ] {
        let text = format!("Id,Name,Note\n1,\"An\"\"n\",5\" pipe\n{row}\n3,6\" x \"7\",\"\"\n");
        let expected = (column.to_owned(), value.to_owned(), row.to_owned());
        assert_eq!(misquoted("a.csv", &text), expected);
        // At the end of the file, and with other line ends.
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(misquoted("a.csv", &crlf).0, column);
    }
    let tsv = "Id\tName\n1\tAnn\n2\t\"Bud\" Smith\n3\tsays \"x\"";
    assert_eq!(misquoted("a.tsv", tsv).1, "\"Bud\" Smith");
    let last = read("a.csv", "a,b\n1,\"x\"y");
    assert_eq!(last.codes(), [(Code::MisplacedQuote, 2)]);
    assert!(refused("a.csv", "a, \"b\"\n1,2\n").contains("line 1: the header has white space"));
}

#[test]
fn names_lose_what_nobody_sees_with_a_word() {
    let read = read(
        "a.csv",
        "\u{feff}\u{feff}Lead\u{200b}Id,Last\u{a0}Name,Note\u{a0}\n1,2,3\n",
    );
    let texts = read.records[0].cells.iter().map(|(name, ..)| name.as_str());
    assert_eq!(texts.collect::<Vec<_>>(), ["LeadId", "Last Name", "Note"]);
    let messages: Vec<_> = read
        .header
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "invisible characters in the column's name: U+200B",
            "no-break spaces in the column's name"
        ]
    );
    let codes = read.header.iter().map(|problem| problem.code);
    assert!(
        codes
            .into_iter()
            .all(|code| code == Code::InvisibleCharacter)
    );
}

#[test]
fn names_that_differ_in_letter_case_only_are_told() {
    let read = read("a.csv", "Email,id,email\n1,2,3\n");
    assert_eq!(read.header.len(), 1);
    assert_eq!(read.header[0].code, Code::SimilarHeaders);
    assert_eq!(read.header[0].severity, crate::model::Severity::Warning);
    assert!(read.header[0].message.contains("columns 1 and 3"));
    assert_eq!(read.records[0].texts(), ["1", "2", "3"]);
}

#[test]
fn a_header_in_the_middle_is_a_problem_and_never_a_record() {
    let joined = read(
        "a.csv",
        "Id,Name,Note\n1,Ann,x\nId,Name,Note\n2,Name,y\n\u{feff}Id,Name,Note\nName,Id,Note\n3,Bob,Note\n",
    );
    let expected = [3, 5, 6].map(|line| (Code::RepeatedHeader, line));
    assert_eq!(joined.codes(), expected);
    assert_eq!(joined.records.len(), 3);
    assert!(joined.problems[2].message.contains("in another order"));
    let one = read("a.csv", "Id\n1\n\u{feff}Id\nId\n2\n");
    assert_eq!(one.codes(), [3, 4].map(|line| (Code::RepeatedHeader, line)));
    // With the mark and quotes, these are two faults.
    let quoted = read("a.csv", "Id,Name\n1,Ann\n\u{feff}\"Id\",Name\n");
    assert_eq!(quoted.records.len(), 1);
}

#[test]
fn a_title_above_the_header_is_refused_and_the_row_can_be_named() {
    let rows = "LeadId;Name;Note\n1;Ann;x\n2;Bob;\n";
    for (above, row) in [
        ("Open Matters\nGenerated: 2026-01-05\n\n", 4),
        ("Open Matters, Nevada\n", 2),
        ("Open Matters;;\nPrepared by;Ann Lee;\n", 3),
        ("# exported; today\n#\n", 3),
        ("\"Open\nMatters\"\n", 2),
    ] {
        let text = format!("{above}{rows}");
        let message = refused("a.csv", &text);
        assert!(
            message.contains(&format!("use --header-row {row}")),
            "{message}"
        );
        assert!(
            message.contains("\"LeadId\", \"Name\", \"Note\""),
            "{message}"
        );
        let named = ReadOptions {
            header_row: Some(row),
            ..ReadOptions::default()
        };
        let read = read_with("a.csv", &text, &named);
        assert_eq!(read.records[1].get("Name"), "Bob", "{text}");
        assert_eq!(read.records[1].number, Some(row + 2));
        let beyond = ReadOptions {
            header_row: Some(row + 9),
            ..ReadOptions::default()
        };
        assert!(refused_with("a.csv", &text, &beyond).contains("does not exist"));
    }
    let blank = ReadOptions {
        header_row: Some(2),
        ..ReadOptions::default()
    };
    assert!(refused_with("a.csv", "a,b\n\nc,d\n", &blank).contains("row 2"));
    // Files without a title, some of them wrong in other ways.
    for text in [
        "#,Name\n1,Ann\n",
        "# id,Name,Note\n1,Ann,x\n",
        "Note\na; b\nc\nd\n",
        "a,b\n1,2,3\n4,5,6\n",
        "Id\n1,2\n",
        "Id,,\n1,,\n",
    ] {
        assert!(
            try_read("a.csv", text.as_bytes(), &ReadOptions::default()).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn a_header_names_each_column_once() {
    let read = read("a.csv", " Phone ,Name,Phone\n1,2,3\n");
    assert_eq!(read.header.len(), 1);
    assert_eq!(read.header[0].code, Code::DuplicateHeader);
    assert_eq!(read.header[0].column.as_deref(), Some("Phone"));
    assert!(
        read.header[0].message.contains("columns 1 and 3"),
        "{}",
        read.header[0].message
    );
    assert_eq!(read.records[0].texts(), ["1", "2"]);
}

#[test]
fn a_column_without_a_name_must_be_empty() {
    let read = read(
        "a.csv",
        "a,,b,,\n1,,2,,\n3,x,4,,\n5,,6\n7,,8,,y\n9,,9,,,\n9\n",
    );
    assert_eq!(
        read.codes(),
        [
            (Code::EmptyHeader, 3),
            (Code::EmptyHeader, 5),
            (Code::RaggedRow, 7)
        ]
    );
    let texts: Vec<_> = read.records.iter().map(Row::texts).collect();
    assert_eq!(texts, [["1", "2"], ["5", "6"], ["9", "9"]]);
    assert_eq!(read.problems[0].value.as_deref(), Some("x"));
    assert!(read.problems[1].message.contains("column 5"));
}

#[test]
fn an_unclosed_quote_is_reported_with_its_line() {
    let read = read("a.csv", "a,b\n1,2\n3,\"oops\n4,5\n6,7\n");
    assert_eq!(read.records.len(), 1);
    assert_eq!(read.problems, []);
    assert_eq!(read.lost.len(), 1);
    assert_eq!(read.lost[0].code, Code::UnclosedQuote);
    assert_eq!(read.lost[0].place.line, 3);
    assert_eq!(read.lost[0].column.as_deref(), Some("b"));
    assert!(read.lost[0].message.contains("opened in line 3"));
    assert!(refused("a.csv", "a,\"b\n1,2\n").contains("line 1: a quote of the header"));
}

#[test]
fn a_row_larger_than_the_limit_ends_the_reading() {
    let mut options = ReadOptions::default();
    options.limits.record = 100;
    let long = format!("a,b\n1,2\n3,{}\n5,6\n", "x".repeat(200));
    let read = read_with("a.csv", &long, &options);
    assert_eq!(
        (read.records.len(), read.codes()),
        (1, vec![(Code::TooLarge, 3)])
    );
    let open_quote = format!("a,b\n1,2\n3,\"{}\n5,6\n", "x\n".repeat(200));
    let read = read_with("a.csv", &open_quote, &options);
    assert_eq!(read.codes(), [(Code::TooLarge, 3)]);
    assert!(read.lost[0].hint.as_deref().unwrap().contains("line 3"));
    assert!(refused_with("a.csv", "x".repeat(300), &options).contains("line 1: record larger"));
}

#[test]
fn a_cell_of_ten_megabytes_is_read_whole() {
    let text = "lorem \"\"ipsum\"\"\n".repeat(700_000);
    let read = try_read(
        "a.csv",
        format!("a,b\n1,\"{text}\"\n2,3\n").as_bytes(),
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(read.records[0].get("b").len(), 14 * 700_000);
    assert_eq!(read.records[1].line, 700_003);
}

#[test]
fn invalid_bytes_are_reported_in_their_cell() {
    // The first block is plain ASCII, so nothing is guessed.
    let mut bytes = b"Name,Note\n".to_vec();
    bytes.extend("Ada,fine\n".repeat(10_000).bytes());
    bytes.extend(b"Jos\xe9,\"ok\nok\"\nBob,\"x\nna\xefve\"\nEve,\xc3\xa9\n");
    let read = read("a.csv", &bytes);
    assert_eq!(
        read.codes(),
        [(Code::InvalidText, 10_002), (Code::InvalidText, 10_004)]
    );
    assert_eq!(read.problems[0].column.as_deref(), Some("Name"));
    assert_eq!(read.problems[0].message, "line 10002: not valid UTF-8 text");
    assert_eq!(read.problems[1].column.as_deref(), Some("Note"));
    assert!(read.problems[1].message.starts_with("line 10005: "));
    assert!(
        read.problems[0]
            .hint
            .as_deref()
            .unwrap()
            .contains("--encoding windows-1252")
    );
    assert_eq!(read.records.last().unwrap().get("Note"), "\u{e9}");
}

#[test]
fn a_header_alone_has_no_records_and_an_empty_file_is_refused() {
    assert_eq!(read("a.csv", "a,b\n"), Read::default());
    assert_eq!(read("a.csv", "a,b"), Read::default());
    for text in ["", "\n", " \r\n,,\n", "\u{feff}", "\u{feff}\n\n"] {
        assert_eq!(
            refused("a.csv", text),
            "is empty: it has no records",
            "{text:?}"
        );
    }
}

#[test]
fn columns_have_a_limit() {
    let wide = |count: usize| {
        let header: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
        format!("{}\n{}\n", header.join(","), vec!["x"; count].join(","))
    };
    assert_eq!(read("a.csv", wide(300)).records[0].texts().len(), 300);
    assert!(refused("a.csv", wide(10_001)).contains("10001 columns, more than the limit of 10000"));
}

#[test]
fn control_characters_pass_as_they_are() {
    let read = read("a.csv", "a,b\n\u{0}x,\u{1b}[31mred\n");
    assert_eq!(read.records[0].texts(), ["\u{0}x", "\u{1b}[31mred"]);
}

#[test]
fn a_rejects_file_reads_back_as_the_original() {
    let read = read(
        "a.csv",
        concat!(
            "Name,Sum,caseload_key,caseload_reason,caseload_escaped\n",
            "'=A1,'-5,\"key:[\"\"1\"\"]\",why,\"escaped:[\"\"Name\"\"]\"\n",
            "'=A1,mended,,why,\"escaped:[\"\"Name\"\",\"\"Sum\"\",\"\"Gone\"\"]\"\n",
            "'a,\"'b\"\"\",,,\n",
            "a,b,,,escaped:oops\n",
        ),
    );
    let texts: Vec<_> = read.records.iter().map(Row::texts).collect();
    assert_eq!(
        texts,
        [
            ["=A1", "'-5", "key:[\"1\"]"],
            ["=A1", "mended", ""],
            ["'a", "'b\"", ""]
        ]
    );
    assert_eq!(read.codes(), [(Code::BadCaseloadKey, 5)]);
}

#[test]
fn delimiters_that_would_be_ambiguous_are_refused() {
    for delimiter in [b'"', b'\n', 0, 0xe9] {
        let options = ReadOptions {
            delimiter: Some(delimiter),
            ..ReadOptions::default()
        };
        assert!(refused_with("a.csv", "a,b\n", &options).contains("can't be used as a delimiter"));
    }
}
