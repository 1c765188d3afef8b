//! One output: opened, checked, filled row by row, closed.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{FileError, FileFault};
use super::kind::Kind;
use super::place::{self, Identity};
use super::registry::{Content, Memory, Registry};
use crate::model::private_file;

/// When rows reach their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Each by itself: nothing is lost with the process.
    EachRow,
    /// Many at once, for who has all of them at hand.
    Chunks,
}

const CHUNK: usize = 256 * 1024;

/// Opens outputs: never an input, never one file twice, and over an existing
/// file only while it is as we left it.
#[derive(Debug)]
pub struct Opener<'a> {
    registry: &'a Registry,
    flush: Flush,
    inputs: Vec<Identity>,
    opened: Vec<Identity>,
}

impl<'a> Opener<'a> {
    /// For a command that reads these files.
    pub fn new<P: AsRef<Path>>(
        registry: &'a Registry,
        inputs: impl IntoIterator<Item = P>,
        flush: Flush,
    ) -> Self {
        Self {
            registry,
            flush,
            inputs: inputs
                .into_iter()
                .map(|input| Identity::of(input.as_ref()))
                .collect(),
            opened: Vec::new(),
        }
    }

    /// Opens an output. What it held stays until [`Target::begin`].
    pub fn open(&mut self, path: &Path, kind: Kind) -> Result<Target, FileError> {
        kind.check_ending(path)
            .and_then(|()| self.try_open(path))
            .map_err(|fault| fault.of(path))
    }

    fn try_open(&mut self, path: &Path) -> Result<Target, FileFault> {
        self.check_names(&Identity::of(path))?;
        let new = private_file()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        let (file, created) = match new {
            Ok(file) => (file, true),
            Err(error) => match error.kind() {
                io::ErrorKind::AlreadyExists => (open_existing(path)?, false),
                io::ErrorKind::NotFound => return Err(FileFault::NoFolder),
                io::ErrorKind::IsADirectory => return Err(FileFault::Folder),
                _ => return Err(FileFault::Open(error)),
            },
        };
        let identity = Identity::of(path);
        let mut target = Target {
            path: path.to_owned(),
            identity: identity.clone(),
            file,
            discard: created,
            flush: self.flush,
            pending: Vec::new(),
            pending_rows: 0,
            rows: 0,
            written: Sha256::new(),
            content: Content::empty(),
            memory: None,
            failed: None,
        };
        // Once more: now its device and inode are known for certain.
        self.check_names(&identity)?;
        target.memory = self.registry.memory(identity.place())?;
        if !created {
            target.check_as_left()?;
        }
        self.opened.push(identity);
        Ok(target)
    }

    fn check_names(&self, identity: &Identity) -> Result<(), FileFault> {
        if self.inputs.iter().any(|input| input.is_same(identity)) {
            return Err(FileFault::Input);
        }
        if self.opened.iter().any(|other| other.is_same(identity)) {
            return Err(FileFault::NamedTwice);
        }
        Ok(())
    }
}

fn open_existing(path: &Path) -> Result<File, FileFault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FileFault::DanglingLink);
        }
        Err(error) => return Err(FileFault::Open(error)),
    };
    if metadata.is_dir() {
        return Err(FileFault::Folder);
    }
    if !metadata.is_file() {
        return Err(FileFault::NotAFile);
    }
    private_file()
        .read(true)
        .write(true)
        .open(path)
        .map_err(FileFault::Open)
}

/// An open output. One that was made and never begun goes away again.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    identity: Identity,
    file: File,
    /// We made it, and nothing was written to it yet.
    discard: bool,
    flush: Flush,
    pending: Vec<u8>,
    pending_rows: u64,
    /// Rows in the file, its header not counted.
    rows: u64,
    written: Sha256,
    content: Content,
    memory: Option<Memory>,
    failed: Option<io::Error>,
}

impl Target {
    /// The file as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows + self.pending_rows
    }

    /// An empty file is nobody's loss; any other must be as we left it.
    fn check_as_left(&mut self) -> Result<(), FileFault> {
        let length = self.file.metadata().map_err(FileFault::Open)?.len();
        if length == 0 {
            return Ok(());
        }
        let Some(memory) = self
            .memory
            .as_ref()
            .filter(|memory| memory.knows_length(length))
        else {
            return Err(FileFault::NotAsLeft);
        };
        let found = Content::of(&mut self.file).map_err(FileFault::Open)?;
        if memory.knows(found) {
            self.content = found;
            Ok(())
        } else {
            Err(FileFault::NotAsLeft)
        }
    }

    /// Empties the file and writes what stands in front of its rows.
    pub(super) fn begin(&mut self, head: &[u8]) -> Result<(), FileError> {
        self.try_begin(head)
            .map_err(|error| FileFault::Open(error).of(&self.path))
    }

    fn try_begin(&mut self, head: &[u8]) -> io::Result<()> {
        place::make_private(&self.file)?;
        self.remember(Content::empty());
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.content = Content::empty();
        self.discard = false;
        self.append(head)
    }

    /// Adds a row. After a write that failed nothing more is written.
    pub(super) fn row(&mut self, row: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.pending.extend_from_slice(row);
        self.pending_rows += 1;
        if self.flush == Flush::EachRow || self.pending.len() >= CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.pending);
        let count = std::mem::take(&mut self.pending_rows);
        match self.append(&rows) {
            Ok(()) => self.rows += count,
            Err(error) => {
                // A part of a row is worse than none.
                let _ = self.file.set_len(self.content.length);
                self.failed = Some(error);
            }
        }
        self.pending = rows;
        self.pending.clear();
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.update(bytes);
        let next = Content {
            length: self.content.length + bytes.len() as u64,
            sha256: self.written.clone().finalize().into(),
        };
        self.remember(next);
        self.file.write_all(bytes)?;
        self.content = next;
        Ok(())
    }

    /// Without its memory the file is not overwritten the next time; that is
    /// no reason to go without the row.
    fn remember(&mut self, next: Content) {
        if let Some(memory) = &mut self.memory
            && memory.expect(self.content, next).is_err()
        {
            self.memory = None;
        }
    }

    /// Writes what is left and closes the file. Tells what went wrong with it
    /// since it was begun.
    pub(super) fn finish(mut self) -> Result<u64, FileError> {
        self.flush();
        self.remember(self.content);
        let fault = match self.failed.take() {
            Some(source) => Some(FileFault::Write {
                rows: self.rows,
                source,
            }),
            None if !self.is_as_written() => Some(FileFault::ChangedMeanwhile),
            None => self.file.sync_all().err().map(|source| FileFault::Write {
                rows: self.rows,
                source,
            }),
        };
        match fault {
            Some(fault) => Err(fault.of(&self.path)),
            None => Ok(self.rows),
        }
    }

    fn is_as_written(&self) -> bool {
        self.identity.is_open_as(&self.file)
            && self
                .file
                .metadata()
                .is_ok_and(|metadata| metadata.len() == self.content.length)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.discard && self.identity.is_open_as(&self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Content {
    fn empty() -> Self {
        Self {
            length: 0,
            sha256: Sha256::digest([]).into(),
        }
    }

    fn of(file: &mut File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut length = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => {
                    length += count as u64;
                    hasher.update(&buffer[..count]);
                }
            }
        }
        Ok(Self {
            length,
            sha256: hasher.finalize().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_ends_the_file_and_is_told_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let registry = Registry::nowhere();
        let mut opener = Opener::new(&registry, [] as [&Path; 0], Flush::EachRow);
        let mut target = opener.open(&path, Kind::Csv).unwrap();
        target.begin(b"a\n").unwrap();
        target.row(b"1\n");
        let good = std::mem::replace(&mut target.file, File::open(&path).unwrap());
        target.row(b"2\n");
        target.file = good;
        target.row(b"3\n");
        let error = target.finish().unwrap_err();
        assert!(
            matches!(error.fault, FileFault::Write { rows: 1, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
    }

    #[test]
    fn chunks_are_whole_once_the_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let registry = Registry::nowhere();
        let mut opener = Opener::new(&registry, [] as [&Path; 0], Flush::Chunks);
        let mut target = opener.open(&path, Kind::Csv).unwrap();
        target.begin(b"a\n").unwrap();
        let row = [b"x".repeat(CHUNK / 3), b"\n".to_vec()].concat();
        for _ in 0..4 {
            target.row(&row);
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 + 3 * row.len() as u64);
        assert_eq!(target.finish().unwrap(), 4);
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 + 4 * row.len() as u64);
    }
}
