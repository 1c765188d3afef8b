//! The commands that an import prints as next steps: each works as printed, in
//! the same folder.

use crate::server::{Server, status};
use crate::support::{Done, Home, create};

/// A server that answers 502 to `doubt`, 422 to `bad`, and creates all others.
fn server() -> Server {
    Server::start(|request| match request.json()["name"].as_str() {
        Some("doubt") => status(502).into(),
        Some("bad") => status(422).into(),
        _ => create(request),
    })
}

/// The next command of an import that prints only one.
#[track_caller]
fn next(done: &Done) -> String {
    let summary = done.summary();
    let [next] = summary.next()[..] else {
        panic!("{done}");
    };
    next.to_owned()
}

#[test]
fn a_dry_run_is_followed_by_the_same_import() {
    let home = Home::new();
    home.write("my cases.csv", "Lead ID;name\n1;Ann\n2;Bo\n");
    let server = server();
    let dry = |words: &[&str]| {
        home.caseload(&["import", "my cases.csv", "--dry-run", "--delimiter", ";"])
            .args(&["--base-url", &server.url(), "--map-id", "m1"])
            .args(&["--key-column", "Lead ID", "--partner-firm-id", "f1"])
            .args(&["--pace", "1ms", "--output", "json"])
            .args(words)
            .run()
            .exits(0)
    };
    // The account's first import: there is no ledger yet.
    let first = next(&dry(&["--limit", "1"]));
    home.printed(&first)
        .run()
        .exits(0)
        .counts(&[("imported", 1), ("untried", 1)]);
    let second = next(&dry(&[]));
    assert!(!second.contains("--new-ledger"), "{second}");
    home.printed(&second)
        .run()
        .exits(0)
        .counts(&[("imported", 1), ("already_imported", 1)]);
    assert_eq!(dry(&[]).summary().next(), [""; 0], "nothing is left");
}

#[test]
fn a_dry_run_in_the_sandbox_is_followed_by_a_test_run() {
    let (home, without_key) = (Home::new(), Home::new());
    home.cases(2);
    without_key.cases(2);
    let test_run = |home: &Home, words: &[&str]| {
        home.caseload(&["import", "cases.csv", "--sandbox", "--output", "json"])
            .args(words)
            .run()
            .exits(0)
    };
    test_run(&home, &["--key-column", "id"]);
    let done = test_run(&home, &["--key-column", "id", "--dry-run", "--fresh"]);
    assert!(
        home.path("caseload-sandbox.db").exists(),
        "a dry run forgets nothing"
    );
    let other = test_run(&without_key, &["--dry-run"]);
    for (home, done) in [(&home, &done), (&without_key, &other)] {
        home.printed(&next(done))
            .run()
            .exits(0)
            .counts(&[("imported", 2)]);
    }
}

#[test]
fn a_ledger_beside_others_is_never_proposed() {
    let home = Home::new();
    home.cases(1);
    let server = server();
    let import = |org: &str, words: &[&str]| {
        home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
            .args(&["--org-id", org, "--map-id", "m1", "--key-column", "id"])
            .args(&["--output", "json"])
            .args(words)
            .env("LEXAMICA_PUBLIC_KEY", crate::support::KEY)
            .run()
            .exits(0)
    };
    import("o1", &["--yes", "--new-ledger"]);
    for words in [&["--dry-run"][..], &["--dry-run", "--ledger", "o2.db"]] {
        let done = import("o2", words);
        assert_eq!(done.summary().next(), [""; 0], "{done}");
    }
}

#[test]
fn a_ci_job_can_follow_the_commands_from_dry_run_to_import() {
    let home = Home::new();
    home.cases(2);
    let server = server();
    let done = home
        .caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--dry-run"])
        .args(&["--output", "json"])
        .env("CI", "true")
        .run()
        .exits(0);
    let created = home.printed(&next(&done)).env("CI", "true").run().exits(0);
    assert_eq!(server.requests().len(), 0, "{created}");
    let json = created.json().pop().unwrap();
    home.printed(json["next"][0].as_str().unwrap())
        .env("CI", "true")
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
}

#[test]
fn an_incomplete_run_is_followed_by_status_resolve_and_import() {
    // The account comes from flags, from flags and a ledger, or from a config
    // of another name.
    for ledger in [
        &[][..],
        &["--ledger", "my ledger.db"],
        &["--config", "p.toml"],
    ] {
        let home = Home::new();
        home.write(
            "cases.csv",
            "id,partnerFirmId,name\n1,f1,good\n2,f1,doubt\n3,f1,bad\n",
        );
        let server = server();
        let url = server.url();
        home.write(
            "p.toml",
            format!(
                "[api]\nbase_url = '{url}'\n[case]\nkey = 'id'\npassthrough = true\n\
                 [fields.name]\nfrom = 'name'\n"
            ),
        );
        let account = match ledger {
            ["--config", _] => &[][..],
            _ => &["--base-url", &url, "--key-column", "id"],
        };
        let done = home
            .caseload(&["import", "cases.csv", "--map-id", "m1"])
            .args(account)
            .args(ledger)
            .args(&["--yes", "--new-ledger", "--output", "json"])
            .env("LEXAMICA_PUBLIC_KEY", crate::support::KEY)
            .run()
            .exits(4);
        let summary = done.summary();
        let [status, resolve, import] = summary.next()[..] else {
            panic!("{done}");
        };
        let shown = home.printed(status).run().exits(0);
        assert!(shown.out.contains("1 in doubt"), "{shown}");
        home.printed(resolve)
            .args(&["--not-imported", "--state", "in_doubt", "--yes"])
            .run()
            .exits(0)
            .says("1 case marked as not imported");
        home.printed(import).run().exits(4).counts(&[
            ("already_imported", 1),
            ("in_doubt", 1),
            ("rejected", 1),
        ]);
    }
}

#[test]
fn output_files_of_a_run_do_not_block_its_next_command() {
    let home = Home::new();
    home.write("cases.csv", "id,name,partnerFirmId\n1,Ann,f1\n2,bad,f1\n");
    let server = server();
    let done = home
        .import_without_ledger_flags(&server.url(), &["cases.csv"])
        .args(&["--new-ledger", "--pace", "1ms", "--output", "json"])
        .args(&["--results", "results.csv", "--rejects=rejects.csv"])
        .args(&["--problems", "problems.csv", "--out", "out"])
        .run()
        .exits(1);
    let before = home.read("rejects.csv");
    home.printed(&next(&done))
        .run()
        .exits(1)
        .counts(&[("already_imported", 1), ("rejected", 1)]);
    assert_eq!(home.read("rejects.csv"), before);
    assert!(home.path("out/2/rejects.csv").exists());
}

/// The same command would fail in the same way.
#[test]
fn what_just_failed_is_not_proposed_again() {
    for (code, limit) in [(401, None), (404, None), (301, None), (422, Some("1"))] {
        let home = Home::new();
        home.cases(3);
        let server = Server::start(move |_| status(code));
        let limit = limit.iter().flat_map(|number| ["--limit", number]);
        let done = home
            .import_for_people(&server.url(), &["cases.csv"])
            .args(&limit.collect::<Vec<_>>())
            .run();
        assert_eq!(server.requests().len(), 1, "{done}");
        let done = done.never_prints("next: caseload import");
        if code != 422 {
            done.never_prints("fix and import again");
        }
    }
}

#[test]
fn standard_input_has_no_next_command() {
    let home = Home::new();
    let server = server();
    let done = home
        .caseload(&["import", "-", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--dry-run"])
        .args(&["--output", "json"])
        .input("id,partnerFirmId\n1,f1\n")
        .run()
        .exits(0);
    assert_eq!(done.summary().next(), [""; 0], "{done}");
    assert!(done.summary().text("plan").ends_with("-1"), "{done}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_name_that_is_not_unicode_has_no_next_command() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = Home::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.csv");
    std::fs::write(home.folder().join(name), "id,partnerFirmId\n1,f1\n").unwrap();
    let done = home
        .caseload(&["import", "--sandbox", "--output", "json"])
        .arg(name)
        .run()
        .exits(0)
        .counts(&[("imported", 1)]);
    assert_eq!(done.summary().next(), [""; 0], "{done}");
}
