//! Column and field names compared as people mean them, whatever the spelling.

/// The letters and digits of a name in lower case: `Lead ID`, `lead_id` and
/// `LeadId` fold to the same text.
pub(crate) fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The words of a name in lower case, split at punctuation, white space and
/// the humps of camel case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_after_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (is_after_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && c.is_alphanumeric()
        {
            word.extend(c.to_lowercase());
        }
        is_after_lower = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The candidate that is most like a name, if any is close enough.
///
/// Letter case and punctuation are ignored; of the rest a third may differ, and
/// two letters swapped count once.
pub(crate) fn closest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let name = fold(name);
    let length = name.chars().count();
    // A cell with a page of text is not a misspelled name.
    if length == 0 || length > 200 {
        return None;
    }
    let distance = |candidate: &'c str| {
        let folded = fold(candidate);
        let other = folded.chars().count();
        let allowed = (length.max(other) / 3).max(1);
        if other == 0 || length.abs_diff(other) > allowed {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&name, &folded);
        // Names of one letter are alike only when they are equal.
        (distance <= allowed && distance < length).then_some((distance, candidate))
    };
    let close = candidates.into_iter().filter_map(distance);
    close
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint with the candidate that a misspelled name may mean.
pub(crate) fn did_you_mean<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    closest(name, candidates).map(|found| format!("did you mean \"{found}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_one_spelling() {
        for name in ["Lead ID", "lead_id", "LeadId", "LEAD-ID"] {
            assert_eq!(fold(name), "leadid", "{name}");
        }
        assert_eq!(
            words("litify_pm__Case_Type__c").join(" "),
            "litify pm case type c"
        );
        assert_eq!(words("ClientSSN").join(" "), "client ssn");
    }

    #[test]
    fn the_closest_name_is_found_and_a_distant_one_is_not() {
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
    fn the_first_of_equally_close_names_is_taken() {
        assert_eq!(closest("Smyth", ["Smith", "Smoth"]), Some("Smith"));
    }
}
