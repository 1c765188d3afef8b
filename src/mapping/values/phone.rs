//! Phone numbers to E.164: North American ones by the rules of their numbering
//! plan, others by their `+`.
//!
//! Of a North American number the area code begins with 2 to 9, its second
//! digit is no 9 (kept for growth), and it is no `N11`; the exchange begins
//! with 2 to 9 and is no `N11` either.

use crate::model::Code;

use super::ValueError;

/// The number in a text in E.164, if it is one.
pub fn phone_of(text: &str) -> Option<String> {
    let mut out = String::new();
    phone(text.trim(), &mut out).ok().map(|()| out)
}

pub(super) fn phone(text: &str, out: &mut String) -> Result<(), ValueError> {
    let mut digits = [0_u8; 15];
    let mut count = 0;
    let (international, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'0'..=b'9' if count == digits.len() => return Err(not_a_phone(text)),
            b'0'..=b'9' => {
                digits[count] = byte;
                count += 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' | b'\t' => {}
            // No-break spaces and dashes of word processors.
            0xc2 if bytes.next() == Some(0xa0) => {}
            0xe2 if bytes.next() == Some(0x80)
                && matches!(bytes.next(), Some(0x90..=0x95 | 0xaf)) => {}
            _ => return Err(not_a_phone(text)),
        }
    }
    let digits = &digits[..count];
    let national = match digits {
        [b'1', national @ ..] if count == 11 => Some(national),
        _ if !international && count == 10 => Some(digits),
        _ => None,
    };
    out.push('+');
    match national {
        Some(national) if is_north_american(national) => {
            out.push('1');
            push_digits(national, out);
            Ok(())
        }
        None if international
            && (8..=15).contains(&count)
            && !matches!(digits, [b'0' | b'1', ..]) =>
        {
            push_digits(digits, out);
            Ok(())
        }
        _ => Err(not_a_phone(text)),
    }
}

fn push_digits(digits: &[u8], out: &mut String) {
    // Digits are always text.
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

fn is_north_american(digits: &[u8]) -> bool {
    let &[[area, second, third], [office, fifth, sixth], ..] = digits.as_chunks::<3>().0 else {
        return false;
    };
    let is_n11 = |second, third| second == b'1' && third == b'1';
    area >= b'2'
        && second != b'9'
        && !is_n11(second, third)
        && office >= b'2'
        && !is_n11(fifth, sixth)
}

#[cold]
fn not_a_phone(text: &str) -> ValueError {
    let fault = ValueError::new(Code::BadPhone, "not a phone number");
    let count = text.bytes().filter(u8::is_ascii_digit).count();
    let lower = text.to_ascii_lowercase();
    if count > 10 && ["x", "ext", "#"].iter().any(|mark| lower.contains(mark)) {
        fault.hint("an extension is no part of a phone number; move it to a column of its own")
    } else if lower.contains("e+") {
        fault.hint("a spreadsheet has rounded it; export the column as text")
    } else if text.contains([';', ',', '|']) || lower.contains(" or ") {
        fault.hint("keep one number; others need a column of their own")
    } else if text.starts_with("00") || text.starts_with("011") {
        fault.hint("write a number from abroad with + and its country code")
    } else if count == 7 {
        fault.hint("the area code is missing")
    } else if count == 10 || (count == 11 && !text.starts_with('+')) {
        fault.hint("no North American number; others need + and their country code")
    } else {
        fault.hint("10 digits, or + with a country code and 8 to 15 digits in all")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_number_in_many_shapes() {
        for text in [
            "(702) 555-0101",
            "(702)555-0101",
            "702-555-0101",
            "702.555.0101",
            "702 555 0101",
            "7025550101",
            "17025550101",
            "1-702-555-0101",
            "1 (702) 555-0101",
            "+1 702 555 0101",
            "+17025550101",
            "702/555-0101",
            "702\u{2011}555\u{2011}0101",
        ] {
            assert_eq!(phone_of(text).as_deref(), Some("+17025550101"), "{text}");
        }
        assert_eq!(
            phone_of("+44 20 7946 0958").as_deref(),
            Some("+442079460958")
        );
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "555-0101",
            "702-555-010",
            "102-555-0101",
            "702-155-0101",
            "911-555-0101",
            "702-411-0101",
            "999-999-9999",
            "000-000-0000",
            "702-555-0101 x12",
            "n/a",
            "+1 102 555 0101",
            "+123",
            "+0123456789",
            "+1 702 555",
            "44 20 7946 0958",
            "7.02E+09",
            "702-555-0101; 702-555-0102",
            "+1234567890123456",
        ] {
            let mut out = String::new();
            assert_eq!(
                phone(text, &mut out).unwrap_err().code,
                Code::BadPhone,
                "{text}"
            );
        }
        let hint = |text| phone(text, &mut String::new()).unwrap_err().hint.unwrap();
        assert!(hint("702-555-0101 ext. 12").contains("extension"));
        assert!(hint("555-0101").contains("area code"));
        assert!(hint("011 44 20 7946 0958").contains('+'));
    }

    proptest! {
        #[test]
        fn what_passes_is_e164(text in "[-+0-9 ().x]{0,20}") {
            if let Some(number) = phone_of(&text) {
                prop_assert!(number.starts_with('+'));
                prop_assert!((8..=15).contains(&(number.len() - 1)));
                prop_assert_eq!(phone_of(&number), Some(number));
            }
        }
    }
}
