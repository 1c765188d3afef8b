//! The writer of a run: what is committed together, and what happens when the
//! disk fails.

use std::fs;

use super::*;

/// A run in front of its writer.
struct Running {
    _folder: tempfile::TempDir,
    path: PathBuf,
    handle: Handle,
    run: RunId,
}

fn start(test: TestLedger) -> Running {
    let TestLedger {
        folder,
        path,
        ledger,
        run,
    } = test;
    Running {
        _folder: folder,
        path,
        handle: ledger.start(false).unwrap(),
        run,
    }
}

impl Running {
    async fn claim(&self, n: u64, expected: Option<State>) -> Result<Claim, ClaimError> {
        self.handle
            .claim(request(self.run, version(n, 0), expected))
            .await
    }

    fn look(&self) -> LedgerReader {
        read_only(&self.path).unwrap()
    }
}

#[tokio::test]
async fn a_run_through_the_handle() {
    let running = start(TestLedger::new());
    let handle = running.handle.clone();
    let run = handle.begin_run(run_start()).await.unwrap();
    let mut states = Vec::new();
    for (n, verdict, id) in [
        (1, Verdict::Imported, Some("a")),
        (2, Verdict::Rejected, None),
        (3, Verdict::Imported, Some("a")),
    ] {
        let claim = handle
            .claim(request(run, version(n, 0), None))
            .await
            .unwrap();
        assert_eq!(claim.case().key, key(n));
        let settled = handle
            .settle(claim, verdict, answer(201, id), moment(20))
            .await;
        states.push(settled.unwrap().state);
    }
    assert_eq!(states, [State::Imported, State::Rejected, State::InDoubt]);
    let given = handle
        .claim(request(run, version(4, 0), None))
        .await
        .unwrap();
    handle.release(given).await.unwrap();
    let lost = handle
        .claim(request(run, version(5, 0), None))
        .await
        .unwrap();
    drop(lost);
    let counts = Totals {
        total: 5,
        imported: 1,
        ..Totals::default()
    };
    let end = RunEnd::Stopped("too many doubts".to_owned());
    let left = handle
        .end_run(run, counts, end.clone(), moment(40))
        .await
        .unwrap();
    assert_eq!(left, 1);
    handle.close().await.unwrap();

    let reader = running.look();
    let info = reader.info().unwrap();
    let mut expected = StateCounts::default();
    expected.add(State::Imported, 1);
    expected.add(State::Rejected, 1);
    expected.add(State::InDoubt, 2);
    assert_eq!(info.counts, expected);
    let ended = reader.runs(1).unwrap().remove(0);
    assert_eq!((ended.id, ended.end), (run, Some(end)));
    assert_eq!(
        (ended.ended_at, ended.counts),
        (Some(moment(40)), Some(counts))
    );
    assert_eq!(ended.start, run_start());
}

#[tokio::test]
async fn closing_leaves_one_file_and_frees_the_lock() {
    let running = start(TestLedger::new());
    let other = running.handle.clone();
    let _claim = running.claim(1, None).await.unwrap();
    running.handle.clone().close().await.unwrap();
    assert!(!running.path.with_file_name("ledger.db-journal").exists());
    assert_eq!(running.look().lock_status().unwrap(), LockStatus::Free);
    let error = other.claim(request(running.run, version(2, 0), None)).await;
    let Err(ClaimError::Ledger(error)) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(error.kind, LedgerErrorKind::Closed), "{error}");
}

#[tokio::test]
async fn a_claim_is_in_the_one_file_before_it_is_returned() {
    let running = start(TestLedger::new());
    let _claim = running.claim(1, None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    fs::copy(&running.path, &path).unwrap();
    let ledger = reopened(&path).unwrap();
    assert_eq!(ledger.recovered(), 1);
    let rows = ledger.reader().select(&CaseFilter::default()).unwrap();
    assert_eq!(
        (rows[0].key.clone(), rows[0].state),
        (key(1), State::InDoubt)
    );
}

#[tokio::test]
async fn of_many_claims_of_a_case_one_succeeds() {
    let test = TestLedger::new();
    let run = test.run;
    let running = start(test);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40_u64 {
        let handle = running.handle.clone();
        // Four claims each of ten cases.
        tasks.spawn(async move { handle.claim(request(run, version(n / 4, 0), None)).await });
    }
    let mut got = Vec::new();
    while let Some(claimed) = tasks.join_next().await {
        match claimed.unwrap() {
            Ok(claim) => got.push(claim.case().key.clone()),
            Err(ClaimError::Refused { now }) => assert_eq!(now, Some(State::Sending)),
            Err(error) => panic!("{error}"),
        }
    }
    got.sort();
    assert_eq!(got, (0..10).map(key).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failed_commit_ends_all_writing_and_keeps_earlier_commits() {
    let running = start(TestLedger::new());
    let kept = running.claim(1, None).await.unwrap();
    running
        .handle
        .settle(kept, Verdict::Imported, answer(201, Some("a")), moment(20))
        .await
        .unwrap();
    let open_claim = running.claim(2, None).await.unwrap();
    // The statement succeeds, the commit fails.
    let failing = running.handle.try_write("test", |db| {
        Ok(db.conn().execute_batch(
            "PRAGMA defer_foreign_keys = ON; INSERT INTO contents VALUES (99, '', '', NULL)",
        )?)
    });
    // Nobody knows what is on the disk; what comes after is not tried.
    assert!(failing.await.unwrap().is_err());
    let error = running.claim(3, None).await.unwrap_err();
    assert!(
        matches!(&error, ClaimError::Ledger(error) if matches!(error.kind, LedgerErrorKind::Sqlite(_))),
        "{error}"
    );
    let settled = running.handle.settle(
        open_claim,
        Verdict::Imported,
        answer(201, Some("b")),
        moment(20),
    );
    assert!(settled.await.is_err());
    assert!(running.handle.clone().close().await.is_err());
    let counts = running.look().info().unwrap().counts;
    // What could not be settled may exist.
    assert_eq!(
        (
            counts.total(),
            counts.of(State::Imported),
            counts.of(State::InDoubt)
        ),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn a_full_disk_is_reported_and_loses_nothing() {
    let test = TestLedger::new();
    let pages: i64 = test
        .ledger
        .reader
        .db
        .conn()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    test.ledger
        .reader
        .db
        .conn()
        .pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(()))
        .unwrap();
    let running = start(test);
    let mut claimed = 0_u64;
    let error = loop {
        match running.claim(claimed, None).await {
            Ok(_claim) => claimed += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, ClaimError::Ledger(error) if matches!(error.kind, LedgerErrorKind::DiskFull)),
        "{error}"
    );
    assert!(claimed > 0);
    assert!(running.claim(1000, None).await.is_err());
    assert!(running.handle.clone().close().await.is_err());
    let counts = running.look().info().unwrap().counts;
    assert_eq!(
        (counts.total(), counts.of(State::InDoubt)),
        (claimed, claimed)
    );
}

#[tokio::test]
async fn a_ledger_that_was_moved_accepts_nothing_more() {
    let running = start(TestLedger::new());
    fs::rename(&running.path, running.path.with_file_name("elsewhere.db")).unwrap();
    let error = running.claim(1, None).await.unwrap_err();
    assert!(
        matches!(&error, ClaimError::Ledger(error) if matches!(error.kind, LedgerErrorKind::Replaced)),
        "{error}"
    );
}

#[tokio::test]
async fn the_end_of_a_run_leaves_open_claims_in_doubt() {
    let running = start(TestLedger::new());
    let late = running.claim(1, None).await.unwrap();
    let handle = &running.handle;
    let end = handle.end_run(
        running.run,
        Totals::default(),
        RunEnd::Interrupted,
        moment(30),
    );
    assert_eq!(end.await.unwrap(), 1);
    let settled = handle
        .settle(late, Verdict::NotSent, Answer::default(), moment(31))
        .await;
    let error = settled.unwrap_err();
    assert!(matches!(error.kind, LedgerErrorKind::NotClaimed), "{error}");
}
