//! What is read from a response, and what the config may say of it.

use super::*;
use serde_json::json;

#[test]
fn the_firm_is_the_last_member_of_the_body() {
    let contract = Contract::default();
    assert_eq!(
        contract.body(r#"{"a":"1"}"#, Some("f\"1")),
        r#"{"a":"1","partnerFirmId":"f\"1"}"#
    );
    assert_eq!(contract.body("{}", Some("f1")), r#"{"partnerFirmId":"f1"}"#);
    assert_eq!(contract.body(r#"{"a":1}"#, None), r#"{"a":1}"#);
    let query = Contract {
        partner_firm_id_in: FirmPlace::Query,
        ..Contract::default()
    };
    assert_eq!(query.body(r#"{"a":1}"#, Some("f1")), r#"{"a":1}"#);
}

#[test]
fn the_id_is_found_and_an_echo_is_no_id() {
    let contract = Contract::default();
    let sent = json!({"id": "L-1", "CaseId": 7});
    let key = Key::new(["L-1", "77"]);
    let id = |answer: Value| contract.case_id(&answer, &sent, &key).map(String::from);
    assert_eq!(id(json!({"_id": "abc", "id": "L-1"})), Some("abc".into()));
    assert_eq!(id(json!({"id": "L-1", "caseId": 12})), Some("12".into()));
    assert_eq!(id(json!({"data": {"id": "xyz"}})), Some("xyz".into()));
    assert_eq!(id(json!({"case": {"_id": "c"}})), Some("c".into()));
    assert_eq!(id(json!({"id": "L-1", "CaseId": 7})), None);
    assert_eq!(id(json!({"data": {"id": "L-1"}})), None);
    assert_eq!(id(json!({"id": "", "_id": null})), None);
    assert_eq!(id(json!({"_id": " x9 "})), Some("x9".into()));
    assert_eq!(id(json!({"_id": 0})), Some("0".into()));
    let longest = "x".repeat(200);
    assert_eq!(id(json!({"_id": longest})), Some(longest));
    for no_id in ["null", "Undefined", "none", "77", "a\nb", "\u{200b}c"] {
        assert_eq!(id(json!({"_id": no_id})), None, "{no_id}");
    }
    assert_eq!(id(json!({"_id": "x".repeat(3_000_000)})), None);
    assert_eq!(id(json!({"_id": 77})), None, "the case's own key");
    let path = Contract {
        case_id_field: CaseIdField::Path("result.ref".into()),
        ..Contract::default()
    };
    assert_eq!(
        path.case_id(&json!({"result": {"ref": 9}}), &sent, &key)
            .as_deref(),
        Some("9")
    );
    assert_eq!(path.case_id(&json!({"id": "9"}), &sent, &key), None);
}

#[test]
fn lists_contain_the_statuses_they_name() {
    let contract = Contract::default();
    assert!(contract.not_sent.contains(503, true));
    assert!(!contract.not_sent.contains(503, false));
    assert!(contract.rejected.contains(422, false));
    for status in NOT_IN_4XX {
        assert!(!contract.rejected.contains(status, false), "{status}");
    }
    let named = StatusList::parse(["409"]).unwrap();
    assert!(
        named.contains(409, false),
        "a listed status counts even if its class leaves it out"
    );
    for entry in ["200", "2xx", "teapot", "600", "xx", "+retry-after", ""] {
        let error = StatusList::parse([entry]).unwrap_err();
        assert!(error.contains("expected 300 to 599"), "{entry}: {error}");
    }
}

#[test]
fn a_message_is_found_in_any_form() {
    let message = |body: &str| Contract::message(body).unwrap_or_default();
    assert_eq!(message(r#"{"message":"no such map"}"#), "no such map");
    assert_eq!(message(r#"{"errors":["a",{"message":"b"}]}"#), "a; b");
    assert_eq!(message(r#"{"error":{"message":"deep"}}"#), "deep");
    let fields = r#"{"message":"invalid","errors":[{"field":"Phone","message":"is invalid"},{"path":"Email","message":"taken"}]}"#;
    assert_eq!(message(fields), "invalid; Phone: is invalid; Email: taken");
    let by_name = r#"{"errors":{"Phone":["is invalid"]}}"#;
    assert_eq!(message(by_name), r#"{"Phone":["is invalid"]}"#);
    assert_eq!(message(r#"{"code":4}"#), r#"{"code":4}"#);
    assert_eq!(message(" <html> "), "<html>");
    assert_eq!(message("  "), "");
}

#[test]
fn fields_that_come_back_different_are_named() {
    let sent = json!({"a": "1", "b": 2, "c": {"d": 1}});
    assert!(Contract::echo_differs(&json!({"a": "1", "b": "2"}), &sent, None).is_empty());
    let differs = Contract::echo_differs(&json!({"data": {"a": "2", "c": {}}}), &sent, Some("7"));
    let differs: Vec<_> = (differs.iter())
        .map(|field| (&*field.field, &*field.sent, &*field.returned))
        .collect();
    assert_eq!(differs, [("a", "1", "2"), ("c", "{\"d\":1}", "{}")]);
    let own = json!({"id": "L-1", "a": "1"});
    let answer = json!({"id": "case_9", "a": "1"});
    assert!(Contract::echo_differs(&answer, &own, Some("case_9")).is_empty());
}

#[test]
fn the_config_reads_the_contracts_own_types() {
    #[derive(Debug, serde::Deserialize)]
    struct Api {
        auth: AuthPlace,
        partner_firm_id_in: FirmPlace,
        case_id_field: CaseIdField,
        rejected: StatusList,
    }
    let read = |text: &str| toml::from_str::<Api>(text);
    let rest = "partner_firm_id_in = \"query\"\ncase_id_field = \"none\"\n\
                rejected = [\"4xx\", 409, \"503+retry-after\"]\n";
    let api = read(&format!("{rest}[auth]\nin = \"header\"\nname = \"X-Key\"")).unwrap();
    let header = AuthPlace::Header {
        name: Some("X-Key".to_owned()),
        prefix: None,
    };
    assert_eq!(api.auth, header);
    assert_eq!(api.partner_firm_id_in, FirmPlace::Query);
    assert_eq!(api.case_id_field, CaseIdField::None);
    assert!(api.rejected.contains(409, false) && api.rejected.contains(503, true));
    for (text, message) in [
        (
            format!("{rest}[auth]\nin = \"query\""),
            "missing field `name`",
        ),
        (
            format!("{rest}[auth]\nin = \"query\"\nname = \"key\"\nprefix = \"\""),
            "unknown field `prefix`",
        ),
        (rest.replace("409", "200"), "expected 300 to 599"),
        (
            rest.replace("409", "4.5"),
            "invalid status \"4.5\": expected 300 to 599",
        ),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
