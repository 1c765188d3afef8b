//! Date formats in `strftime` letters, compiled once.
//!
//! Reading is strict: a year is four digits (`%Y`) or two (`%y`: 00 to 68 are
//! 2000 to 2068, 69 to 99 are 1969 to 1999, as POSIX has it), month and day are
//! one or two, and two where another number follows at once.

use std::fmt;

use super::civil::Civil;
use super::time::{Offset, Time, am_pm, behind_date, fraction, hour_of_half, offset, two_digits};

/// A compiled format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    text: Box<str>,
    items: Box<[Item]>,
    has_time: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Byte(u8),
    Literal(char),
    Space,
    Year4,
    Year2,
    /// `both`: exactly two digits.
    Month {
        both: bool,
    },
    Day {
        both: bool,
    },
    MonthName,
    Weekday,
    Hour {
        both: bool,
    },
    Hour12 {
        both: bool,
    },
    Minute,
    Second,
    Fraction,
    AmPm,
    Offset,
}

/// What a text says when read by a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp<'t> {
    /// None where the calendar has no such day.
    pub(super) date: Option<Civil>,
    pub(super) time: Option<Time<'t>>,
    /// What stands behind the format's last letter.
    pub(super) rest: &'t str,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl DateFormat {
    /// Compiles a format; the error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        if !text.contains('%') {
            return Err(match in_letters(text) {
                Some(meant) => format!("\"{text}\" is no date format; did you mean \"{meant}\"?"),
                None => format!("\"{text}\" is no date format; write one such as \"%m/%d/%Y\""),
            });
        }
        push_items(text, &mut items)?;
        for at in 0..items.len() {
            let number_follows = matches!(
                items.get(at + 1),
                Some(
                    Item::Year4
                        | Item::Year2
                        | Item::Month { .. }
                        | Item::Day { .. }
                        | Item::Hour { .. }
                        | Item::Hour12 { .. }
                        | Item::Minute
                        | Item::Second
                )
            );
            if let Item::Month { both }
            | Item::Day { both }
            | Item::Hour { both }
            | Item::Hour12 { both } = &mut items[at]
            {
                *both = number_follows;
            }
        }
        let count = |is: fn(&Item) -> bool| items.iter().filter(|item| is(item)).count();
        for (found, what) in [
            (
                count(|item| matches!(item, Item::Year4 | Item::Year2)),
                "a year (%Y or %y)",
            ),
            (
                count(|item| matches!(item, Item::Month { .. } | Item::MonthName)),
                "a month (%m or %b)",
            ),
            (count(|item| matches!(item, Item::Day { .. })), "a day (%d)"),
        ] {
            if found != 1 {
                return Err(format!("\"{text}\" must have {what} exactly once"));
            }
        }
        let hours = count(|item| matches!(item, Item::Hour { .. }));
        let halves = count(|item| matches!(item, Item::Hour12 { .. }));
        let marks = count(|item| matches!(item, Item::AmPm));
        let minutes = count(|item| matches!(item, Item::Minute));
        let smaller = minutes + count(|item| matches!(item, Item::Second | Item::Offset));
        if halves != marks {
            return Err(format!("\"{text}\" must have %I and %p together"));
        }
        if hours + halves > 1 || (hours + halves == 0 && smaller > 0) || hours + halves != minutes {
            return Err(format!(
                "\"{text}\" must have its hour (%H, or %I with %p) and minute (%M) together"
            ));
        }
        Ok(Self {
            text: text.into(),
            items: items.into(),
            has_time: hours + halves > 0,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The day that the whole of a text says, and whether a time of day other
    /// than midnight stands behind it.
    pub fn day_of(&self, text: &str) -> Option<(Civil, bool)> {
        let stamp = self.read(text.trim())?;
        let time = match stamp.time {
            None if !stamp.rest.is_empty() => Some(behind_date(stamp.rest)?),
            _ if !stamp.rest.is_empty() => return None,
            time => time,
        };
        Some((stamp.date?, time.is_some_and(|time| !time.is_midnight())))
    }

    /// Reads the front of a text; none where it has another form.
    pub(super) fn read<'t>(&self, text: &'t str) -> Option<Stamp<'t>> {
        let (mut year, mut month, mut day) = (0_u16, 0, 0);
        let mut time = Time::default();
        let (mut half_hour, mut is_pm) = (None, false);
        let mut rest = text;
        for item in &self.items {
            match *item {
                Item::Byte(wanted) if rest.as_bytes().first() == Some(&wanted) => {
                    rest = &rest[1..];
                }
                Item::Byte(_) => return None,
                Item::Literal(wanted) => rest = rest.strip_prefix(wanted)?,
                Item::Space => {
                    let behind = rest.trim_start();
                    if behind.len() == rest.len() {
                        return None;
                    }
                    rest = behind;
                }
                Item::Year4 => {
                    let (century, behind) = two_digits(rest, true)?;
                    let (years, behind) = two_digits(behind, true)?;
                    year = u16::from(century) * 100 + u16::from(years);
                    rest = behind;
                }
                Item::Year2 => {
                    let (years, behind) = two_digits(rest, true)?;
                    year = u16::from(years) + if years <= 68 { 2000 } else { 1900 };
                    rest = behind;
                }
                Item::Month { both } => (month, rest) = two_digits(rest, both)?,
                Item::Day { both } => (day, rest) = two_digits(rest, both)?,
                Item::MonthName => {
                    let (at, behind) = named(&MONTHS, rest)?;
                    month = at + 1;
                    rest = behind;
                }
                Item::Weekday => (_, rest) = named(&WEEKDAYS, rest)?,
                Item::Hour { both } => (time.hour, rest) = two_digits(rest, both)?,
                Item::Hour12 { both } => {
                    let (hour, behind) = two_digits(rest, both)?;
                    half_hour = Some(hour);
                    rest = behind;
                }
                Item::Minute => (time.minute, rest) = two_digits(rest, true)?,
                Item::Second => (time.second, rest) = two_digits(rest, true)?,
                Item::Fraction => (time.fraction, rest) = fraction(rest),
                Item::AmPm => (is_pm, rest) = am_pm(rest)?,
                Item::Offset => {
                    let found: (Offset, &str) = offset(rest)?;
                    time.offset = Some(found.0);
                    rest = found.1;
                }
            }
        }
        // A digit behind the last letter belongs to a number cut in two.
        if rest.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        if let Some(hour) = half_hour {
            time.hour = hour_of_half(hour, is_pm)?;
        }
        if time.hour > 23 || time.minute > 59 || time.second > 59 {
            return None;
        }
        Some(Stamp {
            date: Civil::new(year, month, day),
            time: self.has_time.then_some(time),
            rest,
        })
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A month or weekday, by its first three letters or its whole name.
fn named<'t>(names: &[&str], text: &'t str) -> Option<(u8, &'t str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let at = names.iter().position(|name| {
        word.eq_ignore_ascii_case(name)
            || word.eq_ignore_ascii_case(&name[..3])
            || (word.eq_ignore_ascii_case("sept") && *name == "september")
    })?;
    Some((at as u8, rest))
}

fn literal(c: char) -> Item {
    if c.is_ascii() {
        Item::Byte(c as u8)
    } else {
        Item::Literal(c)
    }
}

fn push_items(text: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            if items.last() != Some(&Item::Space) {
                items.push(Item::Space);
            }
            continue;
        }
        if c != '%' {
            items.push(literal(c));
            continue;
        }
        let mut flags = String::new();
        while let Some(flag @ ('-' | '_' | '0' | '.' | ':')) = chars.peek().copied() {
            flags.push(flag);
            chars.next();
        }
        let letter = chars.next().unwrap_or(' ');
        match letter {
            'Y' => items.push(Item::Year4),
            'y' => items.push(Item::Year2),
            'm' => items.push(Item::Month { both: false }),
            'd' | 'e' => items.push(Item::Day { both: false }),
            'b' | 'B' | 'h' => items.push(Item::MonthName),
            'a' | 'A' => items.push(Item::Weekday),
            'H' | 'k' => items.push(Item::Hour { both: false }),
            'I' | 'l' => items.push(Item::Hour12 { both: false }),
            'M' => items.push(Item::Minute),
            'S' => items.push(Item::Second),
            'f' => items.push(Item::Fraction),
            'p' | 'P' => items.push(Item::AmPm),
            'z' => items.push(Item::Offset),
            'D' => push_items("%m/%d/%y", items)?,
            'F' => push_items("%Y-%m-%d", items)?,
            'T' => push_items("%H:%M:%S", items)?,
            'R' => push_items("%H:%M", items)?,
            '%' => items.push(literal('%')),
            _ => {
                return Err(format!(
                    "\"%{flags}{letter}\" is not known in \"{text}\"; known are %Y %y %m %d %b %B %a %A %H %I %M %S %f %p %z"
                ));
            }
        }
    }
    Ok(())
}

/// `MM/DD/YYYY` as it would be written here.
fn in_letters(text: &str) -> Option<String> {
    let mut out = text.to_uppercase();
    for (letters, meant) in [
        ("YYYY", "%Y"),
        ("YY", "%y"),
        ("MMMM", "%B"),
        ("MMM", "%b"),
        ("MM", "%m"),
        ("DD", "%d"),
    ] {
        out = out.replacen(letters, meant, 1);
    }
    // A single M or D that stands by itself.
    let chars: Vec<char> = out.chars().collect();
    let mut meant = String::new();
    for (at, c) in chars.iter().enumerate() {
        let after_percent = at > 0 && chars[at - 1] == '%';
        match c {
            'M' | 'D' if !after_percent => {
                meant.push('%');
                meant.push(c.to_ascii_lowercase());
            }
            _ => meant.push(*c),
        }
    }
    (meant.contains('%') && DateFormat::compile(&meant).is_ok()).then_some(meant)
}
