//! States of the US, the District of Columbia and the territories.

use crate::mapping::suggest;
use crate::model::Code;

use super::ValueError;

/// By letters, with the name in lower case. Sorted by letters.
const STATES: [(&str, &str); 56] = [
    ("AK", "alaska"),
    ("AL", "alabama"),
    ("AR", "arkansas"),
    ("AS", "american samoa"),
    ("AZ", "arizona"),
    ("CA", "california"),
    ("CO", "colorado"),
    ("CT", "connecticut"),
    ("DC", "district of columbia"),
    ("DE", "delaware"),
    ("FL", "florida"),
    ("GA", "georgia"),
    ("GU", "guam"),
    ("HI", "hawaii"),
    ("IA", "iowa"),
    ("ID", "idaho"),
    ("IL", "illinois"),
    ("IN", "indiana"),
    ("KS", "kansas"),
    ("KY", "kentucky"),
    ("LA", "louisiana"),
    ("MA", "massachusetts"),
    ("MD", "maryland"),
    ("ME", "maine"),
    ("MI", "michigan"),
    ("MN", "minnesota"),
    ("MO", "missouri"),
    ("MP", "northern mariana islands"),
    ("MS", "mississippi"),
    ("MT", "montana"),
    ("NC", "north carolina"),
    ("ND", "north dakota"),
    ("NE", "nebraska"),
    ("NH", "new hampshire"),
    ("NJ", "new jersey"),
    ("NM", "new mexico"),
    ("NV", "nevada"),
    ("NY", "new york"),
    ("OH", "ohio"),
    ("OK", "oklahoma"),
    ("OR", "oregon"),
    ("PA", "pennsylvania"),
    ("PR", "puerto rico"),
    ("RI", "rhode island"),
    ("SC", "south carolina"),
    ("SD", "south dakota"),
    ("TN", "tennessee"),
    ("TX", "texas"),
    ("UT", "utah"),
    ("VA", "virginia"),
    ("VI", "virgin islands"),
    ("VT", "vermont"),
    ("WA", "washington"),
    ("WI", "wisconsin"),
    ("WV", "west virginia"),
    ("WY", "wyoming"),
];

/// Other names of the same places.
const ALIASES: [(&str, &str); 4] = [
    ("washington dc", "DC"),
    ("us virgin islands", "VI"),
    ("united states virgin islands", "VI"),
    ("commonwealth of the northern mariana islands", "MP"),
];

/// The two letters of the state that a text names, if it names one.
pub fn state_of(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if let &[a, b] = text.as_bytes() {
        return by_letters(a, b);
    }
    // Longer than any way to write one.
    if text.len() > 64 {
        return None;
    }
    let mut folded = [0; 64];
    let words = fold(text, &mut folded)?;
    if let Some(letters) = by_name(words) {
        return Some(letters);
    }
    // "NV Nevada" and "Nevada (NV)": both must say the same.
    let (first, behind) = words.split_once(' ')?;
    let (before, last) = words.rsplit_once(' ')?;
    [(first, behind), (last, before)]
        .into_iter()
        .find_map(|(letters, name)| match *letters.as_bytes() {
            [a, b] => by_letters(a, b).filter(|letters| by_name(name) == Some(letters)),
            _ => None,
        })
}

/// Letters in lower case, dots left out, all else one space between words.
fn fold<'b>(text: &str, buffer: &'b mut [u8; 64]) -> Option<&'b str> {
    let mut length = 0;
    let mut gap = false;
    for byte in text.bytes() {
        match byte {
            b'.' => {}
            b'a'..=b'z' | b'A'..=b'Z' => {
                if gap && length > 0 {
                    buffer[length] = b' ';
                    length += 1;
                }
                gap = false;
                buffer[length] = byte.to_ascii_lowercase();
                length += 1;
            }
            b' ' | b'\t' | b'-' | b',' | b'(' | b')' | b'/' | b':' => gap = true,
            _ => return None,
        }
    }
    std::str::from_utf8(&buffer[..length]).ok()
}

fn by_letters(a: u8, b: u8) -> Option<&'static str> {
    let wanted = number_of(a.to_ascii_uppercase(), b.to_ascii_uppercase());
    LETTERS.binary_search(&wanted).ok().map(|at| STATES[at].0)
}

/// Both letters as one number, which sorts as they do.
const fn number_of(a: u8, b: u8) -> u16 {
    u16::from_be_bytes([a, b])
}

/// The letters of [`STATES`] as numbers.
const LETTERS: [u16; STATES.len()] = {
    let mut letters = [0; STATES.len()];
    let mut at = 0;
    while at < STATES.len() {
        let bytes = STATES[at].0.as_bytes();
        letters[at] = number_of(bytes[0], bytes[1]);
        at += 1;
    }
    letters
};

fn by_name(name: &str) -> Option<&'static str> {
    if let &[a, b] = name.as_bytes() {
        return by_letters(a, b);
    }
    let first = name.as_bytes().first()?;
    STATES
        .iter()
        // The first letter rules most of them out without a call.
        .filter(|(_, state)| state.as_bytes()[0] == *first)
        .find_map(|(letters, state)| (*state == name).then_some(*letters))
        .or_else(|| {
            ALIASES
                .iter()
                .find_map(|(alias, letters)| (*alias == name).then_some(*letters))
        })
}

pub(super) fn state(text: &str) -> Result<&'static str, ValueError> {
    state_of(text).ok_or_else(|| {
        let fault = ValueError::new(Code::BadState, "not a state of the US");
        match suggest::closest(text, STATES.iter().map(|(_, name)| *name)) {
            Some(name) => fault.hint(format!("did you mean \"{}\"?", in_title_case(name))),
            None => fault.hint("write its two letters or its name"),
        }
    })
}

fn in_title_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(' ') {
        if !out.is_empty() {
            out.push(' ');
        }
        let (first, rest) = word.split_at(usize::from(word != "of"));
        out.push_str(&first.to_ascii_uppercase());
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_sorted_for_its_search() {
        assert!(STATES.is_sorted());
        for (letters, name) in STATES {
            assert_eq!(state_of(letters), Some(letters));
            assert_eq!(state_of(name), Some(letters));
        }
    }

    #[test]
    fn states_as_exports_write_them() {
        for (text, wanted) in [
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
            assert_eq!(state_of(text), Some(wanted), "{text}");
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
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = state(&text);
        }

        #[test]
        fn no_long_text_of_letters_makes_it_panic(text in "[a-zA-Z ,.]{50,80}") {
            let _ = state(&text);
        }
    }
}
