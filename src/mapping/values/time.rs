//! Times of day as they stand behind a date.

use super::civil::two;

/// A time of day, with its fraction and offset as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Time<'t> {
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    /// The digits behind the point.
    pub(super) fraction: &'t str,
    pub(super) offset: Option<Offset>,
}

/// How far a time is from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offset {
    /// UTC itself.
    Zulu,
    /// Hours and minutes east or west of it.
    Of { west: bool, hours: u8, minutes: u8 },
}

impl Time<'_> {
    pub(super) fn is_midnight(&self) -> bool {
        self.hour == 0
            && self.minute == 0
            && self.second == 0
            && self.fraction.bytes().all(|byte| byte == b'0')
    }

    /// Writes `THH:MM:SS`, with fraction and offset where there are any.
    pub(super) fn push_iso(&self, out: &mut String) {
        for (mark, number) in [('T', self.hour), (':', self.minute), (':', self.second)] {
            out.push(mark);
            out.push_str(two(number));
        }
        if !self.fraction.is_empty() {
            out.push('.');
            out.push_str(self.fraction);
        }
        match self.offset {
            None => {}
            Some(Offset::Zulu) => out.push('Z'),
            Some(Offset::Of {
                west,
                hours,
                minutes,
            }) => {
                out.push(if west { '-' } else { '+' });
                out.push_str(two(hours));
                out.push(':');
                out.push_str(two(minutes));
            }
        }
    }
}

/// One or two digits from the front; exactly two where `both`.
pub(super) fn two_digits(text: &str, both: bool) -> Option<(u8, &str)> {
    let bytes = text.as_bytes();
    let first = bytes.first().filter(|byte| byte.is_ascii_digit())? - b'0';
    match bytes.get(1).filter(|byte| byte.is_ascii_digit()) {
        Some(second) => Some((first * 10 + (second - b'0'), &text[2..])),
        None if both => None,
        None => Some((first, &text[1..])),
    }
}

/// Digits behind a point, if there is one.
pub(super) fn fraction(text: &str) -> (&str, &str) {
    let Some(behind) = text.strip_prefix('.') else {
        return ("", text);
    };
    let end = behind
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(behind.len());
    if end == 0 {
        ("", text)
    } else {
        behind.split_at(end)
    }
}

/// `Z`, `UTC`, `+05:00`, `-0500` or `+05`.
pub(super) fn offset(text: &str) -> Option<(Offset, &str)> {
    for zulu in ["UTC", "Z", "z"] {
        if let Some(rest) = text.strip_prefix(zulu) {
            return Some((Offset::Zulu, rest));
        }
    }
    let west = text.starts_with('-');
    let (hours, rest) = two_digits(text.strip_prefix(['+', '-'])?, true)?;
    let (minutes, rest) = match rest.strip_prefix(':') {
        Some(rest) => two_digits(rest, true)?,
        None => two_digits(rest, true).unwrap_or((0, rest)),
    };
    (hours <= 18 && minutes <= 59).then_some((
        Offset::Of {
            west,
            hours,
            minutes,
        },
        rest,
    ))
}

/// AM or PM from the front: whether it is PM.
pub(super) fn am_pm(text: &str) -> Option<(bool, &str)> {
    let half = text.get(..2)?;
    if half.eq_ignore_ascii_case("am") {
        Some((false, &text[2..]))
    } else if half.eq_ignore_ascii_case("pm") {
        Some((true, &text[2..]))
    } else {
        None
    }
}

/// An hour of the clock with halves, to one of the day.
pub(super) fn hour_of_half(hour: u8, is_pm: bool) -> Option<u8> {
    (1..=12)
        .contains(&hour)
        .then(|| hour % 12 + if is_pm { 12 } else { 0 })
}

/// The time behind a date: `T00:00:00Z`, ` 3:05 PM`, ` 0:00`. All of the text
/// must be the time.
pub(super) fn behind_date(text: &str) -> Option<Time<'_>> {
    let rest = text.strip_prefix(['T', 't']).or_else(|| {
        text.starts_with([' ', '\t', '\u{a0}', '\u{202f}'])
            .then(|| text.trim_start())
    })?;
    let (mut hour, rest) = two_digits(rest, false)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(':')?, true)?;
    let mut second = 0;
    let mut digits = "";
    if let Some(behind) = rest.strip_prefix(':') {
        (second, rest) = two_digits(behind, true)?;
        (digits, rest) = fraction(rest);
    }
    rest = rest.trim_start();
    if let Some((is_pm, behind)) = am_pm(rest) {
        hour = hour_of_half(hour, is_pm)?;
        rest = behind.trim_start();
    }
    let mut zone = None;
    if !rest.is_empty() {
        let (found, behind) = offset(rest)?;
        zone = Some(found);
        rest = behind;
    }
    let real = hour <= 23 && minute <= 59 && second <= 59 && rest.is_empty();
    real.then_some(Time {
        hour,
        minute,
        second,
        fraction: digits,
        offset: zone,
    })
}
