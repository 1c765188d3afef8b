//! Tests of the ledger. Here: a ledger to work with; the tests are in one file
//! per topic.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should stop")]

mod attempts;
mod files;
mod locking;
mod look_alikes;
mod promise;
mod queries;
mod resolutions;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::LedgerErrorKind;
use super::*;
use crate::model::{
    Answer, CaseData, Digest, FileId, Key, KeyOrigin, Person, Place, State, StateCounts, Totals,
    Verdict,
};

/// A ledger in a folder of its own, with a run begun, used without a thread.
pub(super) struct TestLedger {
    pub(super) folder: tempfile::TempDir,
    pub(super) path: PathBuf,
    pub(super) ledger: Ledger,
    pub(super) run: RunId,
}

/// Some seconds into the tests' day.
pub(super) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

pub(super) fn run_start() -> RunStart {
    RunStart {
        user: "paula".to_owned(),
        host: "desk-7".to_owned(),
        pid: 4711,
        ci_job: None,
        version: "0.1.0".to_owned(),
        command: "import cases.csv".to_owned(),
        account: "https://api.example.com".to_owned(),
        map_id: "map_1".to_owned(),
        keys: KeyOrigin::default(),
        plan: Some("abc-3".to_owned()),
        files: vec![RunFile {
            name: "cases.csv".to_owned(),
            sha256: Some("00ff".to_owned()),
            records: 3,
        }],
        at: moment(0),
    }
}

pub(super) fn key(n: u64) -> Key {
    Key::new([format!("{n:05}")])
}

/// A case; another version of it has another payload, raw record and place.
pub(super) fn version(n: u64, version: u64) -> Arc<CaseData> {
    let payload = format!("{{\"Lead\":\"{n:05}\",\"Name\":\"v{version}\"}}");
    let raw = format!("{{\"Lead ID\":\"{n:05}\",\"Client\":\"v{version}\"}}");
    let content = format!("{n} {version}");
    Arc::new(CaseData {
        key: key(n),
        place: Place {
            file: FileId(0),
            line: n + 2 + 100 * version,
            row: Some(n + 2),
            index: n + 100 * version,
        },
        partner_firm: Some(format!("firm_{version}").into()),
        payload_digest: Digest::of(payload.as_bytes()),
        content_digest: Some(Digest::of(content.as_bytes())),
        record_digest: Digest::of(raw.as_bytes()),
        person: Person::default(),
        payload: payload.into(),
        raw_record: raw.into(),
    })
}

pub(super) fn answer(status: u16, case_id: Option<&str>) -> Answer {
    Answer {
        status: Some(status),
        case_id: case_id.map(Into::into),
        message: Some(format!("status {status}").into()),
        body: Some(format!("body {status}").into()),
        ..Answer::default()
    }
}

pub(super) fn request(run: RunId, case: Arc<CaseData>, expected: Option<State>) -> ClaimRequest {
    ClaimRequest {
        case,
        run,
        expected,
        resend_in_doubt: true,
        at: moment(10),
    }
}

impl TestLedger {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("ledger.db");
        let ledger = create(&path, None, "https://api.example.com").unwrap();
        let run = begin(&ledger);
        Self {
            folder,
            path,
            ledger,
            run,
        }
    }

    /// As after the end of a process, however it ended.
    pub(super) fn reopen(self) -> Self {
        let Self {
            folder,
            path,
            ledger,
            ..
        } = self;
        drop(ledger);
        let ledger = reopened(&path).unwrap();
        let run = begin(&ledger);
        Self {
            folder,
            path,
            ledger,
            run,
        }
    }

    pub(super) fn claim(
        &self,
        case: Arc<CaseData>,
        expected: Option<State>,
    ) -> Result<Claim, Option<State>> {
        self.claim_as(&request(self.run, case, expected))
    }

    pub(super) fn claim_as(&self, request: &ClaimRequest) -> Result<Claim, Option<State>> {
        self.ledger.write(|db| claim::claim(db, request)).unwrap()
    }

    pub(super) fn settle(
        &self,
        claim: &Claim,
        verdict: Verdict,
        case_id: Option<&str>,
    ) -> Option<Settlement> {
        self.ledger
            .write(|db| claim::settle(db, claim, verdict, &answer(200, case_id), moment(20), false))
            .unwrap()
    }

    pub(super) fn release(&self, claim: &Claim) -> bool {
        self.ledger.write(|db| claim::release(db, claim)).unwrap()
    }

    /// Brings a case that is not known yet into a state.
    pub(super) fn bring(&mut self, n: u64, state: State) {
        let claim = self.claim(version(n, 0), None).unwrap();
        let id = format!("id-{n}");
        let (verdict, id) = match state {
            State::Sending => return,
            State::Rejected => (Verdict::Rejected, None),
            State::NotSent => (Verdict::NotSent, None),
            State::InDoubt => (Verdict::InDoubt, None),
            State::Imported | State::Removed => (Verdict::Imported, Some(id.as_str())),
        };
        self.settle(&claim, verdict, id).unwrap();
        if state == State::Removed {
            let report = self
                .ledger
                .resolve(
                    ResolveAction::Removed,
                    &[(key(n), None)],
                    "paula",
                    moment(30),
                )
                .unwrap();
            assert_eq!(report.done, 1);
        }
    }

    pub(super) fn attempts(&self, n: u64) -> Vec<crate::ledger::AttemptRow> {
        let digest = key(n).digest();
        let attempts = self.ledger.reader().attempts(&[digest]);
        attempts.unwrap().remove(&digest).unwrap_or_default()
    }

    /// All that the ledger has of a case.
    pub(super) fn row(&self, n: u64) -> Option<CaseRow> {
        let filter = CaseFilter {
            keys: Some(vec![key(n)]),
            with_content: true,
            ..CaseFilter::default()
        };
        self.ledger.reader().select(&filter).unwrap().pop()
    }
}

pub(super) fn begin(ledger: &Ledger) -> RunId {
    ledger
        .write(|db| run::begin(db, &records::new_mark(), &run_start(), false))
        .unwrap()
}

/// Opens a ledger without waiting for its lock.
pub(super) fn reopened(path: &Path) -> Result<Ledger, LedgerError> {
    open(path, None, Duration::ZERO)
}

/// Opens a ledger to read it.
pub(super) fn read_only(path: &Path) -> Result<LedgerReader, LedgerError> {
    open_read_only(path, None)
}
