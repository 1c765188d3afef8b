//! What columns are called in the exports of case-management systems, and what
//! a name says about its values. Names are folded: letter case and punctuation
//! are ignored.

use super::names::{fold, words};

/// Case ids.
pub(crate) const KEY: &[&str] = &[
    "leadid",
    "leadno",
    "leadnumber",
    "caseid",
    "caseno",
    "casenumber",
    "casenum",
    "matterid",
    "matternumber",
    "intakeid",
    "projectnumber",
    "projectexternalid",
    "customnumber",
    "externalid",
    "id",
    "number",
    "reference",
    "clientreference",
];
pub(crate) const FIRST_NAME: &[&str] = &[
    "firstname",
    "clientfirstname",
    "contactfirstname",
    "plaintifffirstname",
    "fromfirst",
];
pub(crate) const LAST_NAME: &[&str] = &[
    "lastname",
    "clientlastname",
    "contactlastname",
    "plaintifflastname",
    "fromlast",
];
pub(crate) const FULL_NAME: &[&str] = &[
    "client",
    "clientname",
    "partyname",
    "plaintiff",
    "plaintiffname",
    "fullname",
    "contactname",
    "casename",
    "displayname",
];
/// Phone numbers, the most direct first.
pub(crate) const PHONE: &[&str] = &[
    "mobile",
    "cell",
    "phonemobile",
    "mobilephone",
    "cellphone",
    "contactmobilephone",
    "clientmobilephone",
    "primaryphone",
    "phone",
    "phonenumber",
    "clientphone",
    "clientphonenumber",
    "home",
    "phonehome",
    "homephone",
    "work",
    "phonework",
    "workphone",
    "officephone",
];
pub(crate) const EMAIL: &[&str] = &[
    "email",
    "emailaddress",
    "clientemailaddress",
    "clientemail",
    "contactemail",
];
pub(crate) const INCIDENT_DATE: &[&str] = &[
    "incidentdate",
    "dateofincident",
    "dateofloss",
    "lossdate",
    "dol",
    "doi",
    "dateofinjury",
    "injurydate",
    "accidentdate",
    "dateofaccident",
];
pub(crate) const INCIDENT_STATE: &[&str] = &[
    "casestate",
    "incidentstate",
    "stateofincident",
    "matterstate",
    "accidentstate",
];
/// Probably the client's state, not the incident's.
pub(crate) const ANY_STATE: &[&str] = &["state", "contactstate", "clientstate", "businessstate"];
pub(crate) const CASE_TYPE: &[&str] = &[
    "casetype",
    "leadcasetype",
    "matcode",
    "practicearea",
    "projecttype",
    "casesubtype",
];
pub(crate) const SUMMARY: &[&str] = &[
    "summary",
    "leadsummary",
    "casesummary",
    "description",
    "synopsis",
    "injuryinformation",
    "casedetails",
];
/// The firm that handles the case, never the one that sent it ("referred by").
pub(crate) const PARTNER_FIRM: &[&str] = &[
    "handlingfirm",
    "partnerfirm",
    "partnerfirmname",
    "referredto",
    "refferedto",
    "referralpartner",
    "referrallawfirm",
    "referralfirm",
    "cocounsel",
];

/// A header without Salesforce's namespace and mark: `Case_Type` of
/// `litify_pm__Case_Type__c`.
fn plain(header: &str) -> &str {
    header.strip_suffix("__c").map_or(header, |name| {
        name.split_once("__").map_or(name, |(_, name)| name)
    })
}

/// A header as the lists here hold it.
pub(crate) fn folded(header: &str) -> String {
    fold(plain(header))
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
fn is_birth_date(name: &str) -> bool {
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
    fn headers_match_in_any_spelling() {
        assert!(CASE_TYPE.contains(&folded("litify_pm__Case_Type__c").as_str()));
        assert!(INCIDENT_DATE.contains(&folded("litify_pm__Incident_date__c").as_str()));
        assert!(PHONE.contains(&folded("Phone Mobile").as_str()));
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
