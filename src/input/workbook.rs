//! XLSX: the rows of one sheet. A thread of its own holds the workbook and sends
//! its rows, so that no more than a few chunks of them are in memory, beside
//! the workbook's table of shared texts. Workbooks that would fill the memory
//! are refused before anything reads them. Cells are what people see: numbers as
//! their formats show them, merged cells in each of their rows.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::vec;

use calamine::{
    DataRef, Dimensions, ExcelDateTime, ExcelDateTimeType, Reader as _, SheetType, SheetVisible,
    Xlsx, XlsxError,
};
use jiff::civil::{Date, DateTime};
use memchr::memmem;

use super::bytes::read_head;
use super::chunk::{Chunk, ChunkBody, Flaw, Table, TableRow};
use super::error::listed;
use super::header::{Header, SampleRow, check_row};
use super::number_format::NumberFormat;
use super::{InputErrorKind, Limits, ReadOptions, sheet_scan};
use crate::model::{Cell, CellKind, Code, Place, Problem, count};

/// The name of the threads that read workbooks. Their library may panic over a
/// damaged file, which becomes an error of the file here.
pub(crate) const WORKBOOK_THREAD: &str = "workbook";

/// What a sheet can have. A damaged one may claim more.
const MOST_ROWS: u32 = 1 << 20;
const MOST_COLUMNS: u32 = 1 << 14;
/// Merged cells that one row may have.
const MOST_SPANNING: usize = 1_000;

/// Rows of one sheet as they come from its thread.
pub(super) struct Sheet {
    pub(super) header: Arc<Header>,
    /// The first rows, which were looked at with the header.
    first: Option<Table>,
    tables: Tables,
}

/// The thread that reads the workbook, and its rows. The header comes alone.
struct Tables {
    tables: Receiver<Table>,
    thread: Option<JoinHandle<Result<(), InputErrorKind>>>,
}

impl Tables {
    /// The next rows, or nothing at the end of the sheet.
    fn receive(&mut self) -> Result<Option<Table>, InputErrorKind> {
        if let Ok(table) = self.tables.recv() {
            return Ok(Some(table));
        }
        let ended = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        // It has panicked over the file.
        ended.map_err(|_| damaged("it is damaged"))??;
        Ok(None)
    }
}

impl Sheet {
    /// Opens a sheet, and says what is wrong with its header.
    pub(super) fn open(
        workbook: File,
        options: &ReadOptions,
    ) -> Result<(Self, Vec<Problem>), InputErrorKind> {
        let (sender, tables) = sync_channel(2);
        let (warn, warnings) = sync_channel(1);
        let thread_options = options.clone();
        let thread = thread::Builder::new()
            .name(WORKBOOK_THREAD.to_owned())
            .spawn(move || read(&workbook, &thread_options, &warn, &sender))?;
        let mut tables = Tables {
            tables,
            thread: Some(thread),
        };
        let (table, first) = (tables.receive()?, tables.receive()?);
        let sample = [&table, &first].into_iter().flatten();
        let sample: Vec<SampleRow> = sample
            .flat_map(Table::rows)
            .map(|row| sample_row(&row))
            .collect();
        let row = sample.first().map(|(row, _)| *row);
        check_row(row, options.header_row, &sample)?;
        let (row, cells) = sample.first().ok_or(InputErrorKind::Empty)?;
        let place = Place {
            line: *row,
            row: Some(*row),
            ..Place::default()
        };
        let (header, mut problems) = Header::new(cells, place, &options.limits, None)?;
        // They were sent before the first row.
        problems.extend(warnings.try_iter().flatten());
        let sheet = Self {
            header: Arc::new(header),
            first,
            tables,
        };
        Ok((sheet, problems))
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let table = match self.first.take() {
            None => self.tables.receive()?,
            first => first,
        };
        Ok(table.and_then(|table| Chunk::new(ChunkBody::Table(table), None)))
    }
}

fn sample_row(row: &TableRow<'_>) -> SampleRow {
    let text = |(_, bytes)| String::from_utf8_lossy(bytes).into_owned();
    (row.row, row.cells().map(text).collect())
}

pub(super) fn damaged(reason: impl std::fmt::Display) -> InputErrorKind {
    InputErrorKind::Workbook(reason.to_string())
}

impl From<XlsxError> for InputErrorKind {
    fn from(error: XlsxError) -> Self {
        match error {
            XlsxError::Io(error) => error.into(),
            XlsxError::Password => Self::OldWorkbook,
            other => damaged(other),
        }
    }
}

fn read(
    file: &File,
    options: &ReadOptions,
    warn: &SyncSender<Vec<Problem>>,
    sender: &SyncSender<Table>,
) -> Result<(), InputErrorKind> {
    let limits = &options.limits;
    check_size(file, limits)?;
    let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(file.try_clone()?))?;
    let (chosen, mut unread) = choose(&mut workbook, options.sheet.as_deref())?;
    if options.sheet.is_some() {
        // Whoever names a sheet knows of the others.
        unread.clear();
    }
    let scan = sheet_scan::scan(file, &chosen)?;
    // The reader may be gone.
    let _ = warn.send(warnings(&chosen, &unread, scan.hidden_rows));
    let is_1904 = workbook.has_1904_epoch();
    let mut cells = workbook.worksheet_cells_reader(&chosen)?;
    let formats: Vec<_> = cells.styles().iter().map(NumberFormat::of).collect();
    let mut rows = Rows {
        first_row: options.header_row.unwrap_or(1),
        limits,
        sender,
        width: 0,
        table: Table::default(),
        row: 0,
        cells: Vec::new(),
        uncomputed: None,
        merged: scan.merged.into_iter().peekable(),
        spanning: Vec::new(),
    };
    let mut uncomputed = scan.uncomputed.into_iter().peekable();
    for number in 0.. {
        let Some((cell, style)) = cells.next_cell_with_style_id()? else {
            break;
        };
        let (row, column) = cell.get_position();
        let value = cell.get_value();
        let shown = formats.get(style).and_then(|format| format.shown(value));
        let value = shown.or_else(|| cell_value(value, is_1904));
        rows.add(row, column, value)?;
        if uncomputed.next_if_eq(&number).is_some() {
            rows.uncomputed.get_or_insert(column);
        }
    }
    rows.end_row()?;
    if rows.table.rows.is_empty() {
        return Ok(());
    }
    rows.send()
}

fn warnings(chosen: &str, unread: &[String], hidden_rows: u64) -> Vec<Problem> {
    let warning = |code, message: String| Problem::new(code, Place::default(), message);
    let mut warnings = Vec::new();
    if !unread.is_empty() {
        let message = format!(
            "only the sheet {chosen:?} is read, and not {}",
            listed(unread)
        );
        let hint = "import each sheet with --sheet, or remove those without cases";
        warnings.push(warning(Code::UnreadSheets, message).with_hint(hint));
    }
    if hidden_rows > 0 {
        let message = format!(
            "{} hidden, by a filter or by hand, and read like any other",
            count(hidden_rows, "row")
        );
        let hint =
            "delete the rows that are not meant, or copy those that are shown to another sheet";
        warnings.push(warning(Code::HiddenRows, message).with_hint(hint));
    }
    warnings
}

/// The sheet of this name, or the first visible one with rows; and the others
/// with rows.
fn choose(
    workbook: &mut Xlsx<BufReader<File>>,
    wanted: Option<&str>,
) -> Result<(String, Vec<String>), InputErrorKind> {
    let mut sheets = workbook.sheets_metadata().to_vec();
    sheets.retain(|sheet| sheet.typ == SheetType::WorkSheet);
    sheets.sort_by_key(|sheet| sheet.visible != SheetVisible::Visible);
    let names: Vec<String> = sheets.into_iter().map(|sheet| sheet.name).collect();
    let is_wanted = |name: &String| wanted.is_none_or(|wanted| name == wanted);
    if let Some(wanted) = wanted
        && !names.iter().any(is_wanted)
    {
        return Err(InputErrorKind::NoSuchSheet {
            wanted: wanted.to_owned(),
            sheets: listed(&names),
        });
    }
    let mut filled = Vec::new();
    for name in names {
        if has_rows(workbook, &name)? {
            filled.push(name);
        }
    }
    if let Some(at) = filled.iter().position(is_wanted) {
        let chosen = filled.remove(at);
        return Ok((chosen, filled));
    }
    Err(match wanted {
        Some(wanted) if !filled.is_empty() => InputErrorKind::EmptySheet(format!(
            "the sheet {wanted:?} is empty; others with rows are {}",
            listed(&filled)
        )),
        _ => InputErrorKind::Empty,
    })
}

/// Whether a sheet has any cell with something in it.
fn has_rows(workbook: &mut Xlsx<BufReader<File>>, name: &str) -> Result<bool, InputErrorKind> {
    let mut cells = workbook.worksheet_cells_reader(name)?;
    while let Some(cell) = cells.next_cell()? {
        let value = cell_value(cell.get_value(), false);
        if value.is_some_and(|(_, text)| !Cell::text(&text).is_blank()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cells that are merged down over several rows, or across columns.
struct Spanning {
    range: Dimensions,
    /// What people see in all of them.
    value: (CellKind, String),
    is_of_header: bool,
}

/// Gathers cells to rows and rows to tables.
struct Rows<'a> {
    limits: &'a Limits,
    sender: &'a SyncSender<Table>,
    /// The header is not above it.
    first_row: u64,
    /// How many cells the header has; 0 before it was read.
    width: u32,
    table: Table,
    /// The row under way, from 0, and its filled cells.
    row: u32,
    cells: Vec<(u32, CellKind, String)>,
    /// The column of its first formula without a value.
    uncomputed: Option<u32>,
    /// Merged cells that are still to come.
    merged: Peekable<vec::IntoIter<Dimensions>>,
    /// Those that began in a row before, or in this one.
    spanning: Vec<Spanning>,
}

impl Rows<'_> {
    /// Takes one cell.
    fn add(
        &mut self,
        row: u32,
        column: u32,
        value: Option<(CellKind, String)>,
    ) -> Result<(), InputErrorKind> {
        if row < self.row || row >= MOST_ROWS || column >= MOST_COLUMNS {
            let row = self.row + 1;
            return Err(damaged(format!(
                "cell outside the sheet's range, after row {row}"
            )));
        }
        if row != self.row {
            self.end_row()?;
            self.row = row;
        }
        let Some((kind, text)) = value else {
            return Ok(());
        };
        let (line, limit) = (u64::from(row) + 1, self.limits.record);
        if text.len() > limit {
            return Err(InputErrorKind::TooLarge { line, limit });
        }
        if !Cell::text(&text).is_blank() {
            self.cells.push((column, kind, text));
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), InputErrorKind> {
        let line = u64::from(self.row) + 1;
        let uncomputed = self.uncomputed.take();
        if line < self.first_row {
            self.cells.clear();
            return Ok(());
        }
        if self.cells.is_empty() && uncomputed.is_none() {
            return Ok(());
        }
        let merged = self.merge()?;
        self.cells.sort_by_key(|(column, ..)| *column);
        if self.cells.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(damaged(format!("row {line} has the same cell twice")));
        }
        let uncomputed = uncomputed.map(|column| {
            let message = "the formula has no computed value: the program that wrote the file did not calculate it";
            let hint = "open the workbook in Excel and save it again";
            self.flaw(column, Code::FormulaWithoutValue, message, hint)
        });
        let is_header = self.width == 0;
        if let Some(flaw) = uncomputed.as_ref().filter(|_| is_header) {
            let message = &flaw.problem.message;
            return Err(damaged(format!("row {line}, the header: {message}")));
        }
        self.table.flaws.extend(uncomputed.or(merged));
        let mut next = 0;
        for (column, kind, text) in self.cells.drain(..) {
            for _ in next..column {
                self.table.push_cell(b"", CellKind::Text);
            }
            self.table.push_cell(text.as_bytes(), kind);
            next = column + 1;
        }
        for _ in next..self.width {
            self.table.push_cell(b"", CellKind::Text);
        }
        self.table.end_row(line, line);
        if is_header {
            self.width = next;
        }
        if is_header || self.table.size() >= self.limits.chunk {
            self.send()?;
        }
        Ok(())
    }

    fn flaw(&self, column: u32, code: Code, message: &str, hint: &'static str) -> Flaw {
        Flaw {
            row: self.table.rows.len(),
            cell: column as usize,
            problem: Problem::new(code, Place::default(), message).with_hint(hint),
            raw: None,
        }
    }

    /// Puts the value of cells that are merged downward into each of their rows.
    /// What is wrong if others are: whose the value is cannot be known.
    fn merge(&mut self) -> Result<Option<Flaw>, InputErrorKind> {
        let row = self.row;
        self.spanning.retain(|span| span.range.end.0 >= row);
        while let Some(range) = self.merged.next_if(|range| range.start.0 <= row) {
            let cells = self.cells.iter();
            let mut cells = cells.filter(|(column, ..)| (row, *column) == range.start);
            if let Some((_, kind, text)) = cells.next() {
                self.spanning.push(Spanning {
                    range,
                    value: (*kind, text.clone()),
                    is_of_header: self.width == 0,
                });
            }
        }
        if self.spanning.len() > MOST_SPANNING {
            let row = row + 1;
            return Err(damaged(format!("row {row} has too many merged cells")));
        }
        if self.width == 0 {
            return Ok(None);
        }
        let mut flaw = None;
        for span in &self.spanning {
            let (column, (kind, text)) = (span.range.start.1, &span.value);
            let message = if span.is_of_header {
                "merged with the header above: it is unclear whether this row belongs to the header"
            } else if span.range.end.1 > column {
                "merged across columns: it is unclear which of them the value belongs to"
            } else {
                // Those that begin in this row are there.
                if !self.cells.iter().any(|(other, ..)| *other == column) {
                    self.cells.push((column, *kind, text.clone()));
                }
                continue;
            };
            let hint = "unmerge the cells in Excel, and fill in each";
            flaw.get_or_insert_with(|| self.flaw(column, Code::MergedCells, message, hint));
        }
        Ok(flaw)
    }

    /// Sends the rows so far. An error if no more are wanted, which nobody hears.
    fn send(&mut self) -> Result<(), InputErrorKind> {
        let table = std::mem::take(&mut self.table);
        self.sender
            .send(table)
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe).into())
    }
}

/// A cell's value as people see it, and what it is: dates as dates, numbers by
/// their digits, text as it is. Nothing for an empty cell.
fn cell_value(value: &DataRef<'_>, is_1904: bool) -> Option<(CellKind, String)> {
    Some(match value {
        DataRef::Empty => return None,
        DataRef::String(text) | DataRef::DurationIso(text) => (CellKind::Text, text.clone()),
        DataRef::SharedString(text) => (CellKind::Text, (*text).to_owned()),
        DataRef::Bool(value) => (CellKind::Bool, value.to_string()),
        DataRef::Int(value) => (CellKind::Number, value.to_string()),
        DataRef::Float(value) => number(*value),
        DataRef::DateTime(value) => date_time(*value, is_1904),
        DataRef::DateTimeIso(text) => iso_date(text),
        DataRef::Error(error) => (CellKind::Text, error.to_string()),
    })
}

/// The shortest digits that mean this number, never with an exponent.
fn number(value: f64) -> (CellKind, String) {
    if !value.is_finite() {
        return (CellKind::Text, value.to_string());
    }
    // Never "-0".
    let value = if value == 0.0 { 0.0 } else { value };
    (CellKind::Number, value.to_string())
}

fn date_time(value: ExcelDateTime, is_1904: bool) -> (CellKind, String) {
    const DAY: i64 = 86_400;
    /// The first serial that is not a date any more: year 10000.
    const END: f64 = 2_958_466.0;
    let serial = value.as_f64();
    if !(0.0..END).contains(&serial) {
        return number(serial);
    }
    // In seconds, since fractions of a day have no exact binary form.
    let seconds = (serial * DAY as f64).round() as i64;
    let (days, hours) = (seconds / DAY, seconds / 3600);
    let minutes = format!("{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    if value.is_duration() {
        return (CellKind::Text, format!("{hours}:{minutes}"));
    }
    if serial < 1.0 && days == 0 {
        // A time of no day.
        return (CellKind::Text, format!("{hours:02}:{minutes}"));
    }
    let date = ExcelDateTime::new(days as f64, ExcelDateTimeType::DateTime, is_1904);
    let (year, month, day, ..) = date.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if seconds % DAY == 0 {
        return (CellKind::Date, date);
    }
    let time = format!("{:02}:{minutes}", hours % 24);
    (CellKind::DateTime, format!("{date}T{time}"))
}

/// A date that the workbook holds as text, with or without a time.
fn iso_date(text: &str) -> (CellKind, String) {
    let has_time = text.contains('T');
    match text.parse::<DateTime>() {
        Ok(time) if has_time => {
            let text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            (CellKind::DateTime, text)
        }
        _ if !has_time && text.parse::<Date>().is_ok() => (CellKind::Date, text.to_owned()),
        _ => (CellKind::Text, text.to_owned()),
    }
}

/// A part smaller than so many records of the largest size does no harm, even if
/// it is a single cell.
const HARMLESS: u64 = 4;
/// How much of the table of texts is searched for their number.
const BEGINNING: usize = 64 << 10;
/// The shortest text of the table: `<si/>`.
const SHORTEST: u64 = 5;

/// Refuses a workbook that fills the memory: its table of texts goes there as a
/// whole, and so does each cell. Goes by the sizes that it declares, which every
/// reading then holds it to.
fn check_size(file: &File, limits: &Limits) -> Result<(), InputErrorKind> {
    let packed = file.metadata()?.len();
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let (mut unpacked, mut is_workbook) = (0_u64, false);
    for number in 0..archive.len() {
        let mut part = archive.by_index(number).map_err(damaged)?;
        let name = part.name().unwrap_or_default().to_lowercase();
        let size = part.size();
        is_workbook |= name.ends_with("workbook.xml");
        let mut beginning = Vec::new();
        if name.ends_with("sharedstrings.xml") {
            beginning = read_head(&mut part, BEGINNING).map_err(damaged)?;
            check_texts(&beginning, size, limits)?;
        }
        unpacked = unpacked.saturating_add(size);
        limits.check_unpacked(packed, unpacked)?;
        if size > HARMLESS.saturating_mul(limits.record as u64) {
            refuse_long_cell(beginning.chain(part), limits)?;
        }
    }
    if !is_workbook {
        return Err(InputErrorKind::ZIP_ARCHIVE);
    }
    Ok(())
}

/// Refuses a table of texts of this size that is too large, or claims more texts
/// at its beginning than it can have: room for all of them is taken before the
/// first is read.
fn check_texts(beginning: &[u8], size: u64, limits: &Limits) -> Result<(), InputErrorKind> {
    let begins = beginning.len() < BEGINNING || memmem::find(beginning, b"<si").is_some();
    if size > limits.unpacked || !begins {
        return Err(damaged(format!(
            "its texts are larger than the limit of {} bytes",
            limits.unpacked
        )));
    }
    let claims = memmem::find_iter(beginning, b"uniqueCount").map(|at| {
        let digits = beginning[at..]
            .iter()
            .skip_while(|byte| !byte.is_ascii_digit())
            .take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u64, |number, digit| {
            let digit = u64::from(digit - b'0');
            number.saturating_mul(10).saturating_add(digit)
        })
    });
    if claims.max() > Some(size / SHORTEST) {
        return Err(damaged("it claims more texts than fit into it"));
    }
    Ok(())
}

/// Unpacks a part for nothing but its longest text.
fn refuse_long_cell(part: impl Read, limits: &Limits) -> Result<(), InputErrorKind> {
    let mut part = BufReader::with_capacity(64 << 10, part);
    loop {
        match part.skip_until(b'<').map_err(damaged)? {
            0 => return Ok(()),
            length if length > limits.record => {
                return Err(damaged(format!(
                    "a cell is larger than the limit of {} bytes",
                    limits.record
                )));
            }
            _ => {}
        }
    }
}
