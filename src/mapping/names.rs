//! Column and field names compared as people mean them, whatever the spelling;
//! what columns are called in the exports of case-management systems; and what
//! a name says about its values.

pub(crate) use crate::model::fold;

// The headers that exports use for one thing, folded, with a space between.

/// Case ids.
pub(crate) const KEY: &str = "\
    leadid leadno leadnumber caseid caseno casenumber casenum matterid matternumber \
    intakeid projectnumber projectexternalid customnumber externalid id number \
    reference clientreference";
pub(crate) const FIRST_NAME: &str = "\
    firstname clientfirstname contactfirstname plaintifffirstname fromfirst";
pub(crate) const LAST_NAME: &str = "\
    lastname clientlastname contactlastname plaintifflastname fromlast";
pub(crate) const FULL_NAME: &str = "\
    client clientname partyname plaintiff plaintiffname fullname contactname casename \
    displayname";
/// Phone numbers, the most direct first.
pub(crate) const PHONE: &str = "\
    mobile cell phonemobile mobilephone cellphone contactmobilephone clientmobilephone \
    primaryphone phone phonenumber clientphone clientphonenumber home phonehome \
    homephone work phonework workphone officephone";
pub(crate) const EMAIL: &str = "email emailaddress clientemailaddress clientemail contactemail";
pub(crate) const INCIDENT_DATE: &str = "\
    incidentdate dateofincident dateofloss lossdate dol doi dateofinjury injurydate \
    accidentdate dateofaccident";
pub(crate) const INCIDENT_STATE: &str = "\
    casestate incidentstate stateofincident matterstate accidentstate";
/// Probably the client's state, not the incident's.
pub(crate) const ANY_STATE: &str = "state contactstate clientstate businessstate";
pub(crate) const CASE_TYPE: &str = "\
    casetype leadcasetype matcode practicearea projecttype casesubtype";
pub(crate) const SUMMARY: &str = "\
    summary leadsummary casesummary description synopsis injuryinformation casedetails";
/// The firm that handles the case, never the one that sent it ("referred by").
pub(crate) const PARTNER_FIRM: &str = "\
    handlingfirm partnerfirm partnerfirmname referredto refferedto referralpartner \
    referrallawfirm referralfirm cocounsel";

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

/// Where a header stands among the headers for one thing.
pub(crate) fn position_among(headers: &str, header: &str) -> Option<usize> {
    let folded = fold(plain(header));
    headers.split(' ').position(|other| other == folded)
}

/// The items with one of these headers, in the order of the headers.
pub(crate) fn in_order<'n, T>(
    headers: &str,
    items: impl IntoIterator<Item = (&'n str, T)>,
) -> Vec<T> {
    let found = items.into_iter().filter_map(|(header, item)| {
        let position = position_among(headers, header)?;
        Some((position, item))
    });
    let mut found: Vec<(usize, T)> = found.collect();
    // Stable: of two with one header the first is first.
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, item)| item).collect()
}

/// A header without Salesforce's namespace and mark: `Case_Type` of
/// `litify_pm__Case_Type__c`.
fn plain(header: &str) -> &str {
    header.strip_suffix("__c").map_or(header, |name| {
        name.split_once("__").map_or(name, |(_, name)| name)
    })
}

/// A header as the name of a field: `Lead ID` is `LeadId`.
pub(crate) fn field_name(header: &str) -> String {
    let mut name = String::new();
    for word in words(plain(header)) {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.extend(letters);
    }
    if name.is_empty() {
        "Key".to_owned()
    } else {
        name
    }
}

/// Whether a name is that of a birth date.
pub(super) fn is_birth_date(name: &str) -> bool {
    fold(name).contains("birth") || words(name).iter().any(|word| word == "dob")
}

/// Whether dates of this name may be in the future, as deadlines are.
pub(super) fn allows_future_dates(name: &str) -> bool {
    const FUTURE: [&str; 9] = [
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
    FUTURE.iter().any(|word| folded.contains(word)) || words(name).iter().any(|word| word == "due")
}

/// Whether a column's name is that of a social security number, a birth date, a
/// bank account, a card, an identity document or a password.
pub(crate) fn looks_confidential(column: &str) -> bool {
    const WORDS: [&str; 9] = [
        "ssn", "ssno", "itin", "iban", "cvv", "cvc", "passport", "password", "passwd",
    ];
    const WITHIN: [&str; 12] = [
        "socialsecurity",
        "socialsec",
        "taxpayerid",
        "taxid",
        "bankaccount",
        "bankname",
        "bankrouting",
        "routingn",
        "accountnumber",
        "creditcard",
        "cardnumber",
        "driverslicen",
    ];
    let folded = fold(column);
    is_birth_date(column)
        || folded == "ss"
        || folded == "ssnumber"
        || WITHIN.iter().any(|part| folded.contains(part))
        || words(column)
            .iter()
            .any(|word| WORDS.contains(&word.as_str()))
}

/// Whether a value has the form `123-45-6789`.
pub(crate) fn looks_like_ssn(value: &str) -> bool {
    let bytes = value.trim().as_bytes();
    matches!(bytes, [_, _, _, b'-', _, _, b'-', _, _, _, _])
        && bytes.iter().filter(|byte| byte.is_ascii_digit()).count() == 9
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

    #[test]
    fn headers_match_in_any_spelling() {
        assert!(position_among(CASE_TYPE, "litify_pm__Case_Type__c").is_some());
        assert!(position_among(INCIDENT_DATE, "litify_pm__Incident_date__c").is_some());
        assert!(position_among(PHONE, "Phone Mobile").is_some());
        assert_eq!(field_name("Lead ID"), "LeadId");
        assert_eq!(field_name("casenum"), "Casenum");
        assert_eq!(field_name("#"), "Key");
    }

    #[test]
    fn birth_dates_and_deadlines_are_known_by_name() {
        assert!(
            is_birth_date("DOB") && is_birth_date("Client DOB") && is_birth_date("date_of_birth")
        );
        assert!(!is_birth_date("Adobe file"));
        assert!(allows_future_dates("Statute of Limitations") && allows_future_dates("lim_date"));
        assert!(!allows_future_dates("Incident Date"));
    }

    #[test]
    fn names_that_look_confidential() {
        for name in [
            "SSN",
            "Client SSN",
            "ClientSSN",
            "Social Security Number",
            "SS#",
            "DOB",
            "Date of Birth",
            "Bank Account",
            "Routing Number",
            "Driver's License",
        ] {
            assert!(looks_confidential(name), "{name}");
        }
        for name in [
            "Classname",
            "Lead ID",
            "Account Manager",
            "Summary",
            "Address",
        ] {
            assert!(!looks_confidential(name), "{name}");
        }
    }

    #[test]
    fn values_that_look_like_social_security_numbers() {
        assert!(looks_like_ssn(" 078-05-1120 "));
        assert!(!looks_like_ssn("702-555-0101"));
        assert!(!looks_like_ssn("078051120"));
    }
}
