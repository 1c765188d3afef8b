//! Opening an input: what it is, and the reader that cuts it into chunks.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::model::{Columns, FileId, Problem};

use super::delimited::Splitter;
use super::encoding;
use super::feed::Feed;
use super::header::Header;
use super::json::{Document, Lines};
use super::raw::{self, Bytes, Counted, Opened, OpenedFile, SharedTally, Unpacked};
use super::watch::Watched;
use super::workbook::Sheet;
use super::{Chunk, Format, Input, InputError, InputErrorKind, Parser, ReadOptions};

/// How much of a file decides what it is.
const HEAD: usize = 64 << 10;

/// Reads an input from its beginning to its end, chunk by chunk.
pub struct Reader {
    input: Input,
    file: FileId,
    options: ReadOptions,
    format: Format,
    encoding: &'static str,
    encoding_guessed: bool,
    size: Option<u64>,
    tally: SharedTally,
    /// The file, where it can change meanwhile.
    watched: Option<Watched>,
    /// The copy that this is a reading of.
    copy: Option<File>,
    header: Option<Arc<Header>>,
    problems: Vec<Problem>,
    body: Body,
}

enum Body {
    Delimited(Splitter),
    Lines(Lines),
    Document(Box<Document>),
    Sheet(Sheet),
}

/// Opens an input: finds out its format, encoding and delimiter, and reads its
/// header. An error means that it can't be used at all; what is wrong with a
/// header is among [`Reader::problems`].
pub fn open(input: &Input, file: FileId, options: &ReadOptions) -> Result<Reader, InputError> {
    raw::open(input)
        .and_then(|opened| Reader::new(input, opened, None, file, options))
        .map_err(|fault| held_open(input, fault).of(&input.name()))
}

/// Says that Excel has a workbook open, where that may be why it can't be read.
fn held_open(input: &Input, fault: InputErrorKind) -> InputErrorKind {
    match (&fault, input) {
        (
            InputErrorKind::Io(_) | InputErrorKind::Workbook(_) | InputErrorKind::NoWorkbook,
            Input::Path(path),
        ) => raw::held_open(path, &fault).unwrap_or(fault),
        _ => fault,
    }
}

impl Reader {
    fn new(
        input: &Input,
        opened: Opened,
        copy: Option<File>,
        file: FileId,
        options: &ReadOptions,
    ) -> Result<Self, InputErrorKind> {
        let keep = options.tee && !opened.again;
        let kept = keep
            .then(tempfile::tempfile)
            .transpose()
            .map_err(InputErrorKind::Io)?;
        let tally = SharedTally::new(options.digest, kept);
        let (seekable, watched) = match &opened.file {
            OpenedFile::File(file) if opened.again => (
                Some(file.try_clone().map_err(InputErrorKind::Io)?),
                Some(Watched::new(file).map_err(InputErrorKind::Io)?),
            ),
            _ => (None, None),
        };
        let mut bytes: Bytes = Box::new(Counted::new(opened.file, tally.clone()));
        let mut head = raw::read_head(&mut bytes, HEAD).map_err(InputErrorKind::from_io)?;
        let gzipped = head.starts_with(b"\x1f\x8b");
        if gzipped {
            bytes = Box::new(Unpacked::new(
                Cursor::new(head).chain(bytes),
                tally.clone(),
                options.limits.clone(),
            ));
            head = raw::read_head(&mut bytes, HEAD).map_err(InputErrorKind::from_io)?;
        }
        if head.is_empty() {
            return Err(InputErrorKind::Empty);
        }
        let by_name = Format::from_name(input.file_name());
        let mut reader = Self {
            input: input.clone(),
            file,
            options: options.clone(),
            format: Format::Xlsx,
            encoding: "UTF-8",
            encoding_guessed: false,
            size: opened.size,
            tally,
            watched,
            copy,
            header: None,
            problems: Vec::new(),
            body: Body::Sheet(Sheet::default()),
        };
        if is_workbook(&head, options.format, by_name)? {
            let seekable = seekable.filter(|_| !gzipped);
            reader.open_workbook(head, bytes, seekable)?;
        } else {
            reader.open_text(head, bytes, by_name)?;
        }
        Ok(reader)
    }

    fn open_workbook(
        &mut self,
        head: Vec<u8>,
        mut bytes: Bytes,
        seekable: Option<File>,
    ) -> Result<(), InputErrorKind> {
        let workbook = if let Some(mut workbook) = seekable {
            if self.options.digest {
                io::copy(&mut bytes, &mut io::sink()).map_err(InputErrorKind::from_io)?;
            }
            workbook
                .seek(SeekFrom::Start(0))
                .map_err(InputErrorKind::Io)?;
            workbook
        } else {
            raw::spool(&mut Cursor::new(head).chain(bytes)).map_err(InputErrorKind::from_io)?
        };
        let (sheet, cells, line) = Sheet::open(
            workbook,
            self.options.sheet.as_deref(),
            &self.options.limits,
        )?;
        self.body = Body::Sheet(sheet);
        self.set_header(&cells, line)?;
        // Rows of a sheet end where their last filled cell is.
        if let Some(header) = self.header.as_mut().and_then(Arc::get_mut) {
            header.width = usize::MAX;
        }
        Ok(())
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
        let whole = head.len() < HEAD;
        let preview = detected.preview(&head);
        if whole && preview.trim().is_empty() {
            return Err(InputErrorKind::Empty);
        }
        self.format = self
            .options
            .format
            .unwrap_or_else(|| format_of_text(&preview, whole, by_name));
        let feed = Feed::new(detected.text(head, bytes), self.options.limits.chunk);
        let (file, limits) = (self.file, self.options.limits.clone());
        match self.format {
            Format::Json => {
                let records = self.options.records.as_deref();
                let document = Document::open(feed, file, &limits, records)?;
                self.body = Body::Document(Box::new(document));
            }
            Format::Ndjson => self.body = Body::Lines(Lines::new(feed, file, &limits)),
            Format::Csv | Format::Tsv | Format::Xlsx => {
                let tab = (self.format == Format::Tsv).then_some(b'\t');
                let delimiter = self.options.delimiter.or(tab);
                let (splitter, cells, line) =
                    Splitter::open(feed, delimiter, file, &limits, self.encoding)?;
                self.body = Body::Delimited(splitter);
                self.set_header(&cells, line)?;
            }
        }
        Ok(())
    }

    fn set_header(&mut self, cells: &[String], line: u64) -> Result<(), InputErrorKind> {
        let (header, problems) = Header::new(cells, self.file, line, &self.options.limits)?;
        self.header = Some(Arc::new(header));
        self.problems = problems;
        Ok(())
    }

    /// The next records, or nothing at the end. After an error nothing more
    /// comes; the file must count as unread.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        let chunk = match (&mut self.body, &self.header) {
            (Body::Delimited(splitter), Some(header)) => {
                splitter.next_chunk(header).map_err(InputErrorKind::from_io)
            }
            (Body::Lines(lines), _) => lines.next_chunk().map_err(InputErrorKind::from_io),
            (Body::Document(document), _) => document.next_chunk(),
            (Body::Sheet(sheet), _) => sheet.next_chunk(),
            (Body::Delimited(_), None) => Ok(None),
        };
        chunk
            .and_then(|chunk| match (&chunk, &self.watched) {
                (None, Some(watched)) => watched.is_as_before().map(|()| None),
                _ => Ok(chunk),
            })
            .map_err(|fault| held_open(&self.input, fault).of(&self.input.name()))
    }

    /// A parser for this reader's chunks.
    pub fn parser(&self) -> Parser {
        match &self.header {
            Some(header) => Parser::of_grid(
                self.file,
                self.encoding,
                Arc::clone(header),
                self.delimiter().unwrap_or(b','),
            ),
            None => Parser::of_json(self.file, self.encoding, self.options.limits.columns),
        }
    }

    /// What is wrong with the header. It concerns every record of the file, so
    /// that leaving out records does not mend it. Each is told once.
    pub fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The header's columns; none for JSON, whose records bring their own.
    pub fn columns(&self) -> Option<&Arc<Columns>> {
        self.header.as_ref().map(|header| &header.columns)
    }

    /// The line of the header.
    pub fn header_line(&self) -> Option<u64> {
        self.header.as_ref().map(|header| header.line)
    }

    /// What stands between two cells of a CSV.
    pub fn delimiter(&self) -> Option<u8> {
        match &self.body {
            Body::Delimited(splitter) => Some(splitter.delimiter),
            _ => None,
        }
    }

    /// The name of the sheet that is read.
    pub fn sheet(&self) -> Option<&str> {
        match &self.body {
            Body::Sheet(sheet) => Some(sheet.name()),
            _ => None,
        }
    }

    /// What the input is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The encoding that the text is read as.
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Whether the encoding was guessed from the bytes, so that a person should
    /// be told.
    pub fn encoding_guessed(&self) -> bool {
        self.encoding_guessed
    }

    /// The size of a regular file when it was opened.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many bytes of the file were read so far, packed ones if it is packed.
    pub fn bytes_read(&self) -> u64 {
        self.tally.lock().bytes
    }

    /// The SHA-256 of the file's bytes, once all were read, if it was asked for.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.tally.sha256()
    }

    /// Reads the same input once more: a regular file by opening it again, all
    /// else from the copy that `ReadOptions.tee` keeps.
    pub fn reopen(mut self) -> Result<Self, InputError> {
        // The copy has what was read, so all must have been.
        while let Ok(Some(_)) = self.next_chunk() {}
        let name = self.input.name();
        let copy = match self.copy.take() {
            Some(copy) => Some(copy),
            None => self
                .tally
                .take_copy()
                .map_err(|error| InputErrorKind::Io(error).of(&name))?,
        };
        match (copy, &self.input) {
            (Some(copy), input) => Self::of_copy(input, copy, self.file, &self.options),
            (None, Input::Path(path)) if path.is_file() => {
                return open(&self.input, self.file, &self.options);
            }
            (None, _) => Err(InputErrorKind::ReadOnce),
        }
        .map_err(|fault| fault.of(&name))
    }

    fn of_copy(
        input: &Input,
        mut copy: File,
        file: FileId,
        options: &ReadOptions,
    ) -> Result<Self, InputErrorKind> {
        copy.seek(SeekFrom::Start(0)).map_err(InputErrorKind::Io)?;
        let opened = Opened {
            size: Some(copy.metadata().map_err(InputErrorKind::Io)?.len()),
            again: true,
            file: OpenedFile::File(copy.try_clone().map_err(InputErrorKind::Io)?),
        };
        Self::new(input, opened, Some(copy), file, options)
    }
}

/// Whether the bytes are a workbook, which must fit what was said of them.
fn is_workbook(
    head: &[u8],
    said: Option<Format>,
    by_name: Option<Format>,
) -> Result<bool, InputErrorKind> {
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(InputErrorKind::OldWorkbook);
    }
    if head.starts_with(b"%PDF-") {
        return Err(InputErrorKind::Binary);
    }
    let zipped = head.starts_with(b"PK\x03\x04");
    match said.or(by_name) {
        Some(Format::Xlsx) if zipped => Ok(true),
        Some(Format::Xlsx) => Err(InputErrorKind::NoWorkbook),
        Some(other) if zipped => Err(InputErrorKind::WorkbookNot(other.as_str())),
        _ => Ok(zipped),
    }
}

/// The format of a text by its beginning. A name tells CSV from JSON; which of
/// the two kinds of JSON it is only the content can tell.
fn format_of_text(preview: &str, whole: bool, by_name: Option<Format>) -> Format {
    let text = preview.trim_start();
    match by_name {
        Some(Format::Json | Format::Ndjson) => {}
        Some(format) => return format,
        None if text.starts_with(['[', '{']) => {}
        None => return Format::Csv,
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line_is_whole = whole || text.contains('\n');
    let line_is_value = line_is_whole && serde_json::from_str::<IgnoredAny>(line).is_ok();
    let more = !rest.trim().is_empty() || !whole;
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
