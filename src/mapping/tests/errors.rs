//! Problems of records, errors of rules, and missing columns.

use super::*;

fn compile_errors(options: MappingOptions) -> Vec<(Option<usize>, &'static str, String)> {
    Rules::compile(options)
        .unwrap_err()
        .into_iter()
        .map(|error| (error.field, error.setting, error.message))
        .collect()
}

#[test]
fn all_problems_of_a_record_are_reported_at_once() {
    let mut name = field("Name", "Name");
    name.required = true;
    let mut kind = field("Kind", "Case Type");
    kind.choices = vec!["Auto Accident".to_owned()];
    let options = with(vec![
        name,
        kind,
        typed("Phone", "Phone", ValueType::Phone),
        typed("Day", "Date of Loss", ValueType::Date),
    ]);
    let row = [
        ("Name", ""),
        ("Case Type", "Auto Acident"),
        ("Phone", "12"),
        ("Date of Loss", "45000"),
    ];
    let (case, problems) = map_row(options, &row);
    assert!(case.is_none());
    let reported: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem.code,
                problem.column.as_deref(),
                problem.value.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        reported,
        [
            (Code::MissingRequired, Some("Name"), None),
            (Code::NotAChoice, Some("Case Type"), Some("Auto Acident")),
            (Code::BadPhone, Some("Phone"), Some("12")),
            (Code::BadDate, Some("Date of Loss"), Some("45000")),
        ]
    );
    assert_eq!(problems[0].message, "empty, but Name is required");
    assert_eq!(
        problems[1].hint.as_deref(),
        Some("did you mean \"Auto Accident\"?")
    );
}

#[test]
fn lengths_and_patterns_apply_to_the_sent_value() {
    let mut code = field("Code", "Code");
    code.min_length = Some(2);
    code.max_length = Some(4);
    code.pattern = Some("[A-Zé]+|x".to_owned());
    let code = |text| codes(with(vec![code.clone()]), &[("Code", text)]);
    assert_eq!(code("ABé"), []);
    assert_eq!(code("éééé"), []);
    assert_eq!(code("A"), [Code::TooShort]);
    assert_eq!(code("ABCDE"), [Code::TooLong]);
    assert_eq!(code("ABc"), [Code::PatternMismatch]);
    assert_eq!(code("AB\n"), [Code::PatternMismatch]);
}

#[test]
fn spreadsheet_errors_are_warnings_in_columns_that_are_used() {
    let options = with(vec![field("A", "A")]);
    assert_eq!(
        codes(options.clone(), &[("A", "#N/A"), ("B", "#REF!")]),
        [Code::SpreadsheetError]
    );
    assert_eq!(
        codes(options.clone(), &[("A", "######")]),
        [Code::SpreadsheetError]
    );
    assert_eq!(codes(options.clone(), &[("A", "#1 Main St")]), []);
    assert_eq!(
        codes(options.clone(), &[("A", "a\u{0}b")]),
        [Code::ControlCharacter]
    );
    assert_eq!(codes(options.clone(), &[("A", "a\r\n\tb")]), []);
    let (case, _) = map_row(options, &[("A", "a\u{1b}[2Jb")]);
    assert_eq!(case.unwrap().payload, r#"{"A":"a\u001b[2Jb"}"#);
}

#[test]
fn implausible_dates_are_warnings() {
    let dated = |target: &str, text| {
        let options = MappingOptions {
            today: Some(jiff::civil::date(2026, 11, 23)),
            ..with(vec![typed(target, "Day", ValueType::Date)])
        };
        codes(options, &[("Day", text)])
    };
    assert_eq!(dated("IncidentDate", "2026-11-24"), [Code::ImplausibleDate]);
    assert_eq!(dated("IncidentDate", "2026-11-23"), []);
    assert_eq!(dated("IncidentDate", "1906-11-24"), []);
    assert_eq!(dated("IncidentDate", "1890-01-01"), [Code::ImplausibleDate]);
    assert_eq!(dated("DateOfBirth", "1905-11-23"), [Code::ImplausibleDate]);
    assert_eq!(dated("DateOfBirth", "1905-11-24"), []);
    assert_eq!(dated("StatuteOfLimitations", "2028-01-01"), []);
}

#[test]
fn a_social_security_number_in_an_unnamed_column_is_reported() {
    let row = [("Note", "078-05-1120")];
    assert_eq!(codes(through(), &row), [Code::LooksConfidential]);
    assert_eq!(codes(with(vec![field("Note", "Note")]), &row), []);
}

#[test]
fn all_rule_errors_are_reported_at_once() {
    let mut pattern = field("P", "P");
    pattern.pattern = Some("(".to_owned());
    let mut formats = typed("D", "D", ValueType::Date);
    formats.formats = vec!["MM/DD/YYYY".to_owned()];
    let mut default = typed("S", "S", ValueType::State);
    default.default = Some(Constant::Text("Nowhere".to_owned()));
    let mut renamed = field("R", "R");
    renamed.choices = vec!["Dog Bite".to_owned()];
    renamed.rename = vec![("DOG".to_owned(), "Dog bite".to_owned())];
    let errors = compile_errors(with(vec![
        pattern,
        formats,
        default,
        renamed,
        field("T", "{a"),
    ]));
    let settings: Vec<_> = errors
        .iter()
        .map(|(field, setting, _)| (*field, *setting))
        .collect();
    assert_eq!(
        settings,
        [
            (Some(0), "pattern"),
            (Some(1), "formats"),
            (Some(2), "default"),
            (Some(3), "rename"),
            (Some(4), "from"),
        ]
    );
    assert!(
        errors[3].2.ends_with("did you mean \"Dog Bite\"?"),
        "{}",
        errors[3].2
    );
}

#[test]
fn two_rules_for_one_field_are_refused() {
    for (one, other) in [("A", "A"), ("a.b", "a"), ("a", "a.b"), ("a.b", "a.b.c")] {
        let errors = compile_errors(with(vec![field(one, "x"), field(other, "y")]));
        assert_eq!(errors.len(), 1, "{one} {other}");
        assert_eq!(errors[0].0, Some(1));
    }
    assert!(Rules::compile(with(vec![field("a.b", "x"), field("a.c", "y")])).is_ok());
    assert_eq!(
        compile_errors(with(vec![field("partnerFirmId", "x")])).len(),
        1
    );
    assert_eq!(compile_errors(with(vec![field("a..b", "x")])).len(), 1);
}

#[test]
fn missing_columns_are_reported_with_the_closest_name() {
    let mut required = field("First", "First Name");
    required.required = true;
    let mut list = field("Phone", "");
    list.source = FieldSource::Columns(vec!["Mobile".to_owned(), "Home".to_owned()]);
    let rules = Rules::compile(MappingOptions {
        key: vec!["Lead ID".to_owned()],
        partner_firm_column: Some("Firm".to_owned()),
        ..with(vec![required, list, field("Email", "client.email")])
    })
    .unwrap();
    let good = Columns::from_names([
        "Lead ID",
        "Firm",
        "First Name",
        "Home",
        "client.email",
        "Zip",
    ]);
    assert_eq!(rules.missing_columns(&good, false, &[]), Ok(Vec::new()));
    assert_eq!(rules.unused_columns(&good), ["Zip"]);
    let bad = Columns::from_names(["lead_id", "Frm", "FirstName", "client"]);
    let missing = rules.missing_columns(&bad, false, &[]).unwrap();
    let reported: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        reported,
        [
            "no column \"Lead ID\" for the key; did you mean \"lead_id\"?",
            "no column \"Firm\" for the partner firm; did you mean \"Frm\"?",
            "no column \"First Name\" for First; did you mean \"FirstName\"?",
            "no column \"Mobile\" for Phone",
            "no column \"client.email\" for Email",
        ]
    );
    assert_eq!(rules.missing_columns(&bad, true, &[]).unwrap().len(), 4);
    let files = [
        (crate::model::FileId(0), Vec::new()),
        (crate::model::FileId(1), missing),
    ];
    let merged = merge_missing_columns(&files);
    assert_eq!(merged.len(), 3, "a column that one file has is not missing");
    assert!(
        merged
            .iter()
            .all(|(file, column)| file.is_some() && column.every_file)
    );
}
