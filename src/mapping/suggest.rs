//! "Did you mean …?": the closest of some words. Shown, never applied.

use super::names::fold;

/// The candidate that is most like the word, if any is like it enough.
///
/// Letter case and punctuation count for nothing; beyond them a third of the
/// letters may differ, with neighbours swapped counting once.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = fold(word);
    // A cell that holds a whole page is no misspelt word.
    let length = wanted.chars().count();
    if length == 0 || length > 200 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let folded = fold(candidate);
        let longest = length.max(folded.chars().count());
        let allowed = if longest <= 3 { 1 } else { longest / 3 };
        if folded.is_empty() || length.abs_diff(folded.chars().count()) > allowed {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&wanted, &folded);
        // Two letters of which one differs have nothing in common to go by.
        let alike = distance <= allowed && distance < length.min(longest).max(1);
        if alike && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The hint of a value that may be one of the candidates misspelt.
pub fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    closest(word, candidates).map(|found| format!("did you mean \"{found}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_found_and_a_far_one_is_not() {
        let types = ["Motor Vehicle Accident", "Auto Accident", "Dog Bite"];
        assert_eq!(closest("Auto Acident", types), Some("Auto Accident"));
        assert_eq!(closest("dog-bite", types), Some("Dog Bite"));
        assert_eq!(closest("MVA", types), None);
        assert_eq!(closest("", types), None);
        assert_eq!(closest("lead_id", ["Lead ID", "Lead"]), Some("Lead ID"));
        assert_eq!(
            closest("requierd", ["required", "rename"]),
            Some("required")
        );
    }

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(closest("Smyth", ["Smith", "Smoth"]), Some("Smith"));
    }
}
