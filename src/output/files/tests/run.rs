//! The outputs of a run and of an export.

use super::*;
use crate::model::{
    Answer, CaseData, Digest, EchoDifference, FileId, Person, Place, RunEvent, SettledAttempt,
    Verdict,
};

fn case(key: &str, file: u16, raw: &str) -> CaseData {
    CaseData {
        key: Key::new([key]),
        place: Place {
            file: FileId(file),
            line: 2,
            row: None,
            index: 0,
        },
        partner_firm: None,
        payload: "{}".into(),
        raw_record: raw.into(),
        payload_digest: Digest::default(),
        content_digest: None,
        record_digest: Digest::default(),
        person: Person::default(),
    }
}

fn settled<'a>(
    case: &'a CaseData,
    state: State,
    answer: &'a Answer,
    will_retry: bool,
) -> RunEvent<'a> {
    RunEvent::Settled(SettledAttempt {
        case,
        state,
        answer,
        attempts: 1,
        will_retry,
        possible_twin: false,
        same_id_as: None,
        at: Timestamp::UNIX_EPOCH,
    })
}

fn answer(status: u16, message: &str) -> Answer {
    Answer {
        status: Some(status),
        message: Some(message.into()),
        ..Answer::default()
    }
}

fn out(dir: &TestDir) -> OutputPaths {
    OutputPaths {
        results: Some(dir.path("results.csv")),
        rejects: Some(dir.path("rejects.csv")),
        in_doubt: Some(dir.path("in-doubt.csv")),
        json: None,
    }
}

fn begin(paths: &OutputPaths, sources: Vec<SourceFile>) -> RunFiles {
    let files = CaseFiles::open(&mut opener(true, &[]), paths, sources, None).unwrap();
    RunFiles::new(files)
}

/// Key, state and message of each result.
fn results(dir: &TestDir) -> Vec<(String, String, String)> {
    read_csv(&dir.path("results.csv"))
        .into_iter()
        .skip(1)
        .map(|row| (row[0].clone(), row[1].clone(), row[6].clone()))
        .collect()
}

fn row(key: &str, state: &str, message: &str) -> (String, String, String) {
    (format!("key:[\"{key}\"]"), state.into(), message.into())
}

#[test]
fn each_case_has_one_row_in_the_files_it_belongs_to() {
    let dir = TestDir::new();
    let sources = vec![table("cases.csv", &["Id"])];
    let mut files = CaseFiles::open(&mut opener(true, &[]), &out(&dir), sources, None).unwrap();
    files.add_reject(0, r#"{"Id":"e"}"#, None, "line 9: no partner firm");
    let mut files = RunFiles::new(files);
    let cases: Vec<CaseData> = ["a", "b", "c", "d"]
        .iter()
        .map(|key| case(key, 0, &format!("{{\"Id\":\"{key}\"}}")))
        .collect();
    let busy = answer(429, "slow down");
    files.add_event(&settled(&cases[0], State::NotSent, &busy, true));
    files.add_event(&settled(&cases[3], State::NotSent, &busy, true));
    assert!(results(&dir).is_empty(), "both will be tried again");
    let refused = answer(422, "no");
    files.add_event(&settled(&cases[1], State::Rejected, &refused, false));
    let lost = answer(502, "bad gateway");
    files.add_event(&settled(&cases[2], State::InDoubt, &lost, false));
    files.add_event(&settled(
        &cases[0],
        State::Imported,
        &Answer::default(),
        false,
    ));

    // Rows are there before the run has ended.
    let so_far = [
        row("b", "rejected", "no"),
        row("c", "in_doubt", "bad gateway"),
        row("a", "imported", ""),
    ];
    assert_eq!(results(&dir), so_far);

    let written = files.finish();
    assert!(written.errors.is_empty(), "{:?}", written.errors);
    let rows: Vec<(&str, u64)> = written
        .files
        .iter()
        .map(|file| (file.output, file.rows))
        .collect();
    assert_eq!(rows, [("results", 4), ("rejects", 2), ("in_doubt", 1)]);
    assert_eq!(results(&dir)[3], row("d", "not_sent", "slow down"));
    assert_eq!(
        read_csv(&dir.path("rejects.csv"))[1..],
        [
            ["e", "", "line 9: no partner firm", ""],
            ["b", "key:[\"b\"]", "HTTP 422: no", ""],
        ]
    );
    assert_eq!(
        read_csv(&dir.path("in-doubt.csv"))[1][..3],
        ["", "key:[\"c\"]", "in_doubt"]
    );
}

#[test]
fn files_without_rows_have_their_headers() {
    let dir = TestDir::new();
    let written = begin(&out(&dir), vec![table("cases.csv", &["Id"])]).finish();
    assert_eq!(written.files.len(), 3);
    for file in &written.files {
        assert_eq!(read_csv(&file.path).len(), 1);
    }
}

#[test]
fn an_answer_that_the_ledger_could_not_take_is_kept() {
    let dir = TestDir::new();
    let mut files = begin(&out(&dir), vec![table("cases.csv", &["Id"])]);
    let answer = Answer {
        status: Some(201),
        case_id: Some("c9".into()),
        ..Answer::default()
    };
    files.add_event(&RunEvent::SettleFailed {
        case: &case("a", 0, r#"{"Id":"a"}"#),
        verdict: Verdict::Imported,
        answer: &answer,
        error: "disk full",
    });
    files.finish();
    let row = &read_csv(&dir.path("results.csv"))[1];
    assert_eq!(row[1..4], ["in_doubt", "c9", "201"]);
    assert_eq!(row[6], "the ledger could not be written (disk full)");
    assert_eq!(read_csv(&dir.path("in-doubt.csv")).len(), 2);
}

#[test]
fn a_case_that_is_in_another_state_than_planned_has_a_row() {
    let dir = TestDir::new();
    let mut files = begin(&out(&dir), vec![table("cases.csv", &["Id"])]);
    for (key, state) in [("a", Some(State::Imported)), ("b", None)] {
        let case = &case(key, 0, r#"{"Id":"a"}"#);
        files.add_event(&RunEvent::Skipped { case, state });
    }
    files.finish();
    let expected = [row("a", "imported", "not sent: it is imported now")];
    assert_eq!(results(&dir), expected);
}

#[test]
fn an_id_of_another_case_and_differing_fields_are_reported() {
    let dir = TestDir::new();
    let mut files = begin(&out(&dir), vec![table("cases.csv", &["Id"])]);
    let (first, second) = (case("a", 0, "{}"), case("b", 0, "{}"));
    let echo = Answer {
        status: Some(201),
        case_id: Some("c1".into()),
        echo_differs: ["CaseType", "State"]
            .map(|field| EchoDifference {
                field: field.into(),
                sent: "a".into(),
                returned: "b".into(),
            })
            .into(),
        ..Answer::default()
    };
    files.add_event(&settled(&first, State::Imported, &echo, false));
    let RunEvent::Settled(same) = settled(&second, State::InDoubt, &echo, false) else {
        unreachable!()
    };
    files.add_event(&RunEvent::Settled(SettledAttempt {
        same_id_as: Some(&first.key),
        ..same
    }));
    files.finish();
    assert_eq!(
        results(&dir),
        [
            row(
                "a",
                "imported",
                "the server returned different values for: CaseType, State"
            ),
            row(
                "b",
                "in_doubt",
                "the case id in the response already belongs to a"
            ),
        ]
    );
}

#[test]
fn each_input_has_rejects_of_its_own() {
    let dir = TestDir::new();
    let inputs = vec![
        table("x/cases.csv", &["Id"]),
        table("y/Cases.xlsx", &["Id", "B"]),
        json("cases.json.gz"),
        SourceFile {
            path: None,
            ..json("standard input")
        },
    ];
    let wanted = OutputPaths {
        rejects: Some(dir.path("fix")),
        ..OutputPaths::default()
    };
    let mut files = begin(&wanted, inputs.clone());
    let refused = answer(422, "no");
    for file in 0..4 {
        let case = case("a", file, r#"{"Id":"a"}"#);
        files.add_event(&settled(&case, State::Rejected, &refused, false));
    }
    let names: Vec<String> = files
        .finish()
        .files
        .iter()
        .map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "cases.rejects.csv",
            "Cases-2.rejects.csv",
            "cases.rejects.ndjson",
            "stdin.rejects.ndjson",
        ]
    );
    assert_eq!(
        read_csv(&dir.path("fix/Cases-2.rejects.csv"))[1][..2],
        ["a", ""]
    );

    for file in ["rejects.csv", "fix/cases.rejects.csv"] {
        let wanted = OutputPaths {
            rejects: Some(dir.path(file)),
            ..OutputPaths::default()
        };
        let error =
            CaseFiles::open(&mut opener(false, &[]), &wanted, inputs.clone(), None).unwrap_err();
        assert!(
            matches!(error.reason, CannotWrite::DirectoryNeeded(4)),
            "{error}"
        );
    }
    // In an existing directory a single input's rejects get its name too.
    let single = vec![table("one.csv", &["Id"])];
    let files = begin(&wanted, single).finish().files;
    assert_eq!(files[0].path, dir.path("fix/one.rejects.csv"));
}

#[test]
fn a_run_has_a_folder_of_its_own() {
    let dir = TestDir::new();
    let inputs = vec![json("cases.json")];
    let first = RunDirectory::create(&dir.path("out"), "7").unwrap();
    let second = RunDirectory::create(&dir.path("out"), "7").unwrap();
    assert_eq!(first.problems(), dir.path("out/7/problems.csv"));
    assert_eq!(second.problems(), dir.path("out/7-2/problems.csv"));
    begin(&first.paths(&inputs), inputs).finish();
    first
        .write_summary(&serde_json::json!({"schema": 1}))
        .unwrap();
    let mut names: Vec<String> = fs::read_dir(dir.path("out/7"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "in-doubt.csv",
            "rejects.ndjson",
            "results.csv",
            "summary.json"
        ]
    );
}

#[test]
fn an_export_finds_the_rejects_file_by_the_input() {
    let dir = TestDir::new();
    let sources = vec![table("a.csv", &["Id"]), json("b.json")];
    let paths = OutputPaths {
        rejects: Some(dir.path("fix")),
        ..OutputPaths::default()
    };
    let mut files = CaseFiles::open(&mut opener(false, &[]), &paths, sources, None).unwrap();
    let rejected = |file, raw| case_row("1", file, State::Rejected, raw);
    files.add_case(Some(1), &rejected("b.json", r#"{"n":1.0}"#));
    files.add_case(Some(0), &rejected("a.csv", r#"{"Id":"1"}"#));
    let imported = case_row("1", "a.csv", State::Imported, r#"{"Id":"1"}"#);
    files.add_case(Some(0), &imported);
    let rows: Vec<u64> = files.finish().files.iter().map(|file| file.rows).collect();
    assert_eq!(rows, [1, 1]);
    assert_eq!(
        fs::read_to_string(dir.path("fix/b.rejects.ndjson")).unwrap(),
        "{\"n\":1.0,\"caseload_key\":\"key:[\\\"1\\\"]\",\
         \"caseload_reason\":\"HTTP 422: no such case type\"}\n"
    );
}

#[test]
fn an_export_of_nothing_has_headers_only() {
    let dir = TestDir::new();
    for (name, expected) in [
        (
            "rejects.csv",
            "\u{feff}caseload_key,caseload_reason,caseload_escaped\n",
        ),
        ("rejects.ndjson", ""),
    ] {
        let paths = OutputPaths {
            rejects: Some(dir.path(name)),
            ..OutputPaths::default()
        };
        CaseFiles::open(&mut opener(false, &[]), &paths, Vec::new(), None)
            .unwrap()
            .finish();
        assert_eq!(fs::read_to_string(dir.path(name)).unwrap(), expected);
    }
}
