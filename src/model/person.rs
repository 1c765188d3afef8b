//! Who a case is about, as far as two cases can be compared by it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The person and the incident of a case: each field in a form in which two
/// spellings of one value are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person(Box<str>);

/// The fields of a [`Person`] by which two cases of one name are probably the
/// same, as their positions in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum PersonField {
    Phone = 1,
    #[strum(to_string = "e-mail")]
    Email,
    #[strum(to_string = "incident date")]
    IncidentDate,
}

impl PersonField {
    pub(crate) const CONTACTS: [Self; 3] = [Self::Phone, Self::Email, Self::IncidentDate];
}

impl Person {
    /// Name, phone, e-mail, incident date, birth date and case type.
    pub(crate) const FIELDS: usize = 6;

    /// One line a field.
    pub(crate) fn from_lines(lines: &str) -> Self {
        Self(lines.into())
    }

    /// Empty where a field is not filled.
    pub(crate) fn fields(&self) -> [&str; Person::FIELDS] {
        person_fields(&self.0)
    }
}

/// The fields of a person's text.
pub(crate) fn person_fields(lines: &str) -> [&str; Person::FIELDS] {
    let mut lines = lines.split('\n');
    [(); Person::FIELDS].map(|()| lines.next().unwrap_or_default())
}

/// The date that a text is, in the forms that a spreadsheet gives it: year first,
/// or month first as in the US unless there is no such month. Its time must be
/// midnight.
pub(crate) fn date_of(text: &str) -> Option<Date> {
    let text = text.trim();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let clock = time.split(['Z', '+', '-']).next()?;
    let is_midnight = |c: char| matches!(c, '0' | ':' | '.' | ' ');
    if !clock.chars().all(is_midnight) && clock != "12:00:00 AM" {
        return None;
    }
    let mut numbers = date.split(['-', '/', '.']).map(|part| {
        let is_number = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Some((part.parse::<i16>().ok()?, part.len())))?
    });
    let [first, second, third] = [numbers.next()??, numbers.next()??, numbers.next()??];
    if numbers.next().is_some() {
        return None;
    }
    let (year, month, day) = match (first, second, third) {
        ((year, 4), (month, _), (day, _)) | ((month, _), (day, _), (year, 4)) => (year, month, day),
        ((month, _), (day, _), (year, 2)) => {
            (year + if year < 69 { 2000 } else { 1900 }, month, day)
        }
        _ => return None,
    };
    let date =
        |month: i16, day: i16| Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok();
    date(month, day).or_else(|| date(day, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_of_spreadsheets() {
        for text in [
            "2026-01-05",
            "1/5/2026",
            "01/05/26",
            "2026-01-05T00:00:00",
            "2026-01-05T00:00:00Z",
            "1/5/2026 0:00",
            "1/5/2026 12:00:00 AM",
        ] {
            assert_eq!(date_of(text), Date::new(2026, 1, 5).ok(), "{text}");
        }
        assert_eq!(date_of("13.1.2026"), Date::new(2026, 1, 13).ok());
        for text in [
            "",
            "L-1",
            "2026-01",
            "702-555-0101",
            "1/5/2026 3:00",
            "1-2-3",
            "1.2.3.4",
        ] {
            assert_eq!(date_of(text), None, "{text}");
        }
    }
}
