//! Numbers, kept to the digit.

use crate::model::Code;

use super::ValueError;

/// Writes a whole number, however long.
pub(super) fn integer(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = ValueError::new(Code::BadInteger, "not a whole number");
        return Err(with_advice(error, text));
    }
    refuse_leading_zero(digits, Code::BadInteger)?;
    out.push_str(sign);
    out.push_str(digits);
    Ok(())
}

/// Writes a number as JSON has it; `.5` becomes `0.5`.
pub(super) fn number(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, digits) = split_sign(text);
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    if starts_with_digit {
        refuse_leading_zero(digits, Code::BadNumber)?;
    }
    out.push_str(sign);
    if digits.starts_with('.') {
        out.push('0');
    }
    out.push_str(digits);
    let is_number = (starts_with_digit || digits.starts_with('.'))
        && serde_json::from_str::<serde_json::Number>(out).is_ok();
    if is_number {
        Ok(())
    } else {
        let error = ValueError::new(Code::BadNumber, "not a number");
        Err(with_advice(error, text))
    }
}

fn split_sign(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn refuse_leading_zero(digits: &str, code: Code) -> Result<(), ValueError> {
    match digits.as_bytes() {
        [b'0', b'0'..=b'9', ..] => Err(ValueError::new(code, "number with leading zeros")
            .hint("a number loses them: remove the type, or use type = \"text\", to keep them")),
        _ => Ok(()),
    }
}

fn with_advice(error: ValueError, text: &str) -> ValueError {
    if text.contains(['$', '€', '£']) {
        error.hint("remove the currency symbol")
    } else if text.contains('%') {
        error.hint("remove the percent sign")
    } else if text.contains(',') {
        error.hint("remove the commas, and use a period for decimals")
    } else if error.code == Code::BadInteger && text.parse::<f64>().is_ok() {
        error.hint("use type = \"number\" to allow decimals")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn int(text: &str) -> Result<String, ValueError> {
        let mut out = String::new();
        integer(text, &mut out).map(|()| out)
    }

    fn num(text: &str) -> Result<String, ValueError> {
        let mut out = String::new();
        number(text, &mut out).map(|()| out)
    }

    #[test]
    fn whole_numbers_keep_every_digit() {
        assert_eq!(int("12").unwrap(), "12");
        assert_eq!(int("-7").unwrap(), "-7");
        assert_eq!(int("+7").unwrap(), "7");
        assert_eq!(
            int("123456789012345678901234567890").unwrap(),
            "123456789012345678901234567890"
        );
        for text in ["12.0", "1,200", "007", "$5", "", "-", "1e5", "five"] {
            assert_eq!(int(text).unwrap_err().code, Code::BadInteger, "{text}");
        }
        assert!(int("1,200").unwrap_err().hint.unwrap().contains("commas"));
    }

    #[test]
    fn numbers_are_json_numbers() {
        assert_eq!(num("12.50").unwrap(), "12.50");
        assert_eq!(num(".5").unwrap(), "0.5");
        assert_eq!(num("-1.5e-3").unwrap(), "-1.5e-3");
        for text in [
            "5.", "1,5", "$1.20", "00.5", "NaN", "inf", "1e", "1.2.3", ".", "e5",
        ] {
            assert_eq!(num(text).unwrap_err().code, Code::BadNumber, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_number_is_valid_json(text in "[-+0-9.eE,]{0,12}") {
            if let Ok(written) = num(&text) {
                prop_assert!(serde_json::from_str::<Box<serde_json::value::RawValue>>(&written).is_ok());
            }
        }
    }
}
