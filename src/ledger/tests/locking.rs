//! One run at a time, and readers beside it.

use super::*;

#[test]
fn a_second_run_learns_who_holds_the_lock() {
    let test = TestLedger::new();
    let error = LedgerLock::take(&test.path, &holder()).unwrap_err();
    let LedgerErrorKind::Locked(Some(who)) = &error.kind else {
        panic!("{error}");
    };
    assert_eq!(**who, holder());
    let text = error.to_string();
    assert!(
        text.contains(
            "paula on desk-7, process 4711, since 2026-05-28T20:26:40Z (import cases.csv)"
        ),
        "{text}"
    );
}

#[test]
fn a_symlink_leads_to_the_same_lock() {
    let test = TestLedger::new();
    let link = test.folder.path().join("link.db");
    std::os::unix::fs::symlink(&test.path, &link).unwrap();
    let error = LedgerLock::take(&link, &holder()).unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::Locked(_)), "{error}");
}

#[test]
fn the_lock_is_held_as_long_as_the_ledger_is_open() {
    let TestLedger {
        folder: _folder,
        path,
        lock,
        ledger,
        ..
    } = TestLedger::new();
    drop(lock);
    assert!(LedgerLock::take(&path, &holder()).is_err());
    let status = LedgerLock::status(&path).unwrap();
    assert_eq!(status, LockStatus::HeldBy(holder()));
    drop(ledger);
    assert_eq!(LedgerLock::status(&path).unwrap(), LockStatus::Free);
    assert!(path.with_file_name("ledger.db.lock").exists());
    let lock = LedgerLock::take(&path, &holder()).unwrap();
    open(&path, &lock).unwrap();
}

#[test]
fn a_lock_opens_only_its_own_ledger() {
    let test = TestLedger::new();
    let other = TestLedger::new();
    let error = open(&test.path, &other.lock).unwrap_err();
    assert!(
        matches!(error.kind, LedgerErrorKind::WrongLock(_)),
        "{error}"
    );
}

#[test]
fn a_reader_sees_one_moment() {
    let test = TestLedger::new();
    let first = test.claim(version(1, 0), None).unwrap();
    let reader = open_read_only(&test.path).unwrap();
    test.settle(&first, Verdict::Imported, Some("a")).unwrap();
    let _second = test.claim(version(2, 0), None).unwrap();
    // The run goes on, so the case is in flight.
    let seen = reader.select(&CaseFilter::default()).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].state, State::Sending);
    assert_eq!(reader.runs(1).unwrap()[0].end, None);
    let later = open_read_only(&test.path).unwrap().info().unwrap();
    assert_eq!(
        (
            later.counts.of(State::Imported),
            later.counts.of(State::Sending)
        ),
        (1, 1)
    );
}

#[test]
fn without_a_run_cases_in_flight_are_shown_in_doubt() {
    let TestLedger {
        folder: _folder,
        path,
        lock,
        ledger,
        run,
    } = TestLedger::new();
    let _left = ledger
        .write(|conn| claim::claim(conn, &request(run, version(1, 0), None)))
        .unwrap()
        .unwrap();
    drop((ledger, lock));
    let reader = open_read_only(&path).unwrap();
    let doubts = CaseFilter {
        states: Some(vec![State::InDoubt]),
        ..CaseFilter::default()
    };
    assert_eq!(reader.select(&doubts).unwrap()[0].state, State::InDoubt);
    assert_eq!(reader.counts(&doubts).unwrap().of(State::InDoubt), 1);
    let sending = CaseFilter {
        states: Some(vec![State::Sending]),
        ..CaseFilter::default()
    };
    assert_eq!(reader.select(&sending).unwrap(), []);
    assert_eq!(reader.info().unwrap().counts.of(State::InDoubt), 1);
    let known = reader.lookups().find(&[key(1).digest()]).unwrap();
    assert_eq!(known[0].as_ref().unwrap().state, State::InDoubt);
    let same = reader
        .same_content(&version(1, 0).record_digest, &Digest::default())
        .unwrap();
    assert_eq!(same.unwrap().state, State::InDoubt);
    assert_eq!(reader.runs(1).unwrap()[0].end, Some(RunEnd::Unexpected));
}

#[test]
fn all_ledgers_of_a_folder_are_discovered_even_broken_ones() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(discover(&folder.path().join("none")).unwrap().len(), 0);
    let account = "https://api.example.com";
    let path = default_path(folder.path(), account);
    let lock = LedgerLock::take(&path, &holder()).unwrap();
    begin(&create(&path, &lock, account).unwrap());
    drop(lock);
    std::fs::write(folder.path().join("zzz.db"), "what is this").unwrap();
    let found = discover(folder.path()).unwrap();
    assert_eq!(found.len(), 2);
    let info = found[0].info.as_ref().unwrap();
    assert_eq!(
        (info.account.as_str(), host_of(&info.account)),
        (account, "api.example.com")
    );
    let reader = open_read_only(&found[0].path).unwrap();
    assert_eq!(reader.runs(1).unwrap()[0].start, run_start());
    let error = found[1].info.as_ref().unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::NotALedger), "{error}");
}
