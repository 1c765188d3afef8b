//! Truth values.

use crate::model::Code;

use super::ValueError;

/// Yes or no, as people write it.
pub(super) fn bool_of(text: &str) -> Result<&'static str, ValueError> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes", "y", "1"]) {
        Ok("true")
    } else if is(["false", "no", "n", "0"]) {
        Ok("false")
    } else {
        Err(ValueError::new(Code::BadBool, "neither yes nor no")
            .hint("write yes or no, true or false, y or n, 1 or 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_in_any_letter_case() {
        for (text, wanted) in [
            ("Yes", "true"),
            ("TRUE", "true"),
            ("n", "false"),
            ("0", "false"),
        ] {
            assert_eq!(bool_of(text), Ok(wanted), "{text}");
        }
        for text in ["t", "on", "2", "maybe", "1.0"] {
            assert_eq!(bool_of(text).unwrap_err().code, Code::BadBool, "{text}");
        }
    }
}
