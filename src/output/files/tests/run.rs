//! The outputs of a run and of an export.

use super::*;
use crate::model::{Answer, CaseData, Digest, Event, FileId, Place, SettledAttempt, Verdict};

fn case(key: &str, file: u16, raw: &str) -> CaseData {
    CaseData {
        key: Key::new([key]),
        place: Place {
            file: FileId(file),
            line: 2,
            index: 0,
        },
        partner_firm: None,
        payload: "{}".into(),
        raw: raw.into(),
        payload_digest: Digest::default(),
        content_digest: Digest::default(),
        record_digest: Digest::default(),
    }
}

fn settled<'a>(
    case: &'a CaseData,
    state: State,
    answer: &'a Answer,
    will_retry: bool,
) -> Event<'a> {
    Event::Settled(SettledAttempt {
        case,
        state,
        verdict: Verdict::NotSent,
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

fn out(room: &Room) -> Wanted {
    Wanted {
        results: Some(room.path("results.csv")),
        rejects: Some(room.path("rejects.csv")),
        in_doubt: Some(room.path("in-doubt.csv")),
    }
}

fn begin(room: &Room, wanted: Wanted, inputs: Vec<InputFile>) -> RunFiles {
    Opened::open(&mut room.opener(&[]), &[wanted], inputs)
        .unwrap()
        .begin_run()
        .unwrap()
}

/// The first column and the state of each result.
fn results(room: &Room) -> Vec<(String, String, String)> {
    read_csv(&room.path("results.csv"))
        .into_iter()
        .skip(1)
        .map(|row| (row[0].clone(), row[4].clone(), row[9].clone()))
        .collect()
}

fn row(key: &str, state: &str, message: &str) -> (String, String, String) {
    (key.into(), state.into(), message.into())
}

#[test]
fn a_case_has_one_row_and_stands_where_it_belongs() {
    let room = Room::new();
    let mut files = begin(&room, out(&room), vec![table("cases.csv", &["Id"])]);
    let cases: Vec<CaseData> = ["a", "b", "c", "d"]
        .iter()
        .map(|key| case(key, 0, &format!("{{\"Id\":\"{key}\"}}")))
        .collect();
    let busy = answer(429, "slow down");
    files.event(&settled(&cases[0], State::NotSent, &busy, true));
    files.event(&settled(&cases[3], State::NotSent, &busy, true));
    assert!(results(&room).is_empty(), "both will be tried again");
    let refused = answer(422, "no");
    files.event(&settled(&cases[1], State::Rejected, &refused, false));
    let lost = answer(502, "bad gateway");
    files.event(&settled(&cases[2], State::InDoubt, &lost, false));
    files.event(&settled(
        &cases[0],
        State::Imported,
        &Answer::default(),
        false,
    ));
    files.invalid(FileId(0), r#"{"Id":"e"}"#, None, "line 9: no partner firm");
    // Rows are there before the run has ended.
    let so_far = [
        row("b", "rejected", "no"),
        row("c", "in_doubt", "bad gateway"),
        row("a", "imported", ""),
    ];
    assert_eq!(results(&room), so_far);

    let written = files.finish();
    assert!(written.errors.is_empty(), "{:?}", written.errors);
    let rows: Vec<(Output, u64)> = written
        .files
        .iter()
        .map(|file| (file.output, file.rows))
        .collect();
    assert_eq!(
        rows,
        [
            (Output::Results, 4),
            (Output::Rejects, 2),
            (Output::InDoubt, 1)
        ]
    );
    assert_eq!(results(&room)[3], row("d", "not_sent", "slow down"));
    assert_eq!(
        read_csv(&room.path("rejects.csv"))[1..],
        [
            ["b", "key:[\"b\"]", "HTTP 422: no", ""],
            ["e", "", "line 9: no partner firm", ""],
        ]
    );
    assert_eq!(read_csv(&room.path("in-doubt.csv"))[1][0], "key:[\"c\"]");
}

#[test]
fn files_without_rows_have_their_headers() {
    let room = Room::new();
    let written = begin(&room, out(&room), vec![table("cases.csv", &["Id"])]).finish();
    assert_eq!(written.files.len(), 3);
    for file in &written.files {
        assert_eq!(read_csv(&file.path).len(), 1);
    }
}

#[test]
fn an_answer_that_the_ledger_could_not_take_is_kept() {
    let room = Room::new();
    let mut files = begin(&room, out(&room), vec![table("cases.csv", &["Id"])]);
    let answer = Answer {
        status: Some(201),
        case_id: Some("c9".into()),
        ..Answer::default()
    };
    files.event(&Event::SettleFailed {
        case: &case("a", 0, r#"{"Id":"a"}"#),
        verdict: Verdict::Imported,
        answer: &answer,
        error: "disk full",
    });
    files.finish();
    let row = &read_csv(&room.path("results.csv"))[1];
    assert_eq!(row[4..7], ["in_doubt", "c9", "201"]);
    assert_eq!(row[9], "the ledger could not be written (disk full)");
    assert_eq!(read_csv(&room.path("in-doubt.csv")).len(), 2);
}

#[test]
fn an_id_of_another_case_and_differing_fields_are_told() {
    let room = Room::new();
    let mut files = begin(&room, out(&room), vec![table("cases.csv", &["Id"])]);
    let (first, second) = (case("a", 0, "{}"), case("b", 0, "{}"));
    let echo = Answer {
        status: Some(201),
        case_id: Some("c1".into()),
        echo_differs: vec!["CaseType".into(), "State".into()],
        ..Answer::default()
    };
    files.event(&settled(&first, State::Imported, &echo, false));
    let Event::Settled(same) = settled(&second, State::InDoubt, &echo, false) else {
        unreachable!()
    };
    files.settled(&SettledAttempt {
        same_id_as: Some(&first.key),
        ..same
    });
    files.finish();
    assert_eq!(
        results(&room),
        [
            row(
                "a",
                "imported",
                "came back otherwise than sent: CaseType, State"
            ),
            row(
                "b",
                "in_doubt",
                "the case id that came back is already that of a"
            ),
        ]
    );
}

#[test]
fn each_input_has_rejects_of_its_own() {
    let room = Room::new();
    let inputs = vec![
        table("x/cases.csv", &["Id"]),
        table("y/Cases.xlsx", &["Id", "B"]),
        json("cases.json.gz"),
        InputFile {
            path: None,
            ..json("standard input")
        },
    ];
    let wanted = Wanted {
        rejects: Some(room.path("mend")),
        ..Wanted::default()
    };
    let mut files = begin(&room, wanted.clone(), inputs.clone());
    let refused = answer(422, "no");
    for file in 0..4 {
        let case = case("a", file, r#"{"Id":"a"}"#);
        files.event(&settled(&case, State::Rejected, &refused, false));
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
        read_csv(&room.path("mend/Cases-2.rejects.csv"))[1][..2],
        ["a", ""]
    );

    for file in ["rejects.csv", "mend/cases.rejects.csv"] {
        let wanted = Wanted {
            rejects: Some(room.path(file)),
            ..Wanted::default()
        };
        let error = Opened::open(&mut room.opener(&[]), &[wanted], inputs.clone()).unwrap_err();
        assert!(matches!(error.fault, FileFault::FolderNeeded(4)), "{error}");
    }
    // In a folder that is there a single input's rejects get its name too.
    let single = vec![table("one.csv", &["Id"])];
    let files = begin(&room, wanted, single).finish().files;
    assert_eq!(files[0].path, room.path("mend/one.rejects.csv"));
}

#[test]
fn a_run_has_a_folder_of_its_own() {
    let room = Room::new();
    let inputs = vec![json("cases.json")];
    let first = OutDir::create(&room.path("out"), "7").unwrap();
    let second = OutDir::create(&room.path("out"), "7").unwrap();
    assert_eq!(first.path(), room.path("out/7"));
    assert_eq!(second.path(), room.path("out/7-2"));
    begin(&room, first.wanted(&inputs), inputs).finish();
    first
        .write_summary(&serde_json::json!({"schema": 1}))
        .unwrap();
    let mut names: Vec<String> = fs::read_dir(first.path())
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
fn an_export_finds_the_rejects_file_by_the_cases_file() {
    let room = Room::new();
    let inputs = vec![table("a.csv", &["Id"]), json("b.json")];
    let wanted = Wanted {
        rejects: Some(room.path("mend")),
        ..Wanted::default()
    };
    let mut opener = Opener::new(&room.registry, [] as [&Path; 0], Flush::Chunks);
    let mut files = Opened::open(&mut opener, &[wanted], inputs)
        .unwrap()
        .begin_export()
        .unwrap();
    let key = Key::new(["1"]);
    files.case(&line(&key, "b.json", State::Rejected, r#"{"n":1.0}"#));
    files.case(&line(&key, "a.csv", State::Rejected, r#"{"Id":"1"}"#));
    files.case(&line(&key, "a.csv", State::Imported, r#"{"Id":"1"}"#));
    let rows: Vec<u64> = files.finish().files.iter().map(|file| file.rows).collect();
    assert_eq!(rows, [1, 1]);
    assert_eq!(
        fs::read_to_string(room.path("mend/b.rejects.ndjson")).unwrap(),
        "{\"n\":1.0,\"caseload_key\":\"key:[\\\"1\\\"]\",\
         \"caseload_reason\":\"HTTP 422: no such case type\"}\n"
    );
}

#[test]
fn an_export_of_nothing_has_headers_only() {
    let room = Room::new();
    for (name, wanted) in [
        (
            "rejects.csv",
            "\u{feff}caseload_key,caseload_reason,caseload_escaped\n",
        ),
        ("rejects.ndjson", ""),
    ] {
        let wanted_files = Wanted {
            rejects: Some(room.path(name)),
            ..Wanted::default()
        };
        Opened::open(&mut room.opener(&[]), &[wanted_files], Vec::new())
            .unwrap()
            .begin_export()
            .unwrap()
            .finish();
        assert_eq!(fs::read_to_string(room.path(name)).unwrap(), wanted);
    }
}
