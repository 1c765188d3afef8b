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
            ("2026-06-14T00:00:00-05:00", r#""D":"2026-06-14""#),
            ("2026-06-14T00:00:00.000-0500", r#""D":"2026-06-14""#),
            ("6/14/2026 00:00", r#""D":"2026-06-14""#),
            ("2026-06-14T05:00:00Z", "bad-date"),
            ("6/14/26", "bad-date"),
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
        &[
            ("6/14/26", r#""D":"2026-06-14""#),
            // As a spreadsheet writes it back.
            ("6/14/2026", r#""D":"2026-06-14""#),
            ("14/6/2026", "bad-date"),
        ],
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
            ("\u{202a}+1 702\u{2011}555\u{2011}0101\u{202c}", number),
            ("+44 20 7946 0958", r#""V":"+442079460958""#),
            ("+44 (0)20 7946 0958", r#""V":"+442079460958""#),
            ("+44 020 7946 0958", "bad-phone"),
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
            ("ann@\u{200b}example.com", r#""V":"ann@example.com""#),
            ("ann@example", "bad-email"),
            ("ann.example.com", "bad-email"),
            ("a@example.com; b@example.com", "bad-email"),
        ],
    );
}

/// Checks one row of an input without a config: its payload, and its problems as
/// "code: message; hint".
fn check_row(header: &str, row: &str, rules: &str) -> (String, Vec<String>) {
    let home = Home::new();
    home.write("caseload.toml", format!("[case]\nkey = \"id\"\n{rules}\n"));
    home.write("a.csv", format!("{header}\n{row}\n"));
    let done = home
        .caseload(&["import", "a.csv", "--sandbox", "--dry-run"])
        .args(&["--output", "json"])
        .run();
    let mut documents = done.json();
    documents.pop();
    let payload = documents
        .iter()
        .find(|document| document["action"] == "send");
    let payload = payload.map_or_else(String::new, |case| case["payload"].to_string());
    let problems = documents.iter().filter_map(|document| {
        let text = |name: &str| document[name].as_str().unwrap_or_default();
        let code = document["code"].as_str()?;
        Some(format!("{code}: {}; {}", text("message"), text("hint")))
    });
    (payload, problems.collect())
}

#[test]
fn what_helps_is_in_the_hint() {
    let hint = |kind: &str, formats: &str, cell: &str| {
        let rules = format!("[fields.V]\nfrom = \"V\"\ntype = \"{kind}\"\n{formats}");
        let (_, problems) = check_row("id,partnerFirmId,V", &format!("c1,f1,{cell}"), &rules);
        problems.concat()
    };
    for phone in ["702-555-0101 x11", "(702) 555-0102 ext. 11", "7025550101#4"] {
        assert!(hint("phone", "", phone).contains("extension"), "{phone}");
    }
    assert!(hint("phone", "", "+49 (030) 1234567").contains("remove the 0"));
    assert!(hint("phone", "", "7.02555E+09").contains("spreadsheet"));
    let formats = "formats = [\"%m/%d/%Y\"]";
    assert!(hint("date", formats, "1/25/25").contains("add \"%m/%d/%y\" to `formats`"));
}

/// What becomes of a partner firm's cell: the id, or the codes of the problems.
fn firm(rules: &str, cell: &str) -> String {
    let (payload, problems) = check_row("id,partnerFirmId", &format!("c1,{cell}"), rules);
    if payload.is_empty() {
        let codes = problems.iter().map(|problem| problem.split(':').next());
        return codes.flatten().collect::<Vec<_>>().join(" ");
    }
    let (_, id) = payload.split_once(r#""partnerFirmId":""#).unwrap();
    id.trim_end_matches("\"}").to_owned()
}

#[test]
fn a_placeholder_is_no_partner_firm() {
    let table = "[partner_firms]\n\"Smith & Partners\" = \"firm_1\"";
    for cell in [
        "N/A", "n/a", "-", "none", "None", "nan", "NaN", "null", "NULL", "0", "#N/A", "#REF!",
        "#n/a", "####", "(blank)", "TBD", "?",
    ] {
        assert_eq!(firm("", cell), "bad-partner-firm", "{cell}");
        assert_eq!(firm(table, cell), "bad-partner-firm", "{cell}");
    }
    for cell in ["Smith & Partners", "4.41E+11", &"f".repeat(201), "=A1"] {
        assert_eq!(firm("", cell), "bad-partner-firm", "{cell}");
    }
    assert_eq!(firm("", &"f".repeat(200)), "f".repeat(200));
    assert_eq!(firm("", "00"), "00");
    assert_eq!(firm("", " f\u{200b}1\u{feff}"), "f1");
    assert_eq!(firm(table, "Smith\u{ad} & Partners"), "firm_1");
    assert_eq!(firm(table, "firm_1"), "firm_1");
    assert_eq!(firm(table, "firm_2"), "unknown-partner-firm");
    // A cell with nothing that anybody sees is an empty one.
    assert_eq!(
        firm("", "\u{200b}"),
        "invisible-character missing-partner-firm"
    );
}

#[test]
fn a_placeholder_is_no_id_in_config_or_flag_either() {
    let home = Home::new();
    home.write("a.csv", "id,partnerFirmId\nc1,f1\n");
    let check = |args: &[&str]| home.caseload(&["check", "a.csv"]).args(args).run().exits(2);
    for id in ["nan", "N/A", "0", "-", "#N/A", "a firm", &"f".repeat(201)] {
        check(&["--partner-firm-id", id]).says("is not a valid id");
    }
    home.write("caseload.toml", "[partner_firms]\n\"Smith\" = \"null\"\n");
    check(&[]).says("partner firm \"Smith\": \"null\" is not a valid id");
}

#[test]
fn invisible_characters_are_removed_where_values_are_compared_and_named_elsewhere() {
    let rules = "[fields.id]\nfrom = \"id\"\n[fields.Phone]\nfrom = \"Phone\"\ntype = \"phone\"\n\
                 [fields.Email]\nfrom = \"Email\"\ntype = \"email\"\n[fields.Name]\nfrom = \"Name\"";
    let row =
        "c\u{feff}1,f\u{200b}1,\u{202a}702-555-0101\u{202c},ann\u{ad}@example.com,An\u{200d}n";
    let (payload, problems) = check_row("id,partnerFirmId,Phone,Email,Name", row, rules);
    assert_eq!(
        payload,
        "{\"id\":\"c1\",\"Phone\":\"+17025550101\",\"Email\":\"ann@example.com\",\
         \"Name\":\"An\u{200d}n\",\"partnerFirmId\":\"f1\"}"
    );
    let messages: Vec<&str> = problems
        .iter()
        .map(|problem| problem.split(';').next().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "invisible-character: invisible characters removed: U+FEFF",
            "invisible-character: invisible characters removed: U+200B",
            "invisible-character: invisible characters removed: U+202A, U+202C",
            "invisible-character: invisible characters removed: U+00AD",
            "invisible-character: invisible characters in the value: U+200D",
        ]
    );
    // Without rules the key goes out as it is compared, too.
    let (payload, problems) = check_row("id,partnerFirmId,Name", "c\u{feff}1,f1,Ann", "");
    assert!(payload.starts_with("{\"id\":\"c1\""), "{payload}");
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn a_formula_that_only_guards_an_id_is_the_id_that_people_see() {
    let expected = r#"{"id":"00123","Zip":"02134","Note":"=\"a\"&\"b\"","partnerFirmId":"f1"}"#;
    for row in [
        "=\"00123\",=\"f1\",=\"02134\",\"=\"\"a\"\"&\"\"b\"\"\"",
        "\"=\"\"00123\"\"\",\"=\"\"f1\"\"\",02134,\"=\"\"a\"\"&\"\"b\"\"\"",
    ] {
        let (payload, problems) = check_row("id,partnerFirmId,Zip,Note", row, "");
        assert_eq!(payload, expected);
        assert_eq!(problems, [""; 0]);
    }
    let (payload, _) = check_row("=\"id\",partnerFirmId,=\"Zip\"", "1,f1,02134", "");
    assert_eq!(payload, r#"{"id":"1","Zip":"02134","partnerFirmId":"f1"}"#);
}

#[test]
fn a_number_that_a_spreadsheet_has_rounded_is_reported_in_any_column() {
    for (header, row) in [
        ("id,partnerFirmId", "4.41E+11,f1"),
        ("id,partnerFirmId,Claim No", "c1,f1,\"4,41E+11\""),
    ] {
        let (payload, problems) = check_row(header, row, "");
        assert!(!payload.is_empty());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("rounded-number: "), "{problems:?}");
    }
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
            ("4.41E+11", "rounded-number bad-integer"),
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
        ("c0,f2,06/13/2026\n", ""),
        ("", "c2,f2,06/07/2026\n"),
        ("c0,,\n", "c2\n"),
    ] {
        assert_eq!(payload(before, after), alone, "{before:?} {after:?}");
    }
}
