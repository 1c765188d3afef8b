//! The runner against a minimal server, after the machine slept.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::unbounded_channel;

use super::super::scheduler::{Canary, EchoPolicy, PaceRange};
use super::*;
use crate::api::{self, Address, Contract};
use crate::ledger::{self, RunStart};
use crate::model::{CaseData, Digest, FileId, Key, KeyOrigin, Person, Place};

const CASES: u32 = 4;
const PACE: Duration = Duration::from_millis(60);

/// Serves every connection for as long as the client likes; returns its
/// address and the numbers of connections and of cases so far.
fn server() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let created = Arc::new(AtomicUsize::new(0));
    let counts = (Arc::clone(&connections), Arc::clone(&created));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counts.0.fetch_add(1, Ordering::SeqCst);
            let created = Arc::clone(&counts.1);
            std::thread::spawn(move || serve(stream.unwrap(), &created));
        }
    });
    (url, connections, created)
}

fn serve(mut stream: TcpStream, created: &AtomicUsize) {
    let mut read = Vec::new();
    let mut bytes = [0; 4096];
    // Each body is one JSON object without another in it, and ends with it.
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        read.extend_from_slice(&bytes[..length]);
        if read.ends_with(b"}") {
            read.clear();
            let id = created.fetch_add(1, Ordering::SeqCst);
            let body = format!("{{\"_id\":\"x{id}\"}}");
            let head = format!("HTTP/1.1 201 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    }
}

/// The cases of the run, ready to send.
fn plan() -> (Vec<PlannedCase>, Spool) {
    let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
    let planned = (0..CASES).map(|number| {
        let key = number.to_string();
        let case = CaseData {
            place: Place {
                file: FileId(0),
                line: 1,
                row: None,
                index: u64::from(number),
            },
            partner_firm: None,
            payload: "{\"name\":\"Ann\"}".into(),
            raw_record: "{}".into(),
            payload_digest: Digest::of(key.as_bytes()),
            content_digest: None,
            record_digest: Digest::of(key.as_bytes()),
            person: Person::default(),
            key: Key::new([key]),
        };
        PlannedCase::untried(spool.write(&case).unwrap())
    });
    (planned.collect(), spool)
}

/// Runs all cases one at a time; the wall clock jumps a night ahead when this
/// many were created. Returns the number of connections.
async fn run(sleeps_at: usize) -> usize {
    let (url, connections, created) = server();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = ledger::create(&path, None, "account").unwrap();
    let handle = ledger.start(false).unwrap();
    let start = RunStart {
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
            records: u64::from(CASES),
        }],
        at: Timestamp::now(),
    };
    let (planned, spooled) = plan();
    let address = Address::new(&url, None, "m1", None).unwrap();
    let options = api::ClientOptions {
        timeout: Duration::from_secs(90),
        ca_file: None,
    };
    let client = Client::new(address, Contract::default(), None, options).unwrap();
    let (_interrupt, interrupts) = unbounded_channel();
    let wall_clock = move || {
        let slept = created.load(Ordering::SeqCst) >= sleeps_at;
        SystemTime::now() + Duration::from_secs(if slept { 30_000 } else { 0 })
    };
    let run = ImportRun {
        spooled,
        client: Arc::new(client),
        run: handle.begin_run(start).await.unwrap(),
        ledger: handle,
        resend_in_doubt: false,
        settings: RunSettings {
            cases: planned.len(),
            in_flight: 1,
            max_retries: 0,
            max_wait: Duration::ZERO,
            max_failures: 1,
            pace: PaceRange {
                lower: PACE,
                upper: PACE,
            },
            canary: Canary {
                needed: 0,
                echo: EchoPolicy::Show,
            },
            seed: 1,
        },
        planned,
        interrupts,
        ask_echo: || false,
        wall_clock: Box::new(wall_clock),
    };
    let ended = run_import(run, &mut |_| {}).await;
    assert!(ended.stop.is_none(), "{ended:?}");
    assert_eq!(ended.totals.imported, u64::from(CASES), "{ended:?}");
    connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn after_a_sleep_the_next_call_has_a_connection_of_its_own() {
    // On a machine that stalls for a second an idle connection is dropped.
    let mut runs = 0;
    while run(usize::MAX).await > 1 {
        runs += 1;
        assert!(runs < 20, "calls never share a connection");
    }
    assert!(
        run(2).await > 1,
        "a connection from before the sleep was used"
    );
}

#[test]
fn a_sleep_is_noticed_once_and_a_corrected_clock_is_no_sleep() {
    let secs = Duration::from_secs;
    let (mut wall, mut monotonic) = (SystemTime::now(), Instant::now());
    let mut detector = SleepDetector { wall, monotonic };
    for (what, passed, awake, slept) in [
        ("an hour of work", 3_600, 3_600, false),
        ("the clock is corrected by 4 s", 14, 10, false),
        ("the lid was closed for 6 s", 16, 10, true),
        ("nothing since", 0, 0, false),
        ("a night", 30_000, 1, true),
    ] {
        wall += secs(passed);
        monotonic += secs(awake);
        assert_eq!(detector.slept(wall, monotonic), slept, "{what}");
    }
    wall -= secs(7_200);
    assert!(!detector.slept(wall, monotonic), "the clock was set back");
    wall += secs(60);
    assert!(detector.slept(wall, monotonic), "slept after that");
}
