//! Configs as people write them, right and wrong.

use std::path::Path;

use crate::mapping::{Constant, FieldSource, NamePart, ValueType};

use super::*;

fn faults(text: &str) -> String {
    match parse(text, Path::new("caseload.toml")) {
        Ok(config) => panic!("must not pass: {config:?}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn the_whole_config_is_read() {
    let text = r#"
[api]
base_url = "https://api.example.com"
org_id = "org_1"
map_id = "map_1"
path = "/x/{map_id}"
auth = { in = "query", name = "key" }
partner_firm_id_in = "body"
case_id_field = "data.caseId"
not_sent = []
rejected = ["4xx", 418]
paths = { mappings = "/m", subscriptions = "/s" }

[case]
key = ["Lead ID", "No"]
partner_firm = "Handling Firm"
passthrough = true
[partner_firms]
"Smith & Partners" = "firm_123"
Doe = "firm_9"

[fields.FirstName]
from = "Client First Name"
required = true
min_length = 1
max_length = 50
[fields.IncidentDate]
from = ["Date of Loss", "DOL"]
type = "date"
formats = ["%m/%d/%Y", "%Y-%m-%d"]
[fields."client.email"]
type = "email"
omit_empty = false
[fields."a.b"]
flat = true
from = "{First} {Last}"
default = 7
[fields.PracticeArea]
from = "Case Type"
choices = ["Motor Vehicle Accident", "Dog Bite Injuries"]
rename = { "MVA" = "Motor Vehicle Accident" }
pattern = "[A-Z].*"
[fields.Source]
value = "2026 import"
[fields.Last]
from = "Client"
part = "last"

[ledger]
path = "ledger.db"
id = "0198"
keep_payloads = true
[platform]
case_url = "https://app.example.com/cases/{case_id}"
[webhooks]
signature_header = "x-sig"
"#;
    let config = parse(text, Path::new("/tmp/firm/caseload.toml")).unwrap();
    assert_eq!(
        config.api.base_url.as_deref(),
        Some("https://api.example.com")
    );
    assert_eq!(config.line_of("api.base_url"), Some(3));
    assert_eq!(config.api.auth.as_ref().unwrap().place, AuthPlace::Query);
    assert_eq!(config.api.partner_firm_id_in, Some(FirmPlace::Body));
    assert_eq!(config.api.not_sent.as_deref(), Some(&[][..]));
    assert_eq!(config.api.rejected.unwrap(), ["4xx", "418"]);
    assert_eq!(config.api.subscriptions_path.as_deref(), Some("/s"));
    let mapping = &config.mapping;
    assert_eq!(mapping.key, ["Lead ID", "No"]);
    assert_eq!(mapping.key_line, Some(15));
    assert!(mapping.passthrough);
    assert_eq!(mapping.partner_firms.len(), 2);
    let targets: Vec<&str> = mapping
        .fields
        .iter()
        .map(|rule| rule.target.as_str())
        .collect();
    assert_eq!(
        targets,
        [
            "FirstName",
            "IncidentDate",
            "client.email",
            "a.b",
            "PracticeArea",
            "Source",
            "Last"
        ]
    );
    let [first, date, email, flat, area, source, last] = mapping.fields.as_slice() else {
        panic!("seven fields");
    };
    assert!(first.required && first.min_length == Some(1) && first.max_length == Some(50));
    assert_eq!(first.line, Some(23), "where its `from` stands");
    assert_eq!(
        date.source,
        FieldSource::Columns(vec!["Date of Loss".into(), "DOL".into()])
    );
    assert_eq!(date.value_type, Some(ValueType::Date));
    assert_eq!(email.source, FieldSource::None);
    assert!(!email.omit_empty);
    assert!(flat.flat && flat.default == Some(Constant::Number("7".into())));
    assert_eq!(flat.source, FieldSource::Template("{First} {Last}".into()));
    assert_eq!(
        area.rename,
        [("MVA".into(), "Motor Vehicle Accident".into())]
    );
    assert_eq!(
        source.source,
        FieldSource::Constant(Constant::Text("2026 import".into()))
    );
    assert_eq!(last.part, Some(NamePart::Last));
    assert_eq!(
        config.ledger.path.as_deref(),
        Some(Path::new("/tmp/firm/ledger.db"))
    );
    assert!(config.ledger.keep_payloads);
    assert!(config.platform_case_url.is_some());
    assert_eq!(config.webhook_signature_header.as_deref(), Some("x-sig"));
}

#[test]
fn without_fields_everything_goes_through() {
    let read = |text| parse(text, Path::new("caseload.toml")).unwrap().mapping;
    assert!(read("").passthrough);
    assert!(read("[case]\nkey = \"Id\"").passthrough);
    assert!(!read("[fields.A]\nfrom = \"B\"").passthrough);
}

#[test]
fn unknown_keys_are_told_with_the_closest() {
    let text = "[case]\nkey = \"Lead ID\"\n[fields.FirstName]\nfrom = \"First\"\nrequierd = true\n[feilds.X]\nfrom = \"Y\"\n";
    assert_eq!(
        faults(text),
        "\
caseload.toml:5: unknown key \"requierd\" in [fields.FirstName]; did you mean \"required\"?
  5 | requierd = true
    | ^^^^^^^^
caseload.toml:6: unknown key \"feilds\" in the config; did you mean \"fields\"?
  6 | [feilds.X]
    |  ^^^^^^"
    );
}

#[test]
fn all_faults_are_told_at_once_by_line() {
    let text = r#"[api]
base_url = 7
partner_firm_id_in = "bodyy"
[case]
key = []
[fields.A]
type = "dat"
required = "yes"
[fields.B]
from = "B"
value = "x"
[fields.C]
max_length = -1
choices = "one"
"#;
    let text = faults(text);
    let first_lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("caseload"))
        .collect();
    assert_eq!(
        first_lines,
        [
            "caseload.toml:2: `base_url` must be text in quotes, and is a number",
            "caseload.toml:3: `partner_firm_id_in` can't be \"bodyy\"; did you mean \"body\"?",
            "caseload.toml:5: `key` is an empty list",
            "caseload.toml:7: `type` can't be \"dat\"; did you mean \"date\"?",
            "caseload.toml:8: `required` must be true or false, and is text",
            "caseload.toml:11: a field has `from` or `value`, not both",
            "caseload.toml:13: `max_length` must be a whole number that is not negative, and is a number",
            "caseload.toml:14: `choices` must be a list of texts, and is text",
        ]
    );
}

#[test]
fn rules_that_can_not_be_show_the_line_of_their_setting() {
    let text = "[fields.D]\nfrom = \"Day\"\ntype = \"date\"\nformats = [\"MM/DD/YYYY\"]\n\n[fields.\"D.x\"]\nfrom = \"Y\"\n";
    assert_eq!(
        faults(text),
        "\
caseload.toml:4: \"MM/DD/YYYY\" is no date format; did you mean \"%m/%d/%Y\"?
  4 | formats = [\"MM/DD/YYYY\"]
    | ^^^^^^^
caseload.toml:6: \"D\" is a value in one rule and holds others in another
  6 | [fields.\"D.x\"]
    |         ^^^^^"
    );
    let text = "[partner_firms]\n\"Smith\" = \"put id here\"\n";
    assert!(
        faults(text).starts_with("caseload.toml:1: \"put id here\" of the partner firm \"Smith\"")
    );
}

#[test]
fn keys_do_not_belong_in_a_config_and_are_not_shown() {
    let text = faults("[api]\npublic_key = \"pk_very_secret\"\n");
    assert!(
        text.starts_with("caseload.toml:2: \"public_key\" does not belong in a config"),
        "{text}"
    );
    assert!(!text.contains("pk_very_secret"));
    let text = faults("[api]\npublic_key = pk_very_secret\n");
    assert!(!text.contains("pk_very_secret"), "{text}");
}

#[test]
fn mistakes_of_form_are_told_with_the_way_out() {
    assert!(
        faults("[fields]\nFirstName = \"First\"\n").contains("write FirstName = { from = \"…\" }")
    );
    assert!(faults("[fields.client.email]\nfrom = \"E\"\n").contains("[fields.\"client.email\"]"));
    assert!(faults("[fields]\n").contains("names no field"));
    assert!(faults("[case]\npassthrough = false\n").contains("nothing would be sent"));
    assert!(faults("[platform]\ncase_url = \"https://x\"\n").contains("{case_id}"));
    assert!(faults("[case\nkey = 1\n").starts_with("caseload.toml:1: "));
    assert!(
        faults("[case]\nkey = \"a\"\nkey = \"b\"\n").starts_with("caseload.toml:3: duplicate key")
    );
    assert!(faults("[case]\nkey = [\"a\", \"a\"]\n").contains("twice"));
    assert!(faults("[fields.A]\nfrom = \"\"\n").contains("`from` is empty"));
    assert!(faults("[api]\nauth = { in = \"query\" }\n").contains("parameter's `name`"));
    assert!(faults("[api]\nnot_sent = [\"4O4\"]\n").contains("\"503+retry-after\""));
}

#[test]
fn code_tables_stand_beside_the_config() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("types.csv", "code,name\nMVA,Motor Vehicle Accident\n");
    write("firms.csv", "Smith & Partners,firm_1\n");
    write("bad.csv", "a,b\nc\n");
    let config = folder.path().join("caseload.toml");
    write(
        "caseload.toml",
        "[case]\npartner_firms_file = \"firms.csv\"\n[fields.T]\nrename_file = \"types.csv\"\nrename = { X = \"Y\" }\n",
    );
    let mapping = load(&config).unwrap().mapping;
    assert_eq!(
        mapping.partner_firms,
        [("Smith & Partners".into(), "firm_1".into())]
    );
    assert_eq!(mapping.fields[0].rename.len(), 2);
    write(
        "caseload.toml",
        "[fields.T]\nrename_file = \"bad.csv\"\n[fields.U]\nrename_file = \"gone.csv\"\n",
    );
    let text = load(&config).unwrap_err().to_string();
    assert!(
        text.contains("bad.csv:2: a code table has two filled columns"),
        "{text}"
    );
    assert!(text.contains("caseload.toml:4: can't read"), "{text}");
    assert!(
        load(&folder.path().join("none.toml"))
            .unwrap_err()
            .to_string()
            .starts_with("can't read the config")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[(fields|case)(\\.[a\"é]{0,3})?\\]\n|[a-z_]{0,8} ?= ?[\"\\[{0-9é]{0,4}[\"\\]}]?\n|.{0,6}\n){0,6}") {
        let _ = parse(&text, Path::new("caseload.toml"));
    }
}
