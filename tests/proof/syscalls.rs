//! SIGKILL, EIO and ENOSPC at the Nth system call that writes to the disk, by
//! `strace`; then the import is started again, and the same must hold.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use super::binary::{Ended, Scene, Until, run};
use super::checker::{Book, Rows, Stage};
use super::faults::{Case, Fault, RetryAfter};
use super::strace;
use super::world::{Door, World};

const RECORDS: usize = 6;

/// What is done to the Nth call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blow {
    call: &'static str,
    /// As `strace` has it.
    deed: &'static str,
    nth: usize,
    /// Every later call as well, as on a disk that is full or broken.
    lasting: bool,
    /// With no ledger there yet; else the blow meets the run's own commits.
    new_ledger: bool,
}

/// What came of it.
enum Fell {
    /// The call came, and it was struck.
    Struck,
    /// There are not so many calls.
    Beyond,
}

const BLOWS: [(&str, &str, bool); 8] = [
    ("pwrite64", "signal=SIGKILL", false),
    ("fsync", "signal=SIGKILL", false),
    ("ftruncate", "signal=SIGKILL", false),
    ("rename", "signal=SIGKILL", false),
    ("pwrite64", "error=ENOSPC", true),
    ("pwrite64", "error=EIO", false),
    ("fsync", "error=EIO", false),
    ("fsync", "error=EIO", true),
];

#[test]
fn no_system_call_that_fails_or_kills_breaks_the_promise() {
    if !strace::is_there() {
        return;
    }
    let work = Mutex::new(BLOWS.iter().flat_map(|blow| [(blow, true), (blow, false)]));
    let struck = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((&(call, deed, lasting), new_ledger)) = work.lock().unwrap().next()
                    else {
                        return;
                    };
                    let number = all(Blow {
                        call,
                        deed,
                        nth: 0,
                        lasting,
                        new_ledger,
                    });
                    *struck.lock().unwrap() += number;
                }
            });
        }
    });
    println!("{} system calls were struck", struck.into_inner().unwrap());
}

/// Strikes each call, or some of them in the short form. Returns how many
/// there were to strike.
fn all(blow: Blow) -> usize {
    let mut struck = 0;
    let mut nth = 1;
    while matches!(strike(Blow { nth, ..blow }), Fell::Struck) {
        struck += 1;
        nth += if super::long() { 1 } else { 5 + nth / 2 };
    }
    println!("{struck:>4} struck: {blow:?}");
    // A ledger gets its name once; all else happens again and again.
    let least = match blow.call {
        "rename" => usize::from(blow.new_ledger),
        "ftruncate" => 1,
        _ => 3,
    };
    assert!(struck >= least, "the blows never fell: {blow:?}");
    struck
}

/// Five cases of six are made; one of these after a 429.
fn server() -> World {
    World::start(|key, nth| match (key, nth) {
        ("c0002", _) => Fault::Status(422, RetryAfter::None, Case::NotMade),
        ("c0003", 0) => Fault::Status(429, RetryAfter::Seconds(0), Case::NotMade),
        _ => Fault::Created(0),
    })
}

fn strike(blow: Blow) -> Fell {
    let (world, scene) = (server(), Scene::new(RECORDS));
    world.begin(0, Door::Open);
    let mut arguments = scene.fast_arguments(&world.url());
    if !blow.new_ledger {
        // One case, to have a ledger: the main thread then writes no more, and
        // the count is that of the run's writer.
        arguments.push("--limit=1".to_owned());
        let ended = run(&mut scene.binary(&arguments), Until::Itself);
        assert_eq!(ended.status.code(), Some(0), "{}", scene.said());
    }
    let mut arguments = scene.fast_arguments(&world.url());
    arguments.push("--in-flight=2".to_owned());
    let from_then_on = if blow.lasting { "+" } else { "" };
    let inject = format!(
        "inject={}:{}:when={}{from_then_on}",
        blow.call, blow.deed, blow.nth
    );
    let trace = scene.folder.path().join("trace");
    let options = ["-e", &format!("trace={}", blow.call), "-e", &inject];
    let mut command = strace::traced(&scene, &options, &trace, &arguments);
    world.begin(1, Door::Open);
    let ended = run(&mut command, Until::Itself);
    let book = world.book();
    let rows = scene.check(&book, &[false, false], stage(&ended), 0);
    if !was_struck(&ended, &trace) {
        assert_eq!(ended.status.code(), Some(1), "{blow:?}\n{}", scene.said());
        return Fell::Beyond;
    }
    if ended.status.code() == Some(2) {
        let sent = book.sent.iter().any(|sent| sent.run == 1);
        assert!(!sent, "{blow:?}: exit code 2 says that nothing was sent");
    }
    if ended.status.code().is_some() {
        nothing_is_forgotten(&blow, &book, &rows, &scene.said());
    }
    go_on(&blow, &world, &scene);
    Fell::Struck
}

/// `strace` dies by the signal that its process died by.
fn stage(ended: &Ended) -> Stage {
    match ended.status.signal() {
        Some(9) => Stage::Crashed,
        Some(other) => panic!("died by signal {other}"),
        None => match ended.status.code() {
            Some(0 | 1 | 4) => Stage::Ended,
            // A disk that failed may leave a claim behind, as a crash does.
            Some(2 | 5) => Stage::Crashed,
            other => panic!("exit code {other:?}"),
        },
    }
}

fn was_struck(ended: &Ended, trace: &Path) -> bool {
    let trace = std::fs::read_to_string(trace).unwrap();
    ended.status.signal() == Some(9) || trace.contains("(INJECTED)")
}

/// What the server said yes to is in the ledger, or the user was told.
fn nothing_is_forgotten(blow: &Blow, book: &Book, rows: &Rows, said: &str) {
    for sent in &book.sent {
        let Some(id) = &sent.told else { continue };
        let written = rows
            .get(&sent.key)
            .is_some_and(|row| row.case_id.as_ref() == Some(id));
        let told = said.lines().any(|line| {
            line.contains(&sent.key) && line.contains(id.as_str()) && line.contains("201")
        });
        assert!(
            written || told,
            "{blow:?}: case {} is {id}, and neither ledger nor user know it\n{said}",
            sent.key
        );
    }
}

/// The same command once more, on a disk that is whole again.
fn go_on(blow: &Blow, world: &World, scene: &Scene) {
    world.begin(2, Door::Open);
    let arguments = scene.fast_arguments(&world.url());
    let ended = run(&mut scene.binary(&arguments), Until::Itself);
    assert!(
        ended.finished(),
        "{blow:?}: started again, it ended with {}\n{}",
        ended.status,
        scene.said()
    );
    let book = world.book();
    let rows = scene.check(&book, &[false, false, false], Stage::Done, 0);
    // A blow is one moment: what was under way then, and no more.
    let doubts = rows.values().filter(|row| row.state == "in_doubt").count();
    assert!(doubts <= 3, "{blow:?}: {doubts} doubts of one blow");
}
