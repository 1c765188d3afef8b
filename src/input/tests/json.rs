//! JSON and NDJSON.

use super::super::ReadOptions;
use super::super::json::MAX_DEPTH;
use super::*;

fn records(name: &str) -> ReadOptions {
    ReadOptions {
        records: Some(name.to_owned()),
        ..ReadOptions::default()
    }
}

#[test]
fn an_array_gives_its_objects_with_their_lines() {
    let read = read(
        "a.json",
        "[\n  {\"id\": \"a\", \"n\": 12345678901234567890123.50},\r\n  {\n \"id\":\"\\u00e9\\n\\ud83d\\ude00\",\"b\":true,\"z\":null, \"o\" : {\"p\":[1, 2]}}\n]\n",
    );
    assert_eq!(read.codes(), []);
    let [first, second] = &read.records[..] else {
        panic!("{read:?}")
    };
    assert_eq!((first.line, second.line), (2, 3));
    assert_eq!(first.get("n"), "12345678901234567890123.50");
    assert_eq!(first.kind("n"), CellKind::Number);
    assert_eq!(second.get("id"), "\u{e9}\n\u{1f600}");
    assert_eq!(second.kind("b"), CellKind::Bool);
    assert_eq!((second.kind("z"), second.get("z")), (CellKind::Null, ""));
    assert_eq!(
        (second.kind("o"), second.get("o")),
        (CellKind::Json, "{\"p\":[1, 2]}")
    );
    assert_eq!(second.kind("n"), CellKind::Absent);
    assert_eq!(
        first.json.as_deref(),
        Some("{\"id\": \"a\", \"n\": 12345678901234567890123.50}")
    );
}

#[test]
fn one_object_is_one_record() {
    let read = read("a.json", " {\"a\": {\"b\": [1]}, \"c\": [\"x\"]} \n");
    assert_eq!(read.records.len(), 1);
    assert_eq!(read.records[0].get("c"), "[\"x\"]");
    assert_eq!(super::read("a.json", "{}").records.len(), 1);
}

#[test]
fn an_only_member_with_objects_holds_the_records() {
    let read = read("a.json", "{\"cases\": [ {\"a\": 1}, {\"a\": 2} ] }");
    assert_eq!(read.records.len(), 2);
    assert_eq!(super::read("a.json", "{\"cases\":[]}").records.len(), 0);
    assert_eq!(super::read("a.json", "[]").records.len(), 0);
}

#[test]
fn records_that_may_be_elsewhere_are_asked_about() {
    let sf = "{\"status\": 0, \"result\": {\"records\": [{\"a\": 1}], \"done\": true}, \"warnings\": []}";
    for (text, arrays) in [
        ("{\"total\": 2, \"cases\": [{\"a\": 1}]}", &["cases"][..]),
        ("{\"cases\": [{\"a\": 1}], \"total\": 2}", &["cases"]),
        ("{\"total\": 0, \"cases\": []}", &["cases"]),
        ("{\"cases\": [], \"total\": 0}", &["cases"]),
        (sf, &["result.records"]),
        (
            "{\"result\": {\"records\": [{\"a\": 1}]}}",
            &["result.records"],
        ),
        ("{\"warnings\": [], \"x\": {\"y\": [{\"a\": 1}]}}", &["x.y"]),
        (
            "{\"x\": {\"y\": [{\"b\": 1}]}, \"z\": [{\"a\": 1}]}",
            &["x.y", "z"],
        ),
    ] {
        let message = refused("a.json", text);
        for array in arrays {
            assert!(message.contains(&format!("--records {array}")), "{message}");
        }
        assert_eq!(
            message.matches("--records").count(),
            arrays.len() + 1,
            "{message}"
        );
        assert!(message.contains("--records ."), "{message}");
        let named = read_with("a.json", text, &records(arrays.last().unwrap()));
        assert_eq!(named.records.len(), text.matches("{\"a\"").count());
        let whole = read_with("a.json", text, &records("."));
        assert_eq!(whole.records[0].json.as_deref(), Some(text));
    }
    assert_eq!(
        read("a.json", "{\"id\": 1, \"tags\": [1], \"x\": {\"y\": []}}")
            .records
            .len(),
        1
    );
}

#[test]
fn records_are_found_by_a_dotted_path() {
    let text = "{\"meta\": {\"list\": [1, \"}\"]}, \"data\": {\"n\": 1, \"items\": [{\"a\": 1},\n{\"a\": 2}], \"x\": \"]\"}, \"y\": 0}";
    let read = read_with("a.json", text, &records("data.items"));
    assert_eq!(read.codes(), []);
    assert_eq!(read.records.len(), 2);
    assert_eq!(read.records[1].line, 2);
    let message = refused_with("a.json", text, &records("data.rows"));
    assert!(message.contains("no member \"data.rows\""), "{message}");
    assert!(message.contains("\"n\", \"items\", \"x\""), "{message}");
    assert!(refused_with("a.json", text, &records("y")).contains("neither an array"));
    assert_eq!(read_with("a.json", text, &records("meta")).records.len(), 1);
}

#[test]
fn a_file_cut_off_is_truncated_and_never_shorter() {
    let text = "[{\"a\": 1},\n {\"a\": \"xy\"}]";
    for length in 1..text.len() {
        let read = try_read(
            "a.json",
            &text.as_bytes()[..length],
            &ReadOptions::default(),
        )
        .unwrap();
        assert_eq!(read.lost.len(), 1, "{length}: {read:?}");
        assert_eq!(read.lost[0].code, Code::Truncated);
        assert_eq!(read.problems, []);
    }
    let read = read("a.json", "[{\"a\": 1},\n {\"a\": \"xy");
    assert_eq!(read.records.len(), 1);
    assert!(
        read.lost[0]
            .message
            .starts_with("line 2, column 2: the file ends in the middle"),
        "{}",
        read.lost[0].message
    );
    let wrapped = "{\"cases\":[{\"a\":1}]";
    assert_eq!(super::read("a.json", wrapped).lost[0].code, Code::Truncated);
    assert!(refused("a.json", "{\"a\": 1").contains("the file ends"));
}

#[test]
fn only_a_syntax_error_in_a_record_ends_an_array() {
    let deep = |levels: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    };
    for (record, code, column) in [
        ("5".to_owned(), Code::NotAnObject, 1),
        ("\"x\"".to_owned(), Code::NotAnObject, 1),
        ("[1]".to_owned(), Code::NotAnObject, 1),
        ("null".to_owned(), Code::NotAnObject, 1),
        (
            "{\"a\":1,\"b\":2,\"a\":3}".to_owned(),
            Code::DuplicateMember,
            14,
        ),
        (
            "{\"a\":1,\"\\u0061\":3}".to_owned(),
            Code::DuplicateMember,
            8,
        ),
        ("{\"a\":1,}".to_owned(), Code::BadJson, 8),
        ("{\"a\":01}".to_owned(), Code::BadJson, 7),
        ("{\"a\" 1}".to_owned(), Code::BadJson, 6),
        ("{'a':1}".to_owned(), Code::BadJson, 2),
        ("{\"a\":\"\\ud800\"}".to_owned(), Code::BadJson, 13),
        ("{\"a\":\"\\udc00x\"}".to_owned(), Code::BadJson, 12),
        ("{\"a\":\"\\ud800\\u0041\"}".to_owned(), Code::BadJson, 18),
        ("{\"\u{e9}\":\"\\x\"}".to_owned(), Code::BadJson, 8),
        (
            "{\"a\":{\"b\":[\"\\ud800\"]}}".to_owned(),
            Code::BadJson,
            19,
        ),
        ("{\"a\":\"\t\"}".to_owned(), Code::BadJson, 6),
        ("{\"a\":NaN}".to_owned(), Code::BadJson, 6),
        ("{\"a\":[1}".to_owned() + "}", Code::BadJson, 8),
        (deep(200), Code::TooLarge, 5 + MAX_DEPTH as u64),
    ] {
        let text = format!("[\n{{\"x\":1}},\n{record},\n{{\"x\":2}}]");
        let array = read("a.json", &text);
        let text = format!("{{\"x\":1}}\n\n{record}\n{{\"x\":2}}");
        let lines = read("a.ndjson", &text);
        let place = format!("line 3, column {column}: ");
        for read in [&array, &lines] {
            assert_eq!(read.codes(), [(code, 3)], "{record}");
            let problem = read.problems.iter().chain(&read.lost).next().unwrap();
            let message = &problem.message;
            assert!(message.starts_with(&place), "{record}: {message}");
        }
        // An array ends at a syntax error; the next line is another text.
        let is_lost = !array.lost.is_empty();
        let is_syntax = code == Code::BadJson && !record.contains("\\u");
        assert_eq!(is_lost, is_syntax, "{record}");
        assert_eq!(array.records.len(), if is_lost { 1 } else { 2 }, "{record}");
        assert_eq!((lines.records.len(), lines.lost.len()), (2, 0), "{record}");
    }
    assert_eq!(read("a.json", deep(MAX_DEPTH)).codes(), []);
    assert!(serde_json::from_str::<serde_json::Value>(&deep(MAX_DEPTH)).is_ok());
}

#[test]
fn errors_between_records_end_an_array() {
    for (text, what) in [
        ("[{\"a\":1} {\"a\":2}]", "expected `,` or `]`"),
        ("[{\"a\":1},]", "expected a record"),
        ("[,{\"a\":1}]", "expected a record"),
        ("[{\"a\":1}] x", "more text after the end"),
        ("[{\"a\":1}]\n[{\"a\":1}]", "more text after the end"),
        ("{\"a\":[{}]]", "expected `,` or `}`"),
    ] {
        let read = read("a.json", text);
        assert_eq!(read.lost.len(), 1, "{text}");
        assert_eq!(read.lost[0].code, Code::BadJson);
        assert!(
            read.lost[0].message.contains(what),
            "{}",
            read.lost[0].message
        );
    }
    assert!(refused("a.json", "true").contains("line 1, column 1: expected an array"));
    assert!(refused("a.json", "{\"a\"; 1}").contains("line 1, column 5: expected `:`"));
}

#[test]
fn lines_of_ndjson_stand_for_themselves() {
    let read = read(
        "a.ndjson",
        "{\"a\":1}\r\n\n  \n{\"a\":2,\n {\"a\":3} \n{\"a\":4}",
    );
    assert_eq!(read.codes(), [(Code::Truncated, 4)]);
    let lines: Vec<_> = read
        .records
        .iter()
        .map(|row| (row.line, row.get("a")))
        .collect();
    assert_eq!(lines, [(1, "1"), (5, "3"), (6, "4")]);
}

#[test]
fn json_and_ndjson_are_distinguished_by_content() {
    for (name, text, count) in [
        ("a.json", "{\"a\":1}\n{\"a\":2}\n", 2),
        ("a.ndjson", "[\n{\"a\":1},\n{\"a\":2}]\n", 2),
        ("a", "[{\"a\":1},{\"a\":2}]", 2),
        ("a", "{\"a\":1}\n{\"a\":2}\n", 2),
        ("a", "{\n\"a\":1}\n", 1),
        ("a.txt", "\n {\"list\":[{\"a\":1},{\"a\":2}]}\n", 2),
    ] {
        assert_eq!(read(name, text).records.len(), count, "{name}: {text}");
    }
    let options = ReadOptions {
        format: Some("json".parse().unwrap()),
        ..ReadOptions::default()
    };
    let forced = read_with("a", "{\"a\":1}\n{\"a\":2}\n", &options);
    let hint = forced.lost[0].hint.as_deref().unwrap();
    assert!(hint.contains("--format ndjson"), "{hint}");
}

#[test]
fn a_rejects_file_loses_what_was_added() {
    let read = read(
        "a.ndjson",
        "{\"a\": 1, \"caseload_reason\": {\"x\":[]}, \"caseload_key\":\"key:[]\"}\n{\"caseload_reason\":1}\n{\"b\":\"\\n\"}\n",
    );
    assert_eq!(
        read.records[0].json.as_deref(),
        Some("{\"a\": 1,\"caseload_key\":\"key:[]\"}")
    );
    assert_eq!(read.records[0].kind("caseload_reason"), CellKind::Absent);
    assert_eq!(read.records[1].json.as_deref(), Some("{}"));
    assert_eq!(read.records[2].get("b"), "\n");
}

#[test]
fn distinct_names_have_a_limit() {
    let mut options = ReadOptions::default();
    options.limits.columns = 2;
    let read = read_with(
        "a.ndjson",
        "{\"a\":1,\"b\":2}\n{\"c\":3}\n{\"b\":4}\n",
        &options,
    );
    assert_eq!(read.codes(), [(Code::TooLarge, 2)]);
    assert_eq!(read.records.len(), 2);
}

#[test]
fn large_records_end_the_reading() {
    let mut options = ReadOptions::default();
    options.limits.record = 100;
    let long = "x".repeat(300);
    for name in ["a.json", "a.ndjson"] {
        let text = if name == "a.json" {
            format!("[{{\"a\":1}},\n{{\"a\":\"{long}\"}},\n{{\"a\":1}}]")
        } else {
            format!("{{\"a\":1}}\n{{\"a\":\"{long}\"}}\n{{\"a\":1}}")
        };
        let read = read_with(name, &text, &options);
        assert_eq!(read.codes(), [(Code::TooLarge, 2)], "{name}");
        assert_eq!((read.records.len(), read.lost.len()), (1, 1));
    }
    let text = format!("{{\"a\":\"{long}\"}}");
    assert!(refused_with("a.json", text, &options).contains("larger than the limit of 100 bytes"));
}

#[test]
fn invalid_bytes_are_reported_with_their_position() {
    let mut bytes = b"[".to_vec();
    bytes.extend("{\"a\":1},\n".repeat(10_000).bytes());
    bytes.extend(b"{\"a\":\"\xe9\"},{\"a\":2}]");
    let read = read("a.json", &bytes);
    assert_eq!(read.codes(), [(Code::InvalidText, 10_001)]);
    assert!(
        read.problems[0]
            .message
            .starts_with("line 10001, column 7:")
    );
    assert_eq!(read.records.len(), 10_001);
}

#[test]
fn a_repeated_member_in_a_nested_object_is_reported_with_its_path() {
    let wide = |last: &str| {
        let members = (0..200).fold(String::new(), |text, n| text + &format!("\"m{n}\":{n},"));
        format!("{{\"a\":{{{members}\"{last}\":0}}}}")
    };
    for (record, path, column) in [
        (
            "{\"Client\":{\"name\":1,\"name\":2}}".to_owned(),
            "Client.name",
            21,
        ),
        (
            "{\"a\":{\"x\":1,\"b\":{\"c\":1,\"\\u0063\":2}}}".to_owned(),
            "a.b.c",
            24,
        ),
        (
            "{\"a\":[1,{\"b\":[[{\"c\":1,\"c\":1}]]}]}".to_owned(),
            "a[1].b[0][0].c",
            23,
        ),
        (wide("m7"), "a.m7", wide("").len() as u64 - 5),
    ] {
        let array = format!("[{{\"x\":1}},\n{record},\n{{\"x\":2}}]");
        let lines = format!("{{\"x\":1}}\n{record}\n{{\"x\":2}}");
        for read in [read("a.json", array), read("a.ndjson", lines)] {
            assert_eq!(read.codes(), [(Code::DuplicateMember, 2)], "{record}");
            assert_eq!(read.records.len(), 2, "{record}");
            let problem = &read.problems[0];
            assert_eq!(problem.column.as_deref(), Some(path));
            let place = format!("line 2, column {column}: the object has the member ");
            assert!(problem.message.starts_with(&place), "{}", problem.message);
        }
    }
    // The same name in two objects is none of it.
    let apart = "[{\"a\":{\"n\":{\"n\":1}},\"b\":[{\"n\":1},{\"n\":2}],\"n\":1}]";
    assert_eq!(read("a.json", apart).codes(), []);
    assert_eq!(read("a.json", format!("[{}]", wide("new"))).codes(), []);
}

#[test]
fn an_invalid_byte_does_not_shift_later_positions() {
    // Whether the two records come in one chunk or in two.
    let options = ReadOptions {
        encoding: Some("utf-8".to_owned()),
        ..ReadOptions::default()
    };
    let read = read_with(
        "a.json",
        b"[{\"a\":\"\x81\"},{\"b\":1,\"b\":2}]\n",
        &options,
    );
    assert_eq!(read.problems.len(), 2);
    let message = &read.problems[1].message;
    assert!(message.starts_with("line 1, column 18: "), "{message}");
}
