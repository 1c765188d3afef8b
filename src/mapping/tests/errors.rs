//! What is wrong with records, with rules, and with columns.

use super::*;

fn compile_errors(options: MappingOptions) -> Vec<(Option<usize>, &'static str, String)> {
    Rules::compile(options)
        .unwrap_err()
        .into_iter()
        .map(|error| (error.field, error.setting, error.message))
        .collect()
}

#[test]
fn a_record_tells_all_its_problems_at_once() {
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
    let told: Vec<_> = problems
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
        told,
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
fn lengths_and_patterns_hold_for_what_is_sent() {
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
fn what_a_spreadsheet_broke_is_a_warning_where_it_is_used() {
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
fn dates_far_off_are_warnings() {
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
fn a_social_security_number_that_slips_through_is_told() {
    let row = [("Note", "078-05-1120")];
    assert_eq!(codes(through(), &row), [Code::LooksConfidential]);
    assert_eq!(codes(with(vec![field("Note", "Note")]), &row), []);
}

#[test]
fn rules_that_can_not_be_are_told_together() {
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
fn columns_that_a_file_lacks_are_told_with_the_closest() {
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
    assert_eq!(rules.missing_columns(&good, NameSource::Header), []);
    assert_eq!(rules.unused_columns(&good), ["Zip"]);
    let bad = Columns::from_names(["lead_id", "Frm", "FirstName", "client"]);
    let faults = rules.missing_columns(&bad, NameSource::Header);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "no column \"Lead ID\" for the key; did you mean \"lead_id\"?",
            "no column \"Firm\" for the partner firm; did you mean \"Frm\"?",
            "no column \"First Name\" for First; did you mean \"FirstName\"?",
            "no column \"Mobile\" for Phone",
            "no column \"client.email\" for Email",
        ]
    );
    assert_eq!(
        rules.missing_columns(&bad, NameSource::JsonMembers).len(),
        4
    );
    let files = [
        (crate::model::FileId(0), Vec::new()),
        (crate::model::FileId(1), faults),
    ];
    let joined = merge_missing_columns(&files);
    assert_eq!(joined.len(), 3, "what only some file must have is not told");
    assert!(
        joined
            .iter()
            .all(|(file, fault)| file.is_some() && fault.every_file)
    );
}
