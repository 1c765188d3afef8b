//! One file that a command writes: created new, or with `--force` put in the
//! place of an existing file once it is complete. A workbook is rows of CSV in a
//! temporary file until then.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rust_xlsxwriter::XlsxError;
use tempfile::TempPath;

use super::{log, workbook};
use crate::model::reserved::escape_controls;
use crate::model::{Format, private_file};
use crate::output::terminal::text::count;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub(crate) struct OutputFileError {
    pub(super) path: PathBuf,
    pub(super) reason: CannotWrite,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CannotWrite {
    #[error("already exists (use --force to replace it)")]
    Exists,
    #[error("is used by this command and cannot be replaced; choose another name")]
    InUse,
    #[error("is named for two outputs; give each its own name")]
    NamedTwice,
    #[error("is a symbolic link and is not replaced; name the file itself")]
    SymbolicLink,
    #[error("is not a regular file")]
    NotAFile,
    #[error("is a folder; name a file in it")]
    Directory,
    #[error("is not a log of caseload; name another file, or move this one away")]
    NotALog,
    #[error("its folder does not exist; create it first")]
    NoDirectory,
    #[error("must be a folder: each of the {0} input files gets its own rejects file")]
    DirectoryNeeded(usize),
    #[error("the output is {content}, but the name ends in .{extension}; use .{expected}")]
    Extension {
        content: &'static str,
        extension: String,
        expected: &'static str,
    },
    #[error("cannot be opened for writing: {0}")]
    Open(#[source] io::Error),
    #[error("writing failed after {}: {source}", count(*rows, "row"))]
    Write { rows: u64, source: io::Error },
    #[error("cannot be written as a workbook: {0}; name a .csv file instead")]
    Workbook(#[source] XlsxError),
}

impl CannotWrite {
    pub(super) fn at(self, path: &Path) -> OutputFileError {
        OutputFileError {
            path: path.to_owned(),
            reason: self,
        }
    }
}

/// When rows reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushPolicy {
    /// Row by row: after a kill the file is complete up to its last row.
    EachRow,
    /// In large chunks.
    Chunks,
}

const CHUNK: usize = 256 * 1024;

/// How much of a file is read to see whether it is a log.
const LONGEST_LINE: u64 = 1024 * 1024;

/// Opens the outputs of one command.
#[derive(Debug)]
pub(crate) struct OutputOpener {
    force: bool,
    flush: FlushPolicy,
    protected: Vec<FileIdentity>,
    opened: Vec<FileIdentity>,
}

impl OutputOpener {
    /// The protected paths (inputs, ledger, config, key) are never written to.
    pub(crate) fn new<P: AsRef<Path>>(
        force: bool,
        flush: FlushPolicy,
        protected: impl IntoIterator<Item = P>,
    ) -> Self {
        let identity = |path: P| FileIdentity::of(path.as_ref());
        Self {
            force,
            flush,
            protected: protected.into_iter().map(identity).collect(),
            opened: Vec::new(),
        }
    }

    /// Opens an output. A file that it replaces stays as it is until
    /// [`OutputFile::finish`].
    pub(crate) fn open(
        &mut self,
        path: &Path,
        format: Format,
    ) -> Result<OutputFile, OutputFileError> {
        check_extension(path, format)
            .and_then(|()| {
                if workbook::is_named(path) {
                    self.create_workbook(path)
                } else {
                    self.create(path)
                }
            })
            .map_err(|reason| reason.at(path))
    }

    /// Opens a web page in the same way.
    pub(crate) fn open_page(&mut self, path: &Path) -> Result<OutputFile, OutputFileError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let extension = extension.to_lowercase();
        let (content, expected) = ("HTML", "html");
        let opened = match &*extension {
            "" | "html" | "htm" => self.create(path),
            _ => Err(CannotWrite::Extension {
                content,
                extension,
                expected,
            }),
        };
        opened.map_err(|reason| reason.at(path))
    }

    /// Opens a log, which is added to where it exists.
    pub(crate) fn open_log(&mut self, path: &Path) -> Result<OutputFile, OutputFileError> {
        let mut file = self
            .add(path, |_, path| create_or(path, open_end))
            .map_err(|reason| reason.at(path))?;
        file.is_shared = true;
        Ok(file)
    }

    fn create(&mut self, path: &Path) -> Result<OutputFile, CannotWrite> {
        self.add(path, |opener, path| {
            create_or(path, |path| opener.create_replacement(path))
        })
    }

    fn create_workbook(&mut self, path: &Path) -> Result<OutputFile, CannotWrite> {
        let mut file = self.add(path, |opener, path| match fs::symlink_metadata(path) {
            Ok(_) => opener.create_replacement(path),
            Err(_) => Ok(Opened {
                is_new: true,
                ..create_part(path)?
            }),
        })?;
        file.as_workbook = true;
        Ok(file)
    }

    fn add(
        &mut self,
        path: &Path,
        open: impl FnOnce(&Self, &Path) -> Result<Opened, CannotWrite>,
    ) -> Result<OutputFile, CannotWrite> {
        let identity = FileIdentity::of(path);
        if self.protected.iter().any(|other| other.is_same(&identity)) {
            return Err(CannotWrite::InUse);
        }
        if self.opened.iter().any(|other| other.is_same(&identity)) {
            return Err(CannotWrite::NamedTwice);
        }
        let opened = open(self, path)?;
        self.opened.push(FileIdentity::of(path));
        Ok(OutputFile {
            path: path.to_owned(),
            file: opened.file,
            keep: !opened.is_new,
            part: opened.part,
            is_new: opened.is_new,
            is_shared: false,
            as_workbook: false,
            flush: self.flush,
            pending: Vec::new(),
            pending_rows: 0,
            length: 0,
            rows: 0,
            failed: None,
        })
    }

    /// A temporary file beside the one that it will replace.
    fn create_replacement(&self, path: &Path) -> Result<Opened, CannotWrite> {
        check_existing(path)?;
        if !self.force {
            return Err(CannotWrite::Exists);
        }
        create_part(path)
    }
}

/// A file, or what will be one.
struct Opened {
    file: File,
    part: Option<TempPath>,
    /// Whether there was none of its name.
    is_new: bool,
}

/// Opens a file that does not exist, or else the one that does.
fn create_or(
    path: &Path,
    open_existing: impl FnOnce(&Path) -> Result<Opened, CannotWrite>,
) -> Result<Opened, CannotWrite> {
    match private_file().append(true).create_new(true).open(path) {
        Ok(file) => Ok(Opened {
            file,
            part: None,
            is_new: true,
        }),
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists => open_existing(path),
            io::ErrorKind::NotFound => Err(CannotWrite::NoDirectory),
            _ => Err(CannotWrite::Open(error)),
        },
    }
}

fn check_existing(path: &Path) -> Result<(), CannotWrite> {
    let metadata = fs::symlink_metadata(path).map_err(CannotWrite::Open)?;
    if metadata.is_dir() {
        return Err(CannotWrite::Directory);
    }
    if metadata.is_symlink() {
        return Err(CannotWrite::SymbolicLink);
    }
    if !metadata.is_file() {
        return Err(CannotWrite::NotAFile);
    }
    Ok(())
}

/// Opens an existing log to add to it. A line that a full disk cut off is ended.
fn open_end(path: &Path) -> Result<Opened, CannotWrite> {
    check_existing(path)?;
    let file = OpenOptions::new().read(true).append(true).open(path);
    let mut file = file.map_err(CannotWrite::Open)?;
    let mut first = Vec::new();
    let mut last = [b'\n'];
    let mut read_ends = || {
        BufReader::new(&file)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut first)?;
        if !first.is_empty() {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(())
    };
    read_ends().map_err(CannotWrite::Open)?;
    if !first.is_empty() && !log::is_line(&first) {
        return Err(CannotWrite::NotALog);
    }
    if last != *b"\n" {
        file.write_all(b"\n").map_err(CannotWrite::Open)?;
    }
    Ok(Opened {
        file,
        part: None,
        is_new: false,
    })
}

/// A temporary file beside the one that it will be.
fn create_part(path: &Path) -> Result<Opened, CannotWrite> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".part")
        .tempfile_in(directory_of(path))
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CannotWrite::NoDirectory,
            _ => CannotWrite::Open(error),
        })?;
    let (file, part) = part.into_parts();
    Ok(Opened {
        file,
        part: Some(part),
        is_new: false,
    })
}

/// Refuses a name that promises another format to a spreadsheet, or to caseload
/// when the file is read back.
fn check_extension(path: &Path, format: Format) -> Result<(), CannotWrite> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let extension = extension.to_lowercase();
    let named = extension.parse::<Format>().ok();
    let fits = match named {
        Some(Format::Xlsx) => format == Format::Csv && workbook::is_named(path),
        Some(named) => named == format || (named.is_json() && format.is_json()),
        None => !matches!(&*extension, "xls" | "ods" | "gz"),
    };
    if fits {
        return Ok(());
    }
    Err(CannotWrite::Extension {
        content: if format.is_json() { "NDJSON" } else { "CSV" },
        extension,
        expected: format.as_str(),
    })
}

/// An open output. A new file is removed again if it is dropped before
/// [`Self::finish`] and, where each row is flushed, before the first row.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    file: File,
    keep: bool,
    /// Where it is until it is complete.
    part: Option<TempPath>,
    is_new: bool,
    as_workbook: bool,
    /// Other runs may add to it at the same time.
    is_shared: bool,
    flush: FlushPolicy,
    pending: Vec<u8>,
    pending_rows: u64,
    /// Bytes that were written.
    length: u64,
    rows: u64,
    failed: Option<io::Error>,
}

impl OutputFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its rows become a workbook, whose cells are text whatever is in them.
    pub(super) fn is_workbook(&self) -> bool {
        self.as_workbook
    }

    /// Writes what comes before the rows.
    pub(super) fn write_header(&mut self, header: &[u8]) -> Result<(), OutputFileError> {
        let written = self.file.write_all(header);
        self.length = header.len() as u64;
        written.map_err(|error| CannotWrite::Open(error).at(&self.path))
    }

    /// Adds a JSON document as a row.
    pub(super) fn write_json(&mut self, document: &str) {
        self.write_row(format!("{}\n", escape_controls(document)).as_bytes());
    }

    /// Adds a row. After a failed write nothing more is written.
    pub(super) fn write_row(&mut self, row: &[u8]) {
        self.write_rows(row, 1);
    }

    /// Adds a text about so many rows.
    pub(super) fn write_rows(&mut self, text: &[u8], rows: u64) {
        self.keep |= self.flush == FlushPolicy::EachRow;
        if self.failed.is_some() {
            return;
        }
        self.pending.extend_from_slice(text);
        self.pending_rows += rows;
        if self.flush == FlushPolicy::EachRow || self.pending.len() >= CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        match self.file.write_all(&self.pending) {
            Ok(()) => {
                self.length += self.pending.len() as u64;
                self.rows += self.pending_rows;
            }
            Err(error) => {
                // Part of a row is worse than none.
                if !self.is_shared {
                    let _ = self.file.set_len(self.length);
                }
                self.failed = Some(error);
            }
        }
        self.pending.clear();
        self.pending_rows = 0;
    }

    /// Writes the rest and returns the number of rows, or the first error since
    /// the file was opened.
    pub(super) fn finish(mut self) -> Result<u64, OutputFileError> {
        self.keep = true;
        self.flush();
        let rows = self.rows;
        let result = match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.sync_all(),
        };
        result
            .map_err(|source| CannotWrite::Write { rows, source })
            .and_then(|()| self.put_in_place())
            .map_err(|reason| reason.at(&self.path))?;
        Ok(rows)
    }

    fn put_in_place(&mut self) -> Result<(), CannotWrite> {
        let Some(mut part) = self.part.take() else {
            return Ok(());
        };
        if self.as_workbook {
            let book = create_part(&self.path)?;
            workbook::write(&part, &book.file, directory_of(&self.path))?;
            book.file.sync_all().map_err(CannotWrite::Open)?;
            part = book.part.unwrap_or(part);
        }
        let put = if self.is_new {
            part.persist_noclobber(&self.path)
        } else {
            part.persist(&self.path)
        };
        put.map_err(|failed| CannotWrite::Open(failed.error))
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        let inode = self.file.metadata().ok().as_ref().map(inode);
        // Another process may have replaced the file since.
        if !self.keep && FileIdentity::of(&self.path).inode == inode {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Which file a path names, whatever links lead there. Works for a file that
/// does not exist, and opens none: closing a descriptor of the ledger would
/// drop the locks that `SQLite` holds on it.
#[derive(Debug, Clone)]
struct FileIdentity {
    path: PathBuf,
    inode: Option<(u64, u64)>,
}

impl FileIdentity {
    fn of(path: &Path) -> Self {
        Self {
            path: resolve(path),
            inode: fs::metadata(path).ok().as_ref().map(inode),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.path == other.path || (self.inode.is_some() && self.inode == other.inode)
    }
}

/// The path with all links followed, as far as it exists.
fn resolve(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    fs::canonicalize(path)
        .or_else(|_| Ok(fs::canonicalize(directory_of(path))?.join(name)))
        .unwrap_or_else(|_: io::Error| path.to_owned())
}

fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Device and inode.
fn inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
