//! The one assumption that the promise leans on, broken: a server that makes
//! the case and answers 429 all the same.

use super::binary::{Ended, Scene, Until, run};
use super::checker::{Stage, Truth, What};
use super::faults::{Case, Fault, RetryAfter};
use super::world::{Door, World};

/// Makes the second case at the first request already, and says "later".
fn liar() -> World {
    World::start(|key, nth| {
        if key == "c0001" && nth == 0 {
            Fault::Status(429, RetryAfter::Seconds(0), Case::Made)
        } else {
            Fault::Created(0)
        }
    })
}

fn import(world: &World, scene: &Scene, run_number: usize) -> Ended {
    world.begin(run_number, Door::Open);
    let arguments = scene.fast_arguments(&world.url());
    run(&mut scene.binary(&arguments), Until::Itself)
}

#[test]
fn a_server_that_makes_a_case_and_answers_429_is_believed_and_doubles() {
    let (world, scene) = (liar(), Scene::new(4));
    let ended = import(&world, &scene, 0);
    assert_eq!(ended.status.code(), Some(0), "{}", scene.said());
    let book = world.book();
    assert_eq!(book.made.iter().filter(|key| *key == "c0001").count(), 2);
    let rows = scene.rows();
    let truth = Truth {
        keys: &scene.keys,
        book: &book,
        rows: &rows,
        resend: &[false],
        stage: Stage::Done,
    };
    // The checker is not to be talked out of it.
    let breaches: Vec<_> = truth.breaches();
    let found: Vec<(&str, What)> = breaches
        .iter()
        .map(|breach| (breach.key.as_str(), breach.what))
        .collect();
    let expected = [("c0001", What::Doubled), ("c0001", What::HiddenTwin)];
    assert_eq!(found, expected);
}

#[test]
fn with_api_not_sent_emptied_the_same_server_doubles_nothing() {
    let (world, scene) = (liar(), Scene::new(4));
    let config = scene.folder.path().join("caseload.toml");
    std::fs::write(config, "[api]\nnot_sent = []\n").unwrap();
    for run_number in 0..2 {
        let ended = import(&world, &scene, run_number);
        assert_eq!(ended.status.code(), Some(4), "{}", scene.said());
    }
    let book = world.book();
    let rows = scene.check(&book, &[false, false], Stage::Done, 0);
    assert_eq!(rows["c0001"].state, "in_doubt");
    assert_eq!(
        book.sent.len(),
        4,
        "one request a case, also in the second run"
    );
}
