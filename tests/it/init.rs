//! `caseload init`: the config that it guesses from an export passes `check`
//! once the firms have their ids, and makes the expected payloads.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Home, example};

/// The payload of the first row of an export with the config that `init`
/// writes. The exports are made up, with all columns of the real ones.
fn first_payload(name: &str) -> String {
    let home = Home::new();
    let export = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/exports")
        .join(name);
    home.write("export.csv", std::fs::read(export).unwrap());
    home.caseload(&["init", "export.csv"]).run().exits(0);
    let path = home.path("caseload.toml");
    let guessed = std::fs::read_to_string(&path).unwrap();
    assert!(!guessed.contains("from = \"Social"), "{name}: {guessed}");
    home.write(
        "caseload.toml",
        guessed.replace(" = \"\"\n", " = \"firm_1\"\n"),
    );
    let firm = ["--partner-firm-id", "firm_2"];
    let done = home
        .caseload(&["import", "export.csv", "--sandbox", "--dry-run"])
        .args(&["--output", "json"])
        .args(&firm)
        .run()
        .exits(0);
    let documents = done.json();
    let first = documents
        .iter()
        .find(|document| document["action"] == "send");
    first.map_or_else(
        || panic!("{name}: {done}"),
        |case| case["payload"].to_string(),
    )
}

#[test]
fn guessed_configs_of_known_exports_make_these_payloads() {
    let mut payloads = String::new();
    for name in [
        "clio-matters.csv",
        "lead-docket.csv",
        "lead-docket-webhook.csv",
        "smartadvocate-intake.csv",
        "smartadvocate-cases.csv",
        "litify-matter.csv",
        "litify-intake.csv",
        "needles.csv",
        "filevine.csv",
        "practicepanther.csv",
    ] {
        writeln!(payloads, "{name}: {}", first_payload(name)).unwrap();
    }
    insta::assert_snapshot!(payloads, @r#"
    clio-matters.csv: {"CustomNumber":"00012-Delgado","FirstName":"Rosa","LastName":"Delgado","Summary":"Slip and fall at a grocery store","partnerFirmId":"firm_2"}
    lead-docket.csv: {"Id":"48211","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","IncidentDate":"2026-06-14","CaseType":"Auto Accident","Summary":"Rear-ended on I-15, \"whiplash\"","partnerFirmId":"firm_1"}
    lead-docket-webhook.csv: {"LeadId":"48211","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","IncidentState":"NV","CaseType":"Auto Accident","Summary":"Rear-ended","partnerFirmId":"firm_2"}
    smartadvocate-intake.csv: {"Id":"7001","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","IncidentState":"NV","CaseType":"Talcum Powder","Summary":"Talc use for years","partnerFirmId":"firm_1"}
    smartadvocate-cases.csv: {"CaseId":"311","FirstName":"Rosa","LastName":"Delgado","IncidentState":"NV","CaseType":"Motor Vehicle","partnerFirmId":"firm_2"}
    litify-matter.csv: {"Id":"a0B5e00000abCdE","ClientName":"Rosa Delgado","IncidentDate":"2026-06-14","IncidentState":"NV","CaseType":"Auto Accident","Summary":"Rear-ended at a light","partnerFirmId":"firm_1"}
    litify-intake.csv: {"Id":"a0I01","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","IncidentState":"NV","partnerFirmId":"firm_2"}
    needles.csv: {"Casenum":"10421","PartyName":"Delgado, Rosa","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","IncidentDate":"2026-06-14","CaseType":"MVA","Summary":"Rear-ended","partnerFirmId":"firm_1"}
    filevine.csv: {"ProjectNumber":"2026-001","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","IncidentDate":"2026-06-14","CaseType":"Personal Injury","partnerFirmId":"firm_2"}
    practicepanther.csv: {"Number":"1001","FirstName":"Rosa","LastName":"Delgado","Phone":"+17025550101","Email":"rosa.d@example.com","partnerFirmId":"firm_2"}
    "#);
}

#[test]
fn a_guessed_config_passes_check_once_the_firms_have_ids() {
    let home = Home::new();
    let export = example("export.csv");
    let init = || home.caseload(&["init", &export]).run();
    init()
        .exits(0)
        .says("wrote caseload.toml")
        .says("Social Security Number, Date of Birth")
        .says("next: caseload check ");
    let path = home.path("caseload.toml");
    let guessed = std::fs::read_to_string(&path).unwrap();
    assert!(guessed.contains("key = \"Lead ID\""), "{guessed}");
    assert!(!guessed.contains("from = \"Social"), "{guessed}");
    // A missing decision is an error at its line.
    let check = || home.caseload(&["check", &export, "--strict"]).run();
    check()
        .exits(2)
        .says("\"Smith & Partners\" has no id yet; put it between the quotes");
    home.write(
        "caseload.toml",
        guessed.replace("\" = \"\"", "\" = \"firm_1\""),
    );
    check().exits(0).prints("20 of 20 records valid");
    // An existing config is never overwritten.
    let edited = std::fs::read(&path).unwrap();
    init().exits(2).says("caseload.toml already exists");
    assert_eq!(std::fs::read(&path).unwrap(), edited);
    home.caseload(&["init", &export, "--config", "other.toml"])
        .run()
        .exits(0)
        .says("--config other.toml");
    assert_eq!(
        std::fs::read_to_string(home.path("other.toml")).unwrap(),
        guessed
    );
}
