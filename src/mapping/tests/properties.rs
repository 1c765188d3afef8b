//! For any record: no panic, valid JSON, and no influence of other records.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 6] = ["Id", "partnerFirmId", "A", "B", "C", "caseload_key"];

fn options() -> MappingOptions {
    let mut choice = field("x.choice", "B");
    choice.choices = vec!["a".to_owned(), "b".to_owned()];
    choice.rename = vec![("c".to_owned(), "a".to_owned())];
    let mut date = typed("x.date", "C", ValueType::Date);
    date.formats = vec!["%m/%d/%y".to_owned(), "%d/%m/%Y".to_owned()];
    MappingOptions {
        key: vec!["Id".to_owned()],
        fields: vec![field("Name", "{A} {Id}"), choice, date],
        passthrough: true,
        today: Some(jiff::civil::date(2026, 11, 23)),
        ..loose()
    }
}

/// Text that the rules read more often than any text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-c]?",
        "[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}",
        Just("key:[\"1\"]".to_owned()),
    ]
}

fn row() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(text(), NAMES.len())
}

fn map(
    mapper: &mut Mapper,
    columns: &Columns,
    row: &[String],
) -> (Option<OwnedCase>, Vec<Problem>) {
    let cells: Vec<_> = row.iter().map(|text| Cell::text(text)).collect();
    map_with(
        mapper,
        &Record {
            place: Place::default(),
            columns,
            cells: &cells,
            json: None,
        },
    )
}

proptest! {
    #[test]
    fn a_payload_is_json_and_a_record_without_errors_is_a_case(row in row()) {
        for options in [options(), through()] {
            let columns = Columns::from_names(NAMES);
            let (case, problems) = map(&mut Mapper::new(rules(options)), &columns, &row);
            let has_error = problems
                .iter()
                .any(|problem| problem.severity == crate::model::Severity::Error);
            prop_assert_eq!(case.is_none(), has_error);
            if let Some(case) = case {
                let value: serde_json::Value = serde_json::from_str(&case.payload).unwrap();
                prop_assert!(value.is_object());
                prop_assert!(value.get("partnerFirmId").is_none());
                prop_assert!(case.key.is_none_or(|key| crate::model::Key::parse(&key).is_some()));
            }
        }
    }

    #[test]
    fn other_records_do_not_change_a_case(rows in proptest::collection::vec(row(), 1..6)) {
        let shared = rules(options());
        let columns = Columns::from_names(NAMES);
        let others = Columns::from_names(["Other", "A", "Id"]);
        let alone: Vec<_> = rows
            .iter()
            .map(|row| map(&mut Mapper::new(Arc::clone(&shared)), &columns, row))
            .collect();
        let mut mapper = Mapper::new(shared);
        for (row, expected) in rows.iter().zip(&alone).rev() {
            prop_assert_eq!(&map(&mut mapper, &columns, row), expected);
            map(&mut mapper, &others, &row[..3]);
            prop_assert_eq!(&map(&mut mapper, &columns, row), expected);
        }
    }

    #[test]
    fn columns_of_other_json_records_do_not_change_a_case(
        member in any::<String>(), value in any::<String>(), other in any::<String>()
    ) {
        prop_assume!(member != other);
        let json = serde_json::json!({ "client": { "email": value }, &member: "x" }).to_string();
        prop_assume!(member != "client");
        let options = MappingOptions { passthrough: true, ..with(vec![field("E", "client.email")]) };
        let few = Columns::from_names(["client", &member]);
        let mut many = Columns::from_names([&other]);
        for name in ["client.email", &member, "client"] {
            many.intern(name);
        }
        prop_assert_eq!(map_json(options.clone(), &few, &json), map_json(options, &many, &json));
    }
}
