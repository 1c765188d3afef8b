//! What columns are called in the exports of case-management systems. Names are
//! folded: letter case and punctuation count for nothing.

use super::{fold, words};

/// What names a case.
pub const KEY: &[&str] = &[
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
/// First names.
pub const FIRST_NAME: &[&str] = &[
    "firstname",
    "clientfirstname",
    "contactfirstname",
    "plaintifffirstname",
    "fromfirst",
];
/// Last names.
pub const LAST_NAME: &[&str] = &[
    "lastname",
    "clientlastname",
    "contactlastname",
    "plaintifflastname",
    "fromlast",
];
/// Whole names.
pub const FULL_NAME: &[&str] = &[
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
/// Phone numbers, those first that reach a person best.
pub const PHONE: &[&str] = &[
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
/// E-mail addresses.
pub const EMAIL: &[&str] = &[
    "email",
    "emailaddress",
    "clientemailaddress",
    "clientemail",
    "contactemail",
];
/// When it happened.
pub const INCIDENT_DATE: &[&str] = &[
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
/// Where it happened.
pub const INCIDENT_STATE: &[&str] = &[
    "casestate",
    "incidentstate",
    "stateofincident",
    "matterstate",
    "accidentstate",
];
/// Where the client lives, more likely than not.
pub const ANY_STATE: &[&str] = &["state", "contactstate", "clientstate", "businessstate"];
/// What kind of case it is.
pub const CASE_TYPE: &[&str] = &[
    "casetype",
    "leadcasetype",
    "matcode",
    "practicearea",
    "projecttype",
    "casesubtype",
];
/// What happened.
pub const SUMMARY: &[&str] = &[
    "summary",
    "leadsummary",
    "casesummary",
    "description",
    "synopsis",
    "injuryinformation",
    "casedetails",
];
/// Who handles it. Never who sent it: "referred by", "source".
pub const PARTNER_FIRM: &[&str] = &[
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
pub fn folded(header: &str) -> String {
    fold(plain(header))
}

/// A header as the name of a field: `Lead ID` is `LeadId`.
pub fn field_name(header: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_whatever_their_spelling() {
        assert!(CASE_TYPE.contains(&folded("litify_pm__Case_Type__c").as_str()));
        assert!(INCIDENT_DATE.contains(&folded("litify_pm__Incident_date__c").as_str()));
        assert!(PHONE.contains(&folded("Phone Mobile").as_str()));
        assert_eq!(field_name("Lead ID"), "LeadId");
        assert_eq!(field_name("casenum"), "Casenum");
        assert_eq!(field_name("#"), "Key");
    }
}
