//! The file: how it is created, what is refused, what a crash leaves.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use rusqlite::Connection;

use crate::ledger::database::Database;

use super::*;

#[test]
fn commits_are_synced_to_the_disk() {
    let test = TestLedger::new();
    let pragma = |name: &str| -> String {
        let conn = test.ledger.reader.db.conn();
        conn.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{other:?}"),
            })
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "truncate");
    for (name, value) in [
        ("synchronous", "2"),
        ("fullfsync", "1"),
        ("foreign_keys", "1"),
        ("secure_delete", "1"),
    ] {
        assert_eq!(pragma(name), value, "{name}");
    }
}

#[test]
fn only_the_owner_can_read_its_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folders/ledger.db");
    let ledger = create(&path, None, "sandbox").unwrap();
    begin(&ledger);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["ledger.db", "ledger.db-journal"] {
        assert_eq!(mode(path.with_file_name(name)), 0o600, "{name}");
    }
    for name in ["new", "new/folders"] {
        assert_eq!(mode(folder.path().join(name)), 0o700, "{name}");
    }
    drop(ledger);
    // The modes of a copy are corrected.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    reopened(&path).unwrap();
    assert_eq!(mode(path), 0o600);
}

#[test]
fn an_existing_ledger_is_never_replaced() {
    let test = TestLedger::new();
    let id = test.ledger.reader().info().unwrap().id;
    let error = create(&test.path, None, "sandbox").unwrap_err();
    assert!(
        matches!(
            error.kind,
            LedgerErrorKind::AlreadyExists | LedgerErrorKind::Leftover
        ),
        "{error}"
    );
    let test = test.reopen();
    assert_eq!(test.ledger.reader().info().unwrap().id, id);
    assert_eq!(names(&test.folder), ["ledger.db", "ledger.db-journal"]);
    drop(test.ledger);
    let error = create(&test.path, None, "sandbox").unwrap_err();
    assert!(
        matches!(error.kind, LedgerErrorKind::AlreadyExists),
        "{error}"
    );
    assert_eq!(names(&test.folder), ["ledger.db"]);
}

/// The files of a folder.
fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn leftovers_of_a_lost_ledger_block_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(folder.path().join("ledger.db-journal"), "x").unwrap();
    let error = create(&path, None, "sandbox").unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::Leftover), "{error}");
    assert!(!path.exists());
}

#[test]
fn reading_creates_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("away/ledger.db");
    for error in [
        read_only(&path).unwrap_err(),
        reopened(&path).unwrap_err(),
        open_to_resolve(&path, None).unwrap_err(),
    ] {
        assert!(matches!(error.kind, LedgerErrorKind::NotFound), "{error}");
    }
    assert!(!exists(&path).unwrap());
    assert!(names(&folder).is_empty());
}

/// A ledger with some pages of cases, written in one commit.
fn filled() -> TestLedger {
    let test = TestLedger::new();
    let fill = |db: &Database| {
        for n in 0..200 {
            let request = request(test.run, version(n, 0), None);
            let claim = claim::claim(db, &request)?.unwrap();
            let answer = answer(422, None);
            claim::settle(db, &claim, Verdict::Rejected, &answer, moment(20), false)?;
        }
        Ok(())
    };
    test.ledger.write(fill).unwrap();
    test
}

fn damage(test: TestLedger, harm: impl FnOnce(&mut fs::File)) -> LedgerError {
    let TestLedger {
        folder: _folder,
        path,
        ledger,
        ..
    } = test;
    drop(ledger);
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    harm(&mut file);
    drop(file);
    reopened(&path).unwrap_err()
}

#[test]
fn a_damaged_ledger_is_refused() {
    let error = damage(filled(), |file| {
        let length = file.metadata().unwrap().len();
        file.set_len(length / 2 / 4096 * 4096).unwrap();
    });
    assert!(
        matches!(error.kind, LedgerErrorKind::Damaged(_)),
        "truncated: {error}"
    );

    let error = damage(filled(), |file| {
        // The heads of all pages but the first two.
        let pages = file.metadata().unwrap().len() / 4096;
        for page in 2..pages {
            file.seek(SeekFrom::Start(page * 4096)).unwrap();
            let mut head = [0_u8; 8];
            file.read_exact(&mut head).unwrap();
            file.seek(SeekFrom::Start(page * 4096)).unwrap();
            file.write_all(&head.map(|byte| !byte)).unwrap();
        }
    });
    assert!(
        matches!(error.kind, LedgerErrorKind::Damaged(_)),
        "flipped: {error}"
    );
    assert!(error.to_string().contains("backup"), "{error}");
}

#[test]
fn other_files_are_refused() {
    let error = damage(filled(), |file| {
        file.write_all(b"Lead ID,Name\n").unwrap();
    });
    assert!(matches!(error.kind, LedgerErrorKind::NotALedger), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE cases (no INTEGER)")
        .unwrap();
    drop(conn);
    for error in [reopened(&path).unwrap_err(), read_only(&path).unwrap_err()] {
        assert!(matches!(error.kind, LedgerErrorKind::NotALedger), "{error}");
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let test = filled();
    test.ledger
        .write(|db| Ok(db.conn().pragma_update(None, "user_version", 2)?))
        .unwrap();
    drop(test.ledger);
    let error = read_only(&test.path).unwrap_err();
    let newer = LedgerErrorKind::NewerSchema(2);
    assert_eq!(error.to_string(), newer.at(&test.path).to_string());
    let error = reopened(&test.path).unwrap_err();
    assert!(
        matches!(error.kind, LedgerErrorKind::NewerSchema(_)),
        "{error}"
    );
}

/// A copy that was taken in the middle of a commit can have an index that does
/// not fit its rows: only the thorough check finds it, and it is made when the last run
/// did not end and there is no journal.
#[test]
fn a_copy_from_the_middle_of_a_commit_is_refused() {
    let test = filled();
    let spoil = "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, '(state)', '(key)')
         WHERE name = 'cases_open'";
    test.ledger.reader.db.conn().execute_batch(spoil).unwrap();
    let copy = |name: &str| {
        let path = test.folder.path().join(name);
        fs::copy(&test.path, &path).unwrap();
        path
    };
    let (path, with_journal) = (copy("copy.db"), copy("other.db"));
    fs::write(test.folder.path().join("other.db-journal"), "").unwrap();
    let error = read_only(&path).unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::Damaged(_)), "{error}");
    read_only(&with_journal).unwrap();
}

#[test]
fn a_read_only_folder_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        return; // root may write anywhere
    }
    let error = create(closed.join("ledger.db"), None, "sandbox").unwrap_err();
    assert!(
        matches!(error.kind, LedgerErrorKind::NoAccess(_)),
        "{error}"
    );
}

#[test]
fn places_and_files_where_no_ledger_can_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("gone.db"), &link).unwrap();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    let synced = folder.path().join("OneDrive - Smith LLP/ledger.db");
    for (path, said) in [
        (folder.path(), "it is a folder"),
        (Path::new("/dev/null"), "not a regular file"),
        (&link, "a symbolic link to a file that does not exist"),
        (&empty, "an empty file"),
        (&synced, "that OneDrive - Smith LLP syncs"),
    ] {
        let error = match exists(path) {
            Ok(true) => reopened(path).unwrap_err(),
            Ok(false) => create(path, None, "sandbox").unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(names(&folder), ["empty.db", "link.db"]);

    let test = TestLedger::new();
    drop(test.ledger);
    fs::hard_link(&test.path, test.folder.path().join("second.db")).unwrap();
    let error = reopened(&test.path).unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::HardLinked), "{error}");
}

#[test]
fn a_ledger_can_be_adopted_by_a_new_account() {
    let mut test = TestLedger::new();
    test.ledger.adopt("https://new.example.com").unwrap();
    let test = test.reopen();
    assert_eq!(
        test.ledger.reader().info().unwrap().account,
        "https://new.example.com"
    );
}

#[test]
fn cases_that_a_dead_run_left_in_flight_are_in_doubt() {
    let test = TestLedger::new();
    for n in 1..=3 {
        let claim = test.claim(version(n, 0), None).unwrap();
        if n == 3 {
            test.settle(&claim, Verdict::Imported, Some("a")).unwrap();
        }
    }
    let test = test.reopen();
    assert_eq!(test.ledger.recovered(), 2);
    let row = test.row(1).unwrap();
    assert_eq!(row.state, State::InDoubt);
    assert_eq!(
        row.message.as_deref(),
        Some("the run ended while it was in flight")
    );
    // Its age counts from the attempt, not from the day when it was found.
    assert_eq!(row.updated_at, moment(10));
    assert!(row.raw_record.is_some());
    assert_eq!(test.row(3).unwrap().state, State::Imported);
    let runs = test.ledger.reader().runs(2).unwrap();
    assert_eq!(runs[1].end, Some(RunEnd::Unexpected));
    assert_eq!(runs[0].end, None);
    assert_eq!(test.reopen().ledger.recovered(), 0);
}

#[test]
fn payloads_of_imported_cases_are_erased_from_the_file() {
    let test = TestLedger::new();
    for n in 0..20 {
        let claim = test.claim(version(n, 7), None).unwrap();
        test.settle(&claim, Verdict::Imported, Some(&format!("id-{n}")))
            .unwrap();
    }
    let TestLedger {
        folder: _folder,
        path,
        ledger,
        ..
    } = test;
    drop(ledger);
    let bytes = fs::read(&path).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("id-3"));
    assert!(!holds("\"Name\""));
    assert!(!holds("Client"));
}

#[test]
fn after_deletion_a_new_ledger_can_be_created() {
    let TestLedger {
        folder,
        path,
        ledger,
        ..
    } = TestLedger::new();
    let id = ledger.reader().info().unwrap().id;
    ledger.delete().unwrap();
    assert!(names(&folder).is_empty());
    let ledger = create(&path, None, "sandbox").unwrap();
    assert_ne!(ledger.reader().info().unwrap().id, id);
}
