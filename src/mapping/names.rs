//! Column and field names as people mean them, whatever their spelling.

/// The letters and digits of a name in lower case: `Lead ID`, `lead_id` and
/// `LeadId` are one.
pub fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The words of a name in lower case, parted by punctuation, white space and
/// the humps of camel case.
pub fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        let starts_hump = after_lower && c.is_uppercase();
        if (!c.is_alphanumeric() || starts_hump) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a name speaks of a person's birth.
pub(super) fn is_birth_date(name: &str) -> bool {
    fold(name).contains("birth") || words(name).iter().any(|word| word == "dob")
}

/// Whether a date of this name is rightly in the future, as deadlines are.
pub(super) fn allows_future_dates(name: &str) -> bool {
    const AHEAD: [&str; 9] = [
        "deadline",
        "expir",
        "followup",
        "hearing",
        "limdate",
        "limitation",
        "next",
        "statute",
        "trial",
    ];
    let folded = fold(name);
    AHEAD.iter().any(|word| folded.contains(word)) || words(name).iter().any(|word| word == "due")
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
    fn births_and_deadlines_are_told_by_name() {
        assert!(
            is_birth_date("DOB") && is_birth_date("Client DOB") && is_birth_date("date_of_birth")
        );
        assert!(!is_birth_date("Adobe file"));
        assert!(allows_future_dates("Statute of Limitations") && allows_future_dates("lim_date"));
        assert!(!allows_future_dates("Incident Date"));
    }
}
