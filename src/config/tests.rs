//! Configs as people write them, right and wrong.

use std::path::Path;

use crate::api::{AuthPlace, CaseIdField, Contract, FirmPlace, StatusList};
use crate::mapping::{Constant, FieldSource, NamePart, ValueType};

use super::*;

fn error(text: &str) -> String {
    match parse(text, Path::new("caseload.toml")) {
        Ok(config) => panic!("must be refused: {config:?}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn reads_every_setting() {
    let text = r#"
[api]
base_url = "https://api.example.com"
org_id = "org_1"
map_id = "map_1"
path = "/x/{org_id}/{map_id}"
auth = { in = "query", name = "key" }
partner_firm_id_in = "body"
case_id_field = "data.caseId"
not_sent = []
rejected = ["4xx", 418]

[case]
key = ["Lead ID", "No"]
partner_firm = "Handling Firm"
passthrough = true
[partner_firms]
"Smith & Partners" = "firm_123"
Doe = "firm_9"

[fields.FirstName]
from = "Client First Name"
lexamica = "client.firstName"
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
    assert_eq!(
        config.api.contract(),
        Contract {
            partner_firm_id_in: FirmPlace::Body,
            auth: AuthPlace::Query { name: "key".into() },
            case_id_field: CaseIdField::Path("data.caseId".into()),
            not_sent: StatusList::parse([""; 0]).unwrap(),
            rejected: StatusList::parse(["4xx", "418"]).unwrap(),
        }
    );
    let mapping = &config.mapping;
    assert_eq!(mapping.key, ["Lead ID", "No"]);
    assert_eq!(mapping.key_line, Some(14));
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
    assert_eq!(first.lexamica.as_deref(), Some("client.firstName"));
    assert_eq!(first.line, Some(22), "the line of its `from`");
    assert_eq!(
        date.source,
        FieldSource::Columns(vec!["Date of Loss".into(), "DOL".into()])
    );
    assert_eq!(date.value_type, Some(ValueType::Date));
    assert_eq!(email.source, FieldSource::SameName);
    assert!(email.send_empty);
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
    assert!(config.platform.case_url.is_some());
    assert_eq!(config.webhooks.signature_header.as_deref(), Some("x-sig"));
}

#[test]
fn without_fields_every_column_is_sent() {
    let read = |text| parse(text, Path::new("caseload.toml")).unwrap().mapping;
    assert!(read("").passthrough);
    assert!(read("[case]\nkey = \"Id\"").passthrough);
    assert!(!read("[fields.A]\nfrom = \"B\"").passthrough);
}

#[test]
fn unknown_keys_come_with_the_closest_known_one() {
    assert_eq!(
        error("[fields.FirstName]\nfrom = \"First\"\nrequierd = true\n"),
        "\
caseload.toml:3: unknown key `requierd`; did you mean `required`?
  3 | requierd = true
    | ^^^^^^^^"
    );
    assert_eq!(
        error("\u{feff}[feilds.X]\r\nfrom = \"Y\"\r\n"),
        "\
caseload.toml:1: unknown key `feilds`; did you mean `fields`?
  1 | [feilds.X]
    |  ^^^^^^"
    );
    assert_eq!(
        error("[ledger]\nzzz = 1").lines().next().unwrap(),
        "caseload.toml:2: unknown key `zzz`; expected one of `path`, `url`, `id`, `keep_payloads`"
    );
}

#[test]
fn wrong_values_are_shown_with_what_is_expected() {
    for (text, expected) in [
        (
            "[api]\nbase_url = 7",
            "2: invalid type: integer `7`, expected text in quotes",
        ),
        (
            "[api]\npartner_firm_id_in = \"bodyy\"",
            "2: unknown value `bodyy`; did you mean `body`?",
        ),
        ("[case]\nkey = \" \"", "2: must not be empty"),
        ("[api]\nmap_id = \"\"", "2: `map_id` must not be empty"),
        ("[case]\nkey = [\"a\", \"a\"]", "2: \"a\" is listed twice"),
        ("[case]\nkey = 1", "2: expected text, or a list of texts"),
        (
            "[fields.A]\ntype = \"dat\"",
            "2: unknown value `dat`; did you mean `date`?",
        ),
        (
            "[fields.A]\nrequired = \"yes\"",
            "2: invalid type: string \"yes\", expected true or false",
        ),
        (
            "[fields.A]\nfrom = \"A\"\nvalue = \"x\"",
            "3: a field has `from` or `value`, not both",
        ),
        (
            "[fields.A]\nvalue = \"\"",
            "2: `value` must not be empty; leave the field out, or use `omit_empty = false`",
        ),
        (
            "[fields.A]\nvalue = nan",
            "2: expected text in quotes, a number, true or false",
        ),
        (
            "[fields.A]\nmax_length = -1",
            "2: invalid value: integer `-1`, expected a whole number, 0 or more",
        ),
        (
            "[fields.A]\nchoices = \"one\"",
            "2: invalid type: string \"one\", expected a list such as [\"A\", \"B\"]",
        ),
        ("[fields.A]\nfrom = [\"\"]", "2: must not be empty"),
        (
            "[fields.A]\nvalue = \"x\"\nchoices = [\"x\"]",
            "3: `choices` has no effect with `value`",
        ),
        (
            "[fields.A]\nvalue = \"x\"\nrename = { x = \"y\" }",
            "3: `rename` has no effect with `value`",
        ),
        (
            "[fields.A]\ndefault = \"x\"\nrequired = true",
            "3: `required` has no effect with `default`",
        ),
        ("[fields.A]\nchoices = []", "2: `choices` must not be empty"),
        ("[case]\nkey = []", "2: `key` must not be empty"),
        (
            "[api]\norg_id = \"o1\"\npath = \"/case/{map_id}\"",
            "2: `org_id` has no effect: there is no {org_id} in `path`",
        ),
        (
            "[api]\nrejected = [\"4xx\", 429]",
            "2: 429 is in both `not_sent` and `rejected`",
        ),
        (
            "[fields.A]\nmin_length = 0",
            "2: `min_length` has no effect if it is 0",
        ),
        (
            "[fields.A]\nflat = true",
            "2: `flat` has no effect on a name without a dot",
        ),
        (
            "[fields.A]\nformats = \"%m/%d/%Y\"",
            "2: `formats` needs type = \"date\" or \"datetime\"",
        ),
        (
            "[fields]\nA = \"B\"",
            "2: invalid type: string \"B\", expected a table such as { from = \"Column\" }",
        ),
        (
            "[fields.client.email]\nfrom = \"E\"",
            "1: unknown key `email`; for a nested field write [fields.\"client.email\"]",
        ),
        (
            "[fields]",
            "1: no field would be sent; add [fields.NAME] tables, or remove this",
        ),
        (
            "[case]\npassthrough = false",
            "2: no field would be sent; add [fields.NAME] tables, or remove this",
        ),
        ("api = 1", "1: invalid type: integer `1`, expected a table"),
        (
            "[platform]\ncase_url = \"https://x\"",
            "2: a link to a case begins with https:// and has {case_id} in it",
        ),
        (
            "[platform]\ncase_url = \"javascript:{case_id}\"",
            "2: a link to a case begins with https:// and has {case_id} in it",
        ),
        ("[api]\nauth = { in = \"query\" }", "2: missing key `name`"),
        (
            "[api]\nauth = { in = \"query\", name = \"k\", prefix = \"\" }",
            "2: unknown key `prefix`; expected `name`",
        ),
        (
            "[partner_firms]\n\"Smith\" = \"\"",
            "2: the partner firm \"Smith\" has no id yet; put it between the quotes",
        ),
        ("[case]\nkey = \"a\"\nkey = \"b\"", "3: duplicate key"),
    ] {
        let error = error(text);
        let first = error.lines().next().unwrap();
        assert_eq!(first, format!("caseload.toml:{expected}"), "{text}");
    }
    let error_in_list = error("[api]\nnot_sent = [\"429\", \"4O4\"]");
    assert!(error_in_list.contains("+retry-after"), "{error_in_list}");
    assert!(error("[case\nkey = 1").starts_with("caseload.toml:1: "));
}

#[test]
fn rules_that_contradict_show_the_line_of_each_setting() {
    let text = "[fields.D]\nfrom = \"Day\"\ntype = \"date\"\nformats = [\"MM/DD/YYYY\"]\n\n[fields.\"D.x\"]\nfrom = \"Y\"\n";
    let text = error(text);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("caseload.toml:4: \"MM/DD/YYYY\""));
    assert_eq!(lines[1], "  4 | formats = [\"MM/DD/YYYY\"]");
    assert_eq!(lines[2], "    | ^^^^^^^");
    assert!(lines[3].starts_with("caseload.toml:6: \"D\""));
    assert_eq!(lines[4], "  6 | [fields.\"D.x\"]");
    assert_eq!(lines[5], "    |         ^^^^^");
    let text = error("[partner_firms]\n\"Smith\" = \"put id here\"\n");
    assert!(
        text.starts_with("caseload.toml:1: partner firm \"Smith\": \"put id here\""),
        "{text}"
    );
}

#[test]
fn numbers_keep_their_digits() {
    let text = "[fields.A]\nvalue = +1.50\n[fields.B]\nvalue = 1_000\n[fields.C]\nvalue = 123456789012345678901\n";
    let config = parse(text, Path::new("caseload.toml")).unwrap();
    let digits: Vec<&FieldSource> = config
        .mapping
        .fields
        .iter()
        .map(|rule| &rule.source)
        .collect();
    for (source, expected) in digits.iter().zip(["1.50", "1000", "123456789012345678901"]) {
        let expected = FieldSource::Constant(Constant::Number(expected.into()));
        assert_eq!(**source, expected);
    }
}

#[test]
fn keys_and_passwords_are_refused_without_being_shown() {
    for text in [
        "[api]\npublic_key = \"pk_very_secret\"\n",
        "[api]\nauth = { in = \"header\", token = \"pk_very_secret\" }\n",
        "[api]\n\"api-key\" = \"pk_very_secret\"\n",
    ] {
        let text = error(text);
        assert!(
            text.contains(":2: ") && text.contains("must not be in a config file"),
            "{text}"
        );
        assert!(!text.contains("pk_very_secret"), "{text}");
    }
    // Without quotes it is not even TOML.
    let text = error("[api]\npublic_key = pk_very_secret\n");
    assert!(!text.contains("pk_very_secret"), "{text}");
}

#[test]
fn code_tables_are_read_from_the_folder_of_the_config() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("types.csv", "code,name\nMVA,Motor Vehicle Accident\n");
    write("firms.csv", "Smith & Partners,firm_1\n");
    write("bad.csv", "a,b\nc\n");
    let config = folder.path().join("caseload.toml");
    let refused = |text: &str| {
        write("caseload.toml", text);
        load(&config).unwrap_err().to_string()
    };
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
    for (text, expected) in [
        (
            "[fields.T]\nrename_file = \"bad.csv\"\n",
            "bad.csv: line 2: expected 2 filled columns",
        ),
        (
            "[fields.T]\nrename_file = \"gone.csv\"\n",
            "caseload.toml:2: can't read",
        ),
        (
            "[fields.T]\nrename_file = \"types.csv\"\nrename = { MVA = \"Other\" }\n",
            "caseload.toml:3: \"MVA\"",
        ),
        (
            "[fields.T]\nrename_file = \"types.csv\"\nchoices = [\"Dog\"]\n",
            "caseload.toml:2: ",
        ),
    ] {
        let text = refused(text);
        assert!(text.contains(expected), "{text}");
    }
    write("caseload.toml", "");
    std::fs::write(&config, b"\xff").unwrap();
    assert!(load(&config).unwrap_err().to_string().contains("not UTF-8"));
    assert!(
        load(&folder.path().join("none.toml"))
            .unwrap_err()
            .to_string()
            .starts_with("can't read the config")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_causes_a_panic(text in "(\\[(fields|case)(\\.[a\"é]{0,3})?\\]\n|[a-z_]{0,8} ?= ?[\"\\[{0-9é]{0,4}[\"\\]}]?\n|.{0,6}\n){0,6}") {
        let _ = parse(&text, Path::new("caseload.toml"));
    }
}
