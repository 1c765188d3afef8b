//! Importers as processes of their own, on one account and one ledger on a server:
//! they take turns, are killed, stopped until another took over, and the server
//! crashes on the way.
//!
//! Each start has a map id of its own, which is not part of a case's identity, so
//! that a request says who sent it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::faulty_server::seeded;
use super::postgres_cluster::{Cluster, Database};
use super::server::{Reaction, Request, Server, created, react, status};

/// The interval between two calls.
const PACE: Duration = Duration::from_millis(5);

/// How much is done by some number of importers.
struct Form {
    importers: usize,
    cases: usize,
    kills: usize,
    take_overs: usize,
    restarts: usize,
}

fn form(importers: usize) -> Form {
    if super::long() {
        Form {
            importers,
            cases: 7_000,
            kills: 70,
            take_overs: 35,
            restarts: 17,
        }
    } else {
        Form {
            importers,
            cases: 60,
            kills: 1,
            take_overs: 1,
            restarts: 1,
        }
    }
}

/// One account, its ledger, and the importers of it.
struct Round {
    form: Form,
    server: Server,
    sent: Arc<Mutex<Vec<Sent>>>,
    database: Database,
    cluster: Cluster,
    folder: tempfile::TempDir,
    starts: AtomicUsize,
    /// The processes that run, by the numbers of their starts.
    running: Mutex<HashMap<usize, Pid>>,
    /// Importers that took over, to be waited for.
    beside: Mutex<Vec<(usize, Child)>>,
    done: AtomicBool,
}

/// A complete request that the server read.
struct Sent {
    key: String,
    /// The start that sent it.
    start: usize,
    first_byte: Instant,
    /// Whether the answer proves that nothing was created.
    refused: bool,
    /// Whether the case was created.
    created: bool,
}

/// Answers by the case and how often it was sent; most are created.
fn answer(key: &str, nth: usize) -> (Reaction, bool) {
    let id = format!("id-{key}-{nth}");
    let made = |reaction| (reaction, true);
    match seeded(7, &format!("request {nth} of {key}")).u32(0..1_000) {
        0..20 => {
            let lost = status(502).html("<h1>Bad Gateway</h1>");
            made(react().creates(&id).answer(&lost))
        }
        // Rare, since each of them slows the run.
        20..22 => (status(429).header("Retry-After", "0").into(), false),
        22..52 if nth == 0 => (status(422).json(r#"{"message":"scripted"}"#).into(), false),
        52..72 => made(react().creates(&id).close()),
        _ => made(created(&id)),
    }
}

fn key(request: &Request) -> String {
    request.json()["id"].as_str().unwrap().to_owned()
}

/// The number of the start that sent a request.
fn start_of(request: &Request) -> usize {
    let (_, rest) = request.path.split_once("start-").unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}

impl Round {
    fn new(form: Form) -> Option<Self> {
        let cluster = Cluster::start()?;
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<String> = (0..form.cases)
            .map(|n| format!("c{n},Name {n}\n"))
            .collect();
        let table = "id,name\n".to_owned() + &rows.concat();
        std::fs::write(folder.path().join("cases.csv"), table).unwrap();
        let sent = Arc::new(Mutex::new(Vec::<Sent>::new()));
        let (list, mut times) = (Arc::clone(&sent), HashMap::<String, usize>::new());
        let server = Server::start(move |request| {
            let key = key(request);
            let nth = times.entry(key.clone()).or_default();
            let (reaction, created) = answer(&key, *nth);
            *nth += 1;
            list.lock().unwrap().push(Sent {
                key,
                start: start_of(request),
                first_byte: request.first_byte,
                refused: !created,
                created,
            });
            reaction
        });
        Some(Self {
            form,
            server,
            sent,
            database: cluster.database(),
            cluster,
            folder,
            starts: AtomicUsize::new(0),
            running: Mutex::default(),
            beside: Mutex::default(),
            done: AtomicBool::new(false),
        })
    }

    /// Starts an importer, which waits for its turn. Each machine has a home of
    /// its own.
    fn start(&self, machine: usize, flags: &[&str]) -> (usize, Child) {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
        let home = self.folder.path().join(format!("machine-{machine}"));
        std::fs::create_dir_all(&home).unwrap();
        let errors = File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("stderr"))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_caseload"));
        command
            .args([
                "import",
                "cases.csv",
                "--key-column=id",
                "--partner-firm-id=f1",
            ])
            .args([
                "--yes",
                "--output=json",
                "--timeout=300ms",
                "--max-failures=0",
            ])
            .args(["--max-wait=60s", "--in-flight=4"])
            .arg(format!("--pace={}ms", PACE.as_millis()))
            .arg(format!("--map-id=start-{number}"))
            .arg(format!("--base-url={}", self.server.url()))
            .arg(format!("--ledger={}", self.database.url))
            .args(flags)
            .env_clear()
            .env("HOME", &home)
            .env("LEXAMICA_PUBLIC_KEY", "pk_of_the_proof")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let child = command.spawn().unwrap();
        let id = Pid::from_child(&child);
        self.running.lock().unwrap().insert(number, id);
        (number, child)
    }

    /// Waits for the end of an importer.
    fn wait(&self, (number, mut child): (usize, Child)) -> Option<i32> {
        let code = loop {
            // Its id stays its own until it is out of the list.
            let mut running = self.running.lock().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                running.remove(&number);
                break status.code();
            }
            drop(running);
            thread::sleep(Duration::from_millis(5));
        };
        assert!(
            matches!(code, None | Some(0 | 1 | 2 | 4 | 5)),
            "{code:?}\n{}",
            self.errors()
        );
        code
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// One importer after the other on one machine, each for some cases.
    fn import(&self, machine: usize) {
        let limit = format!("--limit={}", (self.form.cases / 20).max(20));
        while !self.done.load(Ordering::SeqCst) {
            self.wait(self.start(machine, &["--wait=30s", &limit]));
        }
    }

    fn is_done(&self) -> bool {
        let number = |state| self.database.number(state);
        number("imported") + number("in_doubt") >= self.form.cases
    }

    /// The start that sent the latest request, after some more of them, if it
    /// still runs.
    fn sender_after(&self, more: usize) -> Option<usize> {
        let count = || self.sent.lock().unwrap().len();
        let wanted = count() + more;
        let mut asked = Instant::now();
        while count() < wanted {
            thread::sleep(Duration::from_millis(1));
            if asked.elapsed() > Duration::from_millis(300) {
                asked = Instant::now();
                if self.is_done() {
                    return None;
                }
            }
        }
        self.sent.lock().unwrap().last().map(|sent| sent.start)
    }

    /// False when it does not run any more.
    fn signal(&self, number: usize, signal: Signal) -> bool {
        let running = self.running.lock().unwrap();
        let id = running.get(&number);
        id.is_some_and(|id| kill_process(*id, signal).is_ok())
    }

    /// Disturbs the importers until the form is done. Returns kills, take-overs
    /// and restarts.
    fn disturb(&self) -> [usize; 3] {
        let form = &self.form;
        let mut rng = seeded(11, &format!("{} importers", form.importers));
        let most = form.cases / (form.kills + form.take_overs + form.restarts) / 2;
        let mut plan = [
            vec![0; form.kills],
            vec![1; form.take_overs],
            vec![2; form.restarts],
        ]
        .concat();
        rng.shuffle(&mut plan);
        let mut done = [0; 3];
        for what in plan {
            // The sender may have ended meanwhile.
            loop {
                let Some(number) = self.sender_after(rng.usize(1..=most.max(1))) else {
                    return done;
                };
                let happened = match what {
                    0 => self.signal(number, Signal::KILL),
                    1 => self.take_over(number, &mut rng),
                    _ => {
                        self.cluster.stop();
                        self.cluster.start_again();
                        true
                    }
                };
                if happened {
                    break;
                }
            }
            done[what] += 1;
        }
        done
    }

    /// Stops an importer until another one has sent something, and lets it go on.
    /// False when it was not its turn.
    fn take_over(&self, number: usize, rng: &mut Rng) -> bool {
        let id = self.running.lock().unwrap().get(&number).copied();
        let Some(id) = id.filter(|_| self.signal(number, Signal::STOP)) else {
            return false;
        };
        let process = format!("process {} on", id.as_raw_nonzero());
        let sql = format!("SELECT count(*) FROM caseload.lock WHERE holder LIKE '{process}%'");
        let has_the_right = || self.database.value(&sql) == "1";
        let is_its_turn = has_the_right();
        if is_its_turn {
            let other = self.start(99, &["--wait=30s", "--limit=5"]);
            let began = Instant::now();
            while has_the_right() {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "{}",
                    self.errors()
                );
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(rng.u64(0..300)));
            self.signal(number, Signal::CONT);
            self.beside.lock().unwrap().push(other);
        } else {
            self.signal(number, Signal::CONT);
        }
        is_its_turn
    }

    /// All of it; the totals, for people.
    fn run(self) -> Vec<usize> {
        let first = self.start(0, &["--new-ledger", "--limit=1"]);
        self.wait(first);
        let done = thread::scope(|scope| {
            for machine in 0..self.form.importers {
                let round = &self;
                scope.spawn(move || round.import(machine));
            }
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.disturb()));
            self.done.store(true, Ordering::SeqCst);
            done.unwrap()
        });
        for importer in std::mem::take(&mut *self.beside.lock().unwrap()) {
            self.wait(importer);
        }
        // Undisturbed, as often as something was not sent.
        let began = Instant::now();
        while !self.is_done() {
            assert!(
                began.elapsed() < Duration::from_secs(300),
                "{}",
                self.errors()
            );
            self.wait(self.start(0, &["--wait=30s"]));
        }
        let attempts = self
            .database
            .value("SELECT count(*) FROM caseload.attempts");
        let requests = self.check(attempts.parse().unwrap());
        let starts = self.starts.load(Ordering::SeqCst);
        let [imported, in_doubt] =
            ["imported", "in_doubt"].map(|state| self.database.number(state));
        println!(
            "{} importers: {starts} starts, {} kills, {} take-overs, {} crashes of the server, \
             {attempts} attempts, {requests} requests; {imported} imported, {in_doubt} in doubt; \
             0 sent again, 0 lost, 0 after a take-over",
            self.form.importers, done[0], done[1], done[2]
        );
        [&done[..], &[requests]].concat()
    }

    /// The rules between the server's list and the ledger. Returns how many
    /// requests there were.
    fn check(&self, attempts: usize) -> usize {
        let list = self.sent.lock().unwrap();
        let mut by_case: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
        let (mut ended, mut current) = (BTreeSet::new(), None);
        let mut block: Vec<Instant> = Vec::new();
        for sent in &*list {
            if current != Some(sent.start) {
                ended.extend(current);
                let start = sent.start;
                assert!(
                    !ended.contains(&start),
                    "start {start} sent after a take-over"
                );
                current = Some(start);
                block.clear();
            }
            block.push(sent.first_byte);
            // Those that fit into 50 ms may start together; some slack for the
            // reading of the first one.
            let least = PACE.mul_f64(0.9) * (block.len() as u32 - 1);
            let slack = Duration::from_millis(550);
            let took = sent.first_byte - block[0];
            assert!(took + slack >= least, "{} in {took:?}", block.len());
            by_case.entry(&sent.key).or_default().push(sent);
        }
        for (key, sent) in &by_case {
            let (_, earlier) = sent.split_last().unwrap();
            assert!(
                earlier.iter().all(|sent| sent.refused),
                "{key} was sent again"
            );
        }
        let sql = "SELECT key::json ->> 0, state FROM caseload.cases";
        let rows = self.database.query(sql);
        let states: BTreeMap<&str, &str> = rows.iter().map(|row| (&*row[0], &*row[1])).collect();
        assert_eq!(
            (states.len(), rows.len()),
            (self.form.cases, self.form.cases)
        );
        for (key, state) in states {
            let sent = by_case.get(key).map_or(&[][..], Vec::as_slice);
            let made = sent.iter().filter(|sent| sent.created).count();
            match state {
                "imported" => assert_eq!(made, 1, "{key} is imported"),
                "in_doubt" => assert!(made <= 1, "{key} was created {made} times"),
                other => panic!("{key} is {other}"),
            }
        }
        assert!(attempts >= list.len(), "{attempts} attempts");
        list.len()
    }
}

/// The totals of this many importers.
fn prove(importers: usize) {
    let Some(round) = Round::new(form(importers)) else {
        return Cluster::skip();
    };
    let expected = [round.form.kills, round.form.take_overs, round.form.restarts];
    let totals = round.run();
    if super::long() {
        assert_eq!(totals[..3], expected, "the importers were done too early");
    } else {
        assert!(
            totals[..3].iter().sum::<usize>() > 0,
            "nothing was disturbed"
        );
    }
}

#[test]
fn one_importer_on_a_server_keeps_the_promise() {
    prove(1);
}

#[test]
fn two_importers_on_a_server_keep_the_promise() {
    prove(2);
}

#[test]
fn eight_importers_on_a_server_keep_the_promise() {
    prove(8);
}
