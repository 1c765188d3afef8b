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
