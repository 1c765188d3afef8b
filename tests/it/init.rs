//! `caseload init`: the config that it guesses from an export passes `check`
//! once the firms have their ids, and makes the expected payloads.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Home, KEY, example};

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

/// The config that `init` writes for a CSV, and what `import` proposes as key.
fn drafted(csv: &str) -> (String, String) {
    let home = Home::new();
    home.write("a.csv", csv);
    let proposal = home
        .caseload(&["import", "a.csv", "--base-url", "http://127.0.0.1:9"])
        .args(&["--map-id", "m1", "--yes"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .run()
        .exits(2)
        .err;
    home.run(&["init", "a.csv"]).exits(0);
    (home.read("caseload.toml"), proposal)
}

#[test]
fn a_repeated_id_is_reported_and_not_hidden_by_a_longer_key() {
    let row = |n: u32| format!("{},{},Name {n},6/{}/2026\n", n, 1000 + n, n % 28 + 1);
    let mut rows: Vec<String> = (1..=299).map(row).collect();
    rows.push("299,1300,Somebody else,6/1/2026\n".to_owned());
    // A number of the row must not hide it either.
    let csv = "Lead ID,Row Number,Client,Date of Loss\n".to_owned() + &rows.concat();
    let (config, proposal) = drafted(&csv);
    assert!(config.contains("\nkey = \"Lead ID\"\n"), "{config}");
    let comment = "# decide: 1 row of 300 with the value of an earlier row; `caseload check`";
    assert!(config.contains(comment), "{config}");
    assert!(
        proposal.contains("try --key-column 'Lead ID'"),
        "{proposal}"
    );
    // And the check that the comment names shows it.
    let home = Home::new();
    home.write("a.csv", csv);
    home.run(&["init", "a.csv"]).exits(0);
    home.run(&["check", "a.csv", "--partner-firm-id", "f1"])
        .exits(3)
        .prints("duplicate-key");
}

#[test]
fn several_rows_a_case_still_need_a_second_column() {
    let rows: Vec<String> = (0..30)
        .map(|n| format!("{},\"Lee, Ann {n}\"\n", 1000 + n / 2))
        .collect();
    let (config, proposal) = drafted(&("casenum,party_name\n".to_owned() + &rows.concat()));
    assert!(
        config.contains("key = [\"casenum\", \"party_name\"]"),
        "{config}"
    );
    let flags = "try --key-column casenum --key-column party_name";
    assert!(proposal.contains(flags), "{proposal}");
}

#[test]
fn an_order_of_month_and_day_that_rests_on_one_date_is_a_decision() {
    let dated = |last: &str| {
        let rows: Vec<String> = (0..50)
            .map(|n| format!("L{n},{}/{}/2026\n", n % 12 + 1, n % 9 + 1))
            .collect();
        let csv = "LeadId,Date of Loss\n".to_owned() + &rows.concat() + last;
        drafted(&csv).0.replace("\n#", "")
    };
    for (last, order) in [
        ("L99,13/1/2026\n", "those have the day first"),
        ("L99,1/13/2026\n", "those have the month first"),
    ] {
        let config = dated(last);
        assert!(config.contains("decide: is the month first?"), "{config}");
        assert!(config.contains("All dates but 1 of 51"), "{config}");
        assert!(config.contains(order), "{config}");
        // Years of two digits and of four are both seen in practice.
        let formats = "formats = [\"%m/%d/%Y\", \"%m/%d/%y\"]";
        assert!(config.contains(formats), "{config}");
    }
}

#[test]
fn a_placeholder_is_no_firm_to_give_an_id() {
    let csv = "Lead ID,Referred To\n1,Doe LLP\n2,#N/A\n3,n/a\n";
    let (config, _) = drafted(csv);
    assert!(config.contains("\"Doe LLP\" = \"\""), "{config}");
    assert!(
        !config.contains("N/A") && !config.contains("n/a\" ="),
        "{config}"
    );
}
