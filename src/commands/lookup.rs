//! What a person needs to look a case up on the platform, put together from
//! the ledger and the record's headers.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::ledger::{CaseRow, LedgerReader};
use crate::mapping::headers::{self, FIRST_NAME, FULL_NAME, LAST_NAME};
use crate::output::terminal::status::CaseView;

/// A case that was selected with its content, with all there is to tell.
pub(super) fn view(
    reader: &LedgerReader,
    case: CaseRow,
    case_url: Option<&str>,
) -> Result<CaseView> {
    let attempts = reader.attempts(&case.key)?;
    let resolution = (reader.resolutions(&case.key)?.into_iter())
        .rev()
        .find(|resolution| resolution.undone.is_none());
    let person = [&case.payload, &case.raw]
        .into_iter()
        .flatten()
        .find_map(|content| person(content));
    Ok(CaseView {
        attempts,
        resolution,
        person,
        case_url: case_url.map(str::to_owned),
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
    let parts = [FIRST_NAME, LAST_NAME];
    let parts: Vec<&str> = parts.iter().filter_map(|names| find(names)).collect();
    if parts.is_empty() {
        find(FULL_NAME)
            .or_else(|| find(&["name"]))
            .map(str::to_owned)
    } else {
        Some(parts.join(" "))
    }
}

/// Every filled text with its folded header; nested ones by their dotted names.
fn flatten<'o>(before: &str, object: &'o Map<String, Value>, texts: &mut Vec<(String, &'o str)>) {
    for (name, value) in object {
        let header = format!("{before}{}", headers::folded(name));
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
