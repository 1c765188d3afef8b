use proptest::prelude::*;

use super::*;

fn formats(texts: &[&str]) -> DateFormats {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let (formats, errors) = DateFormats::compile(&texts);
    assert_eq!(errors, [""; 0]);
    formats
}

fn date(texts: &[&str], text: &str) -> Result<String, Code> {
    let mut out = String::new();
    match formats(texts).write(false, CellKind::Text, text, &mut out) {
        Ok(_) => Ok(out),
        Err(fault) => Err(fault.code),
    }
}

fn datetime(texts: &[&str], text: &str) -> Result<String, Code> {
    let mut out = String::new();
    match formats(texts).write(true, CellKind::Text, text, &mut out) {
        Ok(_) => Ok(out),
        Err(fault) => Err(fault.code),
    }
}

#[test]
fn dates_are_read_by_their_formats() {
    for (format, text, expected) in [
        ("%m/%d/%y", "6/14/26", "2026-06-14"),
        ("%m/%d/%y", "06/14/26 0:00", "2026-06-14"),
        ("%m/%d/%y", "6/14/68", "2068-06-14"),
        ("%m/%d/%y", "6/14/69", "1969-06-14"),
        ("%-m/%-d/%Y", "6/4/2026 12:00:00 AM", "2026-06-04"),
        // As a spreadsheet writes it back.
        ("%m/%d/%y", "6/14/2026", "2026-06-14"),
        ("%d-%b-%y", "14-June-2026 0:00", "2026-06-14"),
        ("%y%m%d", "20260614", "2026-06-14"),
        ("%Y%m%d", "20260614", "2026-06-14"),
        ("%d.%m.%Y", "14.6.2026", "2026-06-14"),
        ("%b %d, %Y", "jun 14, 2026", "2026-06-14"),
        ("%B %-d, %Y", "June 14, 2026", "2026-06-14"),
        ("%A, %d %B %Y", "Sunday, 14 June 2026", "2026-06-14"),
        ("%Y-%m-%d %H:%M:%S", "2026-06-14 00:00:00", "2026-06-14"),
        ("%F", "2026-06-14T00:00:00.000-08:00", "2026-06-14"),
    ] {
        assert_eq!(
            date(&[format], text).as_deref(),
            Ok(expected),
            "{format} {text}"
        );
    }
}

#[test]
fn only_iso_dates_are_read_without_formats() {
    assert_eq!(date(&[], "2026-06-14").as_deref(), Ok("2026-06-14"));
    assert_eq!(
        date(&[], "2026-06-14T00:00:00Z").as_deref(),
        Ok("2026-06-14")
    );
    assert_eq!(date(&[], "6/14/2026"), Err(Code::BadDate));
}

#[test]
fn text_in_another_format_is_a_problem() {
    for text in [
        "2/30/2026",
        "13/1/2026",
        "6/14/26",
        "6/14/2026x",
        "6/14/2026 9:30",
        "6/14/20260",
        "6/14/026",
        "45000",
        "#####",
        "6/14",
        "",
        "6/14/2026 25:00",
        "six",
        "é/1/2026",
    ] {
        assert_eq!(date(&["%m/%d/%Y"], text), Err(Code::BadDate), "{text}");
    }
    let short = formats(&["%Y-%m-%d", "%m/%d/%Y"]);
    let fault = short.write(false, CellKind::Text, "6/14/26", &mut String::new());
    assert_eq!(
        fault.unwrap_err().hint.unwrap(),
        "to accept years of two digits, add \"%m/%d/%y\" to `formats`"
    );
    let fault = formats(&[]).write(false, CellKind::Number, "45000", &mut String::new());
    assert!(fault.unwrap_err().hint.unwrap().contains("serial"));
}

#[test]
fn two_different_readings_are_ambiguous() {
    let both = ["%m/%d/%Y", "%d/%m/%Y"];
    assert_eq!(date(&both, "01/02/2026"), Err(Code::AmbiguousDate));
    assert_eq!(date(&both, "02/02/2026").as_deref(), Ok("2026-02-02"));
    assert_eq!(date(&both, "14/02/2026").as_deref(), Ok("2026-02-14"));
    assert_eq!(
        date(&["%m/%d/%Y", "%Y-%m-%d"], "2026-02-14").as_deref(),
        Ok("2026-02-14")
    );
}

#[test]
fn times_keep_their_offset() {
    for (formats, text, expected) in [
        (&[][..], "2026-06-14T09:30", "2026-06-14T09:30:00"),
        (&[], "2026-06-14 09:30:15", "2026-06-14T09:30:15"),
        (&[], "2026-06-14T09:30:15.250Z", "2026-06-14T09:30:15.250Z"),
        (&[], "2026-06-14T09:30:15-0800", "2026-06-14T09:30:15-08:00"),
        (&["%m/%d/%Y"], "6/14/2026 3:05 PM", "2026-06-14T15:05:00"),
        (
            &["%Y-%m-%d %H:%M"],
            "2026-06-14 09:30+0530",
            "2026-06-14T09:30:00+05:30",
        ),
        (
            &["%Y%m%dT%H%M%S%z"],
            "20260614T093000 Z",
            "2026-06-14T09:30:00Z",
        ),
        (
            &["%m/%d/%Y %I:%M %p"],
            "6/14/2026 12:05 am",
            "2026-06-14T00:05:00",
        ),
    ] {
        assert_eq!(datetime(formats, text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(datetime(&[], "2026-06-14"), Err(Code::BadDate));
    assert_eq!(
        datetime(&["%m/%d/%Y"], "6/14/2026 13:05 PM"),
        Err(Code::BadDate)
    );
}

#[test]
fn workbook_dates_need_no_format() {
    let formats = formats(&["%m/%d/%Y"]);
    let mut out = String::new();
    formats
        .write(false, CellKind::Date, "2026-06-14", &mut out)
        .unwrap();
    assert_eq!(out, "2026-06-14");
    out.clear();
    formats
        .write(false, CellKind::DateTime, "2026-06-14T00:00:00", &mut out)
        .unwrap();
    assert_eq!(out, "2026-06-14");
    out.clear();
    formats
        .write(true, CellKind::Date, "2026-06-14", &mut out)
        .unwrap();
    assert_eq!(out, "2026-06-14T00:00:00");
    assert!(
        formats
            .write(false, CellKind::DateTime, "2026-06-14T08:00:00", &mut out)
            .is_err()
    );
}

#[test]
fn invalid_formats_are_refused() {
    let error = |text: &str| DateFormat::compile(text).unwrap_err();
    assert!(error("MM/DD/YYYY").contains("\"%m/%d/%Y\""));
    assert!(error("M/D/YY").contains("\"%m/%d/%y\""));
    for text in [
        "%m/%Y",
        "%m/%d",
        "%d/%Y",
        "%m/%d/%Y %I:%M",
        "%m/%d/%Y %M",
        "%m/%d/%Y %H",
        "%m/%d/%Y %H %S",
    ] {
        assert!(error(text).contains("must contain a year"), "{text}");
    }
    for text in ["%m/%d/%Y %q", "%m/%d/%", "%m/%d/%Y %s", "%m/%d/%Y %Z"] {
        assert!(error(text).contains("not a date format"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(text in any::<String>(), format in "[-%YymdbHMSp/ .]{0,12}") {
        let _ = date(&["%m/%d/%y", "%B %d, %Y %I:%M %p"], &text);
        let _ = DateFormat::compile(&format).map(|format| format.read(&text));
    }

    #[test]
    fn every_day_is_read_back(year in 1_u16..=9999, month in 1_u8..=12, day in 1_u8..=28) {
        let expected = format!("{year:04}-{month:02}-{day:02}");
        prop_assert_eq!(date(&[], &expected), Ok(expected.clone()));
        let american = format!("{month}/{day}/{year:04}");
        prop_assert_eq!(date(&["%m/%d/%Y"], &american), Ok(expected));
    }
}
