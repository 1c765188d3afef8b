//! Code tables that people keep in files of their own: two columns, what the
//! export says and what is meant. A first row that only names the columns
//! (`code,name`, `firm,id` and the like) is skipped.

use std::path::Path;

use super::error::line_at;
use crate::mapping::names::fold;

/// Reads a table; the error names the file and its line.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("can't read {name}: {error}"))?;
    parse(&decode(&bytes)).map_err(|message| format!("{name}: {message}"))
}

/// As Excel writes it: UTF-8 or UTF-16 with a byte order mark, UTF-8 without,
/// or Windows-1252.
fn decode(bytes: &[u8]) -> String {
    let encoding = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => encoding_rs::UTF_8,
        None => encoding_rs::WINDOWS_1252,
    };
    encoding.decode(bytes).0.into_owned()
}

fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
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
    let mut may_be_header = true;
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        // The position is before the blank lines that were skipped.
        let rest = row.position().map_or("", |at| &text[at.byte() as usize..]);
        let line = line_at(text, text.len() - rest.trim_start().len());
        let filled: Vec<&str> = row.iter().filter(|cell| !cell.is_empty()).collect();
        let (from, to) = match filled.as_slice() {
            [] => continue,
            [from, to] => (*from, *to),
            cells => {
                let count = cells.len();
                return Err(format!(
                    "line {line}: expected 2 filled columns, found {count}"
                ));
            }
        };
        if std::mem::take(&mut may_be_header) && is_heading(from) && is_heading(to) {
            continue;
        }
        match pairs.iter().find(|(known, _)| known == from) {
            Some((_, known)) if known == to => {}
            Some((_, known)) => {
                return Err(format!("line {line}: \"{from}\" is \"{known}\" further up"));
            }
            None => pairs.push((from.to_owned(), to.to_owned())),
        }
    }
    if pairs.is_empty() {
        return Err("no rows".to_owned());
    }
    Ok(pairs)
}

fn is_heading(cell: &str) -> bool {
    const HEADINGS: &str = "from to code codes name names value meaning old new type casetype \
        category description label firm firmname firmid partnerfirm partnerfirmname \
        partnerfirmid partner lawfirm id lexamicaid lexamicafirmid lexamicaname lexamica";
    let folded = fold(cell);
    HEADINGS.split(' ').any(|heading| heading == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn reads_tables_as_people_keep_them() {
        let expected = [
            pair("MVA", "Motor Vehicle Accident"),
            pair("DOG", "Dog, Bite"),
        ];
        for bytes in [
            &b"Code,Case Type\r\nMVA,Motor Vehicle Accident\r\n\r\nDOG,\"Dog, Bite\"\r\n"[..],
            b"\xef\xbb\xbfMVA;Motor Vehicle Accident\nDOG;Dog, Bite\nMVA;Motor Vehicle Accident\n",
        ] {
            assert_eq!(parse(&decode(bytes)).unwrap(), expected);
        }
        assert_eq!(
            parse(&decode(b"Ren\xe9e\tx")).unwrap(),
            [pair("Ren\u{e9}e", "x")]
        );
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        for (text, message) in [
            ("a,b\nc\n", "line 2: expected 2 filled columns, found 1"),
            ("a,b\nd,e,f\n", "line 2: expected 2 filled columns, found 3"),
            ("a,b\n\na,x\n", "line 3: \"a\" is \"b\" further up"),
            ("code,name\n", "no rows"),
        ] {
            assert_eq!(parse(text).unwrap_err(), message, "{text}");
        }
    }
}
