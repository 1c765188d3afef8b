//! Made-up exports of the systems that firms use: the drafted config must be
//! valid, and map the rows that it was drafted from.

use std::path::Path;
use std::sync::Arc;

use super::draft::ConfigDraft;
use super::{InputProfile, draft_config, propose_key};
use crate::config::parse;
use crate::mapping::{Mapper, Rules};
use crate::model::{Cell, CellKind, Columns, Place, Record};

fn profile(header: &[&str], rows: &[&[&str]]) -> InputProfile {
    let columns = Columns::from_names(header);
    let mut profile = InputProfile::default();
    profile.add_columns(&columns);
    for row in rows {
        let cells: Vec<_> = row.iter().map(|text| Cell::text(text)).collect();
        profile.add(&Record {
            place: Place::default(),
            columns: &columns,
            cells: &cells,
            json: None,
        });
    }
    profile
}

fn draft(header: &[&str], rows: &[&[&str]]) -> ConfigDraft {
    draft_config(&profile(header, rows))
}

/// Maps every row by the drafted config, with an id for each firm.
fn payloads(header: &[&str], rows: &[&[&str]]) -> Vec<String> {
    let text = draft(header, rows)
        .to_toml()
        .replace(" = \"\"\n", " = \"firm_1\"\n");
    let mut options = parse(&text, Path::new("caseload.toml"))
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
        .mapping;
    options.allow_drafts = true;
    let rules = Arc::new(Rules::compile(options).unwrap());
    let columns = Columns::from_names(header);
    assert_eq!(rules.missing_columns(&columns, false, &[]), Ok(Vec::new()));
    let mut mapper = Mapper::new(rules);
    rows.iter()
        .map(|row| {
            let cells: Vec<_> = row.iter().map(|text| Cell::text(text)).collect();
            let mut problems = Vec::new();
            let record = Record {
                place: Place::default(),
                columns: &columns,
                cells: &cells,
                json: None,
            };
            match mapper.map(&record, &mut problems) {
                Some(case) => case.payload.to_owned(),
                None => panic!("{problems:?}\n{text}"),
            }
        })
        .collect()
}

#[test]
fn lead_docket() {
    let header = [
        "Id",
        "PhoneNumber",
        "MobilePhone",
        "Email",
        "FirstName",
        "LastName",
        "CaseType",
        "Summary",
        "ReferredTo",
        "ReferredByName",
        "IncidentDate",
        "SSN",
        "Date of Birth",
    ];
    let rows: &[&[&str]] = &[
        &[
            "1",
            "(702) 555-0101",
            "",
            "ann@example.com",
            "Ann",
            "Lee",
            "Auto Accident",
            "Rear-ended.",
            "Smith & Partners",
            "Radio",
            "6/14/26",
            "078-05-1120",
            "1/3/81",
        ],
        &[
            "2",
            "",
            "702.555.0102",
            "",
            "Bo",
            "Ray",
            "Dog Bite",
            "Bitten.",
            "Doe LLP",
            "TV",
            "6/1/26 0:00",
            "",
            "",
        ],
    ];
    assert_eq!(
        draft(&header, rows).to_toml(),
        r#"#:schema ./caseload.schema.json
# Drafted by `caseload init` from 2 rows and 13 columns.
# Only the [fields] below are sent. The names in brackets must be those of your
# Lexamica mapping. What only you can know is marked "decide". When you are
# done, run `caseload check`.

[api]
# base_url = "https://…"   # or LEXAMICA_BASE_URL
# org_id = "…"             # or LEXAMICA_ORG_ID
# map_id = "…"             # or LEXAMICA_MAP_ID

[case]
# filled in and different in every row (2 rows)
key = "Id"
partner_firm = "ReferredTo"

[partner_firms]
# decide: put each firm's Lexamica id between the quotes
"Doe LLP" = ""
"Smith & Partners" = ""

[fields.Id]
from = "Id"
required = true

[fields.FirstName]
from = "FirstName"
required = true

[fields.LastName]
from = "LastName"
required = true

[fields.Phone]
from = ["MobilePhone", "PhoneNumber"]
type = "phone"

[fields.Email]
from = "Email"
type = "email"

[fields.IncidentDate]
from = "IncidentDate"
required = true
type = "date"
formats = ["%m/%d/%y", "%m/%d/%Y"]

[fields.CaseType]
# decide: these are the case types in the file. Lexamica files one that is not
# exactly on its list as "Other", without an error. List its names as choices,
# and translate yours with rename = { "yours" = "theirs" }
from = "CaseType"
required = true
choices = [
    "Auto Accident",
    "Dog Bite",
]

[fields.Summary]
from = "Summary"
required = true

# Not sent because they look confidential:
#   SSN
#   Date of Birth

# Not sent because no field uses them:
#   ReferredByName
"#
    );
    assert_eq!(
        payloads(&header, rows)[1],
        r#"{"Id":"2","FirstName":"Bo","LastName":"Ray","Phone":"+17025550102","IncidentDate":"2026-06-01","CaseType":"Dog Bite","Summary":"Bitten."}"#
    );
}

#[test]
fn a_firm_without_an_id_is_an_error_on_its_line() {
    let text = draft(&["Id", "Referred To"], &[&["1", "Doe LLP"]]).to_toml();
    let errors = parse(&text, Path::new("caseload.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("the partner firm \"Doe LLP\" has no id yet"),
        "{errors}"
    );
    assert!(errors.contains("| \"Doe LLP\" = \"\""), "{errors}");
}

#[test]
fn needles_with_several_rows_per_case() {
    let header = [
        "casenum",
        "party_name",
        "matcode",
        "DOL",
        "phone",
        "reffered_to",
        "synopsis",
    ];
    let rows: &[&[&str]] = &[
        &[
            "1042",
            "Lee, Ann",
            "MVA",
            "01/02/2026",
            "(702) 555-0101",
            "f1",
            "x",
        ],
        &[
            "1042",
            "Ray, Bo",
            "MVA",
            "01/02/2026",
            "(702) 555-0102",
            "f1",
            "x",
        ],
        &[
            "1043",
            "Doe, Jo",
            "DOG",
            "03/04/2026",
            "(702) 555-0103",
            "f2",
            "y",
        ],
    ];
    let drafted = draft(&header, rows);
    assert_eq!(drafted.key.columns, ["casenum", "party_name"]);
    assert_eq!(drafted.firms, Vec::<String>::new());
    let text = drafted.to_toml();
    assert!(
        text.contains("# decide: is the month first? All dates also match %d/%m/%Y"),
        "{text}"
    );
    assert!(
        text.contains("# \"casenum\" has the same value in several rows"),
        "{text}"
    );
    assert_eq!(
        payloads(&header, rows)[1],
        r#"{"Casenum":"1042","PartyName":"Ray, Bo","FirstName":"Bo","LastName":"Ray","Phone":"+17025550102","IncidentDate":"2026-01-02","CaseType":"MVA","Summary":"x"}"#
    );
}

#[test]
fn litify_with_salesforce_names() {
    let header = [
        "Id",
        "litify_pm__First_Name__c",
        "litify_pm__Last_Name__c",
        "litify_pm__Case_Type__c",
        "litify_pm__Incident_date__c",
        "litify_pm__Matter_State__c",
        "Referral Partner",
    ];
    let rows: &[&[&str]] = &[
        &["a01", "Ann", "Lee", "Auto", "2026-06-14", "NV Nevada", ""],
        &["A01", "Bo", "Ray", "Auto", "2026-06-15", "", "f1"],
    ];
    assert_eq!(
        payloads(&header, rows)[0],
        r#"{"Id":"a01","FirstName":"Ann","LastName":"Lee","IncidentDate":"2026-06-14","IncidentState":"NV","CaseType":"Auto"}"#
    );
    assert!(
        draft(&header, rows)
            .to_toml()
            .contains("# decide: 1 row without a firm")
    );
}

#[test]
fn smart_advocate_with_odd_headers() {
    let header = [
        "Id",
        "first name",
        "last name",
        "Reach {at}",
        "State",
        "Intake Date",
        "CaseType",
        "Referral Lawfirm",
        "no \"x\"\n",
    ];
    let rows: &[&[&str]] = &[
        &[
            "7",
            "Ann",
            "Lee",
            "ann@example.com",
            "NV",
            "2020-03-24 18:42:25",
            "Talcum Powder",
            "f1",
            "1",
        ],
        &[
            "8",
            "Bo",
            "Ray",
            "bo@example.com",
            "Nowhere",
            "2020-03-25 18:42:25",
            "Talcum Powder",
            "f1",
            "",
        ],
    ];
    let text = draft(&header, rows).to_toml();
    assert!(
        text.contains(
            "# decide: \"Reach {at}\" was chosen for its values, not for its header\nfrom = [\"Reach {at}\"]"
        ),
        "{text}"
    );
    assert!(
        text.contains("is \"State\" where the incident happened"),
        "{text}"
    );
    assert!(
        text.contains("# decide: 1 value was not recognized as a US state"),
        "{text}"
    );
    assert!(text.contains("Dates are in \"Intake Date\""), "{text}");
    parse(&text, Path::new("caseload.toml")).unwrap();
}

#[test]
fn rounded_keys_and_phone_extensions_are_noted() {
    let panther = ["Display Name", "Number", "Email", "Home", "Mobile"];
    let rows: &[&[&str]] = &[&["Ann Lee", "4.41E+11", "", "", "702 555 0101 x3"]];
    let text = draft(&panther, rows).to_toml();
    assert!(
        text.contains("[fields.ClientName]") && text.contains("a spreadsheet has rounded 1 value"),
        "{text}"
    );
    assert!(
        text.contains("1 value was not recognized as a phone number"),
        "{text}"
    );
}

#[test]
fn nested_json_and_workbook_dates() {
    let columns = Columns::from_names(["leadId", "client", "incidentDate"]);
    let mut profile = InputProfile::default();
    profile.add_columns(&columns);
    let cells = [
        Cell {
            kind: CellKind::Number,
            text: "7",
        },
        Cell {
            kind: CellKind::Json,
            text: r#"{"firstName":"Ann","lastName":"Lee","x":{"email":"a@b.co"}}"#,
        },
        Cell {
            kind: CellKind::Date,
            text: "2026-06-14",
        },
    ];
    profile.add(&Record {
        place: Place::default(),
        columns: &columns,
        cells: &cells,
        json: None,
    });
    let text = draft_config(&profile).to_toml();
    assert!(text.contains("from = \"client.firstName\""), "{text}");
    assert!(text.contains("from = \"client.x.email\""), "{text}");
    assert!(!text.contains("formats"), "{text}");
    assert!(!text.contains("#   client\n"), "{text}");
    parse(&text, Path::new("caseload.toml")).unwrap();
}

#[test]
fn a_header_without_rows_gives_a_config() {
    let drafted = draft(&["Id", "Referred To"], &[]);
    assert!(drafted.key.columns.is_empty());
    assert!(drafted.decisions() > 0);
    assert!(parse(&drafted.to_toml(), Path::new("caseload.toml")).is_ok());
}

#[test]
fn the_key_is_a_column_or_two_that_are_filled_and_different() {
    let propose = |header: &[&str], rows: &[&[&str]]| propose_key(&profile(header, rows)).columns;
    // A known header comes before one that says "number", and both before others.
    let header = ["Summary", "File number", "Lead ID"];
    assert_eq!(
        propose(&header, &[&["a", "1", "7"], &["b", "2", "8"]]),
        ["Lead ID"]
    );
    assert_eq!(
        propose(&header, &[&["a", "1", "7"], &["b", "2", "7"]]),
        ["File number"]
    );
    assert_eq!(
        propose(&header, &[&["a", "1", ""], &["b", "1", "7"]]),
        [""; 0]
    );
    assert_eq!(
        propose(&header, &[&["a", "1", "7"], &["b", "1", "7"]]),
        ["Lead ID", "Summary"]
    );
    let nameless = ["Id", ""];
    assert_eq!(
        propose(&nameless, &[&["1", "a"], &["1", "b"]]),
        [""; 0],
        "a column without a name can't be configured"
    );
    assert_eq!(
        propose(&["Id", "Note"], &[&["1", "a"], &["1", ""]]),
        [""; 0],
        "no part of a key may be empty"
    );
    let confidential = ["SSN", "Case Number"];
    assert_eq!(propose(&confidential, &[&["1", "3"], &["2", "3"]]), [""; 0]);
    assert_eq!(propose(&header, &[]), [""; 0]);
}

#[test]
fn only_the_first_rows_are_compared_for_a_key() {
    let texts: Vec<String> = (0..10_002_u32)
        .map(|row| row.min(10_000).to_string())
        .collect();
    let rows: Vec<[&str; 1]> = texts.iter().map(|text| [text.as_str()]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(<[&str; 1]>::as_slice).collect();
    let text = draft(&["Id"], &rows).to_toml();
    assert!(
        text.contains(
            "# filled in every row (10,002 rows), different in the first 10000\nkey = \"Id\""
        ),
        "{text}"
    );
}

proptest::proptest! {
    #[test]
    fn any_file_gives_a_valid_config(
        names in proptest::collection::btree_set(".{0,12}|Id|Email|Case Type|Referred To", 1..6),
        cells in proptest::collection::vec(".{0,10}|[0-9]{1,2}/[0-9]/2026", 18),
    ) {
        let header: Vec<&str> = names.iter().map(String::as_str).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let rows: Vec<&[&str]> = cells.chunks_exact(header.len()).collect();
        let text = draft(&header, &rows).to_toml().replace(" = \"\"\n", " = \"firm_1\"\n");
        let read = parse(&text, Path::new("caseload.toml"));
        proptest::prop_assert!(read.is_ok(), "{}\n{}", read.unwrap_err(), text);
    }
}
