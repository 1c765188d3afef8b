//! XLSX: the rows of one sheet. A thread of its own holds the workbook and sends
//! its rows, so that no more than a few chunks of them are in memory, beside
//! the workbook's table of shared texts.

use std::fs::File;
use std::io::BufReader;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};

use super::chunk::{Body, Chunk, Row, SheetCell, SheetRow};
use super::sheet_value::write_value;
use super::weigh;
use super::{InputErrorKind, Limits};

/// The name of the threads that read workbooks. The library that they use may
/// panic over a damaged file; that becomes an error of the file here.
pub const WORKBOOK_THREAD: &str = "workbook";

/// Rows of one sheet as they come from its thread.
#[derive(Default)]
pub(super) struct Sheet {
    name: String,
    chunks: Option<Receiver<Result<Message, InputErrorKind>>>,
}

/// What the thread sends: once the header, then chunks.
enum Message {
    Header {
        sheet: String,
        cells: Vec<String>,
        line: u64,
    },
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
                // Nobody may be listening any more.
                let _ = sender.send(last);
            })
            .map_err(InputErrorKind::Io)?;
        match receive(&receiver)? {
            Message::Header { sheet, cells, line } => Ok((
                Self {
                    name: sheet,
                    chunks: Some(receiver),
                },
                cells,
                line,
            )),
            Message::Rows(_) | Message::End => Err(InputErrorKind::Empty),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next rows, or nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let Some(chunks) = &self.chunks else {
            return Ok(None);
        };
        let message = receive(chunks);
        if let Ok(Message::Rows(chunk)) = message {
            return Ok(Some(chunk));
        }
        self.chunks = None;
        message.map(|_| None)
    }
}

fn receive(chunks: &Receiver<Result<Message, InputErrorKind>>) -> Result<Message, InputErrorKind> {
    // A thread that is gone without a last word has panicked over the file.
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
    weigh::weigh(&file, limits)?;
    let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(file)).map_err(damaged)?;
    let name = choose(&workbook, wanted)?;
    let is_1904 = workbook.has_1904_epoch();
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(damaged)?;
    let mut rows = Rows::new(name, is_1904, limits, sender);
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        if !rows.add(row, column, cell.get_value())? {
            return Ok(());
        }
    }
    rows.finish();
    Ok(())
}

/// The sheet of a name, or the first that people see.
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
    sheet: String,
    is_1904: bool,
    limits: &'a Limits,
    sender: &'a Sender,
    header_sent: bool,
    index: u64,
    text: String,
    cells: Vec<SheetCell>,
    ended: Vec<SheetRow>,
    /// The row under way, from 0, and where its cells begin.
    row: u32,
    row_cells: usize,
}

impl<'a> Rows<'a> {
    fn new(sheet: String, is_1904: bool, limits: &'a Limits, sender: &'a Sender) -> Self {
        Self {
            sheet,
            is_1904,
            limits,
            sender,
            header_sent: false,
            index: 0,
            text: String::new(),
            cells: Vec::new(),
            ended: Vec::new(),
            row: 0,
            row_cells: 0,
        }
    }

    /// Takes one cell; false when nobody wants more.
    fn add(&mut self, row: u32, column: u32, value: &DataRef<'_>) -> Result<bool, InputErrorKind> {
        if row < self.row || row >= MOST_ROWS || column >= MOST_COLUMNS {
            return Err(InputErrorKind::Workbook(format!(
                "a cell stands where no sheet has one, behind row {}",
                self.row + 1
            )));
        }
        if row != self.row {
            if !self.end_row() {
                return Ok(false);
            }
            self.row = row;
        }
        let from = self.text.len();
        let Some(kind) = write_value(value, self.is_1904, &mut self.text) else {
            return Ok(true);
        };
        let line = u64::from(row) + 1;
        if self.text.len() - from > self.limits.record {
            return Err(InputErrorKind::TooLarge {
                line,
                limit: self.limits.record,
            });
        }
        if self.text[from..].trim().is_empty() {
            self.text.truncate(from);
            return Ok(true);
        }
        let row_cells = &self.cells[self.row_cells..];
        let is_in_order = row_cells.last().is_none_or(|last| last.column < column);
        if !is_in_order && row_cells.iter().any(|cell| cell.column == column) {
            return Err(InputErrorKind::Workbook(format!(
                "a cell of row {line} stands twice"
            )));
        }
        self.cells.push(SheetCell {
            column,
            kind,
            text: Row::new(from, self.text.len()),
        });
        Ok(true)
    }

    fn end_row(&mut self) -> bool {
        if self.cells.len() == self.row_cells {
            return true;
        }
        let line = u64::from(self.row) + 1;
        if !self.header_sent {
            self.header_sent = true;
            return self.send_header(line);
        }
        self.row_cells = self.cells.len();
        self.ended.push(SheetRow {
            cells_end: self.row_cells as u32,
            line,
        });
        if self.text.len() + self.cells.len() * size_of::<SheetCell>() >= self.limits.chunk {
            return self.send_rows();
        }
        true
    }

    fn send_header(&mut self, line: u64) -> bool {
        let width = self.cells.iter().map(|cell| cell.column + 1).max();
        let mut cells = vec![String::new(); width.unwrap_or(0) as usize];
        for cell in self.cells.drain(..) {
            self.text[cell.text.range()].clone_into(&mut cells[cell.column as usize]);
        }
        self.text.clear();
        let header = Message::Header {
            sheet: self.sheet.clone(),
            cells,
            line,
        };
        self.sender.send(Ok(header)).is_ok()
    }

    fn send_rows(&mut self) -> bool {
        let rows = std::mem::take(&mut self.ended);
        let index = self.index;
        self.index += rows.len() as u64;
        self.row_cells = 0;
        let chunk = Chunk {
            body: Body::Sheet {
                text: std::mem::take(&mut self.text),
                cells: std::mem::take(&mut self.cells),
                rows,
            },
            index,
            lost: None,
        };
        self.sender.send(Ok(Message::Rows(chunk))).is_ok()
    }

    fn finish(mut self) {
        if self.end_row() && !self.ended.is_empty() {
            self.send_rows();
        }
    }
}
