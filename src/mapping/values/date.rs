//! Dates and datetimes in the formats of a rule, read by jiff's `strtime`.
//!
//! Every format is tried; a text that two formats read as different dates is a
//! problem and never a guess. A midnight time after a date is accepted, and no
//! time zone ever moves a date.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::Offset;

use crate::model::{Cell, CellKind, Code};

use super::ValueError;

/// Formats as people write them and their directives, longer ones first.
const LETTERS: [(&str, &str); 17] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("DDDD", "%A"),
    ("DDD", "%a"),
    ("DD", "%d"),
    ("DD", "%e"),
    ("HH", "%H"),
    ("HH", "%I"),
    ("MM", "%M"),
    ("SS", "%S"),
    ("AM/PM", "%p"),
    ("+HHMM", "%z"),
    ("M", "%m"),
    ("D", "%d"),
];

/// A date format in `strftime` directives.
#[derive(Debug, Clone)]
pub(crate) struct DateFormat {
    text: Box<str>,
    /// The format, with long month names or short ones, and with four digits of
    /// the year where it has two: a spreadsheet writes `1/25/25` back as
    /// `1/25/2025`.
    spellings: Vec<Spelling>,
    /// `mm/dd/YYYY` for `%m/%d/%Y`; empty for a format with any other directive
    /// or letter.
    fixed: Box<str>,
    has_time: bool,
}

/// One form of a format.
#[derive(Debug, Clone)]
struct Spelling {
    format: String,
    /// Which of a text's digit runs has the year, and how long it is: jiff alone
    /// would take `26` for the year 26.
    year_run: (usize, usize),
}

/// A date as a format reads it, with the time after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParsedDate {
    pub(crate) date: Date,
    time: Option<Time>,
    offset: Option<Offset>,
}

impl ParsedDate {
    pub(crate) fn has_time_of_day(&self) -> bool {
        self.time.is_some_and(|time| time != Time::midnight())
    }
}

/// Why a format reads no date from a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateError {
    Mismatch,
    /// The format fits, and the calendar has no such date.
    Invalid,
}

impl DateFormat {
    /// Validates a format; the error says what is wrong with it.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        if !text.contains('%') {
            let example = from_letters(text).unwrap_or_else(|| "%m/%d/%Y".to_owned());
            return Err(format!(
                "\"{text}\" is not a date format; did you mean \"{example}\"?"
            ));
        }
        // An offset is read here, with the format and without: jiff takes no `Z`.
        let format = text.strip_suffix("%z").or(text.strip_suffix("%:z"));
        let format = format.unwrap_or(text).trim_end();
        let mut has_time = false;
        let mut spellings = Vec::new();
        let long = format.replace("%b", "%B").replace("%h", "%B");
        for spelled in [long.replace("%B", "%b"), long] {
            for format in [spelled.replace("%y", "%Y"), spelled] {
                let (spelling, time) = Spelling::of(format)
                    .map_err(|error| format!("\"{text}\" is not a date format: {error}"))?;
                has_time = time.ok_or_else(|| {
                    format!(
                        "\"{text}\" must contain a year (%Y or %y), a month (%m or %b) and a day \
                         (%d), and for a time the hour (%H, or %I with %p) and the minute (%M)"
                    )
                })?;
                spellings.push(spelling);
            }
        }
        spellings.dedup_by(|one, other| one.format == other.format);
        let mut fixed = format.replace("%Y", "YYYY");
        fixed = fixed.replace("%m", "mm").replace("%d", "dd");
        if fixed.contains('%') || fixed.matches(char::is_alphabetic).count() != 8 {
            fixed.clear();
        }
        Ok(Self {
            text: text.into(),
            spellings,
            fixed: fixed.into(),
            has_time,
        })
    }

    /// Reads all of a text.
    pub(crate) fn read(&self, text: &str) -> Result<ParsedDate, DateError> {
        if let Some(date) = self.read_fixed(text) {
            let (time, offset) = (None, None);
            return Ok(ParsedDate { date, time, offset });
        }
        // Exports put these in front of AM and PM.
        let text = if text.is_ascii() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.replace(['\u{a0}', '\u{202f}'], " "))
        };
        let read = |spelling: &Spelling| {
            let (run, length) = spelling.year_run;
            let year = digit_runs(&text).nth(run)?;
            let is_long_enough = year.len() == length;
            is_long_enough.then(|| BrokenDownTime::parse_prefix(&spelling.format, &*text).ok())?
        };
        let mut spellings = self.spellings.iter();
        let (parts, end) = spellings.find_map(read).ok_or(DateError::Mismatch)?;
        let read_rest = || {
            Some(match text.get(end..)? {
                "" if self.has_time => (parts.to_time().ok(), None),
                "" => (None, None),
                rest if self.has_time => {
                    let offset = parse_offset(rest.trim_start())?;
                    (parts.to_time().ok(), Some(offset))
                }
                rest => {
                    let (time, offset) = time_after_date(rest)?;
                    (Some(time), offset)
                }
            })
        };
        let (time, offset) = read_rest().ok_or(DateError::Mismatch)?;
        match parts.to_date() {
            Ok(date) if date.year() > 0 => Ok(ParsedDate { date, time, offset }),
            _ => Err(DateError::Invalid),
        }
    }

    /// Reads what most dates are, two digits for month and day and four for the
    /// year, several times faster than jiff does.
    fn read_fixed(&self, text: &str) -> Option<Date> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        if text.len() != self.fixed.len() {
            return None;
        }
        for (form, byte) in self.fixed.bytes().zip(text.bytes()) {
            let number = match form {
                b'Y' => &mut year,
                b'm' => &mut month,
                b'd' => &mut day,
                _ if form == byte => continue,
                _ => return None,
            };
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            *number = *number * 10 + i16::from(digit);
        }
        let date = Date::new(year, month as i8, day as i8).ok()?;
        (year > 0).then_some(date)
    }

    /// `MM/DD/YYYY` for `%m/%d/%Y`.
    fn in_letters(&self) -> String {
        let mut text = self.text.replace("%-", "%");
        for (letters, directive) in LETTERS {
            text = text.replace(directive, letters);
        }
        text
    }
}

fn digit_runs(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes()
        .split(|byte| !byte.is_ascii_digit())
        .filter(|run| !run.is_empty())
}

impl Spelling {
    /// With whether the format has a time; none where it says no whole date, or a
    /// part of a time.
    fn of(format: String) -> Result<(Self, Option<bool>), jiff::Error> {
        let sample = |year| DateTime::constant(year, 11, 23, 16, 45, 0, 0);
        let write = |year| strtime::format(&format, sample(year));
        let (one, other) = (write(2027)?, write(1968)?);
        let parts = BrokenDownTime::parse(&format, &one)?;
        // The year is the run in which the dates of two years differ.
        let pairs = digit_runs(&one).zip(digit_runs(&other)).enumerate();
        let mut different = pairs.filter(|(_, (one, other))| one != other);
        let year = different.next().map(|(run, (year, _))| (run, year.len()));
        let year_run = year.unwrap_or_default();
        let is_date = parts
            .to_date()
            .is_ok_and(|date| date == sample(2027).date());
        let time = parts.to_time().ok();
        let has_time = [(Time::midnight(), false), (sample(2027).time(), true)];
        let has_time = has_time.iter().find(|(known, _)| Some(*known) == time);
        let has_time = has_time.filter(|_| is_date).map(|(_, has_time)| *has_time);
        Ok((Self { format, year_run }, has_time))
    }
}

/// `%m/%d/%Y` for `MM/DD/YYYY`.
fn from_letters(text: &str) -> Option<String> {
    let format = LETTERS
        .iter()
        .fold(text.to_uppercase(), |format, (letters, directive)| {
            format.replacen(letters, directive, 1)
        });
    (format.contains('%') && DateFormat::compile(&format).is_ok()).then_some(format)
}

/// The time after a date: `T00:00:00Z`, ` 3:05 PM`, ` 0:00`.
fn time_after_date(text: &str) -> Option<(Time, Option<Offset>)> {
    let clock = text.strip_prefix(['T', 't', ' ', '\t'])?.trim();
    let offset_at = clock.find(['Z', 'z', 'U', '+', '-']);
    let (clock, offset) = match offset_at {
        Some(at) => (clock[..at].trim_end(), Some(parse_offset(&clock[at..])?)),
        None => (clock, None),
    };
    let formats = ["%H:%M", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S%.f %p"];
    let mut times = formats.iter().map(|format| Time::strptime(format, clock));
    let time = times.find_map(Result::ok)?;
    let two_digits = |part: &str| part.bytes().take(2).filter(u8::is_ascii_digit).count() == 2;
    let is_padded = clock.split(':').skip(1).all(two_digits);
    is_padded.then_some((time, offset))
}

/// `Z`, `UTC`, `+05:00`, `-0500` or `+05`.
fn parse_offset(text: &str) -> Option<Offset> {
    if text == "UTC" || text.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    ["%:::z", "%z"]
        .iter()
        .find_map(|format| BrokenDownTime::parse(format, text).ok()?.offset())
}

/// The formats of one rule.
#[derive(Debug, Clone)]
pub(in crate::mapping) struct DateFormats(Vec<DateFormat>);

impl DateFormats {
    /// `%Y-%m-%d` where none is given. One error for each format.
    pub(in crate::mapping) fn compile(formats: &[String]) -> (Self, Vec<String>) {
        let mut errors = Vec::new();
        let iso = "%Y-%m-%d".to_owned();
        let formats = if formats.is_empty() { &[iso] } else { formats };
        let compiled = formats.iter().filter_map(|format| {
            let compiled = DateFormat::compile(format);
            compiled.map_err(|error| errors.push(error)).ok()
        });
        (Self(compiled.collect()), errors)
    }

    /// Writes the date; with its time as `YYYY-MM-DDTHH:MM:SS` and the offset, if
    /// there is one. Without it a time must be midnight.
    pub(super) fn write(
        &self,
        with_time: bool,
        kind: CellKind,
        text: &str,
        out: &mut String,
    ) -> Result<Date, ValueError> {
        let parsed = self.read(kind, text)?;
        let bad = |message| ValueError::new(Code::BadDate, message);
        if !with_time {
            if parsed.has_time_of_day() {
                return Err(bad("the date has a time of day")
                    .hint("use type = \"datetime\" to send the time too"));
            }
            push(parsed.date, out);
            return Ok(parsed.date);
        }
        let Some(time) = parsed.time else {
            return Err(
                bad("the time of day is missing").hint("use type = \"date\" to send only the date")
            );
        };
        let precision = match time.subsec_nanosecond() {
            0 => 0,
            nanoseconds if nanoseconds % 1_000_000 == 0 => 3,
            _ => 9,
        };
        push(format_args!("{}T{time:.precision$}", parsed.date), out);
        match parsed.offset {
            None => {}
            Some(Offset::UTC) => out.push('Z'),
            Some(_) => {
                let mut parts = BrokenDownTime::default();
                parts.set_offset(parsed.offset);
                push(parts.to_string("%:z").unwrap_or_default(), out);
            }
        }
        Ok(parsed.date)
    }

    /// The day that a text is, if it is one.
    pub(in crate::mapping) fn day(&self, cell: Cell<'_>) -> Option<Date> {
        let parsed = self.read(cell.kind, cell.text.trim());
        parsed.ok().map(|parsed| parsed.date)
    }

    fn read(&self, kind: CellKind, text: &str) -> Result<ParsedDate, ValueError> {
        // A workbook's own dates need no format; a date's time is midnight.
        if matches!(kind, CellKind::Date | CellKind::DateTime)
            && let Ok(read) = text.parse::<DateTime>()
        {
            return Ok(ParsedDate {
                date: read.date(),
                time: Some(read.time()),
                offset: None,
            });
        }
        let mut found: Option<ParsedDate> = None;
        let mut error = DateError::Mismatch;
        for format in &self.0 {
            match format.read(text) {
                Err(DateError::Mismatch) => {}
                Err(DateError::Invalid) => error = DateError::Invalid,
                Ok(read) if found.is_some_and(|found| found != read) => {
                    return Err(ValueError::new(
                        Code::AmbiguousDate,
                        format!("matches {} as different dates", self.in_letters(" and ")),
                    )
                    .hint("keep only the format that the file uses"));
                }
                Ok(read) => found = Some(read),
            }
        }
        found.ok_or_else(|| self.error(error, text))
    }

    fn in_letters(&self, separator: &str) -> String {
        let formats: Vec<String> = self.0.iter().map(DateFormat::in_letters).collect();
        formats.join(separator)
    }

    #[cold]
    fn error(&self, error: DateError, text: &str) -> ValueError {
        let formats = self.in_letters(" or ");
        let is_invalid = |format: &DateFormat| format.read(&with_ones(text)).is_ok();
        if error == DateError::Invalid || self.0.iter().any(is_invalid) {
            return ValueError::new(Code::BadDate, "invalid date")
                .hint(format!("the expected format is {formats}"));
        }
        let error = ValueError::new(Code::BadDate, format!("does not match {formats}"));
        let with_short_year = |format: &DateFormat| {
            let short = format.text.replace("%Y", "%y");
            let compiled = DateFormat::compile(&short).ok()?;
            compiled.read(text).is_ok().then_some(short)
        };
        if let Some(short) = self.0.iter().find_map(with_short_year) {
            return error.hint(format!(
                "to accept years of two digits, add \"{short}\" to `formats`"
            ));
        }
        if is_serial_number(text) {
            error.hint("looks like a spreadsheet serial number: format the column as a date and export again")
        } else if text.starts_with('#') {
            error
                .hint("the spreadsheet cell has an error or is too narrow: fix it and export again")
        } else {
            error
        }
    }
}

/// The text with every number of one or two digits replaced by 1: it has the
/// form of a date even where jiff refuses a month of 13.
fn with_ones(text: &str) -> String {
    let is_other = |c: char| !c.is_ascii_digit();
    let mut ones = String::with_capacity(text.len());
    for run in text.split_inclusive(is_other) {
        let digits = run.trim_end_matches(is_other);
        let is_short = (1..=2).contains(&digits.len());
        ones.push_str(if is_short { "01" } else { digits });
        ones.push_str(&run[digits.len()..]);
    }
    ones
}

fn push(value: impl std::fmt::Display, out: &mut String) {
    // Writing to a String can't fail.
    let _ = write!(out, "{value}");
}

/// Days since 1900 for a date from 1954 to 2064.
fn is_serial_number(text: &str) -> bool {
    text.split('.').next().is_some_and(|days| days.len() == 5)
        && text
            .parse::<f64>()
            .is_ok_and(|days| (20_000.0..60_000.0).contains(&days))
}

#[cfg(test)]
mod tests;
