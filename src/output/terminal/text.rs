//! Text for people: escaped, cut, redacted; numbers and durations.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use textwrap::core::Word;
use textwrap::{WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::color;
use crate::model::Key;

pub(crate) use crate::model::{count, grouped};

/// How many characters of a value are shown.
const MAX_VALUE: usize = 60;
/// How many characters of a response's body are shown.
pub(crate) const MAX_BODY_SHOWN: usize = 2_000;

/// What a CI runner obeys, wherever it stands in a line.
const CI_COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// Text from a file or a server, safe for a terminal and a CI log: control
/// characters and those that change the writing direction are written as
/// escapes, and so is the start of a CI runner's command. Of what looks like a
/// social security number only the form is shown.
pub(crate) fn escaped(text: &str) -> String {
    let text = without_ssn(text);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || changes_direction(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    for command in CI_COMMANDS {
        if shown.contains(command) {
            shown = shown.replace(command, &command.replacen('#', "\\u{23}", 1));
        }
    }
    // At the start of a line only, but for white space.
    if shown.trim_start().starts_with("::") {
        shown = shown.replacen("::", "\\u{3a}:", 1);
    }
    shown
}

/// The digits of what has the form `123-45-6789` as nines.
fn without_ssn(text: &str) -> Cow<'_, str> {
    const FORM: &[u8] = b"999-99-9999";
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let fits = |at: usize| {
        let found = FORM.iter().zip(&bytes[at..]);
        let mut same = found.map(|(form, byte)| match form {
            b'9' => byte.is_ascii_digit(),
            _ => matches!(byte, b'-' | b' '),
        });
        same.all(|same| same) && (at == 0 || !is_digit(at - 1)) && !is_digit(at + FORM.len())
    };
    let mut hidden = Cow::Borrowed(text);
    for at in 0..(bytes.len() + 1).saturating_sub(FORM.len()) {
        if fits(at) {
            let form = shape(&text[at..at + FORM.len()]);
            hidden.to_mut().replace_range(at..at + FORM.len(), &form);
        }
    }
    hidden
}

/// The same for several lines: line breaks are kept.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// A problem's message or hint, as far as it may be shown: what it quotes may be a
/// value, and is redacted like the record's key.
pub(crate) fn redacted_advice<'t>(text: &'t str, key: Option<&Key>, redact: bool) -> Cow<'t, str> {
    if !redact {
        return without_ssn(text);
    }
    let mut shown = text.to_owned();
    if let (Some(first), Some(last)) = (text.find('"'), text.rfind('"')) {
        shown.replace_range(first..last, &shape(&text[first..last]));
    }
    if let Some(key) = key.map(Key::to_string) {
        shown = shown.replace(&key, &shape(&key));
    }
    shown.into()
}

/// Names, separated by commas.
pub(crate) fn escaped_list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names = names.into_iter().map(|name| escaped(name.as_ref()));
    names.collect::<Vec<_>>().join(", ")
}

pub(crate) fn escaped_path(path: &Path) -> String {
    escaped(&path.display().to_string())
}

pub(super) fn changes_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text, or its beginning with an ellipsis at the end: at most as many
/// columns of a terminal.
pub(crate) fn cut(text: &str, widest: usize) -> Cow<'_, str> {
    if text.width() <= widest {
        return text.into();
    }
    let mut end = 0;
    let mut room = widest.saturating_sub(1);
    for (start, c) in text.char_indices() {
        let Some(left) = room.checked_sub(c.width().unwrap_or(1)) else {
            break;
        };
        (room, end) = (left, start + c.len_utf8());
    }
    format!("{}…", &text[..end]).into()
}

/// The text with its lines broken between words where a terminal of this width
/// would break them within, and the rest below the text of the first. What may be
/// copied stays on one line: commands, JSON, and quoted lines of a config.
pub(crate) fn wrapped(text: &str, width: usize) -> Cow<'_, str> {
    let is_too_wide = |line: &str| textwrap::core::display_width(line) > width;
    if !text.lines().any(is_too_wide) {
        return text.into();
    }
    let lines = text.split('\n').map(|line| {
        let plain = anstream::adapter::strip_str(line).to_string();
        if !is_too_wide(line) || is_verbatim(&plain) {
            return line.to_owned();
        }
        let indent = " ".repeat(text_column(&plain));
        let options = textwrap::Options::new(width)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        textwrap::fill(line, options)
    });
    lines.collect::<Vec<_>>().join("\n").into()
}

fn is_verbatim(line: &str) -> bool {
    let is_json = |line: &str| line.starts_with(['{', '}', '[', ']', '"']);
    let of_config = line.trim_start().split_once(" | ");
    line.starts_with("next: ")
        || is_json(line.trim_start())
        || of_config.is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Where a line's text begins: after its titles, if it has some, or else a little
/// more to the right than the line itself.
fn text_column(line: &str) -> usize {
    const WIDEST_TITLES: usize = 24;
    let start = line.len() - line.trim_start().len();
    let titles = &line[..line.floor_char_boundary(WIDEST_TITLES)];
    let gap = titles.rfind("  ").filter(|gap| *gap > start);
    gap.map_or(start + 2, |gap| line.len() - line[gap..].trim_start().len())
}

/// Words with the spaces after them. A command in backticks is one: broken in two
/// it can't be copied.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let (mut is_command, mut before) = (false, '\0');
    let starts = line.char_indices().filter(move |(_, c)| {
        let is_start = before == '\0' || (before == ' ' && *c != ' ' && !is_command);
        is_command ^= *c == '`';
        before = *c;
        is_start
    });
    let starts = starts.map(|(at, _)| at);
    let ends = starts.clone().skip(1).chain([line.len()]);
    Box::new(
        starts
            .zip(ends)
            .map(|(start, end)| Word::from(&line[start..end])),
    )
}

/// As many of the items as are shown, then how many there are besides: `and 3 more
/// kinds`.
pub(crate) fn first_of(
    items: impl ExactSizeIterator<Item = String>,
    most: usize,
    noun: &str,
) -> Vec<String> {
    let rest = items.len().saturating_sub(most) as u64;
    let rest = (rest > 0).then(|| format!("and {}", count(rest, noun)));
    items.take(most).chain(rest).collect()
}

/// A line with a title in front, which is as wide as those above and below.
pub(crate) fn titled(title: &str, text: &str) -> String {
    format!("{} {text}", color::bold(&format!("{title:8}")))
}

/// `422: no such case type`: what came back, as far as anything did.
pub(crate) fn response(status: Option<u16>, message: Option<&str>) -> Option<String> {
    match (status, message) {
        (Some(status), Some(message)) => Some(format!("{status}: {message}")),
        (Some(status), None) => Some(status.to_string()),
        (None, message) => message.map(str::to_owned),
    }
}

/// A value in quotes, escaped and cut; with `redact` only its shape and length.
pub(crate) fn value(text: &str, redact: bool) -> String {
    let length = text.chars().count();
    // Before it is cut: half a number is recognized by nobody.
    let text = without_ssn(text);
    let shown = cut(&text, MAX_VALUE);
    let shown = escaped(&if redact {
        shape(&shown)
    } else {
        shown.into_owned()
    });
    if redact || length > MAX_VALUE {
        format!("\"{shown}\" ({})", count(length as u64, "character"))
    } else {
        format!("\"{shown}\"")
    }
}

/// Text of a case or a server for people: escaped, or with `redact` its shape
/// and length.
pub(crate) fn escaped_or_redacted(text: &str, redact: bool) -> String {
    if redact {
        value(text, true)
    } else {
        escaped(text)
    }
}

/// Letters as `a` and `A`, digits as `9`. Punctuation and white space are kept:
/// that is mostly where the problem is.
pub(crate) fn shape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_numeric() => '9',
            c if c.is_uppercase() => 'A',
            c if c.is_alphabetic() => 'a',
            c => c,
        })
        .collect()
}

/// Words of an answer that tell nothing about a person, as they are written:
/// those of validation, and the names of fields. In capitals they could be names
/// or states.
const KNOWN_WORDS: &str = include_str!("known_words.txt");

/// An answer with the shapes of all words but the known ones: its values are
/// hidden, and what is wrong can still be read.
pub(crate) fn known_words(text: &str) -> String {
    let is_end = |c: char| !c.is_alphanumeric();
    let pieces = text.split_inclusive(is_end).map(|piece| {
        let word = piece.trim_end_matches(is_end);
        let is_known = KNOWN_WORDS.split_whitespace().any(|known| known == word);
        if is_known {
            piece.to_owned()
        } else {
            shape(piece)
        }
    });
    pieces.collect()
}

/// The text for a script, or with `redact` its shape.
pub(crate) fn redacted(text: &str, redact: bool) -> Cow<'_, str> {
    if redact {
        shape(text).into()
    } else {
        without_ssn(text)
    }
}

/// A JSON payload with the shapes of its values.
pub(crate) fn redacted_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(shape(text)),
        Value::Number(number) => Value::String(shape(&number.to_string())),
        Value::Array(items) => items.iter().map(redacted_json).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| (name.clone(), redacted_json(value)))
            .collect(),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// JSON over several lines; text that is not JSON as it is.
pub(crate) fn pretty_json(json: &str) -> String {
    serde_json::from_str::<Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

/// To the millisecond, for scripts.
pub(crate) fn rounded_seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A duration in words: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes, seconds) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (721.., ..) => "more than a month".to_owned(),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_commands_are_not() {
        let text = "account  a server with a long name\n\
                    warning: run `caseload import FILE --yes` or stop\n\
                    next: caseload import cases.csv --yes\n\
                    \u{20} 15 | key = \"Lead ID\" # identifies a case\n\
                    \u{20} \"Summary\": \"rear-ended at a red light\"";
        let lines = [
            "account  a server",
            "         with a long",
            "         name",
            "warning: run",
            "  `caseload import FILE --yes`",
            "  or stop",
            "next: caseload import cases.csv --yes",
            "  15 | key = \"Lead ID\" # identifies a case",
            "  \"Summary\": \"rear-ended at a red light\"",
        ];
        assert_eq!(wrapped(text, 20), lines.join("\n"));
        assert_eq!(wrapped(text, 60), text);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            escaped("a\u{1b}[31mb\u{7}\u{9b}c\r\n\u{202e}d"),
            "a\\u{1b}[31mb\\u{7}\\u{9b}c\\r\\n\\u{202e}d"
        );
        assert_eq!(escaped("José 日本"), "José 日本");
    }

    #[test]
    fn no_text_is_a_command_to_a_ci_runner() {
        assert_eq!(escaped("::error::x"), "\\u{3a}:error::x");
        assert_eq!(escaped(" ::add-mask::x"), " \\u{3a}:add-mask::x");
        assert_eq!(
            escaped("a ##[group]##vso[x"),
            "a \\u{23}#[group]\\u{23}#vso[x"
        );
        assert_eq!(escaped("a::b ####"), "a::b ####");
        assert_eq!(escaped_lines("a\n::b"), "a\n\\u{3a}:b");
    }

    #[test]
    fn a_social_security_number_is_never_shown() {
        for (text, shown) in [
            ("521-44-1234", "999-99-9999"),
            ("é 521 44 1234.", "é 999 99 9999."),
            ("521-44-1234/078-05-1120", "999-99-9999/999-99-9999"),
            ("1521-44-1234", "1521-44-1234"),
            ("702-555-0101", "702-555-0101"),
            ("521-44-12345", "521-44-12345"),
            ("521-44-123", "521-44-123"),
        ] {
            assert_eq!(escaped(text), shown);
            assert_eq!(redacted(text, false), shown);
        }
    }

    #[test]
    fn what_a_message_quotes_is_redacted() {
        let hint = "did you mean \"Smith \"Bud\" Lee\"? try again";
        let redacted = "did you mean \"Aaaaa \"Aaa\" Aaa\"? try again";
        assert_eq!(redacted_advice(hint, None, true), redacted);
        assert_eq!(redacted_advice(hint, None, false), hint);
        assert_eq!(
            redacted_advice("an inch is 1\"", None, true),
            "an inch is 1\""
        );
        let key = Key::new(["L-1"]);
        assert_eq!(
            redacted_advice("use --allow-duplicate L-1", Some(&key), true),
            "use --allow-duplicate A-9"
        );
    }

    #[test]
    fn an_answer_without_its_values_can_still_be_read() {
        for (text, shown) in [
            ("unknown CaseType of Okafor", "unknown CaseType of Aaaaaa"),
            (
                "Phone: \"702-555\" is too long",
                "Phone: \"999-999\" is too long",
            ),
            ("José's date 6/14/26?", "Aaaa's date 9/99/99?"),
            ("no Long in OR", "no Aaaa in AA"),
            ("", ""),
        ] {
            assert_eq!(known_words(text), shown);
        }
    }

    #[test]
    fn pretty_json_keeps_the_order_of_members_and_the_digits_of_numbers() {
        let json = r#"{"b":"\"{,:","n":12345678901234567890.10 , "a":{ },"l":[1.0,[]]}"#;
        let lines = [
            "{",
            r#"  "b": "\"{,:","#,
            r#"  "n": 12345678901234567890.10,"#,
            r#"  "a": {},"#,
            r#"  "l": ["#,
            "    1.0,",
            "    []",
            "  ]",
            "}",
        ];
        assert_eq!(pretty_json(json), lines.join("\n"));
        assert_eq!(pretty_json("]}"), "]}");
    }

    #[test]
    fn values_are_cut_and_redacted() {
        assert_eq!(value("6/14/26", false), "\"6/14/26\"");
        assert_eq!(value("6/14/26", true), "\"9/99/99\" (7 characters)");
        let long = "x".repeat(100);
        assert!(value(&long, false).ends_with("…\" (100 characters)"));
        assert_eq!(
            value("Smith, José", true),
            "\"Aaaaa, Aaaa\" (11 characters)"
        );
    }

    #[test]
    fn numbers_and_durations_in_words() {
        assert_eq!(count(1, "case"), "1 case");
        assert_eq!(count(2_500, "case"), "2,500 cases");
        assert_eq!(grouped(1_234_567), "1,234,567");
        for (milliseconds, text) in [
            (400, "0.4 s"),
            (9_960, "10 s"),
            (200_000, "3 min 20 s"),
            (120_000, "2 min"),
            (7_500_000, "2 h 5 min"),
            (u64::MAX, "more than a month"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), text);
        }
    }
}
