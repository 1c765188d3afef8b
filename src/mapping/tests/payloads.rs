//! What goes into a payload, and how it is written.

use super::*;

#[test]
fn without_rules_every_filled_column_is_sent_under_its_own_name() {
    let row = [
        ("Name", " Ann \"A\" "),
        ("Empty", ""),
        ("Blank", " \t "),
        ("Zip", "00123"),
    ];
    assert_eq!(
        payload(through(), &row),
        r#"{"Name":" Ann \"A\" ","Zip":"00123"}"#
    );
}

#[test]
fn partner_firm_and_caseload_columns_are_not_in_the_payload() {
    let row = [
        ("Name", "Ann"),
        ("PARTNER_FIRM_ID", "f1"),
        ("caseload_reason", "x"),
        ("caseload_key", "key:[\"1\"]"),
        ("caseload_escaped", "Name"),
    ];
    assert_eq!(payload(through(), &row), r#"{"Name":"Ann"}"#);
}

#[test]
fn json_types_are_kept_without_a_value_type() {
    let row = [
        ("Id", number("12345678901234567890.10")),
        (
            "On",
            Cell {
                kind: CellKind::Bool,
                text: "true",
            },
        ),
        (
            "Nothing",
            Cell {
                kind: CellKind::Null,
                text: "",
            },
        ),
        (
            "Day",
            Cell {
                kind: CellKind::Date,
                text: "2026-06-14",
            },
        ),
        (
            "Client",
            Cell {
                kind: CellKind::Json,
                text: r#"{"a": [1]}"#,
            },
        ),
    ];
    let expected =
        r#"{"Id":12345678901234567890.10,"On":true,"Day":"2026-06-14","Client":{"a": [1]}}"#;
    assert_eq!(map_cells(through(), &row).0.unwrap().payload, expected);
    let fields = ["Id", "On", "Nothing", "Day", "Client"].map(|name| field(name, name));
    assert_eq!(
        map_cells(with(fields.to_vec()), &row).0.unwrap().payload,
        expected
    );
    let text = map_cells(with(vec![typed("Id", "Id", ValueType::Text)]), &row);
    assert_eq!(
        text.0.unwrap().payload,
        r#"{"Id":"12345678901234567890.10"}"#
    );
}

#[test]
fn every_value_type_writes_its_own_format() {
    let row = [
        ("d", "6/14/2026 0:00"),
        ("t", "2026-06-14T09:30:00Z"),
        ("i", " 12 "),
        ("n", ".5"),
        ("b", "Yes"),
        ("s", "NV Nevada"),
        ("p", "(702) 555-0101"),
        ("e", " ann@example.com "),
    ];
    let kinds = [
        ValueType::Date,
        ValueType::DateTime,
        ValueType::Integer,
        ValueType::Number,
        ValueType::Bool,
        ValueType::State,
        ValueType::Phone,
        ValueType::Email,
    ];
    let mut fields: Vec<_> = row
        .iter()
        .zip(kinds)
        .map(|((name, _), kind)| typed(name, name, kind))
        .collect();
    fields[0].formats = vec!["%m/%d/%Y".to_owned()];
    assert_eq!(
        payload(with(fields), &row),
        r#"{"d":"2026-06-14","t":"2026-06-14T09:30:00Z","i":12,"n":0.5,"b":true,"s":"NV","p":"+17025550101","e":"ann@example.com"}"#
    );
}

#[test]
fn a_list_takes_the_first_filled_column_and_a_template_joins_columns() {
    let mut phone = field("Phone", "");
    phone.source = FieldSource::Columns(vec!["Mobile".to_owned(), "Home".to_owned()]);
    let options = with(vec![phone, field("Name", "{First} {Middle} {Last}")]);
    let row = [
        ("Mobile", " "),
        ("Home", "2"),
        ("First", "Ann"),
        ("Middle", ""),
        ("Last", "Lee"),
    ];
    assert_eq!(
        payload(options.clone(), &row),
        r#"{"Phone":"2","Name":"Ann Lee"}"#
    );
    let row = [
        ("Mobile", " "),
        ("Home", ""),
        ("First", ""),
        ("Middle", ""),
        ("Last", " "),
    ];
    assert_eq!(payload(options, &row), "{}");
}

#[test]
fn dots_nest_objects_and_flat_keeps_the_dots() {
    let mut flat = field("client.raw_record", "A");
    flat.flat = true;
    let options = with(vec![
        field("client.name.first", "A"),
        field("Type", "B"),
        field("client.name.last", "B"),
        field("client.email", "Gone"),
        field("other.deep.field", "Gone"),
        flat,
    ]);
    assert_eq!(
        payload(options, &[("A", "1"), ("B", "2"), ("Gone", "")]),
        r#"{"client":{"name":{"first":"1","last":"2"}},"Type":"2","client.raw_record":"1"}"#
    );
}

#[test]
fn constants_and_defaults_are_sent() {
    let constant = |target: &str, constant| FieldRule {
        target: target.to_owned(),
        source: FieldSource::Constant(constant),
        ..FieldRule::default()
    };
    let mut defaulted = field("D", "D");
    defaulted.default = Some(Constant::Text("none given".to_owned()));
    let mut emptied = field("E", "E");
    emptied.send_empty = true;
    let mut dated = constant("W", Constant::Text("6/1/2026".to_owned()));
    dated.value_type = Some(ValueType::Date);
    dated.formats = vec!["%m/%d/%Y".to_owned()];
    let options = with(vec![
        constant("S", Constant::Text("2026 \"import\"".to_owned())),
        constant("N", Constant::Number("7".to_owned())),
        constant("B", Constant::Bool(false)),
        defaulted,
        emptied,
        dated,
    ]);
    assert_eq!(
        payload(options, &[("D", ""), ("E", " ")]),
        r#"{"S":"2026 \"import\"","N":7,"B":false,"D":"none given","E":"","W":"2026-06-01"}"#
    );
}

#[test]
fn rename_applies_before_choices_and_types() {
    let mut kind = field("Kind", "Kind");
    kind.choices = vec!["Motor Vehicle Accident".to_owned(), "Dog Bite".to_owned()];
    kind.rename = vec![("MVA".to_owned(), "Motor Vehicle Accident".to_owned())];
    let mut state = typed("State", "State", ValueType::State);
    state.rename = vec![
        ("Unk".to_owned(), String::new()),
        ("Vegas".to_owned(), "NV".to_owned()),
    ];
    let options = with(vec![kind, state]);
    assert_eq!(
        payload(options.clone(), &[("Kind", " MVA "), ("State", "Vegas")]),
        r#"{"Kind":"Motor Vehicle Accident","State":"NV"}"#
    );
    assert_eq!(
        payload(options.clone(), &[("Kind", "Dog Bite "), ("State", "Unk")]),
        r#"{"Kind":"Dog Bite"}"#
    );
    assert_eq!(
        codes(options, &[("Kind", "mva"), ("State", "")]),
        [Code::NotAChoice]
    );
}

#[test]
fn one_part_of_a_name_is_taken() {
    let side = |target, part| FieldRule {
        part: Some(part),
        ..field(target, "Name")
    };
    let options = with(vec![
        side("Last", NamePart::Last),
        side("First", NamePart::First),
    ]);
    assert_eq!(
        payload(options.clone(), &[("Name", "O'Hara ,  Scarlett K. ")]),
        r#"{"Last":"O'Hara","First":"Scarlett K."}"#
    );
    for name in ["Scarlett O'Hara", "a, b, c", ", Ann", "Lee,"] {
        assert_eq!(
            codes(options.clone(), &[("Name", name)]),
            [Code::BadName; 2],
            "{name}"
        );
    }
}

#[test]
fn nested_json_is_read_unless_a_column_has_the_dotted_name() {
    let options = with(vec![
        field("F", "client.first"),
        field("L", "client.names.0"),
    ]);
    let columns = Columns::from_names(["client.first", "client"]);
    let json = r#"{"client":{"first":"A\u006en","names":["Lee",2]}}"#;
    assert_eq!(
        map_json(options.clone(), &columns, json).0.unwrap().payload,
        r#"{"F":"Ann","L":"Lee"}"#
    );
    let json = r#"{"client":{"first":"Ann"},"client.first":"Bea"}"#;
    assert_eq!(
        map_json(options, &columns, json).0.unwrap().payload,
        r#"{"F":"Bea"}"#
    );
    let (case, problems) = map_json(
        with(vec![typed("C", "client", ValueType::Text)]),
        &columns,
        json,
    );
    assert!(case.is_none());
    assert_eq!(problems[0].code, Code::NestedValue);
}

#[test]
fn a_json_record_keeps_its_member_order() {
    let columns = Columns::from_names(["b", "a", "c"]);
    let json = r#"{"c":1,"a":"x","b":[true, null]}"#;
    let (case, _) = map_json(through(), &columns, json);
    assert_eq!(case.unwrap().payload, r#"{"c":1,"a":"x","b":[true, null]}"#);
}

#[test]
fn passthrough_adds_columns_that_no_rule_reads() {
    let options = MappingOptions {
        passthrough: true,
        ..with(vec![field("Name", "{First} {Last}")])
    };
    let row = [("First", "Ann"), ("Last", "Lee"), ("Note", "x")];
    assert_eq!(
        payload(options.clone(), &row),
        r#"{"Name":"Ann Lee","Note":"x"}"#
    );
    let row = [("First", "Ann"), ("Last", "Lee"), ("Name", "Bea")];
    assert_eq!(codes(options, &row), [Code::TargetConflict]);
}

#[test]
fn digests_depend_on_what_is_sent_and_not_on_column_order() {
    let options = MappingOptions {
        key: vec!["Id".to_owned()],
        ..through()
    };
    let digests = |row: &[(&str, &str)]| {
        let case = map_row(options.clone(), row).0.unwrap();
        (case.payload_digest, case.content_digest)
    };
    let one = digests(&[("Id", "1"), ("A", "x"), ("B", "y")]);
    assert_eq!(
        digests(&[("B", "y"), ("Id", "1"), ("A", "x"), ("C", "")]),
        one
    );
    let other_key = digests(&[("Id", "2"), ("A", "x"), ("B", "y")]);
    assert_ne!(other_key.0, one.0);
    assert_eq!(other_key.1, one.1);
    let other_content = digests(&[("Id", "1"), ("A", "x"), ("B", "z")]);
    assert_ne!(other_content.0, one.0);
    assert_ne!(other_content.1, one.1);
    let other_firm = digests(&[("Id", "1"), ("A", "x"), ("B", "y"), ("partnerFirmId", "f")]);
    assert_ne!(other_firm.0, one.0);
    assert_ne!(other_firm.1, one.1);
    let by_rules = MappingOptions {
        key: vec!["Id".to_owned()],
        ..with(vec![field("B", "B"), field("Id", "Id"), field("A", "A")])
    };
    let case = map_row(by_rules, &[("Id", "1"), ("A", "x"), ("B", "y")])
        .0
        .unwrap();
    assert_eq!((case.payload_digest, case.content_digest), one);
}

#[test]
fn a_record_digest_covers_the_filled_columns_by_name() {
    let digest = |names: &[&str], texts: &[&str]| {
        let columns = Columns::from_names(names);
        let cells: Vec<_> = texts.iter().map(|text| Cell::text(text)).collect();
        RecordDigests::default().of(&Record {
            place: Place::default(),
            columns: &columns,
            cells: &cells,
            json: None,
        })
    };
    let one = digest(&["a", "b"], &["1", "2"]);
    assert_eq!(
        digest(&["b", "c", "a", "caseload_key"], &["2", " ", "1", "x"]),
        one
    );
    assert_ne!(digest(&["a", "b"], &["12", ""]), one);
    // Ledgers hold it, so it must never change.
    assert_eq!(one.to_string(), "8f3b38fadbc769fb2596a15bffac27cf");
}

#[test]
fn record_json_keeps_the_record_as_it_was_read() {
    let columns = Columns::from_names(["a", "b", "c", "d"]);
    let cells = [
        Cell::text("x\"\n"),
        number("1.50"),
        Cell::text(""),
        Cell::default(),
    ];
    let mut record = Record {
        place: Place::default(),
        columns: &columns,
        cells: &cells,
        json: None,
    };
    let mut out = String::new();
    record_json(&record, &mut out);
    assert_eq!(out, r#"{"a":"x\"\n","b":1.50,"c":""}"#);
    record.json = Some(r#"{ "a": 1 }"#);
    out.clear();
    record_json(&record, &mut out);
    assert_eq!(out, r#"{ "a": 1 }"#);
}
