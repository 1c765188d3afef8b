//! Records that may be cases that exist: they are held until the user decides,
//! and nothing is created twice without a word.

use serde_json::Value;

use crate::server::{Server, status};
use crate::support::{Done, Home, create, creating_server, keys_in_order};

const HEADER: &str =
    "id,partnerFirmId,First Name,Last Name,Phone,Email,Date of Loss,Case Type,Notes\n";

/// Imports these rows, given without the firm.
fn import(home: &Home, server: &Server, rows: &[&str], words: &[&str]) -> Done {
    let rows = rows.iter().map(|row| row.replacen(',', ",f1,", 1) + "\n");
    home.write("cases.csv", HEADER.to_owned() + &rows.collect::<String>());
    home.import(&server.url()).args(words).run()
}

/// The problems by which records are held: code, key and message.
fn held(done: &Done) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let problems = done.json().into_iter();
    let problems = problems.filter(|document| document["severity"] == "error");
    problems
        .map(|problem| {
            (
                text(&problem["code"]),
                text(&problem["key"]),
                text(&problem["message"]),
            )
        })
        .collect()
}

fn held_keys(done: &Done) -> Vec<String> {
    held(done).into_iter().map(|(_, key, _)| key).collect()
}

#[test]
fn a_new_key_with_the_content_of_a_case_is_held_until_it_is_named() {
    let home = Home::new();
    let server = creating_server();
    let known = ["c1,Ann,Lee,7025550101,,,,x", "c2,Bob,Ray,,,,,y"];
    import(&home, &server, &known, &[]).exits(0);
    let rows = [known[0], "n7,Bob,Ray,,,,,y", "c3,Cem,Oz,,,,,z"];
    let dry = import(&home, &server, &rows, &["--dry-run"]).exits(1);
    let actions = dry.json().into_iter().filter_map(|document| {
        document
            .get("action")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    assert_eq!(actions.collect::<Vec<_>>(), ["skip", "held", "send"]);
    let words = ["--rejects", "rejects.csv", "--results", "results.csv"];
    let done = import(&home, &server, &rows, &words).exits(1).counts(&[
        ("already_imported", 1),
        ("held", 1),
        ("imported", 1),
    ]);
    let message = "all but the key equals case \"c2\", which is imported (from cases.csv, row 3)";
    assert_eq!(
        held(&done),
        [(
            "same-content".to_owned(),
            "n7".to_owned(),
            message.to_owned()
        )]
    );
    done.prints("send it with --allow-duplicate n7");
    let rejects = home.read("rejects.csv");
    assert!(
        rejects.contains("held: all but the key equals case"),
        "{rejects}"
    );

    let results = home.read("results.csv");
    let row = results.lines().find(|line| line.contains("n7")).unwrap();
    assert!(
        row.contains(",held,") && row.contains(",n7,f1,Bob,Ray,"),
        "{row}"
    );
    let refused = |words: &[&str]| import(&home, &server, &rows, words).exits(2);
    refused(&["--allow-duplicate", "zz"]).says("--allow-duplicate zz: no record");
    refused(&["--allow-duplicates", "2"]).says("held as possible duplicates: 1 record");
    assert_eq!(server.requests().len(), 3);
    import(&home, &server, &rows, &["--allow-duplicate", "n7"])
        .exits(0)
        .counts(&[("already_imported", 2), ("imported", 1)]);
    refused(&["--allow-duplicate", "n7"]).says("no record");
    refused(&["--allow-duplicates", "1"]).says("held as possible duplicates: 0 records");
    assert_eq!(keys_in_order(&server)[2..], ["c3", "n7"]);
}

#[test]
fn all_that_is_held_goes_out_only_by_its_number_and_within_the_plan() {
    let home = Home::new();
    let server = creating_server();
    import(
        &home,
        &server,
        &["L-1,Ann,Lee,,,,,x", "L-2,Bob,Ray,,,,,y"],
        &[],
    )
    .exits(0);
    let rows = [
        "l_1,Ann,Lee,,,,,other",
        "l_2,Bob,Ray,,,,,other",
        "L-3,Cem,Oz,,,,,z",
    ];
    let dry = import(&home, &server, &rows, &["--dry-run"]).exits(1);
    let plan = dry.summary().text("plan").to_owned();
    assert!(plan.ends_with("-1"), "{plan}");
    dry.prints("--allow-duplicates 2 for all that are held");
    let both = ["--allow-duplicates", "2"];
    import(
        &home,
        &server,
        &rows,
        &[&both[..], &["--plan", &plan]].concat(),
    )
    .exits(2)
    .says("the plan allows 1 case, and 3 would be sent now");
    let dry = import(&home, &server, &rows, &[&both[..], &["--dry-run"]].concat()).exits(0);
    let plan = dry.summary().text("plan").to_owned();
    assert!(plan.ends_with("-3"), "{plan}");
    import(
        &home,
        &server,
        &rows,
        &[&both[..], &["--plan", &plan]].concat(),
    )
    .exits(0)
    .counts(&[("imported", 3)]);
}

/// What spreadsheets and converters do to a key, with another edit in the row.
#[test]
fn a_key_that_came_back_in_another_form_is_never_sent_in_silence() {
    let changes = [
        ("00123", "123"),
        ("L-1", "l-1"),
        ("M\u{200b}2", "M2"),
        ("\u{feff}N3", "N3"),
        ("P\u{ad}4", "P4"),
        ("Q\u{2011}5", "Q-5"),
        ("４５６", "456"),
        ("2026-01-05", "1/5/2026"),
        ("7890", "7890.0"),
        ("R  6", "R 6"),
    ];
    let home = Home::new();
    let server = creating_server();
    let rows = |pick: fn(&(&'static str, &'static str)) -> &'static str, note: &str| {
        let rows = changes.iter().enumerate();
        rows.map(|(number, pair)| format!("{},Ann,No{number},,,,,{note}", pick(pair)))
            .collect::<Vec<_>>()
    };
    let (before, after) = (rows(|pair| pair.0, "x"), rows(|pair| pair.1, "edited"));
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let after: Vec<&str> = after.iter().map(String::as_str).collect();
    import(&home, &server, &before, &[]).exits(0);
    let done = import(&home, &server, &after, &[]).exits(1);
    assert_eq!(server.requests().len(), changes.len(), "{done}");
    let mut expected = vec!["123", "l-1", "Q-5", "456", "1/5/2026", "7890.0"];
    let mut found = held_keys(&done);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    done.counts(&[("held", 6), ("changed", 4)]);
}

#[test]
fn numbers_in_json_and_dates_in_keys_of_several_columns_are_compared_too() {
    let home = Home::new();
    let server = creating_server();
    let import = |rows: &str, words: &[&str]| {
        home.write("cases.ndjson", rows);
        home.import_files(&server.url(), &["cases.ndjson"])
            .args(words)
            .run()
    };
    import(r#"{"id":1,"partnerFirmId":"f1","Notes":"x"}"#, &[]).exits(0);
    for id in ["1.0", "1e0", "\"01\""] {
        let row = format!(r#"{{"id":{id},"partnerFirmId":"f1","Notes":"edited"}}"#);
        let done = import(&row, &[]).exits(1).counts(&[("held", 1)]);
        assert_eq!(held(&done)[0].0, "similar-key", "{done}");
    }
    let home = Home::new();
    let import = |date: &str, note: &str| {
        let rows = format!("id,DOL,partnerFirmId,Notes\nL1,{date},f1,{note}\n");
        home.write("cases.csv", rows);
        home.import(&server.url())
            .args(&["--key-column", "DOL"])
            .run()
    };
    import("2026-01-05", "x").exits(0);
    import("1/5/2026", "edited").exits(1).counts(&[("held", 1)]);
    import("2026-01-06", "edited")
        .exits(0)
        .counts(&[("imported", 1)]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_source_with_keys_that_differ_by_a_folding_alone_is_not_asked_about_it() {
    let home = Home::new();
    let server = creating_server();
    import(
        &home,
        &server,
        &["ab,Ann,Lee,,,,,x", "AB,Bob,Ray,,,,,y"],
        &[],
    )
    .exits(0);
    import(&home, &server, &["Ab,Cem,Oz,,,,,z"], &[]).exits(0);
    // In this input the zeros tell two keys apart.
    let home = Home::new();
    import(&home, &server, &["007,Ann,Lee,,,,,x"], &[]).exits(0);
    let rows = ["7,Bob,Ray,,,,,y", "8,Dan,Fox,,,,,u", "08,Eve,Hay,,,,,v"];
    import(&home, &server, &rows, &[])
        .exits(0)
        .counts(&[("imported", 3)]);
}

#[test]
fn the_same_person_is_held_and_relatives_and_other_incidents_are_not() {
    let home = Home::new();
    let server = creating_server();
    let ann = "k1,Renée,O'Neil,(702) 555-0101,ann@x.example,2026-01-05,MVA,x";
    let father = "k2,John,Lee Sr.,702-555-0107,,,,x";
    import(&home, &server, &[ann, father], &[]).exits(0);
    for (row, reason) in [
        (
            "n1,RENEE,ONeil,+1 702 555 0101,,,,y",
            Some("name and phone are those of case \"k1\""),
        ),
        (
            "n2,Renée,O'Neil,,ANN@X.example,,,y",
            Some("name and e-mail are those of case \"k1\""),
        ),
        (
            "n3,Renée,O'Neil,,,1/5/2026,,y",
            Some("name and incident date are those of case \"k1\""),
        ),
        // Another accident, another case type, relatives.
        ("n4,Renée,O'Neil,7025550101,,2026-02-06,,y", None),
        ("n5,Renée,O'Neil,7025550101,,,Dog Bite,y", None),
        (
            "n6,Marc,O'Neil,7025550101,ann@x.example,2026-01-05,MVA,y",
            None,
        ),
        ("n7,John,Lee Jr.,702-555-0107,,,,y", None),
    ] {
        let done = import(&home, &server, &[row], &["--dry-run"]);
        match reason {
            Some(reason) => {
                let (code, _, message) = held(&done).remove(0);
                assert_eq!(code, "likely-duplicate");
                assert!(message.starts_with(reason), "{done}");
                done.exits(1);
            }
            None => drop(done.exits(0)),
        }
    }
}

#[test]
fn the_phone_of_an_office_tells_nobody() {
    let home = Home::new();
    let server = creating_server();
    let rows = |night: usize| {
        let rows = (0..8).map(|n| format!("k{night}-{n},Client,Number{n},8005550100,,,,{night}"));
        rows.collect::<Vec<_>>()
    };
    for night in 0..3 {
        let rows = rows(night);
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        import(&home, &server, &rows, &[])
            .exits(0)
            .counts(&[("imported", 8)]);
    }
}

#[test]
fn another_person_under_a_known_key_is_held_and_never_counts_as_changed() {
    let home = Home::new();
    let server = creating_server();
    let ann = "1001,Ann,Lee,7025550101,a@x.example,2026-01-05,,x";
    import(&home, &server, &[ann], &[]).exits(0);
    for carla in [
        "1001,Carla,Diaz,7025550199,c@x.example,2026-03-01,,y",
        "1001,Carla,Diaz,,,,,y",
    ] {
        let done = import(&home, &server, &[carla], &[])
            .exits(1)
            .counts(&[("held", 1)]);
        assert_eq!(held(&done)[0].0, "other-person");
        done.prints("give the row a key of its own");
        import(&home, &server, &[carla], &["--allow-duplicate", "1001"])
            .exits(2)
            .says("two cases can't have one key");
        import(&home, &server, &[carla], &["--allow-duplicates", "1"]).exits(2);
    }
    let married = "1001,Ann,Smith,7025550101,a@x.example,2026-01-05,,y";
    import(&home, &server, &[married], &[])
        .exits(0)
        .counts(&[("changed", 1)]);
    // With a key of its own it goes out.
    import(&home, &server, &["1002,Carla,Diaz,7025550199,,,,y"], &[]).exits(0);
    assert_eq!(server.requests().len(), 2);
}

/// Problems of identity first, then in doubt, held, changed, already imported,
/// then other problems.
#[test]
fn every_record_is_in_the_first_count_that_fits() {
    let home = Home::new();
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("d1") => status(502).into(),
        _ => create(request),
    });
    let known = ["c1,Ann,Lee,7025550101,,,,x", "d1,Bob,Ray,,,,,y"];
    import(&home, &server, &known, &[]).exits(4);
    let sent = server.requests().len();
    let invalid = |key: &str| format!("{key},Zoe,Fox,,,,,z,too,many");
    let check = |rows: &[&str], code: i32, counts: &[(&str, u64)]| {
        import(&home, &server, rows, &[]).exits(code).counts(counts);
        assert_eq!(server.requests().len(), sent, "{rows:?}");
    };
    let (c1, d1) = (invalid("c1"), invalid("d1"));
    // Rows with a wrong number of cells have no key; those without a firm do.
    check(&[&c1, &d1], 3, &[("problems", 2)]);
    let without_firm = |key: &str, rest: &str| {
        home.write("cases.csv", format!("{HEADER}{key},,{rest}\n"));
        home.import(&server.url()).run()
    };
    let rest = "Ann,Lee,7025550101,,,,x";
    without_firm("c1", rest)
        .exits(0)
        .counts(&[("already_imported", 1)]);
    without_firm("d1", rest).exits(4).counts(&[("in_doubt", 1)]);
    without_firm("c1", "Zoe,Fox,,,,,")
        .exits(1)
        .counts(&[("held", 1)]);
    without_firm("C1", "Zoe,Fox,,,,,")
        .exits(1)
        .counts(&[("held", 1)]);
    without_firm("c9", "Zoe,Fox,,,,,")
        .exits(3)
        .counts(&[("problems", 1)]);
    // A repeated row of a case that exists is no problem; a contradiction is.
    check(&[known[0], known[0]], 0, &[("already_imported", 2)]);
    check(&[known[1], known[1]], 4, &[("in_doubt", 2)]);
    let changed = "c1,Ann,Lee,7025550101,,,,edited";
    check(&[changed], 0, &[("changed", 1)]);
    check(&[known[0], changed], 3, &[("problems", 2)]);
    let twice = ["n1,Eve,Hay,,,,,u", "n2,Eve,Hay,,,,,u"];
    check(&twice, 3, &[("problems", 1), ("untried", 1)]);
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn no_closing_line_proposes_to_send_what_is_held() {
    let home = Home::new();
    let server = creating_server();
    let known = ["c1,Ann,Lee,,,,,x", "c2,Bob,Ray,,,,,y"];
    import(&home, &server, &known, &[]).exits(0);
    let done = import(&home, &server, &["n7,Bob,Ray,,,,,y"], &[]).exits(1);
    for next in done.summary().next() {
        assert!(
            !next.contains("--allow") && !next.contains("--skip"),
            "{next}"
        );
    }
    home.import_for_people(&server.url(), &["cases.csv"])
        .run()
        .exits(1)
        .prints("1 held as possible duplicates: decide about each");
}
