//! Random faults, and SIGKILLs and signals at random moments. The same import
//! is started again until every record is settled.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::checker::{Rows, Stage};
use super::faults::Fault;
use super::faulty_server::{FaultyServer, OnAccept, seeded};
use super::server::Refusing;
use super::workspace::{EndBy, Ended, Moment, Workspace, run};

/// More than any round needs.
const MOST_STARTS: usize = 400;

/// The results of all rounds.
#[derive(Debug, Default)]
struct Totals {
    rounds: usize,
    starts: usize,
    kills: usize,
    signals: usize,
    /// Runs that stopped early by themselves.
    stops: usize,
    /// Attempts in the ledgers.
    attempts: usize,
    /// Complete requests at the servers.
    requests: usize,
    created: usize,
    /// Cases at the end, by state.
    states: BTreeMap<String, usize>,
    kinds: BTreeMap<String, usize>,
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.starts += other.starts;
        self.kills += other.kills;
        self.signals += other.signals;
        self.stops += other.stops;
        self.attempts += other.attempts;
        self.requests += other.requests;
        self.created += other.created;
        for (to, from) in [
            (&mut self.states, &other.states),
            (&mut self.kinds, &other.kinds),
        ] {
            for (name, number) in from {
                *to.entry(name.clone()).or_default() += number;
            }
        }
    }
}

/// One input, one server, one ledger.
struct Round {
    seed: u64,
    workspace: Workspace,
    server: FaultyServer,
    /// For each start so far: whether it was allowed to resend cases in doubt.
    resend: Vec<bool>,
    totals: Totals,
}

impl Round {
    fn new(seed: u64, records: usize) -> Self {
        let fault_rate = seeded(seed, "fault rate").u32(5..60);
        let server = FaultyServer::start(move |key, nth| {
            let mut rng = seeded(seed, &format!("request {nth} of {key}"));
            if rng.u32(0..100) < fault_rate {
                Fault::random(&mut rng)
            } else {
                let slow = rng.u32(0..4) == 0;
                Fault::Created(if slow { rng.u64(1..20) } else { 0 })
            }
        });
        Self {
            seed,
            workspace: Workspace::new(records),
            server,
            resend: Vec::new(),
            totals: Totals::default(),
        }
    }

    fn run(mut self) -> Totals {
        loop {
            let ended = self.start();
            let rows = self.check(ended.stage());
            if let Some(summary) = &ended.summary
                && !summary["run"].is_null()
            {
                self.check_summary(summary, &rows);
            }
            let open = rows.values().any(|row| row.state == "not_sent");
            if ended.finished() && !open {
                return self.close();
            }
            assert!(
                self.resend.len() < MOST_STARTS,
                "seed {}: it never finishes\n{}",
                self.seed,
                self.workspace.stderr()
            );
        }
    }

    /// Starts the binary once and waits for its end.
    fn start(&mut self) -> Ended {
        let number = self.resend.len();
        let mut rng = seeded(self.seed, &format!("start {number}"));
        let refusing = Refusing::new();
        let (problem, on_accept, base_url) = match rng.u32(0..120) {
            0 => ("TLS garbage", OnAccept::TlsGarbage, self.server.https_url()),
            1 => ("TLS that hangs", OnAccept::TlsHang, self.server.https_url()),
            2 => ("refused", OnAccept::Serve, refusing.url()),
            3 => (
                "no such host",
                OnAccept::Serve,
                "https://caseload.invalid".to_owned(),
            ),
            _ => ("", OnAccept::Random(self.seed), self.server.url()),
        };
        if !problem.is_empty() {
            *self.totals.kinds.entry(problem.to_owned()).or_default() += 1;
        }
        self.server.begin(number, on_accept);
        let mut arguments = self.workspace.arguments(&base_url);
        arguments.extend(flags(&mut rng));
        // A faster pace is only allowed on loopback.
        let pace = if base_url.contains("invalid") {
            "100ms"
        } else {
            "1ms"
        };
        arguments.push(format!("--pace={pace}"));
        let resend = rng.u32(0..12) == 0;
        if resend {
            arguments.extend(["--resend-in-doubt", "--min-doubt-age=0s"].map(str::to_owned));
        }
        self.resend.push(resend);
        let end = self.end(&mut rng);
        let terminated = matches!(end, EndBy::Terminate(..));
        let ended = run(&mut self.workspace.binary(&arguments), end);
        self.totals.starts += 1;
        match (ended.status.code(), ended.status.signal()) {
            (None, Some(9)) => self.totals.kills += 1,
            (Some(130), _) | (None, Some(15)) if terminated => self.totals.signals += 1,
            (Some(5), _) => self.totals.stops += 1,
            (Some(0 | 1 | 4), _) => {}
            _ => panic!(
                "seed {}, start {number} ended with {}\n{}",
                self.seed,
                ended.status,
                self.workspace.stderr()
            ),
        }
        ended
    }

    fn end(&self, rng: &mut Rng) -> EndBy {
        let chance = rng.u32(0..10);
        // The first starts are cut short, so that the others recover from them.
        if self.resend.len() > 8 || chance == 0 {
            return EndBy::Itself;
        }
        let moment = if rng.u32(0..5) == 0 {
            Moment {
                requests: None,
                then: Duration::from_micros(rng.u64(0..150_000)),
            }
        } else {
            let most = self.workspace.keys.len() / 3;
            Moment {
                requests: Some(self.server.after_requests(rng.usize(1..=most))),
                then: Duration::from_micros(rng.u64(0..4_000)),
            }
        };
        if chance < 8 {
            EndBy::Kill(moment)
        } else {
            EndBy::Terminate(moment, rng.u32(1..3))
        }
    }

    fn check(&self, stage: Stage) -> Rows {
        let log = self.server.log();
        self.workspace.check(&log, &self.resend, stage, self.seed)
    }

    /// Every record is in exactly one count, and the counts are the ledger's.
    fn check_summary(&self, summary: &serde_json::Value, rows: &Rows) {
        let reported = |name: &str| summary[name].as_u64().unwrap_or_default() as usize;
        let count = |state: &str| rows.values().filter(|row| row.state == state).count();
        let untried = self.workspace.keys.len() - rows.len();
        let expected = [
            count("imported"),
            count("rejected"),
            count("not_sent"),
            count("in_doubt"),
            untried,
        ];
        let counts = [
            reported("imported") + reported("already_imported"),
            reported("rejected"),
            reported("not_sent"),
            reported("in_doubt"),
            reported("untried"),
        ];
        assert_eq!(
            counts,
            expected,
            "seed {}, start {}: the summary differs from the ledger: {summary}\n{}",
            self.seed,
            self.resend.len() - 1,
            self.workspace.stderr()
        );
    }

    fn close(mut self) -> Totals {
        let log = self.server.log();
        let rows = self.check(Stage::Done);
        self.totals.rounds = 1;
        self.totals.requests = log.sent.len();
        self.totals.created = log.created.len();
        for row in rows.values() {
            self.totals.attempts += row.attempts.len();
            *self.totals.states.entry(row.state.clone()).or_default() += 1;
        }
        self.totals.kinds.extend(self.server.kinds());
        self.totals
    }
}

/// Flags that users choose, and some that they would not.
fn flags(rng: &mut Rng) -> Vec<String> {
    let mut pick = |choices: &[&'static str]| *rng.choice(choices).unwrap();
    vec![
        // The server's address differs from start to start.
        "--adopt-ledger".to_owned(),
        format!("--in-flight={}", pick(&["1", "3", "32"])),
        format!("--max-failures={}", pick(&["0", "0", "5", "20"])),
        format!("--max-retries={}", pick(&["0", "1", "5"])),
        format!("--timeout={}", pick(&["150ms", "400ms"])),
        "--max-wait=2s".to_owned(),
    ]
}

/// Rounds from this seed on, several in parallel, until there are enough.
fn rounds(
    first: u64,
    records: usize,
    parallel: usize,
    enough: impl Fn(&Totals) -> bool + Sync,
) -> Totals {
    let next = AtomicU64::new(first);
    let failed = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                let _alarm = StopOnPanic(&failed);
                while !failed.load(Ordering::SeqCst) && !enough(&totals.lock().unwrap()) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    let round = Round::new(seed, records).run();
                    totals.lock().unwrap().add(&round);
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

/// Stops the other rounds when one fails.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn no_fault_and_no_kill_breaks_the_promise() {
    let given = std::env::var("CASELOAD_PROOF_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("CASELOAD_PROOF_SEED is not a number"));
    let first: u64 = given.unwrap_or_else(|| {
        // The short form is part of every test run, so its seeds are fixed.
        if super::long() {
            fastrand::u64(..1 << 40)
        } else {
            1
        }
    });
    println!("rounds from seed {first}");
    let totals = if super::long() {
        rounds(first, 200, 6, |totals| {
            totals.kills >= 200 && totals.attempts >= 20_000
        })
    } else {
        rounds(first, 40, 4, |totals| totals.rounds >= 4)
    };
    println!("rounds from seed {first}: {totals:#?}");
    assert!(totals.kills > 0 && totals.states["imported"] > 0);
    if super::long() {
        for kind in Fault::KINDS {
            assert!(totals.kinds.contains_key(kind), "{kind} never happened");
        }
    }
}
