//! Which ledger a run uses. An empty one would send everything again, so none
//! is created unasked, however the right one is lost.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::server::{Server, created, react};
use crate::support::{Home, KEY, LedgerFile, Program, Sandbox, creating_server, example};

/// An import without a ledger flag.
fn import(home: &Home, url: &str) -> Program {
    home.caseload(&["import", "cases.csv", "--base-url", url])
        .args(&["--map-id", "m1", "--key-column", "id", "--pace", "1ms"])
        .args(&["--output", "json", "--yes"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
}

/// The ledgers in the home's state folder.
fn ledgers(home: &Home) -> Vec<PathBuf> {
    let files = home.files().into_iter();
    files
        .filter(|file| file.extension().is_some_and(|ending| ending == "db"))
        .collect()
}

#[test]
fn the_first_import_creates_a_ledger_only_on_request() {
    let home = Home::new();
    home.write("key.txt", "\u{feff}pk_first_41  \r\n");
    let key = home.path("key.txt").display().to_string();
    let sandbox = Sandbox::start(&["--map-id", "map_1", "--public-key-file", &key]);
    let import = |words: &[&str]| {
        home.caseload(&["import", &example("cases.csv")])
            .args(&["--base-url", &sandbox.url(), "--map-id", "map_1"])
            .args(&["--key-column", "LeadId", "--public-key-file", "key.txt"])
            .args(&["--pace", "1ms"])
            .args(words)
            .run()
    };
    import(&["--new-ledger"])
        .exits(2)
        .says("not a terminal: use --yes or --plan");
    import(&["--yes"])
        .exits(2)
        .says("If this is this account's first import, add --new-ledger");
    assert!(ledgers(&home).is_empty());
    import(&["--yes", "--new-ledger"])
        .exits(0)
        .prints("25 of 25 records imported");
    let [ledger] = &ledgers(&home)[..] else {
        panic!("{:?}", home.files());
    };
    let name = ledger.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("127.0.0.1"), "{name}");
    import(&["--yes", "--new-ledger"])
        .exits(2)
        .says("already exists, with 25 cases; leave --new-ledger out");
    import(&["--yes"])
        .exits(0)
        .prints("nothing to do: all 25 already imported");
    assert_eq!(sandbox.calls().len(), 25);
    assert_eq!(LedgerFile::read(ledger).number("imported"), 25);
}

#[test]
fn the_ledger_does_not_depend_on_the_working_directory() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    import(&home, &server.url())
        .arg("--new-ledger")
        .run()
        .exits(0);
    let elsewhere = Home::new();
    elsewhere.cases(2);
    let state = home.path("state").display().to_string();
    import(&elsewhere, &server.url())
        .env("XDG_STATE_HOME", &state)
        .run()
        .exits(0)
        .counts(&[("already_imported", 2)]);
    // Another user has another state folder, where no ledger is created unasked.
    import(&elsewhere, &server.url()).run().exits(2);
    assert!(ledgers(&elsewhere).is_empty());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn different_spellings_of_a_url_are_one_account() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    let url = format!("http://LOCALHOST:{}", server.addr().port());
    import(&home, &url).arg("--new-ledger").run().exits(0);
    import(&home, &format!("{}/", url.to_lowercase()))
        .run()
        .exits(0)
        .counts(&[("already_imported", 1)]);
    // The map id is not part of a case's identity.
    import(&home, &url)
        .env("LEXAMICA_MAP_ID", "other")
        .run()
        .exits(0)
        .counts(&[("already_imported", 1)]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_ledger_belongs_to_one_account() {
    let home = Home::new();
    home.cases(2);
    let (first, second) = (creating_server(), creating_server());
    home.import(&first.url()).run().exits(0);
    home.import(&second.url())
        .run()
        .exits(2)
        .says(&format!(
            "is the ledger of {}, not of {}",
            first.url(),
            second.url()
        ))
        .says("--adopt-ledger");
    home.import(&second.url()).arg("--dry-run").run().exits(2);
    // Another organization of one host is another account.
    home.import(&first.url())
        .args(&["--org-id", "o2"])
        .run()
        .exits(2);
    home.import(&second.url())
        .arg("--adopt-ledger")
        .run()
        .exits(0)
        .counts(&[("already_imported", 2)]);
    assert_eq!(home.ledger().account, second.url());
    home.import(&second.url()).run().exits(0);
    home.import(&first.url()).run().exits(2);
    assert_eq!((first.requests().len(), second.connections()), (2, 0));
}

#[test]
fn a_second_ledger_of_an_account_must_be_meant() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    let new = |words: &[&str]| {
        import(&home, &server.url())
            .arg("--new-ledger")
            .args(words)
            .run()
    };
    new(&[]).exits(0);
    let known = ledgers(&home).pop().unwrap();
    let id = LedgerFile::read(&known).id;
    let second = ["--ledger", "second.db"];
    new(&second)
        .exits(2)
        .says("has a ledger already")
        .says(&format!(
            "{} has 1 case of {}",
            known.display(),
            server.url()
        ))
        .says(&format!("--beside-ledger {id}"));
    let other = "01980000-0000-7000-8000-000000000000";
    new(&[&second[..], &["--beside-ledger", other]].concat())
        .exits(2)
        .says(&format!("no ledger {other} of {}", server.url()));
    // A ledger that is lost is known too.
    let lost = home.path("lost.db");
    std::fs::rename(&known, &lost).unwrap();
    new(&[]).exits(2).says("can't be used").says(&id);
    std::fs::rename(&lost, &known).unwrap();
    assert_eq!(server.requests().len(), 1);
    let beside = [&second[..], &["--beside-ledger", &id]].concat();
    new(&beside).exits(0).counts(&[("imported", 1)]);
    new(&beside)
        .exits(2)
        .says("already exists, with 1 case; leave --new-ledger out");
    // Another account only names the others.
    import(&home, &server.url())
        .args(&["--org-id", "o2", "--new-ledger"])
        .run()
        .exits(0)
        .says("other ledgers exist:")
        .says("second.db has 1 case of ");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_is_allowed_once_is_an_error_without_effect() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    let unused = "01980000-0000-7000-8000-000000000000";
    for (words, message) in [
        (&["--new-ledger"][..], "leave --new-ledger out"),
        (&["--new-ledger", "--dry-run"], "leave --new-ledger out"),
        (&["--beside-ledger", unused], "--new-ledger"),
        (&["--adopt-ledger"], "leave --adopt-ledger out"),
        (
            &["--accept-older-ledger", "x-1"],
            "leave --accept-older-ledger out",
        ),
    ] {
        home.import(&server.url())
            .args(words)
            .run()
            .exits(2)
            .says(message);
    }
    for (words, flag) in [
        (&["--new-ledger"][..], "--new-ledger"),
        (&["--adopt-ledger"], "--adopt-ledger"),
        (&["--accept-older-ledger", "x-1"], "--accept-older-ledger"),
    ] {
        home.caseload(&["import", "cases.csv", "--sandbox"])
            .args(words)
            .run()
            .exits(2)
            .says(&format!("--sandbox cannot be combined with {flag}"));
    }
    let missing = |words: &[&str]| {
        import(&home, "http://127.0.0.1:9")
            .args(&["--new-ledger", "--ledger", "none.db"])
            .args(words)
            .run()
            .exits(2)
    };
    missing(&["--adopt-ledger"]).says("leave --adopt-ledger out");
    missing(&["--accept-older-ledger", "x-1"]).says("leave --accept-older-ledger out");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_older_copy_of_a_ledger_is_refused_until_its_attempt_is_named() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    std::fs::copy(home.path("ledger.db"), home.path("backup.db")).unwrap();
    home.cases(3);
    home.import(&server.url()).run().exits(0);
    std::fs::rename(home.path("backup.db"), home.path("ledger.db")).unwrap();
    let refused = home.import(&server.url()).run().exits(2);
    let refused = refused.says("an older copy of the ledger");
    let (_, attempt) = refused.err.split_once("--accept-older-ledger ").unwrap();
    let attempt = attempt.split_whitespace().next().unwrap().to_owned();
    home.import(&server.url())
        .args(&["--accept-older-ledger", "x-9"])
        .run()
        .exits(2)
        .says(&format!("--accept-older-ledger {attempt}"));
    let resolve = |words: &[&str]| {
        home.caseload(&["resolve", "--ledger", "ledger.db", "--yes"])
            .args(words)
            .run()
    };
    resolve(&["--imported", "c3=x2"])
        .exits(2)
        .says("an older copy of the ledger");
    home.import(&server.url())
        .arg("--dry-run")
        .run()
        .exits(0)
        .says("an older copy of the ledger");
    home.run(&["status", "--ledger", "ledger.db"])
        .exits(0)
        .prints("an older copy of the ledger");
    home.run(&["export", "--ledger", "ledger.db", "--json", "-"])
        .exits(0)
        .says("an older copy of the ledger");
    assert_eq!(server.requests().len(), 3);
    // What is missing can be recorded, and nothing is sent twice.
    resolve(&["--imported", "c3=x2", "--accept-older-ledger", &attempt]).exits(0);
    home.import(&server.url())
        .run()
        .exits(0)
        .counts(&[("already_imported", 3)]);
    home.cases(4);
    home.import(&server.url()).run().exits(0);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn an_older_copy_that_is_accepted_sends_what_it_lacks() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    home.run(&["ledger", "backup", "backup.db", "--ledger", "ledger.db"])
        .exits(0)
        .says("wrote 1 case to backup.db");
    // Never over a file that exists.
    home.run(&["ledger", "backup", "backup.db", "--ledger", "ledger.db"])
        .exits(2)
        .says("already exists");
    let mode = std::fs::metadata(home.path("backup.db")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o777, 0o600);
    home.cases(2);
    home.import(&server.url()).run().exits(0);
    let restored = || import(&home, &server.url()).args(&["--ledger", "backup.db"]);
    let refused = restored().run().exits(2);
    let (_, attempt) = refused.err.split_once("--accept-older-ledger ").unwrap();
    let attempt = attempt.split_whitespace().next().unwrap();
    restored()
        .args(&["--accept-older-ledger", attempt])
        .run()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 1)]);
    assert_eq!(server.requests().len(), 3);
    // Now the other copy is the one that lacks something.
    home.import(&server.url())
        .run()
        .exits(2)
        .says("the other of two copies");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn all_known_ledgers_are_listed() {
    let home = Home::new();
    home.cases(2);
    home.run(&["ledger", "list"])
        .exits(0)
        .says("no ledger is known");
    let (first, second) = (creating_server(), creating_server());
    import(&home, &first.url())
        .arg("--new-ledger")
        .run()
        .exits(0);
    home.import(&second.url()).run().exits(0);
    let listed = home.run(&["ledger", "list"]).exits(0);
    let listed = listed.prints("ledger.db\n  has 2 cases of ");
    let listed = listed.prints(&format!("{}, 0 in doubt", first.url()));
    let listed = listed.prints(&format!("{}, 0 in doubt", second.url()));
    listed.prints(&home.ledger().id).prints("last import 20");
    std::fs::remove_file(home.path("ledger.db")).unwrap();
    let listed = home.run(&["ledger", "list", "--output", "json"]).exits(0);
    let listed = listed.json().pop().unwrap();
    let listed = listed["ledgers"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2);
    for ledger in listed {
        let is_lost = ledger["account"] == second.url();
        assert_eq!(ledger["error"].is_string(), is_lost, "{ledger}");
        assert_eq!(ledger["cases"]["imported"] == 2, !is_lost, "{ledger}");
        assert!(ledger["ledger_id"].is_string(), "{ledger}");
    }
}

#[test]
fn runs_name_their_user_without_an_environment_and_show_local_times() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url())
        .without_env("USER")
        .run()
        .exits(0);
    let whoami = std::process::Command::new("id").arg("-un").output();
    let name = String::from_utf8(whoami.unwrap().stdout).unwrap();
    let status = |words: &[&str]| {
        home.caseload(&["status", "--ledger", "ledger.db"])
            .args(words)
            .env("TZ", "HKT-8")
            .run()
            .exits(0)
    };
    let json = status(&["--output", "json"]).json();
    assert_eq!(json[0]["runs"][0]["user"], name.trim());
    let created = json[0]["created_at"].as_str().unwrap();
    assert!(created.ends_with('Z'), "{created}");
    status(&[]).prints(" HKT");
}

#[test]
fn a_ci_job_creates_a_ledger_first_and_then_requires_its_id() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    let job = || import(&home, &server.url()).env("CI", "true");
    let made = job().arg("--new-ledger");
    // It sends nothing, and needs no key for that.
    let made = made.without_env("LEXAMICA_PUBLIC_KEY").run().exits(0);
    let made = made.json().pop().unwrap();
    let id = made["new_ledger"].as_str().unwrap();
    assert_eq!(made["exit_code"], 0);
    assert_eq!(server.connections(), 0, "making it sends nothing");
    job()
        .run()
        .exits(2)
        .says(&format!("CASELOAD_LEDGER_ID={id}"));
    let other = "01980000-0000-7000-8000-000000000000";
    job()
        .env("CASELOAD_LEDGER_ID", other)
        .run()
        .exits(2)
        .says(other);
    assert_eq!(server.connections(), 0);
    job()
        .env("CASELOAD_LEDGER_ID", id)
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
    // The job's cache is gone.
    let ledger = ledgers(&home).pop().unwrap();
    for file in home.files() {
        if file.starts_with(ledger.parent().unwrap()) {
            std::fs::remove_file(file).unwrap();
        }
    }
    for words in [&[][..], &["--new-ledger"], &["--dry-run"]] {
        job()
            .env("CASELOAD_LEDGER_ID", id)
            .args(words)
            .run()
            .exits(2)
            .says(&format!("expected ledger {id}"));
    }
    assert_eq!(server.requests().len(), 2);
    assert!(ledgers(&home).is_empty());
}

#[test]
fn a_lost_ledger_is_not_replaced_by_a_new_one() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    let id = home.ledger().id;
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(home.path(name));
    }
    import(&home, &server.url())
        .args(&["--ledger", "ledger.db"])
        .run()
        .exits(2)
        .says("with an empty one every case is sent");
    home.import(&server.url())
        .args(&["--ledger-id", &id])
        .run()
        .exits(2)
        .says("restore it from a backup");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_copied_ledger_is_reported() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    std::fs::copy(home.path("ledger.db"), home.path("copy.db")).unwrap();
    import(&home, &server.url())
        .args(&["--ledger", "copy.db"])
        .run()
        .exits(0)
        .says("this ledger was last used as ")
        .says("each knows only some of the imported cases");
}

#[test]
fn a_second_run_is_refused_and_names_the_first() {
    let home = Home::new();
    home.cases(2);
    let (arrived, arrivals) = channel();
    let server = Server::start(move |_| {
        arrived.send(()).unwrap();
        react().silence()
    });
    let first = home.import(&server.url()).start();
    arrivals.recv_timeout(Duration::from_mins(1)).unwrap();
    home.import(&server.url())
        .env("TZ", "HKT-8")
        .run()
        .exits(2)
        .says("tess on ")
        .says(" HKT (")
        .says(&format!("process {}", first.id()));
    assert_eq!(server.requests().len(), 1);
    // A dry run takes no lock.
    home.import(&server.url()).arg("--dry-run").run().exits(0);
}

#[test]
fn a_run_can_wait_for_another() {
    let home = Home::new();
    home.cases(2);
    let (arrived, arrivals) = channel();
    let server = Server::start(move |request| {
        arrived.send(()).unwrap();
        match request.index {
            0 => react().silence(),
            index => created(&format!("x{index}")),
        }
    });
    let first = home.import(&server.url()).start();
    arrivals.recv_timeout(Duration::from_mins(1)).unwrap();
    let second = home.import(&server.url()).args(&["--wait", "5m"]).start();
    first.kill();
    second
        .wait()
        .exits(4)
        .counts(&[("in_doubt", 1), ("imported", 1)]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_file_that_is_not_a_usable_ledger_is_refused_and_unchanged() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    let newer = home.path("newer.db");
    home.import(&server.url())
        .args(&["--limit", "1"])
        .run()
        .exits(0);
    std::fs::copy(home.path("ledger.db"), &newer).unwrap();
    let conn = rusqlite::Connection::open(&newer).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    home.write(
        "text.db",
        "this is not a database, and long enough to be read as one",
    );
    let other = rusqlite::Connection::open(home.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(other);
    let mut damaged = std::fs::read(home.path("ledger.db")).unwrap();
    damaged[5000..9000].fill(0xA5);
    home.write("damaged.db", damaged);
    for (name, said) in [
        ("newer.db", "newer"),
        ("text.db", "text.db"),
        ("other.db", "other.db"),
        ("damaged.db", "damaged.db"),
        ("Dropbox/ledger.db", "Dropbox"),
        ("tmp", "it is a folder"),
    ] {
        let before = std::fs::read(home.path(name)).ok();
        import(&home, &server.url())
            .args(&["--ledger", name])
            .run()
            .exits(2)
            .says("error: ")
            .says(said);
        assert_eq!(std::fs::read(home.path(name)).ok(), before, "{name}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_test_run_has_its_own_ledger_and_settings() {
    let home = Home::new();
    home.cases(1);
    let test_run = |words: &[&str]| {
        home.caseload(&["import", "cases.csv", "--sandbox", "--output", "json"])
            .args(words)
            .env("LEXAMICA_BASE_URL", "https://api.example.com")
            .env("CASELOAD_LEDGER", "elsewhere.db")
            .env("CASELOAD_LEDGER_ID", "none")
            .run()
    };
    test_run(&["--ledger", "x.db"]).exits(2).says("--ledger");
    test_run(&["--base-url", "http://localhost"])
        .exits(2)
        .says("--base-url");
    let done = test_run(&[]).exits(0).counts(&[("imported", 1)]);
    assert_eq!(done.summary().text("account"), "sandbox");
    assert!(!home.path("elsewhere.db").exists());
    assert_eq!(ledgers(&home), [home.path("caseload-sandbox.db")]);
    // Only a sandbox ledger is ever deleted.
    let server = creating_server();
    std::fs::remove_file(home.path("caseload-sandbox.db")).unwrap();
    import(&home, &server.url())
        .args(&["--ledger", "caseload-sandbox.db", "--new-ledger"])
        .run()
        .exits(0);
    test_run(&["--fresh"]).exits(2).says("it was not deleted");
    test_run(&[]).exits(2);
    assert!(home.path("caseload-sandbox.db").exists());
}

#[test]
fn a_dry_run_creates_no_ledger_and_needs_no_key() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    let before = home.files();
    home.import(&server.url())
        .without_env("LEXAMICA_PUBLIC_KEY")
        .arg("--dry-run")
        .run()
        .exits(0)
        .counts(&[("untried", 2)]);
    assert_eq!(home.files(), before);
    assert_eq!(server.connections(), 0);
}
