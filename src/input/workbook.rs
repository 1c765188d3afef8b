//! XLSX: the rows of one sheet. A thread of its own holds the workbook and sends
//! its rows, so that no more than a few chunks of them are in memory, beside
//! the workbook's table of shared texts.

use std::fs::File;
use std::io::BufReader;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};

use super::chunk::{Body, Chunk, Table};
use super::sheet_value::write_value;
use super::{InputErrorKind, Limits, size_limits};
use crate::model::CellKind;

/// The name of the threads that read workbooks. Their library may panic over a
/// damaged file, which becomes an error of the file here.
pub(crate) const WORKBOOK_THREAD: &str = "workbook";

/// Rows of one sheet as they come from its thread.
#[derive(Default)]
pub(super) struct Sheet(Option<Receiver<Result<Message, InputErrorKind>>>);

/// What the thread sends: once the header, then chunks.
enum Message {
    Header(Vec<String>, u64),
    Rows(Chunk),
    End,
}

/// What a sheet can have. A damaged one may claim more.
const MOST_ROWS: u32 = 1 << 20;
const MOST_COLUMNS: u32 = 1 << 14;

type Sender = SyncSender<Result<Message, InputErrorKind>>;

impl Sheet {
    /// Opens a sheet, with the texts of its header and the header's row.
    pub(super) fn open(
        file: File,
        wanted: Option<&str>,
        limits: &Limits,
    ) -> Result<(Self, Vec<String>, u64), InputErrorKind> {
        let (sender, receiver) = sync_channel(2);
        let wanted = wanted.map(str::to_owned);
        let limits = limits.clone();
        thread::Builder::new()
            .name(WORKBOOK_THREAD.to_owned())
            .spawn(move || {
                let last = read(file, wanted.as_deref(), &limits, &sender).map(|()| Message::End);
                // The reader may be gone.
                let _ = sender.send(last);
            })
            .map_err(InputErrorKind::Io)?;
        match receive(&receiver)? {
            Message::Header(cells, line) => Ok((Self(Some(receiver)), cells, line)),
            Message::Rows(_) | Message::End => Err(InputErrorKind::Empty),
        }
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let Some(chunks) = &self.0 else {
            return Ok(None);
        };
        let message = receive(chunks);
        if let Ok(Message::Rows(chunk)) = message {
            return Ok(Some(chunk));
        }
        self.0 = None;
        message.map(|_| None)
    }
}

fn receive(chunks: &Receiver<Result<Message, InputErrorKind>>) -> Result<Message, InputErrorKind> {
    // A thread that ended without a message has panicked over the file.
    chunks
        .recv()
        .unwrap_or_else(|_| Err(InputErrorKind::Workbook("it is damaged".to_owned())))
}

fn damaged(error: XlsxError) -> InputErrorKind {
    match error {
        XlsxError::Io(error) => InputErrorKind::from_io(error),
        XlsxError::Password => InputErrorKind::OldWorkbook,
        other => InputErrorKind::Workbook(other.to_string()),
    }
}

fn read(
    file: File,
    wanted: Option<&str>,
    limits: &Limits,
    sender: &Sender,
) -> Result<(), InputErrorKind> {
    size_limits::check_size(&file, limits)?;
    let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(file)).map_err(damaged)?;
    let name = choose(&workbook, wanted)?;
    let mut rows = Rows {
        is_1904: workbook.has_1904_epoch(),
        limits,
        sender,
        width: None,
        index: 0,
        table: Table::default(),
        row: 0,
        cells: Vec::new(),
    };
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(damaged)?;
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        if !rows.add(row, column, cell.get_value())? {
            return Ok(());
        }
    }
    rows.finish()
}

/// The sheet of this name, or the first visible one.
fn choose(
    workbook: &Xlsx<BufReader<File>>,
    wanted: Option<&str>,
) -> Result<String, InputErrorKind> {
    let sheets: Vec<_> = workbook
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .collect();
    if let Some(wanted) = wanted {
        return match sheets.iter().find(|sheet| sheet.name == wanted) {
            Some(sheet) => Ok(sheet.name.clone()),
            None => Err(InputErrorKind::NoSuchSheet {
                wanted: wanted.to_owned(),
                sheets: sheets
                    .iter()
                    .map(|sheet| format!("{:?}", sheet.name))
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        };
    }
    sheets
        .iter()
        .find(|sheet| sheet.visible == SheetVisible::Visible)
        .or(sheets.first())
        .map(|sheet| sheet.name.clone())
        .ok_or(InputErrorKind::NoSheet)
}

/// Gathers cells to rows and rows to chunks.
struct Rows<'a> {
    is_1904: bool,
    limits: &'a Limits,
    sender: &'a Sender,
    /// How many cells the header has; none before it was read.
    width: Option<usize>,
    index: u64,
    table: Table,
    /// The row under way, from 0, and its filled cells.
    row: u32,
    cells: Vec<(u32, CellKind, String)>,
}

impl Rows<'_> {
    /// Takes one cell; false when no more are read.
    fn add(&mut self, row: u32, column: u32, value: &DataRef<'_>) -> Result<bool, InputErrorKind> {
        if row < self.row || row >= MOST_ROWS || column >= MOST_COLUMNS {
            let row = self.row + 1;
            let message = format!("cell outside the sheet's range, after row {row}");
            return Err(InputErrorKind::Workbook(message));
        }
        if row != self.row {
            if !self.end_row()? {
                return Ok(false);
            }
            self.row = row;
        }
        let mut text = String::new();
        let Some(kind) = write_value(value, self.is_1904, &mut text) else {
            return Ok(true);
        };
        if text.len() > self.limits.record {
            return Err(InputErrorKind::TooLarge {
                line: u64::from(row) + 1,
                limit: self.limits.record,
            });
        }
        if !text.trim().is_empty() {
            self.cells.push((column, kind, text));
        }
        Ok(true)
    }

    fn end_row(&mut self) -> Result<bool, InputErrorKind> {
        if self.cells.is_empty() {
            return Ok(true);
        }
        let line = u64::from(self.row) + 1;
        self.cells.sort_by_key(|(column, ..)| *column);
        if self.cells.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            let message = format!("row {line} has the same cell twice");
            return Err(InputErrorKind::Workbook(message));
        }
        let Some(width) = self.width else {
            return Ok(self.send_header(line));
        };
        let mut next = 0;
        for (column, kind, text) in self.cells.drain(..) {
            for _ in next..column {
                self.table.push_cell(b"", CellKind::Text);
            }
            self.table.push_cell(text.as_bytes(), kind);
            next = column + 1;
        }
        for _ in next as usize..width {
            self.table.push_cell(b"", CellKind::Text);
        }
        self.table.end_row(line);
        Ok(self.table.size() < self.limits.chunk || self.send_rows())
    }

    fn send_header(&mut self, line: u64) -> bool {
        let width = self
            .cells
            .last()
            .map_or(0, |(column, ..)| *column as usize + 1);
        self.width = Some(width);
        let mut cells = vec![String::new(); width];
        for (column, _, text) in self.cells.drain(..) {
            cells[column as usize] = text;
        }
        self.sender.send(Ok(Message::Header(cells, line))).is_ok()
    }

    fn send_rows(&mut self) -> bool {
        let table = std::mem::take(&mut self.table);
        let index = self.index;
        self.index += table.rows.len() as u64;
        let chunk = Chunk {
            body: Body::Table(table),
            index,
            lost: None,
        };
        self.sender.send(Ok(Message::Rows(chunk))).is_ok()
    }

    fn finish(mut self) -> Result<(), InputErrorKind> {
        if self.end_row()? && !self.table.rows.is_empty() {
            self.send_rows();
        }
        Ok(())
    }
}
