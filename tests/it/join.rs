//! Files that are joined: a case's row in one file, and its client's in another.

use serde_json::{Value, json};

use crate::support::{Done, Home, example};

const CONFIG: &str = "\
[case]
key = \"No\"
[join.contacts]
file = \"contacts.csv\"
column = \"Client ID\"
equals = \"Id\"
[fields.No]
[fields.Name]
from = \"{contacts.First} {contacts.Last}\"
[fields.Phone]
from = [\"contacts.Mobile\", \"contacts.Home\"]
type = \"phone\"
[fields.Notes]
";

const CONTACTS: &str = "\
Id,First,Last,Mobile,Home,SSN
00123,Ann,Lee,,(702) 555-0101,x
124,Bea,Okafor,(702) 555-0102,,x
";

const MATTERS: &str = "No,Client ID,partnerFirmId,Notes
m1,00123,f1,Fell
m2,124,f1,Hit
m3,00123,f1,Bitten
";

fn home() -> Home {
    let home = Home::new();
    home.write("caseload.toml", CONFIG);
    home.write("contacts.csv", CONTACTS);
    home.write("a.csv", MATTERS);
    home
}

fn check(home: &Home, file: &str) -> Done {
    home.run(&["check", file])
}

/// The payloads that a dry run shows.
fn payloads(home: &Home, file: &str) -> Vec<Value> {
    let dry = home.run(&["import", file, "--sandbox", "--dry-run", "--output", "json"]);
    let documents = dry.json().into_iter();
    let payloads: Vec<Value> = documents
        .filter(|document| document["action"] == "send")
        .map(|document| document["payload"].clone())
        .collect();
    assert!(!payloads.is_empty(), "{dry}");
    payloads
}

fn ann(no: &str, notes: &str) -> Value {
    json!({"No": no, "Name": "Ann Lee", "Phone": "+17025550101", "Notes": notes, "partnerFirmId": "f1"})
}

fn expected() -> Vec<Value> {
    let bea = json!({"No": "m2", "Name": "Bea Okafor", "Phone": "+17025550102", "Notes": "Hit", "partnerFirmId": "f1"});
    vec![ann("m1", "Fell"), bea, ann("m3", "Bitten")]
}

#[test]
fn a_case_is_made_of_both_files() {
    let home = home();
    assert_eq!(payloads(&home, "a.csv"), expected());
    let matters = MATTERS.replace(",00123,", ", 00\u{200b}123 ,");
    home.write("a.csv", matters);
    assert_eq!(payloads(&home, "a.csv"), expected(), "compared like keys");
}

#[test]
fn the_example_is_imported() {
    let home = Home::new();
    let matters = example("join/matters.csv");
    home.caseload(&["import", &matters, "--sandbox", "--output", "json"])
        .args(&["--config", &example("join/caseload.toml"), "--strict"])
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
}

#[test]
fn a_row_without_a_match_is_one_error() {
    let home = home();
    let config = CONFIG.replace("[fields.Phone]\n", "[fields.Phone]\nrequired = true\n");
    home.write("caseload.toml", config);
    home.write(
        "a.csv",
        "No,Client ID,partnerFirmId,Notes\nm1,00123,f1,\nm2,999,f1,\nm3, ,f1,\nm4,n/a,f1,\nm5,123,f1,\n",
    );
    let done = check(&home, "a.csv")
        .exits(3)
        .prints("a.csv:3:Client ID: error: no rows of contacts.csv belong to this record: \"999\" [join-unmatched], case m2\n    correct the id in one of the files")
        .prints("a.csv:4:Client ID: error: no rows of contacts.csv belong to this record [join-unmatched], case m3\n")
        .prints("a.csv:5:Client ID: error: no rows of contacts.csv belong to this record: \"n/a\" [join-unmatched], case m4\n")
        .prints("a.csv:6:Client ID: error: no rows of contacts.csv belong to this record: \"123\" [join-unmatched], case m5\n")
        .prints("1 of 5 records valid; 4 errors, 0 warnings");
    assert!(!done.out.contains("Phone is required"), "{done}");
}

#[test]
fn several_matches_are_an_error_with_their_rows() {
    let home = home();
    home.write(
        "contacts.csv",
        CONTACTS.to_owned() + "\"00123 \",\"Ann\nMarie\",Lee,,,\n00123,Al,Lee,,,\n",
    );
    let message = "error: 3 rows of contacts.csv belong to this record: \"00123\" [join-multiple], case m1\n    \
                   also contacts.csv:2, contacts.csv:4, contacts.csv: row 5 (line 6)";
    let required = check(&home, "a.csv").exits(3).prints(message);
    let optional = CONFIG.replace("equals", "required = false\nequals");
    home.write("caseload.toml", optional);
    assert_eq!(
        check(&home, "a.csv").exits(3).prints(message).out,
        required.out
    );
    let redacted = home.run(&["check", "a.csv", "--redact"]).exits(3);
    assert!(!redacted.out.contains("00123"), "{redacted}");
}

#[test]
fn where_it_is_not_required_a_row_without_a_match_is_fine() {
    let home = home();
    let config = CONFIG.replace("equals", "required = false\nequals");
    home.write("caseload.toml", &config);
    home.write(
        "a.csv",
        "No,Client ID,partnerFirmId,Notes\nm1,00123,f1,Fell\nm2,999,f1,Hit\nm3,,f1,Bitten\n",
    );
    check(&home, "a.csv")
        .exits(0)
        .prints("0 errors, 0 warnings");
    let alone = |no, notes| json!({"No": no, "Notes": notes, "partnerFirmId": "f1"});
    let expected = [ann("m1", "Fell"), alone("m2", "Hit"), alone("m3", "Bitten")];
    assert_eq!(payloads(&home, "a.csv"), expected);
    home.write(
        "caseload.toml",
        config.replace("[fields.Phone]\n", "[fields.Phone]\nrequired = true\n"),
    );
    check(&home, "a.csv")
        .exits(3)
        .prints("a.csv:3:contacts.Mobile: error: empty, but Phone is required [missing-required], case m2\n");
}

#[test]
fn a_problem_of_a_joined_value_names_its_row() {
    let home = home();
    home.write("contacts.csv", CONTACTS.replace("(702) 555-0101", "0101"));
    check(&home, "a.csv").exits(3).prints(
        "a.csv:2:contacts.Home: error: not a valid phone number: \"0101\" [bad-phone], case m1\n    \
         also contacts.csv:2",
    );
}

/// Excel's numbers have no leading zeros, and text keeps them.
#[test]
fn numbers_of_workbooks_are_compared_by_their_digits() {
    let home = home();
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet();
    let sheet = book.add_worksheet().set_name("People").unwrap();
    sheet.write(0, 0, "Contacts of the firm").unwrap();
    sheet
        .write_row(1, 0, ["Id", "First", "Last", "Mobile", "Home"])
        .unwrap();
    sheet
        .write_row(2, 0, ["00123", "Ann", "Lee", "(702) 555-0101", ""])
        .unwrap();
    sheet
        .write_row(3, 1, ["Bea", "Okafor", "(702) 555-0102", ""])
        .unwrap();
    sheet.write(3, 0, 124).unwrap();
    book.save(home.path("contacts.xlsx")).unwrap();
    let config = CONFIG.replace("csv\"", "xlsx\"\nsheet = \"People\"\nheader_row = 2");
    home.write("caseload.toml", &config);
    assert_eq!(payloads(&home, "a.csv"), expected());
    home.write("caseload.toml", config.replace("header_row = 2", ""));
    check(&home, "a.csv").exits(2).says("use header_row 2");
}

#[test]
fn both_files_may_be_json() {
    let home = home();
    let config = CONFIG
        .replace("csv", "json")
        .replace("Client ID", "client.id");
    home.write(
        "caseload.toml",
        config.replace("contacts.First", "contacts.name.first"),
    );
    home.write(
        "contacts.json",
        r#"[{"Id":124,"Last":"Okafor","name":{"first":"Bea"},"Mobile":"(702) 555-0102"},
            {"name":{"first":"Ann"},"Id":"00123","Last":"Lee","Home":"(702) 555-0101"}]"#,
    );
    home.write(
        "a.json",
        r#"[{"No":"m1","client":{"id":"00123"},"partnerFirmId":"f1","Notes":"Fell"},
            {"No":"m2","client":{"id":124},"partnerFirmId":"f1","Notes":"Hit"},
            {"No":"m3","Notes":"Bitten","partnerFirmId":"f1","client":{"id":"00123"}}]"#,
    );
    assert_eq!(payloads(&home, "a.json"), expected());
    home.write(
        "a.json",
        r#"[{"No":"m1","client":{"id":["00123"]},"partnerFirmId":"f1","Notes":"x"}]"#,
    );
    check(&home, "a.json")
        .exits(3)
        .prints("no rows of contacts.json belong to this record: \"[\"00123\"]\" [join-unmatched]");
}

/// A column of the case file that looks like a joined one is never taken for it.
#[test]
fn a_column_that_could_be_a_joined_one_is_refused() {
    let home = home();
    home.write("a.csv", MATTERS.replace("Notes", "contacts.Mobile"));
    check(&home, "a.csv")
        .exits(2)
        .says("the input has a column \"contacts.Mobile\" of its own: rename the [join] table");
    home.write(
        "a.json",
        r#"[{"No":"m1","Client ID":"124","partnerFirmId":"f1"},
            {"No":"m2","Client ID":"124","partnerFirmId":"f1","contacts":{"Mobile":"1"}}]"#,
    );
    check(&home, "a.json")
        .exits(2)
        .says("the input has a column \"contacts\" of its own");
    home.write(
        "a.json",
        r#"[{"No":"m1","contacts.First":"x","Client ID":"124","partnerFirmId":"f1"}]"#,
    );
    check(&home, "a.json")
        .exits(2)
        .says("the input has a column \"contacts.First\" of its own");
}

#[test]
fn columns_that_are_missing_are_named_with_the_closest_ones() {
    let home = home();
    home.write(
        "contacts.csv",
        CONTACTS.replace("Id,", "Ids,").replace("Last", "Lost"),
    );
    check(&home, "a.csv")
        .exits(2)
        .says("no column \"contacts.Id\" for [join.contacts]; did you mean \"contacts.Ids\"?")
        .says("caseload.toml:9: no column \"contacts.Last\" for Name; did you mean \"contacts.Lost\"?\n  9 | from = \"{contacts.First} {contacts.Last}\"\n    |                           ^^^^^^^^^^^^^");
    home.write("contacts.csv", CONTACTS);
    home.write("a.csv", MATTERS.replace("Client ID", "ClientId"));
    check(&home, "a.csv")
        .exits(2)
        .says("no column \"Client ID\" for [join.contacts]; did you mean \"ClientId\"?");
}

#[test]
fn a_file_that_cannot_be_joined_stops_at_the_start() {
    let home = home();
    let refused = |message: &str| {
        check(&home, "a.csv")
            .exits(2)
            .says("[join.contacts] contacts.csv")
            .says(message);
    };
    home.write("contacts.csv", "Id,First,Last,Mobile,Home\n");
    refused("it has no rows");
    home.write("contacts.csv", "");
    refused("is empty");
    home.write("contacts.csv", "%PDF-1.7");
    refused("is a PDF document");
    std::fs::remove_file(home.path("contacts.csv")).unwrap();
    refused("no such file");
}

/// Skipping cases does not bring back what could not be read.
#[test]
fn an_unreadable_row_of_a_joined_file_is_an_error_that_cannot_be_skipped() {
    let home = home();
    home.write("contacts.csv", CONTACTS.to_owned() + "125,Cem\n");
    check(&home, "a.csv")
        .exits(3)
        .prints("contacts.csv:4: error: found 2 cells, the header has 6 columns [ragged-row]");
    home.run(&[
        "import",
        "a.csv",
        "--sandbox",
        "--skip-invalid",
        "--output",
        "json",
    ])
    .exits(3);
}

#[test]
fn rows_without_an_id_are_counted_once() {
    let home = home();
    home.write(
        "contacts.csv",
        CONTACTS.to_owned() + ",Cem,Ay,,,\nn/a,Di,Ek,,,\n4.41E+11,Ed,Uy,,,\n",
    );
    check(&home, "a.csv")
        .exits(0)
        .prints("contacts.csv:4:Id: warning: 3 rows without a usable id: empty, a placeholder, or rounded [join-without-id]")
        .prints("0 errors, 1 warning");
    // Whose id it was is not known.
    home.write(
        "a.csv",
        "No,Client ID,partnerFirmId,Notes\nm1,4.41E+11,f1,x\n",
    );
    check(&home, "a.csv").exits(3).prints(
        "no rows of contacts.csv belong to this record: \"4.41E+11\" [join-unmatched], case m1",
    );
}

#[test]
fn a_join_that_has_no_effect_or_no_proper_name_is_an_error() {
    let home = home();
    let joined = "[join.contacts]\nfile = \"contacts.csv\"\ncolumn = \"Client ID\"\n";
    for (config, message) in [
        (
            joined.to_owned(),
            "caseload.toml:1: no rule reads `contacts.COLUMN`",
        ),
        (
            joined.replace("contacts]", "\"a.b\"]") + "[fields.X]\nfrom = \"a.b.X\"\n",
            "caseload.toml:1: no rule reads `a.b.COLUMN`, or the name has a dot in it",
        ),
        (
            joined.replace("file", "flie"),
            "unknown key `flie`; did you mean `file`?",
        ),
        (joined.replace("column", "# column"), "missing key `column`"),
    ] {
        home.write("caseload.toml", config);
        check(&home, "a.csv").exits(2).says(message);
    }
}

/// Only rules read a joined file: nothing of it is sent by itself.
#[test]
fn joined_columns_that_only_the_firm_or_the_key_use_are_not_sent() {
    let home = home();
    home.write(
        "contacts.csv",
        "Client ID,Firm,Lead\n00123,f7,L-1\n124,f8,L-2\n",
    );
    home.write("a.csv", "Client ID,Notes\n00123,Fell\n124,Hit\n");
    home.write(
        "caseload.toml",
        "[case]\nkey = \"contacts.Lead\"\npartner_firm = \"contacts.Firm\"\n\
         [join.contacts]\nfile = \"contacts.csv\"\ncolumn = \"Client ID\"\n",
    );
    let sent =
        |client, notes, firm| json!({"Client ID": client, "Notes": notes, "partnerFirmId": firm});
    let expected = [sent("00123", "Fell", "f7"), sent("124", "Hit", "f8")];
    assert_eq!(payloads(&home, "a.csv"), expected);
    home.run(&["import", "a.csv", "--sandbox", "--output", "json"])
        .exits(0)
        .counts(&[("imported", 2)]);
    check(&home, "a.csv").exits(0).prints("the key is not sent");
}

#[test]
fn two_files_can_be_joined() {
    let home = home();
    home.write("firms.csv", "Practice,Firm\nDog,f8\nCar,f9\n");
    home.write("a.csv", "No,Client ID,Kind,Notes\nm1,00123,Dog,Fell\n");
    let firms = "[join.firms]\nfile = \"firms.csv\"\ncolumn = \"Kind\"\nequals = \"Practice\"\n";
    let config = CONFIG.replace(
        "[join",
        &format!("partner_firm = \"firms.Firm\"\n{firms}[join"),
    );
    home.write("caseload.toml", config);
    let mut expected = ann("m1", "Fell");
    expected["partnerFirmId"] = json!("f8");
    assert_eq!(payloads(&home, "a.csv"), [expected]);
    home.write(
        "a.csv",
        "No,Client ID,Kind,Notes\nm1,00123,Dog,Fell\nm2,9,Car,Hit\nm3,9,Cat,Hit\n",
    );
    check(&home, "a.csv")
        .exits(3)
        .prints("a.csv:3:Client ID: error: no rows of contacts.csv")
        .prints("a.csv:4:Kind: error: no rows of firms.csv")
        .prints("3 errors");
}

/// A plan is what would be sent, whichever file it comes from.
#[test]
fn a_plan_changes_with_the_joined_file() {
    let home = home();
    let dry = || {
        let dry = home.run(&[
            "import",
            "a.csv",
            "--sandbox",
            "--dry-run",
            "--output",
            "json",
        ]);
        dry.summary().text("plan").to_owned()
    };
    let plan = dry();
    assert_eq!(dry(), plan);
    home.write("contacts.csv", CONTACTS.replace(",x", ",y"));
    assert_eq!(dry(), plan, "nothing reads this column");
    home.write("contacts.csv", CONTACTS.replace("0102", "0199"));
    assert_ne!(dry(), plan);
}

/// All that two matters of one client have in common may be the client.
#[test]
fn two_cases_of_a_client_are_not_the_same_content() {
    let home = home();
    home.write(
        "a.csv",
        "No,Client ID,partnerFirmId,Notes\nm1,00123,f1,\nm2,00123,f1,\n",
    );
    let config = CONFIG.to_owned() + "[fields.Source]\nvalue = \"2026 import\"\n";
    home.write("caseload.toml", config);
    let warned = check(&home, "a.csv").exits(0);
    assert!(!warned.out.contains("same-content"), "{warned}");
    home.write(
        "a.csv",
        "No,Client ID,partnerFirmId,Notes\nm1,00123,f1,Fell\nm2,00123,f1,Fell\n",
    );
    check(&home, "a.csv").exits(3).prints("[same-content]");
}

#[test]
fn a_rejects_file_has_the_case_file_only_and_is_joined_again() {
    let home = home();
    home.write("a.csv", MATTERS.replace("124", "999"));
    home.caseload(&["import", "a.csv", "--sandbox", "--output", "json"])
        .args(&["--skip-invalid", "--rejects", "rejects.csv"])
        .run()
        .exits(1)
        .counts(&[("imported", 2), ("problems", 1)]);
    let rejects = home.read("rejects.csv");
    let header = rejects
        .trim_start_matches('\u{feff}')
        .lines()
        .next()
        .unwrap();
    assert!(
        header.starts_with("No,Client ID,partnerFirmId,Notes,caseload_key,caseload_reason"),
        "{rejects}"
    );
    assert!(
        rejects
            .contains("Client ID: no rows of contacts.csv belong to this record [join-unmatched]"),
        "{rejects}"
    );
    assert!(!rejects.contains("contacts.First"), "{rejects}");
    home.write("contacts.csv", CONTACTS.replace("124", "999"));
    home.run(&["import", "rejects.csv", "--sandbox", "--output", "json"])
        .exits(0)
        .counts(&[("imported", 1)]);
    // The same again: all are known, by keys that no join changes.
    home.run(&["import", "a.csv", "--sandbox", "--output", "json"])
        .exits(0)
        .counts(&[("already_imported", 3)]);
}

#[test]
fn no_output_replaces_a_joined_file() {
    let home = home();
    home.write("a.csv", MATTERS.replace("124", "999"));
    home.run(&["check", "a.csv", "--rejects", "contacts.csv", "--force"])
        .exits(2)
        .says("is used by this command and cannot be replaced");
    assert_eq!(home.read("contacts.csv"), CONTACTS);
}
