//! Cases of a ledger: which ones `status`, `export` and `resolve` are about,
//! and each with what a person needs to find it on the platform.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use serde_json::{Map, Value};

use crate::cli::args::CaseSelection;
use crate::input::Input;
use crate::ledger::{CaseFilter, CaseRow, LedgerError, LedgerReader, RunId};
use crate::mapping::names::{self, EMAIL, FIRST_NAME, FULL_NAME, INCIDENT_DATE, LAST_NAME, PHONE};
use crate::model::{Digest, Key};
use crate::output::terminal::status::{CaseView, PERSON};
use crate::output::terminal::text::{escaped, escaped_list};

/// Known file names that an error lists.
const NAMES_SHOWN: usize = 20;

impl CaseSelection {
    /// Whether every case is selected.
    pub(super) fn is_all(&self) -> bool {
        self.source.is_none() && self.is_all_of_source()
    }

    pub(super) fn is_all_of_source(&self) -> bool {
        self.run.is_none() && self.state.is_empty() && self.file.is_none()
    }

    pub(super) fn typed_keys<'l>(&self, reader: &'l LedgerReader) -> TypedKeys<'l> {
        let source = self.source.as_deref().map(names::fold);
        TypedKeys { reader, source }
    }

    /// The ledger's filter. A run or a file that the ledger does not know is an
    /// error: an empty result would look as if all were well.
    pub(super) fn filter(&self, reader: &LedgerReader) -> Result<CaseFilter> {
        let run = self.run.map(RunId);
        let file = self.file.as_ref();
        let file = file.map(|file| Input::from_arg(file.as_ref()).name());
        let runs = reader.runs(usize::MAX)?;
        if let Some(run) = run
            && !runs.iter().any(|known| known.id == run)
        {
            match runs.first() {
                Some(last) => bail!("no run {run} in the ledger; the last one is {}", last.id),
                None => bail!("no run {run} in the ledger: it has no runs yet"),
            }
        }
        if let Some(file) = &file {
            let files = runs.iter().flat_map(|run| &run.start.files);
            let names: BTreeSet<&str> = files.map(|file| file.name.as_str()).collect();
            let shown = names.iter().take(NAMES_SHOWN).map(|name| escaped(name));
            ensure!(
                names.contains(file.as_str()),
                "no run imported a file named {file}; imported files:\n  {}",
                shown.collect::<Vec<_>>().join("\n  ")
            );
        }
        Ok(CaseFilter {
            run,
            states: (!self.state.is_empty()).then(|| self.state.clone()),
            file,
            source: self.source.as_deref().map(names::fold),
            ..CaseFilter::default()
        })
    }
}

/// Keys as users type them: of the source that is named, or of any.
pub(super) struct TypedKeys<'l> {
    reader: &'l LedgerReader,
    source: Option<String>,
}

impl TypedKeys<'_> {
    /// The key of the known case that is meant, if there is one.
    pub(super) fn find(&self, typed: &str) -> Result<Option<Key>> {
        let mut known = self.reader.typed_keys(typed, self.source.as_deref())?;
        ensure!(
            known.len() <= 1,
            "{} is a key of several sources ({}): name one with --source",
            escaped(typed),
            escaped_list(known.iter().map(Key::to_string))
        );
        Ok(known.pop())
    }

    /// The same; or the key of a case that the ledger does not know.
    pub(super) fn read(&self, typed: &str) -> Result<Key> {
        if let Some(key) = self.find(typed)? {
            return Ok(key);
        }
        let source = self.source.as_deref().unwrap_or_default();
        let key = Key::from_typed(source, typed);
        if self.source.is_none() && key.source().is_empty() && self.reader.source_names()?.len() > 1
        {
            bail!(
                "no case has the key {}, and the ledger has several sources: name one with --source",
                escaped(typed)
            );
        }
        // The order of the columns is not that of the config, whose order makes
        // no difference.
        let lists = self.reader.key_columns(key.source())?;
        let parts = key.parts().len();
        if let Some(list) = lists.last()
            && !lists.iter().any(|list| list.len() == parts)
        {
            bail!(
                "no case has the key {}, and keys are made of {}: type a new one as a JSON array \
                 in this order",
                escaped(typed),
                escaped_list(list)
            );
        }
        Ok(key)
    }
}

/// The views of cases that were read with their content.
pub(super) fn views(
    reader: &LedgerReader,
    cases: Vec<CaseRow>,
    case_url: Option<&str>,
) -> Result<Vec<CaseView>, LedgerError> {
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Digest> = cases.iter().map(|case| case.key.digest()).collect();
    let mut attempts = reader.attempts(&keys)?;
    let mut resolutions = reader.last_resolutions(&keys)?;
    let views = cases.into_iter().map(|case| {
        let contents = [&case.payload, &case.raw_record].into_iter().flatten();
        let objects: Vec<Map<String, Value>> = contents
            .filter_map(|json| serde_json::from_str(json).ok())
            .collect();
        CaseView {
            attempts: attempts.remove(&case.key.digest()).unwrap_or_default(),
            resolution: resolutions.remove(&case.key.digest()),
            person: person(&objects),
            case_url: case_url.map(str::to_owned),
            events: Vec::new(),
            case,
        }
    });
    Ok(views.collect())
}

/// The person that a record is about, guessed by its headers: what is known, each
/// with its title.
fn person(objects: &[Map<String, Value>]) -> Vec<(&'static str, String)> {
    let mut texts = Vec::new();
    for object in objects {
        flatten("", object, &mut texts);
    }
    let find = |headers: &str| {
        let named = texts.iter().map(|(header, text)| (header.as_str(), text));
        let found = names::in_order(headers, named);
        found.first().map(|text| text.trim().to_owned())
    };
    let name = match [find(FIRST_NAME), find(LAST_NAME)] {
        [None, None] => find(FULL_NAME).or_else(|| find("name")),
        parts => Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")),
    };
    let rows = [
        (PERSON, name),
        ("phone", find(PHONE)),
        ("e-mail", find(EMAIL)),
        ("incident", find(INCIDENT_DATE)),
    ];
    let rows = rows.into_iter();
    rows.filter_map(|(title, text)| Some((title, text?)))
        .collect()
}

/// Every non-empty text with its header; nested ones with their parents' headers
/// in front.
fn flatten<'o>(prefix: &str, object: &'o Map<String, Value>, texts: &mut Vec<(String, &'o str)>) {
    for (name, value) in object {
        let header = format!("{prefix}{name}");
        match value {
            Value::String(text) if !text.trim().is_empty() => texts.push((header, text)),
            Value::Object(object) => flatten(&header, object, texts),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person_of(record: &str) -> Vec<(&'static str, String)> {
        person(&[serde_json::from_str(record).unwrap()])
    }

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
            assert_eq!(person_of(record)[0], (PERSON, name.to_owned()), "{record}");
        }
        let nobody = person_of(r#"{"LeadId":"1","Firm":"Smith"}"#);
        assert_eq!(nobody, []);
        let found = person_of(
            r#"{"Cell":" 415 555 0100","client":{"email":"a@b.org"},"Date of Loss":"1/2/25"}"#,
        );
        let rows: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(rows, ["415 555 0100", "a@b.org", "1/2/25"]);
    }
}
