//! The columns that caseload adds to the files it writes, and reads back from
//! them, and how it writes cells that are more than text to other programs.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The record's key as `key:["00123"]`, whatever a spreadsheet does to the key
/// columns.
pub(crate) const KEY: &str = "caseload_key";
/// Why the record was left out.
pub(crate) const REASON: &str = "caseload_reason";
/// The columns whose cells got a `'` and [`escape`] so that no spreadsheet takes
/// them for formulas, and no terminal obeys them, as `escaped:["Name"]`.
pub(crate) const ESCAPED: &str = "caseload_escaped";
/// The whole text of a record that could not be read. While it is filled, the
/// record has not been fixed.
pub(crate) const TEXT: &str = "caseload_text";
/// The case's state in the ledger.
pub(crate) const STATE: &str = "caseload_state";
/// What a user found out about a case in doubt, for `resolve --list`. A file that
/// has it must not be imported.
pub(crate) const DECISION: &str = "caseload_decision";
/// What stands in it.
pub(crate) const DECISIONS: [&str; 2] = ["imported", "not-imported"];
/// The platform's id, which a user may fill in.
pub(crate) const CASE_ID: &str = "caseload_case_id";
/// A record of JSON in a table.
pub(crate) const RECORD: &str = "caseload_record";

/// Whether the name is reserved for columns of caseload.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("caseload_")
}

/// Whether a text could steer a terminal: a control character that is no tab and
/// no line break.
pub(crate) fn has_controls(text: &str) -> bool {
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_break = matches!(c, '\t' | '\n') || (c == '\r' && rest.peek() == Some(&'\n'));
        if c.is_control() && !is_break {
            return true;
        }
    }
    false
}

/// Writes control characters as `\u001b`, which JSON reads too.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    if !has_controls(text) {
        return text.into();
    }
    escape_where(text, |c| c.is_control() && !matches!(c, '\t' | '\n')).into()
}

/// Writes these characters so, none of which is above U+FFFF.
pub(crate) fn escape_where(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The same for text of which [`unescape`] makes the original again.
pub(crate) fn escape(text: &str) -> String {
    escape_controls(&text.replace('\\', "\\\\")).into_owned()
}

pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else {
        return text.into();
    };
    let (mut plain, mut rest) = (text[..first].to_owned(), &text[first..]);
    while let Some(c) = rest.chars().next() {
        let code = rest.strip_prefix("\\u").and_then(|rest| rest.get(..4));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        let (c, length) = match code.and_then(char::from_u32) {
            Some(control) => (control, 6),
            None if rest.starts_with("\\\\") => ('\\', 2),
            None => (c, c.len_utf8()),
        };
        plain.push(c);
        rest = &rest[length..];
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_escaped_comes_back(text in r"[\\u0-9a-f\x00-\x1f\x7f-\x{9f}é]{0,12}") {
            let escaped = escape(&text);
            prop_assert!(!has_controls(&escaped));
            prop_assert_eq!(unescape(&escaped), text);
        }
    }
}
