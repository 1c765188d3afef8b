//! Days of the calendar, with no time and no zone that could shift them.

/// A day that the calendar has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, as the month has them.
    pub day: u8,
}

impl Civil {
    /// The day, if the calendar has it.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let real = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_of(year, month);
        real.then_some(Self { year, month, day })
    }

    /// Writes `YYYY-MM-DD`.
    pub(super) fn push_iso(self, out: &mut String) {
        out.push_str(two((self.year / 100) as u8));
        out.push_str(two((self.year % 100) as u8));
        out.push('-');
        out.push_str(two(self.month));
        out.push('-');
        out.push_str(two(self.day));
    }
}

/// A number under 100 as two digits.
pub(super) fn two(number: u8) -> &'static str {
    const DIGITS: &str = concat!(
        "00010203040506070809101112131415161718192021222324",
        "25262728293031323334353637383940414243444546474849",
        "50515253545556575859606162636465666768697071727374",
        "75767778798081828384858687888990919293949596979899",
    );
    let at = usize::from(number % 100) * 2;
    &DIGITS[at..at + 2]
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_the_calendar_has() {
        assert!(Civil::new(2024, 2, 29).is_some());
        assert!(Civil::new(2000, 2, 29).is_some());
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2026, 4, 31),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 1, 0),
            (0, 1, 1),
        ] {
            assert_eq!(Civil::new(year, month, day), None);
        }
        let mut out = String::new();
        Civil::new(2026, 6, 4).unwrap().push_iso(&mut out);
        assert_eq!(out, "2026-06-04");
    }
}
