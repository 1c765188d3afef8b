//! A crash of `setup` between any two steps of a call: nothing is created twice,
//! and what may have been created waits for the user's word.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::thread;

use super::super::server::{Server, created, status};
use super::super::workspace::Workspace;
use super::SIGABRT;

/// In the order in which they are created.
const PARTS: [&str; 4] = ["mapping", "updates", "stages", "settlements"];

/// A point, whether the call was made before it, and whether it leaves a doubt.
const POINTS: [(&str, bool, bool); 4] = [
    ("before-setup-claim", false, false),
    ("after-setup-claim", false, true),
    ("before-setup-settle", true, true),
    ("after-setup-settle", true, false),
];

#[test]
fn a_crash_of_setup_creates_nothing_twice() {
    thread::scope(|scope| {
        for point in &POINTS {
            scope.spawn(|| (0..PARTS.len()).for_each(|nth| crash(point, nth)));
        }
    });
}

/// Crashes at the nth part, sets up again, and decides where that is asked.
fn crash((point, called, doubt): &(&str, bool, bool), nth: usize) {
    // Its lists are empty, so that only the ledger knows what exists.
    let server = Server::start(|request| match request.method.as_str() {
        "GET" => status(200).json("[]").into(),
        _ => created(&format!("id-{}", request.index)),
    });
    let workspace = Workspace::new(0);
    let config = "[fields.FirstName]\nlexamica = \"client.firstName\"\n";
    std::fs::write(workspace.folder.path().join("caseload.toml"), config).unwrap();
    let at = format!("{point}:{}", nth + 1);
    let ended = setup(&workspace, &server, Some(&at), None);
    assert_eq!(
        ended.signal(),
        Some(SIGABRT),
        "{at}: {}",
        workspace.stderr()
    );
    let sent = nth + usize::from(*called);
    assert_eq!(posts(&server).len(), sent, "calls before {at}");
    if *doubt {
        let again = setup(&workspace, &server, None, None);
        assert_eq!(again.code(), Some(4), "{at}: {}", workspace.stderr());
        assert_eq!(posts(&server).len(), sent, "nothing is sent in doubt: {at}");
    }
    let decision = doubt.then(|| match called {
        true => format!("--created={}=id-of-the-user", PARTS[nth]),
        false => format!("--not-created={}", PARTS[nth]),
    });
    // Once to the end, and once more when all is there.
    for decision in [decision, None] {
        let ended = setup(&workspace, &server, None, decision);
        assert_eq!(ended.code(), Some(0), "{at}: {}", workspace.stderr());
    }
    check(&workspace, &server, &at);
}

/// Each part was created once, with a secret that is in the file.
fn check(workspace: &Workspace, server: &Server, at: &str) {
    let secrets = workspace.folder.path().join("webhook-secrets.toml");
    let secrets = std::fs::read_to_string(secrets).unwrap();
    let events = posts(server).into_iter().map(|post| {
        let secret = post["secret"].as_str().unwrap_or_default().to_owned();
        assert!(secrets.contains(&secret), "{at}: a secret was lost");
        post["event"].as_str().unwrap_or("mapping").to_owned()
    });
    let expected = [
        "mapping",
        "Case Update Made",
        "Case Stage Changed",
        "Case Settlement",
    ];
    assert_eq!(events.collect::<Vec<_>>(), expected, "{at}");
}

/// The requests that create something.
fn posts(server: &Server) -> Vec<serde_json::Value> {
    let requests = server.requests().into_iter();
    let posts = requests.filter(|request| request.method == "POST");
    posts.map(|request| request.json()).collect()
}

fn setup(
    workspace: &Workspace,
    server: &Server,
    abort_at: Option<&str>,
    decision: Option<String>,
) -> ExitStatus {
    let arguments = ["setup", "--yes", "--ledger=ledger.db", "--org-id=o1"];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--base-url={}", server.url()));
    arguments.push("--public-url=https://hooks.example.com".to_owned());
    if !workspace.ledger().exists() {
        arguments.push("--new-ledger".to_owned());
    }
    arguments.extend(decision);
    let mut command = workspace.binary(&arguments);
    command.env("LEXAMICA_PRIVATE_KEY", "sk_of_the_proof");
    if let Some(point) = abort_at {
        command.env("CASELOAD_ABORT_AT", point);
    }
    command.stdout(Stdio::null()).status().unwrap()
}
