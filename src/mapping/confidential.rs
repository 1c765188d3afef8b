//! What nobody means to send unless a rule names it.

use super::names::{fold, is_birth_date, words};

/// Whether a column's name speaks of a social security number, a birth date,
/// a bank account, a card, an identity paper or a password.
pub fn looks_confidential(column: &str) -> bool {
    const WORDS: [&str; 9] = [
        "ssn", "ssno", "itin", "iban", "cvv", "cvc", "passport", "password", "passwd",
    ];
    const WITHIN: [&str; 12] = [
        "socialsecurity",
        "socialsec",
        "taxpayerid",
        "taxid",
        "bankaccount",
        "bankname",
        "bankrouting",
        "routingn",
        "accountnumber",
        "creditcard",
        "cardnumber",
        "driverslicen",
    ];
    let folded = fold(column);
    is_birth_date(column)
        || folded == "ss"
        || folded == "ssnumber"
        || WITHIN.iter().any(|part| folded.contains(part))
        || words(column)
            .iter()
            .any(|word| WORDS.contains(&word.as_str()))
}

/// Whether a value has the form of a social security number: `123-45-6789`.
pub fn looks_like_ssn(value: &str) -> bool {
    let bytes = value.trim().as_bytes();
    bytes.len() == 11
        && bytes.iter().enumerate().all(|(at, byte)| {
            if at == 3 || at == 6 {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_confidential() {
        for name in [
            "SSN",
            "Client SSN",
            "ClientSSN",
            "Social Security Number",
            "SS#",
            "DOB",
            "Date of Birth",
            "Bank Account",
            "Routing Number",
            "Driver's License",
        ] {
            assert!(looks_confidential(name), "{name}");
        }
        for name in [
            "Classname",
            "Lead ID",
            "Account Manager",
            "Summary",
            "Address",
        ] {
            assert!(!looks_confidential(name), "{name}");
        }
    }

    #[test]
    fn values_that_look_like_social_security_numbers() {
        assert!(looks_like_ssn(" 078-05-1120 "));
        assert!(!looks_like_ssn("702-555-0101"));
        assert!(!looks_like_ssn("078051120"));
    }
}
