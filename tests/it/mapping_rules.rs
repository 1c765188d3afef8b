//! What a mapping rule makes of a cell: a value in the payload or a problem,
//! never a guess.

use crate::support::Home;

/// What a rule makes of the cell in column `A`: the payload without key and
/// firm, or the codes of its problems.
fn result(rule: &str, cell: &str) -> String {
    let home = Home::new();
    home.write("types.csv", "MVA,Motor Vehicle Accident\nDOG,Dog Bite\n");
    home.write(
        "caseload.toml",
        format!("[case]\nkey = \"id\"\n[fields.id]\nfrom = \"id\"\n{rule}\n"),
    );
    let cell = cell.replace('"', "\"\"");
    home.write(
        "a.csv",
        format!("id,partnerFirmId,A,B\nc1,f1,\"{cell}\",Lee\n"),
    );
    let done = home
        .caseload(&["import", "a.csv", "--sandbox", "--dry-run"])
        .args(&["--output", "json"])
        .run();
    let documents = done.json();
    if let Some(case) = documents
        .iter()
        .find(|document| document["action"] == "send")
    {
        let payload = case["payload"].to_string();
        let rest = payload.strip_prefix(r#"{"id":"c1""#).unwrap();
        let rest = rest.strip_suffix(r#","partnerFirmId":"f1"}"#).unwrap();
        return rest.trim_start_matches(',').to_owned();
    }
    let codes = documents
        .iter()
        .filter_map(|document| document["code"].as_str());
    let codes: Vec<&str> = codes.collect();
    assert!(!codes.is_empty(), "{rule}: {done}");
    codes.join(" ")
}

fn expect(rule: &str, cells: &[(&str, &str)]) {
    let failures: Vec<String> = cells
        .iter()
        .map(|(cell, expected)| (cell, expected, result(rule, cell)))
        .filter(|(_, expected, result)| *expected != result)
        .map(|(cell, expected, result)| format!("{cell:?} gave {result}, not {expected}"))
        .collect();
    assert!(failures.is_empty(), "{rule}\n{}", failures.join("\n"));
}

#[test]
fn dates() {
    let formats =
        |formats: &str| format!("[fields.D]\nfrom = \"A\"\ntype = \"date\"\nformats = [{formats}]");
    expect(
        &formats(r#""%m/%d/%Y", "%Y-%m-%d""#),
        &[
            ("06/14/2026", r#""D":"2026-06-14""#),
            ("6/4/2026", r#""D":"2026-06-04""#),
            ("2026-06-14", r#""D":"2026-06-14""#),
            ("2026-06-14 00:00:00", r#""D":"2026-06-14""#),
            // Midnight is that day in any time zone.
            ("2026-06-14T00:00:00+14:00", r#""D":"2026-06-14""#),
            ("2026-06-14T00:00:00Z", r#""D":"2026-06-14""#),
            ("2026-06-14 18:42:25", "bad-date"),
            ("14/06/2026", "bad-date"),
            ("02/30/2026", "bad-date"),
            ("45822", "bad-date"),
            ("", ""),
        ],
    );
    expect(
        &formats(r#""%m/%d/%Y", "%d/%m/%Y""#),
        &[
            ("06/14/2026", r#""D":"2026-06-14""#),
            ("14/06/2026", r#""D":"2026-06-14""#),
            ("06/06/2026", r#""D":"2026-06-06""#),
            ("06/07/2026", "ambiguous-date"),
        ],
    );
    expect(
        &formats(r#""%m/%d/%y""#),
        &[("6/14/26", r#""D":"2026-06-14""#)],
    );
}

#[test]
fn states_phones_and_emails() {
    let rule = |kind: &str| format!("[fields.V]\nfrom = \"A\"\ntype = \"{kind}\"");
    expect(
        &rule("state"),
        &[
            ("NV", r#""V":"NV""#),
            ("nv", r#""V":"NV""#),
            ("Nevada", r#""V":"NV""#),
            ("NV Nevada", r#""V":"NV""#),
            ("NV California", "bad-state"),
            ("Nirvana", "bad-state"),
        ],
    );
    let number = r#""V":"+17025550101""#;
    expect(
        &rule("phone"),
        &[
            ("(702) 555-0101", number),
            ("702.555.0101", number),
            ("702-555-0101", number),
            ("7025550101", number),
            ("1 702 555 0101", number),
            ("+1 (702) 555-0101", number),
            ("+44 20 7946 0958", r#""V":"+442079460958""#),
            ("555-0101", "bad-phone"),
            ("020 7946 0958", "bad-phone"),
            ("702 555 0101 x3", "bad-phone"),
            ("7025550101, 7025550102", "bad-phone"),
        ],
    );
    expect(
        &rule("email"),
        &[
            (" ann@example.com ", r#""V":"ann@example.com""#),
            ("ann@example", "bad-email"),
            ("ann.example.com", "bad-email"),
            ("a@example.com; b@example.com", "bad-email"),
        ],
    );
}

#[test]
fn numbers_booleans_and_timestamps() {
    let rule = |kind: &str| format!("[fields.V]\nfrom = \"A\"\ntype = \"{kind}\"");
    expect(
        &rule("integer"),
        &[
            ("42", r#""V":42"#),
            ("12.0", "bad-integer"),
            (
                "123456789012345678901234567890",
                r#""V":123456789012345678901234567890"#,
            ),
            ("4.41E+11", "bad-integer"),
        ],
    );
    expect(
        &rule("number"),
        &[("1250.50", r#""V":1250.50"#), ("12,5 EUR", "bad-number")],
    );
    expect(
        &rule("bool"),
        &[
            ("Yes", r#""V":true"#),
            ("no", r#""V":false"#),
            ("maybe", "bad-bool"),
        ],
    );
    expect(
        &rule("datetime"),
        &[
            ("2026-06-14T18:42:25Z", r#""V":"2026-06-14T18:42:25Z""#),
            ("soon", "bad-date"),
        ],
    );
}

#[test]
fn where_a_field_comes_from() {
    expect(
        "[fields.V]\nfrom = [\"A\", \"B\"]",
        &[("Ann", r#""V":"Ann""#), (" ", r#""V":"Lee""#)],
    );
    expect(
        "[fields.V]\nfrom = \"{A} {B}\"",
        &[("Ann", r#""V":"Ann Lee""#)],
    );
    expect(
        "[fields.V]\nvalue = \"2026 import\"",
        &[("", r#""V":"2026 import""#)],
    );
    expect("[fields.A]", &[("as it is", r#""A":"as it is""#)]);
    let part = |part: &str| format!("[fields.V]\nfrom = \"A\"\npart = \"{part}\"");
    expect(
        &part("first"),
        &[("Lee, Ann", r#""V":"Ann""#), ("Ann Lee", "bad-name")],
    );
    expect(&part("last"), &[("Lee, Ann", r#""V":"Lee""#)]);
    expect(
        "[fields.\"client.email\"]\nfrom = \"A\"",
        &[("x", r#""client":{"email":"x"}"#)],
    );
    expect(
        "[fields.\"a.b\"]\nfrom = \"A\"\nflat = true",
        &[("x", r#""a.b":"x""#)],
    );
}

#[test]
fn limits_on_values() {
    let rule = |settings: &str| format!("[fields.V]\nfrom = \"A\"\n{settings}");
    expect(
        &rule("choices = [\"Motor Vehicle Accident\", \"Dog Bite\"]\nrename_file = \"types.csv\""),
        &[
            ("MVA", r#""V":"Motor Vehicle Accident""#),
            ("Dog Bite", r#""V":"Dog Bite""#),
            ("dog bite", "not-a-choice"),
        ],
    );
    expect(
        &rule("required = true"),
        &[("", "missing-required"), ("N/A", r#""V":"N/A""#)],
    );
    expect(
        &rule("default = \"none\""),
        &[("", r#""V":"none""#), ("x", r#""V":"x""#)],
    );
    expect(&rule("omit_empty = false"), &[("", r#""V":"""#)]);
    expect(
        &rule("min_length = 2\nmax_length = 3"),
        &[
            ("é", "too-short"),
            ("éé", r#""V":"éé""#),
            ("abcd", "too-long"),
        ],
    );
    expect(
        &rule("pattern = \"[A-Z][0-9]+\""),
        &[("A17", r#""V":"A17""#), ("xA17", "pattern-mismatch")],
    );
}

/// Only the white space around a key is dropped.
#[test]
fn keys_keep_letter_case_and_zeros() {
    let home = Home::new();
    home.write("caseload.toml", "[case]\nkey = \"id\"\n");
    home.write("a.csv", "id,partnerFirmId\n 00aB ,f1\n00Ab,f1\n");
    let done = home
        .caseload(&["import", "a.csv", "--sandbox", "--dry-run"])
        .args(&["--output", "json"])
        .run()
        .exits(0);
    let documents = done.json();
    let keys: Vec<&str> = documents
        .iter()
        .filter_map(|case| case["key"].as_str())
        .collect();
    assert_eq!(keys, ["00aB", "00Ab"]);
}

#[test]
fn a_payload_depends_only_on_its_record() {
    let home = Home::new();
    home.write(
        "caseload.toml",
        "[case]\nkey = \"id\"\n[fields.id]\nfrom = \"id\"\n[fields.D]\nfrom = \"A\"\ntype = \"date\"\nformats = [\"%d/%m/%Y\", \"%m/%d/%Y\"]\n",
    );
    let row = "c1,f1,13/06/2026\n";
    let payload = |before: &str, after: &str| {
        home.write("a.csv", format!("id,partnerFirmId,A\n{before}{row}{after}"));
        let done = home
            .caseload(&[
                "import",
                "a.csv",
                "--sandbox",
                "--dry-run",
                "--skip-invalid",
            ])
            .args(&["--output", "json"])
            .run();
        let documents = done.json();
        let case = documents.iter().find(|case| case["key"] == "c1").unwrap();
        case["payload"].clone()
    };
    let alone = payload("", "");
    for (before, after) in [
        ("c0,f1,06/13/2026\n", ""),
        ("", "c2,f2,06/07/2026\n"),
        ("c0,,\n", "c2\n"),
    ] {
        assert_eq!(payload(before, after), alone, "{before:?} {after:?}");
    }
}
