//! The rows of a joined file are found as a search through all of them finds them.

use proptest::prelude::*;

use super::*;
use crate::model::{Key, is_placeholder};

fn joined_with(optional: bool) -> MappingOptions {
    let required = if optional { "\"required\":false," } else { "" };
    let join = format!(r#"{{"file":"c.csv",{required}"column":"Client"}}"#);
    let joins = [("c".to_owned(), serde_json::from_str(&join).unwrap())];
    MappingOptions {
        joins: joins.into_iter().collect(),
        ..with(vec![field("A", "c.A"), field("B", "c.B.x")])
    }
}

fn record<'r>(columns: &'r Columns, cells: &'r [Cell<'r>]) -> Record<'r> {
    Record {
        place: Place::default(),
        columns,
        cells,
        json: None,
    }
}

/// What was found for a client: the problems and the payload.
fn look_up(
    options: MappingOptions,
    contacts: &[(String, String)],
    client: &str,
) -> (Vec<Problem>, Option<String>) {
    let rules = rules(options);
    let columns = Columns::from_names(["A", "Unread", "Client"]);
    let mut table = JoinedTable::new("c", &rules.options().joins["c"]);
    for (client, value) in contacts {
        let cells = [value.as_str(), "x", client].map(Cell::text);
        table.add(&record(&columns, &cells), &rules);
    }
    let own = Columns::from_names(["Client", "Note"]);
    let mut problems = Vec::new();
    let cells = [Cell::text(client)];
    let case = record(&own, &cells);
    let mut joiner = Joiner::new([table].into());
    let joined = joiner.join(&case, &mut problems);
    let whole = Record {
        columns: joined.columns,
        cells: &joined.cells,
        ..case
    };
    assert_eq!(whole.columns.len(), whole.cells.len());
    let mut mapper = Mapper::new(rules);
    let mapped = mapper.map(&whole, &mut problems);
    let payload = mapped.map(|case| case.payload.to_owned());
    (problems, payload)
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab0]{0,2}",
        "[ \u{a0}]{0,2}a[ \u{200b}]{0,2}",
        Just("n/a".to_owned()),
        Just("e\u{301}".to_owned()),
        Just("\u{e9}".to_owned()),
        "[^\"]{0,2}",
    ]
}

proptest! {
    #[test]
    fn a_row_is_found_by_the_key_that_its_id_makes(
        contacts in proptest::collection::vec((id(), "[a-z]{1,3}"), 0..8),
        client in id(),
        optional in any::<bool>(),
    ) {
        let is_id = !is_placeholder(&client) && !Key::new([&client]).parts()[0].is_empty();
        let is_row = |(id, _): &&(String, String)| is_id && Key::new([id]) == Key::new([&client]);
        let rows: Vec<&(String, String)> = contacts.iter().filter(is_row).collect();
        let (problems, payload) = look_up(joined_with(optional), &contacts, &client);
        let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
        match rows.as_slice() {
            [(_, value)] => {
                prop_assert_eq!(codes, Vec::new());
                prop_assert_eq!(payload, Some(format!("{{\"A\":\"{value}\"}}")));
            }
            [] if optional => prop_assert_eq!((codes, payload), (vec![], Some("{}".to_owned()))),
            [] => prop_assert_eq!(codes, [Code::JoinUnmatched]),
            several => {
                prop_assert_eq!(codes, [Code::JoinMultiple]);
                prop_assert_eq!(problems[0].also.len(), several.len());
            }
        }
    }
}
