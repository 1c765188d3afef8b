//! Cases of a ledger: which ones `status`, `export` and `resolve` are about,
//! and each with what a person needs to find it on the platform.

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::cli::args::CaseSelection;
use crate::input::Input;
use crate::ledger::{CaseFilter, CaseRow, LedgerError, LedgerReader, RunId};
use crate::mapping::names::{self, FIRST_NAME, FULL_NAME, LAST_NAME};
use crate::output::terminal::status::CaseView;
use crate::output::terminal::text::escaped;

/// Known file names that an error lists.
const NAMES_SHOWN: usize = 20;

impl CaseSelection {
    /// Whether every case is selected.
    pub(super) fn is_all(&self) -> bool {
        self.run.is_none() && self.state.is_empty() && self.file.is_none()
    }

    /// The ledger's filter. A run or a file that the ledger does not know is an
    /// error: an empty result would look as if all were well.
    pub(super) fn filter(&self, reader: &LedgerReader) -> Result<CaseFilter> {
        let run = self.run.map(RunId);
        let file = self.file.as_ref();
        let file = file.map(|file| Input::from_arg(file.as_ref()).name());
        if run.is_some() || file.is_some() {
            let runs = reader.runs(usize::MAX)?;
            if let Some(run) = run
                && !runs.iter().any(|known| known.id == run)
            {
                match runs.first() {
                    Some(last) => bail!("no run {run} in the ledger; the last one is {}", last.id),
                    None => bail!("no run {run} in the ledger: it has no runs yet"),
                }
            }
            let files = runs.iter().flat_map(|run| &run.start.files);
            let mut names: Vec<&str> = files.map(|file| file.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            if let Some(file) = &file
                && !names.contains(&file.as_str())
            {
                let names = names.into_iter().take(NAMES_SHOWN).map(escaped);
                bail!(
                    "no run imported a file named {file}; imported files:\n  {}",
                    names.collect::<Vec<_>>().join("\n  ")
                );
            }
        }
        Ok(CaseFilter {
            run,
            states: (!self.state.is_empty()).then(|| self.state.clone()),
            file,
            ..CaseFilter::default()
        })
    }
}

/// The view of a case that was read with its content.
pub(super) fn view(
    reader: &LedgerReader,
    case: CaseRow,
    case_url: Option<&str>,
) -> Result<CaseView, LedgerError> {
    let content = [&case.payload, &case.raw_record];
    let person = content.into_iter().flatten().find_map(|json| person(json));
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
    let find = |names: &str| {
        let mut found = names
            .split(' ')
            .filter_map(|name| texts.iter().find(|(header, _)| header == name));
        found.next().map(|(_, text)| text.trim())
    };
    match [find(FIRST_NAME), find(LAST_NAME)] {
        [None, None] => find(FULL_NAME).or_else(|| find("name")).map(str::to_owned),
        parts => Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")),
    }
}

/// Every non-empty text with its folded header; nested ones with their parents'
/// headers in front.
fn flatten<'o>(prefix: &str, object: &'o Map<String, Value>, texts: &mut Vec<(String, &'o str)>) {
    for (name, value) in object {
        let header = format!("{prefix}{}", names::folded(name));
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
