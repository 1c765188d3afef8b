//! What calamine does not tell of a sheet: hidden rows, formulas without a
//! value, merged cells. One pass over the sheet's XML, before its cells are read.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;

use calamine::Dimensions;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;

use super::InputErrorKind;
use super::workbook::damaged;

type Archive<'f> = ZipArchive<BufReader<&'f File>>;

/// More merged cells than any case file has.
const MOST_MERGED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct SheetScan {
    /// Hidden rows with cells, whether by a filter or by hand.
    pub(super) hidden_rows: u64,
    /// The first formula without a value of each row that has one, row and
    /// column from 0, in the order of the sheet.
    pub(super) uncomputed: Vec<(u32, u32)>,
    /// Merged cells by their first row.
    pub(super) merged: Vec<Dimensions>,
}

/// Scans the sheet that is at this position in the workbook.
pub(super) fn scan(file: &File, position: usize) -> Result<SheetScan, InputErrorKind> {
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let part = sheet_part(&mut archive, position)?;
    let mut scanner = Scanner::default();
    for_each_event(&mut archive, part, &mut |event| match event {
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
    row: u32,
    column: u32,
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
                if let Some(row) = attribute(element, "r").and_then(|row| row.parse::<u32>().ok()) {
                    self.row = row.saturating_sub(1);
                }
                let hidden = attribute(element, "hidden");
                self.is_hidden = hidden.is_some_and(|hidden| hidden == "1" || hidden == "true");
                self.row_has_cells = false;
            }
            "c" => {
                if let Some(at) = attribute(element, "r").and_then(|at| reference(&at)) {
                    (self.row, self.column) = at;
                }
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
                let uncomputed = &mut self.scan.uncomputed;
                let is_first = uncomputed.last().is_none_or(|(row, _)| *row < self.row);
                if self.has_formula && !self.has_value && is_first {
                    uncomputed.push((self.row, self.column));
                }
                self.row_has_cells |= self.has_value || self.has_formula;
                self.column += 1;
            }
            "row" => {
                self.scan.hidden_rows += u64::from(self.is_hidden && self.row_has_cells);
                self.row += 1;
                self.column = 0;
            }
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

fn for_each_event(
    archive: &mut Archive<'_>,
    part: usize,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<(), InputErrorKind> {
    let mut xml = Reader::from_reader(BufReader::new(archive.by_index(part)?));
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

/// The part that holds the sheet at this position in the workbook.
fn sheet_part(archive: &mut Archive<'_>, position: usize) -> Result<usize, InputErrorKind> {
    let mut ids = Vec::new();
    let part = part_named(archive, "workbook.xml")?;
    for_each_event(archive, part, &mut |event| {
        if let Event::Start(element) = event
            && element.local_name().as_ref() == "sheet"
        {
            // `sheetId` is another.
            ids.push(attribute(element, "id"));
        }
    })?;
    let mut targets = HashMap::new();
    let part = part_named(archive, "workbook.xml.rels")?;
    for_each_event(archive, part, &mut |event| {
        if let Event::Start(element) = event {
            targets.insert(attribute(element, "Id"), attribute(element, "Target"));
        }
    })?;
    let id = ids.into_iter().nth(position);
    let target = id.and_then(|id| targets.remove(&id)).flatten();
    part_named(archive, &target.unwrap_or_default())
}

/// The part of this name, or in any folder; some programs write backslashes.
fn part_named(archive: &mut Archive<'_>, name: &str) -> Result<usize, InputErrorKind> {
    let plain = |name: &str| {
        name.replace('\\', "/")
            .trim_start_matches('/')
            .to_lowercase()
    };
    let wanted = format!("/{}", plain(name));
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number)?;
        let found = format!("/{}", plain(&entry.name().unwrap_or_default()));
        if found.ends_with(&wanted) && wanted.len() > 1 {
            return Ok(number);
        }
    }
    Err(damaged("a sheet is missing in it"))
}
