//! Keys that may be one key: what spreadsheets, converters and people change in
//! an id, folded away.

use std::collections::HashSet;
use std::ops::BitOr;

use unicode_normalization::UnicodeNormalization as _;

use super::Key;
use super::person::date_of;

/// A set of foldings. One is left out where a source has keys that differ by it
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Foldings(u8);

impl Foldings {
    /// NFKC: full-width digits, ligatures, the dashes of word processors.
    const COMPATIBILITY: Self = Self(1);
    const LETTER_CASE: Self = Self(1 << 1);
    /// `1/5/2026` and `2026-01-05`.
    const DATE: Self = Self(1 << 2);
    /// Whole numbers by value: `1.0`, `1e0` and `1`.
    const VALUE: Self = Self(1 << 3);
    /// One dash for each run of spaces, dashes and punctuation.
    const PUNCTUATION: Self = Self(1 << 4);
    const LEADING_ZEROS: Self = Self(1 << 5);
    const COUNT: u8 = 6;
    pub(crate) const ALL: Self = Self((1 << Self::COUNT) - 1);

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn has(self, folding: Self) -> bool {
        self.0 & folding.0 != 0
    }

    /// The foldings that alone make two of these keys equal.
    pub(crate) fn that_merge(keys: &[Key]) -> Self {
        let different: HashSet<&Key> = keys.iter().collect();
        let merges = |folding: &Self| {
            let folded: HashSet<String> =
                different.iter().map(|key| key.folded(*folding)).collect();
            folded.len() < different.len()
        };
        let each = (0..Self::COUNT).map(|bit| Self(1 << bit));
        each.filter(merges).fold(Self::default(), Self::bitor)
    }
}

impl BitOr for Foldings {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Key {
    /// The canonical text of the key with these foldings.
    pub(crate) fn folded(&self, foldings: Foldings) -> String {
        let parts = self.parts();
        let mut folded = String::new();
        let parts = parts.iter().map(|part| fold(part, foldings));
        Self::write_canonical(self.source(), parts, &mut folded);
        folded
    }

    /// Whether another key becomes the same by these foldings. Two ids of
    /// Salesforce, which differ in letter case, never do.
    pub(crate) fn is_similar(&self, other: &Self, foldings: Foldings) -> bool {
        let (parts, others) = (self.parts(), other.parts());
        parts != others
            && self.source() == other.source()
            && parts.len() == others.len()
            && parts.iter().zip(&others).all(|(part, other)| {
                part == other
                    || (fold(part, foldings) == fold(other, foldings)
                        && !(is_salesforce_id(part) && is_salesforce_id(other)))
            })
    }
}

/// Whether a canonical key certainly is what [`Key::folded`] makes of it by all
/// foldings. Tells most keys of one column without taking them apart.
pub(crate) fn is_surely_folded(canonical: &str) -> bool {
    let text = canonical
        .strip_prefix("[\"")
        .and_then(|rest| rest.strip_suffix("\"]"));
    let Some([first, rest @ ..]) = text.map(str::as_bytes) else {
        return false;
    };
    let mut before = *first;
    match first {
        b'1'..=b'9' => rest.iter().all(u8::is_ascii_digit),
        b'A'..=b'Z' => rest.iter().all(|&byte| {
            let is_doubled = byte == b'-' && before == b'-';
            before = byte;
            !is_doubled && matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'-')
        }),
        _ => false,
    }
}

fn fold(part: &str, foldings: Foldings) -> String {
    let mut text = part.to_owned();
    if foldings.has(Foldings::COMPATIBILITY) && !text.is_ascii() {
        text = text.nfkc().collect();
    }
    if foldings.has(Foldings::LETTER_CASE) {
        text = text.to_uppercase();
    }
    if foldings.has(Foldings::DATE)
        && let Some(date) = date_of(&text)
    {
        return date.to_string();
    }
    if foldings.has(Foldings::VALUE)
        && let Some(digits) = whole_number(&text)
    {
        return digits;
    }
    if foldings.has(Foldings::PUNCTUATION) {
        let mut dashed = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_alphanumeric() {
                dashed.push(c);
            } else if !dashed.ends_with('-') {
                dashed.push('-');
            }
        }
        text = dashed;
    }
    if foldings.has(Foldings::LEADING_ZEROS) {
        let rest = text.trim_start_matches('0');
        text.drain(..text.len() - rest.len());
    }
    text
}

/// The digits of a whole number, however it is written: `00123`, `1.0`, `1E3`.
fn whole_number(text: &str) -> Option<String> {
    /// Longer ones are no ids.
    const MOST_DIGITS: usize = 40;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.to_owned() + fraction;
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = whole.len().checked_add_signed(exponent.parse().ok()?)?;
    if point.max(digits.len()) > MOST_DIGITS {
        return None;
    }
    if point < digits.len() && digits.split_off(point).bytes().any(|digit| digit != b'0') {
        return None;
    }
    digits.extend(std::iter::repeat_n('0', point - digits.len()));
    let number = digits.trim_start_matches('0');
    Some(if number.is_empty() { "0" } else { number }.to_owned())
}

/// Whether a text has the form of a Salesforce id that differs from others in
/// letter case: 15 letters and digits, in both cases.
fn is_salesforce_id(text: &str) -> bool {
    text.len() == 15
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(part: &str) -> Key {
        Key::new([part])
    }

    #[test]
    fn what_spreadsheets_and_converters_change_is_folded() {
        for (one, other) in [
            ("00123", "123"),
            ("l-1", "L-1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("1.50E2", "150"),
            ("2026-01-05", "1/5/2026"),
            ("L\u{2011}1", "L-1"),
            ("L – 1", "L-1"),
            ("L_1", "L 1"),
            ("１２３", "123"),
            ("4.41E+11", "441000000000"),
        ] {
            assert!(
                key(one).is_similar(&key(other), Foldings::ALL),
                "{one} {other}"
            );
        }
        for (one, other) in [
            ("1", "1"),
            ("123", "124"),
            ("1.5", "15"),
            ("A-1", "A1"),
            ("003Ab00000aBcD1", "003Ab00000abcD1"),
        ] {
            assert!(
                !key(one).is_similar(&key(other), Foldings::ALL),
                "{one} {other}"
            );
        }
        let other = Key::new(["L1", "1/5/2026"]);
        assert!(Key::new(["l1", "2026-01-05"]).is_similar(&other, Foldings::ALL));
        assert!(key("003Ab00000aBcD1").is_similar(&key("003AB00000ABCD1"), Foldings::ALL));
    }

    #[test]
    fn a_folding_that_alone_merges_two_keys_is_found() {
        let merging = |keys: &[&str]| {
            Foldings::that_merge(&keys.iter().map(|text| key(text)).collect::<Vec<_>>())
        };
        assert_eq!(merging(&["a1", "A1", "b"]), Foldings::LETTER_CASE);
        let zeros = Foldings::LEADING_ZEROS | Foldings::VALUE;
        assert_eq!(merging(&["01", "1"]), zeros);
        assert_eq!(
            merging(&["a-1", "A_1"]),
            Foldings::default(),
            "only both together"
        );
        let case_off = Foldings::ALL.without(merging(&["a", "A"]));
        assert!(!key("l-1").is_similar(&key("L-1"), case_off));
        assert!(key("L_1").is_similar(&key("L-1"), case_off));
    }

    proptest! {
        #[test]
        fn a_key_that_is_surely_folded_is(text in "[A-Z0-9a-z._é, -]{1,8}") {
            let key = key(&text);
            let folded = key.folded(Foldings::ALL);
            prop_assert!(!is_surely_folded(key.canonical()) || folded == key.canonical());
        }
    }
}
