//! The content of the rows, and that it can be read back unchanged.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::model::{Code, FileId, Place, Problem, reserved};

/// Reads a table back: its cells by column, without the apostrophes.
fn read_back(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut rows = read_csv(path).into_iter();
    let original = |cell: &str| match cell.strip_prefix('\'') {
        Some(guarded) => reserved::unescape(guarded).into_owned(),
        None => cell.to_owned(),
    };
    let header: Vec<String> = rows
        .next()
        .unwrap()
        .iter()
        .map(|name| original(name))
        .collect();
    assert_eq!(header.last().unwrap(), "caseload_escaped");
    rows.map(|row| {
        let list = row.last().unwrap().strip_prefix("escaped:");
        let escaped: Vec<String> =
            list.map_or_else(Vec::new, |list| serde_json::from_str(list).unwrap());
        let cells = header.iter().cloned().zip(row);
        cells
            .map(|(name, cell)| {
                let is_escaped = escaped.contains(&name);
                (name, if is_escaped { original(&cell) } else { cell })
            })
            .collect()
    })
    .collect()
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-=+@\t\r\n' \",;＝\u{feff}]{0,3}[a-z0-9=\"\n]{0,5}",
    ]
}

proptest! {
    #[test]
    fn any_table_can_be_read_back_unchanged(
        columns in prop::collection::hash_set("[-=+@a-zA-Z \",'\n]{1,6}", 1..5),
        rows in prop::collection::vec(prop::collection::vec(cell(), 5), 0..5),
    ) {
        let columns: Vec<String> = columns.into_iter().collect();
        let names: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        let dir = TestDir::new();
        let path = dir.path("rejects.csv");
        let raws: Vec<String> = rows
            .iter()
            .map(|row| {
                let object: Map<String, Value> = columns
                    .iter()
                    .cloned()
                    .zip(row.iter().map(|cell| Value::String(cell.clone())))
                    .collect();
                Value::Object(object).to_string()
            })
            .collect();
        let texts: Vec<&str> = raws.iter().map(AsRef::as_ref).collect();
        write_rejects(&path, false, &names, &texts).unwrap();
        let back = read_back(&path);
        prop_assert_eq!(back.len(), rows.len());
        for (back, row) in back.iter().zip(&rows) {
            for ((name, cell), (column, wanted)) in back.iter().zip(columns.iter().zip(row)) {
                prop_assert_eq!((name, cell), (column, wanted));
            }
        }
        // No cell looks like a formula to a spreadsheet.
        for row in read_csv(&path).iter().skip(1) {
            for cell in row {
                prop_assert!(!super::super::table::is_formula(cell), "{cell:?}");
            }
        }
    }

    #[test]
    fn any_object_keeps_its_members(
        members in prop::collection::btree_map("[a-z\" é]{1,6}", cell(), 0..5),
        pretty in any::<bool>(),
    ) {
        let mut object: Map<String, Value> = members
            .into_iter()
            .map(|(name, text)| (name, Value::String(text)))
            .collect();
        let raw = if pretty {
            serde_json::to_string_pretty(&object).unwrap()
        } else {
            serde_json::to_string(&object).unwrap()
        };
        let line = rejected_line(&raw);
        prop_assert_eq!(line.matches('\n').count(), 1);
        object.insert("caseload_key".into(), "key:[\"1\"]".into());
        object.insert("caseload_reason".into(), "no".into());
        prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), Value::Object(object));
    }
}

/// A record as the rejects of a JSON input have it.
fn rejected_line(raw: &str) -> String {
    line_of(raw, Some(&Key::new(["1"])))
}

/// The same without a known key.
fn unread_line(raw: &str) -> String {
    line_of(raw, None)
}

fn line_of(raw: &str, key: Option<&Key>) -> String {
    let dir = TestDir::new();
    let path = dir.path("rejects.ndjson");
    let file = opener(false, &[]).open(&path, Format::Ndjson).unwrap();
    let mut rejects = RejectsFile::create(file, &json("x")).unwrap();
    rejects.add(raw, key, "no");
    rejects.into_file().finish().unwrap();
    fs::read_to_string(&path).unwrap()
}

#[test]
fn rejects_of_a_table_have_its_columns_and_ours() {
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    let file = opener(true, &[]).open(&path, Format::Csv).unwrap();
    // A rejects file that was rejected again has our columns once.
    let columns = ["Lead ID", "Phone", "caseload_key", "caseload_reason"];
    let mut rejects = RejectsFile::create(file, &table("x", &columns)).unwrap();
    rejects.add(
        r#"{"caseload_key":"key:[\"old\"]","Phone":"+17025550101","Lead ID":"00123"}"#,
        Some(&Key::new(["00123"])),
        "HTTP 422: no",
    );
    // Without a new key it keeps the one that it has.
    rejects.add(
        r#"{"caseload_key":"key:[\"00124\"]","Lead ID":"124"}"#,
        None,
        "no date",
    );
    rejects.add("", None, "line 9: unclosed quote");
    rejects.add(r#"{"Lead ID":12.50,"Phone":null}"#, None, "x");
    rejects.into_file().finish().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\u{feff}Lead ID,Phone,caseload_key,caseload_reason,caseload_escaped\n\
         00123,'+17025550101,\"key:[\"\"00123\"\"]\",HTTP 422: no,\"escaped:[\"\"Phone\"\"]\"\n\
         124,,\"key:[\"\"00124\"\"]\",no date,\n\
         ,,,line 9: unclosed quote,\n\
         12.50,,,x,\n"
    );
}

#[test]
fn records_that_could_not_be_read_have_their_text_in_a_column() {
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    let file = opener(true, &[]).open(&path, Format::Csv).unwrap();
    let mut input = table("x", &["Id", "Name"]);
    input.has_unread = true;
    let mut rejects = RejectsFile::create(file, &input).unwrap();
    rejects.add(
        r#"{"Id":"1","Name":"Ann","caseload_text":"1,Ann,=x"}"#,
        None,
        "3 cells",
    );
    rejects.add(r#"{"Id":"2","Name":""}"#, Some(&Key::new(["2"])), "no name");
    rejects.into_file().finish().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\u{feff}Id,Name,caseload_key,caseload_reason,caseload_escaped,caseload_text\n\
         1,Ann,,3 cells,,\"1,Ann,=x\"\n\
         2,,\"key:[\"\"2\"\"]\",no name,,\n"
    );
}

#[test]
fn rejects_of_json_keep_every_digit() {
    assert_eq!(
        rejected_line(
            "{\n  \"n\": 12345678901234567890123.4500,\n  \"caseload_reason\": \"old\",\n  \"d\": {\n \"e\": [1,\n 2]}\n}"
        ),
        "{\"n\":12345678901234567890123.4500,\"d\":{\"e\": [1,2]},\
         \"caseload_key\":\"key:[\\\"1\\\"]\",\"caseload_reason\":\"no\"}\n"
    );
    assert_eq!(
        rejected_line("{}"),
        "{\"caseload_key\":\"key:[\\\"1\\\"]\",\"caseload_reason\":\"no\"}\n"
    );
    assert_eq!(
        unread_line("{\"a\":1,\"a\":2,\"caseload_key\":\"key:[\\\"7\\\"]\"}"),
        "{\"a\":1,\"a\":2,\"caseload_key\":\"key:[\\\"7\\\"]\",\"caseload_reason\":\"no\"}\n"
    );
    // Text that is not an object is kept too.
    assert_eq!(
        rejected_line("[1,"),
        "{\"caseload_text\":\"[1,\",\"caseload_key\":\"key:[\\\"1\\\"]\",\"caseload_reason\":\"no\"}\n"
    );
}

#[test]
fn cases_have_what_became_of_them_and_then_their_columns_as_they_were() {
    let dir = TestDir::new();
    let path = dir.path("in-doubt.csv");
    // The input has been through caseload before.
    let inputs = [
        table("a.csv", &["Lead ID", "caseload_state", "Name"]),
        json("b.json"),
    ];
    let file = opener(true, &[]).open(&path, Format::Csv).unwrap();
    let mut in_doubt = CaseTable::create(file, Some(reserved::DECISION), &[], &inputs).unwrap();
    let raw = r#"{"Lead ID":"00123","caseload_state":"rejected","Name":"=Ann"}"#;
    let case = CaseRow {
        possible_twin: true,
        ..case_row("00123", "a.csv", State::InDoubt, raw)
    };
    in_doubt.add(&case, &inputs[0].shape, None);
    let json = CaseRow {
        raw_record: Some("{\"id\":\n123}".to_owned()),
        message: None,
        status: None,
        possible_twin: false,
        ..case.clone()
    };
    in_doubt.add(&json, &inputs[1].shape, None);
    let dropped = CaseRow {
        raw_record: None,
        ..json
    };
    in_doubt.add(&dropped, &inputs[0].shape, None);
    assert_eq!(in_doubt.without_record, 1);
    in_doubt.into_file().finish().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\u{feff}caseload_decision,caseload_key,caseload_state,caseload_case_id,\
         caseload_status,caseload_attempts,caseload_time,caseload_message,Lead ID,Name,\
         caseload_record,caseload_escaped\n\
         ,\"key:[\"\"00123\"\"]\",in_doubt,,422,2,1970-01-01T00:00:00Z,no such case type \
         imported after an attempt in doubt: it may exist twice [possible-twin],\
         00123,'=Ann,,\"escaped:[\"\"Name\"\"]\"\n\
         ,\"key:[\"\"00123\"\"]\",in_doubt,,,2,1970-01-01T00:00:00Z,,,,\
         \"{\"\"id\"\":123}\",\n\
         ,\"key:[\"\"00123\"\"]\",in_doubt,,,2,1970-01-01T00:00:00Z,,,,,\n"
    );
}

#[test]
fn problems_are_rows_and_can_be_redacted() {
    let dir = TestDir::new();
    let problem = Problem {
        also: vec![Place {
            file: FileId(1),
            line: 9,
            row: None,
            index: 0,
        }],
        ..Problem::new(
            Code::BadPhone,
            Place {
                file: FileId(0),
                line: 4,
                row: None,
                index: 2,
            },
            "not a phone number",
        )
        .in_column("Phone")
        .with_value("+1 702")
        .with_hint("10 digits")
    };
    let files = vec!["a.csv".to_owned(), "b.csv".to_owned()];
    for (redact, value, escaped) in [
        (false, "'+1 702", "escaped:[\"value\"]"),
        (true, "'+9 999", "escaped:[\"value\"]"),
    ] {
        let path = dir.path("problems.csv");
        let file = opener(true, &[]).open(&path, Format::Csv).unwrap();
        let mut file = ProblemsFile::create(file, files.clone(), redact).unwrap();
        file.add(&problem);
        file.finish().unwrap();
        assert_eq!(
            read_csv(&path),
            [
                [
                    "severity",
                    "code",
                    "file",
                    "row",
                    "line",
                    "key",
                    "column",
                    "value",
                    "message",
                    "hint",
                    "also",
                    "caseload_escaped",
                ],
                [
                    "error",
                    "bad-phone",
                    "a.csv",
                    "",
                    "4",
                    "",
                    "Phone",
                    value,
                    "not a phone number",
                    "10 digits",
                    "b.csv:9",
                    escaped,
                ],
            ]
        );
    }
}

#[test]
fn shapes_are_detected_by_name_and_by_content() {
    let seen = |raws: &[&str], file: &str| {
        let mut seen = ShapeDetector::default();
        for raw in raws {
            seen.add(raw);
        }
        seen.finish(file)
    };
    let texts = [r#"{"b":"1"}"#, r#"{"b":"2","a":"3","caseload_key":"k"}"#];
    assert_eq!(seen(&texts, "x.csv"), RecordShape::table(["b", "a"]));
    assert_eq!(
        seen(&texts, "standard input"),
        RecordShape::table(["b", "a"])
    );
    assert_eq!(seen(&texts, "x.JSON.gz"), RecordShape::Json);
    let typed = [r#"{"b":1}"#];
    assert_eq!(seen(&typed, "x.xlsx"), RecordShape::table(["b"]));
    assert_eq!(seen(&typed, "standard input"), RecordShape::Json);
    assert_eq!(seen(&[r#"{"b":{"c":1}}"#], "odd.csv"), RecordShape::Json);
}

#[test]
fn the_json_of_an_export_has_the_names_that_scripts_rely_on() {
    let case = CaseRow {
        case_id: Some("c1".to_owned()),
        possible_twin: true,
        ..case_row("00123", "a.csv", State::Imported, "{}")
    };
    let json = case_json(&case, None, false);
    assert_eq!(
        json,
        serde_json::json!({
            "schema": 1, "key": "00123", "state": "imported", "case_id": "c1",
            "file": "a.csv", "line": 7, "row": null, "partner_firm_id": "firm_1", "status": 422,
            "attempts": 2, "possible_twin": true, "updated_at": "1970-01-01T00:00:00Z",
            "forgotten_at": null,
            "message": "no such case type",
        })
    );
}
