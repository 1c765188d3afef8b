//! Text for people: escaped, cut, redacted; numbers and spans in words.

use std::fmt::Write as _;
use std::time::Duration;

/// A value of a case is shown up to here.
const LONGEST_VALUE: usize = 60;

/// Text from a file or a server, safe for a terminal: control characters,
/// and those that turn the writing direction, are written as escapes.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() || turns_direction(c) => {
                // Writing to a String can't fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// The same over several lines: line breaks stay.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A value in quotes, escaped and cut; with `redact` only its shape and length.
pub(crate) fn value(text: &str, redact: bool) -> String {
    let length = text.chars().count();
    let mut shown: String = text.chars().take(LONGEST_VALUE).collect();
    if redact {
        shown = shape(&shown);
    }
    let mut shown = escaped(&shown);
    if length > LONGEST_VALUE {
        shown.push('…');
    }
    if redact || length > LONGEST_VALUE {
        format!("\"{shown}\" ({})", count(length as u64, "character"))
    } else {
        format!("\"{shown}\"")
    }
}

/// Letters as `a` and `A`, digits as `9`; punctuation and white space stay,
/// since what is wrong with a value is mostly there.
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

/// A JSON payload with every value's shape instead of the value.
pub(crate) fn redacted_json(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
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

/// JSON over several lines, each string and number as it is spelled.
pub(crate) fn pretty_json(json: &str) -> String {
    let mut pretty = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut letters = json.chars().peekable();
    let end_line = |pretty: &mut String, depth: usize| {
        pretty.push('\n');
        pretty.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                pretty.push('"');
                while let Some(letter) = letters.next() {
                    pretty.push(letter);
                    match letter {
                        '\\' => pretty.extend(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                pretty.push(letter);
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = letters.next_if(|&next| next == '}' || next == ']') {
                    pretty.push(close);
                } else {
                    depth += 1;
                    end_line(&mut pretty, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                end_line(&mut pretty, depth);
                pretty.push(letter);
            }
            ',' => {
                pretty.push(',');
                end_line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => pretty.push(letter),
        }
    }
    pretty
}

/// `1 case`, `2,500 cases`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') || noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", grouped(number))
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A span as people say it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
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
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_raw_reaches_a_terminal() {
        assert_eq!(
            escaped("a\u{1b}[31mb\u{7}\u{9b}c\r\n\u{202e}d"),
            "a\\u{1b}[31mb\\u{7}\\u{9b}c\\r\\n\\u{202e}d"
        );
        assert_eq!(escaped("José 日本"), "José 日本");
    }

    #[test]
    fn json_is_laid_out_and_spelled_as_it_was() {
        let json = r#"{"a":"b\"{,:","n":1E400 , "o":{ },"l":[1.0,[]],"u":"\u00e9"}"#;
        let lines = [
            "{",
            r#"  "a": "b\"{,:","#,
            r#"  "n": 1E400,"#,
            r#"  "o": {},"#,
            r#"  "l": ["#,
            "    1.0,",
            "    []",
            "  ],",
            r#"  "u": "\u00e9""#,
            "}",
        ];
        assert_eq!(pretty_json(json), lines.join("\n"));
        assert_eq!(pretty_json("]}"), "\n]\n}", "no JSON is no reason to panic");
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
    fn numbers_and_spans_in_words() {
        assert_eq!(count(1, "case"), "1 case");
        assert_eq!(count(2_500, "case"), "2,500 cases");
        assert_eq!(grouped(1_234_567), "1,234,567");
        for (milliseconds, text) in [
            (400, "0.4 s"),
            (9_960, "10 s"),
            (200_000, "3 min 20 s"),
            (120_000, "2 min"),
            (7_500_000, "2 h 5 min"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), text);
        }
    }
}
