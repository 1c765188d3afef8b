//! Errors in `caseload.toml`, with their lines.

use crate::support::{Done, Home};

fn checked(config: &str) -> Done {
    let home = Home::new();
    home.write("caseload.toml", config);
    home.write("a.csv", "id,partnerFirmId,Name\nc1,f1,Ann\n");
    home.caseload(&["check", "a.csv"]).run()
}

#[test]
fn all_config_errors_are_shown_at_once_with_their_lines() {
    let config = r#"[case]
kye = "id"
[fields.A]
from = "Name"
type = "dat"
required = "yes"
[fields.B]
fron = "Name"
[casse]
"#;
    insta::assert_snapshot!(checked(config).exits(2).err, @r#"
    error: caseload.toml:2: unknown key "kye" in [case]; did you mean "key"?
      2 | kye = "id"
        | ^^^
    caseload.toml:5: `type` can't be "dat"; did you mean "date"?
      5 | type = "dat"
        |        ^^^^^
    caseload.toml:6: `required` must be true or false, and is text
      6 | required = "yes"
        |            ^^^^^
    caseload.toml:8: unknown key "fron" in [fields.B]; did you mean "from"?
      8 | fron = "Name"
        | ^^^^
    caseload.toml:9: unknown key "casse" in the config; did you mean "case"?
      9 | [casse]
        |  ^^^^^
    "#);
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
