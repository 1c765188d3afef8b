//! Random faults, SIGKILL and signals at random moments; started again with
//! the same command until every record is settled.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::binary::{Ended, Scene, Until, When, run};
use super::checker::{Rows, Stage};
use super::faults::Fault;
use super::server::Refusing;
use super::world::{Door, World, seeded};

/// More starts than any round takes.
const MOST_STARTS: usize = 400;

/// What the rounds came to.
#[derive(Debug, Default)]
struct Totals {
    rounds: usize,
    starts: usize,
    kills: usize,
    signals: usize,
    stops: usize,
    /// Attempts in the ledgers.
    attempts: usize,
    /// Whole requests at the servers.
    requests: usize,
    made: usize,
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
        self.made += other.made;
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

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rounds, {} starts, {} SIGKILLs, {} signals, {} early stops; {} attempts, \
             {} whole requests, {} cases made; at the end {:?}",
            self.rounds,
            self.starts,
            self.kills,
            self.signals,
            self.stops,
            self.attempts,
            self.requests,
            self.made,
            self.states
        )?;
        for (kind, number) in &self.kinds {
            writeln!(f, "  {number:>6} {kind}")?;
        }
        Ok(())
    }
}

/// One input, one server, one ledger.
struct Round {
    seed: u64,
    scene: Scene,
    world: World,
    /// For each start so far: whether the user let it send doubts once more.
    resend: Vec<bool>,
    totals: Totals,
}

impl Round {
    fn new(seed: u64, records: usize) -> Self {
        let trouble = seeded(seed, "trouble").u32(5..60);
        let world = World::start(move |key, nth| {
            let mut rng = seeded(seed, &format!("request {nth} of {key}"));
            if rng.u32(0..100) < trouble {
                Fault::random(&mut rng)
            } else {
                let slow = rng.u32(0..4) == 0;
                Fault::Created(if slow { rng.u64(1..20) } else { 0 })
            }
        });
        Self {
            seed,
            scene: Scene::new(records),
            world,
            resend: Vec::new(),
            totals: Totals::default(),
        }
    }

    fn play(mut self) -> Totals {
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
                "seed {}: comes to no end\n{}",
                self.seed,
                self.scene.said()
            );
        }
    }

    /// Starts the binary once and waits for its end.
    fn start(&mut self) -> Ended {
        let number = self.resend.len();
        let mut rng = seeded(self.seed, &format!("start {number}"));
        let refusing = Refusing::new();
        let (way, door, base_url) = match rng.u32(0..120) {
            0 => ("TLS garbage", Door::TlsGarbage, self.world.https_url()),
            1 => ("TLS that hangs", Door::TlsHang, self.world.https_url()),
            2 => ("refused", Door::Open, refusing.url()),
            3 => (
                "no such host",
                Door::Open,
                "https://caseload.invalid".to_owned(),
            ),
            _ => ("", Door::Random(self.seed), self.world.url()),
        };
        if !way.is_empty() {
            *self.totals.kinds.entry(way.to_owned()).or_default() += 1;
        }
        self.world.begin(number, door);
        let mut arguments = self.scene.arguments(&base_url);
        arguments.extend(flags(&mut rng));
        // Faster is only for a server on this machine.
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
        let until = self.end(&mut rng);
        let told = matches!(until, Until::Told(..));
        let ended = run(&mut self.scene.binary(&arguments), until);
        self.totals.starts += 1;
        match (ended.status.code(), ended.status.signal()) {
            (None, Some(9)) => self.totals.kills += 1,
            (Some(130), _) | (None, Some(15)) if told => self.totals.signals += 1,
            (Some(5), _) => self.totals.stops += 1,
            (Some(0 | 1 | 4), _) => {}
            _ => panic!(
                "seed {}, start {number} ended with {}\n{}",
                self.seed,
                ended.status,
                self.scene.said()
            ),
        }
        ended
    }

    fn end(&self, rng: &mut Rng) -> Until {
        let chance = rng.u32(0..10);
        // The first starts are cut short, so that the later find what they left.
        if self.resend.len() > 8 || chance == 0 {
            return Until::Itself;
        }
        let when = if rng.u32(0..5) == 0 {
            When {
                requests: None,
                then: Duration::from_micros(rng.u64(0..150_000)),
            }
        } else {
            let most = self.scene.keys.len() / 3;
            When {
                requests: Some(self.world.after_requests(rng.usize(1..=most))),
                then: Duration::from_micros(rng.u64(0..4_000)),
            }
        };
        if chance < 8 {
            Until::Killed(when)
        } else {
            Until::Told(when, rng.u32(1..3))
        }
    }

    fn check(&self, stage: Stage) -> Rows {
        let book = self.world.book();
        self.scene.check(&book, &self.resend, stage, self.seed)
    }

    /// Every record stands in exactly one count, and the counts are the
    /// ledger's.
    fn check_summary(&self, summary: &serde_json::Value, rows: &Rows) {
        let said = |name: &str| summary[name].as_u64().unwrap_or_default() as usize;
        let count = |state: &str| rows.values().filter(|row| row.state == state).count();
        let untried = self.scene.keys.len() - rows.len();
        let expected = [
            count("imported"),
            count("rejected"),
            count("not_sent"),
            count("in_doubt"),
            untried,
        ];
        let told = [
            said("imported") + said("already_imported"),
            said("rejected"),
            said("not_sent"),
            said("in_doubt"),
            said("untried"),
        ];
        assert_eq!(
            told,
            expected,
            "seed {}, start {}: the summary differs from the ledger: {summary}\n{}",
            self.seed,
            self.resend.len() - 1,
            self.scene.said()
        );
    }

    fn close(mut self) -> Totals {
        let book = self.world.book();
        let rows = self.check(Stage::Done);
        self.totals.rounds = 1;
        self.totals.requests = book.sent.len();
        self.totals.made = book.made.len();
        for row in rows.values() {
            self.totals.attempts += row.attempts.len();
            *self.totals.states.entry(row.state.clone()).or_default() += 1;
        }
        self.totals.kinds.extend(self.world.kinds());
        self.totals
    }
}

/// Flags as users choose them, and some that they would not.
fn flags(rng: &mut Rng) -> Vec<String> {
    let mut pick = |choices: &[&'static str]| *rng.choice(choices).unwrap();
    vec![
        // The ledger goes with the server from one address to another.
        "--adopt-ledger".to_owned(),
        format!("--in-flight={}", pick(&["1", "3", "32"])),
        format!("--max-failures={}", pick(&["0", "0", "5", "20"])),
        format!("--max-retries={}", pick(&["0", "1", "5"])),
        format!("--timeout={}", pick(&["150ms", "400ms"])),
        "--max-wait=2s".to_owned(),
    ]
}

/// Rounds from this seed on, several at a time, until there is enough.
fn rounds(
    first: u64,
    records: usize,
    at_a_time: usize,
    enough: impl Fn(&Totals) -> bool + Sync,
) -> Totals {
    let next = AtomicU64::new(first);
    let broken = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                let _alarm = Alarm(&broken);
                while !broken.load(Ordering::SeqCst) && !enough(&totals.lock().unwrap()) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    let round = Round::new(seed, records).play();
                    totals.lock().unwrap().add(&round);
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

/// Ends the other rounds when one has failed.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn no_fault_and_no_kill_breaks_the_promise() {
    let given = std::env::var("CASELOAD_PROOF_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("CASELOAD_PROOF_SEED is no number"));
    let first: u64 = given.unwrap_or_else(|| {
        // The short form is part of every test run, and stays as it is.
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
    println!("rounds from seed {first}: {totals}");
    assert!(totals.kills > 0 && totals.states["imported"] > 0);
    if super::long() {
        for kind in Fault::KINDS {
            assert!(totals.kinds.contains_key(kind), "nobody has met {kind}");
        }
    }
}
