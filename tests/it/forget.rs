//! `ledger forget`: what a ledger keeps of persons goes, and what keeps their
//! cases from being created twice stays.

use serde_json::{Value, json};

use crate::server::{Server, created, status};
use crate::support::postgres::{Cluster, Database};
use crate::support::{Done, Home, Program, silent_server};

const HEADER: &str = "id,partnerFirmId,First Name,Last Name,Phone,Date of Loss,Notes\n";
const CONFIG: &str = "[case]\nkey = \"id\"\npassthrough = true\n[ledger]\nkeep_payloads = true\n";
const RENEE: &str = "c-1,f1,Renée,Okafor,7025550101,2025-03-04,Fell over\n";
const BOLA: &str = "late,f1,Bola,Okafor,7025550102,,Slipped\n";
const PERSONAL: [&str; 8] = [
    "Okafor",
    "okafor",
    "Renée",
    "Bola",
    "7025550101",
    "7025550102",
    "Fell over",
    "Slipped",
];

fn server() -> Server {
    Server::start(|request| match request.json()["id"].as_str().unwrap() {
        "late" if request.index == 1 => status(422)
            .json(r#"{"message":"Okafor has no incident date"}"#)
            .into(),
        "doubt" => status(502).html("gone").into(),
        key => created(&format!("id-{key}")),
    })
}

fn import(home: &Home, server: &Server, ledger: &str, file: &str, rows: &str) -> Program {
    home.write(file, HEADER.to_owned() + rows);
    home.import_without_ledger_flags(&server.url(), &[file])
        .args(&["--ledger", ledger, "--pace", "1ms", "--in-flight", "1"])
        .args(&["--output", "json"])
}

fn run(home: &Home, ledger: &str, args: &[&str]) -> Done {
    home.caseload(args).args(&["--ledger", ledger]).run()
}

/// Two cases that are done, with events, and one in doubt.
fn filled(ledger: &str) -> (Home, Server) {
    let (home, server) = (Home::new(), server());
    home.write("caseload.toml", CONFIG);
    let both = format!("{RENEE}{BOLA}");
    import(&home, &server, ledger, "okafor.csv", &both)
        .arg("--new-ledger")
        .run()
        .exits(1)
        .counts(&[("imported", 1), ("rejected", 1)]);
    import(&home, &server, ledger, "okafor.csv", &both)
        .run()
        .exits(0)
        .counts(&[("already_imported", 1), ("imported", 1)]);
    let doubt = "doubt,f1,Dana,Doubtful,7025550103,,Hit\n";
    import(&home, &server, ledger, "dana.csv", doubt)
        .run()
        .exits(4);
    deliver(&home, ledger);
    (home, server)
}

/// An event of a case, and one of none.
fn deliver(home: &Home, ledger: &str) {
    let listener = home.listen_on(ledger, &[]);
    for id in ["id-c-1", "other"] {
        let body = json!({ "caseId": id, "content": "Okafor feels worse" });
        assert_eq!(listener.deliver("updates", &body.to_string()), 200);
    }
}

/// What an import would make of the same file and of variants of it.
fn planned(home: &Home, server: &Server, ledger: &str) -> Vec<Value> {
    let variants = [
        format!("{RENEE}{BOLA}"),
        RENEE.replace("Fell over", "Fell off"),
        RENEE.replacen("c-1", "C_1", 1).replace("Okafor", "Lee"),
        RENEE.replacen("c-1", "n7", 1),
        RENEE.replacen("c-1", "n8", 1).replace("Fell over", "Sued"),
        RENEE.replace(
            "Renée,Okafor,7025550101,2025-03-04",
            "Cem,Oz,7025550109,2025-01-01",
        ),
    ];
    let plan = |rows: &String| {
        let done = import(home, server, ledger, "again.csv", rows)
            .arg("--dry-run")
            .run();
        let told = [
            "code",
            "action",
            "to_send",
            "already_imported",
            "changed",
            "held",
        ];
        let documents = done.json();
        let lines = documents
            .iter()
            .map(|line| told.map(|name| line[name].clone()));
        lines.map(|line| json!(line)).collect::<Value>()
    };
    variants.iter().map(plan).collect()
}

/// Forgets, and proves it with all that the ledger holds.
fn forgets(ledger: &str, contents: impl Fn(&Home) -> String) {
    let (home, server) = filled(ledger);
    let before = contents(&home);
    for value in PERSONAL {
        assert!(before.contains(value), "{value}");
    }
    let expected = planned(&home, &server, ledger);
    for reason in [
        "same-content",
        "similar-key",
        "likely-duplicate",
        "other-person",
    ] {
        assert!(
            json!(expected).to_string().contains(reason),
            "{reason}: {expected:?}"
        );
    }
    let forget = |age: &str, words: &[&str]| {
        run(
            &home,
            ledger,
            &[&["ledger", "forget", "--older-than", age][..], words].concat(),
        )
    };
    forget("1d", &["--yes"])
        .exits(0)
        .says("forgot 0 cases and 0 webhook events");
    forget("0s", &[]).exits(2).says("not a terminal: use --yes");
    assert!(contents(&home).contains("Okafor"));
    let done = forget("0s", &["--yes", "--output", "json"]).exits(0);
    let done = &done.json()[0];
    let counts = ["cases", "events", "runs"].map(|name| &done[name]);
    assert_eq!(counts, [&json!(2), &json!(2), &json!(2)]);

    let after = contents(&home);
    for value in PERSONAL {
        assert!(!after.contains(value), "{value}");
    }
    assert!(after.contains("Doubtful") && after.contains("dana.csv"));
    assert_eq!(planned(&home, &server, ledger), expected);
    run(&home, ledger, &["status", "--case", "c-1"])
        .exits(0)
        .prints("record     forgotten 20")
        .prints("case id    id-c-1");
    run(&home, ledger, &["status", "--runs"])
        .exits(0)
        .prints("(forgotten)");
    deliver(&home, ledger);
    assert!(
        !contents(&home).contains("Okafor"),
        "the same events came again"
    );
    // Sent once more on request, it is known again.
    run(&home, ledger, &["resolve", "--removed", "c-1", "--yes"]).exits(0);
    import(&home, &server, ledger, "okafor.csv", RENEE)
        .run()
        .exits(0)
        .counts(&[("imported", 1)]);
    run(&home, ledger, &["status", "--case", "c-1"])
        .exits(0)
        .prints("record     okafor.csv:2");
}

#[test]
fn not_a_byte_of_a_person_is_left_in_a_file() {
    forgets("ledger.db", |home| {
        let mut bytes = std::fs::read(home.path("ledger.db")).unwrap();
        bytes.extend(std::fs::read(home.path("ledger.db-journal")).unwrap_or_default());
        String::from_utf8_lossy(&bytes).into_owned()
    });
}

#[test]
fn nothing_of_a_person_is_left_on_a_server() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let database = cluster.database();
    forgets(&database.url, |_| all_rows(&database));
}

fn all_rows(database: &Database) -> String {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'caseload'";
    let tables = database.query(tables).concat();
    let rows = tables.iter().flat_map(|table| {
        let bodies = "CASE WHEN to_jsonb(t) ? 'body' THEN convert_from(t.body, 'UTF8') END";
        let bodies = if table == "events" { bodies } else { "''" };
        database
            .query(&format!("SELECT t::text, {bodies} FROM caseload.{table} t"))
            .concat()
    });
    rows.collect()
}

#[test]
fn nothing_is_forgotten_while_a_run_goes_on() {
    let (home, (server, arrivals)) = (Home::new(), silent_server());
    home.cases(1);
    let running = home.import(&server.url()).start();
    arrivals.recv().unwrap();
    run(
        &home,
        "ledger.db",
        &["ledger", "forget", "--older-than", "0s", "--yes"],
    )
    .exits(2)
    .says("another run is using it");
    running.kill();
}
