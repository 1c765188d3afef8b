//! Keys and partner firms.

use super::*;

fn keyed(columns: &[&str]) -> MappingOptions {
    MappingOptions {
        key: columns.iter().map(|column| (*column).to_owned()).collect(),
        ..through()
    }
}

#[test]
fn keys_are_trimmed_and_may_have_several_columns() {
    let key = |options, row: &[(&str, &str)]| map_row(options, row).0.and_then(|case| case.key);
    assert_eq!(
        key(keyed(&["Id"]), &[("Id", " 0a1 ")]).as_deref(),
        Some(r#"["0a1"]"#)
    );
    let both = keyed(&["Id", "No"]);
    assert_eq!(
        key(both.clone(), &[("Id", "1"), ("No", "")]).as_deref(),
        Some(r#"["1",""]"#)
    );
    assert_eq!(key(keyed(&[]), &[("Id", "1")]), None);
    let digits = map_cells(keyed(&["Id"]), &[("Id", number("12345678901234567890"))]);
    assert_eq!(
        digits.0.unwrap().key.as_deref(),
        Some(r#"["12345678901234567890"]"#)
    );
    assert_eq!(codes(both, &[("Id", " "), ("No", "")]), [Code::EmptyKey]);
    let nested = Cell {
        kind: CellKind::Json,
        text: "[1]",
    };
    let (_, problems) = map_cells(keyed(&["Id"]), &[("Id", nested)]);
    assert_eq!(problems[0].code, Code::NestedValue);
}

#[test]
fn a_key_inside_a_nested_object_is_read() {
    let columns = Columns::from_names(["lead"]);
    let (case, _) = map_json(keyed(&["lead.id"]), &columns, r#"{"lead":{"id":7}}"#);
    assert_eq!(case.unwrap().key.as_deref(), Some(r#"["7"]"#));
}

#[test]
fn caseload_key_restores_key_columns_that_a_spreadsheet_changed() {
    let options = keyed(&["Id"]);
    let (restored, problems) = map_row(
        options.clone(),
        &[
            ("Id", "123"),
            ("A", "x"),
            ("caseload_key", "key:[\"00123\"]"),
        ],
    );
    assert_eq!(problems, []);
    let restored = restored.unwrap();
    assert_eq!(restored.key.as_deref(), Some(r#"["00123"]"#));
    assert_eq!(restored.payload, r#"{"Id":"00123","A":"x"}"#);
    let intact = [("Id", " 00123 "), ("A", "x")];
    let first = map_row(options.clone(), &intact).0.unwrap();
    let with_key = [intact[0], intact[1], ("caseload_key", "key:[\"00123\"]")];
    assert_eq!(map_row(options.clone(), &with_key).0.unwrap(), first);
    // A cell that no spreadsheet makes of the key is the user's correction.
    let corrected = [("Id", "00124"), ("A", "x"), with_key[2]];
    let (corrected, problems) = map_row(options.clone(), &corrected);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::CorrectedKey);
    assert_eq!(corrected.unwrap().key.as_deref(), Some(r#"["00124"]"#));
    for invalid in [
        "[\"00123\"]",
        "key:00123",
        "key:[\"1\",\"2\"]",
        "key:[\"\"]",
    ] {
        assert_eq!(
            codes(options.clone(), &[("Id", "1"), ("caseload_key", invalid)]),
            [Code::BadCaseloadKey],
            "{invalid}"
        );
    }
}

#[test]
fn a_firm_comes_from_its_column_or_the_default() {
    let options = MappingOptions {
        allow_drafts: false,
        ..through()
    };
    let firm = |options: &MappingOptions, row: &[(&str, &str)]| {
        let case = map_row(options.clone(), row).0.unwrap();
        (case.firm, case.firm_from_default)
    };
    assert_eq!(
        firm(&options, &[("Partner Firm Id", " f1 ")]),
        (Some("f1".to_owned()), false)
    );
    assert_eq!(
        codes(options.clone(), &[("partnerFirmId", " ")]),
        [Code::MissingPartnerFirm]
    );
    assert_eq!(
        codes(options.clone(), &[("A", "x")]),
        [Code::MissingPartnerFirm]
    );
    let default = MappingOptions {
        default_partner_firm: Some("f9".to_owned()),
        ..options.clone()
    };
    assert_eq!(
        firm(&default, &[("partnerFirmId", "")]),
        (Some("f9".to_owned()), true)
    );
    assert_eq!(
        firm(&default, &[("partnerFirmId", "f1")]),
        (Some("f1".to_owned()), false)
    );
    let draft = MappingOptions {
        allow_drafts: true,
        ..options.clone()
    };
    assert_eq!(firm(&draft, &[("A", "x")]), (None, false));
    let two = [("partnerFirmId", "f1"), ("partner_firm_id", "f2")];
    assert_eq!(codes(options, &two), [Code::TargetConflict]);
}

#[test]
fn a_named_column_is_the_only_one_for_the_firm() {
    let options = MappingOptions {
        partner_firm_column: Some("Handling Firm".to_owned()),
        partner_firms: vec![("Smith & Partners".to_owned(), "f1".to_owned())],
        ..through()
    };
    let (case, _) = map_row(
        options.clone(),
        &[("Handling Firm", "Smith & Partners"), ("A", "x")],
    );
    let case = case.unwrap();
    assert_eq!(case.firm.as_deref(), Some("f1"));
    assert_eq!(case.payload, r#"{"A":"x"}"#);
    let (_, problems) = map_row(options.clone(), &[("Handling Firm", "Smith and Partners")]);
    assert_eq!(problems[0].code, Code::UnknownPartnerFirm);
    assert_eq!(
        problems[0].hint.as_deref(),
        Some("did you mean \"Smith & Partners\"?")
    );
    // A column of the very name that the firm's id has on the wire.
    let row = [("Handling Firm", "f1"), ("partnerFirmId", "f1")];
    assert_eq!(codes(options, &row), [Code::TargetConflict]);
}
