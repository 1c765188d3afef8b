//! Dates and dates with a time: every format is tried, and what two formats
//! read differently is a problem, never a guess.

use crate::model::{CellKind, Code};

use super::ValueError;
use super::civil::Civil;
use super::date_format::{DateFormat, Stamp};
use super::time::{Time, behind_date};

/// The formats of one rule.
#[derive(Debug, Clone, Default)]
pub(in crate::mapping) struct DateRules {
    formats: Vec<DateFormat>,
}

/// How the formats read a text.
enum Read<'t> {
    One(Civil, Option<Time<'t>>),
    Many,
    /// The form fits, and the calendar has no such day.
    Unreal,
    /// A date, and behind it something that is no time.
    None,
}

impl DateRules {
    /// Of these formats, or of `%Y-%m-%d` where there are none.
    pub(in crate::mapping) fn new(mut formats: Vec<DateFormat>) -> Result<Self, String> {
        if formats.is_empty() {
            formats.push(DateFormat::compile("%Y-%m-%d")?);
        }
        Ok(Self { formats })
    }

    /// Writes the day; a time must be midnight.
    pub(super) fn date(
        &self,
        kind: CellKind,
        text: &str,
        out: &mut String,
    ) -> Result<Civil, ValueError> {
        let (day, time) = self.read(kind, text)?;
        if time.is_some_and(|time| !time.is_midnight()) {
            return Err(ValueError::new(Code::BadDate, "a date with a time of day")
                .hint("use type = \"datetime\" where the time is meant"));
        }
        day.push_iso(out);
        Ok(day)
    }

    /// Writes day and time; both must be there.
    pub(super) fn datetime(
        &self,
        kind: CellKind,
        text: &str,
        out: &mut String,
    ) -> Result<Civil, ValueError> {
        let (day, time) = self.read(kind, text)?;
        let time = match time {
            Some(time) => time,
            // The workbook says that the cell is a date: its time is midnight.
            None if kind == CellKind::Date => Time::default(),
            None => {
                return Err(
                    ValueError::new(Code::BadDate, "a date without a time of day")
                        .hint("use type = \"date\" where only the day is meant"),
                );
            }
        };
        day.push_iso(out);
        time.push_iso(out);
        Ok(day)
    }

    fn read<'t>(
        &self,
        kind: CellKind,
        text: &'t str,
    ) -> Result<(Civil, Option<Time<'t>>), ValueError> {
        if matches!(kind, CellKind::Date | CellKind::DateTime)
            && let Some(stamp) = iso(text)
        {
            return Ok(stamp);
        }
        match self.read_text(text) {
            Read::One(day, time) => Ok((day, time)),
            Read::Many => Err(ValueError::new(
                Code::AmbiguousDate,
                format!("fits {} with different meaning", self.listed()),
            )
            .hint("keep the one format in the config that the file is written in")),
            Read::Unreal => Err(ValueError::new(
                Code::BadDate,
                "a day that the calendar does not have",
            )),
            Read::None => Err(self.misfit(text)),
        }
    }

    fn read_text<'t>(&self, text: &'t str) -> Read<'t> {
        let mut found: Option<(Civil, Option<Time<'t>>)> = None;
        let mut unreal = false;
        for format in &self.formats {
            let Some(Stamp {
                date,
                mut time,
                rest,
            }) = format.read(text)
            else {
                continue;
            };
            if !rest.is_empty() {
                match behind_date(rest) {
                    Some(behind) if time.is_none() => time = Some(behind),
                    _ => continue,
                }
            }
            match (date, found) {
                (None, _) => unreal = true,
                (Some(day), Some(before)) if before != (day, time) => return Read::Many,
                (Some(day), _) => found = Some((day, time)),
            }
        }
        match found {
            Some((day, time)) => Read::One(day, time),
            None if unreal => Read::Unreal,
            None => Read::None,
        }
    }

    fn listed(&self) -> String {
        let formats: Vec<&str> = self.formats.iter().map(DateFormat::as_str).collect();
        formats.join(" and ")
    }

    #[cold]
    fn misfit(&self, text: &str) -> ValueError {
        let fault = ValueError::new(
            Code::BadDate,
            match self.formats.as_slice() {
                [format] => format!("no date of the form {format}"),
                _ => format!("no date of the forms {}", self.listed()),
            },
        );
        if is_serial(text) {
            fault.hint("it looks like a spreadsheet's serial number; format the column as a date and export again")
        } else if text.starts_with('#') {
            fault.hint("the spreadsheet shows an error or a column too narrow in its place")
        } else {
            fault
        }
    }
}

/// As the reader of workbooks writes it.
fn iso(text: &str) -> Option<(Civil, Option<Time<'_>>)> {
    let day = Civil::new(
        text.get(0..4)?.parse().ok()?,
        text.get(5..7)?.parse().ok()?,
        text.get(8..10)?.parse().ok()?,
    )?;
    match text.get(10..)? {
        "" => Some((day, None)),
        behind => Some((day, Some(behind_date(behind)?))),
    }
}

/// Days since 1900 for some date from 1954 to 2064.
fn is_serial(text: &str) -> bool {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.len() == 5
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && text
            .parse::<f64>()
            .is_ok_and(|days| (20_000.0..60_000.0).contains(&days))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(formats: &[&str]) -> DateRules {
        DateRules::new(
            formats
                .iter()
                .map(|format| DateFormat::compile(format).unwrap())
                .collect(),
        )
        .unwrap()
    }

    fn date(formats: &[&str], text: &str) -> Result<String, Code> {
        let mut out = String::new();
        match rules(formats).date(CellKind::Text, text, &mut out) {
            Ok(_) => Ok(out),
            Err(fault) => Err(fault.code),
        }
    }

    fn datetime(formats: &[&str], text: &str) -> Result<String, Code> {
        let mut out = String::new();
        match rules(formats).datetime(CellKind::Text, text, &mut out) {
            Ok(_) => Ok(out),
            Err(fault) => Err(fault.code),
        }
    }

    #[test]
    fn dates_by_their_formats() {
        for (format, text, wanted) in [
            ("%m/%d/%y", "6/14/26", "2026-06-14"),
            ("%m/%d/%y", "06/14/26 0:00", "2026-06-14"),
            ("%m/%d/%y", "6/14/68", "2068-06-14"),
            ("%m/%d/%y", "6/14/69", "1969-06-14"),
            ("%-m/%-d/%Y", "6/4/2026 12:00:00 AM", "2026-06-04"),
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
                Ok(wanted),
                "{format} {text}"
            );
        }
    }

    #[test]
    fn without_formats_only_iso_will_do() {
        assert_eq!(date(&[], "2026-06-14").as_deref(), Ok("2026-06-14"));
        assert_eq!(
            date(&[], "2026-06-14T00:00:00Z").as_deref(),
            Ok("2026-06-14")
        );
        assert_eq!(date(&[], "6/14/2026"), Err(Code::BadDate));
    }

    #[test]
    fn what_fits_no_format_is_a_problem() {
        for text in [
            "2/30/2026",
            "13/1/2026",
            "6/14/26",
            "6/14/2026x",
            "6/14/2026 9:30",
            "6/14/20260",
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
        let fault = rules(&[]).date(CellKind::Number, "45000", &mut String::new());
        assert!(fault.unwrap_err().hint.unwrap().contains("serial"));
    }

    #[test]
    fn two_readings_are_ambiguous_and_one_is_not() {
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
    fn times_are_kept_with_their_offset() {
        for (formats, text, wanted) in [
            (&[][..], "2026-06-14T09:30", "2026-06-14T09:30:00"),
            (&[], "2026-06-14 09:30:15", "2026-06-14T09:30:15"),
            (&[], "2026-06-14T09:30:15.250Z", "2026-06-14T09:30:15.250Z"),
            (&[], "2026-06-14T09:30:15-0800", "2026-06-14T09:30:15-08:00"),
            (&["%m/%d/%Y"], "6/14/2026 3:05 PM", "2026-06-14T15:05:00"),
            (
                &["%m/%d/%Y %I:%M %p"],
                "6/14/2026 12:05 am",
                "2026-06-14T00:05:00",
            ),
        ] {
            assert_eq!(datetime(formats, text).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(datetime(&[], "2026-06-14"), Err(Code::BadDate));
        assert_eq!(
            datetime(&["%m/%d/%Y"], "6/14/2026 13:05 PM"),
            Err(Code::BadDate)
        );
    }

    #[test]
    fn a_workbooks_dates_need_no_format() {
        let rules = rules(&["%m/%d/%Y"]);
        let mut out = String::new();
        rules.date(CellKind::Date, "2026-06-14", &mut out).unwrap();
        assert_eq!(out, "2026-06-14");
        out.clear();
        rules
            .date(CellKind::DateTime, "2026-06-14T00:00:00", &mut out)
            .unwrap();
        assert_eq!(out, "2026-06-14");
        out.clear();
        rules
            .datetime(CellKind::Date, "2026-06-14", &mut out)
            .unwrap();
        assert_eq!(out, "2026-06-14T00:00:00");
        assert!(
            rules
                .date(CellKind::DateTime, "2026-06-14T08:00:00", &mut out)
                .is_err()
        );
    }

    #[test]
    fn wrong_formats_are_told() {
        let wrong = |text: &str| DateFormat::compile(text).unwrap_err();
        assert!(wrong("MM/DD/YYYY").contains("\"%m/%d/%Y\""));
        assert!(wrong("M/D/YY").contains("\"%m/%d/%y\""));
        assert!(wrong("%m/%Y").contains("a day"));
        assert!(wrong("%m/%d/%Y %q").contains("%q"));
        assert!(wrong("%m/%d/%Y %I:%M").contains("%p"));
        assert!(wrong("%m/%d/%Y %M").contains("%H"));
        assert!(wrong("%d/%d/%m/%Y").contains("once"));
        assert!(wrong("%m/%d/%").contains("not known"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), format in "[-%YymdbHMSp/ .]{0,12}") {
            let _ = date(&["%m/%d/%y", "%B %d, %Y %I:%M %p"], &text);
            let _ = DateFormat::compile(&format).map(|format| format.day_of(&text));
        }

        #[test]
        fn every_day_survives(year in 1_u16..=9999, month in 1_u8..=12, day in 1_u8..=28) {
            let wanted = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(date(&[], &wanted), Ok(wanted.clone()));
            let american = format!("{month}/{day}/{year:04}");
            prop_assert_eq!(date(&["%m/%d/%Y"], &american), Ok(wanted));
        }
    }
}
