//! US states, the District of Columbia and the territories.

use std::sync::LazyLock;

use crate::mapping::names;
use crate::model::Code;

use super::ValueError;

/// Two-letter codes and names, sorted by code.
static STATES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let lines = include_str!("states.txt").lines();
    lines.filter_map(|line| line.split_once(' ')).collect()
});

/// Other names of the same places.
const ALIASES: [(&str, &str); 4] = [
    ("DC", "Washington DC"),
    ("VI", "US Virgin Islands"),
    ("VI", "United States Virgin Islands"),
    ("MP", "Commonwealth of the Northern Mariana Islands"),
];

/// The code of the state that a text names, if it names one.
pub(crate) fn state_of(text: &str) -> Option<&'static str> {
    if let Some(code) = by_code(text) {
        return Some(code);
    }
    let words = words_of(text)?;
    if let Some(code) = find(&words) {
        return Some(code);
    }
    // "NV Nevada" and "Nevada (NV)": both parts must name the same state.
    let (first, rest) = words.split_once(' ')?;
    let (start, last) = words.rsplit_once(' ')?;
    [(first, rest), (last, start)]
        .into_iter()
        .find_map(|(code, name)| by_code(code).filter(|code| find(name) == Some(code)))
}

/// The words of a text with one space between, without dots; none where there
/// is more than letters and punctuation.
fn words_of(text: &str) -> Option<String> {
    let mut words = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '.' => {}
            'a'..='z' | 'A'..='Z' => words.push(c),
            ' ' | '\t' | '-' | ',' | '(' | ')' | '/' | ':' => {
                if !words.is_empty() && !words.ends_with(' ') {
                    words.push(' ');
                }
            }
            _ => return None,
        }
    }
    words.truncate(words.trim_end().len());
    Some(words)
}

fn by_code(text: &str) -> Option<&'static str> {
    let &[a, b] = text.as_bytes() else {
        return None;
    };
    let code = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let found =
        STATES.binary_search_by_key(&Some(&code), |(state, _)| state.as_bytes().first_chunk());
    found.ok().map(|position| STATES[position].0)
}

fn find(text: &str) -> Option<&'static str> {
    by_code(text).or_else(|| {
        STATES
            .iter()
            .chain(&ALIASES)
            .find_map(|(code, name)| name.eq_ignore_ascii_case(text).then_some(*code))
    })
}

pub(super) fn state(text: &str) -> Result<&'static str, ValueError> {
    state_of(text).ok_or_else(|| {
        let error = ValueError::new(Code::BadState, "not a US state");
        let names = STATES.iter().map(|(_, name)| *name);
        match names::did_you_mean(text, names) {
            Some(hint) => error.hint(hint),
            None => error.hint("use the two-letter code or the name of the state"),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_states_are_sorted_by_code() {
        assert!(STATES.is_sorted());
        assert_eq!(STATES.len(), 56);
        for &(letters, name) in &*STATES {
            assert_eq!(state_of(letters), Some(letters));
            assert_eq!(state_of(name), Some(letters));
        }
    }

    #[test]
    fn states_as_exports_write_them() {
        for (text, expected) in [
            ("nv", "NV"),
            ("Nevada", "NV"),
            ("NEVADA", "NV"),
            ("NV Nevada", "NV"),
            ("Nevada (NV)", "NV"),
            ("NV - Nevada", "NV"),
            ("Nevada, NV", "NV"),
            ("D.C.", "DC"),
            ("Washington, D.C.", "DC"),
            ("Washington", "WA"),
            ("new  york", "NY"),
            ("N.Y.", "NY"),
            ("NY New York", "NY"),
            ("U.S. Virgin Islands", "VI"),
            (" West Virginia ", "WV"),
            ("PR", "PR"),
        ] {
            assert_eq!(state_of(text), Some(expected), "{text}");
        }
        for text in [
            "XX",
            "Nevada CA",
            "NV Texas",
            "Ontario",
            "N",
            "",
            "12",
            "Calif",
            "é",
        ] {
            assert_eq!(state_of(text), None, "{text}");
        }
        assert_eq!(
            state("Nevadaa").unwrap_err().hint.unwrap(),
            "did you mean \"Nevada\"?"
        );
        assert_eq!(
            state("Distrct of Columbia").unwrap_err().hint.unwrap(),
            "did you mean \"District of Columbia\"?"
        );
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in any::<String>()) {
            let _ = state(&text);
        }

        #[test]
        fn no_long_text_causes_a_panic(text in "[a-zA-Z ,.]{50,80}") {
            let _ = state(&text);
        }
    }
}
