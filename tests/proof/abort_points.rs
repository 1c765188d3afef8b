//! A crash between any two steps of an attempt, at points that have names in
//! the code. What each leaves behind is known exactly: how many whole requests
//! went out before, and how many cases are in doubt after the next run.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::thread;

use super::binary::{Ended, Scene, Until, run};
use super::checker::{Rows, Stage};
use super::faults::{Case, Fault, RetryAfter};
use super::world::{Door, World};

const ABORTED: i32 = 6;
const RECORDS: usize = 4;

/// Point, whole requests before the crash, cases in doubt for it.
type Point = (&'static str, usize, usize);

/// One call at a time, all of them good.
const POINTS: [Point; 27] = [
    ("before-ledger-named", 0, 0),
    ("after-ledger-named", 0, 0),
    ("before-recover", 0, 0),
    ("after-recover", 0, 0),
    ("before-begin-run", 0, 0),
    ("after-begin-run", 0, 0),
    ("before-claim", 0, 0),
    ("before-claim:3", 2, 0),
    // Commits: the run's beginning, then claim and settle of each case.
    ("before-commit:1", 0, 0),
    ("after-commit:1", 0, 0),
    ("before-commit:2", 0, 0),
    ("after-commit:2", 0, 1),
    ("before-commit:3", 1, 1),
    ("after-commit:3", 1, 0),
    ("after-claim", 0, 1),
    ("after-claim:3", 2, 1),
    ("before-request", 0, 1),
    ("gate-open", 0, 1),
    ("gate-open:3", 2, 1),
    ("after-answer", 1, 1),
    ("before-settle", 1, 1),
    ("after-settle", 1, 0),
    ("after-settle:4", 4, 0),
    ("before-report", 1, 0),
    ("before-end-run", 4, 0),
    ("after-end-run", 4, 0),
    ("before-close", 4, 0),
];

/// The third case meets a 429 while the fourth is claimed ahead.
const POINTS_OF_A_PAUSE: [Point; 2] = [("before-release", 3, 1), ("after-release", 3, 0)];

#[test]
fn a_crash_at_any_step_leaves_what_it_must() {
    let work = Mutex::new(POINTS.iter());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(point) = work.lock().unwrap().next() else {
                        return;
                    };
                    let world = World::start(|_, _| Fault::Created(0));
                    crash(point, &world, &["--in-flight=1", "--pace=1ms"]);
                }
            });
        }
    });
}

#[test]
fn a_crash_around_a_pause_leaves_what_it_must() {
    for point in &POINTS_OF_A_PAUSE {
        let world = World::start(|key, nth| match (key, nth) {
            ("c0002", 0) => Fault::Status(429, RetryAfter::Seconds(1), Case::NotMade),
            _ => Fault::Created(0),
        });
        crash(point, &world, &["--in-flight=2", "--pace=100ms"]);
    }
}

/// A crash while the crash before is mended changes nothing.
#[test]
fn a_crash_while_recovering_leaves_one_doubt() {
    let (world, scene) = (World::start(|_, _| Fault::Created(0)), Scene::new(RECORDS));
    let flags = ["--in-flight=1", "--pace=1ms"];
    for (number, point) in ["after-claim:2", "before-recover", "after-recover"]
        .into_iter()
        .enumerate()
    {
        let ended = start(number, Some(point), &world, &scene, &flags);
        assert_eq!(ended.status.signal(), Some(ABORTED), "{point}");
    }
    start(3, None, &world, &scene, &flags);
    let rows = scene.check(&world.book(), &[false; 4], Stage::Done, 0);
    assert_eq!(states(&rows), (RECORDS - 1, 1));
}

fn crash(point: &Point, world: &World, flags: &[&str]) {
    let (name, sent, doubts) = *point;
    let scene = Scene::new(RECORDS);
    let ended = start(0, Some(name), world, &scene, flags);
    assert_eq!(
        ended.status.signal(),
        Some(ABORTED),
        "{name} was not passed: {}\n{}",
        ended.status,
        scene.said()
    );
    let book = world.book();
    scene.check(&book, &[false], Stage::Crashed, 0);
    assert_eq!(book.sent.len(), sent, "whole requests before {name}");
    let ended = start(1, None, world, &scene, flags);
    let exit = if doubts == 0 { 0 } else { 4 };
    assert_eq!(ended.status.code(), Some(exit), "{name}\n{}", scene.said());
    let rows = scene.check(&world.book(), &[false, false], Stage::Done, 0);
    assert_eq!(
        states(&rows),
        (RECORDS - doubts, doubts),
        "imported and in doubt after {name}"
    );
}

fn start(
    number: usize,
    point: Option<&str>,
    world: &World,
    scene: &Scene,
    flags: &[&str],
) -> Ended {
    world.begin(number, Door::Open);
    let mut arguments = scene.arguments(&world.url());
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut command = scene.binary(&arguments);
    if let Some(point) = point {
        command.env("CASELOAD_ABORT_AT", point);
    }
    run(&mut command, Until::Itself)
}

/// Imported and in doubt.
fn states(rows: &Rows) -> (usize, usize) {
    let count = |state: &str| rows.values().filter(|row| row.state == state).count();
    (count("imported"), count("in_doubt"))
}
