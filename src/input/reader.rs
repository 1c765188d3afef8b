//! Opening an input: what it is, and the reader that cuts it into chunks.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::model::{Columns, FileId, Problem};

use super::bytes::{self, Bytes, Counted, Opened, RegularFile, SharedTally, Unpacked};
use super::delimited::RowReader;
use super::encoding;
use super::header::Header;
use super::json::Document;
use super::window::Window;
use super::workbook::Sheet;
use super::{Chunk, Format, Input, InputError, InputErrorKind, Parser, ReadOptions};

/// How much of a file decides what it is.
const HEAD: usize = 64 << 10;

/// Reads an input from its beginning to its end, chunk by chunk.
pub struct Reader {
    input: Input,
    file: FileId,
    options: ReadOptions,
    encoding: &'static str,
    encoding_guessed: bool,
    tally: SharedTally,
    /// The file, if it can change meanwhile.
    regular: Option<RegularFile>,
    header: Option<Arc<Header>>,
    problems: Vec<Problem>,
    body: Body,
}

enum Body {
    Rows(Box<RowReader>),
    Json(Box<Document>),
    Sheet(Sheet),
}

/// Opens an input: finds out its format, encoding and delimiter, and reads its
/// header. An error means that it can't be used at all; what is wrong with a
/// header is among [`Reader::problems`].
pub fn open(input: &Input, file: FileId, options: &ReadOptions) -> Result<Reader, InputError> {
    bytes::open(input)
        .and_then(|opened| Reader::new(input, opened, file, options))
        .map_err(|error| explain_lock(input, error).of(&input.name()))
}

/// Says that Excel has a workbook open, if that may be why it can't be read.
fn explain_lock(input: &Input, error: InputErrorKind) -> InputErrorKind {
    match (&error, input) {
        (
            InputErrorKind::Io(_) | InputErrorKind::Workbook(_) | InputErrorKind::NoWorkbook,
            Input::Path(path),
        ) => bytes::explain_lock(path, &error).unwrap_or(error),
        _ => error,
    }
}

impl Reader {
    fn new(
        input: &Input,
        opened: Opened,
        file: FileId,
        options: &ReadOptions,
    ) -> Result<Self, InputErrorKind> {
        let tally = SharedTally::new(options.digest);
        let mut bytes: Bytes = Box::new(Counted::new(opened.bytes, tally.clone()));
        let read_head =
            |bytes: &mut Bytes| bytes::read_head(bytes, HEAD).map_err(InputErrorKind::from_io);
        let mut head = read_head(&mut bytes)?;
        let gzipped = head.starts_with(b"\x1f\x8b");
        if gzipped {
            bytes = Box::new(Unpacked::new(
                Cursor::new(head).chain(bytes),
                tally.clone(),
                options.limits.clone(),
            ));
            head = read_head(&mut bytes)?;
        }
        if head.is_empty() {
            return Err(InputErrorKind::Empty);
        }
        let by_name = Format::from_name(input.file_name());
        let mut reader = Self {
            input: input.clone(),
            file,
            options: options.clone(),
            encoding: "UTF-8",
            encoding_guessed: false,
            tally,
            regular: opened.regular,
            header: None,
            problems: Vec::new(),
            body: Body::Sheet(Sheet::default()),
        };
        if is_workbook(&head, options.format, by_name)? {
            reader.open_workbook(head, bytes, gzipped)?;
        } else {
            reader.open_text(head, bytes, by_name)?;
        }
        Ok(reader)
    }

    fn open_workbook(
        &mut self,
        head: Vec<u8>,
        mut bytes: Bytes,
        gzipped: bool,
    ) -> Result<(), InputErrorKind> {
        let workbook: File = match self.regular.as_ref().filter(|_| !gzipped) {
            Some(file) => {
                if self.options.digest {
                    io::copy(&mut bytes, &mut io::sink()).map_err(InputErrorKind::from_io)?;
                }
                file.rewound().map_err(InputErrorKind::Io)?
            }
            None => bytes::spool(&mut Cursor::new(head).chain(bytes))
                .map_err(InputErrorKind::from_io)?,
        };
        let sheet = self.options.sheet.as_deref();
        let (sheet, cells, line) = Sheet::open(workbook, sheet, &self.options.limits)?;
        self.body = Body::Sheet(sheet);
        self.set_header(&cells, line, true)
    }

    fn open_text(
        &mut self,
        head: Vec<u8>,
        bytes: Bytes,
        by_name: Option<Format>,
    ) -> Result<(), InputErrorKind> {
        let detected = encoding::detect(&head, self.options.encoding.as_deref())?;
        self.encoding = detected.encoding.name();
        self.encoding_guessed = detected.guessed;
        let is_all = head.len() < HEAD;
        let preview = detected.preview(&head);
        if is_all && preview.trim().is_empty() {
            return Err(InputErrorKind::Empty);
        }
        let detect = || format_of_text(&preview, is_all, by_name);
        let format = self.options.format.unwrap_or_else(detect);
        let text = detected.text(head, bytes);
        let (file, limits) = (self.file, self.options.limits.clone());
        match format {
            Format::Json => {
                let window = Window::new(text, limits.chunk);
                let records = self.options.records.as_deref();
                let document = Document::open(window, file, &limits, records)?;
                self.body = Body::Json(Box::new(document));
            }
            Format::Ndjson => {
                let window = Window::new(text, limits.chunk);
                self.body = Body::Json(Box::new(Document::of_lines(window, file, &limits)));
            }
            Format::Csv | Format::Tsv | Format::Xlsx => {
                let tab = (format == Format::Tsv).then_some(b'\t');
                let delimiter = self.options.delimiter.or(tab);
                let (rows, (cells, line)) =
                    RowReader::open(text, &preview, delimiter, file, &limits, self.encoding)?;
                self.body = Body::Rows(Box::new(rows));
                self.set_header(&cells, line, false)?;
            }
        }
        Ok(())
    }

    fn set_header(
        &mut self,
        cells: &[String],
        line: u64,
        is_sheet: bool,
    ) -> Result<(), InputErrorKind> {
        let limits = &self.options.limits;
        let (header, problems) = Header::new(cells, self.file, line, limits, is_sheet)?;
        self.header = Some(Arc::new(header));
        self.problems = problems;
        Ok(())
    }

    /// The next records, or nothing at the end. After an error nothing more
    /// comes, and the file must count as unread.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        let chunk = match (&mut self.body, &self.header) {
            (Body::Rows(rows), Some(header)) => rows.next_chunk(header),
            (Body::Rows(_), None) => Ok(None),
            (Body::Json(document), _) => document.next_chunk(),
            (Body::Sheet(sheet), _) => sheet.next_chunk(),
        };
        chunk
            .and_then(|chunk| match (&chunk, &self.regular) {
                (None, Some(file)) => file.check_unchanged().map(|()| None),
                _ => Ok(chunk),
            })
            .map_err(|error| explain_lock(&self.input, error).of(&self.input.name()))
    }

    /// A parser for this reader's chunks.
    pub fn parser(&self) -> Parser {
        let delimiter = self.delimiter().unwrap_or(b'\t');
        match &self.header {
            Some(header) => {
                Parser::of_table(self.file, self.encoding, Arc::clone(header), delimiter)
            }
            None => Parser::of_json(self.file, self.encoding, self.options.limits.columns),
        }
    }

    /// What is wrong with the header, once. It concerns every record of the
    /// file, so that skipping records does not fix it.
    pub(crate) fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The header's columns; none for JSON, whose records bring their own.
    pub(crate) fn columns(&self) -> Option<&Arc<Columns>> {
        self.header.as_ref().map(|header| &header.columns)
    }

    /// The delimiter of a CSV.
    pub(crate) fn delimiter(&self) -> Option<u8> {
        match &self.body {
            Body::Rows(rows) => Some(rows.delimiter),
            _ => None,
        }
    }

    pub(crate) fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Whether the encoding was guessed from the bytes, which users should know.
    pub(crate) fn encoding_guessed(&self) -> bool {
        self.encoding_guessed
    }

    /// The SHA-256 of the file's bytes, once all were read, with
    /// [`ReadOptions::digest`].
    pub(crate) fn sha256(&self) -> Option<[u8; 32]> {
        self.tally.sha256()
    }
}

/// Whether the bytes are a workbook, which must be the expected format.
fn is_workbook(
    head: &[u8],
    named: Option<Format>,
    by_name: Option<Format>,
) -> Result<bool, InputErrorKind> {
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(InputErrorKind::OldWorkbook);
    }
    if head.starts_with(b"%PDF-") {
        return Err(InputErrorKind::Binary);
    }
    let zipped = head.starts_with(b"PK\x03\x04");
    match named.or(by_name) {
        Some(Format::Xlsx) if zipped => Ok(true),
        Some(Format::Xlsx) => Err(InputErrorKind::NoWorkbook),
        Some(other) if zipped => Err(InputErrorKind::WorkbookNot(other.as_str())),
        _ => Ok(zipped),
    }
}

/// The format of a text by its beginning. The name decides between CSV and JSON;
/// only the content shows which of the two kinds of JSON it is.
fn format_of_text(preview: &str, is_all: bool, by_name: Option<Format>) -> Format {
    let text = preview.trim_start();
    match by_name {
        Some(Format::Json | Format::Ndjson) => {}
        Some(format) => return format,
        None if text.starts_with(['[', '{']) => {}
        None => return Format::Csv,
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line_is_complete = is_all || text.contains('\n');
    let line_is_value = line_is_complete && serde_json::from_str::<IgnoredAny>(line).is_ok();
    let more = !rest.trim().is_empty() || !is_all;
    if by_name == Some(Format::Ndjson) {
        let opens_more = matches!(line.trim_end(), "[" | "{") || line.starts_with('[');
        return if opens_more && !line_is_value {
            Format::Json
        } else {
            Format::Ndjson
        };
    }
    if text.starts_with('{') && line_is_value && more {
        Format::Ndjson
    } else {
        Format::Json
    }
}
