//! What in a text nobody sees, and what in a cell or a name means nothing.

use std::borrow::Cow;

/// How many characters a message names.
const MOST_NAMED: usize = 5;

/// Whether a character has no width and no meaning of its own: zero-width and
/// direction marks, soft hyphens, variation selectors, byte order marks.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text without its invisible characters.
pub(crate) fn without_invisible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(is_invisible) {
        return text.into();
    }
    text.chars().filter(|&c| !is_invisible(c)).collect()
}

/// A column's name as it is used, in a header and where a setting names it:
/// without what nobody sees.
pub(crate) fn column_name(cell: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii() || !c.is_whitespace() {
            c
        } else {
            ' '
        }
    };
    without_invisible(cell).trim().chars().map(plain).collect()
}

/// The names of a text's invisible characters, as `U+200B, U+FEFF`; none when it
/// has none.
pub(crate) fn invisible_names(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for c in text.chars().filter(|&c| is_invisible(c)) {
        let name = format!("U+{:04X}", u32::from(c));
        if names.len() < MOST_NAMED && !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// The letters and digits of a name in lower case: `Lead ID`, `lead_id` and
/// `LeadId` fold to the same text.
pub(crate) fn fold(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Whether a text stands for a value that is missing: `#N/A`, `null`, `-`, `0`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 15] = [
        "0",
        "n/a",
        "na",
        "n.a",
        "nan",
        "none",
        "null",
        "nil",
        "tbd",
        "tba",
        "blank",
        "unknown",
        "undefined",
        "false",
        "true",
    ];
    let text = text.trim();
    if text.is_empty() {
        return false;
    }
    if text == "\\N" || is_spreadsheet_error(text) {
        return true;
    }
    // `(blank)`, `<NA>` and `-nan` too; `--` and `?` have no letter at all.
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    word.is_empty()
        || WORDS.iter().any(|other| word.eq_ignore_ascii_case(other))
        || word
            .strip_prefix("0.")
            .is_some_and(|decimals| decimals.bytes().all(|digit| digit == b'0'))
}

/// Whether a text is a number that a spreadsheet has rounded, such as `4.41E+11`.
pub(crate) fn is_rounded_number(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.split_once("E+").is_some_and(|(digits, exponent)| {
            digits.replacen(',', ".", 1).parse::<f64>().is_ok() && exponent.parse::<u8>().is_ok()
        })
}

/// `#N/A`, `#REF!`, `#NAME?` and the like, and the `###` of a column that is too
/// narrow.
pub(crate) fn is_spreadsheet_error(text: &str) -> bool {
    let Some(name) = text.strip_prefix('#') else {
        return false;
    };
    let is_part = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'/' | b'0');
    let ended = name.strip_suffix(['!', '?']).unwrap_or_default();
    let others = ["N/A", "GETTING_DATA"];
    others.iter().any(|other| name.eq_ignore_ascii_case(other))
        || (ended.len() >= 3 && ended.bytes().all(is_part))
        || (name.len() >= 2 && name.bytes().all(|byte| byte == b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_removed_and_named() {
        for (text, visible, names) in [
            ("L\u{200b}1\u{200b}", "L1", "U+200B"),
            ("\u{feff}L2", "L2", "U+FEFF"),
            ("L\u{ad}3\u{2060}\u{fe0f}", "L3", "U+00AD, U+2060, U+FE0F"),
            ("\u{e0041}L4\u{202e}", "L4", "U+E0041, U+202E"),
        ] {
            assert_eq!(without_invisible(text), visible);
            assert_eq!(invisible_names(text).as_deref(), Some(names));
        }
        for text in ["L1", "Renée", "L\u{a0}1", "L\u{2011}1", "x\ty"] {
            assert_eq!(without_invisible(text), text);
            assert_eq!(invisible_names(text), None);
        }
    }

    #[test]
    fn placeholders_are_known_in_any_letter_case() {
        for text in [
            "#N/A", "#n/a", "#REF!", "#DIV/0!", "#NAME?", "####", "n/a", "N.A.", "NaN", "null",
            "NULL", "(null)", "None", "-", "--", "?", "0", "0.0", " 0 ", "0.00", "<NA>", "\\N",
            "(blank)", "TBD",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "", " ", "00", "00123", "L-0", "0.5", "#12", "#1!", "#A", "#now!", "N", "NA-1",
            "Nanette", "O",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
