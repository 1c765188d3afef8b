//! Which ledger a run uses. An empty one would send everything again, so none
//! is created unasked, however the right one is lost.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::server::{Server, react};
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
fn a_second_ledger_for_a_host_needs_an_explicit_path() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    import(&home, &server.url())
        .arg("--new-ledger")
        .run()
        .exits(0);
    let other = || import(&home, &server.url()).args(&["--org-id", "o2", "--new-ledger"]);
    let known = ledgers(&home).pop().unwrap();
    other()
        .run()
        .exits(2)
        .says("this host has other ledgers")
        .says(&format!(
            "{} has 1 case of {}",
            known.display(),
            server.url()
        ));
    import(&home, &server.url())
        .args(&["--org-id", "o2"])
        .run()
        .exits(2)
        .says(" has 1 case of ");
    other()
        .args(&["--ledger", "second.db"])
        .run()
        .exits(0)
        .counts(&[("imported", 1)]);
    assert_eq!(ledgers(&home).len(), 2);
}

#[test]
fn a_ci_job_creates_a_ledger_first_and_then_requires_its_id() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    let job = || import(&home, &server.url()).env("CI", "true");
    let made = job().arg("--new-ledger").run().exits(0);
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
        .run()
        .exits(2)
        .says("tess on ")
        .says(&format!("process {}", first.id()));
    assert_eq!(server.requests().len(), 1);
    // A dry run takes no lock.
    home.import(&server.url()).arg("--dry-run").run().exits(0);
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
