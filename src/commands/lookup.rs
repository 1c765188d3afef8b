//! A case with what a person needs to find it on the platform, put together
//! from the ledger and the record's headers.

use serde_json::{Map, Value};

use crate::ledger::{CaseRow, LedgerError, LedgerReader};
use crate::mapping::headers::{self, FIRST_NAME, FULL_NAME, LAST_NAME};
use crate::output::terminal::status::CaseView;

/// The view of a case that was read with its content.
pub(super) fn view(
    reader: &LedgerReader,
    case: CaseRow,
    case_url: Option<&str>,
) -> Result<CaseView, LedgerError> {
    let person = [&case.payload, &case.raw]
        .into_iter()
        .flatten()
        .find_map(|json| person(json));
    Ok(CaseView {
        attempts: reader.attempts(&case.key)?,
        resolution: reader.last_resolution(&case.key)?,
        person,
        case_url: case_url.map(str::to_owned),
        case,
    })
}

/// The name of the person that a record is about, guessed by its headers.
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
    let parts = [FIRST_NAME, LAST_NAME].into_iter();
    let parts: Vec<&str> = parts.filter_map(find).collect();
    if parts.is_empty() {
        let full = find(FULL_NAME).or_else(|| find(&["name"]));
        return full.map(str::to_owned);
    }
    Some(parts.join(" "))
}

/// Every non-empty text with its folded header; nested ones with their parents'
/// headers in front.
fn flatten<'o>(prefix: &str, object: &'o Map<String, Value>, texts: &mut Vec<(String, &'o str)>) {
    for (name, value) in object {
        let header = format!("{prefix}{}", headers::folded(name));
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
