//! One run at a time; readers and resolutions beside it.

use super::*;

#[test]
fn a_second_run_learns_who_holds_the_lock() {
    let test = TestLedger::new();
    let error = reopened(&test.path).unwrap_err();
    let LedgerErrorKind::Locked(Some(_)) = &error.kind else {
        panic!("{error}");
    };
    let text = error.to_string();
    // The time is local.
    for part in [
        "paula on desk-7, process 4711, since 2026-05-2",
        "(import cases.csv)",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_symlink_leads_to_the_same_lock() {
    let test = TestLedger::new();
    let link = test.folder.path().join("link.db");
    std::os::unix::fs::symlink(&test.path, &link).unwrap();
    let error = reopened(&link).unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::Locked(_)), "{error}");
}

#[test]
fn the_lock_is_held_as_long_as_the_ledger_is_open() {
    let test = TestLedger::new();
    let reader = read_only(&test.path).unwrap();
    let LockStatus::HeldBy(holder) = reader.lock_status().unwrap() else {
        panic!("it is not held");
    };
    assert_eq!(holder.pid, 4711);
    drop(test.ledger);
    assert_eq!(reader.lock_status().unwrap(), LockStatus::Free);
    let ledger = reopened(&test.path).unwrap();
    // The dead run is not taken for its holder.
    assert_eq!(reader.lock_status().unwrap(), LockStatus::Held);
    drop(ledger);
    assert_eq!(reader.lock_status().unwrap(), LockStatus::Free);
}

#[test]
fn a_reader_never_holds_up_a_run() {
    let test = TestLedger::new();
    let claim = test.claim(version(1, 0), None).unwrap();
    let reader = read_only(&test.path).unwrap();
    let mut cases = reader.cases(&CaseFilter::default());
    let mut lookups = reader.lookups();
    // The run goes on, so the case is in flight.
    assert_eq!(cases.next().unwrap().unwrap().state, State::Sending);
    assert!(lookups.find(&[key(1).digest()]).unwrap()[0].is_some());
    assert_eq!(reader.runs(1).unwrap()[0].end, None);
    // Both are still in the middle of their work.
    test.ledger
        .reader
        .db
        .conn()
        .busy_timeout(Duration::ZERO)
        .unwrap();
    test.settle(&claim, Verdict::Imported, Some("a")).unwrap();
    assert!(cases.next().is_none());
    let known = lookups.find(&[key(1).digest()]).unwrap();
    assert_eq!(known[0].as_ref().unwrap().state, State::Imported);
}

#[test]
fn cases_are_resolved_beside_a_run() {
    let mut test = TestLedger::new();
    test.bring(1, State::InDoubt);
    test.bring(2, State::Sending);
    let mut beside = open_to_resolve(&test.path, None).unwrap();
    let cases = [(key(1), None), (key(2), None)];
    let report = beside
        .resolve(ResolveAction::NotImported, &cases, "paula", moment(40))
        .unwrap();
    assert_eq!(report.done, 1);
    assert_eq!(report.refused, [(key(2), Refusal::State(State::Sending))]);
    // Its plan has seen the case in doubt.
    let refused = test.claim(version(1, 0), Some(State::InDoubt));
    assert_eq!(refused.unwrap_err(), Some(State::NotSent));
    drop(test.ledger);
    // What a dead run left can be resolved at once.
    drop(beside);
    let mut beside = open_to_resolve(&test.path, None).unwrap();
    assert_eq!(beside.recovered(), 1);
    let report = beside
        .resolve(ResolveAction::NotImported, &cases[1..], "paula", moment(41))
        .unwrap();
    assert_eq!(report.done, 1);
    // It holds no lock, and can't run.
    reopened(&test.path).unwrap();
    assert!(beside.start(false).is_err());
}

#[test]
fn without_a_run_cases_in_flight_are_shown_in_doubt() {
    let TestLedger {
        folder: _folder,
        path,
        ledger,
        run,
    } = TestLedger::new();
    let _left = ledger
        .write(|conn| claim::claim(conn, &request(run, version(1, 0), None)))
        .unwrap()
        .unwrap();
    drop(ledger);
    let reader = read_only(&path).unwrap();
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
    let look_alikes = reader.look_alikes().unwrap().unwrap();
    assert_eq!(look_alikes.case(1).unwrap().state, State::InDoubt);
    assert_eq!(reader.runs(1).unwrap()[0].end, Some(RunEnd::Unexpected));
}

#[test]
fn all_ledgers_of_a_folder_are_discovered_even_broken_ones() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(discover(&folder.path().join("none")).unwrap().len(), 0);
    let account = "https://api.example.com";
    let path = default_path(folder.path(), account);
    begin(&create(&path, None, account).unwrap());
    std::fs::write(folder.path().join("zzz.db"), "what is this").unwrap();
    let found = discover(folder.path()).unwrap();
    assert_eq!(found.len(), 2);
    let info = found[0].info.as_ref().unwrap();
    assert_eq!(info.account, account);
    let reader = read_only(&found[0].path).unwrap();
    assert_eq!(reader.runs(1).unwrap()[0].start, run_start());
    let error = found[1].info.as_ref().unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::NotALedger), "{error}");
}
