//! What identifies a case: the text of its key columns, and the system that it
//! comes from. Nothing is sent a second time because one of them has changed,
//! unless a message has stopped the run and a flag has named the risk.

use crate::server::{Server, status};
use crate::support::{Done, Home, KEY, create, creating_server};

/// Sends nothing but the name, so that a case is the same whatever its key.
const CONFIG: &str = "[fields.name]\n";

fn home(rows: &str) -> Home {
    let home = Home::new();
    home.write("caseload.toml", CONFIG);
    home.write("cases.csv", rows);
    home
}

/// An import of `cases.csv` into `ledger.db`.
fn import(home: &Home, server: &Server, words: &[&str]) -> Done {
    let program = home
        .caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&[
            "--map-id", "m1", "--yes", "--pace", "1ms", "--output", "json",
        ])
        .args(&["--ledger", "ledger.db"])
        .args(words)
        .env("LEXAMICA_PUBLIC_KEY", KEY);
    if home.path("ledger.db").exists() {
        program.run()
    } else {
        program.arg("--new-ledger").run()
    }
}

const ROWS: &str = "\
Lead ID,Incident Date,ref,partnerFirmId,name
L1,2026-01-05,r1,f1,Ann
L2,2026-01-06,r2,f1,Bob
L3,2026-01-07,r3,f1,Carla
";

#[test]
fn other_key_columns_stop_the_run() {
    let home = home(ROWS);
    let server = creating_server();
    import(&home, &server, &["--key-column", "Lead ID"]).exits(0);
    for words in [
        &["--key-column", "ref"][..],
        &["--key-column", "Lead ID", "--key-column", "Incident Date"],
        &["--key-column", "Incident Date", "--key-column", "Lead ID"],
        &["--key-column", "ref", "--dry-run"],
        &["--key-column", "ref", "--skip-invalid"],
    ] {
        import(&home, &server, words)
            .exits(2)
            .says("and earlier runs used Lead ID")
            .says("--key-column 'Lead ID'")
            .says("--change-key-columns")
            .says("--source NAME");
    }
    // A flag does not make other ids the same.
    import(
        &home,
        &server,
        &["--key-column", "ref", "--change-key-columns"],
    )
    .exits(2)
    .says("knows none of the keys of these 3 records");
    assert_eq!(server.requests().len(), 3);
    import(&home, &server, &["--key-column", "Lead ID"])
        .exits(0)
        .counts(&[("already_imported", 3)]);
}

#[test]
fn a_header_in_another_spelling_is_the_same_key_column() {
    let home = home(ROWS);
    let server = creating_server();
    import(&home, &server, &["--key-column", "Lead ID"]).exits(0);
    for header in ["LEAD ID", "lead_id", "LeadId"] {
        home.write("cases.csv", ROWS.replace("Lead ID", header));
        import(&home, &server, &["--key-column", header])
            .exits(0)
            .counts(&[("already_imported", 3)]);
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_same_ids_in_another_column_are_the_same_cases_once_the_user_says_so() {
    let home = home(ROWS);
    let server = creating_server();
    import(&home, &server, &["--key-column", "Lead ID"]).exits(0);
    let renamed = ROWS.replace("Lead ID", "Case Number") + "L4,2026-01-08,r4,f1,Dan\n";
    home.write("cases.csv", renamed);
    let key = ["--key-column", "Case Number"];
    import(&home, &server, &key).exits(2);
    let changed = [key[0], key[1], "--change-key-columns"];
    import(&home, &server, &changed)
        .exits(0)
        .counts(&[("already_imported", 3), ("imported", 1)]);
    import(&home, &server, &key)
        .exits(0)
        .counts(&[("already_imported", 4)]);
    import(&home, &server, &changed)
        .exits(2)
        .says("--change-key-columns has no effect");
    assert_eq!(server.requests().len(), 4);
}

/// The order of the key columns makes no difference to a single byte.
#[test]
fn key_columns_in_another_order_make_the_same_keys() {
    let home = home(ROWS);
    let server = creating_server();
    let keys =
        |first: &str, second: &str| format!("[case]\nkey = [\"{first}\", \"{second}\"]\n{CONFIG}");
    home.write("caseload.toml", keys("Lead ID", "Incident Date"));
    let dry_run = || {
        let mut shown = import(&home, &server, &["--dry-run"]).exits(0).json();
        shown.last_mut().unwrap()["seconds"].take();
        shown
    };
    let first = dry_run();
    home.write("caseload.toml", keys("Incident Date", "Lead ID"));
    assert_eq!(dry_run(), first);
    import(&home, &server, &[]).exits(0);
    for (one, other) in [("Lead ID", "Incident Date"), ("incident date", "LEAD-ID")] {
        let text = ROWS.replace("Lead ID", if one == "Lead ID" { one } else { other });
        let date = if one == "Lead ID" { other } else { one };
        home.write("cases.csv", text.replace("Incident Date", date));
        home.write("caseload.toml", keys(one, other));
        import(&home, &server, &[])
            .exits(0)
            .counts(&[("already_imported", 3)]);
    }
    assert_eq!(server.requests().len(), 3);
}

/// What does not exist can't be created twice.
#[test]
fn a_run_that_created_nothing_binds_no_later_one() {
    let home = home(ROWS);
    let refusing = Server::start(|_| status(401));
    import(&home, &refusing, &["--key-column", "ref"]).exits(5);
    let server = creating_server();
    let by_id = ["--key-column", "Lead ID"];
    let adopt = [by_id[0], by_id[1], "--adopt-ledger"];
    import(&home, &server, &adopt)
        .exits(0)
        .counts(&[("imported", 3)]);
    import(&home, &server, &["--key-column", "ref"])
        .exits(2)
        .says("earlier runs used Lead ID");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_same_key_in_another_source_is_another_case() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID"];
    let import = |words: &[&str]| import(&home, &server, &[&key, words].concat());
    import(&[]).exits(0);
    home.write(
        "cases.csv",
        ROWS.replace("Ann", "Eve")
            .replace("Bob", "Finn")
            .replace("Carla", "Gus"),
    );
    for words in [
        &["--source", "Litify"][..],
        &["--source", "Litify", "--dry-run"],
    ] {
        import(words)
            .exits(2)
            .says("no case of source litify, but 3 cases of the source without a name")
            .says("add --new-source");
    }
    assert_eq!(server.requests().len(), 3);
    import(&["--source", "Litify", "--new-source"])
        .exits(0)
        .counts(&[("imported", 3)]);
    for source in ["Litify", "LITIFY", "lit-ify"] {
        import(&["--source", source])
            .exits(0)
            .counts(&[("already_imported", 3)]);
    }
    import(&["--source", "Litify", "--new-source"])
        .exits(2)
        .says("--new-source has no effect");
    import(&["--source", "clio"])
        .exits(2)
        .says("3 cases of the source without a name and 3 cases of source litify");
    // Key columns are known for each source.
    home.write(
        "caseload.toml",
        format!("[case]\nkey = \"ref\"\nsource = \"Litify\"\n{CONFIG}"),
    );
    super::keys::import(&home, &server, &[])
        .exits(2)
        .says("earlier runs used Lead ID");
    assert_eq!(server.requests().len(), 6);
    home.run(&["export", "--ledger", "ledger.db", "--json", "-"])
        .exits(0)
        .prints("\"key\":\"L1\"")
        .prints("\"key\":\"litify:L1\"");
}

#[test]
fn the_first_source_of_a_ledger_needs_no_flag() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID", "--source", "clio"];
    import(&home, &server, &[&key[..], &["--new-source"]].concat())
        .exits(2)
        .says("--new-source has no effect");
    import(
        &home,
        &server,
        &[&key[..], &["--change-key-columns"]].concat(),
    )
    .exits(2)
    .says("--change-key-columns has no effect");
    import(&home, &server, &key).exits(0);
    // Now the unnamed source is the new one.
    import(&home, &server, &key[..2])
        .exits(2)
        .says("no case of the source without a name, but 3 cases of source clio");
    assert_eq!(server.requests().len(), 3);
    import(&home, &server, &["--key-column", "Lead ID", "--source=?"])
        .exits(2)
        .says("a source needs a name with a letter or a digit");
}

#[test]
fn a_rejects_file_belongs_to_its_source() {
    let home = home(ROWS);
    let server = Server::start(|request| match request.index {
        0..3 => status(422).into(),
        _ => create(request),
    });
    let key = ["--key-column", "Lead ID", "--rejects"];
    let clio = ["--source", "clio"];
    import(
        &home,
        &server,
        &[&key[..], &["rejects.csv"], &clio].concat(),
    )
    .exits(1)
    .counts(&[("rejected", 3)]);
    let rejects = home.read("rejects.csv");
    assert!(rejects.contains(r#""key:clio:[""L1""]""#), "{rejects}");
    home.write("cases.csv", rejects.replace("Ann", "Anne"));
    import(
        &home,
        &server,
        &[&key[..2], &["--source", "litify"]].concat(),
    )
    .exits(3)
    .prints("the row's key is of source clio, and this import is of source litify");
    assert_eq!(server.requests().len(), 3);
    import(&home, &server, &[&key[..2], &clio].concat())
        .exits(0)
        .counts(&[("imported", 3)]);
}

/// The key columns of a rejects file may be gone: the keys are not.
#[test]
fn a_rejects_file_without_its_key_columns_keeps_its_keys() {
    let home = home(ROWS);
    let server = Server::start(|request| match request.index {
        0 => status(422).into(),
        _ => create(request),
    });
    let key = ["--key-column", "Lead ID", "--in-flight", "1"];
    let rejects = [&key[..], &["--rejects", "rejects.csv"]].concat();
    import(&home, &server, &rejects).exits(1);
    let rejects = home
        .read("rejects.csv")
        .replace("Lead ID", "was")
        .replace("\nL1", "\n");
    home.write("cases.csv", rejects);
    import(&home, &server, &key)
        .exits(0)
        .counts(&[("imported", 1)]);
    home.write("cases.csv", ROWS);
    import(&home, &server, &key)
        .exits(0)
        .counts(&[("already_imported", 3)]);
}

/// So that new case ids can be added to it, and the file read again.
#[test]
fn a_results_file_has_the_keys_of_the_input() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID"];
    let results = [&key[..], &["--results", "results.csv"]].concat();
    import(&home, &server, &results).exits(0);
    home.write("cases.csv", home.read("results.csv"));
    import(&home, &server, &key)
        .exits(0)
        .counts(&[("already_imported", 3)]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_nobody_sees_makes_no_second_key() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID"];
    import(&home, &server, &key).exits(0);
    let rows = ROWS
        .replace("L1", "\u{200b}L1")
        .replace("L2", "\u{feff}L2")
        .replace("L3", "L\u{ad}3\u{fe0f}");
    home.write("cases.csv", rows);
    import(&home, &server, &key)
        .exits(0)
        .prints("invisible characters removed: U+200B")
        .prints("invisible characters removed: U+FEFF")
        .prints("invisible characters removed: U+00AD, U+FE0F")
        .counts(&[("already_imported", 3)]);
    assert_eq!(server.requests().len(), 3);
}

/// The next file's `#N/A` is another client.
#[test]
fn a_placeholder_is_no_key() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID"];
    for placeholder in [
        "#N/A",
        "n/a",
        "NULL",
        "nan",
        "None",
        "-",
        "0",
        "#REF!",
        "\u{200b}-",
    ] {
        let rows = ROWS.replace("L2", placeholder);
        home.write("cases.csv", rows);
        import(&home, &server, &key)
            .exits(3)
            .prints("a placeholder instead of a key");
    }
    assert_eq!(server.requests().len(), 0);
    import(&home, &server, &[&key[..], &["--skip-invalid"]].concat())
        .exits(1)
        .counts(&[("imported", 2), ("problems", 1)]);
}

#[test]
fn part_of_a_key_may_be_empty_or_zero_but_no_placeholder() {
    let home = home("no,sub,partnerFirmId,name\n7,0,f1,Ann\n7,,f1,Bob\n7,1,f1,Carla\n");
    let server = creating_server();
    let key = ["--key-column", "no", "--key-column", "sub"];
    import(&home, &server, &key)
        .exits(0)
        .counts(&[("imported", 3)]);
    for row in ["7,#N/A", "n/a,1", "0,0", "0,"] {
        home.write(
            "cases.csv",
            format!("no,sub,partnerFirmId,name\n{row},f1,Dan\n"),
        );
        import(&home, &server, &key)
            .exits(3)
            .prints("a placeholder instead of a key");
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn without_key_columns_those_of_earlier_runs_are_proposed() {
    let home = home(ROWS);
    let server = creating_server();
    import(&home, &server, &[])
        .exits(2)
        .says("no key columns")
        .says("try --key-column 'Lead ID'");
    import(&home, &server, &["--key-column", "ref"]).exits(0);
    import(&home, &server, &[])
        .exits(2)
        .says("earlier runs used --key-column ref");
}

/// An unnamed key is never taken for one of another source.
#[test]
fn a_resolution_is_of_one_source() {
    let home = home(ROWS);
    let unclear = Server::start(|_| status(502));
    let key = ["--key-column", "Lead ID", "--source"];
    import(&home, &unclear, &[&key[..], &["clio"]].concat()).exits(4);
    let resolve = |words: &[&str]| {
        let all = [
            "resolve",
            "--ledger",
            "ledger.db",
            "--yes",
            "--output",
            "json",
        ];
        home.run(&[&all[..], words].concat())
    };
    let state = |key: &str| home.ledger().state(key).to_owned();
    // Only one source has it: that one is meant.
    resolve(&["--imported", "L1=x1"]).exits(0);
    assert_eq!(state(r#"clio:["L1"]"#), "imported");
    resolve(&["--imported", "L9=x9"])
        .exits(2)
        .says("no case has the key L9, and the ledger has several sources");
    resolve(&["--imported", "L2=x2", "--source", ""]).exits(0);
    assert_eq!(
        (state("L2"), state(r#"clio:["L2"]"#)),
        ("imported".to_owned(), "in_doubt".to_owned())
    );
    resolve(&["--not-imported", "L2"])
        .exits(2)
        .says("L2 is a key of several sources (L2, clio:L2): name one with --source");
    resolve(&["--not-imported", "clio:L2"]).exits(0);
    resolve(&["--not-imported", "L3", "--source", "CLIO"]).exits(0);
    assert_eq!(
        (state("L2"), state(r#"clio:["L3"]"#)),
        ("imported".to_owned(), "not_sent".to_owned())
    );
    home.run(&[
        "export",
        "--ledger",
        "ledger.db",
        "--source",
        "clio",
        "--json",
        "-",
    ])
    .exits(0)
    .prints("\"key\":\"clio:L2\"")
    .never_prints("\"key\":\"L2\"");
}

/// The order in which a key is typed is not that of the config.
#[test]
fn a_new_key_of_several_columns_is_typed_in_the_order_that_is_named() {
    let home = home(ROWS);
    let server = creating_server();
    let key = ["--key-column", "Lead ID", "--key-column", "Incident Date"];
    import(&home, &server, &key).exits(0);
    let resolve = |imported: &str| {
        let words = ["resolve", "--ledger", "ledger.db", "--yes", "--imported"];
        home.run(&[&words[..], &[imported]].concat())
    };
    resolve("L4=x4")
        .exits(2)
        .says("keys are made of Incident Date, Lead ID: type a new one as a JSON array");
    resolve(r#"["2026-01-08","L4"]=x4"#)
        .exits(0)
        .says("(Incident Date, Lead ID), unknown so far: added");
    home.write("cases.csv", ROWS.to_owned() + "L4,2026-01-08,r4,f1,Dan\n");
    import(&home, &server, &key).exits(0);
    assert_eq!(server.requests().len(), 3);
}
