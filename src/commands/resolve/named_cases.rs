//! Cases that the user names: keys as typed, and keys in a file, each with the
//! case id that was found on the platform and the decision about it.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use indexmap::IndexMap;

use super::super::cases::TypedKeys;
use crate::input::{self, Input, Item, ReadOptions};
use crate::ledger::{self, ResolveAction};
use crate::model::{Columns, FileId, Format, Key, Record, State, reserved};

/// The column that holds a key as a user types it.
const TYPED_KEY: &str = "key";
const CASE_IDS: [&str; 2] = [reserved::CASE_ID, "case_id"];
const STATES: [&str; 2] = [reserved::STATE, "state"];

/// A key, and the case id that belongs to it.
pub(super) type NamedCase = (Key, Option<String>);

/// Named cases, each once, in the order in which they were named.
pub(super) type NamedCases = IndexMap<Key, Option<String>>;

/// A row of a list.
#[derive(Debug)]
pub(super) struct ListedCase {
    pub(super) key: Key,
    pub(super) case_id: Option<String>,
    /// What the user wrote into the file.
    pub(super) decision: Option<ResolveAction>,
    /// The state that an export wrote.
    pub(super) state: Option<State>,
}

impl ListedCase {
    /// Whether the file says that the case is not on the platform.
    pub(super) fn is_absent(&self) -> bool {
        let state = self.state.filter(|_| self.case_id.is_none());
        matches!(
            state,
            Some(State::Rejected | State::NotSent | State::Removed)
        )
    }
}

/// Adds a case unless it was named before. Two ids for one case are an error.
pub(super) fn add(named: &mut NamedCases, (key, id): NamedCase) -> Result<()> {
    if let (Some(Some(known)), Some(id)) = (named.get(&key), &id)
        && known != id
    {
        bail!("two case ids for case {key}: {known} and {id}");
    }
    let known = named.entry(key).or_default();
    *known = known.take().or(id);
    Ok(())
}

/// `KEY=CASE_ID`: the whole text is a key when it is a JSON array or the ledger
/// has such a key; else it is split at the last `=`. With nothing after the `=`
/// there is no id.
pub(super) fn split_id(
    text: &str,
    is_known: impl FnOnce(&str) -> Result<bool>,
) -> Result<(&str, Option<String>)> {
    match text.rsplit_once('=') {
        Some((key, id))
            if !key.trim().is_empty() && Key::parse(text).is_none() && !is_known(text)? =>
        {
            let id = id.trim();
            Ok((key, (!id.is_empty()).then(|| id.to_owned())))
        }
        _ => Ok((text, None)),
    }
}

/// Reads a list: one key per line, or a file that `export` or a run wrote, as
/// it is or saved again by a spreadsheet; `-` is standard input.
pub(super) fn read_list(path: &Path, keys: &TypedKeys<'_>) -> Result<Vec<ListedCase>> {
    if path == Path::new("-") {
        // Standard input can be read only once, and is read twice below.
        let mut copy = tempfile::NamedTempFile::new_in(ledger::temporary_folder())
            .context("can't create a temporary file")?;
        io::copy(&mut io::stdin().lock(), &mut copy).context("can't read standard input")?;
        return read_file(copy.path(), "standard input", keys);
    }
    read_file(path, &path.display().to_string(), keys)
}

fn read_file(path: &Path, name: &str, keys: &TypedKeys<'_>) -> Result<Vec<ListedCase>> {
    let opened = input::open(
        &Input::Path(path.to_owned()),
        FileId(0),
        &ReadOptions::default(),
    );
    let is_list = |columns: &Columns| {
        let mut names = [reserved::KEY, TYPED_KEY].into_iter();
        names.any(|name| columns.position(name).is_some())
    };
    match opened {
        Ok(reader) if reader.columns().is_none_or(|columns| is_list(columns)) => {
            read_records(reader, name, keys)
        }
        Ok(_) if is_table(path) => bail!(
            "{name} has no column {} or {TYPED_KEY}, so `caseload export` did not write it; put \
             the keys into a .txt file, one per line",
            reserved::KEY
        ),
        Err(error) if is_table(path) => Err(error.into()),
        _ => read_lines(path, name, keys),
    }
}

/// Whether the name says that there is a header.
fn is_table(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Format::from_name(&name).is_some() || name.to_lowercase().ends_with(".xls")
}

fn read_lines(path: &Path, name: &str, keys: &TypedKeys<'_>) -> Result<Vec<ListedCase>> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {name}"))?;
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("{name} is not UTF-8 text; save it as UTF-8"))?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let cases = lines.filter(|line| !line.is_empty()).map(|line| {
        let written = line.strip_prefix("key:").and_then(Key::parse);
        Ok(ListedCase {
            key: written.map_or_else(|| keys.read(line), Ok)?,
            case_id: None,
            decision: None,
            state: None,
        })
    });
    cases.collect()
}

fn read_records(
    mut reader: input::Reader,
    name: &str,
    keys: &TypedKeys<'_>,
) -> Result<Vec<ListedCase>> {
    if let Some(problem) = reader.problems().first() {
        bail!("{name}: {}", problem.message);
    }
    let mut parser = reader.parser();
    let mut cases = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        parser.parse(&chunk, &mut |item| {
            let (line, case) = match item {
                Item::Record(record) => (record.place.line, listed_case(&record, keys)),
                Item::Problem(problem, _) | Item::Lost(problem) => {
                    (problem.place.line, Err(problem.message))
                }
            };
            cases.push(
                case.map_err(|message| anyhow!("{name}:{line}: {message}; nothing was changed")),
            );
        });
    }
    cases.into_iter().collect()
}

fn listed_case(record: &Record<'_>, keys: &TypedKeys<'_>) -> Result<ListedCase, String> {
    let filled = |column: &str| {
        let text = record.get(column).text.trim();
        (!text.is_empty()).then_some(text)
    };
    let key = if let Some(text) = filled(reserved::KEY) {
        (text.strip_prefix("key:"))
            .and_then(Key::parse)
            .ok_or("not a key as caseload writes it, such as key:[\"00123\"]")?
    } else {
        let typed = filled(TYPED_KEY).ok_or("no key in this row")?;
        keys.read(typed).map_err(|error| error.to_string())?
    };
    Ok(ListedCase {
        key,
        case_id: (CASE_IDS.into_iter().find_map(filled)).map(str::to_owned),
        decision: filled(reserved::DECISION).map(decision).transpose()?,
        state: (STATES.into_iter().find_map(filled)).and_then(|state| state.parse().ok()),
    })
}

/// A decision as people write it.
fn decision(text: &str) -> Result<ResolveAction, String> {
    match text.to_lowercase().replace([' ', '_'], "-").as_str() {
        "imported" => Ok(ResolveAction::Imported),
        "not-imported" => Ok(ResolveAction::NotImported),
        _ => Err(format!(
            "unknown decision {text:?}; write imported or not-imported"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> NamedCase {
        let split = split_id(text, |text| Ok(text == "known=1"));
        let (key, id) = split.unwrap();
        (Key::from_typed("", key), id)
    }

    #[test]
    fn an_id_follows_the_last_equals_sign_unless_the_whole_is_a_known_key() {
        for (typed, parts, id) in [
            ("L-1", &["L-1"][..], None),
            ("L-1=c1", &["L-1"], Some("c1")),
            ("a=b=c1", &["a=b"], Some("c1")),
            ("a=b=", &["a=b"], None),
            ("=c1", &["=c1"], None),
            ("known=1", &["known=1"], None),
            ("known=1=c1", &["known=1"], Some("c1")),
            (r#"["a=1","b"]"#, &["a=1", "b"], None),
            (r#"["a=1","b"]=c1"#, &["a=1", "b"], Some("c1")),
        ] {
            let (key, found) = parse(typed);
            assert_eq!(key, Key::new(parts), "{typed}");
            assert_eq!(found.as_deref(), id, "{typed}");
        }
    }

    #[test]
    fn a_case_is_named_once_and_with_one_id() {
        let mut named = NamedCases::new();
        for text in ["a", "b=1", "a=2", "b"] {
            add(&mut named, parse(text)).unwrap();
        }
        assert!(add(&mut named, parse("a=3")).is_err());
        assert_eq!(
            named.into_iter().collect::<Vec<_>>(),
            [
                (Key::new(["a"]), Some("2".to_owned())),
                (Key::new(["b"]), Some("1".to_owned()))
            ]
        );
    }
}
