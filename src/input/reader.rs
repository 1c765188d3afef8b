//! Opening an input: what it is, and the reader that cuts it into chunks.

use std::io::{self, Cursor, Read, Seek as _};
use std::sync::{Arc, OnceLock};

use memchr::memmem;
use serde::de::IgnoredAny;

use crate::model::{Columns, FileId, Problem};

use super::bytes::{self, Bytes, Counted, RegularFile, Unpacked};
use super::delimited::RowReader;
use super::encoding::{self, Detected};
use super::header::Header;
use super::json::{JsonDocument, Objects};
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
    sha256: Arc<OnceLock<String>>,
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
        let sha256 = Arc::default();
        let mut counted = Counted::new(inner, options.digest, Arc::clone(&sha256));
        let mut head = bytes::read_head(&mut counted, HEAD)?;
        let gzipped = head.starts_with(b"\x1f\x8b");
        let bytes: Bytes = if gzipped {
            let mut unpacked = Unpacked::new(head, counted, options.limits.clone());
            head = bytes::read_head(&mut unpacked, HEAD)?;
            Box::new(unpacked)
        } else {
            Box::new(counted)
        };
        if head.is_empty() {
            return Err(InputErrorKind::Empty);
        }
        let by_name = Format::from_name(input.file_name());
        refuse_other_content(&head)?;
        let mut encoding = encoding_rs::UTF_8.name();
        let (body, mut problems) = if is_workbook(&head, options.format, by_name)? {
            let unpacked = regular.as_ref().filter(|_| !gzipped);
            open_sheet(head, bytes, unpacked, options)?
        } else {
            let detected = encoding::detect(&head, options.encoding.as_deref())?;
            encoding = detected.encoding.name();
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
            encoding,
            sha256,
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
            objects: Objects {
                columns: Columns::new(),
                limit: self.most_columns,
            },
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

    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// The SHA-256 of the file's bytes in hex, once all were read, with
    /// [`ReadOptions::digest`].
    pub(crate) fn sha256(&self) -> Option<String> {
        self.sha256.get().cloned()
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
    let mut workbook = if let Some(regular) = regular {
        if options.digest {
            io::copy(&mut bytes, &mut io::sink())?;
        }
        regular.file.try_clone()?
    } else {
        let folder = options.temporary_folder.unwrap_or(std::env::temp_dir);
        let mut copy = tempfile::tempfile_in(folder())?;
        io::copy(&mut Cursor::new(head).chain(bytes), &mut copy)?;
        copy
    };
    workbook.rewind()?;
    let (sheet, problems) = Sheet::open(workbook, options)?;
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
    let format = if let Some(format) = options.format {
        format
    } else {
        refuse_markup(&preview)?;
        format_of_text(&preview, is_all, by_name)
    };
    let mut problems: Vec<Problem> = detected.guess().into_iter().collect();
    let text = detected.text(head, bytes);
    if matches!(format, Format::Json | Format::Ndjson) {
        let document = JsonDocument::open(text, format == Format::Ndjson, options)?;
        return Ok((RecordReader::Json(Box::new(document)), problems));
    }
    let tab = (format == Format::Tsv).then_some(b'\t');
    let delimiter = options.delimiter.or(tab);
    let encoding = detected.encoding.name();
    let (rows, of_header) = RowReader::open(text, &preview, delimiter, options, encoding)?;
    problems.extend(of_header);
    Ok((RecordReader::Rows(Box::new(rows)), problems))
}

/// What files say at an offset that are no tables, and what they are.
const OTHER_CONTENT: [(usize, &[u8], &str); 18] = [
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"MIME-Version:", "a web page (MHTML)"),
    (0, b"\x89PNG", "an image"),
    (0, b"\xff\xd8\xff", "an image"),
    (0, b"GIF8", "an image"),
    (0, b"II*\0", "an image"),
    (0, b"MM\0*", "an image"),
    (0, b"RIFF", "an image or a recording"),
    (0, b"Rar!\x1a", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an XZ archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"SQLite format 3\0", "a SQLite database"),
    (0, b"PAR1", "a Parquet file"),
    (257, b"ustar", "a tar archive"),
];

/// Refuses what is neither text nor a workbook.
fn refuse_other_content(head: &[u8]) -> Result<(), InputErrorKind> {
    let says = |(at, mark, _): &(usize, &[u8], &str)| {
        let rest = head.get(*at..);
        rest.is_some_and(|rest| rest.starts_with(mark))
    };
    let Some((_, _, what)) = OTHER_CONTENT.into_iter().find(says) else {
        return Ok(());
    };
    let advice = if what.ends_with("archive") {
        InputErrorKind::UNPACK
    } else {
        "export the cases as CSV or XLSX"
    };
    Err(InputErrorKind::NotATable { what, advice })
}

/// Refuses HTML and XML, which some programs save as `.xls` or `.csv`.
fn refuse_markup(preview: &str) -> Result<(), InputErrorKind> {
    let text = preview.trim_start();
    // A header may be `<id>`.
    let is_markup = ["</", "/>", "<?xml", "<!"]
        .iter()
        .any(|tag| text.contains(tag));
    if !text.starts_with('<') || !is_markup {
        return Ok(());
    }
    let lower = text.to_ascii_lowercase();
    let is_page = ["<html", "<!doctype html", "<table", "<body"]
        .iter()
        .any(|tag| lower.contains(tag));
    Err(InputErrorKind::NotATable {
        what: if is_page { "a web page (HTML)" } else { "XML" },
        advice: "a sign-in or error page saved in place of the export: export again; a report in this \
                 form: open it in Excel and save it as .xlsx or CSV",
    })
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
    let zipped = head.starts_with(b"PK\x03\x04");
    match named.or(by_name) {
        Some(Format::Xlsx) if zipped => Ok(true),
        Some(Format::Xlsx) => Err(InputErrorKind::NoWorkbook),
        Some(other) if zipped => Err(match memmem::find(head, b"xl/") {
            Some(_) => InputErrorKind::WorkbookNot(other.as_str()),
            None => InputErrorKind::ZIP_ARCHIVE,
        }),
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
    let is_lines = if by_name == Some(Format::Ndjson) {
        let opens_more = line.trim_end() == "{" || line.starts_with('[');
        line_is_value || !opens_more
    } else {
        text.starts_with('{') && line_is_value && more
    };
    if is_lines {
        Format::Ndjson
    } else {
        Format::Json
    }
}
