//! Phone numbers, to E.164, and e-mail addresses.
//!
//! A North American number is checked by its numbering plan: the area code
//! starts with 2 to 9, its second digit is not 9 (reserved for expansion), the
//! exchange starts with 2 to 9, and neither is an N11 code. Any other number
//! needs `+` and its country code. Invisible characters do not count.

use crate::model::{Code, without_invisible};

use super::ValueError;

/// The E.164 form of a phone number, if the text is one.
pub(crate) fn phone_of(text: &str) -> Option<String> {
    let mut out = String::new();
    phone(text, &mut out).ok().map(|()| out)
}

pub(super) fn phone(text: &str, out: &mut String) -> Result<(), ValueError> {
    let shown = without_invisible(text);
    let text = shown.trim();
    let is_international = text.starts_with('+');
    let mut number = text.strip_prefix('+').unwrap_or(text).to_owned();
    if is_international && !number.starts_with('(') {
        // The zero is dialed only inside the country: `+44 (0)20 …`.
        number = number.replacen("(0)", "", 1);
    }
    let mut digits = [0_u8; 15];
    let mut count = 0;
    for c in number.chars() {
        match c {
            '0'..='9' if count < digits.len() => {
                digits[count] = c as u8;
                count += 1;
            }
            // The last are the dashes of word processors.
            '-' | '.' | '(' | ')' | '/' | '\t' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            c if c.is_whitespace() && !c.is_control() => {}
            _ => return Err(not_a_phone(text)),
        }
    }
    let digits = &digits[..count];
    let prefix = match digits {
        [b'1', national @ ..] if national.len() == 10 => is_north_american(national).then_some("+"),
        national if national.len() == 10 && !is_international => {
            is_north_american(national).then_some("+1")
        }
        [b'2'..=b'9', rest @ ..] if is_international && rest.len() >= 7 => {
            (!has_trunk_zero(digits)).then_some("+")
        }
        _ => None,
    };
    out.push_str(prefix.ok_or_else(|| not_a_phone(text))?);
    // Digits are always text.
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
    Ok(())
}

/// Countries whose numbers never begin with a zero after the country code.
const NO_ZERO: [&[u8]; 18] = [
    b"27", b"31", b"32", b"33", b"353", b"41", b"43", b"44", b"46", b"49", b"61", b"63", b"64",
    b"81", b"82", b"86", b"91", b"972",
];

fn has_trunk_zero(digits: &[u8]) -> bool {
    let after = |code: &&[u8]| {
        digits
            .strip_prefix(*code)
            .is_some_and(|rest| rest.starts_with(b"0"))
    };
    NO_ZERO.iter().any(after)
}

fn is_north_american(digits: &[u8]) -> bool {
    matches!(digits, [b'2'..=b'9', b'0'..=b'8', _, b'2'..=b'9', ..])
        && digits[1..3] != *b"11"
        && digits[4..6] != *b"11"
}

#[cold]
fn not_a_phone(text: &str) -> ValueError {
    let error = ValueError::new(Code::BadPhone, "not a valid phone number");
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let count = digits.len();
    let lower = text.to_ascii_lowercase();
    let has_digit = |part: &str| part.contains(|c: char| c.is_ascii_digit());
    let has_extension = |(number, rest)| has_digit(number) && has_digit(rest);
    error.hint(if lower.split_once(['x', '#']).is_some_and(has_extension) {
        "remove the extension, or move it to a column of its own"
    } else if text.starts_with('+') && has_trunk_zero(&digits) {
        "remove the 0 after the country code: it is dialed only inside the country"
    } else if lower.contains("e+") {
        "a spreadsheet rounded this number: export the column again as text"
    } else if text.contains([';', ',', '|']) || lower.contains(" or ") {
        "keep one number, and move the others to columns of their own"
    } else if text.starts_with("00") || text.starts_with("011") {
        "write an international number with + and its country code"
    } else if count == 7 {
        "add the area code"
    } else if count == 10 || (count == 11 && !text.starts_with('+')) {
        "not a North American number: other numbers need + and their country code"
    } else {
        "use 10 digits, or + and the country code with 8 to 15 digits in total"
    })
}

/// The e-mail address that a text is, if it is one.
pub(crate) fn email_of(text: &str) -> Option<String> {
    let mut out = String::new();
    email(text, &mut out).ok().map(|()| out)
}

pub(super) fn email(text: &str, out: &mut String) -> Result<(), ValueError> {
    let shown = without_invisible(text);
    let text = shown.trim();
    let is_address = text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
    if is_address {
        out.push_str(text);
        return Ok(());
    }
    let error = ValueError::new(Code::BadEmail, "not a valid e-mail address");
    Err(if text.matches('@').count() > 1 {
        error.hint("keep one address, and move the others to columns of their own")
    } else if text.contains('<') || text.to_ascii_lowercase().starts_with("mailto:") {
        error.hint("keep only the address, such as ann@example.com")
    } else {
        error
    })
}

/// Words with a dot between each two.
fn is_local_part(local: &str) -> bool {
    let is_allowed = |c: char| match c {
        '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | '\\' | ']' => false,
        _ => c.is_ascii_graphic() || !(c.is_ascii() || c.is_whitespace()),
    };
    let mut words = local.split('.');
    local.len() <= 64 && words.all(|word| !word.is_empty() && word.chars().all(is_allowed))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    let is_top = |label: &str| label.len() >= 2 && !label.bytes().all(|byte| byte.is_ascii_digit());
    domain.split('.').all(is_label) && domain.rsplit_once('.').is_some_and(|(_, top)| is_top(top))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn email_addresses_are_accepted_or_refused() {
        for text in [
            "ann@example.com",
            " Ann.Lee+intake@mail.example.co.uk ",
            "o'brien@example.com",
            "rené@exämple.fr",
        ] {
            assert_eq!(email_of(text).as_deref(), Some(text.trim()), "{text}");
        }
        assert_eq!(
            email_of("\u{200b}ann@exa\u{ad}mple.com").as_deref(),
            Some("ann@example.com")
        );
        let refused = |text| email(text, &mut String::new()).unwrap_err();
        for text in [
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "ann@@example.com",
            "ann@example..com",
            "ann@-example.com",
            "ann@example.c",
            "ann@1.2",
            "a@b.com; c@d.com",
            "Ann <ann@example.com>",
            "mailto:ann@example.com",
            "ann@example.com.",
        ] {
            assert_eq!(refused(text).code, Code::BadEmail, "{text}");
        }
        assert!(
            refused("a@b.com, c@d.com")
                .hint
                .unwrap()
                .contains("one address")
        );
    }

    #[test]
    fn phone_numbers_become_e164() {
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
            "\u{202a}+1 702\u{2009}555\u{2212}0101\u{202c}",
            "\u{2066}(702) 555\u{2011}0101\u{2069}",
            "702\u{ad}5550101\u{200b}",
        ] {
            assert_eq!(phone_of(text).as_deref(), Some("+17025550101"), "{text}");
        }
        for text in [
            "+44 20 7946 0958",
            "+44 (0)20 7946 0958",
            "+44 (0) 20 7946 0958",
            "+44(0)2079460958",
        ] {
            assert_eq!(phone_of(text).as_deref(), Some("+442079460958"), "{text}");
        }
        // An Italian number keeps its zero.
        assert_eq!(phone_of("+39 06 698 1").as_deref(), Some("+39066981"));
    }

    #[test]
    fn invalid_phone_numbers_are_refused() {
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
            "+44 020 7946 0958",
            "+(0)20 7946 0958",
            "555-0101\n702",
        ] {
            let mut out = String::new();
            assert_eq!(
                phone(text, &mut out).unwrap_err().code,
                Code::BadPhone,
                "{text}"
            );
        }
        let hint = |text| phone(text, &mut String::new()).unwrap_err().hint.unwrap();
        for text in [
            "702-555-0101 ext. 12",
            "702-555-0101x12",
            "555-0101 #12",
            "+44 20 7946 0958 extension 3",
        ] {
            assert!(hint(text).contains("extension"), "{text}");
        }
        assert!(hint("+49 (030) 123456").contains("remove the 0"));
        assert!(hint("555-0101").contains("area code"));
        assert!(hint("011 44 20 7946 0958").contains('+'));
    }

    proptest! {
        #[test]
        fn every_accepted_phone_number_is_e164(text in "[-+0-9 ().x]{0,20}") {
            if let Some(number) = phone_of(&text) {
                prop_assert!(number.starts_with('+'));
                prop_assert!((8..=15).contains(&(number.len() - 1)));
                prop_assert_eq!(phone_of(&number), Some(number));
            }
        }
    }
}
