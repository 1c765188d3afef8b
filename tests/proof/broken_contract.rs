//! The promise rests on one assumption about the server. Here it is broken: a
//! server creates the case and answers 429.

use super::checker::{Evidence, Rule, Stage};
use super::faults::{Case, Fault, RetryAfter};
use super::faulty_server::{FaultyServer, OnAccept};
use super::ledger_file;
use super::workspace::{EndBy, Ended, Workspace, run};

/// Creates the second case at its first request, and answers "try later".
fn broken_server() -> FaultyServer {
    FaultyServer::start(|key, nth| {
        if key == "c0001" && nth == 0 {
            Fault::Status(429, RetryAfter::Seconds(0), Case::Created)
        } else {
            Fault::Created(0)
        }
    })
}

fn import(server: &FaultyServer, workspace: &Workspace, number: usize) -> Ended {
    server.begin(number, OnAccept::Serve);
    let arguments = workspace.fast_arguments(&server.url());
    run(&mut workspace.binary(&arguments), EndBy::Itself)
}

#[test]
fn a_server_that_creates_a_case_and_answers_429_gets_it_twice() {
    let (server, workspace) = (broken_server(), Workspace::new(4));
    let ended = import(&server, &workspace, 0);
    assert_eq!(ended.status.code(), Some(0), "{}", workspace.stderr());
    let log = server.log();
    let twice = log.created.iter().filter(|key| *key == "c0001").count();
    assert_eq!(twice, 2);
    let evidence = Evidence {
        keys: &workspace.keys,
        log: &log,
        rows: &ledger_file::read(&workspace.ledger(), false),
        resend: &[false],
        stage: Stage::Done,
    };
    // And the checker finds it.
    let violations = evidence.violations();
    let found: Vec<(&str, Rule)> = violations
        .iter()
        .map(|violation| (violation.key.as_str(), violation.rule))
        .collect();
    let expected = [("c0001", Rule::Duplicated), ("c0001", Rule::UnmarkedTwin)];
    assert_eq!(found, expected);
}

#[test]
fn with_api_not_sent_emptied_the_same_server_gets_every_case_once() {
    let (server, workspace) = (broken_server(), Workspace::new(4));
    let config = workspace.folder.path().join("caseload.toml");
    std::fs::write(config, "[api]\nnot_sent = []\n").unwrap();
    for number in 0..2 {
        let ended = import(&server, &workspace, number);
        assert_eq!(ended.status.code(), Some(4), "{}", workspace.stderr());
    }
    let log = server.log();
    let rows = workspace.check(&log, &[false; 2], Stage::Done, 0);
    assert_eq!(rows["c0001"].state, "in_doubt");
    assert_eq!(log.sent.len(), 4, "one request per case in both runs");
}
