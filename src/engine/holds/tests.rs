//! Many runs against one ledger, in which nothing or something is held.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::check::{CheckOptions, check};
use crate::engine::{Plan, PlanOptions, Planner};
use crate::input::{Input, ReadOptions};
use crate::ledger::{self, ClaimRequest, RunStart};
use crate::mapping::{MappingOptions, Rules};
use crate::model::{Answer, KeyOrigin, Verdict};

/// A ledger, and a server that answers as the test says.
struct World {
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        };
        drop(ledger::create(world.path(), None, "account").unwrap());
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("ledger.db")
    }

    /// Plans these rows, each with `id` as its key, sends what the plan says, and
    /// returns it with the keys that were sent.
    fn import(
        &self,
        header: &str,
        rows: &[String],
        outcome: impl Fn(&Key) -> Verdict,
    ) -> (Plan, Vec<Key>) {
        let file = self.folder.path().join("cases.csv");
        let mut text = format!("{header}\n");
        for row in rows {
            writeln!(text, "{row}").unwrap();
        }
        std::fs::write(&file, text).unwrap();
        let rules = Rules::compile(MappingOptions {
            key: vec!["id".to_owned()],
            passthrough: true,
            allow_drafts: true,
            ..MappingOptions::default()
        });
        let check = check(CheckOptions {
            inputs: vec![Input::from_arg(file.as_os_str())],
            read: ReadOptions::default(),
            rules: Arc::new(rules.unwrap()),
            strict: false,
            allow_empty: false,
            collect_cases: true,
            collect_invalid: false,
            summarize_columns: false,
        });
        let ledger = ledger::open(self.path(), None, Duration::ZERO).unwrap();
        let options = PlanOptions::default();
        let reader = Some(ledger.reader());
        let folder = self.folder.path();
        let mut planner =
            Planner::new(check.unwrap(), reader, "account", "m1", options, folder).unwrap();
        for batch in &mut planner {
            batch.unwrap();
        }
        let (mut plan, _) = planner.finish();
        let mut cases = Vec::new();
        for planned in &plan.planned {
            let case = plan.spooled.read(planned.slot).unwrap();
            cases.push((Arc::new(case), planned.state));
        }
        let sent = cases.iter().map(|(case, _)| case.key.clone()).collect();
        self.runtime.block_on(async {
            let handle = ledger.start(false).unwrap();
            let run = handle.begin_run(run_start()).await.unwrap();
            join_all(cases.into_iter().map(async |(case, expected)| {
                let request = ClaimRequest {
                    case,
                    run,
                    expected,
                    resend_in_doubt: false,
                    at: Timestamp::now(),
                };
                let claim = handle.claim(request).await.unwrap();
                let verdict = outcome(&claim.case().key);
                let answer = Answer {
                    case_id: Some(claim.case().key.canonical().into()),
                    ..Answer::default()
                };
                handle
                    .settle(claim, verdict, answer, Timestamp::now())
                    .await
                    .unwrap();
            }))
            .await;
            handle.close().await.unwrap();
        });
        (plan, sent)
    }
}

fn run_start() -> RunStart {
    RunStart {
        user: String::new(),
        host: String::new(),
        pid: 1,
        ci_job: None,
        version: String::new(),
        command: String::new(),
        account: "account".to_owned(),
        map_id: "m1".to_owned(),
        keys: KeyOrigin::default(),
        plan: None,
        files: vec![ledger::RunFile {
            name: "cases.csv".to_owned(),
            sha256: None,
            records: 0,
        }],
        at: Timestamp::now(),
    }
}

/// The id of a number, as Salesforce counts: in digits and letters of both cases.
fn salesforce_id(mut number: usize) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut id = *b"00Q5g000000000A";
    for place in id[..14].iter_mut().rev().take(6) {
        *place = DIGITS[number % DIGITS.len()];
        number /= DIGITS.len();
    }
    String::from_utf8(id.to_vec()).unwrap()
}

/// New ids every night; whichever differ in letter case only, nobody is asked.
#[test]
fn ids_of_salesforce_are_never_held() {
    let world = World::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut number = 0;
    for night in 0..44 {
        let rows: Vec<String> = (0..50)
            .map(|row| {
                // Few enough that ids of different nights differ in case only.
                number += random.usize(1..30);
                let id = salesforce_id(number);
                format!("{id},Client{night},Number{row},702555{night:02}{row:02}")
            })
            .collect();
        let (plan, sent) = world.import("id,First Name,Last Name,Phone", &rows, |_| {
            Verdict::Imported
        });
        assert_eq!(plan.others.held, 0, "night {night}");
        assert_eq!(sent.len(), 50);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No key is sent that is folded to that of a case that may exist, unless two
    /// keys of the ledger or of the input differ by a folding alone.
    #[test]
    fn no_similar_key_is_sent_in_silence(
        known in prop::collection::vec(("[01aA][-_ .0]{0,1}[01aA]{0,2}", 0..3_usize), 1..7),
        input in prop::collection::vec("[01aA][-_ .0]{0,1}[01aA]{0,2}", 1..7),
    ) {
        let world = World::new();
        let verdicts = [Verdict::Imported, Verdict::InDoubt, Verdict::Rejected];
        let mut exists: Vec<Key> = Vec::new();
        let mut all: Vec<Key> = Vec::new();
        for (number, (text, verdict)) in known.iter().enumerate() {
            // One a run, so that they are not compared with each other.
            let rows = [format!("\"{text}\",known {number}")];
            let verdict = verdicts[*verdict];
            let (_, sent) = world.import("id,Note", &rows, |_| verdict);
            for key in sent {
                all.push(key.clone());
                exists.retain(|other| *other != key);
                if verdict != Verdict::Rejected {
                    exists.push(key);
                }
            }
        }
        let rows: Vec<String> = (input.iter().enumerate())
            .map(|(number, text)| format!("\"{text}\",input {number}"))
            .collect();
        let (plan, sent) = world.import("id,Note", &rows, |_| Verdict::Imported);
        let keys: Vec<Key> = input.iter().map(|text| Key::new([text])).collect();
        let off = Foldings::that_merge(&all) | Foldings::that_merge(&keys);
        let on = Foldings::ALL.without(off);
        for key in &sent {
            for other in &exists {
                prop_assert!(!key.is_similar(other, on), "{key} was sent beside {other}");
            }
        }
        let counted = plan.others.sum() + plan.planned.len() as u64;
        prop_assert_eq!(counted, rows.len() as u64);
    }
}
