//! Code tables that people keep in files of their own: two columns, what the
//! export says and what is meant.
//!
//! A first row that only names the columns (`code,name`, `firm,id` and the
//! like) is passed over.

use std::path::Path;

use crate::mapping::fold;

use super::error::SettingError;
use super::table::Table;

/// Why a table could not be read.
pub(super) enum Unread {
    /// The file as a whole.
    File(String),
    /// Some of its lines.
    Lines(Vec<SettingError>),
}

/// Reads a table.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, Unread> {
    let bytes = std::fs::read(path)
        .map_err(|error| Unread::File(format!("can't read {}: {error}", path.display())))?;
    parse(&decoded(&bytes), path)
}

/// As Excel writes it: UTF-8 or UTF-16 with a mark in front, UTF-8 without, or
/// the code page of Windows.
fn decoded(bytes: &[u8]) -> String {
    let encoding = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => encoding_rs::UTF_8,
        None => encoding_rs::WINDOWS_1252,
    };
    encoding.decode(bytes).0.into_owned()
}

fn parse(text: &str, path: &Path) -> Result<Vec<(String, String)>, Unread> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .find(|delimiter| first.as_bytes().contains(delimiter))
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut faults = Vec::new();
    let mut is_first = true;
    for row in reader.records() {
        let row =
            row.map_err(|error| Unread::File(format!("can't read {}: {error}", path.display())))?;
        let line = row.position().map_or(0, csv::Position::line);
        let mut fault = |message: String| {
            faults.push(SettingError {
                path: path.to_owned(),
                line: line as u32,
                column: 1,
                excerpt: String::new(),
                width: 0,
                message,
            });
        };
        let filled: Vec<&str> = row.iter().filter(|cell| !cell.is_empty()).collect();
        if filled.is_empty() {
            continue;
        }
        let was_first = std::mem::replace(&mut is_first, false);
        let &[from, to] = filled.as_slice() else {
            fault(format!(
                "a code table has two filled columns in each row, and here are {}",
                filled.len()
            ));
            continue;
        };
        if was_first && is_heading(from) && is_heading(to) {
            continue;
        }
        match pairs.iter().find(|(known, _)| known == from) {
            Some((_, known)) if known == to => {}
            Some(_) => fault(format!("\"{from}\" stands twice, with different meanings")),
            None => pairs.push((from.to_owned(), to.to_owned())),
        }
    }
    if !faults.is_empty() {
        Err(Unread::Lines(faults))
    } else if pairs.is_empty() {
        Err(Unread::File(format!("{} holds no rows", path.display())))
    } else {
        Ok(pairs)
    }
}

fn is_heading(cell: &str) -> bool {
    const HEADINGS: [&str; 28] = [
        "from",
        "to",
        "code",
        "codes",
        "name",
        "names",
        "value",
        "meaning",
        "old",
        "new",
        "type",
        "casetype",
        "category",
        "description",
        "label",
        "firm",
        "firmname",
        "firmid",
        "partnerfirm",
        "partnerfirmname",
        "partnerfirmid",
        "partner",
        "lawfirm",
        "id",
        "lexamicaid",
        "lexamicafirmid",
        "lexamicaname",
        "lexamica",
    ];
    HEADINGS.contains(&fold(cell).as_str())
}

/// Adds a file's pairs to those of the config; they must not contradict it.
pub(super) fn merge(
    table: &Table<'_>,
    setting: &str,
    pairs: &mut Vec<(String, String)>,
    more: Vec<(String, String)>,
) {
    for (from, to) in more {
        match pairs.iter().find(|(known, _)| known.trim() == from) {
            Some((_, known)) if *known == to => {}
            Some((_, known)) => table.fault(
                setting,
                &format!("\"{from}\" is \"{to}\" in the file and \"{known}\" in the config"),
            ),
            None => pairs.push((from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(String, String)> {
        match parse(&decoded(text), Path::new("types.csv")) {
            Ok(pairs) => pairs,
            Err(Unread::File(message)) => panic!("{message}"),
            Err(Unread::Lines(faults)) => panic!("{faults:?}"),
        }
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn tables_as_people_keep_them() {
        let wanted = [
            pair("MVA", "Motor Vehicle Accident"),
            pair("DOG", "Dog, Bite"),
        ];
        assert_eq!(
            pairs(b"Code,Case Type\r\nMVA,Motor Vehicle Accident\r\n\r\nDOG,\"Dog, Bite\"\r\n"),
            wanted
        );
        assert_eq!(
            pairs(b"\xef\xbb\xbfMVA;Motor Vehicle Accident\nDOG;Dog, Bite\n"),
            wanted
        );
        assert_eq!(pairs(b"Ren\xe9e\tx"), [pair("Ren\u{e9}e", "x")]);
    }

    #[test]
    fn every_wrong_line_is_told() {
        let Err(Unread::Lines(faults)) = parse("a,b\nc\na,x\nd,e,f\n", Path::new("t.csv")) else {
            panic!("must not pass");
        };
        let lines: Vec<u32> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 3, 4]);
        assert_eq!(
            faults[0].to_string(),
            "t.csv:2: a code table has two filled columns in each row, and here are 1"
        );
    }
}
