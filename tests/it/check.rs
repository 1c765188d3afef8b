//! `caseload check`: every problem of every record, in each form of output.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::support::{Done, Home};

/// A config with partner firms and choices, and one row that misspells both.
fn misspelled() -> Home {
    let home = Home::new();
    home.write(
        "caseload.toml",
        r#"[case]
key = "id"
partner_firm = "Firm"
[partner_firms]
"Smith & Partners" = "firm_1"
[fields.Id]
from = "id"
[fields.CaseType]
from = "Case Type"
choices = ["Auto Accident", "Dog Bite"]
"#,
    );
    home.write(
        "a.csv",
        "id,Firm,Case Type,Note\n1,Smith & Parners,Auto Acident,x\n",
    );
    home
}

fn check(home: &Home, words: &[&str]) -> Done {
    home.caseload(&["check", "a.csv"]).args(words).run()
}

/// The codes of the problems of one severity.
fn codes(done: &Done, severity: &str) -> BTreeSet<String> {
    let documents = done.json();
    let found = documents
        .iter()
        .filter(|document| document["severity"] == severity);
    found
        .map(|document| document["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn suggestions_are_shown_and_never_applied() {
    let home = misspelled();
    let done = check(&home, &[]).exits(3);
    insta::assert_snapshot!(done.out, @r#"
    a.csv:2:Firm: error: unknown partner firm: "Smith & Parners" [unknown-partner-firm], case 1
        did you mean "Smith & Partners"?
    a.csv:2:Case Type: error: not one of the choices for CaseType: "Auto Acident" [not-a-choice], case 1
        did you mean "Auto Accident"?

            1 not-a-choice error in Case Type
            1 unknown-partner-firm error in Firm
      run `caseload explain CODE` for what a code means and how to fix it
    column      filled  distinct  values
    id             all         1  1
    Firm           all         1  Smith & Parners
    Case Type      all         1  Auto Acident
    Note           all         1  x
    a.csv: 1 column not sent: Note
    0 of 1 record valid; 2 errors, 0 warnings
    "#);
    home.write("a.csv", "id,Firm,Case Typ\n1,firm_1,Dog Bite\n");
    check(&home, &[])
        .exits(2)
        .says("no column \"Case Type\" for CaseType; did you mean \"Case Typ\"?");
}

#[test]
fn problems_as_json_end_with_one_object() {
    let home = misspelled();
    let done = check(&home, &["--output", "json"]).exits(3);
    let documents = done.json();
    assert_eq!(documents.len(), 3, "{done}");
    let problem = &documents[1];
    for (name, expected) in [
        ("severity", "error"),
        ("code", "not-a-choice"),
        ("file", "a.csv"),
        ("column", "Case Type"),
        ("value", "Auto Acident"),
        ("message", "not one of the choices for CaseType"),
        ("hint", "did you mean \"Auto Accident\"?"),
    ] {
        assert_eq!(problem[name], expected, "{name}");
    }
    assert_eq!(problem["line"], 2);
    let closing = &documents[2];
    assert_eq!(closing["total"], 1);
    assert_eq!(closing["valid"], 0);
    assert_eq!(closing["findings"], 2);
    assert_eq!(closing["exit_code"], 3);
}

#[test]
fn annotations_carry_no_values() {
    let home = misspelled();
    let done = check(&home, &["--annotations", "github"]).exits(3);
    let annotations: Vec<&str> = done
        .out
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert_eq!(
        annotations,
        [
            "::error file=a.csv,line=2,title=unknown-partner-firm::Firm: unknown partner firm",
            "::error file=a.csv,line=2,title=not-a-choice::Case Type: not one of the choices for CaseType",
        ]
    );
}

/// Standard output stays JSON for scripts; CI reads annotations from either
/// output.
#[test]
fn annotations_leave_json_output_alone() {
    let home = misspelled();
    let words = ["--annotations", "github", "--output", "json"];
    let done = check(&home, &words).exits(3);
    assert_eq!(done.json().len(), 3);
    done.says("::error file=a.csv,line=2,title=not-a-choice::Case Type: ");
}

#[test]
fn problems_can_be_written_as_a_spreadsheet() {
    let home = misspelled();
    check(&home, &["--problems", "out.csv"]).exits(3);
    let text = std::fs::read_to_string(home.path("out.csv")).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(&rows[1][at("code")], "not-a-choice");
    assert_eq!(&rows[1][at("line")], "2");
    assert_eq!(&rows[1][at("column")], "Case Type");
    assert_eq!(&rows[1][at("value")], "Auto Acident");
    // Neither another file nor the input is ever overwritten.
    home.write("mine.csv", "precious\n");
    for file in ["mine.csv", "a.csv"] {
        let before = std::fs::read(home.path(file)).unwrap();
        check(&home, &["--problems", file]).exits(2);
        assert_eq!(std::fs::read(home.path(file)).unwrap(), before);
    }
}

#[test]
fn redacted_output_shows_shape_and_length_only() {
    let home = misspelled();
    let words = ["--redact", "--problems", "out.csv"];
    let people = check(&home, &words).exits(3);
    let scripts = check(&home, &["--redact", "--output", "json"]).exits(3);
    let ci = home
        .caseload(&["check", "a.csv"])
        .env("CI", "true")
        .run()
        .exits(3);
    let file = std::fs::read_to_string(home.path("out.csv")).unwrap();
    for text in [&people.out, &scripts.out, &ci.out, &file] {
        assert!(text.contains("Aaaa Aaaaaaa"), "{text}");
        for value in ["Acident", "Parners"] {
            assert!(!text.contains(value), "{text}");
        }
    }
}

#[test]
fn every_code_is_explained() {
    let home = Home::new();
    let list = home.caseload(&["explain"]).run().exits(0).out;
    let codes: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(codes.len() > 40, "{list}");
    for code in codes {
        let done = home.caseload(&["explain", code]).run().exits(0);
        assert!(done.out.starts_with(&format!("{code}: ")), "{done}");
        assert!(done.out.lines().count() > 2, "{done}");
    }
    let json = |args: &[&str]| {
        let explain = home.caseload(&["explain", "--output", "json"]);
        let done = explain.args(args).run().exits(0);
        done.json().remove(0)
    };
    assert_eq!(
        json(&[])["codes"].as_array().unwrap().len(),
        list.lines().count()
    );
    let explained = json(&["bad-date"]);
    assert_eq!(explained["code"], "bad-date");
    assert!(explained["text"].as_str().unwrap().contains("To fix:"));
    home.caseload(&["explain", "bad-dat"])
        .run()
        .exits(2)
        .says("did you mean \"bad-date\"?");
}

/// Each warning with a config and rows that cause it alone.
const WARNINGS: [(&str, &str, &str); 9] = [
    (
        "implausible-date",
        "[case]\nkey = \"id\"\n[fields.id]\nfrom = \"id\"\n[fields.Born]\nfrom = \"Born\"\ntype = \"date\"\nformats = [\"%Y-%m-%d\"]\n",
        "id,partnerFirmId,Born\nc1,f1,1980-02-03\nc2,f1,2999-01-01\nc3,f1,1880-01-01\n",
    ),
    (
        "similar-key",
        "",
        "id,partnerFirmId,name\n00123,f1,Ann\n123,f1,Bob\nAb,f1,Cem\naB,f1,Dan\n",
    ),
    (
        "rounded-number",
        "",
        "id,partnerFirmId,name\n4.41E+11,f1,Ann\n",
    ),
    (
        "spreadsheet-error",
        "",
        "id,partnerFirmId,name\nc1,f1,#N/A\nc2,f1,#REF!\n",
    ),
    (
        "unchecked-case-type",
        "",
        "id,partnerFirmId,Case Type\nc1,f1,MVA\n",
    ),
    (
        "key-not-sent",
        "[case]\nkey = \"id\"\n[fields.Name]\nfrom = \"name\"\n",
        "id,partnerFirmId,name\nc1,f1,Ann\n",
    ),
    (
        "looks-confidential",
        "",
        "id,partnerFirmId,Tax\nc1,f1,521-44-1234\n",
    ),
    ("looks-confidential", "", "id,partnerFirmId,SSN\nc1,f1,\n"),
    (
        "likely-duplicate",
        "",
        "id,partnerFirmId,First Name,Last Name,Phone,Date of Loss\nc1,f1,Ann,Lee,(702) 555-0101,2026-01-02\nc2,f1,ANN,Lee,702-555-0101,2026-01-02\n",
    ),
];

fn warned(config: &str, rows: &str) -> Home {
    let home = Home::new();
    let default = "[case]\nkey = \"id\"\n";
    home.write(
        "caseload.toml",
        if config.is_empty() { default } else { config },
    );
    home.write("a.csv", rows);
    home
}

fn warns(code: &str, config: &str, rows: &str) -> Result<(), String> {
    let home = warned(config, rows);
    let expected = BTreeSet::from([code.to_owned()]);
    let done = check(&home, &["--output", "json"]);
    let strict = check(&home, &["--output", "json", "--strict"]);
    let holds = done.status.code() == Some(0)
        && codes(&done, "warning") == expected
        && codes(&done, "error").is_empty()
        && strict.status.code() == Some(3)
        && codes(&strict, "error") == expected
        && codes(&strict, "warning").is_empty();
    holds
        .then_some(())
        .ok_or_else(|| format!("{code}: {done}\n{strict}"))
}

#[test]
fn each_warning_is_an_error_when_strict() {
    let wrong: Vec<String> = WARNINGS
        .iter()
        .filter_map(|(code, config, rows)| warns(code, config, rows).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_rare_firm_that_differs_by_one_letter_from_a_frequent_one_is_a_warning() {
    let mut rows = "id,partnerFirmId,name\n".to_owned();
    for n in 0..40 {
        writeln!(rows, "c{n},firm_123,Name {n}").unwrap();
    }
    rows.push_str("x,firm_124,Ann\n");
    warns("rare-firm", "", &rows).unwrap();
    let home = warned("", &rows);
    check(&home, &[])
        .prints("\"firm_124\" [rare-firm]")
        .prints("did you mean \"firm_123\"?");
}

/// `a.csv` with so many rows, each with two problems of its own.
fn many_bad_rows(rows: usize) -> Home {
    let config = "[case]\nkey = \"id\"\n[fields.id]\nfrom = \"id\"\n\
                  [fields.Phone]\nfrom = \"Phone\"\ntype = \"phone\"\n\
                  [fields.Email]\nfrom = \"Email\"\ntype = \"email\"\n";
    let mut table = "id,partnerFirmId,Phone,Email\nx,f1,,\n".to_owned();
    for n in 1..=rows {
        writeln!(table, "{n},f1,12-{n},nobody {n}").unwrap();
    }
    warned(config, &table)
}

#[test]
fn what_is_shown_of_many_problems_fits_a_screen_and_the_rest_is_counted() {
    let home = many_bad_rows(10_000);
    let done = check(&home, &["--annotations", "github", "--problems", "p.csv"]).exits(3);
    assert!(done.out.lines().count() < 200, "{done}");
    let annotations = done.out.lines().filter(|line| line.starts_with("::error "));
    assert_eq!(annotations.count(), 10);
    let shown = done.out.lines().filter(|line| line.starts_with("a.csv:"));
    assert_eq!(shown.count(), 20);
    let done = done
        .prints("showing 20 of 20,000 problems: --max-shown N")
        .prints("   10,000 bad-phone errors in Phone\n")
        .prints("   10,000 bad-email errors in Email\n");
    assert_eq!(done.err, "");
    assert_eq!(home.read("p.csv").lines().count(), 20_001);
    let json = check(&home, &["--output", "json"]).exits(3).json();
    assert_eq!(json.len(), 20_001);
    let few = check(&home, &["--max-shown", "3"]).exits(3);
    few.prints("showing 3 of 20,000 problems");
}

#[test]
fn a_problem_of_every_row_is_shown_once() {
    let home = warned("", "id,name\n1,Ann\n2,Bo\n3,Cem\n");
    let done = check(&home, &[]).exits(3);
    let shown = done
        .out
        .lines()
        .filter(|line| line.contains("[missing-partner-firm]"));
    assert_eq!(shown.count(), 1, "{done}");
    done.prints("[missing-partner-firm], case 1, and so in all 3 records\n")
        .prints("        3 missing-partner-firm errors\n")
        .never_prints("showing");
    let done = check(&home, &["--annotations", "github"]).exits(3);
    let annotations = done.out.lines().filter(|line| line.starts_with("::error "));
    assert_eq!(annotations.count(), 1, "{done}");
    done.prints(" (in all 3 records)\n");
}

#[test]
fn a_problem_names_the_row_of_the_spreadsheet_and_the_key() {
    let home = warned(
        "",
        "id,partnerFirmId,note\n1,f1,\"a\nb\nc\"\n2,,x\n3,f1,x\n",
    );
    check(&home, &[])
        .exits(3)
        .prints("a.csv: row 3 (line 5), partnerFirmId: error: ")
        .prints("[missing-partner-firm], case 2\n");
    let json = check(&home, &["--output", "json", "--problems", "p.csv"])
        .exits(3)
        .json();
    assert_eq!(json[0]["row"], 3);
    assert_eq!(json[0]["line"], 5);
    assert_eq!(json[0]["key"], "2");
    let table = home.read("p.csv");
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains(",a.csv,3,5,2,partnerFirmId,,"), "{table}");
}

#[test]
fn without_a_config_the_command_that_writes_one_is_named() {
    let home = Home::new();
    home.write("my cases.csv", "Matter,Client\n1,Ann\n2,Bo\n");
    home.run(&["check", "my cases.csv"])
        .exits(3)
        .prints("run `caseload init 'my cases.csv'`");
    home.write("caseload.toml", "[case]\nkey = \"Matter\"\n");
    home.run(&["check", "my cases.csv"])
        .exits(3)
        .never_prints("caseload init");
}

#[test]
fn rows_with_errors_can_be_written_to_be_fixed() {
    let home = warned("", "id,partnerFirmId,note\n001,f1,x\n002,,=y\n003,,z,z\n");
    check(&home, &["--rejects", "fix.csv"]).exits(3);
    let rejects = home.read("fix.csv");
    assert_eq!(
        rejects,
        "\u{feff}id,partnerFirmId,note,caseload_key,caseload_reason,caseload_escaped,caseload_text\n\
         002,,'=y,\"key:[\"\"002\"\"]\",line 3: partnerFirmId: no partner firm [missing-partner-firm],\
         \"escaped:[\"\"note\"\"]\",\n\
         003,,z,,\"line 4: found 4 cells, the header has 3 columns [ragged-row]\",,\"003,,z,z\"\n"
    );
    check(&home, &["--rejects", "fix.csv"])
        .exits(2)
        .says("already exists");
    home.write(
        "a.csv",
        rejects
            .replace("002,,", "002,f1,")
            .lines()
            .take(2)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    check(&home, &[]).exits(0);
}
