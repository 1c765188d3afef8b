//! Random faults, and SIGKILLs and signals at random moments. The same import
//! is started again until every record is settled.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::checker::{Rows, Stage};
use super::faults::Fault;
use super::faulty_server::{FaultyServer, OnAccept, seeded};
use super::ledger_file;
use super::server::Refusing;
use super::workspace::{EndBy, Ended, Moment, Workspace, run};
use super::worlds::{self, Places, World};

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
    /// Starts that were refused: an older ledger, one that another run has, a
    /// mounted file.
    refusals: usize,
    /// Records held for a decision in a last run.
    held: usize,
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
        self.refusals += other.refusals;
        self.held += other.held;
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
    world: World,
    workspace: Workspace,
    places: Places,
    server: FaultyServer,
    /// For each start so far: whether it was allowed to resend cases in doubt.
    resend: Vec<bool>,
    totals: Totals,
}

impl Round {
    fn new(seed: u64, world: World, records: usize) -> Self {
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
        let mut workspace = Workspace::new(records);
        workspace.rewritten = world == World::RewrittenKeys;
        Self {
            seed,
            world,
            workspace,
            places: Places::default(),
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
                return self.close(&ended);
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
        match self.world {
            World::RewrittenKeys => {
                let numeric = self.seed.is_multiple_of(2);
                worlds::rewrite_keys(&self.workspace, numeric, number, &mut rng);
            }
            World::MovingLedger if self.workspace.ledger().exists() => self.disturb(&mut rng),
            World::Still | World::MovingLedger => {}
        }
        let refusing = Refusing::new();
        // The address is part of what a ledger belongs to.
        let problem = match self.world {
            World::Still => rng.u32(0..120),
            _ => u32::MAX,
        };
        let (problem, on_accept, base_url) = match problem {
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
        let mut arguments = self.workspace.arguments(&base_url);
        arguments.extend(flags(&mut rng));
        let account = ledger_file::account(&self.workspace.ledger());
        if account.is_some_and(|account| account != base_url) {
            arguments.push("--adopt-ledger".to_owned());
        }
        // A faster pace is only allowed on loopback.
        let pace = if base_url.contains("invalid") {
            "100ms"
        } else {
            "1ms"
        };
        arguments.push(format!("--pace={pace}"));
        let resend = self.world == World::Still && rng.u32(0..12) == 0;
        if resend {
            let rows = ledger_file::read(&self.workspace.ledger(), false);
            let doubts = rows.values().filter(|row| row.may_exist()).count();
            arguments.push(format!("--resend-in-doubt={doubts}"));
            arguments.push("--min-doubt-age=0s".to_owned());
        }
        let end = self.end(&mut rng);
        self.launch(&arguments, on_accept, resend, end)
    }

    fn launch(
        &mut self,
        arguments: &[String],
        on_accept: OnAccept,
        resend: bool,
        end: EndBy,
    ) -> Ended {
        let number = self.resend.len();
        self.server.begin(number, on_accept);
        self.resend.push(resend);
        let terminated = matches!(end, EndBy::Terminate(..));
        let ended = run(&mut self.workspace.binary(arguments), end);
        self.totals.starts += 1;
        match (ended.status.code(), ended.status.signal()) {
            (None, Some(9)) => self.totals.kills += 1,
            (Some(130), _) | (None, Some(15)) if terminated => self.totals.signals += 1,
            (Some(5), _) => self.totals.stops += 1,
            (Some(2), _) if self.world == World::MovingLedger => self.totals.refusals += 1,
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

    /// Something happens to the ledger between two starts.
    fn disturb(&mut self, rng: &mut Rng) {
        match rng.u32(0..10) {
            0 | 1 => {
                let copy = self.places.copy(&self.workspace);
                self.places.copies.push(copy);
            }
            2 => {
                let copy = self.places.copy(&self.workspace);
                self.start_from(copy);
            }
            3 | 4 if !self.places.copies.is_empty() => {
                let copy = rng.usize(..self.places.copies.len());
                let copy = self.places.copies.swap_remove(copy);
                self.start_from(copy);
            }
            5 => {
                self.workspace.mount = None;
                self.places.move_to_next(&mut self.workspace);
            }
            6 if worlds::can_mount() => self.places.mount(&mut self.workspace),
            7 if worlds::can_mount() => {
                let mount = self.places.mount_file(&self.workspace);
                let former = self.workspace.mount.replace(mount);
                let ended = self.start_undisturbed();
                assert_eq!(ended.status.code(), Some(2), "a mounted file was used");
                self.workspace.mount = former;
            }
            _ => {}
        }
    }

    /// Starts with another ledger, and continues with it unless it is refused.
    fn start_from(&mut self, ledger: PathBuf) {
        self.workspace.mount = None;
        let former = std::mem::replace(&mut self.workspace.ledger, ledger);
        let ended = self.start_undisturbed();
        let other = if ended.status.code() == Some(2) {
            std::mem::replace(&mut self.workspace.ledger, former)
        } else {
            self.check(ended.stage());
            former
        };
        self.places.copies.push(other);
    }

    fn start_undisturbed(&mut self) -> Ended {
        let arguments = self.workspace.fast_arguments(&self.server.url());
        self.launch(&arguments, OnAccept::Serve, false, EndBy::Itself)
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
        if self.world == World::RewrittenKeys {
            // One record may have several rows.
            let names = [
                "imported",
                "already_imported",
                "rejected",
                "not_sent",
                "in_doubt",
            ];
            let names = names
                .iter()
                .chain(&["changed", "held", "problems", "untried"]);
            let sum: usize = names.map(|name| reported(name)).sum();
            assert_eq!(sum, self.workspace.keys.len(), "{summary}");
            return;
        }
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

    fn close(mut self, ended: &Ended) -> Totals {
        let log = self.server.log();
        let rows = self.check(Stage::Done);
        self.totals.rounds = 1;
        let held = ended.summary.as_ref().map(|summary| &summary["held"]);
        self.totals.held = held.and_then(serde_json::Value::as_u64).unwrap_or_default() as usize;
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
        format!("--in-flight={}", pick(&["1", "3", "32"])),
        format!("--max-failures={}", pick(&["0", "0", "5", "20"])),
        format!("--max-retries={}", pick(&["0", "1", "5"])),
        format!("--timeout={}", pick(&["150ms", "400ms"])),
        "--max-wait=2s".to_owned(),
    ]
}

/// Rounds in this world from this seed on, several in parallel, until there
/// are enough.
fn rounds(
    world: World,
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
                    let round = Round::new(seed, world, records).run();
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

/// Rounds in a world: a few with fixed seeds, or many in the long form.
fn prove(world: World) -> Totals {
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
    println!("{world:?}: rounds from seed {first}");
    let totals = if super::long() {
        rounds(world, first, 200, 6, |totals| {
            totals.kills >= 200 && totals.attempts >= 20_000
        })
    } else {
        rounds(world, first, 40, 4, |totals| totals.rounds >= 4)
    };
    println!("{world:?}: rounds from seed {first}: {totals:#?}");
    assert!(totals.kills > 0 && totals.states["imported"] > 0);
    totals
}

#[test]
fn no_fault_and_no_kill_breaks_the_promise() {
    let totals = prove(World::Still);
    if super::long() {
        for kind in Fault::KINDS {
            assert!(totals.kinds.contains_key(kind), "{kind} never happened");
        }
    }
}

#[test]
fn no_copied_moved_restored_or_mounted_ledger_breaks_the_promise() {
    let totals = prove(World::MovingLedger);
    assert!(totals.refusals > 0, "no older ledger was refused");
}

#[test]
fn no_other_spelling_of_the_keys_breaks_the_promise() {
    let totals = prove(World::RewrittenKeys);
    assert!(totals.held > 0, "no similar key was held");
}
