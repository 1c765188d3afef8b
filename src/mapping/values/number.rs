//! Whole numbers and numbers, kept to the digit.

use crate::model::Code;

use super::ValueError;

/// A whole number, however long.
pub(super) fn integer(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(advised(
            ValueError::new(Code::BadInteger, "not a whole number"),
            text,
        ));
    }
    if has_leading_zero(digits) {
        return Err(leading_zero(Code::BadInteger));
    }
    out.push_str(sign);
    out.push_str(digits);
    Ok(())
}

/// A number as JSON writes it; `.5` gains its zero.
pub(super) fn number(text: &str, out: &mut String) -> Result<(), ValueError> {
    let (sign, rest) = signed(text);
    let fault = || advised(ValueError::new(Code::BadNumber, "not a number"), text);
    let digits_end = |text: &str| {
        text.bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let (whole, mut rest) = rest.split_at(digits_end(rest));
    let mut fraction = "";
    if let Some(behind) = rest.strip_prefix('.') {
        (fraction, rest) = behind.split_at(digits_end(behind));
        if fraction.is_empty() {
            return Err(fault());
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(fault());
    }
    if !rest.is_empty() {
        let exponent = rest.strip_prefix(['e', 'E']).ok_or_else(fault)?;
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || digits_end(digits) != digits.len() {
            return Err(fault());
        }
    }
    if has_leading_zero(whole) {
        return Err(leading_zero(Code::BadNumber));
    }
    out.push_str(sign);
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out.push_str(rest);
    Ok(())
}

fn signed(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

fn leading_zero(code: Code) -> ValueError {
    ValueError::new(code, "a number with leading zeros")
        .hint("a number would lose them; without a type, or as text, they stay")
}

fn advised(fault: ValueError, text: &str) -> ValueError {
    if text.contains(['$', '€', '£']) {
        fault.hint("take the currency sign out")
    } else if text.contains('%') {
        fault.hint("take the per cent sign out")
    } else if text.contains(',') {
        fault.hint("write it without commas, with a point before decimals")
    } else if fault.code == Code::BadInteger && text.parse::<f64>().is_ok() {
        fault.hint("use type = \"number\" where decimals are meant")
    } else {
        fault
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
        fn what_passes_is_valid_json(text in "[-+0-9.eE,]{0,12}") {
            if let Ok(written) = num(&text) {
                prop_assert!(serde_json::from_str::<Box<serde_json::value::RawValue>>(&written).is_ok());
            }
        }
    }
}
