//! Errors in `caseload.toml`, with their lines.

use crate::support::{Done, Home};

fn checked(config: &str) -> Done {
    let home = Home::new();
    home.write("caseload.toml", config);
    home.write("a.csv", "id,partnerFirmId,Name\nc1,f1,Ann\n");
    home.caseload(&["check", "a.csv"]).run()
}

#[test]
fn a_mistake_is_shown_with_its_line_and_what_was_meant() {
    let errors: Vec<String> = [
        "[case]\nkye = \"id\"\n",
        "[fields.A]\nfrom = \"Name\"\ntype = \"dat\"\n",
        "[fields.A]\nrequired = \"yes\"\n",
        "[fields.B]\nfron = \"Name\"\n",
        "[casse]\n",
        "[partner_firms]\n\"Smith & Partners\" = \"\"\n",
    ]
    .map(|config| checked(config).exits(2).err)
    .to_vec();
    insta::assert_snapshot!(errors.concat());
}

#[test]
fn an_import_stops_at_a_mistake_before_it_reads_anything() {
    let home = Home::new();
    home.write("caseload.toml", "[api]\npublic_key = \"pk_very_secret\"\n");
    let done = home.caseload(&["import", "gone.csv"]).run().exits(2);
    insta::assert_snapshot!(done.err);
}

#[test]
fn a_rule_for_a_missing_column_is_an_error() {
    let done = checked("[fields.A]\nfrom = \"Nmae\"\n").exits(2);
    insta::assert_snapshot!(done.err, @r#"
    error: caseload.toml:2: no column "Nmae" for A; did you mean "Name"?
      2 | from = "Nmae"
        |         ^^^^
    "#);
}

#[test]
fn two_rules_for_one_field_are_an_error() {
    checked("[fields.A]\nfrom = \"Name\"\n[fields.A]\nfrom = \"id\"\n")
        .exits(2)
        .says("caseload.toml:3: ")
        .says("  3 | [fields.A]");
    checked("[fields.\"a.b\"]\nfrom = \"Name\"\n[fields.a]\nfrom = \"id\"\n")
        .exits(2)
        .says("caseload.toml:");
}

#[test]
fn a_setting_without_effect_is_an_error() {
    for (config, message) in [
        (
            "[case]\npartner_firm = \"Handling Firm\"\n",
            "2: no column \"Handling Firm\" for the partner firm",
        ),
        (
            "[case]\nkey = \"Lead\"\n",
            "2: no column \"Lead\" for the key",
        ),
        (
            "[fields.A]\nfrom = \"Name\"\nformats = \"%m/%d/%Y\"\n",
            "3: `formats` needs type",
        ),
        (
            "[fields.A]\nvalue = \"x\"\nchoices = [\"x\"]\n",
            "3: `choices` has no effect with `value`",
        ),
        (
            "[fields.A]\nvalue = \"x\"\nrename = { y = \"x\" }\n",
            "3: `rename` has no effect with `value`",
        ),
        (
            "[fields.A]\nfrom = \"Name\"\ndefault = \"x\"\nrequired = true\n",
            "4: `required` has no effect with `default`",
        ),
        (
            "[fields.A]\nfrom = \"Name\"\nflat = true\n",
            "3: `flat` has no effect",
        ),
        (
            "[fields.A]\nfrom = \"Name\"\nchoices = []\n",
            "3: `choices` must not be empty",
        ),
        ("[case]\nkey = []\n", "2: `key` must not be empty"),
        (
            "[platform]\ncase_url = \"https://app.example.com\"\n",
            "2: a link to a case begins with https:// and has {case_id} in it",
        ),
        (
            "[api]\norg_id = \"o1\"\npath = \"/case/{map_id}\"\n",
            "2: `org_id` has no effect",
        ),
        (
            "[api]\nnot_sent = [\"404\"]\nrejected = [\"4xx\", \"404\"]\n",
            "3: 404 is in both `not_sent` and `rejected`",
        ),
        ("[case]\npassthrough = false\n", "2: no field would be sent"),
        (
            "[ledger]\nidd = \"x\"\n",
            "2: unknown key `idd`; did you mean `id`?",
        ),
    ] {
        checked(config)
            .exits(2)
            .says(&format!("error: caseload.toml:{message}"));
    }
}

/// Every key of the config's description, each with a value.
#[test]
fn every_key_that_is_described_is_known() {
    let home = Home::new();
    home.write("types.csv", "MVA,Motor Vehicle Accident\n");
    home.write("firms.csv", "Smith & Partners,firm_1\n");
    home.write(
        "caseload.toml",
        "[api]
base_url = \"https://api.example.com\"
org_id = \"org_1\"
map_id = \"map_1\"
[case]
key = [\"id\", \"No\"]
partner_firm = \"Firm\"
passthrough = true
partner_firms_file = \"firms.csv\"
[partner_firms]
\"Doe LLP\" = \"firm_2\"
[fields.CaseType]
from = \"Type\"
choices = [\"Motor Vehicle Accident\"]
rename_file = \"types.csv\"
rename = { \"PED\" = \"Motor Vehicle Accident\" }
lexamica = \"caseType\"
[fields.IncidentDate]
from = \"DOL\"
type = \"date\"
formats = [\"%m/%d/%Y\", \"%Y-%m-%d\"]
required = true
[fields.\"client.email\"]
from = [\"Email\", \"Mail\"]
type = \"email\"
[fields.\"a.b\"]
from = \"{id} {No}\"
flat = true
min_length = 1
max_length = 20
pattern = \".*\"
[fields.LastName]
from = \"Client\"
part = \"last\"
[fields.Note]
from = \"Note\"
omit_empty = false
[fields.Language]
from = \"Language\"
default = \"English\"
[fields.Source]
value = \"2026 import\"
[ledger]
path = \"ledger.db\"
id = \"0198\"
keep_payloads = false
[platform]
case_url = \"https://app.example.com/cases/{case_id}\"
[webhooks]
signature_header = \"x-lexamica-signature\"
",
    );
    home.write(
        "a.csv",
        "id,No,Firm,Type,DOL,Email,Client,Note,Language,Rest\n\
         c1,1,Smith & Partners,MVA,6/14/2026,,\"Lee, Ann\",,,r\n",
    );
    let done = home
        .caseload(&["import", "a.csv", "--sandbox", "--dry-run"])
        .args(&["--output", "json"])
        .run()
        .exits(0);
    assert_eq!(
        done.json()[0]["payload"].to_string(),
        "{\"CaseType\":\"Motor Vehicle Accident\",\"IncidentDate\":\"2026-06-14\",\
         \"a.b\":\"c1 1\",\"LastName\":\"Lee\",\"Note\":\"\",\"Language\":\"English\",\
         \"Source\":\"2026 import\",\"Rest\":\"r\",\"partnerFirmId\":\"firm_1\"}"
    );
}

#[test]
fn a_column_name_copied_with_an_invisible_character_is_that_column() {
    checked(
        "[case]\nkey = \"i\u{200b}d\"\npartner_firm = \"partner\u{ad}FirmId\"\n\
         [fields.A]\nfrom = \"\u{feff}Name\"\n[fields.B]\nfrom = \"{id} {\u{a0}Na\u{200b}me}\"\n",
    )
    .exits(0)
    .prints("1 of 1 record valid");
}
