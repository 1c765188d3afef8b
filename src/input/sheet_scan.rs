//! What calamine does not tell of a sheet: hidden rows, formulas without a
//! value, merged cells. One pass over the sheet's XML, before its cells are read.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufReader;

use calamine::Dimensions;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;
use zip::result::ZipResult;

use super::InputErrorKind;
use super::workbook::damaged;

type Archive<'f> = ZipArchive<BufReader<&'f File>>;

/// More merged cells than any case file has.
const MOST_MERGED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct SheetScan {
    /// Hidden rows with cells, whether by a filter or by hand.
    pub(super) hidden_rows: u64,
    /// Formulas without a value, by their number among the sheet's cells, from 0.
    pub(super) uncomputed: Vec<usize>,
    /// Merged cells by their first row.
    pub(super) merged: Vec<Dimensions>,
}

/// Scans the sheet of this name.
pub(super) fn scan(file: &File, sheet: &str) -> Result<SheetScan, InputErrorKind> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let id = look_up(&mut archive, "workbook.xml", ("name", sheet), "id")?;
    let target = look_up(&mut archive, "workbook.xml.rels", ("Id", &id), "Target")?;
    let mut scanner = Scanner::default();
    for_each_event(&mut archive, &target, &mut |event| match event {
        Event::Start(element) => scanner.start(element),
        Event::Text(text) => scanner.has_value |= scanner.in_value && !text.trim().is_empty(),
        Event::End(element) => scanner.end(element.local_name().as_ref()),
        _ => {}
    })?;
    if scanner.scan.merged.len() > MOST_MERGED {
        return Err(damaged(format!("more than {MOST_MERGED} merged cells")));
    }
    scanner.scan.merged.sort_by_key(|range| range.start);
    Ok(scanner.scan)
}

/// Where the scan is in the sheet.
#[derive(Debug, Default)]
struct Scanner {
    scan: SheetScan,
    /// How many cells came before.
    cells: usize,
    is_hidden: bool,
    row_has_cells: bool,
    has_formula: bool,
    has_value: bool,
    in_value: bool,
}

impl Scanner {
    fn start(&mut self, element: &BytesStart<'_>) {
        match element.local_name().as_ref() {
            "row" => {
                let hidden = attribute(element, "hidden");
                self.is_hidden = hidden.is_some_and(|hidden| hidden == "1" || hidden == "true");
                self.row_has_cells = false;
            }
            "c" => {
                (self.has_formula, self.in_value) = (false, false);
                // The text of a formula may be empty.
                self.has_value = attribute(element, "t").is_some_and(|kind| kind == "str");
            }
            "f" => self.has_formula = true,
            "v" => self.in_value = true,
            "is" => self.has_value = true,
            "mergeCell" => {
                let range = attribute(element, "ref");
                let range = range.as_deref().and_then(|range| range.split_once(':'));
                let ends = range.and_then(|(start, end)| reference(start).zip(reference(end)));
                // One too many is enough to refuse the sheet.
                if let Some((start, end)) = ends.filter(|(start, end)| start <= end)
                    && self.scan.merged.len() <= MOST_MERGED
                {
                    self.scan.merged.push(Dimensions { start, end });
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "v" => self.in_value = false,
            "c" => {
                if self.has_formula && !self.has_value {
                    self.scan.uncomputed.push(self.cells);
                }
                self.row_has_cells |= self.has_value || self.has_formula;
                self.cells += 1;
            }
            "row" => self.scan.hidden_rows += u64::from(self.is_hidden && self.row_has_cells),
            _ => {}
        }
    }
}

/// A cell's row and column, from 0: `B7` is 6 and 1.
fn reference(text: &str) -> Option<(u32, u32)> {
    let text = text.replace('$', "");
    let (letters, row) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let letter = u32::from(letter.to_ascii_uppercase()).checked_sub(64)?;
        column.checked_mul(26)?.checked_add(letter)
    })?;
    let row = row.parse::<u32>().ok()?.checked_sub(1)?;
    Some((row, column.checked_sub(1)?))
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// An attribute of the first element in a part that has another of this value.
fn look_up(
    archive: &mut Archive<'_>,
    part: &str,
    (name, value): (&str, &str),
    wanted: &str,
) -> Result<String, InputErrorKind> {
    let mut found = None;
    for_each_event(archive, part, &mut |event| {
        if let Event::Start(element) = event
            && found.is_none()
            && attribute(element, name).is_some_and(|found| found == value)
        {
            found = attribute(element, wanted);
        }
    })?;
    Ok(found.unwrap_or_default())
}

/// Reads the part of this name, or in any folder.
fn for_each_event(
    archive: &mut Archive<'_>,
    part: &str,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<(), InputErrorKind> {
    // Some programs write backslashes.
    let plain = |name: &str| {
        let name = name.replace('\\', "/").to_lowercase();
        format!("/{}", name.trim_start_matches('/'))
    };
    let wanted = plain(part);
    let is_wanted = |name: ZipResult<Cow<'_, str>>| {
        name.is_ok_and(|name| plain(&name).ends_with(&wanted) && wanted != "/")
    };
    let number = archive.file_names().position(is_wanted);
    let number = number.ok_or_else(|| damaged("a sheet is missing in it"))?;
    let part = archive.by_index(number).map_err(damaged)?;
    let mut xml = Reader::from_reader(BufReader::new(part));
    let config = xml.config_mut();
    config.check_end_names = false;
    config.expand_empty_elements = true;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(damaged)? {
            Event::Eof => return Ok(()),
            event => each(&event),
        }
    }
}
