//! Opening an input: what it is, and the reader that cuts it into chunks.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::model::{Columns, FileId, Problem};

use super::bytes::{self, Bytes, Counted, RegularFile, SharedTally, Unpacked};
use super::delimited::RowReader;
use super::encoding::{self, Detected};
use super::header::Header;
use super::json::{JsonDocument, Objects};
use super::window::Window;
use super::workbook::Sheet;
use super::{Chunk, Format, Input, InputError, InputErrorKind, Parser, ReadOptions};

/// How much of a file decides what it is.
const HEAD: usize = 64 << 10;

/// Reads an input from its beginning to its end, chunk by chunk.
pub struct Reader {
    input: Input,
    file: FileId,
    /// Of the next chunk's first record.
    index: u64,
    most_columns: usize,
    encoding: &'static str,
    encoding_guessed: bool,
    tally: SharedTally,
    /// The file, if it can change meanwhile.
    regular: Option<RegularFile>,
    problems: Vec<Problem>,
    body: RecordReader,
}

enum RecordReader {
    Rows(Box<RowReader>),
    Json(Box<JsonDocument>),
    Sheet(Sheet),
}

/// Opens an input: finds out its format, encoding and delimiter, and reads its
/// header. An error means that it can't be used at all; what is wrong with a
/// header is among [`Reader::problems`].
pub fn open(input: &Input, file: FileId, options: &ReadOptions) -> Result<Reader, InputError> {
    Reader::open(input, file, options).map_err(|error| error.of(input))
}

impl Reader {
    fn open(input: &Input, file: FileId, options: &ReadOptions) -> Result<Self, InputErrorKind> {
        let (inner, regular) = bytes::open(input)?;
        let tally = SharedTally::new(options.digest);
        let mut bytes: Bytes = Box::new(Counted {
            inner,
            tally: tally.clone(),
        });
        let mut head = bytes::read_head(&mut bytes, HEAD)?;
        let gzipped = head.starts_with(b"\x1f\x8b");
        if gzipped {
            let packed = Cursor::new(head).chain(bytes);
            bytes = Box::new(Unpacked::new(packed, tally.clone(), options.limits.clone()));
            head = bytes::read_head(&mut bytes, HEAD)?;
        }
        if head.is_empty() {
            return Err(InputErrorKind::Empty);
        }
        let by_name = Format::from_name(input.file_name());
        let mut encoding = (encoding_rs::UTF_8.name(), false);
        let (body, mut problems) = if is_workbook(&head, options.format, by_name)? {
            let unpacked = regular.as_ref().filter(|_| !gzipped);
            open_sheet(head, bytes, unpacked, options)?
        } else {
            let detected = encoding::detect(&head, options.encoding.as_deref())?;
            encoding = (detected.encoding.name(), detected.guessed);
            open_text(detected, head, bytes, by_name, options)?
        };
        for problem in &mut problems {
            problem.place.file = file;
        }
        Ok(Self {
            input: input.clone(),
            file,
            index: 0,
            most_columns: options.limits.columns,
            encoding: encoding.0,
            encoding_guessed: encoding.1,
            tally,
            regular,
            problems,
            body,
        })
    }

    /// The next records, or nothing at the end. After an error nothing more
    /// comes, and the file must count as unread.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        let chunk = match &mut self.body {
            RecordReader::Rows(rows) => rows.next_chunk(),
            RecordReader::Json(document) => document.next_chunk(),
            RecordReader::Sheet(sheet) => sheet.next_chunk(),
        };
        let chunk = chunk.and_then(|chunk| match (&chunk, &self.regular) {
            (None, Some(file)) => file.check_unchanged().map(|()| None),
            _ => Ok(chunk),
        });
        let mut chunk = chunk.map_err(|error| error.of(&self.input))?;
        if let Some(chunk) = &mut chunk {
            chunk.index = self.index;
            self.index += chunk.len() as u64;
            if let Some(lost) = &mut chunk.lost {
                lost.place.file = self.file;
                lost.place.index = self.index - 1;
            }
        }
        Ok(chunk)
    }

    /// A parser for this reader's chunks.
    pub fn parser(&self) -> Parser {
        Parser {
            file: self.file,
            encoding: self.encoding,
            header: self.header().cloned(),
            objects: Objects::new(self.most_columns),
        }
    }

    pub(super) fn header(&self) -> Option<&Arc<Header>> {
        match &self.body {
            RecordReader::Rows(rows) => rows.header.as_ref(),
            RecordReader::Sheet(sheet) => Some(&sheet.header),
            RecordReader::Json(_) => None,
        }
    }

    /// What is wrong with the header, once. It concerns every record of the
    /// file, so that skipping records does not fix it.
    pub(crate) fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The header's columns; none for JSON, whose records bring their own.
    pub(crate) fn columns(&self) -> Option<&Arc<Columns>> {
        self.header().map(|header| &header.columns)
    }

    pub(crate) fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Whether the encoding was guessed from the bytes, which users should know.
    pub(crate) fn encoding_guessed(&self) -> bool {
        self.encoding_guessed
    }

    /// The SHA-256 of the file's bytes in hex, once all were read, with
    /// [`ReadOptions::digest`].
    pub(crate) fn sha256(&self) -> Option<String> {
        self.tally.sha256()
    }
}

/// Opens a workbook: the file itself if it is a regular one, or a copy of its
/// bytes.
fn open_sheet(
    head: Vec<u8>,
    mut bytes: Bytes,
    regular: Option<&RegularFile>,
    options: &ReadOptions,
) -> Result<(RecordReader, Vec<Problem>), InputErrorKind> {
    let workbook = if let Some(regular) = regular {
        if options.digest {
            io::copy(&mut bytes, &mut io::sink())?;
        }
        regular.rewound()?
    } else {
        bytes::spool(&mut Cursor::new(head).chain(bytes))?
    };
    let name = options.sheet.as_deref();
    let (sheet, problems) = Sheet::open(workbook, name, &options.limits)?;
    Ok((RecordReader::Sheet(sheet), problems))
}

fn open_text(
    detected: Detected,
    head: Vec<u8>,
    bytes: Bytes,
    by_name: Option<Format>,
    options: &ReadOptions,
) -> Result<(RecordReader, Vec<Problem>), InputErrorKind> {
    let is_all = head.len() < HEAD;
    let preview = detected.preview(&head);
    if is_all && preview.trim().is_empty() {
        return Err(InputErrorKind::Empty);
    }
    let detect = || format_of_text(&preview, is_all, by_name);
    let format = options.format.unwrap_or_else(detect);
    let text = detected.text(head, bytes);
    let limits = &options.limits;
    if matches!(format, Format::Json | Format::Ndjson) {
        let window = Window::new(text, limits.chunk);
        let document = match format {
            Format::Ndjson => JsonDocument::of_lines(window, limits),
            _ => JsonDocument::open(window, limits, options.records.as_deref())?,
        };
        return Ok((RecordReader::Json(Box::new(document)), Vec::new()));
    }
    let tab = (format == Format::Tsv).then_some(b'\t');
    let delimiter = options.delimiter.or(tab);
    let encoding = detected.encoding.name();
    let (rows, problems) = RowReader::open(text, &preview, delimiter, limits, encoding)?;
    Ok((RecordReader::Rows(Box::new(rows)), problems))
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
