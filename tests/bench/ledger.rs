//! The ledger: a claim and a settle, each synced to disk before it returns, and
//! the lookups of a plan. On the disk of the temporary folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caseload::ledger::{
    self, ClaimRequest, Handle, Location, RunFile, RunId, RunStart, ServerAddress,
};
use caseload::model::{Answer, CaseData, Digest, FileId, Key, KeyOrigin, Person, Place, Verdict};
use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

/// Cases in the ledger.
const KNOWN: u64 = 20_000;
/// Keys in one lookup.
const ASKED: u64 = 1_000;

fn key(number: u64) -> Key {
    Key::new([format!("L-{number:08}")])
}

fn case(number: u64) -> Arc<CaseData> {
    let payload = format!("{{\"LeadId\":\"L-{number:08}\",\"Notes\":\"{:200}\"}}", "");
    let digest = Digest::of(payload.as_bytes());
    Arc::new(CaseData {
        key: key(number),
        place: Place {
            file: FileId(0),
            line: number + 2,
            row: None,
            index: number,
        },
        partner_firm: Some("firm_1".into()),
        payload_digest: digest,
        content_digest: Some(digest),
        record_digest: digest,
        person: Person::default(),
        raw_record: payload.clone().into(),
        payload: payload.into(),
    })
}

/// A new ledger with a run begun in it.
fn begin(runtime: &Runtime, location: impl Into<Location>) -> (Handle, RunId) {
    let account = "https://api.example.com";
    let ledger = ledger::create(location, None, account).unwrap();
    let handle = ledger.start(false).unwrap();
    let start = RunStart {
        user: "bench".to_owned(),
        host: "bench".to_owned(),
        pid: std::process::id(),
        ci_job: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: "bench".to_owned(),
        account: account.to_owned(),
        map_id: "map_1".to_owned(),
        keys: KeyOrigin::default(),
        plan: None,
        files: vec![RunFile {
            name: "cases.csv".to_owned(),
            sha256: None,
            records: KNOWN,
        }],
        at: Timestamp::now(),
    };
    let run = runtime.block_on(handle.begin_run(start)).unwrap();
    (handle, run)
}

/// What every attempt of a run costs the ledger: how long claim and settle took.
async fn claim_and_settle(handle: &Handle, run: RunId, number: u64) -> [Duration; 2] {
    let at = Timestamp::now();
    let began = Instant::now();
    let claim = handle
        .claim(ClaimRequest {
            case: case(number),
            run,
            expected: None,
            resend_in_doubt: false,
            at,
        })
        .await
        .unwrap();
    let claimed = Instant::now();
    let answer = Answer {
        status: Some(201),
        case_id: Some(format!("id-{number}").into()),
        ..Answer::default()
    };
    handle
        .settle(claim, Verdict::Imported, answer, at)
        .await
        .unwrap();
    [claimed.duration_since(began), claimed.elapsed()]
}

/// Claims and settles one after another on the server that `CASELOAD_BENCH_LEDGER`
/// names, in a schema that is made anew. Prints the median and the 99th percentile,
/// which `criterion` does not.
fn on_a_server(runtime: &Runtime) {
    const ATTEMPTS: u64 = 1_000;
    let Ok(url) = std::env::var("CASELOAD_BENCH_LEDGER") else {
        eprintln!("claim and settle on a server: skipped, CASELOAD_BENCH_LEDGER is not set");
        return;
    };
    let address = ServerAddress::parse(&url, true).unwrap();
    let (handle, run) = begin(runtime, Location::Server(Box::new(address)));
    let one = |number| runtime.block_on(claim_and_settle(&handle, run, number));
    let taken: Vec<_> = (0..ATTEMPTS).map(one).collect();
    runtime.block_on(handle.close()).unwrap();
    for (step, name) in ["claim", "settle"].into_iter().enumerate() {
        let mut taken: Vec<_> = taken.iter().map(|taken| taken[step]).collect();
        taken.sort();
        let [median, high] = [taken.len() / 2, taken.len() * 99 / 100].map(|at| taken[at]);
        eprintln!("{name} on a server: median {median:.1?}, 99th percentile {high:.1?}");
    }
}

pub(super) fn measure(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let runtime = Builder::new_current_thread().build().unwrap();
    let (handle, run) = begin(&runtime, &*path);

    let numbers: Vec<u64> = (0..KNOWN).collect();
    for together in numbers.chunks(250) {
        let all = together
            .iter()
            .map(|&number| claim_and_settle(&handle, run, number));
        runtime.block_on(join_all(all));
    }
    let mut next = KNOWN;
    criterion.bench_function("claim and settle", |bencher| {
        bencher.iter(|| {
            next += 1;
            runtime.block_on(claim_and_settle(&handle, run, next));
        });
    });
    runtime.block_on(handle.close()).unwrap();
    on_a_server(&runtime);

    let reader = ledger::open_read_only(&path, None).unwrap();
    let keys: Vec<Digest> = numbers.iter().map(|&number| key(number).digest()).collect();
    let mut shuffled = keys.clone();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    let mut group = criterion.benchmark_group("look up 20,000 keys");
    group.throughput(Throughput::Elements(KNOWN));
    for (order, keys) in [("as they were claimed", keys), ("in any order", shuffled)] {
        group.bench_function(order, |bencher| {
            bencher.iter(|| {
                let mut lookups = reader.lookups();
                let questions = keys.chunks(ASKED as usize);
                let known: usize = questions
                    .map(|keys| lookups.find(keys).unwrap().into_iter().flatten().count())
                    .sum();
                assert_eq!(known, keys.len());
            });
        });
    }
    group.finish();
}
