//! What a person needs to look a case up on the platform, put together from
//! the ledger, the record's headers and the profile.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::ledger::{CaseRow, Reader};
use crate::mapping::fold;
use crate::profile::Profile;
use crate::report::status::CaseView;

/// Folded headers of a first name, and those of a last name.
const PARTS: [[&str; 5]; 2] = [
    [
        "firstname",
        "clientfirstname",
        "contactfirstname",
        "plaintifffirstname",
        "fromfirst",
    ],
    [
        "lastname",
        "clientlastname",
        "contactlastname",
        "plaintifflastname",
        "fromlast",
    ],
];
/// Folded headers of a whole name.
const WHOLE: [&str; 10] = [
    "client",
    "clientname",
    "partyname",
    "plaintiff",
    "plaintiffname",
    "fullname",
    "contactname",
    "casename",
    "displayname",
    "name",
];

/// A case that was selected with its content, with all there is to tell.
pub(super) fn view(reader: &Reader, case: CaseRow, profile: Option<&Profile>) -> Result<CaseView> {
    let attempts = reader.attempts(&case.key)?;
    let word = (reader.words(&case.key)?.into_iter())
        .rev()
        .find(|word| word.undone.is_none());
    let person = [&case.payload, &case.raw]
        .into_iter()
        .flatten()
        .find_map(|content| person(content));
    Ok(CaseView {
        attempts,
        word,
        person,
        case_url: profile.and_then(|profile| profile.platform_case_url.clone()),
        case,
    })
}

/// Whom a record is about, guessed by its headers.
fn person(content: &str) -> Option<String> {
    let object: Map<String, Value> = serde_json::from_str(content).ok()?;
    let mut texts = Vec::new();
    flatten("", &object, &mut texts);
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            texts
                .iter()
                .find(|(header, _)| header == name)
                .map(|(_, text)| text.trim())
        })
    };
    let parts: Vec<&str> = PARTS.iter().filter_map(|names| find(names)).collect();
    if parts.is_empty() {
        find(&WHOLE).map(str::to_owned)
    } else {
        Some(parts.join(" "))
    }
}

/// Every filled text with its folded header; nested ones by their dotted names.
fn flatten<'o>(before: &str, object: &'o Map<String, Value>, texts: &mut Vec<(String, &'o str)>) {
    for (name, value) in object {
        // Salesforce puts a namespace and a mark around a field's name.
        let plain = name.strip_suffix("__c").map_or(name.as_str(), |name| {
            name.split_once("__").map_or(name, |(_, name)| name)
        });
        let header = format!("{before}{}", fold(plain));
        match value {
            Value::String(text) if !text.trim().is_empty() => texts.push((header, text)),
            Value::Object(object) => flatten(&header, object, texts),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn a_person_is_found_under_the_usual_headers() {
        for (record, name) in [
            (
                r#"{"FirstName":"José","LastName":"Ramírez"}"#,
                "José Ramírez",
            ),
            (
                r#"{"Client Last Name":"Okafor","First Name":" "}"#,
                "Okafor",
            ),
            (r#"{"party_name":"Hàn, Minh","Phone":"1"}"#, "Hàn, Minh"),
            (
                r#"{"client":{"firstName":"Ada","lastName":"Vega"}}"#,
                "Ada Vega",
            ),
            (
                r#"{"litify_pm__First_Name__c":"Bo","litify_pm__Last_Name__c":"Lee"}"#,
                "Bo Lee",
            ),
        ] {
            assert_eq!(person(record).as_deref(), Some(name), "{record}");
        }
        assert_eq!(person(r#"{"LeadId":"1","Firm":"Smith"}"#), None);
    }
}
